//! A training as a source: its rows are those of training.csv, as they are made or as they are read again, to the same
//! digits, so that one that goes on has the windows of one that was never stopped.

#![allow(clippy::disallowed_methods)] // no trajectory depends on a signal

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};

use resonetics_runs::commands::command::Command;
use resonetics_runs::commands::inbox::Asked;
use resonetics_runs::error::{self, Error};
use resonetics_runs::plan::Mode;
use resonetics_runs::training::{Seen, Train, Watched};
use serde_json::{Value, json};

use super::{About, MODES, Source, closed, run_name};
use crate::event::{Group, Kind};
use crate::gate::{Gate, Said};
use crate::log::{Full, Log};
use crate::signals::entropy::Transitions;
use crate::signals::level::Thresholds;
use crate::signals::phase::Phase;
use crate::signals::residual;
use crate::signals::window::{Row, Shape};

/// What a checkpoint keeps: whether the training is watched, and its gate.
const WATCHED: &str = "watched";
const GATE: &str = "gate";

/// What a row of training.csv says of nearness to the loss; what it does not say is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Numbers {
    /// Its update; 0 before the first.
    pub update: u64,
    /// Steps of single environments so far, on which schedules go.
    pub steps: u64,
    /// What the greedy policy earns, where it was measured.
    pub greedy: Option<f64>,
    /// The rate of the update.
    pub learning_rate: Option<f64>,
    /// The policy's entropy in nats.
    pub entropy: Option<f64>,
    /// How far the update went.
    pub kl: Option<f64>,
    /// The predicted risk.
    pub risk: Option<f64>,
    /// Its mode: 0 panic, 1 alert, 2 warning, 3 cruise.
    pub mode: Option<usize>,
}

impl Numbers {
    /// Of an update, to the digits of training.csv.
    pub fn of(watched: &Watched<'_>) -> Numbers {
        let Watched { update, measured, .. } = watched;
        let digits = |value: f64| f64::from(value as f32);
        let begun = (update.update > 0).then_some(());
        Numbers {
            update: update.update,
            steps: update.steps,
            greedy: measured.greedy.map(digits),
            learning_rate: begun.map(|()| digits(update.learning_rate)),
            entropy: begun.map(|()| digits(update.terms.entropy)),
            kl: begun.map(|()| digits(update.terms.approx_kl)),
            risk: update.risk.map(|risk| digits(risk.1)),
            mode: update.risk.and_then(|risk| MODES.iter().position(|mode| *mode == risk.0.name())),
        }
    }

    /// The rows of the training.csv at `path`.
    ///
    /// # Errors
    /// That it cannot be read, or the line that is no row.
    pub fn read(path: &Path) -> Result<Vec<Numbers>, Error> {
        let failed = |error: csv::Error| error::io("read", path)(error.into());
        let mut log = csv::ReaderBuilder::new().flexible(true).from_path(path).map_err(failed)?;
        let header = log.headers().map_err(failed)?.clone();
        let place = |name: &str| header.iter().position(|column| column == name).unwrap_or(usize::MAX);
        let names =
            ["update", "steps", "greedy_return", "learning_rate", "entropy", "approx_kl", "risk", "mode"];
        let [update, steps, greedy, rate, entropy, kl, risk, mode] = names.map(place);
        let mut rows = Vec::new();
        for row in log.records() {
            let row = row.map_err(failed)?;
            let cell = |at: usize| row.get(at).unwrap_or_default();
            // As they were written: f32.
            let number = |at: usize| cell(at).parse::<f32>().ok().map(f64::from);
            let whole = |at: usize| {
                cell(at).parse::<u64>().map_err(|_| {
                    let line = row.position().map_or(0, csv::Position::line);
                    Error::Refused(format!("{}, line {line}: `{}` is no count", path.display(), cell(at)))
                })
            };
            rows.push(Numbers {
                update: whole(update)?,
                steps: whole(steps)?,
                greedy: number(greedy),
                learning_rate: number(rate),
                entropy: number(entropy),
                kl: number(kl),
                risk: number(risk),
                mode: MODES.iter().position(|name| *name == cell(mode)),
            });
        }
        Ok(rows)
    }
}

