//! The store as it is asked: rows in the order of time, a page after the other.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

use resonetics_runs::error::Error;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};
use serde::Serialize;

use super::schema::{self, sql};

/// The most rows of a page.
pub const MOST_ROWS: usize = 10_000;

/// A store that can be asked and not written. Several may be open while others write.
pub struct Reader {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
}

/// Which rows are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Of one run; None: of all.
    pub run: Option<String>,
    /// Milliseconds since 1970, included.
    pub from: Option<i64>,
    /// Milliseconds since 1970, included.
    pub to: Option<i64>,
    /// At most so many, and at most [`MOST_ROWS`].
    pub limit: usize,
    /// The newest of them in place of the oldest; there is no page behind it then.
    pub newest: bool,
    /// Behind the page that gave it.
    pub cursor: Option<Cursor>,
}

/// Where a page ended. As text `MILLISECONDS.ID`; rows are in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    ts_ms: i64,
    id: i64,
}

impl Display for Cursor {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}.{}", self.ts_ms, self.id)
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parse = || {
            let (ts_ms, id) = text.split_once('.')?;
            Some(Self { ts_ms: ts_ms.parse().ok()?, id: id.parse().ok()? })
        };
        parse().ok_or_else(|| {
            Error::Refused(format!("{text:?} is no cursor; take the one that the last page gave"))
        })
    }
}

/// Some rows, and where to go on.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<R> {
    /// The oldest first.
    pub rows: Vec<R>,
    /// Where the next page begins; None if this is the last one.
    pub next: Option<Cursor>,
}

/// A window's residual. What is not known is null.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rmb {
    /// RFC 3339, UTC, to the millisecond.
    pub ts: String,
    /// `RUN/SOURCE` or `RUN/SOURCE/LANE`.
    pub entity_id: String,
    /// Nearness to the loss, in `[0, 1]`.
    pub residual: Option<f64>,
    /// In `[-pi, pi]`.
    pub phase: Option<f64>,
    /// SAFE, WATCH or RISK.
    pub risk: String,
}

/// A window's harmony and coherence, which gate nothing. What is not known is null.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ure {
    /// RFC 3339, UTC, to the millisecond.
    pub ts: String,
    /// `RUN/SOURCE` or `RUN/SOURCE/LANE`.
    pub entity_id: String,
    /// Nearness to the loss, in `[0, 1]`.
    pub residual: Option<f64>,
    /// In `[0, 1]`.
    pub harmony: Option<f64>,
    /// In `[0, 1]`.
    pub coherence: Option<f64>,
    /// What was done about it: NONE.
    pub action: String,
}

/// The levels after an event. What is not known is null.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LevelRow {
    /// RFC 3339, UTC, to the millisecond.
    pub ts: String,
    /// `RUN/SOURCE` or `RUN/SOURCE/LANE`.
    pub entity_id: String,
    /// `COMMAND.WORLD`.
    pub loop_id: String,
    /// The window's index.
    pub iter: i64,
    /// The run's own clock.
    pub clock: i64,
    /// CALM, TENSE or ALERT, by the residual.
    pub residual: Option<String>,
    /// By the share of rollbacks.
    pub ratio: Option<String>,
    /// The worse of the two.
    #[serde(rename = "final")]
    pub last: Option<String>,
}

/// A window in full. What is not known is null.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Window {
    /// RFC 3339, UTC, to the millisecond.
    pub ts: String,
    /// `RUN/SOURCE` or `RUN/SOURCE/LANE`.
    pub entity_id: String,
    /// The window's index.
    pub iter: i64,
    /// The run's own clock.
    pub clock: i64,
    /// As in [`crate::event::Signals`], and so on.
    pub residual: Option<f64>,
    /// Of several lanes: the 95th percentile.
    pub residual_p95: Option<f64>,
    /// In `[-pi, pi]`.
    pub phase: Option<f64>,
    /// In `[0, 1]`.
    pub entropy_rate: Option<f64>,
    /// In `[0, 1]`.
    pub creative: Option<f64>,
    /// SAFE, WATCH or RISK.
    pub risk: String,
    /// In `[0, 1]`.
    pub risk_band: Option<f64>,
    /// In `[0, 1]`.
    pub harmony: Option<f64>,
    /// In `[0, 1]`.
    pub coherence: Option<f64>,
    /// CALM, TENSE or ALERT.
    pub level: Option<String>,
}

