//! The files of a log (<https://c2sp.org/tlog-tiles>): a tile holds 256 hashes of one level, a bundle 256 entries, each
//! behind its length in two bytes; the last of each is partial and has its width in its name.

use std::fs;
use std::path::{Path, PathBuf};

use resonetics_runs::{Error, files};

use super::tree::Hash;

/// Hashes of a full tile, and entries of a full bundle.
pub const WIDTH: u64 = 256;
/// Levels of a tree that a tile spans.
pub const HEIGHT: u32 = 8;
/// The most bytes of an entry: its length is told in two.
pub const ENTRY: usize = u16::MAX as usize;

/// A tile of hashes, or a bundle of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tile {
    /// Of this level, the number of it there.
    Hashes(u32, u64),
    /// The number of it.
    Entries(u64),
}

impl Tile {
    /// Where it lies in a log, full, or as long as it holds less.
    #[must_use]
    pub fn path(self, width: u64) -> PathBuf {
        let (kind, number) = match self {
            Tile::Hashes(level, number) => (level.to_string(), number),
            Tile::Entries(number) => ("entries".to_owned(), number),
        };
        let mut place = format!("{:03}", number % 1_000);
        let mut rest = number / 1_000;
        while rest > 0 {
            place = format!("x{:03}/{place}", rest % 1_000);
            rest /= 1_000;
        }
        let partial = if width == WIDTH { String::new() } else { format!(".p/{width}") };
        PathBuf::from(format!("tile/{kind}/{place}{partial}"))
    }

    /// The folder of what it was while it was partial.
    #[must_use]
    pub fn partials(self) -> PathBuf {
        self.path(0).parent().map(Path::to_path_buf).unwrap_or_default()
    }

    /// The most bytes that it can have.
    fn limit(self) -> u64 {
        match self {
            Tile::Hashes(..) => WIDTH * size_of::<Hash>() as u64,
            Tile::Entries(_) => WIDTH * (ENTRY as u64 + 2),
        }
    }

    /// Its bytes, of which the first `width` parts are wanted: a log that grew since has a wider one.
    ///
    /// # Errors
    /// That there is none, or that it cannot be read.
    pub fn read(self, log: &Path, width: u64) -> Result<Vec<u8>, Error> {
        let wanted = log.join(self.path(width));
        if wanted.exists() {
            return files::read(&wanted, self.limit());
        }
        let full = log.join(self.path(WIDTH));
        let folder = log.join(self.partials());
        let wider = fs::read_dir(&folder).into_iter().flatten().flatten();
        let wider = wider.filter_map(|entry| entry.file_name().to_str()?.parse::<u64>().ok());
        let wider = wider.filter(|has| (width..WIDTH).contains(has)).max();
        let found = wider.map(|has| log.join(self.path(has)));
        let found = if full.exists() { Some(full) } else { found };
        files::read(&found.unwrap_or(wanted), self.limit())
    }

    /// Its first `width` hashes.
    ///
    /// # Errors
    /// As [`Tile::read`]; [`Error::Failed`] if it has less.
    pub fn hashes(self, log: &Path, width: u64) -> Result<Vec<Hash>, Error> {
        let bytes = self.read(log, width)?;
        let (all, rest) = bytes.as_chunks::<32>();
        match all.get(..width as usize) {
            Some(first) if rest.is_empty() => Ok(first.to_vec()),
            _ => Err(self.damaged(log, width, "it holds less than its name says")),
        }
    }

    /// Its first `width` entries.
    ///
    /// # Errors
    /// As [`Tile::read`]; [`Error::Failed`] if it has less.
    pub fn entries(self, log: &Path, width: u64) -> Result<Vec<Vec<u8>>, Error> {
        let bytes = self.read(log, width)?;
        let mut rest = bytes.as_slice();
        let mut entries = Vec::new();
        while (entries.len() as u64) < width {
            let entry = rest.split_first_chunk::<2>().and_then(|(length, behind)| {
                behind.split_at_checked(usize::from(u16::from_be_bytes(*length)))
            });
            let Some((entry, behind)) = entry else {
                return Err(self.damaged(log, width, "an entry is cut off"));
            };
            entries.push(entry.to_vec());
            rest = behind;
        }
        Ok(entries)
    }

    /// What is said of one that is not as it should be.
    #[must_use]
    pub fn damaged(self, log: &Path, width: u64, how: &str) -> Error {
        Error::Failed(format!(
            "{} is damaged: {how}; put back a copy of the log, and tell who keeps its heads",
            log.join(self.path(width)).display()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the specification.
    #[test]
    fn paths_are_those_of_the_specification() {
        let path = |tile: Tile, width| tile.path(width).display().to_string();
        assert_eq!(path(Tile::Hashes(0, 1_234_067), WIDTH), "tile/0/x001/x234/067");
        assert_eq!(path(Tile::Hashes(1, 273), 112), "tile/1/273.p/112");
        assert_eq!(path(Tile::Hashes(2, 1), 17), "tile/2/001.p/17");
        assert_eq!(path(Tile::Entries(70_000), WIDTH), "tile/entries/x070/000");
        assert_eq!(Tile::Entries(0).partials(), Path::new("tile/entries/000.p"));
    }
}