/// Turns the rows of a training into rows of windows, in their order.
#[derive(Clone, Debug)]
pub struct Rows {
    plan: Train,
    actions: f64,
    residual: residual::Training,
    mode: Option<usize>,
}

impl Rows {
    /// For a training by `plan`, at its start.
    pub fn new(plan: &Train) -> Rows {
        let actions = plan.spaces().actions as f64;
        Rows { plan: plan.clone(), actions, residual: residual::Training::default(), mode: None }
    }

    /// The row of an update, and its mode; none of what stands before the first update.
    pub fn next(&mut self, numbers: &Numbers) -> Option<(Row, Option<&'static str>)> {
        let Train { train, .. } = &self.plan;
        let residual = self.residual.row(numbers.greedy, numbers.kl, train.target_kl);
        if numbers.update == 0 {
            return None;
        }
        let mut turns = Transitions::default();
        if let (Some(before), Some(now)) = (self.mode, numbers.mode) {
            turns.add(before, now);
        }
        self.mode = numbers.mode;
        // The rate of an update is that of the steps before it.
        let before = numbers.steps.saturating_sub(self.plan.steps_per_update());
        let scheduled = self.plan.linear_rate(before, self.plan.total_at(before));
        let scheduled = scheduled.unwrap_or(train.learning_rate);
        let row = Row {
            clock: numbers.update,
            residual,
            effort: numbers.learning_rate.filter(|_| scheduled > 0.0).map(|rate| rate / scheduled),
            own: numbers.entropy.map(|entropy| (entropy / self.actions.ln()).clamp(0.0, 1.0)),
            risk: numbers.risk,
            turns,
        };
        Some((row, numbers.mode.map(|mode| MODES[mode])))
    }
}

/// Watches a training: what its [`Seen`] says becomes events.
pub struct Watch<'a> {
    plan: &'a Train,
    dir: PathBuf,
    state: RefCell<Option<State>>,
    entity: String,
    thresholds: Thresholds,
    tell: &'a dyn Fn(&str),
    /// Updates and steps behind the training.
    at: Cell<(u64, u64)>,
}

struct State {
    rows: Rows,
    source: Source,
    log: Log,
    gate: Gate,
    /// Updates behind it.
    clock: u64,
}

impl State {
    /// Tells what the gate has to say, in the log and to the user.
    fn tell(&mut self, said: Option<Said>, tell: &dyn Fn(&str)) {
        if let Some(Said { state, why }) = said {
            self.source.decide(self.clock, &format!("gate {}", state.name()), &self.log);
            tell(&format!("the gate is {}: {why}", state.name()));
        }
    }
}

