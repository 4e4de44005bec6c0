//! A transparency log as files, read: `checkpoint` and `tile/`, which any web server can hand out.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use resonetics_runs::{Error, files, interrupt};

use super::key::Public;
use super::note::{Head, Note};
use super::tiles::{HEIGHT, Tile, WIDTH};
use super::tree::{self, Hash, Subtrees, root};

/// The file with the log's head.
pub const CHECKPOINT: &str = "checkpoint";
/// The most bytes of a checkpoint.
const MOST: u64 = 1 << 16;
/// Tiles that are kept in memory.
const KEPT: usize = 64;

/// What takes the entries of a log, each with its index.
pub type Take<'a> = dyn FnMut(u64, &[u8]) -> Result<(), Error> + 'a;

/// A log at one of its heads.
#[derive(Debug)]
pub struct Log {
    dir: PathBuf,
    /// Its head.
    pub head: Head,
    /// The note with it, as it was read.
    pub note: String,
    kept: HashMap<Tile, Vec<Hash>>,
}

/// The head of the log in the folder `dir`, as its note says it.
///
/// # Errors
/// [`Error::Unknown`] where there is no log, [`Error::Failed`] for a checkpoint that is none.
pub fn read_note(dir: &Path) -> Result<(Note, String), Error> {
    let path = dir.join(CHECKPOINT);
    if !path.exists() {
        return Err(Error::Unknown(format!(
            "{} holds no log; `resonetics lumen prove` and `resonetics lumen log append` begin one",
            dir.display()
        )));
    }
    let text = files::text_within(&path, MOST)?;
    let note = Note::parse(&text).ok_or_else(|| {
        Error::Failed(format!("{} is no checkpoint; put back a copy of it", path.display()))
    })?;
    Ok((note, text))
}

impl Log {
    /// Opens the log in the folder `dir`.
    ///
    /// # Errors
    /// Those of [`read_note`]; with `keys` [`Error::Unknown`] if none of them signed its head, and [`Error::Failed`] if
    /// the signature is wrong.
    pub fn open(dir: &Path, keys: &[Public]) -> Result<Log, Error> {
        let (read, note) = read_note(dir)?;
        let path = dir.join(CHECKPOINT);
        match read.signed_by(keys) {
            Some(false) => Err(Error::Failed(format!(
                "the signature of {} is wrong: it was changed; put back a copy of it",
                path.display()
            ))),
            None if !keys.is_empty() => Err(Error::Unknown(format!(
                "{} is signed by none of the keys; give the key of the log",
                path.display()
            ))),
            _ => Ok(Log { dir: dir.to_path_buf(), head: read.head, note, kept: HashMap::new() }),
        }
    }

    /// Entry `index`.
    ///
    /// # Errors
    /// [`Error::Unknown`] if there are not so many; any I/O error.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, Error> {
        self.within(index)?;
        let number = index / WIDTH;
        let width = (self.head.size - number * WIDTH).min(WIDTH);
        let mut entries = Tile::Entries(number).entries(&self.dir, width)?;
        Ok(entries.swap_remove((index % WIDTH) as usize))
    }

    /// Hands each entry to `take`, with its index.
    ///
    /// # Errors
    /// Those of `take`; any I/O error.
    pub fn each(&self, take: &mut Take<'_>) -> Result<(), Error> {
        for number in 0..self.head.size.div_ceil(WIDTH) {
            interrupt::check()?;
            let width = (self.head.size - number * WIDTH).min(WIDTH);
            for (at, entry) in Tile::Entries(number).entries(&self.dir, width)?.iter().enumerate() {
                take(number * WIDTH + at as u64, entry)?;
            }
        }
        Ok(())
    }

    /// The proof that entry `index` is in the log at its head.
    ///
    /// # Errors
    /// As [`Log::entry`].
    pub fn inclusion(&mut self, index: u64) -> Result<Vec<Hash>, Error> {
        self.within(index)?;
        let size = self.head.size;
        tree::inclusion(self, index, size)
    }

    /// The proof that the log at size `old` is the beginning of what it was at size `new`.
    ///
    /// # Errors
    /// [`Error::Unknown`] if it was never so large; any I/O error.
    pub fn consistency(&mut self, old: u64, new: u64) -> Result<Vec<Hash>, Error> {
        let size = self.head.size;
        if old > new || new > size {
            return Err(Error::Unknown(format!(
                "{} has {size} entries: there is nothing from {old} to {new}",
                self.dir.display()
            )));
        }
        tree::consistency(self, old, new)
    }

    /// The first entry with this hash; none if there is none.
    ///
    /// # Errors
    /// Any I/O error.
    pub fn find(&self, leaf: &Hash) -> Result<Option<u64>, Error> {
        for number in 0..self.head.size.div_ceil(WIDTH) {
            let width = (self.head.size - number * WIDTH).min(WIDTH);
            let hashes = Tile::Hashes(0, number).hashes(&self.dir, width)?;
            if let Some(at) = hashes.iter().position(|hash| hash == leaf) {
                return Ok(Some(number * WIDTH + at as u64));
            }
        }
        Ok(None)
    }

    fn within(&self, index: u64) -> Result<(), Error> {
        let size = self.head.size;
        if index < size {
            return Ok(());
        }
        Err(Error::Unknown(format!("{} has {size} entries and none of index {index}", self.dir.display())))
    }

    /// The tile `number` of a level, as wide as it is at the log's head.
    fn tile(&mut self, level: u32, number: u64) -> Result<&[Hash], Error> {
        let tile = Tile::Hashes(level, number);
        if !self.kept.contains_key(&tile) {
            let width = ((self.head.size >> (HEIGHT * level)) - number * WIDTH).min(WIDTH);
            if self.kept.len() == KEPT {
                self.kept.clear();
            }
            self.kept.insert(tile, tile.hashes(&self.dir, width)?);
        }
        Ok(&self.kept[&tile])
    }
}

impl Subtrees for Log {
    type Error = Error;

    fn full(&mut self, level: u32, index: u64) -> Result<Hash, Error> {
        let within = level % HEIGHT;
        let from = index << within;
        let hashes = self.tile(level / HEIGHT, from / WIDTH)?;
        let from = (from % WIDTH) as usize;
        Ok(root(&hashes[from..from + (1 << within)]))
    }
}
