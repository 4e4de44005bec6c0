//! Rotation of `events.jsonl` by whoever writes it.
//!
//! A file is renamed, never copied and cut: who reads it goes on reading it. It becomes `events-000001.jsonl`, the next
//! one `events-000002.jsonl`: names in the order of age, and a rotation is one rename, whole whenever it is killed.
//! Nothing is compressed: the store has the events, and a compressed part could not be read on.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use resonetics_runs::error::{self, Error};

/// When to rotate, and what to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The bytes from which on a file is put aside.
    pub bytes: u64,
    /// Whether one that was last written on an earlier day, in UTC, is put aside too.
    pub daily: bool,
    /// How many that were put aside are kept.
    pub keep: usize,
    /// Whether those beyond them are deleted; if not, they stay.
    pub delete: bool,
}

impl Default for Rotation {
    fn default() -> Self {
        Self { bytes: 64 << 20, daily: true, keep: 7, delete: false }
    }
}

/// Puts the file at `path` aside if it is due by `limit`, and yields its new name. Who writes it calls this between two
/// writes of whole lines, and opens `path` anew when a name comes back. `now` is the present time.
///
/// # Errors
/// What the system says; the file is then where it was.
pub fn rotate(path: &Path, limit: &Rotation, now: SystemTime) -> Result<Option<PathBuf>, Error> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error::io("read", path)(error)),
    };
    let written = metadata.modified().map_err(error::io("read", path))?;
    let due = metadata.len() >= limit.bytes || (limit.daily && day(written) < day(now));
    if metadata.len() == 0 || !due {
        return Ok(None);
    }
    let mut parts = parts(path)?;
    let next = parts.last().map_or(1, |(number, _)| number + 1);
    let name = named(path, next);
    fs::rename(path, &name).map_err(error::io("rename", path))?;
    parts.push((next, name.clone()));
    if limit.delete {
        for (_, old) in &parts[..parts.len().saturating_sub(limit.keep.max(1))] {
            fs::remove_file(old).map_err(error::io("remove", old))?;
        }
    }
    Ok(Some(name))
}

/// Days since 1970, in UTC.
fn day(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400)
}

/// `events.jsonl` and 1: `events-000001.jsonl`.
fn named(path: &Path, number: u64) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let ending = path.extension().map(|ending| format!(".{}", ending.to_string_lossy())).unwrap_or_default();
    path.with_file_name(format!("{stem}-{number:06}{ending}"))
}

/// What was put aside of `path`, with its numbers, the oldest first.
fn parts(path: &Path) -> Result<Vec<(u64, PathBuf)>, Error> {
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned() + "-";
    let mut parts = Vec::new();
    for entry in fs::read_dir(folder).map_err(error::io("read", folder))? {
        let other = entry.map_err(error::io("read", folder))?.path();
        let name = other.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let number = name.strip_prefix(&stem).and_then(|number| number.parse().ok());
        // The name has to be the one that the number has: no other file is deleted.
        let number = number.filter(|&number| named(path, number).file_name() == other.file_name());
        parts.extend(number.map(|number| (number, other)));
    }
    parts.sort();
    Ok(parts)
}