impl<'a> Watch<'a> {
    /// For the training by `plan` in `dir`; `tell` is told what the user has to know.
    pub fn new(plan: &'a Train, dir: &Path, thresholds: Thresholds, tell: &'a dyn Fn(&str)) -> Watch<'a> {
        let entity = format!("{}/training", run_name(dir));
        let (state, at) = (RefCell::new(None), Cell::default());
        Watch { plan, dir: dir.to_path_buf(), state, entity, thresholds, tell, at }
    }

    /// Takes in what the training tells.
    ///
    /// # Errors
    /// That the files cannot be read or begun.
    pub fn see(&self, seen: &Seen<'_>) -> Result<(), Error> {
        let mut state = self.state.borrow_mut();
        match seen {
            Seen::Begins { updates, steps, kept } => {
                self.at.set((*updates, *steps));
                // What it was told last, in front of what its settings say.
                let told = kept.and_then(|kept| kept.get(WATCHED)).and_then(Value::as_bool);
                if told.unwrap_or(self.plan.lumen.enabled) {
                    *state = Some(self.begin(*kept, true)?);
                }
                return Ok(());
            }
            Seen::Update(watched) => self.at.set((watched.update.update, watched.update.steps)),
            Seen::Told { entry } => match entry.command {
                Command::Up(_) if state.is_none() => *state = Some(self.begin(None, false)?),
                Command::Down => {
                    if let Some(State { log, .. }) = state.take() {
                        closed(log, self.tell);
                    }
                }
                _ => {}
            },
            _ => {}
        }
        let Some(all) = &mut *state else { return Ok(()) };
        let State { rows, source, log, gate, clock } = all;
        let mut said = None;
        match seen {
            Seen::Begins { .. } => {}
            Seen::Update(watched) => {
                *clock = watched.update.update;
                if let Some((row, mode)) = rows.next(&Numbers::of(watched))
                    && let Some(window) = source.row(row, mode, log)
                {
                    said = gate.window(&window, source.level(), watched.update.rollbacks);
                }
            }
            Seen::Told { entry } => {
                source.decide(*clock, &format!("told {}", entry.request.cmd), log);
                if let Command::Up(mode) = entry.command {
                    gate.set_mode(mode);
                }
                said = gate.told(entry);
            }
            Seen::Checkpoint { update, steps, sha256, best, removed } => {
                gate.checkpoint(*steps, *update);
                source.remember_value(*update, format!("checkpoint:{steps}"), Some(sha256), log);
                if *best {
                    source.remember_value(*update, "best".to_owned(), Some(sha256), log);
                }
                for steps in *removed {
                    source.remember_value(*update, format!("checkpoint:{steps}"), None, log);
                }
            }
            Seen::WentBack { from, reason } => {
                source.rollback(*from, reason, log);
                *rows = self.refilled(source, u64::MAX, log)?;
                if *reason == "nonfinite" {
                    said = Some(gate.not_finite(*from));
                }
            }
        }
        if all.gate.mode() != Mode::Off {
            all.tell(said, self.tell);
        }
        Ok(())
    }

    /// What the gate asks for now.
    pub fn asks(&self) -> Vec<Asked> {
        self.state.borrow_mut().as_mut().map_or_else(Vec::new, |state| state.gate.asks())
    }

    /// What a checkpoint is to keep: whether the training is watched, where that is not what its settings say, and the gate.
    pub fn kept(&self) -> Option<Value> {
        let state = self.state.borrow();
        match &*state {
            Some(state) => Some(json!({ WATCHED: true, GATE: state.gate.kept() })),
            None => self.plan.lumen.enabled.then(|| json!({ WATCHED: false })),
        }
    }

    /// Waits until all is written, and tells what there was no room for.
    pub fn finish(self) {
        if let Some(State { log, .. }) = self.state.into_inner() {
            closed(log, self.tell);
        }
    }

    /// `at_checkpoint`: whether the training goes on from one, and is not in the middle.
    fn begin(&self, kept: Option<&Value>, at_checkpoint: bool) -> Result<State, Error> {
        let (updates, steps) = self.at.get();
        let about = About {
            entity: self.entity.clone(),
            group: Group::DesignCore,
            loop_id: format!("train.{}", self.plan.env.name),
            shape: Shape::TRAINING,
            thresholds: self.thresholds,
        };
        let mut source = Source::new(about, Phase::default());
        let (log, logged) = Log::resume(&self.dir, updates, Full::Drop)?;
        if let Some(aside) = &logged.aside {
            (self.tell)(aside);
        }
        source.remember(&logged.events);
        // What a kill kept from being written is told now.
        let told = logged.events.iter().rfind(|event| event.event_type == Kind::Observe);
        let rows = self.refilled(&mut source, told.map_or(0, |event| event.trace.clock), &log)?;
        if updates > 0 && at_checkpoint {
            source.checkpoints((updates, steps), &self.plan.checkpoints(&self.dir)?, &logged.events, &log)?;
        }
        let Train { train, lumen, .. } = self.plan;
        let mut gate = Gate::new(lumen.gate, self.thresholds.residual, Shape::TRAINING, train.max_rollbacks);
        if let Some(kept) = kept.and_then(|kept| kept.get(GATE)) {
            gate.remember(kept);
            // It was kept before it knew of the checkpoint that keeps it.
            gate.checkpoint(steps, updates);
        }
        Ok(State { rows, source, log, gate, clock: updates })
    }

    /// The rows that are in training.csv, taken in again; those behind the clock `told` are told too.
    fn refilled(&self, source: &mut Source, told: u64, log: &Log) -> Result<Rows, Error> {
        let mut rows = Rows::new(self.plan);
        for numbers in Numbers::read(&self.dir.join("training.csv"))? {
            match rows.next(&numbers) {
                Some((row, mode)) if row.clock > told => {
                    source.row(row, mode, log);
                }
                Some((row, mode)) => source.refill(row, mode),
                None => {}
            }
        }
        Ok(rows)
    }
}
