//! Run folders, and what each says of itself.

use std::fs;
use std::path::{Path, PathBuf};

use humantime::parse_rfc3339;
use resonetics_runs::run_dir::{ended, read_record};
use resonetics_runs::sweep::CELLS;
use resonetics_runs::{Error, error, interrupt};
use serde_json::Value;

use super::class::{ErrorClass, Outcome};
use super::row::{Place, Row, Unread};

/// How deep runs are looked for.
const DEPTH: usize = 5;
/// Folders in which there are no runs.
const PASSED_OVER: [&str; 2] = ["checkpoints", "figures"];

/// What a run's folder says.
pub(super) struct Found {
    pub(super) path: String,
    pub(super) command: String,
    pub(super) cell: Option<String>,
    pub(super) started: String,
    pub(super) seed: Option<u64>,
    version: String,
    trace_id: Option<String>,
    ended: Option<String>,
    seconds: Option<f64>,
    outcome: Outcome,
    error_class: Option<ErrorClass>,
}

impl Found {
    pub(super) fn row(self, run_id: String, place: &Place) -> Row {
        Row {
            run_id,
            path: self.path,
            pipeline: self.command.clone(),
            command: self.command,
            cell: self.cell,
            region: place.region.clone(),
            runner: place.runner.clone(),
            version: self.version,
            trace_id: self.trace_id,
            started: self.started,
            ended: self.ended,
            seconds: self.seconds,
            outcome: self.outcome,
            error_class: self.error_class,
            statement: None,
        }
    }
}

/// The runs below `paths`, sorted by their folders, each once; those that cannot be read beside them.
pub(super) fn found(paths: &[PathBuf]) -> Result<(Vec<Found>, Vec<Unread>), Error> {
    let mut folders = Vec::new();
    for path in paths {
        let whole = fs::canonicalize(path).map_err(error::io("read", path))?;
        if !whole.is_dir() {
            let path = path.display();
            return Err(Error::Refused(format!("{path} is no folder; give folders of runs")));
        }
        gather(&whole, DEPTH, &mut folders)?;
    }
    folders.sort();
    folders.dedup();
    let (mut runs, mut unread) = (Vec::new(), Vec::new());
    for folder in folders {
        interrupt::check()?;
        match described(&folder) {
            Ok(run) => runs.push(run),
            Err(reason) => unread.push(Unread { path: folder, reason }),
        }
    }
    Ok((runs, unread))
}

fn gather(folder: &Path, depth: usize, into: &mut Vec<PathBuf>) -> Result<(), Error> {
    interrupt::check()?;
    if folder.join("run.json").exists() {
        into.push(folder.to_path_buf());
    }
    let entries = fs::read_dir(folder).map_err(error::io("read", folder))?;
    for entry in entries {
        let entry = entry.map_err(error::io("read", folder))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // No links: they could lead in a circle, or to the same run again. What could not go on was put aside.
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let passed_over = name.starts_with('.') || name.contains(".before-") || PASSED_OVER.contains(&&*name);
        if depth > 0 && is_folder && !passed_over {
            gather(&entry.path(), depth - 1, into)?;
        }
    }
    Ok(())
}

/// What the run in `folder` says, or why it is not counted.
fn described(folder: &Path) -> Result<Found, String> {
    // Before the record, which then is at least as new: one that ends in between is not taken for one at work.
    let status = ended(folder);
    let record = read_record(folder).map_err(|error| error.to_string())?;
    let word = |name: &str| record.get(name).and_then(Value::as_str);
    let needed = |name: &str| word(name).ok_or_else(|| format!("its run.json says no `{name}`"));
    let command = needed("command")?;
    let label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if command.is_empty() || command.len() > 32 || !command.bytes().all(label) {
        return Err("its run.json has a `command` that is no name of one".to_owned());
    }
    let started = needed("started_at")?;
    let is_time = |text: &str| parse_rfc3339(text).is_ok();
    if !is_time(started) {
        return Err(
            "its run.json has a `started_at` that is no time in UTC, such as 2026-01-31T12:00:00Z".to_owned()
        );
    }
    let outcome = match status.as_deref() {
        Some("finished") => Outcome::Ok,
        Some("failed") => Outcome::Failed,
        Some("interrupted") => Outcome::Interrupted,
        Some("killed") => Outcome::Killed,
        Some("running") => Outcome::Running,
        _ => {
            return Err(
                "its run.json says no `status`; known are: running, finished, interrupted, failed".to_owned()
            );
        }
    };
    let hex =
        |text: &&str| text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let ended = word("finished_at")
        .filter(|text| is_time(text) && !matches!(outcome, Outcome::Running | Outcome::Killed));
    Ok(Found {
        path: folder.to_str().ok_or("its path is no UTF-8 text")?.to_owned(),
        command: command.to_owned(),
        cell: cell(folder),
        started: started.to_owned(),
        seed: record.get("seed").and_then(Value::as_u64),
        version: needed("version")?.chars().take(32).collect(),
        trace_id: word("trace_id").filter(hex).map(str::to_owned),
        ended: ended.map(str::to_owned),
        seconds: record.get("wall_seconds").and_then(Value::as_f64).filter(|seconds| *seconds >= 0.0),
        outcome,
        error_class: ErrorClass::of(outcome, word("error")),
    })
}

/// The key of a sweep's training: it lies in the folder of cells.
fn cell(folder: &Path) -> Option<String> {
    let is_cell = folder.parent().and_then(Path::file_name).is_some_and(|name| name == CELLS);
    is_cell.then(|| folder.file_name().map(|name| name.to_string_lossy().into_owned())).flatten()
}
