//! What a run said lately, read from its newest event back and no further than is asked for.

use std::collections::BTreeMap;

use resonetics_runs::error::Error;
use rusqlite::types::Value;

use super::lookup::Totals;
use super::read::Reader;
use super::schema::sql;

/// An event of a run, as [`Reader::recent`] hands it over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recent<'a> {
    /// Milliseconds since 1970.
    pub ts_ms: i64,
    /// `RUN/SOURCE` or `RUN/SOURCE/LANE`.
    pub entity: &'a str,
    /// Whether it is a window's.
    pub is_window: bool,
    /// The line of the log.
    pub json: &'a str,
}

impl Reader {
    /// Hands over the events of a run, the newest first, `most` of them at most, while `take` says so.
    ///
    /// # Errors
    /// What the store says; so everywhere here.
    pub fn recent(
        &self,
        run: &str,
        most: usize,
        mut take: impl FnMut(Recent<'_>) -> bool,
    ) -> Result<(), Error> {
        let mut read = || -> rusqlite::Result<()> {
            let mut statement = self.connection.prepare_cached(
                "SELECT ts_ms, entity, type = 'observe', json FROM event
                 WHERE run = ?1 ORDER BY ts_ms DESC, id DESC LIMIT ?2",
            )?;
            let mut rows = statement.query(rusqlite::params![run, most as i64])?;
            while let Some(row) = rows.next()? {
                let text = |at: usize| row.get_ref(at).and_then(|value| Ok(value.as_str()?));
                let event =
                    Recent { ts_ms: row.get(0)?, entity: text(1)?, is_window: row.get(2)?, json: text(3)? };
                if !take(event) {
                    break;
                }
            }
            Ok(())
        };
        read().map_err(sql("read", &self.path))
    }

    /// When the newest event of a run was made, in milliseconds since 1970.
    ///
    /// # Errors
    /// As [`Reader::recent`].
    pub fn last_event(&self, run: &str) -> Result<Option<i64>, Error> {
        let text = "SELECT max(ts_ms) FROM event WHERE run = ?";
        let found = self.rows(text, [Value::from(run.to_owned())], |row| row.get::<_, Option<i64>>(0))?;
        Ok(found.first().copied().flatten())
    }

    /// The last word of the gate of a run's whole source, such as `gate TRIPPED`; lanes, of which there are many, have gates of
    /// their own. None where it has not spoken.
    ///
    /// # Errors
    /// As [`Reader::recent`].
    pub fn gate(&self, run: &str) -> Result<Option<String>, Error> {
        // By the index of keys that are no windows': there are few of these.
        let text = "SELECT reason FROM event WHERE key NOT LIKE 'window:%' AND key >= 'gate ' AND key < 'gate!'
                    AND run = ? AND entity NOT LIKE '%/%/%' AND reason IS NOT NULL ORDER BY ts_ms DESC, id DESC LIMIT 1";
        Ok(self.rows(text, [Value::from(run.to_owned())], |row| row.get(0))?.into_iter().next())
    }

    /// The runs with the newest events, the newest first, `most` at most.
    ///
    /// # Errors
    /// As [`Reader::recent`].
    pub fn newest_runs(&self, most: usize) -> Result<Vec<String>, Error> {
        let text = "SELECT name, (SELECT max(ts_ms) FROM event WHERE run = name) AS last FROM run
                    ORDER BY last DESC, name LIMIT ?";
        self.rows(text, [Value::from(most as i64)], |row| row.get(0))
    }

    /// The sums of one run; None where there is none of that name.
    ///
    /// # Errors
    /// As [`Reader::recent`].
    pub fn totals_of(&self, run: &str) -> Result<Option<Totals>, Error> {
        let text = "SELECT name, events_total, rollback_total FROM run WHERE name = ?";
        let found = self.rows(text, [Value::from(run.to_owned())], |row| {
            Ok(Totals {
                run: row.get(0)?,
                events_total: row.get::<_, i64>(1)?.cast_unsigned(),
                rollback_total: row.get::<_, i64>(2)?.cast_unsigned(),
            })
        })?;
        Ok(found.into_iter().next())
    }

    /// How many events had no room in the logs of all runs. Each process of a run says how many it were so far
    /// (`dropped:N`); where that falls, another one began.
    ///
    /// # Errors
    /// As [`Reader::recent`].
    pub fn dropped(&self) -> Result<u64, Error> {
        // Of keys that are no window's there is an index.
        let text = "SELECT run, substr(key, 9) FROM event
                    WHERE key NOT LIKE 'window:%' AND key >= 'dropped:' AND key < 'dropped;' AND reason = 'dropped'
                    ORDER BY run, ts_ms, id";
        let told = self.rows(text, [], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
        let mut of_runs: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for (run, count) in told {
            let Ok(count) = count.parse::<u64>() else { continue };
            let (ended, now) = of_runs.entry(run).or_default();
            if count < *now {
                *ended = ended.saturating_add(*now);
            }
            *now = count;
        }
        Ok(of_runs.values().map(|(ended, now)| ended.saturating_add(*now)).fold(0, u64::saturating_add))
    }
}
