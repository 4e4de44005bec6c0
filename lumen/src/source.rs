//! A source of rows at work: windows become events, levels and changes of them too.

pub mod drift;
pub mod training;
pub mod world;

use std::collections::VecDeque;
use std::path::Path;

use resonetics_runs::error::Error;
use resonetics_runs::files::sha256;
use resonetics_runs::training::Checkpoints;

use crate::event::{Event, Fleet, Group, Kind, Level, Memory, Op, Resonance, Signals, Trace};
use crate::log::Log;
use crate::signals::fleet::Unit;
use crate::signals::level::{self, Steady, Thresholds};
use crate::signals::phase::Phase;
use crate::signals::window::{Row, Shape, Window, Windows};

/// Events of a source of which the share of rollbacks is taken.
const RECENT: usize = 100;
/// Slots of memory: a ring.
const SLOTS: u64 = 32;

/// The modes of a learning rate that listens to a risk, as tables name them.
const MODES: [&str; 4] = ["panic", "alert", "warning", "cruise"];

/// What a source is.
#[derive(Clone, Debug)]
pub struct About {
    /// `RUN/SOURCE`, or `RUN/SOURCE/LANE`.
    pub entity: String,
    /// What kind of source it is.
    pub group: Group,
    /// `COMMAND.WORLD`.
    pub loop_id: String,
    /// Its windows.
    pub shape: Shape,
    /// Where levels begin.
    pub thresholds: Thresholds,
}

/// A source at work.
#[derive(Debug)]
pub struct Source {
    about: About,
    host: String,
    windows: Windows,
    level: Steady,
    /// Whether each of the last events was a rollback.
    recent: VecDeque<bool>,
    /// The last word that was told: verdict or mode.
    word: Option<&'static str>,
    /// The residual of the last row that knew it.
    residual: Option<f64>,
}

impl Source {
    /// At its start.
    pub fn new(about: About, phase: Phase) -> Source {
        Source {
            windows: Windows::new(about.shape, phase),
            about,
            host: host(),
            level: Steady::default(),
            recent: VecDeque::new(),
            word: None,
            residual: None,
        }
    }

    /// What it is called in events.
    pub fn entity(&self) -> &str {
        &self.about.entity
    }

    /// The level that holds.
    pub fn level(&self) -> Option<Level> {
        self.level.level()
    }

    /// Takes in events that it wrote before it went on.
    pub fn remember(&mut self, events: &[Event]) {
        let entity = self.about.entity.clone();
        for event in events.iter().filter(|event| event.entity_id == entity) {
            if let Some(signals) = &event.signals {
                self.note(false);
                self.level.window(self.levels(signals.residual).last);
            } else if event.event_type == Kind::Rollback {
                self.note(true);
            }
        }
    }

    /// Takes in a row that was there before the source went on, or back: nothing is told. `word`: its verdict or mode.
    pub fn refill(&mut self, row: Row, word: Option<&'static str>) {
        self.residual = row.residual.or(self.residual);
        if let Some(window) = self.windows.push(row) {
            self.residual = window.signals.residual.or(self.residual);
            self.word = word;
        }
    }

    /// Takes in a row. Where a window ends with it, it is told, and so are a level and a `word` (its verdict or mode) that
    /// have changed since the last one.
    pub fn row(&mut self, row: Row, word: Option<&'static str>, log: &Log) -> Option<Window> {
        self.residual = row.residual.or(self.residual);
        let window = self.windows.push(row)?;
        self.window(&window, word, log);
        Some(window)
    }

    /// Its residuals in the last window, which is `window`, and its phase where known.
    pub fn unit(&self, window: &Window) -> Unit {
        Unit { residuals: self.windows.residuals(), phase_diff: window.signals.phase_diff }
    }

    fn window(&mut self, window: &Window, word: Option<&'static str>, log: &Log) {
        self.window_of(window, None, word, log);
    }

