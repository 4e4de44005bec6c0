//! Lines into rows, many in one transaction.

use std::collections::HashMap;

use rusqlite::{CachedStatement, Connection, Transaction, TransactionBehavior, params};

use super::line::{self, Row};
use super::lines::Lines;
use super::source::Source;
use crate::event::Kind;

/// What became of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) new: u64,
    pub(super) known: u64,
    pub(super) refused: u64,
}

/// Writes what `lines` are, `rows`, and that `before` is read up to where `after` says. None if somebody else has
/// read this file in the meantime: nothing is written then.
pub(super) fn batch(
    connection: &mut Connection,
    before: &Source,
    after: &mut Source,
    lines: &Lines,
    rows: &[Result<Row<'_>, String>],
) -> rusqlite::Result<Option<Counts>> {
    // A transaction that reads first and then wants to write fails at once where another one has written.
    let work = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if !before.is_current(&work)? {
        return Ok(None);
    }
    let id = after.write(&work, 0)?;
    let mut counts = Counts::default();
    let mut elsewhere = 0;
    let mut added = Added::default();
    {
        let mut insert = work.prepare_cached(INSERT)?;
        for (number, ((line, _), row)) in (before.lines + 1..).zip(lines.iter().zip(rows)) {
            match row {
                Ok(row) if insert_row(&mut insert, row, id, line.offset)? => {
                    counts.new += 1;
                    added.take(row);
                }
                Ok(row) => {
                    counts.known += 1;
                    elsewhere += u64::from(is_elsewhere(&work, row, id, line.offset)?);
                }
                Err(reason) if refuse(&work, id, line.offset, number, reason)? => counts.refused += 1,
                Err(_) => counts.known += 1,
            }
        }
    }
    added.write(&work)?;
    if elsewhere > 0 {
        after.write(&work, elsewhere)?;
    }
    work.commit()?;
    Ok(Some(counts))
}

const INSERT: &str = r#"
INSERT INTO event (run, loop_id, iter, type, hash, ts_ms, entity, clock, "group", phase, residual, residual_p95,
                   entropy_rate, creative, risk, risk_band, harmony, coherence, level_residual, level_ratio,
                   level_final, reason, slot, op, key, value_hash, source, offset, json)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24,
        ?25, ?26, ?27, ?28, ?29)
ON CONFLICT (run, loop_id, iter, type, hash) DO NOTHING"#;

/// Whether the row was not there yet.
fn insert_row(
    insert: &mut CachedStatement<'_>,
    row: &Row<'_>,
    source: i64,
    offset: u64,
) -> rusqlite::Result<bool> {
    let event = &row.event;
    let signals = event.signals.unwrap_or_default();
    let levels = event.levels.unwrap_or_default();
    let added = insert.execute(params![
        row.run(),
        event.trace.loop_id,
        row.iter,
        line::kind(event.event_type),
        row.hash,
        row.ts_ms,
        event.entity_id,
        row.clock,
        line::group(event.group),
        row.phase(),
        row.residual(),
        signals.residual_p95,
        signals.entropy_rate,
        signals.creative_band,
        line::risk(event.resonance_v3.risk_band),
        signals.risk_band,
        signals.harmony_index,
        signals.coherence_level,
        levels.residual.map(line::level),
        levels.rollback_ratio.map(line::level),
        levels.last.map(line::level),
        event.reason,
        row.slot,
        line::op(event.memory_bridge.op),
        event.memory_bridge.key,
        event.memory_bridge.value_hash,
        source,
        offset.cast_signed(),
        row.json,
    ])?;
    Ok(added > 0)
}

/// Whether the row of an event is there from another place than this.
fn is_elsewhere(work: &Transaction<'_>, row: &Row<'_>, source: i64, offset: u64) -> rusqlite::Result<bool> {
    let sql = "SELECT source = ?6 AND offset = ?7 FROM event
               WHERE run = ?1 AND loop_id = ?2 AND iter = ?3 AND type = ?4 AND hash = ?5";
    let kind = line::kind(row.event.event_type);
    let values =
        params![row.run(), row.event.trace.loop_id, row.iter, kind, row.hash, source, offset.cast_signed()];
    Ok(!work.prepare_cached(sql)?.query_row(values, |row| row.get::<_, bool>(0))?)
}