/// What a table is asked for, and how a row is read. Columns 0 and 1 are `ts_ms` and `id`.
pub(super) struct Table<R> {
    pub(super) columns: &'static str,
    /// Which events are rows of it.
    pub(super) of: &'static str,
    pub(super) row: fn(&Row<'_>) -> rusqlite::Result<R>,
}

const OBSERVED: &str = "type = 'observe'";

const RMB: Table<Rmb> = Table {
    columns: "entity, residual, phase, risk",
    of: OBSERVED,
    row: |row| {
        Ok(Rmb {
            ts: time(row.get(0)?),
            entity_id: row.get(2)?,
            residual: row.get(3)?,
            phase: row.get(4)?,
            risk: row.get(5)?,
        })
    },
};

const URE: Table<Ure> = Table {
    columns: "entity, residual, harmony, coherence",
    of: OBSERVED,
    row: |row| {
        Ok(Ure {
            ts: time(row.get(0)?),
            entity_id: row.get(2)?,
            residual: row.get(3)?,
            harmony: row.get(4)?,
            coherence: row.get(5)?,
            action: "NONE".to_owned(),
        })
    },
};

const LEVELS: Table<LevelRow> = Table {
    columns: "entity, loop_id, iter, clock, level_residual, level_ratio, level_final",
    of: "(level_residual IS NOT NULL OR level_ratio IS NOT NULL OR level_final IS NOT NULL)",
    row: |row| {
        Ok(LevelRow {
            ts: time(row.get(0)?),
            entity_id: row.get(2)?,
            loop_id: row.get(3)?,
            iter: row.get(4)?,
            clock: row.get(5)?,
            residual: row.get(6)?,
            ratio: row.get(7)?,
            last: row.get(8)?,
        })
    },
};

const WINDOWS: Table<Window> = Table {
    columns:
        "entity, iter, clock, residual, residual_p95, phase, entropy_rate, creative, risk, risk_band, harmony,
              coherence, level_final",
    of: OBSERVED,
    row: |row| {
        Ok(Window {
            ts: time(row.get(0)?),
            entity_id: row.get(2)?,
            iter: row.get(3)?,
            clock: row.get(4)?,
            residual: row.get(5)?,
            residual_p95: row.get(6)?,
            phase: row.get(7)?,
            entropy_rate: row.get(8)?,
            creative: row.get(9)?,
            risk: row.get(10)?,
            risk_band: row.get(11)?,
            harmony: row.get(12)?,
            coherence: row.get(13)?,
            level: row.get(14)?,
        })
    },
};

impl Reader {
    /// Opens the store at `path`, which must be there.
    ///
    /// # Errors
    /// [`Error::Refused`] for what is no store or one of a later version; what the system says.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self { connection: schema::open_to_read(path)?, path: path.to_path_buf() })
    }

    /// The latest window's residual, of a run or of all.
    ///
    /// # Errors
    /// What the store says; so everywhere here.
    pub fn last_rmb(&self, run: Option<&str>) -> Result<Option<Rmb>, Error> {
        Ok(self.latest(&RMB, run, 1)?.pop())
    }

    /// The latest window's harmony and coherence, of a run or of all.
    ///
    /// # Errors
    /// As [`Reader::last_rmb`].
    pub fn last_ure(&self, run: Option<&str>) -> Result<Option<Ure>, Error> {
        Ok(self.latest(&URE, run, 1)?.pop())
    }

    /// Residuals of windows.
    ///
    /// # Errors
    /// As [`Reader::last_rmb`].
    pub fn rmb(&self, query: &Query) -> Result<Page<Rmb>, Error> {
        self.page(&RMB, query)
    }

    /// Harmony and coherence of windows.
    ///
    /// # Errors
    /// As [`Reader::last_rmb`].
    pub fn ure(&self, query: &Query) -> Result<Page<Ure>, Error> {
        self.page(&URE, query)
    }

    /// Levels.
    ///
    /// # Errors
    /// As [`Reader::last_rmb`].
    pub fn levels(&self, query: &Query) -> Result<Page<LevelRow>, Error> {
        self.page(&LEVELS, query)
    }

    /// Windows in full.
    ///
    /// # Errors
    /// As [`Reader::last_rmb`].
    pub fn windows(&self, query: &Query) -> Result<Page<Window>, Error> {
        self.page(&WINDOWS, query)
    }

    /// The latest windows, of a run or of all, `last` at most and [`MOST_ROWS`] at most, the oldest first.
    ///
    /// # Errors
    /// As [`Reader::last_rmb`].
    pub fn metrics(&self, run: Option<&str>, last: usize) -> Result<Vec<Window>, Error> {
        let mut rows = self.latest(&WINDOWS, run, last)?;
        rows.reverse();
        Ok(rows)
    }