    /// Tells a window, with what the units of `fleet` have in common, where it is of several.
    pub fn window_of(
        &mut self,
        window: &Window,
        fleet: Option<Fleet>,
        word: Option<&'static str>,
        log: &Log,
    ) {
        let Window { iter, clock, signals } = window;
        self.residual = signals.residual.or(self.residual);
        let signals = rounded(signals);
        // Without a residual there is no event of version 1.
        let Some(residual) = signals.residual else { return };
        self.note(false);
        let levels = self.levels(signals.residual);
        let changed = self.level.window(levels.last);
        let mut event = self.event(Kind::Observe, *clock, residual);
        event.memory_bridge.key = format!("window:{iter}");
        event.memory_bridge.value_hash = window_hash(&self.about.entity, *iter, *clock, &signals);
        event.resonance_v3.phase_diff = signals.phase_diff.unwrap_or(0.0);
        event.phase_valid = signals.phase_diff.is_some();
        (event.signals, event.levels) = (Some(signals), Some(levels));
        event.fleet = fleet.map(|fleet| Fleet {
            coupling: fleet.coupling.map(short),
            phase_bandwidth: fleet.phase_bandwidth.map(short),
            entropy_bits: fleet.entropy_bits.map(short),
            ..fleet
        });
        log.send(event);
        if changed {
            let mut event = self.event(Kind::Decide, *clock, residual);
            event.group = Group::SafetyMusic;
            event.reason = Some(format!("level {}", self.level.level().map_or("unknown", Level::name)));
            event.memory_bridge.key = format!("level:{iter}");
            event.levels = Some(levels);
            log.send(event);
        }
        if let Some(word) = word.filter(|_| word != self.word) {
            if self.word.is_some() {
                self.decide(*clock, word, log);
            }
            self.word = Some(word);
        }
    }

    /// Tells that something was decided, or happened, in a word.
    pub fn decide(&mut self, clock: u64, reason: &str, log: &Log) {
        let Some(residual) = self.residual else { return };
        let mut event = self.event(Kind::Decide, clock, residual);
        event.memory_bridge.key = format!("{reason}:{clock}");
        event.reason = Some(reason.to_owned());
        log.send(event);
    }

    /// Tells that the end came: by loss or not.
    pub fn end(&mut self, clock: u64, lost: bool, log: &Log) {
        self.decide(clock, if lost { "lost" } else { "ended" }, log);
    }

    /// Tells that `key` has a value of this SHA-256 now, or is gone.
    pub fn remember_value(&mut self, clock: u64, key: String, value: Option<&str>, log: &Log) {
        let Some(residual) = self.residual else { return };
        let mut event = self.event(Kind::Commit, clock, residual);
        event.memory_bridge.op = if value.is_some() { Op::Upsert } else { Op::Delete };
        event.memory_bridge.value_hash = value.map_or_else(|| hash(&key), str::to_owned);
        event.memory_bridge.key = key;
        log.send(event);
    }

    /// Tells what a kill right behind the checkpoint of `steps`, at `clock`, kept from being told: that it was written and
    /// is the best, and which went. `told` is what was told up to there.
    ///
    /// # Errors
    /// That the checkpoints cannot be read.
    pub fn checkpoints(
        &mut self,
        (clock, steps): (u64, u64),
        checkpoints: &Checkpoints,
        told: &[Event],
        log: &Log,
    ) -> Result<(), Error> {
        let key = |steps: u64| format!("checkpoint:{steps}");
        let written = |key: &str, clock: u64| {
            told.iter().any(|event| event.memory_bridge.key == key && event.trace.clock == clock)
        };
        let sha256 = checkpoints.sum(steps)?;
        if !written(&key(steps), clock) {
            self.remember_value(clock, key(steps), Some(&sha256), log);
        }
        if checkpoints.is_best(steps)? && !written("best", clock) {
            self.remember_value(clock, "best".to_owned(), Some(&sha256), log);
        }
        let there = checkpoints.steps()?;
        let mut open: Vec<u64> = Vec::new();
        for memory in told.iter().map(|event| &event.memory_bridge) {
            let steps = memory.key.strip_prefix("checkpoint:").and_then(|steps| steps.parse::<u64>().ok());
            let Some(steps) = steps else { continue };
            open.retain(|other| *other != steps);
            open.extend((memory.op == Op::Upsert).then_some(steps));
        }
        for gone in open.into_iter().filter(|steps| !there.contains(steps)) {
            self.remember_value(clock, key(gone), None, log);
        }
        Ok(())
    }

    /// Tells that the source went back from `clock` to an earlier state, since a number was not finite.
    pub fn rollback(&mut self, clock: u64, reason: &str, log: &Log) {
        self.note(true);
        let mut event = self.event(Kind::Rollback, clock, 1.0);
        event.memory_bridge.key = format!("rollback:{clock}");
        event.reason = Some(reason.to_owned());
        log.send(event);
    }

    fn note(&mut self, rollback: bool) {
        self.recent.push_back(rollback);
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
    }

    fn levels(&self, residual: Option<f64>) -> crate::event::Levels {
        let rollbacks = self.recent.iter().filter(|&&rollback| rollback).count() as u64;
        level::levels(residual, rollbacks, self.recent.len() as u64, &self.about.thresholds)
    }

