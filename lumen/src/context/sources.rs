//! The files that a context follows from, and how each is known to be the same.
//!
//! A file of up to [`WHOLE`] bytes is known by the SHA-256 of all its bytes. A longer one by its length, when it was
//! last written, and the SHA-256 of its first and last [`END`] bytes: who changes bytes in the middle of one, keeps its
//! length and sets its time back is not found out.

use std::fs::{self, File, Metadata};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use resonetics_runs::{Error, error, files, interrupt};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::file::FILE;
use crate::proof::text::hex;

/// Bytes up to which a file is hashed whole.
pub const WHOLE: u64 = 64 << 20;
/// Bytes of each end of a longer one that are hashed.
pub const END: u64 = 1 << 20;
/// The most files of a run that is summed up once and for all.
const MOST: usize = 10_000;
/// How deep folders are looked into.
const DEPTH: usize = 8;
/// Endings of the files that say something.
const ENDINGS: [&str; 4] = ["csv", "json", "jsonl", "toml"];

/// A file, and what it was.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its path in the run's folder; of an archive's manifest with `archive:` before it.
    pub path: String,
    /// Its bytes.
    pub size: u64,
    /// SHA-256 of all of them, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// In place of it, of a long file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Ends>,
}

/// What a long file is known by, beside its length.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ends {
    /// When it was last written, in nanoseconds since 1970.
    pub written_ns: i128,
    /// SHA-256 of its first [`END`] bytes, in hex.
    pub head: String,
    /// SHA-256 of its last ones.
    pub tail: String,
}

impl Source {
    /// The file at `path`, called `name`.
    ///
    /// # Errors
    /// That it cannot be read; [`Error::Interrupted`].
    pub fn of(path: &Path, name: &str) -> Result<Source, Error> {
        let file = files::open(path)?;
        let metadata = file.metadata().map_err(error::io("read", path))?;
        let size = metadata.len();
        let mut source = Source { path: name.to_owned(), size, sha256: None, ends: None };
        if size <= WHOLE {
            source.sha256 = Some(hash(&file, path, 0, size)?);
        } else {
            let (head, tail) = (hash(&file, path, 0, END)?, hash(&file, path, size - END, END)?);
            source.ends = Some(Ends { written_ns: written_ns(&metadata), head, tail });
        }
        Ok(source)
    }

    /// The same with the hash of all bytes, however long the file at `path` is: what leaves the machine.
    ///
    /// # Errors
    /// As [`Source::of`].
    pub fn whole(path: &Path, name: &str) -> Result<Source, Error> {
        let file = files::open(path)?;
        let size = file.metadata().map_err(error::io("read", path))?.len();
        let sha256 = Some(hash(&file, path, 0, size)?);
        Ok(Source { path: name.to_owned(), size, sha256, ends: None })
    }
}

fn written_ns(metadata: &Metadata) -> i128 {
    i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec())
}

/// SHA-256 of `length` bytes from `from` on, or of as many as there are.
fn hash(file: &File, path: &Path, mut from: u64, length: u64) -> Result<String, Error> {
    let end = from + length;
    let mut part = vec![0; (1 << 18).min(length.max(1) as usize)];
    let mut hash = Sha256::new();
    while from < end {
        interrupt::check()?;
        let wanted = part.len().min((end - from) as usize);
        match file.read_at(&mut part[..wanted], from).map_err(error::io("read", path))? {
            0 => break,
            count => {
                hash.update(&part[..count]);
                from += count as u64;
            }
        }
    }
    Ok(hex(&hash.finalize()))
}

/// The paths of the files of the run in `folder` that a context follows from, sorted; `None` where that cannot be told:
/// there are links, whose targets may change unseen, or too many files.
///
/// # Errors
/// That a folder cannot be read.
pub fn paths(folder: &Path) -> Result<Option<Vec<String>>, Error> {
    let mut found = Vec::new();
    let told = within(folder, "", DEPTH, &mut found)?;
    found.sort();
    Ok(told.then_some(found))
}

fn within(folder: &Path, prefix: &str, depth: usize, found: &mut Vec<String>) -> Result<bool, Error> {
    interrupt::check()?;
    for entry in fs::read_dir(folder).map_err(error::io("read", folder))? {
        let entry = entry.map_err(error::io("read", folder))?;
        let (path, name) = (entry.path(), entry.file_name());
        let Some(name) = name.to_str() else { return Ok(false) };
        let kind = entry.file_type().map_err(error::io("read", &path))?;
        if name.starts_with('.') || (prefix.is_empty() && name == FILE) {
            continue;
        }
        let name = format!("{prefix}{name}");
        if kind.is_symlink() || (kind.is_dir() && depth == 0) {
            return Ok(false);
        }
        if kind.is_dir() {
            if !within(&path, &format!("{name}/"), depth - 1, found)? {
                return Ok(false);
            }
        } else if kind.is_file()
            && path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known))
        {
            found.push(name);
        }
    }
    Ok(found.len() <= MOST)
}
