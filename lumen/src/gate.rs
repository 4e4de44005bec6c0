//! The gate of a training: two of three windows that are worse than at the last good checkpoint trip it. It then warns, or,
//! asked to act, goes back, waits, tries again, and in the end gives up. What it does are commands like anybody's: recorded
//! before they take effect, and done again where the run goes on or is repeated.
//!
//! ```text
//! WATCHING -- 2 of 3 windows breach --> TRIPPED -- warn: 2 windows without breach --> WATCHING
//!                                          |
//!                                          act: rollback.to a good checkpoint, observe.on
//!                                          v
//!            WATCHING <-- 8 windows -- PROBATION <-- calm, or 2 windows: observe.off -- HOLD
//!                                          |
//!                                          breach --> TRIPPED; no way back is left --> GAVE_UP
//! ```
//!
//! None of these can last: HOLD ends after `hold_windows` windows, PROBATION after 8, and each way back uses one of
//! `train.max_rollbacks`.

use std::collections::VecDeque;
use std::sync::mpsc::Receiver;

use resonetics_runs::commands::inbox::{Answer, Asked};
use resonetics_runs::commands::record::{Entry, Request};
use resonetics_runs::plan::{Gate as Settings, Mode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::event::{Level, Risk};
use crate::signals::level;
use crate::signals::window::{Shape, Window};

/// Who is named in the record of commands.
pub const NAME: &str = "gate";
/// Windows of which [`BREACHES`] have to breach.
const LOOKED_AT: usize = 3;
const BREACHES: usize = 2;
/// How much worse than at the good checkpoint a window has to be.
const WORSE: f64 = 0.05;
/// Windows without a breach after which a training that went back is watched like any other.
const PROBATION: u32 = 8;
/// Windows without a breach after which a warning is over.
const RECOVERED: u32 = 2;

/// Where the gate is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Nothing is wrong.
    #[default]
    Watching,
    /// Two of three windows breached; acting, a way back is looked for.
    Tripped,
    /// Back at a good checkpoint, learning nothing.
    Hold,
    /// Learning again, and looked at closely.
    Probation,
    /// No way back was left.
    GaveUp,
}

impl State {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            State::Watching => "WATCHING",
            State::Tripped => "TRIPPED",
            State::Hold => "HOLD",
            State::Probation => "PROBATION",
            State::GaveUp => "GAVE_UP",
        }
    }
}

/// A checkpoint as the gate remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Kept {
    steps: u64,
    update: u64,
    /// Residual of the last window before it, where one was known.
    residual: Option<f64>,
}

/// What a checkpoint of the training keeps of the gate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Memory {
    state: State,
    /// Windows since it is there, of those that count.
    windows: u32,
    /// Whether each of the last windows breached.
    breaches: VecDeque<bool>,
    /// Where the first of those that breached began.
    since: Option<u64>,
    /// Residual of the last window.
    residual: Option<f64>,
    /// Residual of the checkpoint that it went back to.
    baseline: Option<f64>,
    /// How often the training went back.
    rollbacks: u32,
    /// In HOLD: whether the training is still to be told to learn nothing.
    learns: bool,
    checkpoints: Vec<Kept>,
}

/// What the gate has to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// Where it is now.
    pub state: State,
    /// Why, in words.
    pub why: String,
}

/// The gate of a training.
#[derive(Debug)]
pub struct Gate {
    settings: Settings,
    thresholds: [f64; 2],
    shape: Shape,
    /// Ways back that the training has in all.
    max_rollbacks: u32,
    memory: Memory,
    /// Checkpoints that could not be gone back to.
    refused: Vec<u64>,
    asked: Option<(u64, Receiver<Answer>)>,
}

impl Gate {
    /// Of a training with so many ways back, at its start. `thresholds`: residuals from which it is WATCH and RISK.
    pub fn new(settings: Settings, thresholds: [f64; 2], shape: Shape, max_rollbacks: u32) -> Gate {
        let (memory, refused) = (Memory::default(), Vec::new());
        Gate { settings, thresholds, shape, max_rollbacks, memory, refused, asked: None }
    }

    /// Where it is.
    pub fn state(&self) -> State {
        self.memory.state
    }

