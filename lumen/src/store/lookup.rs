//! What the store knows of runs and of keys of their memory.

use resonetics_runs::error::Error;
use rusqlite::types::Value;
use serde::Serialize;

use super::read::Reader;

/// What came of a run, ever: these sums never go down, whatever is cut back or played again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// The run.
    pub run: String,
    /// Its events.
    pub events_total: u64,
    /// Its rollbacks among them.
    pub rollback_total: u64,
}

/// What an event said of a key last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemoryRow {
    /// The run.
    pub run: String,
    /// `RUN/SOURCE` or `RUN/SOURCE/LANE`.
    pub entity_id: String,
    /// Below 32.
    pub slot: u8,
    /// The key.
    pub key: String,
    /// SHA-256 of what it holds.
    pub value_hash: String,
    /// UPSERT or DELETE.
    pub op: String,
    /// The run's own clock then.
    pub clock: i64,
    /// Whether another key has got its slot since.
    pub superseded: bool,
    /// The log that said so.
    pub path: String,
    /// Its line.
    pub json: String,
}

impl Reader {
    /// The sums of each run, by its name.
    ///
    /// # Errors
    /// What the store says; so everywhere here.
    pub fn totals(&self) -> Result<Vec<Totals>, Error> {
        self.rows("SELECT name, events_total, rollback_total FROM run ORDER BY name", [], |row| {
            Ok(Totals {
                run: row.get(0)?,
                events_total: row.get::<_, i64>(1)?.cast_unsigned(),
                rollback_total: row.get::<_, i64>(2)?.cast_unsigned(),
            })
        })
    }

    /// How many events, and how many rollbacks among them, a run has in a time: milliseconds since 1970, `from`
    /// excluded, `to` included.
    ///
    /// # Errors
    /// As [`Reader::totals`].
    pub fn count(&self, run: &str, from: i64, to: i64) -> Result<(u64, u64), Error> {
        let text = "SELECT count(*), count(*) FILTER (WHERE type = 'rollback') FROM event
                    WHERE run = ? AND ts_ms > ? AND ts_ms <= ?";
        let values = [Value::from(run.to_owned()), Value::from(from), Value::from(to)];
        let rows = self.rows(text, values, |row| {
            Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned()))
        })?;
        Ok(rows.first().copied().unwrap_or_default())
    }

    /// What was said last of `key`, by each source of each run, or of the run `run`.
    ///
    /// # Errors
    /// As [`Reader::totals`].
    pub fn memory(&self, key: &str, run: Option<&str>) -> Result<Vec<MemoryRow>, Error> {
        let window = key.strip_prefix("window:");
        let iter = window.map(str::parse::<i64>);
        // A window's key names its row: there is no index of keys that each window has.
        let found = match iter {
            // The parameter is looked at after the statement was made: that the key is no window's has to be written.
            None => "event.key = ?1 AND event.key NOT LIKE 'window:%'",
            Some(Ok(_)) => {
                "event.run IN (SELECT name FROM run WHERE ?2 IS NULL OR name = ?2)
                 AND event.loop_id IN loops AND event.iter = ?3 AND event.key = ?1"
            }
            Some(Err(_)) => return Ok(Vec::new()),
        };
        let text = format!(
            "WITH RECURSIVE loop_of(run, loop_id) AS (
               SELECT name, (SELECT min(loop_id) FROM event WHERE run = name) FROM run
               UNION ALL
               SELECT run, (SELECT min(e.loop_id) FROM event AS e WHERE e.run = loop_of.run
                            AND e.loop_id > loop_of.loop_id)
               FROM loop_of WHERE loop_id IS NOT NULL),
             loops AS MATERIALIZED (SELECT DISTINCT loop_id FROM loop_of WHERE loop_id IS NOT NULL),
             said AS (
               SELECT run, entity, slot, key, value_hash, op, clock, source, json,
                      row_number() OVER (PARTITION BY entity ORDER BY clock DESC, id DESC) AS age
               FROM event WHERE {found} AND (?2 IS NULL OR event.run = ?2) AND ?3 IS ?3)
             SELECT said.run, said.entity, said.slot, said.key, said.value_hash, said.op, said.clock,
                    memory.key IS NOT said.key, source.path, said.json
             FROM said LEFT JOIN memory ON memory.run = said.run AND memory.slot = said.slot
             JOIN source ON source.id = said.source
             WHERE age = 1 ORDER BY said.run, said.entity"
        );
        let iter = iter.and_then(Result::ok);
        let values = [key.to_owned().into(), run.map(str::to_owned).into(), Value::from(iter)];
        self.rows(&text, values, |row| {
            Ok(MemoryRow {
                run: row.get(0)?,
                entity_id: row.get(1)?,
                slot: row.get(2)?,
                key: row.get(3)?,
                value_hash: row.get(4)?,
                op: row.get(5)?,
                clock: row.get(6)?,
                superseded: row.get(7)?,
                path: row.get(8)?,
                json: row.get(9)?,
            })
        })
    }
}
