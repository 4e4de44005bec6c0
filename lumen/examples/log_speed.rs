//! How many entries a second a transparency log takes in batches, how long a proof of inclusion takes in a large one, and
//! how long its whole check.
//!
//! ```text
//! cargo run --release -p resonetics-lumen --example log_speed -- [ENTRIES]
//! ```
//!
//! Entries are 1,000,000 of 700 bytes, as an envelope of a small run has; batches are of 10,000. The log lies in a
//! temporary folder (TMPDIR).

#![allow(clippy::print_stdout)] // What it is for.

use std::error::Error;
use std::time::Instant;

use resonetics_lumen::proof::append::Writer;
use resonetics_lumen::proof::key::Secret;
use resonetics_lumen::proof::log::Log;
use resonetics_lumen::proof::tree::{includes, leaf};
use resonetics_lumen::proof::verify::verify;

const BATCH: u64 = 10_000;
const LENGTH: usize = 700;
const PROOFS: u64 = 2_000;

fn main() -> Result<(), Box<dyn Error>> {
    let entries = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse::<u64>())?;
    let place = tempfile::tempdir()?;
    let (keys, log) = (place.path().join("keys"), place.path().join("log"));
    let public = Secret::create(&keys, None)?;
    let key = Secret::open(&keys, &|| Ok(String::new()))?;
    let entry = |number: u64| -> Vec<u8> {
        let mut bytes = vec![b'x'; LENGTH];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        bytes
    };
    let begun = Instant::now();
    let mut writer = Writer::open(&log, &key, None)?;
    for number in 0..entries {
        writer.append(&entry(number))?;
        if (number + 1) % BATCH == 0 {
            writer.commit()?;
        }
    }
    writer.commit()?;
    let seconds = begun.elapsed().as_secs_f64();
    println!("{entries} entries in {seconds:.1} s: {:.0} a second, on the disk", entries as f64 / seconds);
    drop(writer);

    let mut took: Vec<f64> = Vec::new();
    for turn in 0..PROOFS {
        // Spread over the log; opened anew each time, so that nothing is in our memory.
        let index = turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) % entries;
        let begun = Instant::now();
        let mut log = Log::open(&log, &[])?;
        let proof = log.inclusion(index)?;
        took.push(begun.elapsed().as_secs_f64() * 1e3);
        assert!(includes(&log.head.root, log.head.size, index, &leaf(&entry(index)), &proof));
    }
    took.sort_by(f64::total_cmp);
    let (median, most) = (took[took.len() / 2], took[took.len() * 99 / 100]);
    println!("a proof of inclusion: median {median:.3} ms, 99 of 100 below {most:.3} ms");

    let begun = Instant::now();
    let opened = Log::open(&log, &[public])?;
    verify(&opened, &log, &[])?;
    println!("the whole log checked in {:.1} s", begun.elapsed().as_secs_f64());
    Ok(())
}
