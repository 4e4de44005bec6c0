//! Mutated bytes of every file format of Lumen, a minute each: nothing may panic, and nothing that is not good may leave
//! anything behind.
//!
//! ```sh
//! cargo run --release --workspace --example hostile              # a minute a format, in the order of the list
//! cargo run --release --workspace --example hostile -- 5 proof   # five seconds each of those whose name has `proof`
//! ```
//!
//! The seed of the mutations is printed; with `SEED=` it is the same again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)] // a bench, and made to panic

mod targets;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use resonetics_runs::run_dir::seconds;
use targets::{Place, Target};

/// A stream of numbers that are the same for the same seed (`SplitMix64`).
struct Stream(u64);

impl Stream {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ (word >> 31)) % most.max(1) as u64) as usize
    }

    /// `bytes`, changed in one to four places.
    fn mutated(&mut self, bytes: &[u8]) -> Vec<u8> {
        const WORDS: [&[u8]; 12] = [
            b"\0",
            b"\"",
            b"{",
            b"[[[[",
            b"-1",
            b"18446744073709551616",
            b"1e999",
            b"../",
            b"\xff\xfe",
            b"\n\n",
            b"null",
            b"=",
        ];
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let (at, length) = (self.below(bytes.len()), self.below(40));
            let end = (at + length).min(bytes.len());
            match self.below(8) {
                0 => bytes.truncate(at),
                1 => drop(bytes.drain(at..end)),
                2 => drop(bytes.splice(at..at, WORDS[self.below(WORDS.len())].iter().copied())),
                3 => drop(bytes.splice(at..end, WORDS[self.below(WORDS.len())].iter().copied())),
                // A piece of it again, elsewhere.
                4 => {
                    let (piece, to) = (bytes[at..end].to_vec(), self.below(bytes.len()));
                    drop(bytes.splice(to..to, piece));
                }
                5 => {
                    drop(bytes.splice(at..at, std::iter::repeat_n(bytes.get(at).copied().unwrap_or(0), 300)));
                }
                6 => bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << self.below(8)),
                _ => bytes.get_mut(at).into_iter().for_each(|byte| *byte = self.below(256) as u8),
            }
        }
        bytes
    }
}

/// Changes a target's file for so long; what must not be, with the bytes that did it.
fn attacked(target: &Target, stream: &mut Stream, time: Duration) -> Result<u64, (String, Vec<u8>)> {
    let whole = fs::read(&target.file).unwrap();
    let mode = fs::metadata(&target.file).unwrap().permissions();
    let begun = Instant::now();
    let mut tries = 0;
    while begun.elapsed() < time {
        let bytes = stream.mutated(&whole);
        fs::write(&target.file, &bytes).unwrap();
        let ended = catch_unwind(AssertUnwindSafe(|| (target.read)(&bytes)));
        let wrong = match ended {
            Ok(None) => None,
            Ok(Some(wrong)) => Some(wrong.to_owned()),
            Err(_) => Some("it panics".to_owned()),
        };
        if let Some(wrong) = wrong.filter(|_| bytes != whole) {
            return Err((wrong, bytes));
        }
        tries += 1;
    }
    fs::write(&target.file, &whole).unwrap();
    fs::set_permissions(&target.file, mode).unwrap();
    Ok(tries)
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let time = words.next().map_or(60.0, |word| word.parse().expect("seconds"));
    let part = words.next().unwrap_or_default();
    let drawn = (seconds() * 1e3) as u64;
    let seed = std::env::var("SEED").map_or(drawn, |seed| seed.parse().expect("SEED"));
    println!("SEED={seed}");
    let place = Place::new();
    let targets = [
        place.proofs(),
        place.trust(),
        place.archives(),
        place.sealed(),
        place.packs(),
        place.told(),
        place.watched(),
    ]
    .into_iter()
    .flatten();
    let mut failed = false;
    for target in targets.filter(|target| target.name.contains(&part)) {
        match attacked(&target, &mut Stream(seed), Duration::from_secs_f64(time)) {
            Ok(tries) => println!("{}: {tries} tries", target.name),
            Err((wrong, bytes)) => {
                let kept = std::env::temp_dir().join("hostile");
                fs::write(&kept, bytes).unwrap();
                println!("{}: {wrong}; the bytes are in {}", target.name, kept.display());
                failed = true;
            }
        }
    }
    ExitCode::from(u8::from(failed))
}
