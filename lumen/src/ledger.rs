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
use serde::{Deserialize, Serialize};

use self::class::ErrorClass;
use self::found::{Found, found};

pub mod class;
pub mod counts;
mod found;

/// The name of the file.
pub const FILE: &str = "runs.jsonl";

/// The most bytes of a ledger: a million runs or so.
const MOST_BYTES: u64 = 1 << 30;

/// A run, as a line of the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// `YYYYMMDD-REGION-SHA8-COMMAND-N`, once in a ledger. Never a label of a metric.
    pub run_id: String,
    /// Its folder, whole, without links.
    pub path: String,
    /// What it was: `train`, `benchmark`, ...
    pub command: String,
    /// Of a sweep's training the key of its cell.
    pub cell: Option<String>,
    /// What it belongs to in metrics: its command.
    pub pipeline: String,
    /// Where it ran: `LUMEN_REGION` of the first scan that saw it.
    pub region: String,
    /// By whom: `LUMEN_RUNNER` of the first scan that saw it.
    pub runner: String,
    /// The program's version.
    pub version: String,
    /// 32 hex digits, where the run has one.
    pub trace_id: Option<String>,
    /// When it began, RFC 3339, UTC.
    pub started: String,
    /// When it ended; of one at work or killed it is not known.
    pub ended: Option<String>,
    /// Wall time of its last process, where it is known.
    pub seconds: Option<f64>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, where it ended without its result.
    pub error_class: Option<ErrorClass>,
    /// SHA-256 of its signed statement, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// With its result.
    Ok,
    /// Without.
    Failed,
    /// By a signal that it heard.
    Interrupted,
    /// Its record says that it runs, and no process is at work in it.
    Killed,
    /// It is at work, or its file system has no locks that could tell.
    Running,
}

impl Outcome {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Killed => "killed",
            Self::Running => "running",
        }
    }
}

/// Where and by whom runs are made: labels of metrics, so no names of hosts or people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `LUMEN_REGION`.
    pub region: String,
    /// `LUMEN_RUNNER`.
    pub runner: String,
}

impl Place {
    /// Checks both; what is `None` is `local`.
    ///
    /// # Errors
    /// [`Error::Refused`] for what does not consist of 1 to 32 of `a-z`, `0-9` and `-`.
    pub fn new(region: Option<&str>, runner: Option<&str>) -> Result<Place, Error> {
        let label = |name: &str, value: Option<&str>| {
            let value = value.unwrap_or("local");
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            if (1..=32).contains(&value.len()) && value.bytes().all(plain) {
                return Ok(value.to_owned());
            }
            Err(Error::Refused(format!("{name}=`{value}` is no label; allowed: 1 to 32 of a-z, 0-9 and -")))
        };
        Ok(Place { region: label("LUMEN_REGION", region)?, runner: label("LUMEN_RUNNER", runner)? })
    }

    /// What the variables say.
    ///
    /// # Errors
    /// Those of [`Place::new`]; a value that is no UTF-8 is none.
    pub fn of_environment() -> Result<Place, Error> {
        let of = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        Place::new(of("LUMEN_REGION").as_deref(), of("LUMEN_RUNNER").as_deref())
    }
}

/// A folder whose `run.json` says nothing that could be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Its folder.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

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
