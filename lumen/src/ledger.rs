//! The ledger of runs: `runs.jsonl`, a line a run, made from the folders of runs (I1).
//!
//! The file is rewritten whole, sorted by `started` and `run_id`, and replaced at once: a reader sees the old one or the
//! new one. Scanning twice changes no byte. Runs whose folders are gone stay in it. A lock beside it (`runs.jsonl.lock`)
//! keeps two scans from losing each other's lines.
//!
//! `run_id` is `YYYYMMDD-REGION-SHA8-COMMAND-N`: the UTC day on which the run began; the region in which it was first
//! seen; the first 8 digits of the SHA-256 of command, `started_at`, seed and cell, of which none changes when a run goes
//! on; the command; and 1, or the next number where a folder was copied. A folder that was moved keeps its id.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use resonetics_runs::files::{self, sha256, write_atomic};
use resonetics_runs::{Error, error};

pub use self::class::Outcome;
use self::found::{Found, found};
pub use self::row::{Place, Row, Unread};

pub mod class;
pub mod counts;
mod found;
mod row;

/// The name of the file.
pub const FILE: &str = "runs.jsonl";

/// The most bytes of a ledger: a million runs or so.
const MOST_BYTES: u64 = 1 << 30;

/// All runs that are known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    /// Sorted by `started` and `run_id`.
    pub rows: Vec<Row>,
}

impl Ledger {
    /// What the file at `path` says; empty where there is none.
    ///
    /// # Errors
    /// [`Error::Refused`] for a line that is none of a ledger, with its number and column, and for an id that is there
    /// twice; any I/O error.
    pub fn read(path: &Path) -> Result<Ledger, Error> {
        if !path.exists() {
            return Ok(Ledger::default());
        }
        let text = files::text_within(path, MOST_BYTES)?;
        let mut ledger = Ledger::default();
        let mut ids = HashSet::new();
        for (number, line) in text.lines().enumerate() {
            let refused = |reason: String| {
                Error::Refused(format!(
                    "{}, line {}: {reason}; put it back, or remove it and scan the runs again",
                    path.display(),
                    number + 1
                ))
            };
            let row: Row = serde_json::from_str(line).map_err(|error| refused(in_line(&error)))?;
            if !ids.insert(row.run_id.clone()) {
                return Err(refused(format!("the run_id {} is there twice", row.run_id)));
            }
            ledger.rows.push(row);
        }
        ledger.sort();
        Ok(ledger)
    }

    /// Takes over what the run folders below `paths` say; yields what could not be read.
    ///
    /// # Errors
    /// A path that is not there, [`Error::Interrupted`], and I/O errors of folders.
    pub fn scan(&mut self, paths: &[PathBuf], place: &Place) -> Result<Vec<Unread>, Error> {
        let (found, unread) = found(paths)?;
        let mut at: HashMap<(String, String), usize> = HashMap::new();
        let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
        let mut moved: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, row) in self.rows.iter().enumerate() {
            let (base, number) = split(&row.run_id);
            let key = identity(base, &row.region).to_owned();
            numbers.entry(base.to_owned()).and_modify(|most| *most = number.max(*most)).or_insert(number);
            if !Path::new(&row.path).join("run.json").is_file() {
                moved.entry(key.clone()).or_default().push(index);
            }
            at.insert((key, row.path.clone()), index);
        }
        for run in found {
            let base = base(&run, &place.region);
            let key = identity(&base, &place.region).to_owned();
            let known = at.get(&(key.clone(), run.path.clone())).copied();
            let known = known.or_else(|| moved.get_mut(&key).and_then(Vec::pop));
            if let Some(index) = known {
                let before = &self.rows[index];
                let place = Place { region: before.region.clone(), runner: before.runner.clone() };
                let (id, statement) = (before.run_id.clone(), before.statement.clone());
                self.rows[index] = Row { statement, ..run.row(id, &place) };
            } else {
                let number = numbers.entry(base.clone()).and_modify(|number| *number += 1).or_insert(1);
                self.rows.push(run.row(format!("{base}-{number}"), place));
            }
        }
        self.sort();
        Ok(unread)
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// [`Error::Failed`] if a row cannot be encoded.
    pub fn encoded(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        for row in &self.rows {
            serde_json::to_writer(&mut bytes, row).map_err(|error| {
                Error::Failed(format!("cannot encode {FILE}: {error}; please report this"))
            })?;
            bytes.push(b'\n');
        }
        Ok(bytes)
    }

    fn sort(&mut self) {
        self.rows.sort_by(|a, b| (&a.started, &a.run_id).cmp(&(&b.started, &b.run_id)));
    }
}

/// Scans the runs below `paths` into the ledger at `path`, which is written only if it changes.
///
/// # Errors
/// Those of [`Ledger::read`] and [`Ledger::scan`]; any I/O error of writing.
pub fn update(path: &Path, paths: &[PathBuf], place: &Place) -> Result<(Ledger, Vec<Unread>), Error> {
    let _held = hold(path)?;
    let mut ledger = Ledger::read(path)?;
    let unread = ledger.scan(paths, place)?;
    let bytes = ledger.encoded()?;
    if !path.exists() || files::read(path, MOST_BYTES)? != bytes {
        write_atomic(path, &bytes)?;
    }
    Ok((ledger, unread))
}

/// Waits until no other scan writes the ledger at `path`; a file system without locks cannot tell.
fn hold(path: &Path) -> Result<File, Error> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    files::check_writable(&name)?;
    let file = File::options().create(true).append(true).open(&name).map_err(error::io("open", &name))?;
    let _ = file.lock();
    Ok(file)
}

/// What serde says of a line, with its column alone: it always calls the line 1.
fn in_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let said = text.rsplit_once(" at line ").map_or(text.as_str(), |(said, _)| said);
    format!("column {}: {said}", error.column())
}

/// A run's id without its number.
fn base(run: &Found, region: &str) -> String {
    let seed = run.seed.map_or_else(String::new, |seed| seed.to_string());
    let cell = run.cell.as_deref().unwrap_or_default();
    let said = format!("{}\n{}\n{seed}\n{cell}\n", run.command, run.started);
    let day: String = run.started.chars().take(10).filter(char::is_ascii_digit).collect();
    format!("{day}-{region}-{}-{}", &sha256(said.as_bytes())[..8], run.command)
}

/// An id's parts before and behind the last `-`.
fn split(run_id: &str) -> (&str, u32) {
    let (base, number) = run_id.rsplit_once('-').unwrap_or((run_id, ""));
    (base, number.parse().unwrap_or(0))
}

/// What of an id does not depend on where it was scanned: its `SHA8-COMMAND`.
fn identity<'a>(base: &'a str, region: &str) -> &'a str {
    base.split_once('-').and_then(|(_, rest)| rest.strip_prefix(region)?.strip_prefix('-')).unwrap_or(base)
}
