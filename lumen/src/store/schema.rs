//! The tables, and how a store is opened.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use resonetics_runs::error::{self, Error};
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

/// The schema's version, in `user_version`. A store of a later one is refused.
pub const VERSION: i64 = 1;

/// `application_id`: "LUMN". Tells a store from other databases.
pub(crate) const APPLICATION: i64 = 0x4c55_4d4e;

/// How long one who writes waits for another.
const PATIENCE: Duration = Duration::from_secs(30);

/// A `run` here is the part of `entity_id` before its first `/`. Columns of unique keys are NOT NULL, for two NULLs are
/// never equal. `event.json` is the line without its end. A level is an event's, so that both come and go together:
/// `level` is a view.
const TABLES: &str = r#"
CREATE TABLE run (
  name TEXT NOT NULL PRIMARY KEY,
  events_total INTEGER NOT NULL,
  rollback_total INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
  id INTEGER PRIMARY KEY,
  run TEXT NOT NULL,
  loop_id TEXT NOT NULL,
  iter INTEGER NOT NULL,
  type TEXT NOT NULL,
  hash BLOB NOT NULL,
  ts_ms INTEGER NOT NULL,
  entity TEXT NOT NULL,
  clock INTEGER NOT NULL,
  "group" TEXT NOT NULL,
  phase REAL,
  residual REAL,
  residual_p95 REAL,
  entropy_rate REAL,
  creative REAL,
  risk TEXT NOT NULL,
  risk_band REAL,
  harmony REAL,
  coherence REAL,
  level_residual TEXT,
  level_ratio TEXT,
  level_final TEXT,
  reason TEXT,
  slot INTEGER NOT NULL,
  op TEXT NOT NULL,
  key TEXT NOT NULL,
  value_hash TEXT NOT NULL,
  source INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  json TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX event_once ON event (run, loop_id, iter, type, hash);
CREATE INDEX event_run_time ON event (run, ts_ms);
CREATE INDEX event_time ON event (ts_ms);
CREATE INDEX event_place ON event (source, offset);
CREATE INDEX event_key ON event (key) WHERE key NOT LIKE 'window:%';

CREATE TABLE memory (
  run TEXT NOT NULL,
  slot INTEGER NOT NULL,
  key TEXT NOT NULL,
  value_hash TEXT NOT NULL,
  op TEXT NOT NULL,
  clock INTEGER NOT NULL,
  PRIMARY KEY (run, slot)
) STRICT, WITHOUT ROWID;

CREATE TABLE source (
  id INTEGER PRIMARY KEY,
  path TEXT NOT NULL,
  device INTEGER NOT NULL,
  inode INTEGER NOT NULL,
  current INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  lines INTEGER NOT NULL,
  known INTEGER NOT NULL,
  head BLOB NOT NULL,
  head_bytes INTEGER NOT NULL,
  first BLOB NOT NULL,
  first_bytes INTEGER NOT NULL,
  tail BLOB NOT NULL,
  tail_bytes INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX source_file ON source (device, inode) WHERE current = 1;
CREATE INDEX source_path ON source (path);

CREATE TABLE refused (
  source INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  line INTEGER NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (source, offset)
) STRICT, WITHOUT ROWID;

CREATE VIEW level AS
  SELECT id, run, entity, loop_id, iter, clock, ts_ms,
         level_residual AS residual, level_ratio AS ratio, level_final AS final
  FROM event
  WHERE level_residual IS NOT NULL OR level_ratio IS NOT NULL OR level_final IS NOT NULL;

CREATE VIEW rmb AS
  SELECT strftime('%Y-%m-%dT%H:%M:%S', ts_ms / 1000, 'unixepoch') || printf('.%03dZ', ts_ms % 1000) AS ts,
         entity AS entity_id, residual, phase, risk
  FROM event WHERE type = 'observe';

CREATE VIEW ure AS
  SELECT strftime('%Y-%m-%dT%H:%M:%S', ts_ms / 1000, 'unixepoch') || printf('.%03dZ', ts_ms % 1000) AS ts,
         residual, harmony, coherence, 'NONE' AS action
  FROM event WHERE type = 'observe';
"#;

/// Opens the store at `path` for writing; makes it if nothing is there.
pub(super) fn open_to_write(path: &Path) -> Result<Connection, Error> {
    let failed = |error| sql("open", path)(error);
    let mut connection = Connection::open(path).map_err(failed)?;
    connection.busy_timeout(PATIENCE).map_err(failed)?;
    let version = version(&connection, path)?;
    if version == 0 {
        // Bytes; of use before there is anything in the file. Measured: a fifth less work than with SQLite's 4,096.
        connection.pragma_update(None, "page_size", 16_384).map_err(failed)?;
    }
    // Kept in the file. It asks for the whole file, which another one that begins may have: it does not wait, so we do.
    let wal = || connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0));
    let mut tries = 0;
    while let Err(error) = wal() {
        tries += 1;
        if error.sqlite_error_code() != Some(ErrorCode::DatabaseBusy) || tries > 300 {
            return Err(failed(error));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    // A kill loses nothing; a power cut may lose the last batches whole, which are then read again.
    connection.pragma_update(None, "synchronous", "NORMAL").map_err(failed)?;
    connection.pragma_update(None, "cache_size", -65_536).map_err(failed)?;
    // Pages, 64 MiB: a batch has some hundreds, and each checkpoint waits for the disk.
    connection.pragma_update(None, "wal_autocheckpoint", 4_096).map_err(failed)?;
    if version == 0 {
        create(&mut connection, path)?;
    }
    Ok(connection)
}

/// Opens the store at `path`, which must be there, to be asked only. It is not opened read-only for `SQLite`: the last
/// one to close it has to be able to tidy up.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, Error> {
    let failed = |error| sql("open", path)(error);
    if let Err(error) = std::fs::metadata(path) {
        return Err(error::io("open", path)(error));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(PATIENCE).map_err(failed)?;
    connection.pragma_update(None, "query_only", true).map_err(failed)?;
    if version(&connection, path)? == 0 {
        return Err(foreign(path));
    }
    Ok(connection)
}

/// The version of the store's schema; 0 for a database with nothing in it.
fn version(connection: &Connection, path: &Path) -> Result<i64, Error> {
    let ask = |pragma: &str| {
        connection.query_row(pragma, [], |row| row.get::<_, i64>(0)).map_err(sql("read", path))
    };
    let version = ask("PRAGMA user_version")?;
    let empty = ask("SELECT count(*) FROM sqlite_schema")? == 0;
    match (version, ask("PRAGMA application_id")?) {
        (0, 0) if empty => Ok(0),
        (1..=VERSION, APPLICATION) => Ok(version),
        (_, APPLICATION) => Err(Error::Refused(format!(
            "cannot use {}: its schema has version {version}, this program knows {VERSION} at most; use a newer one",
            path.display()
        ))),
        _ => Err(foreign(path)),
    }
}

fn foreign(path: &Path) -> Error {
    Error::Refused(format!(
        "cannot use {}: it is a database, but no store of events; check the path",
        path.display()
    ))
}

/// Makes the tables, unless another process just did.
fn create(connection: &mut Connection, path: &Path) -> Result<(), Error> {
    let failed = |error| sql("create", path)(error);
    let work = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    if version(&work, path)? == 0 {
        work.execute_batch(TABLES).map_err(failed)?;
        work.pragma_update(None, "application_id", APPLICATION).map_err(failed)?;
        work.pragma_update(None, "user_version", VERSION).map_err(failed)?;
    }
    work.commit().map_err(failed)
}

/// Turns an error of `SQLite` at doing `what` to the store at `path` into one that names both.
pub(super) fn sql(what: &str, path: &Path) -> impl FnOnce(rusqlite::Error) -> Error {
    move |source| {
        let system = |kind: ErrorKind| error::io(what, path)(kind.into());
        let path = path.display();
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => system(ErrorKind::StorageFull),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => system(ErrorKind::PermissionDenied),
            Some(ErrorCode::NotADatabase) => {
                Error::Refused(format!("cannot {what} {path}: it is no SQLite database; check the path"))
            }
            Some(ErrorCode::CannotOpen) => {
                Error::Refused(format!("cannot {what} {path}: {source}; check the path and its folder"))
            }
            Some(ErrorCode::DatabaseBusy) => Error::Failed(format!(
                "cannot {what} {path}: another process kept it for {} s; run it again",
                PATIENCE.as_secs()
            )),
            _ => Error::Failed(format!("cannot {what} {path}: {source}")),
        }
    }
}
