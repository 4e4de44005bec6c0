//! Which file is which, and how far it was read.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};

use rusqlite::{Connection, OptionalExtension, Row, params};
use sha2::{Digest, Sha256};

use super::lines::{Lines, PRINT};

/// A file on its device.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    device: i64,
    inode: i64,
}

impl Key {
    pub(super) fn of(metadata: &Metadata) -> Self {
        // SQLite has no unsigned numbers; as a name the same bits will do.
        Self { device: metadata.dev().cast_signed(), inode: metadata.ino().cast_signed() }
    }
}

/// The hash of some bytes, and how many.
#[derive(Clone, PartialEq)]
struct Print {
    hash: Vec<u8>,
    bytes: usize,
}

impl Print {
    fn of(bytes: &[u8]) -> Self {
        Self { hash: Sha256::digest(bytes).to_vec(), bytes: bytes.len() }
    }
}

/// A file as far as it was read.
#[derive(Clone)]
pub(super) struct Source {
    /// Of its row; None for a file that has none yet.
    pub(super) id: Option<i64>,
    pub(super) path: String,
    pub(super) key: Key,
    /// Bytes that were read: whole lines.
    pub(super) offset: u64,
    /// How many.
    pub(super) lines: u64,
    /// Of its first bytes, [`PRINT`] once there are as many.
    head: Print,
    /// Of its first line, or of its first [`PRINT`] bytes.
    first: Print,
    /// Of the bytes before the offset.
    tail: Print,
    /// These bytes.
    last: Vec<u8>,
    /// The row that had this device and inode before, of a file that is gone.
    replaces: Option<i64>,
}

/// What a file turns out to be.
pub(super) enum Found {
    /// One that is read on from its offset.
    Going(Source),
    /// One of which bytes that were read are gone.
    Cut(Source),
}

/// How a file and a row go together.
enum Same {
    /// The bytes before the offset.
    Going(Vec<u8>),
    Cut,
    Other,
}

impl Source {
    fn new(path: &str, key: Key, replaces: Option<i64>) -> Self {
        let none = Print::of(&[]);
        Self {
            id: None,
            path: path.to_owned(),
            key,
            offset: 0,
            lines: 0,
            head: none.clone(),
            first: none.clone(),
            tail: none,
            last: Vec::new(),
            replaces,
        }
    }

    /// The hash of no bytes, which is what is before the offset 0.
    pub(super) fn no_tail() -> Vec<u8> {
        Print::of(&[]).hash
    }

    /// The same after `lines` have been read as well.
    pub(super) fn after(&self, lines: &Lines, file: &File) -> io::Result<Self> {
        let last = lines.tail(&self.last);
        let mut next = Self {
            offset: lines.end,
            lines: self.lines + lines.len() as u64,
            tail: Print::of(&last),
            last,
            ..self.clone()
        };
        if self.head.bytes < PRINT {
            next.begin(file)?;
        }
        Ok(next)
    }

    /// The same, read up to `offset` only, which are `lines` lines.
    pub(super) fn back_at(&self, offset: u64, lines: u64, file: &File) -> io::Result<Self> {
        let count = offset.min(PRINT as u64);
        let last = exactly(file, offset - count, count as usize)?.unwrap_or_default();
        let mut next = Self { offset, lines, tail: Print::of(&last), last, ..self.clone() };
        if offset == 0 {
            next.head = next.first.clone();
        } else {
            next.begin(file)?;
        }
        Ok(next)
    }

    /// Takes the prints of the file's beginning.
    fn begin(&mut self, file: &File) -> io::Result<()> {
        let head = exactly(file, 0, self.offset.min(PRINT as u64) as usize)?.unwrap_or_default();
        let line = head.iter().position(|&byte| byte == b'\n').map_or(head.len(), |end| end + 1);
        self.first = Print::of(&head[..line]);
        self.head = Print::of(&head);
        Ok(())
    }

    /// Whether the bytes before the offset are still those that were read.
    pub(super) fn is_intact(&self, file: &File) -> io::Result<bool> {
        let start = self.offset - self.last.len() as u64;
        Ok(exactly(file, start, self.last.len())?.is_some_and(|bytes| bytes == self.last))
    }

