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

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use resonetics_lumen::archive::index::Index;
use resonetics_lumen::archive::{Archive, MANIFEST, Options, Preset, freeze, restore, verify};
use resonetics_lumen::log::whole_events;
use resonetics_lumen::proof::append::Writer;
use resonetics_lumen::proof::check::{Asked, Ends, check};
use resonetics_lumen::proof::detached;
use resonetics_lumen::proof::dsse::Envelope;
use resonetics_lumen::proof::file::prove;
use resonetics_lumen::proof::fingerprint::Fingerprint;
use resonetics_lumen::proof::heads::Heads;
use resonetics_lumen::proof::key::{PUBLIC, Public, SECRET, Secret};
use resonetics_lumen::proof::log::Log;
use resonetics_lumen::proof::note::Note;
use resonetics_lumen::proof::statement::{Built, Statement};
use resonetics_lumen::proof::verify as whole;
use resonetics_lumen::resonance::metrics::Metrics;
use resonetics_lumen::resonance::observer::ObserverField;
use resonetics_lumen::store::{Reader, Store};
use resonetics_lumen::validate::validate;
use resonetics_runs::Error;
use resonetics_runs::run_dir::{RunDir, RunRecord};

const EVENT: &str = r#"{"ts":"2026-11-30T12:00:00.000Z","entity_id":"watched/training","group":"design_core","event_type":"observe","resonance_v3":{"phase_diff":0.0,"residual_entropy":0.5,"creative_band":"MID","risk_band":"SAFE"},"memory_bridge":{"slot_id":"rmb/v17/slot-1","op":"UPSERT","key":"window:1","value_hash":"0123456789abcdef"},"trace":{"loop_id":"train.k8s","iter":1,"host":"host","clock":1},"phase_valid":false,"signals":{"residual":0.5}}"#;
const OBSERVER: &str = "version: 1\nwindows: [W24h, W7d]\nchannels:\n  own: {symmetry: 0.5, continuity: 0.5, entropy: 0, safety: 0}\n";
const METRICS: &str = r#"{"window_s":86400,"series_rates":[1,2,3],"gap_minutes":5,"failure_hist":{"ok":5,"numeric":1},"chain_ok":true}"#;

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
            b"\0", b"\"", b"{", b"[[[[", b"-1", b"18446744073709551616", b"1e999", b"../", b"\xff\xfe", b"\n\n", b"null", b"=",
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
                5 => drop(bytes.splice(at..at, std::iter::repeat_n(bytes.get(at).copied().unwrap_or(0), 300))),
                6 => bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << self.below(8)),
                _ => bytes.get_mut(at).into_iter().for_each(|byte| *byte = self.below(256) as u8),
            }
        }
        bytes
    }
}

/// A file, and what is done with it once it was changed. What comes back is what must not be.
struct Target {
    name: &'static str,
    file: PathBuf,
    read: Box<dyn Fn(&[u8]) -> Option<&'static str>>,
}

/// Everything whose formats are ours, made once.
struct Place {
    dir: tempfile::TempDir,
    key: Secret,
}

impl Place {
    fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        Secret::create(&at("keys"), None).unwrap();
        let key = Secret::open(&at("keys"), &none).unwrap();
        let config = "command = \"benchmark\"\nseed = 3\n";
        let run = RunDir::create(Some(&at("run")), RunRecord::new("benchmark", Some(3)), config).unwrap();
        for name in ["benchmark.csv", "episodes.csv"] {
            fs::write(at("run").join(name), "a,b\n1,2\n".repeat(50)).unwrap();
        }
        run.finish(Ok(())).unwrap();
        let files = ["benchmark.csv", "episodes.csv"].map(Path::new);
        let statement = Statement::of_run(&at("run"), &files, &Built::default()).unwrap();
        fs::write(at("statement"), statement.bytes()).unwrap();
        fs::write(at("envelope"), statement.sealed(&key)).unwrap();
        prove(&statement, &key, &at("log"), None, &at("run.proof.json")).unwrap();
        let mut writer = Writer::open(&at("log"), &key, None).unwrap();
        for number in 0..300_u32 {
            writer.append(&number.to_be_bytes()).unwrap();
        }
        let head = writer.commit().unwrap();
        drop(writer);
        Heads::default().keep(&head, &at("heads.jsonl")).unwrap();
        detached::sign(&at("statement"), &key).unwrap();
        fs::write(at("fingerprint"), Fingerprint::of(&at("run")).unwrap().text().unwrap()).unwrap();
        Place { dir, key }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A target that is one file, read from its bytes.
    fn bytes(&self, name: &'static str, file: &str, read: impl Fn(&[u8]) + 'static) -> Target {
        let read = move |bytes: &[u8]| {
            read(bytes);
            None
        };
        Target { name, file: self.at(file), read: Box::new(read) }
    }

    /// A target that is one file, read from where it lies.
    fn file(&self, name: &'static str, file: &str, read: impl Fn(&Path) + 'static) -> Target {
        let path = self.at(file);
        let read = move |_: &[u8]| {
            read(&path);
            None
        };
        Target { name, file: self.at(file), read: Box::new(read) }
    }

