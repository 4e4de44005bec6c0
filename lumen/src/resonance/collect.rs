//! The collector: `metrics.json` from the ledger of runs and their timings, over a window up to now (A9).
//!
//! | field | from | known if |
//! |---|---|---|
//! | `failure_hist` | runs that ended in the window: `ok`, and the classes of those that failed or were killed | one ended |
//! | `fail_rate` | failed and killed ones over those and `ok` ones; an interrupted run is in neither | one ended |
//! | `series_rates`, `series_deltas` | steps a second, a stretch each, of the run whose last update is the latest, of those with 20 stretches or more; 1,000 at most | 20 stretches |
//! | `latency_p95_ms` | time of all updates | 20 updates |
//! | slowdown | of the run that slowed most: 95th percentile of the time of a step in its stretches over that in its first quarter, less 1 | 20 in the window, 20 in the quarter |
//! | `gap_minutes` | see `gaps` in the source; minutes of several runs count once | a run with timings was at work in the window |
//!
//! A stretch is updates in a row that took a quarter of a second or more together: how long a single one of some milliseconds took
//! says what else the machine did.
//!
//! Proofs and the ceremony's age come from the archive and the log. Where nothing says them they are left out, so that
//! safety is not known.

use std::collections::BTreeMap;
use std::path::Path;

use resonetics_analysis::stats::summary::quantile;
use resonetics_runs::run_dir::read_record;
use serde_json::Value;

use super::metrics::{Amount, Finite, Metrics, OK, Share};
use super::timing::{self, Timing, Update, seconds_of, stretches};
use super::window::Window;
use crate::ledger::{Outcome, Row};

/// The most rates that are written.
const MOST_RATES: usize = 1000;
/// The fewest updates or stretches of which anything is said.
const FEWEST: usize = 20;
/// Seconds without an update that are a gap.
const GAP_S: f64 = 60.0;
/// How far clocks may differ: a time that lies further ahead is not believed.
const CLOCKS_S: f64 = 60.0;

/// What was found in a window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Collected {
    /// The content of metrics.json.
    pub metrics: Metrics,
    /// What could not be used, and why; with paths, for the terminal alone.
    pub notes: Vec<String>,
}

/// A run with timings, as it stands at `now`.
struct Timed<'a> {
    row: &'a Row,
    timing: Timing,
    /// When its last update was, in seconds since 1970; its start where there is none.
    last: f64,
}

/// What the runs of a ledger tell of the window up to `now`, in seconds since 1970.
#[must_use]
pub fn collect(rows: &[Row], window: &Window, now: f64) -> Collected {
    let mut notes = Vec::new();
    let from = now - window.seconds();
    let mut metrics = Metrics {
        window_s: Amount::try_from(window.seconds()).ok(),
        ages: Some(BTreeMap::new()),
        ..Metrics::default()
    };
    outcomes(rows, from, now, &mut metrics, &mut notes);
    // Of a run that cannot be read it is not known how slow it was: then nothing is said of any.
    if let Some(timed) = timed(rows, from, now, &mut notes) {
        timings(&timed, from, now, &mut metrics);
    }
    Collected { metrics, notes }
}

/// How runs ended in the window.
fn outcomes(rows: &[Row], from: f64, now: f64, metrics: &mut Metrics, notes: &mut Vec<String>) {
    let mut counts = BTreeMap::from([(OK.to_owned(), 0)]);
    let mut latest: Option<f64> = None;
    for row in rows.iter().filter(|row| !matches!(row.outcome, Outcome::Running | Outcome::Interrupted)) {
        let Some(ended) = ended(row) else {
            notes.push(format!("{}: it is not known when it ended; it is counted in no window", row.path));
            continue;
        };
        if ended > now + CLOCKS_S {
            notes.push(format!("{}: it ended later than now; it is not counted", row.path));
            continue;
        }
        if ended < from {
            continue;
        }
        let class = row.error_class.map_or(OK, |class| class.name());
        *counts.entry(class.to_owned()).or_default() += 1;
        latest = Some(latest.map_or(ended, |latest| latest.max(ended)));
    }
    let Some(latest) = latest else { return };
    let all: u64 = counts.values().sum();
    let failed = all - counts.get(OK).copied().unwrap_or(0);
    metrics.fail_rate = Share::try_from(failed as f64 / all as f64).ok();
    metrics.failure_hist = Some(counts);
    aged(metrics, &["failure_hist", "fail_rate"], now - latest);
}

