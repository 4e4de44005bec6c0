//! `remote_index.jsonl`, beside the index of archives: which copies were made where, and what was found of them, a line each.

use std::collections::BTreeMap;
use std::ops::Deref;

use object_store::path::{Path, PathPart};
use resonetics_runs::Error;
use resonetics_runs::run_dir::seconds;
use serde::{Deserialize, Serialize};

use crate::archive::calendar::stamp;
use crate::archive::place::Archive;
use resonetics_runs::chain::{Broken, Chain, Link};

/// The name of the file.
pub const FILE: &str = "remote_index.jsonl";

/// What became of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Outcome {
    /// Its upload was begun.
    Started,
    /// It was uploaded, and not read back yet.
    Uploaded,
    /// All its bytes were read and are what was uploaded.
    Ok,
    /// Some of them are not.
    Mismatch,
    /// Some of it is not there.
    Missing,
    /// It could not be asked for.
    Unreachable,
}

impl Outcome {
    /// As it is printed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "STARTED",
            Self::Uploaded => "UPLOADED",
            Self::Ok => "OK",
            Self::Mismatch => "MISMATCH",
            Self::Missing => "MISSING",
            Self::Unreachable => "UNREACHABLE",
        }
    }
}

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// When it was written.
    pub ts: String,
    /// The id of the archive.
    pub archive_id: String,
    /// Which store: its kind and bucket, for a folder or an address of one's own a digest of it.
    pub provider: String,
    /// The bundle's key there.
    pub key: String,
    /// Bytes of the bundle.
    pub bytes: u64,
    /// SHA-256 of the bundle as it is stored.
    pub sha256: String,
    /// What the store calls that version of the bundle.
    pub etag: Option<String>,
    /// The same, where the store keeps versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// `age` or `none`.
    pub enc: String,
    /// When its bytes were last compared.
    pub verified_at: Option<String>,
    /// What was found.
    pub result: Outcome,
    /// SHA-256 of the sidecar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sidecar_sha256: Option<String>,
    /// SHA-256 of the line before; zeros in the first one.
    pub prev: String,
}

impl Link for Line {
    fn prev(&self) -> &str {
        &self.prev
    }
    fn after(self, prev: String) -> Line {
        Line { prev, ..self }
    }
}

impl Line {
    /// Whether it is of a run whose folder has this name.
    pub(super) fn is_of(&self, run: &str) -> bool {
        self.run() == Some(PathPart::from(run).as_ref())
    }

    /// The name of the run's folder, as it is in the key.
    fn run(&self) -> Option<&str> {
        self.key.rsplit('/').nth(2)
    }
}

/// The lines of the file.
#[derive(Debug, Default)]
pub struct Records(Chain<Line>);

impl Deref for Records {
    type Target = Chain<Line>;
    fn deref(&self) -> &Chain<Line> {
        &self.0
    }
}

impl Records {
    /// The records beside the archives in `archive`; none where there is no file.
    ///
    /// # Errors
    /// [`Error::Refused`] for a line that is none, or does not name the one before it.
    pub fn read(archive: &Archive) -> Result<Records, Error> {
        let path = archive.root().join(FILE);
        match Chain::whole(&path)? {
            (records, None) => Ok(Records(records)),
            (_, Some(Broken { line, why })) => Err(Error::Refused(format!(
                "{}, line {line}: {why}; put it back, or move it away: copies are found in the store too",
                path.display()
            ))),
        }
    }

    /// Adds a line to the file beside the archives in `archive`.
    pub(super) fn note(archive: &Archive, line: Line) -> Result<(), Error> {
        let _held = archive.hold()?;
        Records::read(archive)?.0.append(&archive.root().join(FILE), line)
    }

    /// Puts on record what was found.
    pub(super) fn found(archive: &Archive, copy: &Line, outcome: Outcome) -> Result<(), Error> {
        let now = stamp(seconds());
        let verified_at =
            if outcome == Outcome::Unreachable { copy.verified_at.clone() } else { Some(now.clone()) };
        Records::note(archive, Line { ts: now, verified_at, result: outcome, ..copy.clone() })
    }

    /// The newest copy in the store `provider` below `prefix` of each archive of a run, in the order of their uploads, each as its
    /// last line says that is more than that it could not be asked for.
    pub(super) fn copies(&self, provider: &str, prefix: &Path) -> Vec<Line> {
        let is_ours = |line: &&Line| {
            line.provider == provider && Path::parse(&line.key).is_ok_and(|key| key.prefix_matches(prefix))
        };
        let mut copies: Vec<Line> = Vec::new();
        for line in self.0.lines.iter().filter(is_ours) {
            let is_same = |copy: &Line| copy.archive_id == line.archive_id && copy.run() == line.run();
            let known = copies.iter().position(is_same);
            match known {
                Some(at) if copies[at].key == line.key => {
                    if line.result != Outcome::Unreachable {
                        copies[at] = line.clone();
                    }
                }
                // A newer copy; what is found of an older one later on does not make it the newest.
                Some(at) if line.result == Outcome::Started => {
                    copies.remove(at);
                    copies.push(line.clone());
                }
                Some(_) => {}
                None => copies.push(line.clone()),
            }
        }
        copies
    }

    /// Whether the newest copy of each archive was what was uploaded when its bytes were last compared; none before the
    /// first comparison.
    pub(crate) fn integrity(&self) -> Option<bool> {
        let mut newest: BTreeMap<&str, (&str, &str, Option<bool>)> = BTreeMap::new();
        for line in &self.0.lines {
            let copy = (line.provider.as_str(), line.key.as_str());
            let known = newest.entry(&line.archive_id).or_insert((copy.0, copy.1, None));
            match line.result {
                Outcome::Started => *known = (copy.0, copy.1, None),
                Outcome::Ok | Outcome::Mismatch | Outcome::Missing if (known.0, known.1) == copy => {
                    known.2 = Some(line.result == Outcome::Ok);
                }
                _ => {}
            }
        }
        let mut compared = newest.values().filter_map(|(.., good)| *good).peekable();
        compared.peek()?;
        Some(compared.all(|good| good))
    }

    /// Whether the archive `id` has a copy somewhere whose bytes were compared, the last time with success.
    pub(in crate::archive) fn is_kept(&self, id: &str) -> bool {
        let mut good: Vec<(&str, &str)> = Vec::new();
        for line in self.0.lines.iter().filter(|line| line.archive_id == id) {
            let copy = (line.provider.as_str(), line.key.as_str());
            match line.result {
                Outcome::Ok => good.push(copy),
                Outcome::Mismatch | Outcome::Missing => good.retain(|one| *one != copy),
                _ => {}
            }
        }
        !good.is_empty()
    }
}
