//! What keys of memory hold, and whether the bytes that they name are still what they were.

use std::path::{Path, PathBuf};

use resonetics_runs::Error;
use resonetics_runs::files::{read, sha256};

use crate::event::{Event, Op};
use crate::source::window_hash;
use crate::store::{MemoryRow, Reader};

/// What became of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Its bytes have the hash.
    Whole,
    /// They have another one.
    Other(String),
    /// There is nothing where it should lie.
    Missing,
    /// It was deleted, as the log says.
    Deleted,
    /// Nobody keeps such values.
    Unknown,
}

/// A key of a source, where its value lies, and what became of it.
#[derive(Clone, Debug)]
pub struct Value {
    /// What was said of it last.
    pub row: MemoryRow,
    /// The file with its bytes; none of what the log holds itself.
    pub path: Option<PathBuf>,
    /// See [`State`].
    pub state: State,
}

/// What the store knows of `key`, in the run `run` or in all.
///
/// # Errors
/// What the store says.
pub fn values(reader: &Reader, key: &str, run: Option<&str>) -> Result<Vec<Value>, Error> {
    let rows = reader.memory(key, run)?;
    Ok(rows.into_iter().map(value).collect())
}

fn value(row: MemoryRow) -> Value {
    let folder = Path::new(&row.path).parent().map(Path::to_path_buf).unwrap_or_default();
    let path = file(&folder, &row.key);
    let state = if row.op != "UPSERT" {
        State::Deleted
    } else if let Some(path) = &path {
        match read(path, u64::MAX) {
            Ok(bytes) => same(&row, sha256(&bytes)),
            Err(_) => State::Missing,
        }
    } else {
        window(&row).map_or(State::Unknown, |hash| same(&row, hash))
    };
    Value { row, path, state }
}

fn same(row: &MemoryRow, hash: String) -> State {
    if hash == row.value_hash { State::Whole } else { State::Other(hash) }
}

/// Where the arrays of a checkpoint lie that `key` names.
fn file(folder: &Path, key: &str) -> Option<PathBuf> {
    let name = match key.strip_prefix("checkpoint:") {
        Some(steps) => format!("step-{:012}", steps.parse::<u64>().ok()?),
        None if key == "best" => "best".to_owned(),
        None => return None,
    };
    Some(folder.join("checkpoints").join(format!("{name}.safetensors")))
}

/// The hash of a window by its own record, where `row` is one.
fn window(row: &MemoryRow) -> Option<String> {
    let event: Event = serde_json::from_str(&row.json).ok()?;
    let signals = event.signals.filter(|_| event.memory_bridge.op == Op::Upsert)?;
    Some(window_hash(&event.entity_id, event.trace.iter, event.trace.clock, &signals))
}