/// When a run ended; one that was killed says it not, but was alive when it last wrote.
fn ended(row: &Row) -> Option<f64> {
    if let Some(ended) = &row.ended {
        return seconds_of(ended);
    }
    let folder = Path::new(&row.path);
    let alive = [timing::FILE, "run.json"].map(|name| timing::written(&folder.join(name)).ok());
    alive.into_iter().flatten().reduce(f64::max)
}

/// The runs with timings that were at work in the window; `None` if one cannot be read.
fn timed<'a>(rows: &'a [Row], from: f64, now: f64, notes: &mut Vec<String>) -> Option<Vec<Timed<'a>>> {
    let (mut all, mut readable) = (Vec::new(), true);
    for row in rows {
        let running = row.outcome == Outcome::Running;
        if !running && ended(row).is_some_and(|ended| ended < from) {
            continue;
        }
        match Timing::read(Path::new(&row.path)) {
            Ok(None) => {}
            Ok(Some(timing)) => {
                let started = seconds_of(&row.started).unwrap_or(now);
                let last = if timing.updates.is_empty() { started } else { last(row, &timing).max(started) };
                if last > now + CLOCKS_S {
                    notes.push(format!(
                        "{}: its last update is later than now; no timings are told",
                        row.path
                    ));
                    readable = false;
                } else if running || last >= from {
                    all.push(Timed { row, timing, last });
                }
            }
            Err(error) => {
                notes.push(format!("{error}; no timings are told"));
                readable = false;
            }
        }
    }
    readable.then_some(all)
}

/// When the last update was: a copy of a run may have been written long after it ended.
fn last(row: &Row, timing: &Timing) -> f64 {
    let ended = row.ended.as_deref().and_then(seconds_of);
    ended.map_or(timing.written, |ended| ended.min(timing.written))
}