    /// What a checkpoint is to keep of it.
    pub fn kept(&self) -> Value {
        json!(self.memory)
    }

    /// Goes on from what a checkpoint kept.
    pub fn remember(&mut self, kept: &Value) {
        self.memory = Memory::deserialize(kept).unwrap_or_default();
    }

    /// Changes what it may do.
    pub fn set_mode(&mut self, mode: Mode) {
        self.settings.mode = mode;
    }

    /// Takes in a checkpoint that was written.
    pub fn checkpoint(&mut self, steps: u64, update: u64) {
        let memory = &mut self.memory;
        memory.checkpoints.retain(|kept| kept.steps < steps);
        // More than a training keeps need not be remembered.
        if memory.checkpoints.len() == 64 {
            memory.checkpoints.remove(0);
        }
        memory.checkpoints.push(Kept { steps, update, residual: memory.residual });
    }

    /// Takes in that the trainer itself went back, since a number was not finite.
    pub fn not_finite(&mut self, update: u64) -> Said {
        self.forget_windows();
        self.memory.since = None;
        self.memory.rollbacks += 1;
        let why = format!("a number was not finite in update {update}");
        if self.settings.mode != Mode::Act {
            return self.to(State::Tripped, why);
        }
        // The way back is behind it; the rest is as after any.
        self.memory.learns = true;
        self.memory.baseline = self.memory.checkpoints.last().and_then(|kept| kept.residual);
        self.to(State::Hold, why)
    }

    /// Takes in a window, whose level is `level`; `rollbacks` is how often the training went back.
    pub fn window(&mut self, window: &Window, level: Option<Level>, rollbacks: u32) -> Option<Said> {
        let breach = self.breach(window);
        let memory = &mut self.memory;
        memory.residual = window.signals.residual;
        memory.breaches.push_back(breach.is_some());
        if memory.breaches.len() > LOOKED_AT {
            memory.breaches.pop_front();
        }
        // In HOLD they count whether they breach or not: it must not wait for ever.
        let counts = breach.is_none() || memory.state == State::Hold;
        memory.windows = if counts { memory.windows + 1 } else { 0 };
        memory.rollbacks = rollbacks;
        match memory.state {
            State::Watching | State::Probation => {
                let enough = memory.breaches.iter().filter(|breach| **breach).count() >= BREACHES;
                let at_once = memory.state == State::Probation && breach.is_some();
                if let Some(why) = breach.filter(|_| enough || at_once) {
                    return Some(self.to(State::Tripped, why));
                }
                if memory.state == State::Probation && memory.windows >= PROBATION {
                    memory.baseline = None;
                    return Some(self.to(State::Watching, format!("{PROBATION} windows without a breach")));
                }
            }
            State::Tripped if memory.windows >= RECOVERED => {
                return Some(self.to(State::Watching, format!("{RECOVERED} windows without a breach")));
            }
            // Calm, it is tried at once.
            State::Hold if level == Some(Level::Calm) => {
                memory.windows = memory.windows.max(self.settings.hold_windows);
            }
            State::Hold | State::Tripped | State::GaveUp => {}
        }
        None
    }

    /// What it wishes; none while it may not act or waits for an answer.
    pub fn asks(&mut self) -> Vec<Asked> {
        if self.settings.mode != Mode::Act {
            return Vec::new();
        }
        if let Some((steps, answer)) = self.asked.take()
            && answer.try_recv().is_ok_and(|answer| !answer.done)
        {
            self.refused.push(steps);
        }
        let observe = |cmd, note| vec![Asked::unanswered(request(cmd, Map::new(), note))];
        match self.memory.state {
            State::Tripped => self.way_back(),
            State::Hold if self.memory.learns => observe("observe.on", "the trainer went back by itself"),
            State::Hold if self.memory.windows >= self.settings.hold_windows => {
                observe("observe.off", "it is tried again")
            }
            _ => Vec::new(),
        }
    }

