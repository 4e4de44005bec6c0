//! How many runs there were, as counters of an exporter (C1).

use std::collections::BTreeMap;

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
