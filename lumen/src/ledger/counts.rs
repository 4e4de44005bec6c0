//! How many runs there were, as counters of an exporter (C1).

use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

use humantime::parse_rfc3339;

use super::class::ErrorClass;
use super::{Outcome, Row};

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

/// Runs of the same labels that have ended. A run at work is in none of the numbers. One that was
/// stopped and is gone on with leaves them until it has ended again, which to Prometheus is a counter that began anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// `lumen_runs_total`: all that ended, interrupted ones too.
    pub total: u64,
    /// `lumen_runs_success_total`: those that ended with their result.
    pub success: u64,
    /// `lumen_runs_failed_total` by `error_class`: those that failed or were killed. Somebody's Ctrl-C is no failure.
    pub failed: BTreeMap<ErrorClass, u64>,
}

/// The counters of a ledger's rows.
#[must_use]
pub fn counts(rows: &[Row]) -> BTreeMap<Labels, Counts> {
    let mut all: BTreeMap<Labels, Counts> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.outcome != Outcome::Running) {
        let labels = Labels {
            pipeline: row.pipeline.clone(),
            region: row.region.clone(),
            runner: row.runner.clone(),
            version: row.version.clone(),
        };
        let counts = all.entry(labels).or_default();
        counts.total += 1;
        match row.outcome {
            Outcome::Ok => counts.success += 1,
            Outcome::Failed | Outcome::Killed => {
                *counts.failed.entry(row.error_class.unwrap_or(ErrorClass::Unknown)).or_default() += 1;
            }
            Outcome::Interrupted | Outcome::Running => {}
        }
    }
    all
}

/// How many of the runs of each region that ended last failed or were killed, in a row. An interrupted one is neither a
/// success nor a failure: it is passed over. A region of which none ended has no number.
#[must_use]
pub fn consecutive_failures(rows: &[Row]) -> BTreeMap<String, u64> {
    let mut ended: Vec<&Row> = rows.iter().filter(|row| row.outcome != Outcome::Running).collect();
    // What was killed says not when it ended.
    ended.sort_by_key(|row| millis(row.ended.as_deref().unwrap_or(&row.started)));
    let mut failures = BTreeMap::new();
    for row in ended {
        match row.outcome {
            Outcome::Ok => {
                failures.insert(row.region.clone(), 0);
            }
            Outcome::Failed | Outcome::Killed => *failures.entry(row.region.clone()).or_insert(0) += 1,
            Outcome::Interrupted | Outcome::Running => {}
        }
    }
    failures
}

/// Milliseconds since 1970; a ledger holds none that is no time.
fn millis(time: &str) -> Option<u128> {
    Some(parse_rfc3339(time).ok()?.duration_since(UNIX_EPOCH).ok()?.as_millis())
}
