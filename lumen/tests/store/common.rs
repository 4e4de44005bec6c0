//! A run, its log and a store.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use resonetics_lumen::store::{Ingested, Reader, Store};
use rusqlite::Connection;
use tempfile::TempDir;

/// What an example of a line has that differs.
pub(crate) struct Of<'a> {
    pub(crate) run: &'a str,
    pub(crate) iter: u64,
    pub(crate) kind: &'a str,
    pub(crate) key: &'a str,
    pub(crate) clock: u64,
    pub(crate) slot: u64,
    /// Milliseconds since 2025 began.
    pub(crate) ms: u64,
}

impl Default for Of<'_> {
    fn default() -> Self {
        Self { run: "r1", iter: 0, kind: "observe", key: "window:0", clock: 0, slot: 0, ms: 0 }
    }
}

pub(crate) fn written(of: &Of<'_>) -> String {
    let Of { run, iter, kind, key, clock, slot, ms } = of;
    let (seconds, ms) = (ms / 1_000, ms % 1_000);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!(
        r#"{{"ts":"2025-01-01T{hours:02}:{minutes:02}:{seconds:02}.{ms:03}Z","entity_id":"{run}/training","group":"design_core","event_type":"{kind}","resonance_v3":{{"phase_diff":0.5,"residual_entropy":0.25,"creative_band":"MID","risk_band":"SAFE"}},"memory_bridge":{{"slot_id":"rmb/v17/slot-{slot}","op":"UPSERT","key":"{key}","value_hash":"0123456789abcdef"}},"trace":{{"loop_id":"train.k8s","iter":{iter},"host":"h","clock":{clock}}},"phase_valid":true,"signals":{{"residual":0.25,"phase_diff":0.5,"entropy_rate":null,"creative_band":0.5,"risk_band":0.125,"harmony_index":0.75,"coherence_level":0.5}},"levels":{{"residual":"CALM","rollback_ratio":null,"final":"CALM"}}}}"#
    ) + "\n"
}

/// Window `iter` of the run r1.
pub(crate) fn window(iter: u64) -> String {
    let key = format!("window:{iter}");
    written(&Of { iter, key: &key, clock: iter * 10, slot: iter % 32, ms: iter, ..Of::default() })
}

pub(crate) fn windows(from: u64, to: u64) -> String {
    (from..to).map(window).collect()
}

/// A folder with a run and a store.
pub(crate) struct Place {
    pub(crate) dir: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("run")).unwrap();
        Self { dir }
    }
    pub(crate) fn run(&self) -> PathBuf {
        self.dir.path().join("run")
    }
    pub(crate) fn log(&self) -> PathBuf {
        self.run().join("events.jsonl")
    }
    pub(crate) fn store(&self) -> PathBuf {
        self.dir.path().join("lumen.db")
    }
    pub(crate) fn ingest(&self) -> Ingested {
        Store::open(&self.store()).unwrap().ingest(&[self.run()]).unwrap()
    }
    pub(crate) fn reader(&self) -> Reader {
        Reader::open(&self.store()).unwrap()
    }
    /// The iters that are there, in order.
    pub(crate) fn iters(&self) -> Vec<i64> {
        let mut iters: Vec<i64> = self.ask("SELECT iter FROM event ORDER BY iter");
        iters.dedup_by(|a, b| a == b);
        assert_eq!(
            iters.len() as i64,
            self.one::<i64>("SELECT count(*) FROM event"),
            "an event is there twice"
        );
        iters
    }
    pub(crate) fn ask<T: rusqlite::types::FromSql>(&self, sql: &str) -> Vec<T> {
        let connection = Connection::open(self.store()).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }
    pub(crate) fn one<T: rusqlite::types::FromSql>(&self, sql: &str) -> T {
        self.ask(sql).pop().unwrap()
    }
    pub(crate) fn is_good(&self) -> bool {
        let checked = Store::open(&self.store()).unwrap().check(&[self.run()]).unwrap();
        if !checked.is_good() {
            eprintln!("{checked:?}");
        }
        checked.is_good()
    }
}

pub(crate) fn append(path: &Path, text: impl AsRef<[u8]>) {
    File::options().append(true).create(true).open(path).unwrap().write_all(text.as_ref()).unwrap();
}

pub(crate) fn to(count: i64) -> Vec<i64> {
    (0..count).collect()
}