    /// Whether the store still has this source as it is here; None for a row that is of another.
    pub(super) fn is_current(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let sql = "SELECT id, offset, tail FROM source WHERE current = 1 AND (id = ?1 OR (device = ?2 AND inode = ?3))";
        let mut found = connection.prepare_cached(sql)?;
        let rows = found.query_map(params![self.id, self.key.device, self.key.inode], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, Vec<u8>>(2)?))
        })?;
        let (mut own, mut others) = (self.id.is_none(), true);
        for row in rows {
            let (id, offset, tail) = row?;
            if Some(id) == self.id {
                own = offset == self.offset.cast_signed() && tail == self.tail.hash;
            } else {
                others &= Some(id) == self.replaces;
            }
        }
        Ok(own && others)
    }

    /// Writes this as it is. `known`: how many of its lines, in addition, other places had told already.
    pub(super) fn write(&mut self, connection: &Connection, known: u64) -> rusqlite::Result<i64> {
        if let Some(replaced) = self.replaces.take() {
            connection.prepare_cached("UPDATE source SET current = 0 WHERE id = ?1")?.execute([replaced])?;
        }
        let sql = "INSERT INTO source (id, path, device, inode, current, offset, lines, known,
                                       head, head_bytes, first, first_bytes, tail, tail_bytes)
                   VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
                   ON CONFLICT (id) DO UPDATE SET
                     path = excluded.path, device = excluded.device, inode = excluded.inode,
                     offset = excluded.offset, lines = excluded.lines, known = known + excluded.known,
                     head = excluded.head, head_bytes = excluded.head_bytes,
                     first = excluded.first, first_bytes = excluded.first_bytes,
                     tail = excluded.tail, tail_bytes = excluded.tail_bytes";
        connection.prepare_cached(sql)?.execute(params![
            self.id,
            self.path,
            self.key.device,
            self.key.inode,
            self.offset.cast_signed(),
            self.lines.cast_signed(),
            known.cast_signed(),
            self.head.hash,
            self.head.bytes as i64,
            self.first.hash,
            self.first.bytes as i64,
            self.tail.hash,
            self.tail.bytes as i64,
        ])?;
        let id = self.id.unwrap_or_else(|| connection.last_insert_rowid());
        self.id = Some(id);
        Ok(id)
    }

    fn compare(&self, file: &File) -> io::Result<Same> {
        let print = |print: &Print| -> io::Result<bool> {
            Ok(exactly(file, 0, print.bytes)?.is_some_and(|bytes| Print::of(&bytes) == *print))
        };
        if !print(&self.head)? {
            return Ok(if print(&self.first)? { Same::Cut } else { Same::Other });
        }
        let start = self.offset.saturating_sub(self.tail.bytes as u64);
        let last = exactly(file, start, self.tail.bytes)?;
        Ok(last.filter(|last| Print::of(last) == self.tail).map_or(Same::Cut, Same::Going))
    }
}

/// What `file`, which is at `path`, is to the store.
///
/// # Errors
/// Of the store, or of the file.
pub(super) fn find(
    connection: &Connection,
    file: &File,
    path: &str,
    key: Key,
) -> rusqlite::Result<io::Result<Found>> {
    let mut replaces = None;
    for candidate in candidates(connection, path, key)? {
        let by_key = candidate.key == key;
        let same = match candidate.compare(file) {
            Ok(same) => same,
            Err(error) => return Ok(Err(error)),
        };
        let found = |last| Source { path: path.to_owned(), key, last, replaces, ..candidate.clone() };
        match same {
            Same::Going(last) => {
                let mut found = found(last);
                if candidate.path != path || !by_key {
                    found.write(connection, 0)?;
                }
                return Ok(Ok(Found::Going(found)));
            }
            Same::Cut => return Ok(Ok(Found::Cut(found(Vec::new())))),
            Same::Other if by_key => replaces = candidate.id,
            Same::Other => {}
        }
    }
    Ok(Ok(Found::Going(Source::new(path, key, replaces))))
}

/// The row of this device and inode, and then those of this path: a file that was copied, or restored, or whose device
/// has got another number.
fn candidates(connection: &Connection, path: &str, key: Key) -> rusqlite::Result<Vec<Source>> {
    const COLUMNS: &str =
        "SELECT id, path, device, inode, offset, lines, head, head_bytes, first, first_bytes, tail,
                                  tail_bytes FROM source WHERE current = 1";
    let mut by_key = connection.prepare_cached(&format!("{COLUMNS} AND device = ?1 AND inode = ?2"))?;
    let mut found: Vec<Source> =
        by_key.query_row([key.device, key.inode], read).optional()?.into_iter().collect();
    let others =
        format!("{COLUMNS} AND path = ?1 AND NOT (device = ?2 AND inode = ?3) ORDER BY id DESC LIMIT 8");
    let mut others = connection.prepare_cached(&others)?;
    for source in others.query_map(params![path, key.device, key.inode], read)? {
        found.push(source?);
    }
    Ok(found)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Source> {
    let print = |at: usize| -> rusqlite::Result<Print> {
        // What somebody else has written there is read as too much, which no file has.
        let bytes = usize::try_from(row.get::<_, i64>(at + 1)?).unwrap_or(PRINT).min(PRINT);
        Ok(Print { hash: row.get(at)?, bytes })
    };
    Ok(Source {
        id: Some(row.get(0)?),
        path: row.get(1)?,
        key: Key { device: row.get(2)?, inode: row.get(3)? },
        offset: row.get::<_, i64>(4)?.cast_unsigned(),
        lines: row.get::<_, i64>(5)?.cast_unsigned(),
        head: print(6)?,
        first: print(8)?,
        tail: print(10)?,
        last: Vec::new(),
        replaces: None,
    })
}

/// `count` bytes of `file` from `offset` on; None where it has fewer.
fn exactly(file: &File, offset: u64, count: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = vec![0; count];
    match file.read_exact_at(&mut bytes, offset) {
        Ok(()) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}
