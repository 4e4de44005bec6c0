//! How many runs there were, as counters of an exporter (C1).

use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

use humantime::parse_rfc3339;

use super::class::{ErrorClass, Outcome};
use super::row::Row;

/// The labels of a counter; never an id of a run, whose series would have no bound.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Labels {
    /// The command.
    pub pipeline: String,
    /// Where.
    pub region: String,
    /// By whom.
    pub runner: String,
    /// The program's version.
    pub version: String,
}

/// Runs of the same labels that have ended. What somebody interrupted, and what was asked for wrongly, is neither a
/// success nor a failure, and in none of the numbers. The labels of a run at work are there with what ended before it,
/// be it 0: a counter that is born at 1 has risen by nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// `lumen_runs_total`: those that ended with their result or without.
    pub total: u64,
    /// `lumen_runs_success_total`: those that ended with their result.
    pub success: u64,
    /// `lumen_runs_failed_total` by `error_class`: those that failed or were killed; 0 for classes of which none did.
    pub failed: BTreeMap<ErrorClass, u64>,
}

/// The classes that are failures.
const FAILURES: [ErrorClass; 6] = [
    ErrorClass::Io,
    ErrorClass::Diverged,
    ErrorClass::Learner,
    ErrorClass::Panic,
    ErrorClass::Killed,
    ErrorClass::Unknown,
];

/// Whether a run ended with its result; None for one that counts as neither.
fn succeeded(row: &Row) -> Option<bool> {
    match row.outcome {
        Outcome::Ok => Some(true),
        Outcome::Failed | Outcome::Killed if row.error_class != Some(ErrorClass::Refused) => Some(false),
        Outcome::Failed | Outcome::Killed | Outcome::Interrupted | Outcome::Running => None,
    }
}

/// The counters of a ledger's rows.
#[must_use]
pub fn counts(rows: &[Row]) -> BTreeMap<Labels, Counts> {
    let mut all: BTreeMap<Labels, Counts> = BTreeMap::new();
    for row in rows {
        let labels = Labels {
            pipeline: row.pipeline.clone(),
            region: row.region.clone(),
            runner: row.runner.clone(),
            version: row.version.clone(),
        };
        let counts = all.entry(labels).or_insert_with(|| Counts {
            failed: FAILURES.map(|class| (class, 0)).into(),
            ..Counts::default()
        });
        let Some(succeeded) = succeeded(row) else { continue };
        counts.total += 1;
        if succeeded {
            counts.success += 1;
        } else {
            *counts.failed.entry(row.error_class.unwrap_or(ErrorClass::Unknown)).or_default() += 1;
        }
    }
    all
}

/// Seconds after which a run's end says nothing of its region any more.
const RECENT_S: f64 = 6.0 * 3600.0;

/// How many of the last runs of each region failed or were killed in a row, of those that ended within six hours before
/// `now`, in seconds since 1970. A region in which none did has no number.
#[must_use]
pub fn consecutive_failures(rows: &[Row], now: f64) -> BTreeMap<String, u64> {
    // What was killed says not when it ended; it began before.
    let ended = |row: &Row| seconds_of(row.ended.as_deref().unwrap_or(&row.started));
    let mut recent: Vec<(f64, bool, &Row)> = rows
        .iter()
        .filter_map(|row| Some((ended(row)?, succeeded(row)?, row)))
        .filter(|(ended, ..)| now - ended <= RECENT_S)
        .collect();
    recent.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut failures = BTreeMap::new();
    for (_, succeeded, row) in recent {
        let count = failures.entry(row.region.clone()).or_insert(0);
        *count = if succeeded { 0 } else { *count + 1 };
    }
    failures
}

/// Seconds since 1970; a ledger holds none that is no time.
fn seconds_of(time: &str) -> Option<f64> {
    Some(parse_rfc3339(time).ok()?.duration_since(UNIX_EPOCH).ok()?.as_secs_f64())
}