    fn proofs(&self) -> Vec<Target> {
        let keys = [self.key.public()];
        let judged = |bytes: &[u8], keys: &[Public]| {
            let verdict = check(bytes, &Asked { keys, ..Asked::default() });
            let _ = verdict.json();
            verdict.ends()
        };
        let (mine, whole_proof) = (keys.clone(), fs::read(self.at("run.proof.json")).unwrap());
        let same = move |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).ok();
        let proof = Target {
            name: "proof",
            file: self.at("run.proof.json"),
            read: Box::new(move |bytes| {
                let good = judged(bytes, &mine) == Ends::Good && same(bytes) != same(&whole_proof);
                good.then_some("a proof that was changed is called good")
            }),
        };
        let (log, keys) = (self.at("log"), keys.to_vec());
        let read_log = move |_: &Path| {
            if let Ok(mut read) = Log::open(&log, &keys) {
                let _ = whole::verify(&read, &log, &[100, 200]);
                let _ = (read.entry(7), read.inclusion(290), read.consistency(256));
            }
        };
        let secret = self.at("keys");
        vec![
            proof,
            self.bytes("signature beside a file", "statement.sig.json", move |bytes| {
                let _ = check(bytes, &Asked::default()).json();
            }),
            self.bytes("envelope", "envelope", |bytes| drop(Envelope::open(bytes))),
            self.bytes("statement", "statement", |bytes| {
                if let Ok(statement) = Statement::parse(bytes) {
                    let _ = (statement.config(), statement.made_by(), statement.of_statement());
                }
            }),
            self.bytes("checkpoint", "log/checkpoint", |bytes| drop(Note::parse(&String::from_utf8_lossy(bytes)))),
            self.file("log: checkpoint", "log/checkpoint", read_log.clone()),
            self.file("log: hashes", "log/tile/0/000", read_log.clone()),
            self.file("log: entries", "log/tile/entries/000", read_log),
            self.file("heads", "heads.jsonl", |path| drop(Heads::read(path))),
            self.file("fingerprint", "fingerprint", |path| drop(Fingerprint::read(path))),
            self.file("public key", &format!("keys/{PUBLIC}"), |path| drop(Public::read(path))),
            self.file("private key", &format!("keys/{SECRET}"), move |_| {
                drop(Secret::open(&secret, &none));
            }),
        ]
    }

    fn archives(&self) -> Vec<Target> {
        let to = self.at("archive");
        let options = Options { to: &to, preset: Preset::Run, label: None };
        let frozen = freeze(&self.at("run"), &options, 1e9).unwrap();
        let relative = frozen.dir.strip_prefix(self.dir.path()).unwrap().to_str().unwrap().to_owned();
        let mut targets = Vec::new();
        for (name, file) in [
            ("archive: manifest", MANIFEST),
            ("archive: bundle", "bundle.tar.zst"),
            ("archive: sums", "SHA256SUMS"),
        ] {
            let (dir, out) = (frozen.dir.clone(), self.at("restored"));
            let read = move |_: &[u8]| {
                let _ = verify(&dir);
                let good = restore(&dir, &out).is_ok_and(|verified| verified.is_good());
                let there = out.exists();
                if there {
                    fs::remove_dir_all(&out).unwrap();
                }
                (there && !good).then_some("what is not good was restored")
            };
            targets.push(Target { name, file: self.at(&format!("{relative}/{file}")), read: Box::new(read) });
        }
        let root = self.at("archive");
        targets.push(self.file("archive: index", "archive/index.jsonl", move |_| {
            let _ = Index::read(&Archive::at(&root));
        }));
        targets
    }

    fn watched(&self) -> Vec<Target> {
        fs::create_dir(self.at("watched")).unwrap();
        fs::write(self.at("watched/events.jsonl"), format!("{EVENT}\n").repeat(20)).unwrap();
        fs::write(self.at("observer.yaml"), OBSERVER).unwrap();
        fs::write(self.at("metrics.json"), METRICS).unwrap();
        let (store, runs) = (self.at("lumen.db"), self.at("watched"));
        let ingested = Store::open(&store).unwrap().ingest(std::slice::from_ref(&runs)).unwrap();
        assert!(ingested.left_out.is_empty(), "{ingested:?}");
        assert!(whole_events(&fs::read(self.at("watched/events.jsonl")).unwrap()).unwrap().len() == 20);
        Metrics::parse(METRICS).unwrap();
        ObserverField::read(Some(&self.at("observer.yaml"))).unwrap();
        let asked = store.clone();
        vec![
            self.bytes("metrics.json", "metrics.json", |bytes| drop(Metrics::parse(&String::from_utf8_lossy(bytes)))),
            self.file("observer field", "observer.yaml", |path| drop(ObserverField::read(Some(path)))),
            self.bytes("events", "watched/events.jsonl", |bytes| drop(whole_events(bytes))),
            self.file("events: validated", "watched/events.jsonl", |path| drop(validate(path))),
            self.file("events: ingested", "watched/events.jsonl", move |_| {
                let store = tempfile::tempdir().unwrap();
                if let Ok(mut store) = Store::open(&store.path().join("lumen.db")) {
                    let _ = store.ingest(std::slice::from_ref(&runs));
                }
            }),
            self.file("store", "lumen.db", move |_| {
                if let Ok(reader) = Reader::open(&asked) {
                    let _ = (reader.totals(), reader.last_rmb(None), reader.metrics(None, 5));
                }
            }),
        ]
    }
}

fn none() -> Result<String, Error> {
    Ok("a passphrase".to_owned())
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
    let seconds = words.next().map_or(60.0, |word| word.parse().expect("seconds"));
    let part = words.next().unwrap_or_default();
    let drawn = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seed = std::env::var("SEED").map_or(drawn, |seed| seed.parse().expect("SEED"));
    println!("SEED={seed}");
    let place = Place::new();
    let targets = [place.proofs(), place.archives(), place.watched()].into_iter().flatten();
    let mut failed = false;
    for target in targets.filter(|target| target.name.contains(&part)) {
        match attacked(&target, &mut Stream(seed), Duration::from_secs_f64(seconds)) {
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
