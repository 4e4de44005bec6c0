//! Files that only grow: a line of JSON each, which holds the SHA-256 of the one before it. None can be changed, left out
//! or put in unseen; the last one may be taken away unseen.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{self, Error};
use crate::files::{self, sha256};

/// The most bytes of such a file: a few hundred thousand lines.
pub const MOST_BYTES: u64 = 256 << 20;

/// A line that names the one before it.
pub trait Link: Clone + Serialize + DeserializeOwned {
    /// The hash that it names.
    fn prev(&self) -> &str;
    /// The same, naming `prev`.
    #[must_use]
    fn after(self, prev: String) -> Self;
}

/// The lines of such a file.
#[derive(Debug)]
pub struct Chain<L> {
    /// In their order.
    pub lines: Vec<L>,
    head: Option<String>,
    /// Bytes of the lines.
    pub length: u64,
}

impl<L> Default for Chain<L> {
    fn default() -> Self {
        Chain { lines: Vec::new(), head: None, length: 0 }
    }
}

/// The first line that does not follow from those before it.
pub struct Broken {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

impl<L: Link> Chain<L> {
    /// The lines up to the first that is not as it should be; none where there is no file. What a kill has cut off at the
    /// end is no line.
    ///
    /// # Errors
    /// That the file cannot be read.
    pub fn whole(path: &Path) -> Result<(Chain<L>, Option<Broken>), Error> {
        let mut chain = Chain::default();
        if path.symlink_metadata().is_err() {
            return Ok((chain, None));
        }
        let bytes = files::read(path, MOST_BYTES)?;
        for (number, line) in (1..).zip(bytes.split_inclusive(|&byte| byte == b'\n')) {
            let Some(text) = line.strip_suffix(b"\n") else { break };
            let broken = |why: String| Some(Broken { line: number, why });
            let parsed: L = match serde_json::from_slice(text) {
                Ok(parsed) => parsed,
                Err(error) => return Ok((chain, broken(format!("it is not such a line: {error}")))),
            };
            if parsed.prev() != chain.head() {
                let why = "it does not name the line before it: a line was changed, taken out or put in";
                return Ok((chain, broken(why.to_owned())));
            }
            chain.head = Some(sha256(text));
            chain.length += line.len() as u64;
            chain.lines.push(parsed);
        }
        Ok((chain, None))
    }

    /// The hash that the next line names.
    pub fn head(&self) -> String {
        self.head.clone().unwrap_or_else(|| "0".repeat(64))
    }

    /// Adds a line to the file at `path`, and waits until it is on the disk; by who holds the lock.
    ///
    /// # Errors
    /// That the file cannot be written; it is then as it was.
    pub fn append(&mut self, path: &Path, line: L) -> Result<(), Error> {
        let line = line.after(self.head());
        let mut bytes = serde_json::to_vec(&line).map_err(|error| {
            Error::Failed(format!("cannot encode a line of {}: {error}; please report this", path.display()))
        })?;
        let head = sha256(&bytes);
        bytes.push(b'\n');
        files::check_writable(path)?;
        let mut file =
            File::options().create(true).append(true).open(path).map_err(error::io("open", path))?;
        // Behind the last whole line there is at most what a kill has cut.
        file.set_len(self.length).map_err(error::io("write", path))?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(|failure| {
            let _ = file.set_len(self.length);
            error::io("write", path)(failure)
        })?;
        self.length += bytes.len() as u64;
        self.head = Some(head);
        self.lines.push(line);
        Ok(())
    }
}