    fn event(&self, event_type: Kind, clock: u64, residual: f64) -> Event {
        let iter = clock / self.about.shape.hop;
        let residual = short(residual);
        let key = format!("event:{clock}");
        Event {
            ts: String::new(),
            entity_id: self.about.entity.clone(),
            group: self.about.group,
            event_type,
            resonance_v3: Resonance {
                phase_diff: 0.0,
                residual_entropy: residual,
                creative_band: level::room(residual),
                risk_band: level::risk(residual, self.about.thresholds.residual),
            },
            memory_bridge: Memory {
                slot_id: format!("rmb/v17/slot-{}", iter % SLOTS),
                op: Op::Upsert,
                value_hash: hash(&(&self.about.entity, clock, &key)),
                key,
            },
            trace: Trace { loop_id: self.about.loop_id.clone(), iter, host: self.host.clone(), clock },
            phase_valid: false,
            signals: None,
            levels: None,
            fleet: None,
            reason: None,
        }
    }
}

/// Waits until a log is whole, and tells what there was no room for, or what kept it from being written: no run fails
/// by being watched.
pub fn closed(log: Log, tell: &dyn Fn(&str)) {
    match log.finish() {
        Ok(0) => {}
        Ok(lost) => tell(&format!("{lost} events had no room and are not in the log")),
        Err(error) => tell(&format!("the events are not whole: {error}")),
    }
}

/// The name of a run's folder: what stands in front of the first slash of an entity.
pub fn run_name(dir: &Path) -> String {
    let path = dir.canonicalize().unwrap_or_else(|_| dir.to_path_buf());
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if name.is_empty() { "run".to_owned() } else { name }
}

/// To six digits, which is more than windows deserve. Levels follow from what the line says, so that one that goes on
/// from its lines goes on with the same.
fn short(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn rounded(signals: &Signals) -> Signals {
    let Signals {
        residual,
        residual_p95,
        phase_diff,
        entropy_rate,
        creative_band,
        risk_band,
        harmony_index,
        coherence_level,
    } = *signals;
    let round = |value: Option<f64>| value.map(short);
    Signals {
        residual: round(residual),
        residual_p95: round(residual_p95),
        phase_diff: round(phase_diff),
        entropy_rate: round(entropy_rate),
        creative_band: round(creative_band),
        risk_band: round(risk_band),
        harmony_index: round(harmony_index),
        coherence_level: round(coherence_level),
    }
}

/// SHA-256 of the record of a window, as JSON `[entity, iter, clock, signals]`, in hex.
pub fn window_hash(entity: &str, iter: u64, clock: u64, signals: &Signals) -> String {
    hash(&(entity, iter, clock, signals))
}

/// SHA-256 of a value as JSON, in hex.
fn hash(value: &impl serde::Serialize) -> String {
    sha256(&serde_json::to_vec(value).unwrap_or_default())
}

/// The machine's name; `unknown` where it has none.
fn host() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "unknown".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Full;

    /// A kill between a window and what is told right behind it: the same is told then.
    #[test]
    fn what_follows_a_window_has_its_residual_also_where_rows_are_taken_in_again() {
        let told_after = |take: fn(&mut Source, Row, &Log)| {
            let dir = tempfile::tempdir().unwrap();
            let log = Log::create(dir.path(), Full::Wait).unwrap();
            let about = About {
                entity: "run/training".to_owned(),
                group: Group::DesignCore,
                loop_id: "train.k8s".to_owned(),
                shape: Shape::TRAINING,
                thresholds: Thresholds::default(),
            };
            let mut source = Source::new(about, Phase::default());
            for clock in 1..=16 {
                let residual = Some(clock as f64 / 32.0);
                take(&mut source, Row { clock, residual, ..Row::default() }, &log);
            }
            source.remember_value(16, "best".to_owned(), Some("ab"), &log);
            log.finish().unwrap();
            let text = std::fs::read_to_string(dir.path().join("events.jsonl")).unwrap();
            let last: Event = serde_json::from_str(text.lines().last().unwrap()).unwrap();
            last.resonance_v3.residual_entropy
        };
        let mean = (1..=16).map(f64::from).sum::<f64>() / 16.0 / 32.0;
        let row = told_after(|source, row, log| {
            let _ = source.row(row, None, log);
        });
        let again = told_after(|source, row, _| source.refill(row, None));
        assert!((row - mean).abs() < 1e-5, "{row}");
        assert_eq!(again, row);
    }
}
