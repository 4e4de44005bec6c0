//! How many events a second the store takes, beside a Python loop that commits each row.
//!
//! ```text
//! cargo run --release -p resonetics-lumen --example ingest_speed -- [--pairs 7] [--events 300000] [--peer-events 5000]
//! cargo run --release -p resonetics-lumen --example ingest_speed -- make FILE EVENTS
//! cargo run --release -p resonetics-lumen --example ingest_speed -- ingest STORE PATH...
//! ```
//!
//! The first prints the section of results/performance/lumen.md.

#![allow(clippy::print_stdout)] // What it is for.

use std::error::Error;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use resonetics_lumen::store::Store;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// As the original documents have it: each row is committed before the next line is read.
const PEER: &str = r#"
import json, sqlite3, sys, time
path, log = sys.argv[1:]
db = sqlite3.connect(path)
db.execute("CREATE TABLE IF NOT EXISTS rmb(ts TEXT, entity_id TEXT, residual REAL, phase REAL, risk TEXT)")
begun, worked, rows = time.perf_counter(), time.process_time(), 0
for line in open(log):
    event = json.loads(line)
    at = event["resonance_v3"]
    db.execute("INSERT INTO rmb VALUES (?,?,?,?,?)",
               (event["ts"], event["entity_id"], at["residual_entropy"], at["phase_diff"], at["risk_band"]))
    db.commit()
    rows += 1
print(rows / (time.perf_counter() - begun), rows / (time.process_time() - worked))
"#;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["make", path, events] => make(Path::new(path), events.parse()?),
        ["ingest", store, ref paths @ ..] => {
            let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
            let done = Store::open(Path::new(store))?.ingest(&paths)?;
            println!("{done:?}");
            Ok(())
        }
        ref options => compare(options),
    }
}

/// Takes turns, and prints the medians.
fn compare(options: &[&str]) -> Outcome<()> {
    let number = |name: &str, usual: u64| -> Outcome<u64> {
        match options.iter().position(|&option| option == name) {
            Some(at) => Ok(options.get(at + 1).ok_or("a number is missing")?.parse()?),
            None => Ok(usual),
        }
    };
    let (pairs, events, peer_events) =
        (number("--pairs", 7)?, number("--events", 300_000)?, number("--peer-events", 5_000)?);
    let folder = tempfile::tempdir()?;
    let [log, peer_log] = ["events.jsonl", "peer.jsonl"].map(|name| folder.path().join(name));
    make(&log, events)?;
    make(&peer_log, peer_events)?;
    let bytes = std::fs::metadata(&log)?.len() / events;
    // Of the clock and of the processor, ours and the peer's.
    let mut rates: Vec<[f64; 4]> = Vec::new();
    for _ in 0..pairs {
        let folder = tempfile::tempdir()?;
        let (begun, worked) = (Instant::now(), processor_seconds()?);
        let mut store = Store::open(&folder.path().join("lumen.db"))?;
        let done = store.ingest(std::slice::from_ref(&log))?;
        drop(store);
        let (took, worked) = (begun.elapsed().as_secs_f64(), processor_seconds()? - worked);
        if done.new != events {
            return Err(format!("{} of {events} events are there", done.new).into());
        }
        let peer = folder.path().join("peer.db");
        let output = Command::new("python3").args(["-c", PEER]).args([&peer, &peer_log]).output()?;
        let peer: Vec<f64> =
            String::from_utf8(output.stdout)?.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let &[peer, peer_worked] = &peer[..] else { return Err("the peer says nothing".into()) };
        rates.push([events as f64 / took, events as f64 / worked, peer, peer_worked]);
        eprintln!("{:.0?}", rates.last());
    }
    let of = |column: usize| median(rates.iter().map(|rates| rates[column]));
    let ratio = |column: usize| median(rates.iter().map(|rates| rates[column] / rates[column + 2]));
    println!(
        "| what counts | ours, events/s | Python, a commit a row, events/s | ratio |\n|---|---|---|---|"
    );
    println!("| the clock | {:.0} | {:.0} | **{:.0}** |", of(0), of(2), ratio(0));
    println!("| time of the processor | {:.0} | {:.0} | **{:.1}** |\n", of(1), of(3), ratio(1));
    println!(
        "{events} events of {bytes} bytes a line, and {peer_events} of the same for the peer; medians of {pairs} turns.\n"
    );
    let pairs: Vec<String> = rates.iter().map(|rates| format!("{:.0} / {:.0}", rates[1], rates[3])).collect();
    println!("Each turn, by time of the processor, in the order of the run: {}", pairs.join(", "));
    Ok(())
}

/// Seconds that this thread has had a processor.
fn processor_seconds() -> Outcome<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: u64 = text.split_whitespace().next().ok_or("no schedstat")?.parse()?;
    Ok(nanoseconds as f64 / 1e9)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A log of windows with all their signals, and of a rollback now and then.
fn make(path: &Path, events: u64) -> Outcome<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut line = String::new();
    for n in 0..events {
        line.clear();
        let kind = if n % 50 == 49 { "rollback" } else { "observe" };
        let part = (n % 1_000) as f64 / 1_000.0;
        write!(
            line,
            r#"{{"ts":"2025-01-{:02}T{:02}:{:02}:{:02}.{:03}Z","entity_id":"a1b2c3d4e5f6/training","group":"design_core","#,
            1 + n / 86_400_000,
            n / 3_600_000 % 24,
            n / 60_000 % 60,
            n / 1_000 % 60,
            n % 1_000
        )?;
        write!(
            line,
            r#""event_type":"{kind}","resonance_v3":{{"phase_diff":{},"residual_entropy":{part},"creative_band":"MID","risk_band":"SAFE"}},"#,
            part * 3.0 - 1.5
        )?;
        write!(
            line,
            r#""memory_bridge":{{"slot_id":"rmb/v17/slot-{}","op":"UPSERT","key":"window:{n}","value_hash":"{n:064x}"}},"#,
            n % 32
        )?;
        write!(
            line,
            r#""trace":{{"loop_id":"train.k8s","iter":{n},"host":"node-1","clock":{}}},"phase_valid":true,"#,
            n * 10
        )?;
        writeln!(
            line,
            r#""signals":{{"residual":{part},"phase_diff":{},"entropy_rate":0.8412,"creative_band":0.25,"risk_band":{},"harmony_index":0.912345,"coherence_level":0.7}},"levels":{{"residual":"CALM","rollback_ratio":"CALM","final":"CALM"}}}}"#,
            part * 3.0 - 1.5,
            part / 3.0
        )?;
        file.write_all(line.as_bytes())?;
    }
    file.flush()?;
    Ok(())
}
