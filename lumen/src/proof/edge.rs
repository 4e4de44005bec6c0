//! The right edge of a tree in tiles: all that is needed to append to it, and its root.

use std::path::Path;

use resonetics_runs::Error;

use super::note::Head;
use super::tiles::{ENTRY, HEIGHT, Tile, WIDTH};
use super::tree::{Hash, leaf, root};

/// What takes the tiles as they are made: which it is, how wide, its bytes.
pub type Take<'a> = dyn FnMut(Tile, u64, &[u8]) -> Result<(), Error> + 'a;

/// The tiles that are not full yet, a level each, and the bundle of entries that is not.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    /// Entries so far.
    pub size: u64,
    levels: Vec<Vec<Hash>>,
    entries: Vec<u8>,
}

impl Edge {
    /// That of the log in the folder `log` at this head.
    ///
    /// # Errors
    /// [`Error::Failed`] if it does not lead to the root of `head`: then something was changed; any I/O error.
    pub fn of(log: &Path, head: &Head) -> Result<Edge, Error> {
        let mut edge = Edge { size: head.size, ..Edge::default() };
        let mut left = head.size;
        while left > 0 {
            let width = left % WIDTH;
            let tile = Tile::Hashes(edge.levels.len() as u32, left / WIDTH);
            edge.levels.push(if width == 0 { Vec::new() } else { tile.hashes(log, width)? });
            left /= WIDTH;
        }
        let width = head.size % WIDTH;
        if width > 0 {
            let tile = Tile::Entries(head.size / WIDTH);
            let entries = tile.entries(log, width)?;
            if entries.iter().zip(&edge.levels[0]).any(|(entry, hash)| leaf(entry) != *hash) {
                return Err(tile.damaged(log, width, "an entry has not the hash that the log has of it"));
            }
            for entry in &entries {
                edge.keep(entry);
            }
        }
        if edge.root() != head.root {
            return Err(Error::Failed(format!(
                "the tiles of {} do not lead to the root of its checkpoint: something was changed; `resonetics lumen log verify` says what",
                log.display()
            )));
        }
        Ok(edge)
    }

    /// The root over all entries.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut below = None;
        for level in &self.levels {
            let mut hashes = level.clone();
            hashes.extend(below);
            below = (!hashes.is_empty()).then(|| root(&hashes));
        }
        below.unwrap_or_else(|| root(&[]))
    }

    /// Appends an entry; `take` gets the tiles that became full.
    ///
    /// # Errors
    /// [`Error::Refused`] for an entry that is longer than a log can hold; those of `take`.
    pub fn push(&mut self, entry: &[u8], take: &mut Take<'_>) -> Result<(), Error> {
        if entry.len() > ENTRY {
            return Err(Error::Refused(format!(
                "an entry of {} bytes is too long: a log of tiles holds {ENTRY} at most",
                entry.len()
            )));
        }
        self.keep(entry);
        let mut number = self.size / WIDTH;
        self.size += 1;
        if self.size.is_multiple_of(WIDTH) {
            take(Tile::Entries(number), WIDTH, &std::mem::take(&mut self.entries))?;
        }
        let mut hash = leaf(entry);
        for height in 0..=u64::BITS / HEIGHT {
            if self.levels.len() == height as usize {
                self.levels.push(Vec::new());
            }
            let level = &mut self.levels[height as usize];
            level.push(hash);
            if (level.len() as u64) < WIDTH {
                break;
            }
            hash = root(level);
            take(Tile::Hashes(height, number), WIDTH, &level.concat())?;
            level.clear();
            number /= WIDTH;
        }
        Ok(())
    }

    /// Gives `take` the tiles that are not full.
    ///
    /// # Errors
    /// Those of `take`.
    pub fn partials(&self, take: &mut Take<'_>) -> Result<(), Error> {
        let width = self.size % WIDTH;
        if width > 0 {
            take(Tile::Entries(self.size / WIDTH), width, &self.entries)?;
        }
        let mut left = self.size;
        for (height, level) in self.levels.iter().enumerate() {
            if !level.is_empty() {
                take(Tile::Hashes(height as u32, left / WIDTH), level.len() as u64, &level.concat())?;
            }
            left /= WIDTH;
        }
        Ok(())
    }

    fn keep(&mut self, entry: &[u8]) {
        self.entries.extend_from_slice(&(entry.len() as u16).to_be_bytes());
        self.entries.extend_from_slice(entry);
    }
}
