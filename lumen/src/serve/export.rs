//! What Prometheus is shown. Each sample has a source, and is left out once that is silent for too long:
//!
//! | samples | from | left out |
//! |---|---|---|
//! | `rmb_*_total` | the store's sums of a run at work | with the run |
//! | signals, levels, `fractal_*` | the last windows of a run at work | 300 s after the last window, or three times the time between windows where that is more |
//! | `lumen_gate_state`, `lumen_commands_total` | the last word of the gate; the record of commands | with the run; before anything was said or told |
//! | `lumen_level{kind="ratio"}` | the events of 300 s | with fewer than 20 events |
//! | `resonance_*` | timings and ends of all runs | 300 s after they were looked at |
//! | `lumen_runs_*`, `lumen_region_*` | the ledger | 300 s after it was made |
//! | `lumen_proof_*`, `tlog_*`, `lumen_reproduced_total` | the log of proofs | 300 s after it was looked at |
//! | `lumen_remote_integrity_ok`, `lumen_key_expiry_timestamp`, `custody_*` | records of copies, certificates, root metadata and the log | 300 s after they were looked at; without them |
//! | `lumen_source_age_seconds` | all of them | where they never told anything |
//! | `lumen_run_*` | events and timings of a run at work | with the run: an old time is what they are for |

use std::collections::BTreeMap;

use resonetics_runs::commands::record::Record;
use resonetics_runs::error::Error;

use super::known::{Known, Live};
use super::live::median;
use super::names::MOST_RUNS;
use super::samples::Samples;
use crate::event::{Event, Level};
use crate::gate::{self, State};
use crate::ledger::Row;
use crate::ledger::counts::{consecutive_failures, counts};
use crate::resonance::observer::Observed;
use crate::signals::level::{self, RATIO_MS, Steady, Thresholds};
use crate::store::Reader;

/// Seconds after which a sample is too old.
const STALE_S: f64 = 300.0;
/// The same for runs whose windows come so seldom that [`STALE_S`] is too soon: at most a quarter of a day.
const SELDOM_S: f64 = 21_600.0;
/// Times between windows for which the last one is taken for present.
const PRESENT: f64 = 3.0;
/// Seconds for which the logs of runs are taken for read.
const INGESTED_S: f64 = 60.0;
/// How far clocks may differ: a time that lies further ahead is not believed.
const CLOCKS_S: f64 = 60.0;
/// Events of a run that are looked at, from the last one back, for its last windows.
const DEEP: usize = 600;
/// Windows between which the median time is taken.
const WINDOWS: usize = 9;

/// What is known without the store at `now`, in seconds since 1970.
pub(super) fn beside_store(known: &Known, now: f64, samples: &mut Samples) {
    let fresh = |at: f64| now - at <= STALE_S;
    if let Some((at, rows)) = &known.ledger {
        source("ledger", now - at, STALE_S, samples);
        if fresh(*at) {
            runs(rows, now, samples);
        }
    }
    if let Some((_, all)) = known.observed.as_ref().filter(|(at, _)| fresh(*at)) {
        resonance(all, samples);
    }
    if let Some(proofs) = &known.proofs {
        source("proofs", now - proofs.at(), STALE_S, samples);
        if fresh(proofs.at()) {
            proofs.samples(now, samples);
        }
    }
    if let Some(kept) = known.kept.as_ref().filter(|kept| fresh(kept.at())) {
        kept.samples(samples);
    }
    if let Some(at) = known.ingested {
        source("store", now - at, INGESTED_S, samples);
    }
}

fn source(name: &str, age: f64, window: f64, samples: &mut Samples) {
    // To the millisecond, which is what times are known to.
    samples.add("lumen_source_age_seconds", &[name], Some((age.max(0.0) * 1e3).round() / 1e3));
    samples.add("lumen_source_window_seconds", &[name], Some(window));
}

fn runs(rows: &[Row], now: f64, samples: &mut Samples) {
    for (of, counts) in counts(rows) {
        let labels = [&*of.pipeline, &of.region, &of.runner, &of.version];
        samples.add("lumen_runs_total", &labels, Some(counts.total as f64));
        samples.add("lumen_runs_success_total", &labels, Some(counts.success as f64));
        for (class, failed) in &counts.failed {
            let labels = [&labels[..], &[class.name()]].concat();
            samples.add("lumen_runs_failed_total", &labels, Some(*failed as f64));
        }
    }
    for (region, failures) in consecutive_failures(rows, now) {
        samples.add("lumen_region_consecutive_failures", &[&region], Some(failures as f64));
    }
}

fn resonance(all: &[Observed], samples: &mut Samples) {
    for Observed { channel, window, resonance, .. } in all {
        let mut add = |name, value| samples.add(name, &[channel, window], value);
        add("resonance_symmetry", resonance.symmetry);
        add("resonance_continuity", resonance.continuity);
        add("resonance_entropy", resonance.entropy);
        add("resonance_phase", resonance.phase);
        add("resonance_coherence", resonance.coherence);
        add("resonance_safety", resonance.safety);
    }
}

