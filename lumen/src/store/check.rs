//! Files beside the store: which lines are rows, and which rows are lines.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use resonetics_runs::error::{self, Error};
use resonetics_runs::{files, interrupt};
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::ingest::{Store, parsed};
use super::line;
use super::lines::Lines;
use super::schema::sql;
use super::source::{self, Found, Key, Source};
use super::walk;

/// What [`Store::check`] has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Each file.
    pub files: Vec<FileChecked>,
}

impl Checked {
    /// Whether the store says what the files say.
    pub fn is_good(&self) -> bool {
        self.files.iter().all(FileChecked::is_good)
    }
}

/// What there is of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileChecked {
    /// The file.
    pub path: PathBuf,
    /// Its whole lines.
    pub lines: u64,
    /// Of these: events of this file.
    pub rows: u64,
    /// Of these: events that are there already from another place.
    pub elsewhere: u64,
    /// Of these: noted as no event.
    pub refused: u64,
    /// Of these: not read yet.
    pub unread: u64,
    /// Of these: read, and neither an event of the store nor refused.
    pub missing: u64,
    /// Events of this file that it does not say.
    pub stale: u64,
}

impl FileChecked {
    /// Whether the store says what the file says.
    pub fn is_good(&self) -> bool {
        self.unread == 0 && self.missing == 0 && self.stale == 0
    }
}

impl Store {
    /// Compares each line of the files of `paths`, as [`Store::ingest`] finds them, with the store.
    ///
    /// # Errors
    /// [`Error::Interrupted`]; a file that cannot be read; what the store says.
    pub fn check(&mut self, paths: &[PathBuf]) -> Result<Checked, Error> {
        let mut checked = Checked::default();
        for path in walk::files(paths)? {
            checked.files.push(self.check_file(&path)?);
        }
        Ok(checked)
    }

    fn check_file(&mut self, path: &Path) -> Result<FileChecked, Error> {
        let file = files::open(path)?;
        let key = Key::of(&file.metadata().map_err(error::io("read", path))?);
        let name =
            fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf()).to_string_lossy().into_owned();
        let found = source::find(&self.connection, &file, &name, key).map_err(sql("read", &self.path))?;
        let (Found::Going(source) | Found::Cut(source)) = found.map_err(error::io("read", path))?;
        let store = &self.path;
        // All of it as the store is now, whoever goes on writing.
        let connection = self.connection.transaction().map_err(sql("read", store))?;
        let mut checked = FileChecked { path: path.to_path_buf(), ..FileChecked::default() };
        let mut end = 0;
        each_batch(&file, path, |lines, start| {
            let own = Own::of(&connection, &source, start, lines.end).map_err(sql("read", store))?;
            let mut rows = 0;
            for (line, bytes) in lines.iter() {
                checked.lines += 1;
                match own.events.get(&line.offset) {
                    Some(hash) if *hash == hashed(bytes) => rows += 1,
                    _ if own.refused.contains(&line.offset) => checked.refused += 1,
                    _ if line.offset >= source.offset => checked.unread += 1,
                    _ => {
                        let elsewhere = is_elsewhere(&connection, line.too_long, bytes);
                        let elsewhere = elsewhere.map_err(sql("read", store))?;
                        checked.elsewhere += u64::from(elsewhere);
                        checked.missing += u64::from(!elsewhere);
                    }
                }
            }
            checked.rows += rows;
            checked.stale += own.events.len() as u64 - rows;
            end = lines.end;
            Ok(true)
        })?;
        let sql_behind = "SELECT count(*) FROM event WHERE source = ?1 AND offset >= ?2";
        let behind = connection
            .query_row(sql_behind, params![source.id, end.cast_signed()], |row| row.get::<_, i64>(0));
        checked.stale += behind.map_err(sql("read", store))?.cast_unsigned();
        Ok(checked)
    }
}

/// How much of `file`, which is `source`, is what was read: the bytes, and lines, up to which all of its rows are lines
/// of it.
pub(super) fn matching(
    connection: &Connection,
    store: &Path,
    file: &File,
    path: &Path,
    source: &Source,
) -> Result<(u64, u64), Error> {
    let (mut number, mut good) = (0, (0, 0));
    each_batch(file, path, |lines, start| {
        let mut own = Own::of(connection, source, start, lines.end).map_err(sql("read", store))?;
        let ends = lines.iter().skip(1).map(|(line, _)| line.offset).chain([lines.end]);
        for ((line, bytes), end) in lines.iter().zip(ends) {
            if line.offset >= source.offset {
                return Ok(false);
            }
            number += 1;
            match own.events.remove(&line.offset) {
                Some(hash) if hash == hashed(bytes) => good = (end, number),
                Some(_) => return Ok(false),
                // Refused, or known from elsewhere: it is looked at again, unless a row that is right follows.
                None => {}
            }
        }
        // A row within what is a line now.
        Ok(own.events.is_empty())
    })?;
    Ok(good)
}

/// Hands over the whole lines of a file, many at a time and with the offset of the first, while `take` says so.
fn each_batch(
    file: &File,
    path: &Path,
    mut take: impl FnMut(&Lines, u64) -> Result<bool, Error>,
) -> Result<(), Error> {
    let mut bytes = BufReader::with_capacity(1 << 20, file);
    bytes.seek(SeekFrom::Start(0)).map_err(error::io("read", path))?;
    let mut lines = Lines::default();
    loop {
        interrupt::check()?;
        let start = lines.end;
        lines.read(&mut bytes, start).map_err(error::io("read", path))?;
        if lines.is_empty() || !take(&lines, start)? {
            return Ok(());
        }
    }
}

/// What a source has in a range of offsets.
struct Own {
    /// Hashes of lines.
    events: HashMap<u64, Vec<u8>>,
    refused: HashSet<u64>,
}

impl Own {
    fn of(connection: &Connection, source: &Source, start: u64, end: u64) -> rusqlite::Result<Self> {
        let range = params![source.id, start.cast_signed(), end.cast_signed()];
        let sql = "SELECT offset, hash FROM event WHERE source = ?1 AND offset >= ?2 AND offset < ?3";
        let mut events = connection.prepare_cached(sql)?;
        let events =
            events.query_map(range, |row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?)))?;
        let events = events.collect::<rusqlite::Result<_>>()?;
        let sql = "SELECT offset FROM refused WHERE source = ?1 AND offset >= ?2 AND offset < ?3";
        let mut refused = connection.prepare_cached(sql)?;
        let refused = refused.query_map(range, |row| Ok(row.get::<_, i64>(0)?.cast_unsigned()))?;
        Ok(Self { events, refused: refused.collect::<rusqlite::Result<_>>()? })
    }
}

fn hashed(line: &[u8]) -> Vec<u8> {
    Sha256::digest(line::content(line)).to_vec()
}

/// Whether the event that a line is is there, from whatever place.
fn is_elsewhere(connection: &Connection, too_long: bool, bytes: &[u8]) -> rusqlite::Result<bool> {
    let Ok(row) = parsed(too_long, bytes) else { return Ok(false) };
    let sql = "SELECT 1 FROM event WHERE run = ?1 AND loop_id = ?2 AND iter = ?3 AND type = ?4 AND hash = ?5";
    let mut found = connection.prepare_cached(sql)?;
    let kind = line::kind(row.event.event_type);
    let key = params![row.run(), row.event.trace.loop_id, row.iter, kind, row.hash];
    Ok(found.query_row(key, |_| Ok(())).optional()?.is_some())
}
