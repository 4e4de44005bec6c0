//! A file beside what the store has of it.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::path::Path;

use resonetics_runs::error::{self, Error};
use resonetics_runs::interrupt;
use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};

use super::line;
use super::lines::Lines;
use super::schema::sql;
use super::source::Source;

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
pub(super) fn each_batch(
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
pub(super) struct Own {
    /// Hashes of lines.
    pub(super) events: HashMap<u64, Vec<u8>>,
    /// Offsets.
    pub(super) refused: HashSet<u64>,
}

impl Own {
    pub(super) fn of(
        connection: &Connection,
        source: &Source,
        start: u64,
        end: u64,
    ) -> rusqlite::Result<Self> {
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

pub(super) fn hashed(line: &[u8]) -> Vec<u8> {
    Sha256::digest(line::content(line)).to_vec()
}
