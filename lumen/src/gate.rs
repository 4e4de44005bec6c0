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
    /// All of them, by their numbers in gauges.
    pub const ALL: [State; 5] =
        [State::Watching, State::Tripped, State::Hold, State::Probation, State::GaveUp];

    /// What an event says of a gate's state, such as `gate TRIPPED`; none for other words.
    pub fn of_reason(reason: &str) -> Option<State> {
        let name = reason.strip_prefix("gate ")?;
        State::ALL.into_iter().find(|state| state.name() == name)
    }

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
    /// What it was told that it may do; else what its settings say.
    mode: Option<Mode>,
    /// In a world: its control, and `control.survival_on_risk`, before the gate changed them.
    before: Option<(bool, f64)>,
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
        self.memory.mode = Some(mode);
    }

    /// What it may do.
    pub fn mode(&self) -> Mode {
        self.memory.mode.unwrap_or(self.settings.mode)
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
        if self.mode() != Mode::Act {
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
        if self.mode() != Mode::Act {
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
            State::Hold if self.memory.learns => observe("observe.on", "after the way back"),
            State::Hold if self.memory.windows >= self.settings.hold_windows => {
                observe("observe.off", "it is tried again")
            }
            _ => Vec::new(),
        }
    }

    /// What it wishes of a world, whose control is so and survives from such a risk on: the control layer in survival, which can
    /// harm an agent that knows what it does, and once all is well again what was before.
    pub fn asks_of_world(&mut self, control: bool, survival_on_risk: f64) -> Vec<Asked> {
        if self.mode() != Mode::Act {
            return Vec::new();
        }
        let wish = |on: bool, from: f64, note: &str| {
            let set = Map::from_iter([
                ("key".to_owned(), "control.survival_on_risk".into()),
                ("value".to_owned(), from.into()),
            ]);
            let control = if on { "control.on" } else { "control.off" };
            [request("knob.set", set, note), request(control, Map::new(), note)].map(Asked::unanswered).into()
        };
        match (self.memory.state, self.memory.before) {
            (State::Tripped, None) => {
                self.memory.before = Some((control, survival_on_risk));
                wish(true, 0.0, "survival")
            }
            (State::Watching, Some((control, survival_on_risk))) => {
                self.memory.before = None;
                wish(control, survival_on_risk, "as before")
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
                self.memory.learns = true;
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
            "control.on" if self.memory.state == State::Tripped => {
                self.forget_windows();
                Some(self.to(State::Probation, "control is on, in survival".to_owned()))
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

    /// Asks for the way back, or, where none is left, for the end.
    fn way_back(&mut self) -> Vec<Asked> {
        if self.memory.rollbacks >= self.max_rollbacks {
            let why = format!(
                "the gate gave up: it went back {} times (train.max_rollbacks)",
                self.memory.rollbacks
            );
            let args = Map::from_iter([("why".to_owned(), why.into())]);
            return vec![Asked::unanswered(request("give.up", args, ""))];
        }
        let since = self.memory.since.unwrap_or(u64::MAX);
        // Without a good checkpoint it only warns.
        let Some(&Kept { steps, residual, .. }) = self.good(since) else { return Vec::new() };
        let why = residual.map_or_else(String::new, |residual| format!("its residual was {residual:.3}"));
        let args = Map::from_iter([("step".to_owned(), steps.into())]);
        let (asked, answer) = Asked::answered(request("rollback.to", args, &why));
        self.asked = Some((steps, answer));
        vec![asked]
    }
}

fn request(cmd: &str, args: Map<String, Value>, note: &str) -> Request {
    Request { cmd: cmd.to_owned(), args, by: NAME.to_owned(), note: note.to_owned(), approval: None }
}

#[cfg(test)]
mod tests {
    use resonetics_runs::commands::command::Command;

    use super::*;
    use crate::event::Signals;

    const SHAPE: Shape = Shape { window: 16, hop: 8, symbols: 4 };

    /// A gate, and the training that it watches, as far as it knows of it.
    struct Story {
        gate: Gate,
        clock: u64,
        said: Vec<State>,
        done: Vec<String>,
        /// Steps of checkpoints that cannot be gone back to.
        damaged: Vec<u64>,
    }

    impl Story {
        fn new(mode: Mode, max_rollbacks: u32) -> Story {
            let settings = Settings { mode, ..Settings::default() };
            let gate = Gate::new(settings, [0.55, 0.85], SHAPE, max_rollbacks);
            Story { gate, clock: 8, said: Vec::new(), done: Vec::new(), damaged: Vec::new() }
        }

        /// A window of this residual; then what the gate asks for takes effect. A checkpoint of `10 * clock` steps follows.
        fn window(&mut self, residual: f64) -> &mut Story {
            self.clock += 8;
            let signals = Signals { residual: Some(residual), ..Signals::default() };
            let window = Window { iter: self.clock / 8, clock: self.clock, signals };
            let level = level::level(Some(residual), [0.55, 0.85]);
            let said = self.gate.window(&window, level, self.gate.memory.rollbacks);
            self.said.extend(said.map(|said| said.state));
            self.gate.checkpoint(10 * self.clock, self.clock);
            self.hear();
            self
        }

        /// Between two updates.
        fn hear(&mut self) {
            loop {
                let all = self.gate.asks();
                if all.is_empty() {
                    return;
                }
                for asked in all {
                    self.hear_one(asked);
                }
            }
        }

        fn hear_one(&mut self, asked: Asked) {
            let request = asked.request.clone();
            let command = Command::parse(&request.cmd, &request.args).unwrap();
            if let Command::RollBack(steps) = command {
                if self.damaged.contains(&steps) {
                    return asked.answer(Answer::refused("damaged"));
                }
                self.clock = steps / 10;
                self.done.push(format!("back to {steps}"));
            } else {
                self.done.push(request.cmd.clone());
            }
            let entry = Entry { id: 1, ts: String::new(), request, command, clock: 0, result: None };
            self.said.extend(self.gate.told(&entry).map(|said| said.state));
            asked.answer(Answer { done: true, id: Some(1), clock: Some(0), result: String::new() });
        }

        fn windows(&mut self, residuals: &[f64]) -> &mut Story {
            for residual in residuals {
                self.window(*residual);
            }
            self
        }
    }

    #[test]
    fn one_bad_window_is_none_and_two_of_three_trip_it() {
        let mut story = Story::new(Mode::Warn, 3);
        story.windows(&[0.1, 0.1, 0.9, 0.1, 0.1, 0.9, 0.1]);
        assert_eq!((story.gate.state(), story.said.len()), (State::Watching, 0));
        story.windows(&[0.9]);
        assert_eq!(story.said, [State::Tripped]);
        // Warned once, as long as it lasts.
        story.windows(&[0.9, 0.9, 0.1, 0.9, 0.1, 0.1]);
        assert_eq!(story.said, [State::Tripped, State::Watching]);
        assert!(story.done.is_empty());
    }

    /// Checkpoints of 160 (at 0.1), 240 (0.1), 320 (bad) ...: the windows that breach are those up to 32 and up to 40, and the
    /// first of them began at 17.
    #[test]
    fn acting_it_goes_back_behind_the_first_bad_window_waits_and_tries_again() {
        let mut story = Story::new(Mode::Act, 3);
        story.windows(&[0.1, 0.1, 0.9]);
        assert_eq!(story.done, Vec::<String>::new());
        story.window(0.9);
        assert_eq!(story.done, ["back to 160", "observe.on"]);
        assert_eq!((story.gate.state(), story.clock), (State::Hold, 16));
        // Not calm: two windows at most.
        story.windows(&[0.7]);
        assert_eq!(story.gate.state(), State::Hold);
        story.windows(&[0.7]);
        assert_eq!(story.done[2..], ["observe.off"]);
        assert_eq!(story.gate.state(), State::Probation);
        story.windows(&[0.1; 7]);
        assert_eq!(story.gate.state(), State::Probation);
        story.window(0.1);
        assert_eq!(story.said, [State::Tripped, State::Hold, State::Probation, State::Watching]);
    }

    #[test]
    fn calm_it_tries_again_at_once_and_in_probation_one_bad_window_is_enough() {
        let mut story = Story::new(Mode::Act, 3);
        story.windows(&[0.1, 0.1, 0.9, 0.9, 0.2]);
        assert_eq!(story.gate.state(), State::Probation);
        story.window(0.9);
        assert_eq!(story.done[3..], ["back to 160", "observe.on"]);
        assert_eq!(story.gate.state(), State::Hold);
    }

    #[test]
    fn it_gives_up_when_no_way_back_is_left() {
        let mut story = Story::new(Mode::Act, 2);
        story.windows(&[0.1, 0.1, 0.9, 0.9, 0.2, 0.9, 0.2, 0.9]);
        assert_eq!(story.gate.state(), State::GaveUp);
        assert_eq!(story.done.last().map(String::as_str), Some("give.up"));
        story.windows(&[0.9; 5]);
        assert_eq!(story.done.iter().filter(|done| *done == "give.up").count(), 1);
    }

    #[test]
    fn the_checkpoint_before_a_damaged_one_is_taken() {
        let mut story = Story::new(Mode::Act, 3);
        story.damaged = vec![320];
        story.windows(&[0.1, 0.1, 0.1, 0.1, 0.9, 0.9]);
        assert_eq!(story.done, ["back to 240", "observe.on"]);
        // And none is left: it goes on as if it only warned.
        let mut story = Story::new(Mode::Act, 3);
        story.damaged = vec![160, 240, 320];
        story.windows(&[0.1, 0.1, 0.1, 0.1, 0.9, 0.9]);
        assert_eq!((story.gate.state(), story.done.len()), (State::Tripped, 0));
        story.windows(&[0.1, 0.1]);
        assert_eq!(story.gate.state(), State::Watching);
    }

    #[test]
    fn before_there_is_a_good_checkpoint_it_only_warns() {
        let mut story = Story::new(Mode::Act, 3);
        story.windows(&[0.9, 0.9, 0.9]);
        assert_eq!((&story.said[..], story.done.len()), (&[State::Tripped][..], 0));
    }

    /// What was as bad when it was last good is no reason to go back.
    #[test]
    fn what_is_hardly_worse_than_at_the_good_checkpoint_does_not_count() {
        let mut story = Story::new(Mode::Act, 3);
        story.windows(&[0.84, 0.84, 0.86, 0.87, 0.86, 0.87]);
        assert_eq!((story.gate.state(), story.done.len()), (State::Watching, 0));
        story.windows(&[0.9, 0.9]);
        assert!(!story.done.is_empty());
    }

    #[test]
    fn what_is_not_known_is_no_breach_and_a_phase_only_where_it_is_known() {
        let mut story = Story::new(Mode::Warn, 3);
        story.gate.settings.phase_abs_max = 3.0;
        for (residual, phase_diff) in [(None, None), (None, None), (Some(0.1), Some(-3.1)), (None, Some(3.1))]
        {
            story.clock += 8;
            let signals = Signals { residual, phase_diff, ..Signals::default() };
            let said = story.gate.window(&Window { iter: 0, clock: story.clock, signals }, None, 0);
            story.said.extend(said.map(|said| said.state));
        }
        assert_eq!(story.said, [State::Tripped]);
    }

    #[test]
    fn a_number_that_is_not_finite_trips_it_at_once() {
        let mut warns = Story::new(Mode::Warn, 3);
        assert_eq!(warns.gate.not_finite(7).state, State::Tripped);
        warns.windows(&[0.1, 0.1]);
        assert_eq!(warns.said, [State::Watching]);
        let mut acts = Story::new(Mode::Act, 3);
        acts.windows(&[0.1, 0.1]);
        assert_eq!(acts.gate.not_finite(30).state, State::Hold);
        acts.hear();
        assert_eq!(acts.done, ["observe.on"]);
        acts.windows(&[0.1]);
        assert_eq!(acts.done[1..], ["observe.off"]);
        assert_eq!(acts.gate.state(), State::Probation);
    }

    /// Whatever the windows say, it neither waits for ever nor acts more often than it may; and who goes on from what was kept
    /// does the same.
    #[test]
    fn it_cannot_hang() {
        let mut state = 1_u64;
        let mut draw = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let mut ends = [0; 2];
        for _ in 0..500 {
            let mut story = Story::new(Mode::Act, 3);
            let (kept_at, bad) = ((200.0 * draw()) as usize, draw());
            let mut held = 0;
            for number in 0..200 {
                if number == kept_at {
                    let kept = story.gate.kept();
                    let mut again = Story::new(Mode::Act, 3).gate;
                    again.remember(&kept);
                    assert_eq!(again.memory, story.gate.memory);
                    story.gate = again;
                }
                let residual = if draw() < bad { 0.85 + 0.15 * draw() } else { 0.8 * draw() };
                story.window(residual);
                held = if story.gate.state() == State::Hold { held + 1 } else { 0 };
                assert!(held <= 3, "{:?}", story.done);
            }
            let ways = story.done.iter().filter(|done| done.starts_with("back")).count();
            assert!(ways <= 3, "{:?}", story.done);
            ends[usize::from(story.gate.state() == State::GaveUp)] += 1;
        }
        assert!(ends.iter().all(|&count| count > 50), "{ends:?}");
    }
}
