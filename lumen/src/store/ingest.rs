//! Files into the store.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Instant;

use resonetics_runs::error::{self, Error};
use resonetics_runs::{files, interrupt};
use rusqlite::Connection;

use super::compare::matching;
use super::line::parsed;
use super::lines::Lines;
use super::schema::{self, sql};
use super::source::{self, Found, Key, Source};
use super::{walk, write};

/// How often folders are looked at again for files that have come meanwhile.
const WALKS: usize = 16;

/// A store to be written.
pub struct Store {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
}

/// What [`Store::ingest`] has done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ingested {
    /// Files that were looked at.
    pub files: u64,
    /// Lines that were read.
    pub lines: u64,
    /// Events among them that the store did not know.
    pub new: u64,
    /// Events among them that it knew.
    pub known: u64,
    /// Lines that are no event.
    pub refused: u64,
    /// Events that were deleted, since a file that was cut back no longer says them.
    pub cut: u64,
    /// Files that could not be read, and why.
    pub left_out: BTreeMap<PathBuf, String>,
    /// Wall time.
    pub seconds: f64,
}

impl Ingested {
    /// Adds what another pass has done. Its files are the same ones.
    pub fn add(&mut self, other: Self) {
        self.files = self.files.max(other.files);
        self.lines += other.lines;
        self.new += other.new;
        self.known += other.known;
        self.refused += other.refused;
        self.cut += other.cut;
        self.left_out = other.left_out;
        self.seconds += other.seconds;
    }
}

/// Whether a file was read to its end.
#[derive(PartialEq)]
enum Went {
    ToItsEnd,
    /// It was changed, or read by somebody else.
    Astray,
}

impl Store {
    /// Opens the store at `path`; makes it if nothing is there.
    ///
    /// # Errors
    /// [`Error::Refused`] for what is no store or one of a later version; what the system says.
    pub fn open(path: &Path) -> Result<Self, Error> {
        files::check_writable(path)?;
        Ok(Self { connection: schema::open_to_write(path)?, path: path.to_path_buf() })
    }

    /// Reads `paths`, files or folders with runs, on from where they were read to. Whole lines only. May be done by
    /// several processes at once, and as often as one likes.
    ///
    /// # Errors
    /// [`Error::Interrupted`], with all that was read before kept; a path that is not there; what the store says. A
    /// file of a folder that cannot be read is left out and named.
    pub fn ingest(&mut self, paths: &[PathBuf]) -> Result<Ingested, Error> {
        let begun = Instant::now();
        let mut done = Ingested::default();
        let mut seen = HashSet::new();
        for path in walk::asides(paths)? {
            interrupt::check()?;
            match self.aside(&path) {
                Ok(gone) => done.cut += gone,
                Err(error) if self.is_fatal(&error) => return Err(error),
                // It goes away, or is not ours to read: then it says nothing.
                Err(_) => {}
            }
        }
        // What is renamed while folders are walked may be passed by: they are walked until there is nothing new.
        for _ in 0..WALKS {
            let before = seen.len();
            for path in walk::files(paths)? {
                interrupt::check()?;
                match self.file(&path, &mut seen, &mut done) {
                    Err(error) if self.is_fatal(&error) => return Err(error),
                    Err(_) if path.symlink_metadata().is_err() => {}
                    Err(error) => {
                        done.left_out.insert(path, error.to_string());
                    }
                    Ok(()) => {}
                }
            }
            if seen.len() == before {
                break;
            }
        }
        done.files = seen.len() as u64;
        done.seconds = begun.elapsed().as_secs_f64();
        Ok(done)
    }

    /// Whether other files would meet the same.
    fn is_fatal(&self, error: &Error) -> bool {
        match error {
            Error::File(file) => file.path == self.path,
            Error::Refused(_) => false,
            _ => true,
        }
    }

    /// Reads the file at `path` to its end, unless it was `seen`.
    fn file(&mut self, path: &Path, seen: &mut HashSet<Key>, done: &mut Ingested) -> Result<(), Error> {
        let file = files::open(path)?;
        let metadata = file.metadata().map_err(error::io("read", path))?;
        if !metadata.is_file() {
            return Err(Error::Refused(format!("cannot use {}: give a regular file", path.display())));
        }
        let key = Key::of(&metadata);
        if !seen.insert(key) {
            return Ok(());
        }
        let name =
            fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf()).to_string_lossy().into_owned();
        loop {
            interrupt::check()?;
            let found =
                source::find(&self.connection, &file, &name, key).map_err(sql("write", &self.path))?;
            match found.map_err(error::io("read", path))? {
                Found::Cut(source) => done.cut += self.cut(&file, path, source)?,
                Found::Going(source) => {
                    if self.read_on(&file, path, source, done)? == Went::ToItsEnd {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Reads `file`, a batch after the other.
    fn read_on(
        &mut self,
        file: &File,
        path: &Path,
        mut source: Source,
        done: &mut Ingested,
    ) -> Result<Went, Error> {
        let read = || error::io("read", path);
        let mut bytes = BufReader::with_capacity(1 << 20, file);
        bytes.seek(SeekFrom::Start(source.offset)).map_err(read())?;
        let mut lines = Lines::default();
        loop {
            interrupt::check()?;
            lines.read(&mut bytes, source.offset).map_err(read())?;
            if lines.is_empty() {
                return Ok(Went::ToItsEnd);
            }
            let rows: Vec<_> = lines.iter().map(|(line, bytes)| parsed(line.too_long, bytes)).collect();
            let mut next = source.after(&lines, file).map_err(read())?;
            // A file that was cut and written again while it was read may have been read in part before and in part
            // after: it is the same at both ends, or all of this is done again.
            if !source.is_intact(file).map_err(read())? || !next.is_intact(file).map_err(read())? {
                return Ok(Went::Astray);
            }
            let written = write::batch(&mut self.connection, &source, &mut next, &lines, &rows);
            let Some(counts) = written.map_err(sql("write", &self.path))? else { return Ok(Went::Astray) };
            done.lines += rows.len() as u64;
            done.new += counts.new;
            done.known += counts.known;
            done.refused += counts.refused;
            source = next;
        }
    }

    /// Takes back what was read of a log before it was put aside. Yields how many events these were.
    fn aside(&mut self, path: &Path) -> Result<u64, Error> {
        let file = files::open(path)?;
        let key = Key::of(&file.metadata().map_err(error::io("read", path))?);
        let name = path.to_string_lossy();
        let found = source::find(&self.connection, &file, &name, key).map_err(sql("write", &self.path))?;
        let (Found::Going(source) | Found::Cut(source)) = found.map_err(error::io("read", path))?;
        if source.id.is_none() || source.offset == 0 {
            return Ok(0);
        }
        let mut kept = source.back_at(0, 0, &file).map_err(error::io("read", path))?;
        let gone = write::cut(&mut self.connection, &source, &mut kept).map_err(sql("write", &self.path))?;
        Ok(gone.unwrap_or(0))
    }

    /// Takes back what was read of `file` and is no longer there. Yields how many events these were.
    fn cut(&mut self, file: &File, path: &Path, source: Source) -> Result<u64, Error> {
        let (offset, lines) = matching(&self.connection, &self.path, file, path, &source)?;
        let mut kept = source.back_at(offset, lines, file).map_err(error::io("read", path))?;
        let gone = write::cut(&mut self.connection, &source, &mut kept).map_err(sql("write", &self.path))?;
        Ok(gone.unwrap_or(0))
    }
}