    /// Takes in a command that takes effect now, its own or somebody else's.
    pub fn told(&mut self, entry: &Entry) -> Option<Said> {
        let Request { cmd, args, by, .. } = &entry.request;
        if by != NAME {
            return None;
        }
        match cmd.as_str() {
            "rollback.to" => {
                let steps = args.get("step").and_then(Value::as_u64).unwrap_or(0);
                self.memory.checkpoints.retain(|kept| kept.steps <= steps);
                let good = self.memory.checkpoints.last().and_then(|kept| kept.residual);
                self.memory.baseline = good;
                self.memory.residual = good;
                self.forget_windows();
                self.refused.clear();
                self.memory.rollbacks += 1;
                Some(self.to(State::Hold, format!("back at step {steps}")))
            }
            "observe.on" => {
                self.memory.learns = false;
                None
            }
            "observe.off" => {
                self.forget_windows();
                Some(self.to(State::Probation, "learns again".to_owned()))
            }
            "give.up" => Some(self.to(State::GaveUp, "no way back is left".to_owned())),
            _ => None,
        }
    }

    fn said(&self, why: String) -> Said {
        Said { state: self.memory.state, why }
    }

    fn to(&mut self, state: State, why: String) -> Said {
        self.memory.state = state;
        self.memory.windows = 0;
        self.said(why)
    }

    fn forget_windows(&mut self) {
        self.memory.breaches.clear();
        self.memory.windows = 0;
    }

    /// Why a window is too bad, if it is.
    fn breach(&mut self, window: &Window) -> Option<String> {
        let Settings { residual_max, phase_abs_max, .. } = self.settings;
        let residual = window.signals.residual;
        let why = match (residual, window.signals.phase_diff) {
            (Some(residual), _) if residual > residual_max => {
                format!("residual {residual:.3}, above {residual_max}")
            }
            (Some(residual), _) if level::risk(residual, self.thresholds) == Risk::Risk => {
                format!("residual {residual:.3}: RISK")
            }
            (_, Some(phase)) if phase.abs() > phase_abs_max => {
                format!("phase {phase:.3}, beyond {phase_abs_max}")
            }
            _ => return None,
        };
        let began = (window.clock + 1).saturating_sub(self.shape.window);
        let since = self.memory.since.filter(|_| self.memory.breaches.contains(&true)).unwrap_or(began);
        // Of what was as bad when it was last good nothing is to be expected of going back.
        let good = self.memory.baseline.or_else(|| self.good(since).and_then(|kept| kept.residual));
        if residual.zip(good).is_some_and(|(now, good)| now <= good + WORSE) {
            return None;
        }
        self.memory.since = Some(since);
        Some(why)
    }

    /// The last checkpoint that is older than `since` and was not at RISK.
    fn good(&self, since: u64) -> Option<&Kept> {
        let good = |kept: &&Kept| {
            let risk = kept.residual.map(|residual| level::risk(residual, self.thresholds));
            kept.update < since && risk != Some(Risk::Risk) && !self.refused.contains(&kept.steps)
        };
        self.memory.checkpoints.iter().rev().find(good)
    }

    /// Asks for the way back, or gives up.
    fn way_back(&mut self) -> Vec<Asked> {
        let give_up = |why: &str| {
            let args = Map::from_iter([("why".to_owned(), format!("the gate gave up: {why}").into())]);
            vec![Asked::unanswered(request("give.up", args, ""))]
        };
        if self.memory.rollbacks >= self.max_rollbacks {
            return give_up(&format!("it went back {} times (train.max_rollbacks)", self.memory.rollbacks));
        }
        let since = self.memory.since.unwrap_or(u64::MAX);
        let Some(&Kept { steps, residual, .. }) = self.good(since) else {
            // Before the first good checkpoint it only warns.
            return if self.refused.is_empty() {
                Vec::new()
            } else {
                give_up("no checkpoint could be gone back to")
            };
        };
        let why = residual.map_or_else(String::new, |residual| format!("its residual was {residual:.3}"));
        let args = Map::from_iter([("step".to_owned(), steps.into())]);
        let (asked, answer) = Asked::answered(request("rollback.to", args, &why));
        self.asked = Some((steps, answer));
        vec![asked, Asked::unanswered(request("observe.on", Map::new(), "after the way back"))]
    }
}

fn request(cmd: &str, args: Map<String, Value>, note: &str) -> Request {
    Request { cmd: cmd.to_owned(), args, by: NAME.to_owned(), note: note.to_owned(), approval: None }
}