    /// The latest rows, the latest first.
    fn latest<R>(&self, table: &Table<R>, run: Option<&str>, limit: usize) -> Result<Vec<R>, Error> {
        let of_run = if run.is_some() { "run = ? AND " } else { "" };
        let Table { columns, of, .. } = table;
        let text = format!(
            "SELECT ts_ms, id, {columns} FROM event WHERE {of_run}{of} ORDER BY ts_ms DESC, id DESC LIMIT ?"
        );
        let values = run.map(|run| Value::from(run.to_owned())).into_iter();
        let values = values.chain([Value::from(limit.min(MOST_ROWS) as i64)]);
        self.rows(&text, values, table.row)
    }

    fn page<R>(&self, table: &Table<R>, query: &Query) -> Result<Page<R>, Error> {
        let limit = query.limit.clamp(1, MOST_ROWS);
        let (text, mut values) = asked(table.columns, table.of, query);
        // One more says whether there is a next page.
        values.push(Value::from(limit as i64 + 1));
        let mut rows = self.rows(&text, values, |row| {
            Ok((Cursor { ts_ms: row.get(0)?, id: row.get(1)? }, (table.row)(row)?))
        })?;
        let more = rows.len() > limit && !query.newest;
        rows.truncate(limit);
        if query.newest {
            rows.reverse();
        }
        let next = rows.last().filter(|_| more).map(|(cursor, _)| *cursor);
        Ok(Page { rows: rows.into_iter().map(|(_, row)| row).collect(), next })
    }

    pub(super) fn rows<R>(
        &self,
        text: &str,
        values: impl IntoIterator<Item = Value>,
        row: impl FnMut(&Row<'_>) -> rusqlite::Result<R>,
    ) -> Result<Vec<R>, Error> {
        let rows = || -> rusqlite::Result<Vec<R>> {
            let mut statement = self.connection.prepare_cached(text)?;
            statement.query_map(params_from_iter(values), row)?.collect()
        };
        rows().map_err(sql("read", &self.path))
    }
}

/// The statement of a page, and its values but for the limit. Rows come from an index in its order.
pub(super) fn asked(columns: &str, of: &str, query: &Query) -> (String, Vec<Value>) {
    let mut values = Vec::new();
    let mut text = format!("SELECT ts_ms, id, {columns} FROM event WHERE {of}");
    let mut and = |condition: &str, value: Vec<Value>| {
        text += " AND ";
        text += condition;
        values.extend(value);
    };
    if let Some(run) = &query.run {
        and("run = ?", vec![Value::from(run.clone())]);
    }
    if let Some(from) = query.from {
        and("ts_ms >= ?", vec![Value::from(from)]);
    }
    if let Some(to) = query.to {
        and("ts_ms <= ?", vec![Value::from(to)]);
    }
    if let Some(Cursor { ts_ms, id }) = query.cursor {
        and("(ts_ms, id) > (?, ?)", vec![Value::from(ts_ms), Value::from(id)]);
    }
    text +=
        if query.newest { " ORDER BY ts_ms DESC, id DESC LIMIT ?" } else { " ORDER BY ts_ms, id LIMIT ?" };
    (text, values)
}

/// RFC 3339, UTC, to the millisecond.
pub(crate) fn time(ts_ms: i64) -> String {
    // None is below 1970: `line` refuses it.
    let since = Duration::from_millis(ts_ms.max(0).cast_unsigned());
    humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    /// A store, and a reader of it.
    fn opened() -> (tempfile::TempDir, Reader) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lumen.db");
        drop(Store::open(&path).unwrap());
        let reader = Reader::open(&path).unwrap();
        (dir, reader)
    }

    #[test]
    fn a_reader_cannot_write() {
        let (_dir, reader) = opened();
        let error = reader.connection.execute("DELETE FROM event", []).unwrap_err();
        assert_eq!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::ReadOnly));
    }

    /// Rows come from an index in the order of the page: nothing is sorted, nothing is looked through.
    #[test]
    fn pages_come_from_indexes() {
        let (_dir, reader) = opened();
        let cursor = Some(Cursor { ts_ms: 3, id: 4 });
        for run in [None, Some("r".to_owned())] {
            for (from, cursor) in [(None, None), (Some(1), None), (None, cursor), (Some(1), cursor)] {
                for (of, newest) in [(OBSERVED, false), (LEVELS.of, false), (LEVELS.of, true)] {
                    let query = Query { run: run.clone(), from, to: Some(9), limit: 5, newest, cursor };
                    let (text, mut values) = asked("entity", of, &query);
                    values.push(Value::from(6));
                    let plan: Vec<String> =
                        reader.rows(&format!("EXPLAIN QUERY PLAN {text}"), values, |row| row.get(3)).unwrap();
                    let index =
                        if run.is_some() { "event_run_time (run=? AND ts_ms" } else { "event_time (ts_ms" };
                    let is_good = plan.len() == 1 && plan[0].starts_with("SEARCH event USING INDEX");
                    assert!(is_good && plan[0].contains(index), "{plan:?}");
                }
            }
        }
    }
}
