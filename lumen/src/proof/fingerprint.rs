//! All files of a folder in one hash (E1): the root of a tree whose leaves are path, SHA-256 and size of each.
//!
//! Names are covered, none may be missing and none too many. What a leaf is of is the JSON
//! `{"path":...,"sha256":...,"size":...}`, without spaces, keys in this order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use resonetics_runs::files::read;
use resonetics_runs::{Error, error, interrupt};
use serde::{Deserialize, Serialize};

use super::digest::digest;
use super::text::{hash_of_hex, hex, strict};
use super::tree::{leaf, root};
use crate::context::file::{FILE as CONTEXT, is_ours};

/// What the file says that it is.
pub const FORMAT: &str = "resonetics-fingerprint/1";
/// The most bytes of a fingerprint: a million files or so.
const MOST: u64 = 1 << 28;

/// A file of the folder; its JSON is what is hashed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Where it lies in the folder.
    pub path: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// How many those are.
    pub size: u64,
}

/// A folder's fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    format: String,
    /// The root.
    pub root: String,
    /// What it is over, sorted by path.
    pub files: Vec<Entry>,
}

impl Fingerprint {
    /// That of the folder `dir`.
    ///
    /// # Errors
    /// [`Error::Refused`] for a folder without files, names that are no text, and what is no file: a link, a pipe, a
    /// socket, a device; any I/O error.
    pub fn of(dir: &Path) -> Result<Fingerprint, Error> {
        let mut files = Vec::new();
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            interrupt::check()?;
            let here = dir.join(&folder);
            for entry in std::fs::read_dir(&here).map_err(error::io("read", &here))? {
                let entry = entry.map_err(error::io("read", &here))?;
                let name = folder.join(entry.file_name());
                let kind = entry.file_type().map_err(error::io("read", &entry.path()))?;
                if kind.is_dir() {
                    folders.push(name);
                } else if kind.is_file() {
                    // What is summed up of a run is no part of it, and may come and go.
                    if name.as_os_str() != CONTEXT || !is_ours(&entry.path()) {
                        files.push(of_file(dir, &name)?);
                    }
                } else {
                    return Err(Error::Refused(format!(
                        "{} is no file: its bytes lie elsewhere; remove it or put a copy there",
                        entry.path().display()
                    )));
                }
            }
        }
        if files.is_empty() {
            return Err(Error::Refused(format!("{} holds no file; check the path", dir.display())));
        }
        files.sort();
        Ok(Fingerprint { format: FORMAT.to_owned(), root: root_of(&files), files })
    }

    /// Reads the fingerprint in the file at `path`.
    ///
    /// # Errors
    /// [`Error::Refused`] for a file that cannot be read or is none; [`Error::Failed`] if its root is not that of its
    /// files.
    pub fn read(path: &Path) -> Result<Fingerprint, Error> {
        let shown = path.display();
        let read: Fingerprint = strict(&read(path, MOST)?)
            .map_err(|why| Error::Refused(format!("{shown} is no fingerprint: {why}; check the path")))?;
        let sorted = read.files.windows(2).all(|two| two[0].path < two[1].path);
        if read.format != FORMAT || !sorted || hash_of_hex(&read.root).is_none() {
            return Err(Error::Refused(format!(
                "{shown} is no fingerprint of format {FORMAT}; check the path"
            )));
        }
        if root_of(&read.files) != read.root {
            return Err(Error::Failed(format!("{shown} was changed: its root is not that of its files")));
        }
        Ok(read)
    }

    /// How `is` differs from this one, a line a file: missing, added, changed.
    #[must_use]
    pub fn differences(&self, is: &Fingerprint) -> Vec<String> {
        let of = |all: &Fingerprint| -> BTreeMap<String, Entry> {
            all.files.iter().map(|file| (file.path.clone(), file.clone())).collect()
        };
        let (was, is) = (of(self), of(is));
        let names: std::collections::BTreeSet<&String> = was.keys().chain(is.keys()).collect();
        let told = |name: &&String| match (was.get(*name), is.get(*name)) {
            (Some(_), None) => Some(format!("{name}: missing")),
            (None, _) => Some(format!("{name}: added")),
            (Some(was), Some(is)) => {
                (was != is).then(|| format!("{name}: changed, from {} bytes to {}", was.size, is.size))
            }
        };
        names.iter().filter_map(told).collect()
    }

    /// As JSON, with a line end.
    ///
    /// # Errors
    /// [`Error::Failed`] if it cannot be encoded.
    pub fn text(&self) -> Result<String, Error> {
        serde_json::to_string_pretty(self).map_err(|error| {
            Error::Failed(format!("cannot encode the fingerprint: {error}; please report this"))
        })
    }
}

fn of_file(dir: &Path, name: &Path) -> Result<Entry, Error> {
    let path = dir.join(name);
    let text = name
        .to_str()
        .ok_or_else(|| Error::Refused(format!("the name of {} is no text: rename it", path.display())))?;
    let (size, sha256) = digest(&path)?;
    Ok(Entry { path: text.to_owned(), sha256, size })
}

fn root_of(files: &[Entry]) -> String {
    let leaves: Vec<_> =
        files.iter().map(|file| leaf(serde_json::json!(file).to_string().as_bytes())).collect();
    hex(&root(&leaves))
}