/// Notes a line that is no event; whether it was not noted yet. It may be read again after a cut elsewhere.
fn refuse(
    work: &Transaction<'_>,
    source: i64,
    offset: u64,
    line: u64,
    reason: &str,
) -> rusqlite::Result<bool> {
    let sql = "INSERT INTO refused (source, offset, line, reason) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (source, offset) DO NOTHING";
    let values = params![source, offset.cast_signed(), line.cast_signed(), reason];
    Ok(work.prepare_cached(sql)?.execute(values)? > 0)
}

/// What new events change beside their own rows.
#[derive(Default)]
struct Added<'r> {
    /// Events and rollbacks of each run.
    totals: HashMap<&'r str, (i64, i64)>,
    /// The last event of each slot, by the run's own clock.
    slots: HashMap<(&'r str, u8), &'r Row<'r>>,
}

impl<'r> Added<'r> {
    fn take(&mut self, row: &'r Row<'r>) {
        let totals = self.totals.entry(row.run()).or_default();
        totals.0 += 1;
        totals.1 += i64::from(row.event.event_type == Kind::Rollback);
        let last = self.slots.entry((row.run(), row.slot)).or_insert(row);
        if row.clock >= last.clock {
            *last = row;
        }
    }

    fn write(&self, work: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut totals = work.prepare_cached(
            "INSERT INTO run (name, events_total, rollback_total) VALUES (?1, ?2, ?3)
             ON CONFLICT (name) DO UPDATE SET events_total = events_total + excluded.events_total,
                                              rollback_total = rollback_total + excluded.rollback_total",
        )?;
        for (run, (events, rollbacks)) in &self.totals {
            totals.execute(params![run, events, rollbacks])?;
        }
        // Parts of a log may come in any order.
        let mut slots = work.prepare_cached(
            "INSERT INTO memory (run, slot, key, value_hash, op, clock) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (run, slot) DO UPDATE SET key = excluded.key, value_hash = excluded.value_hash,
                                                   op = excluded.op, clock = excluded.clock
             WHERE excluded.clock >= clock",
        )?;
        for ((run, slot), row) in &self.slots {
            let memory = &row.event.memory_bridge;
            slots.execute(params![
                run,
                slot,
                memory.key,
                memory.value_hash,
                line::op(memory.op),
                row.clock
            ])?;
        }
        Ok(())
    }
}

/// Takes back what was read of `source` from `kept.offset` on, its present end. Yields how many events are gone; None
/// if somebody else has seen to it.
pub(super) fn cut(
    connection: &mut Connection,
    source: &Source,
    kept: &mut Source,
) -> rusqlite::Result<Option<u64>> {
    let work = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if !source.is_current(&work)? {
        return Ok(None);
    }
    let from = params![source.id, kept.offset.cast_signed()];
    let runs = runs_from(&work, source, kept.offset)?;
    let gone = work.execute("DELETE FROM event WHERE source = ?1 AND offset >= ?2", from)?;
    work.execute("DELETE FROM refused WHERE source = ?1 AND offset >= ?2", from)?;
    for run in runs {
        work.execute("DELETE FROM memory WHERE run = ?1", [&run])?;
        work.execute(
            "INSERT INTO memory (run, slot, key, value_hash, op, clock)
             SELECT run, slot, key, value_hash, op, clock FROM (
               SELECT *, row_number() OVER (PARTITION BY slot ORDER BY clock DESC, id DESC) AS age
               FROM event WHERE run = ?1)
             WHERE age = 1",
            [&run],
        )?;
    }
    kept.write(&work, 0)?;
    if gone > 0 {
        // Files with lines that were known already may have said what is gone: they are asked again.
        work.execute(
            "UPDATE source SET offset = 0, lines = 0, known = 0, tail = ?2, tail_bytes = 0
             WHERE known > 0 AND current = 1 AND id IS NOT ?1",
            params![source.id, Source::no_tail()],
        )?;
    }
    work.commit()?;
    Ok(Some(gone as u64))
}

/// The runs of the events of `source` from `offset` on.
fn runs_from(work: &Transaction<'_>, source: &Source, offset: u64) -> rusqlite::Result<Vec<String>> {
    let mut runs = work.prepare("SELECT DISTINCT run FROM event WHERE source = ?1 AND offset >= ?2")?;
    runs.query_map(params![source.id, offset.cast_signed()], |row| row.get(0))?.collect()
}
