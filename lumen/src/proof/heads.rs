//! The heads that a client has seen of logs, `heads.jsonl`: a line a head. With them it finds a log that was taken back,
//! or that tells others something else: proof and head come from the log, what it said earlier does not.

use std::path::Path;

use resonetics_runs::Error;
use resonetics_runs::files::{text_within, write_atomic};
use serde::{Deserialize, Serialize};

use super::note::Head;
use super::text::{hash_of_hex, hex, strict};
use super::tree::Hash;

/// The most bytes of such a file.
const MOST: u64 = 1 << 26;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    origin: String,
    size: u64,
    root: String,
}

/// Heads that were seen.
#[derive(Clone, Debug, Default)]
pub struct Heads(Vec<Head>);

impl Heads {
    /// Those in the file at `path`; none if there is no file yet.
    ///
    /// # Errors
    /// [`Error::Refused`] for a line that is none.
    pub fn read(path: &Path) -> Result<Heads, Error> {
        if !path.exists() {
            return Ok(Heads::default());
        }
        let text = text_within(path, MOST)?;
        let parsed = |(number, line): (usize, &str)| {
            let refused = |why: String| {
                Error::Refused(format!(
                    "{}, line {}: {why}; put it back as it was, since it is what a log is held to",
                    path.display(),
                    number + 1
                ))
            };
            let line: Line = strict(line.as_bytes()).map_err(refused)?;
            let root = hash_of_hex(&line.root).ok_or_else(|| refused("its root is no SHA-256".to_owned()))?;
            Ok(Head { origin: line.origin, size: line.size, root })
        };
        text.lines().enumerate().map(parsed).collect::<Result<_, Error>>().map(Heads)
    }

    /// Sizes and roots of the log of this origin, smallest first.
    #[must_use]
    pub fn of(&self, origin: &str) -> Vec<(u64, Hash)> {
        let of = self.0.iter().filter(|head| head.origin == origin);
        let mut of: Vec<(u64, Hash)> = of.map(|head| (head.size, head.root)).collect();
        of.sort_unstable();
        of.dedup();
        of
    }

    /// Keeps `head` in the file at `path`, if it is not there.
    ///
    /// # Errors
    /// Any I/O error.
    pub fn keep(&mut self, head: &Head, path: &Path) -> Result<(), Error> {
        if self.0.contains(head) {
            return Ok(());
        }
        self.0.push(head.clone());
        let line = |head: &Head| {
            let line = Line { origin: head.origin.clone(), size: head.size, root: hex(&head.root) };
            serde_json::json!(line).to_string() + "\n"
        };
        let text: String = self.0.iter().map(line).collect();
        write_atomic(path, text.as_bytes())
    }
}

/// What heads that were seen say of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// Nothing against it.
    Good,
    /// It was larger.
    RolledBack {
        /// How large it was.
        was: u64,
    },
    /// It was another one at this size.
    Forked {
        /// At which size.
        at: u64,
    },
}

/// Holds a log against the heads that were seen of it: `root_at` are its roots at their sizes, as far as it has them.
#[must_use]
pub fn held(seen: &[(u64, Hash)], size: u64, root_at: &[Hash]) -> Held {
    if let Some(((at, _), _)) = seen.iter().zip(root_at).find(|((_, seen), is)| seen != *is) {
        return Held::Forked { at: *at };
    }
    match seen.last() {
        Some((was, _)) if *was > size => Held::RolledBack { was: *was },
        _ => Held::Good,
    }
}