/// What the store says at `now` of the runs at work.
///
/// # Errors
/// What the store says.
pub(super) fn of_store(reader: &Reader, known: &Known, now: f64, samples: &mut Samples) -> Result<(), Error> {
    samples.add("lumen_dropped_total", &["events"], Some(reader.dropped()? as f64));
    for run in known.live.iter().take(MOST_RUNS) {
        if let Some(totals) = reader.totals_of(&run.name)? {
            samples.add("rmb_events_total", &[&run.name], Some(totals.events_total as f64));
            samples.add("rmb_rollback_total", &[&run.name], Some(totals.rollback_total as f64));
        }
        let last = Last::of(reader, &run.name)?;
        if let Some((at, window)) = &last.window
            && (-CLOCKS_S..=last.present()).contains(&(now - at))
        {
            signals(&run.name, window, samples);
            levels(&run.name, window, &last, samples);
        }
        ratio(reader, &run.name, now, samples)?;
        let gate = reader.gate(&run.name)?.as_deref().and_then(State::of_reason);
        samples.add("lumen_gate_state", &[&run.name], gate.map(|state| f64::from(state as u8)));
        commands(run, samples);
        updates(reader, run, &last, now, samples)?;
    }
    Ok(())
}

/// The last windows of a run's whole sources, the newest first.
#[derive(Default)]
struct Last {
    /// The newest, and when it was, in seconds since 1970.
    window: Option<(f64, Event)>,
    /// The level that two windows in a row last agreed on.
    steady: Option<Level>,
    /// Median time between windows, in seconds.
    interval: Option<f64>,
}

impl Last {
    fn of(reader: &Reader, run: &str) -> Result<Last, Error> {
        let (mut windows, mut times) = (Vec::<(f64, Event)>::new(), Vec::new());
        reader.recent(run, DEEP, |recent| {
            // A lane is one of several: what they make together has a window of its own.
            let is_whole = recent.entity.matches('/').count() == 1;
            if recent.is_window
                && is_whole
                && let Ok(event) = serde_json::from_str::<Event>(recent.json)
                && windows.first().is_none_or(|(_, first)| first.entity_id == event.entity_id)
            {
                let at = recent.ts_ms as f64 / 1e3;
                times.push(at);
                windows.push((at, event));
            }
            windows.len() < WINDOWS
        })?;
        let mut steady = Steady::default();
        for (_, event) in windows.iter().rev() {
            steady.window(event.levels.and_then(|levels| levels.last));
        }
        let interval = median(times.windows(2).map(|pair| pair[0] - pair[1]).collect());
        Ok(Last { window: windows.into_iter().next(), steady: steady.level(), interval })
    }
}

impl Last {
    /// Seconds for which the last window is taken for present.
    fn present(&self) -> f64 {
        self.interval.map_or(STALE_S, |interval| (PRESENT * interval).clamp(STALE_S, SELDOM_S))
    }
}

fn signals(run: &str, window: &Event, samples: &mut Samples) {
    let signals = window.signals.unwrap_or_default();
    let mut add = |name, value| samples.add(name, &[run], value);
    add("rmb_residual_entropy_last", signals.residual);
    add("ure_residual_entropy_last", signals.residual);
    add("ure_harmony_index", signals.harmony_index);
    add("ure_coherence_level", signals.coherence_level);
    add("lumen_phase_diff", signals.phase_diff.filter(|_| window.phase_valid));
    add("lumen_entropy_rate", signals.entropy_rate);
    add("lumen_creative_band", signals.creative_band);
    add("lumen_risk_band", signals.risk_band);
    if let Some(fleet) = &window.fleet {
        let mut add = |name, value| samples.add(name, &["latest", run], value);
        add("fractal_delta_phase_bandwidth", fleet.phase_bandwidth);
        add("fractal_resonance_entropy", fleet.entropy_bits);
        add("fractal_coupling", fleet.coupling);
    }
}

/// What a run was told, by command and by who told it; nothing of a record that cannot be read.
fn commands(run: &Live, samples: &mut Samples) {
    let mut told: BTreeMap<(String, &'static str), u32> = BTreeMap::new();
    for entry in Record::read(&run.path).map(|record| record.entries).unwrap_or_default() {
        // Names of people are no labels.
        let by = if entry.request.by == gate::NAME { "gate" } else { "others" };
        *told.entry((entry.request.cmd, by)).or_default() += 1;
    }
    for ((cmd, by), count) in told {
        samples.add("lumen_commands_total", &[&run.name, &cmd, by], Some(f64::from(count)));
    }
}

fn number(level: Option<Level>) -> Option<f64> {
    level.map(|level| f64::from(level::number(level)))
}

fn levels(run: &str, window: &Event, last: &Last, samples: &mut Samples) {
    let residual = window.levels.and_then(|levels| levels.residual);
    samples.add("lumen_level", &[run, "residual"], number(residual));
    samples.add("lumen_level", &[run, "final"], number(last.steady));
}

fn ratio(reader: &Reader, run: &str, now: f64, samples: &mut Samples) -> Result<(), Error> {
    let now_ms = (now * 1e3) as i64;
    let (events, rollbacks) = reader.count(run, now_ms - RATIO_MS, now_ms)?;
    let level = level::ratio(rollbacks, events, &Thresholds::default());
    samples.add("lumen_level", &[run, "ratio"], number(level));
    Ok(())
}

/// When a run last told something, and how often it does.
fn updates(reader: &Reader, run: &Live, last: &Last, now: f64, samples: &mut Samples) -> Result<(), Error> {
    let event = reader.last_event(&run.name)?.map(|ms| ms as f64 / 1e3);
    if let Some(event) = event {
        source(&format!("run:{}", run.name), now - event, last.present(), samples);
    }
    let update = [event, run.timed].into_iter().flatten().reduce(f64::max).or(run.started);
    samples.add("lumen_run_last_update_timestamp_seconds", &[&run.name], update);
    samples.add("lumen_run_update_interval_seconds", &[&run.name], run.interval.or(last.interval));
    Ok(())
}