fn timings(all: &[Timed<'_>], from: f64, now: f64, metrics: &mut Metrics) {
    if all.is_empty() {
        return;
    }
    let seen: Vec<(&Timed<'_>, &[Update])> =
        all.iter().map(|run| (run, run.timing.since(from, run.last))).collect();
    let latest =
        |runs: &mut dyn Iterator<Item = f64>| runs.reduce(f64::max).map_or(0.0, |last| (now - last).max(0.0));
    let seconds: Vec<f64> =
        seen.iter().flat_map(|(_, updates)| updates.iter().map(|update| update.seconds)).collect();
    if seconds.len() >= FEWEST {
        let p95 = quantile(&seconds, 0.95).map(|p95| Amount::try_from(p95 * 1e3));
        metrics.latency_p95_ms = p95.and_then(Result::ok);
        let mut with = seen.iter().filter(|(_, updates)| !updates.is_empty()).map(|(run, _)| run.last);
        aged(metrics, &["latency_p95_ms"], latest(&mut with));
    }
    let slowed = seen.iter().filter_map(|(run, updates)| Some((slowdown(&run.timing, updates)?, run.last)));
    let slowed: Vec<(f64, f64)> = slowed.collect();
    if let Some(worst) = slowed.iter().map(|(slowdown, _)| *slowdown).reduce(f64::max) {
        metrics.slowdown = Amount::try_from(worst).ok();
        aged(metrics, &["slowdown"], latest(&mut slowed.iter().map(|(_, last)| *last)));
    }
    let rates = seen.iter().map(|(run, updates)| (run.last, stretches(updates)));
    let long = rates.filter(|(_, rates)| rates.len() >= FEWEST);
    if let Some((last, rates)) = long.max_by(|a, b| a.0.total_cmp(&b.0)) {
        let rates = &rates[rates.len().saturating_sub(MOST_RATES)..];
        metrics.series_rates = rates.iter().map(|rate| Amount::try_from(*rate).ok()).collect();
        let differences = rates.windows(2).map(|pair| Finite::try_from(pair[1] - pair[0]).ok());
        metrics.series_deltas = differences.collect();
        aged(metrics, &["series_rates", "series_deltas"], (now - last).max(0.0));
    }
    gap_minutes(&seen, from, now, metrics);
}

/// How much slower a run has become than in its first quarter; `None` where either has too few stretches.
fn slowdown(timing: &Timing, recent: &[Update]) -> Option<f64> {
    let first = &timing.updates[..timing.updates.len() / 4];
    let p95 = |updates: &[Update]| {
        let times: Vec<f64> = stretches(updates).iter().map(|rate| 1.0 / rate).collect();
        if times.len() < FEWEST { None } else { quantile(&times, 0.95) }
    };
    Some((p95(recent)? / p95(first)? - 1.0).max(0.0))
}

fn gap_minutes(seen: &[(&Timed<'_>, &[Update])], from: f64, now: f64, metrics: &mut Metrics) {
    let mut gaps: Vec<(f64, f64)> = seen.iter().flat_map(|(run, updates)| gaps(run, updates, now)).collect();
    for gap in &mut gaps {
        *gap = (gap.0.max(from), gap.1.min(now));
    }
    gaps.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut sum, mut until) = (0.0, from);
    for (start, end) in gaps {
        sum += (end - start.max(until)).max(0.0);
        until = until.max(end);
    }
    metrics.gap_minutes = Amount::try_from(sum / 60.0).ok();
    // Of a run at work it is known now; of others it was known when they ended.
    let known = |run: &Timed<'_>| if run.row.outcome == Outcome::Running { now } else { run.last };
    let latest = seen.iter().map(|(run, _)| known(run)).reduce(f64::max).unwrap_or(now);
    aged(metrics, &["gap_minutes"], (now - latest).max(0.0));
}

/// The times of more than a minute in which a run was running and made no update, as far as they are known: an update
/// that took so long; from the last update, the start or the last time that it was gone on with, to now or to its end.
/// Of a run that was killed no end is known, and the time between is none. What lies between two updates, such as a
/// long evaluation, is not told by the file.
fn gaps(run: &Timed<'_>, updates: &[Update], now: f64) -> Vec<(f64, f64)> {
    let mut gaps = Vec::new();
    let mut end = run.last;
    for update in updates.iter().rev() {
        gaps.push((end - update.seconds, end));
        end -= update.seconds;
    }
    let resumed = read_record(Path::new(&run.row.path)).ok().and_then(|record| {
        record
            .get("resumed_at")
            .and_then(Value::as_array)
            .and_then(|times| seconds_of(times.last()?.as_str()?))
    });
    let since = resumed.map_or(run.last, |resumed| resumed.max(run.last));
    match run.row.outcome {
        Outcome::Running => gaps.push((since, now)),
        Outcome::Killed => {}
        Outcome::Ok | Outcome::Failed | Outcome::Interrupted => {
            gaps.extend(run.row.ended.as_deref().and_then(seconds_of).map(|ended| (since, ended)));
        }
    }
    gaps.retain(|(start, end)| end - start > GAP_S);
    gaps
}

/// Notes the age of what `fields` say, in whole seconds.
pub(super) fn aged(metrics: &mut Metrics, fields: &[&str], age_s: f64) {
    let age = Amount::try_from(age_s.max(0.0).round());
    let ages = metrics.ages.get_or_insert_default();
    for field in fields {
        if let Ok(age) = age {
            ages.insert((*field).to_owned(), age);
        }
    }
}
