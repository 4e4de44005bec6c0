//! Files beside the store: which lines are rows, and which rows are lines.

use std::fs;
use std::path::{Path, PathBuf};

use resonetics_runs::error::{self, Error};
use resonetics_runs::files;
use rusqlite::{Connection, OptionalExtension, params};

use super::compare::{Own, each_batch, hashed};
use super::ingest::Store;
use super::line;
use super::schema::sql;
use super::source::{self, Found, Key};
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

/// Whether the event that a line is is there, from whatever place.
fn is_elsewhere(connection: &Connection, too_long: bool, bytes: &[u8]) -> rusqlite::Result<bool> {
    let Ok(row) = line::parsed(too_long, bytes) else { return Ok(false) };
    let sql = "SELECT 1 FROM event WHERE run = ?1 AND loop_id = ?2 AND iter = ?3 AND type = ?4 AND hash = ?5";
    let mut found = connection.prepare_cached(sql)?;
    let kind = line::kind(row.event.event_type);
    let key = params![row.run(), row.event.trace.loop_id, row.iter, kind, row.hash];
    Ok(found.query_row(key, |_| Ok(())).optional()?.is_some())
}
