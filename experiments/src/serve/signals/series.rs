//! What one source or lane of a watched run has told: its signals over its own clock, and what happened.

use std::collections::VecDeque;

use resonetics_analysis::chart::Curve;
use resonetics_analysis::thinned::Thinned;
use resonetics_lumen::event::{Event, Kind, Level, Signals};
use resonetics_lumen::signals::level::Steady;

/// What lies in [0, 1]: the names in figures, in their order.
pub(super) const SHARES: [&str; 4] = ["residual", "creative band", "risk band", "entropy rate"];
/// Kinds of moments, the weightiest last.
pub(super) const KINDS: [&str; 3] = ["decide", "best checkpoint", "rollback"];
/// Moments of each kind that are kept: the last.
pub(super) const KEPT: usize = 16;
/// Letters of a reason that are shown.
const REASON: usize = 120;
/// Windows that are missing count as so many at most.
const MISSING: u64 = 4_096;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Happened {
    /// Its place among all of them, from 1.
    pub(super) number: u64,
    pub(super) clock: u64,
    /// Which of [`KINDS`].
    pub(super) kind: usize,
    pub(super) reason: String,
}

/// The signals of a source or lane.
#[derive(Default)]
pub(super) struct Series {
    shares: [Thinned; 4],
    phase: Thinned,
    /// Whether each of the shares, and the phase, is known anywhere.
    known: [bool; 5],
    /// The last window: its index, its clock and what it says.
    pub(super) last: Option<(u64, u64, Signals)>,
    pub(super) windows: u64,
    level: Steady,
    /// The clock since when the level holds.
    since: u64,
    /// The greatest clock.
    pub(super) end: u64,
    /// `COMMAND.WORLD`.
    loop_id: String,
    happened: [VecDeque<Happened>; 3],
    /// All that happened.
    pub(super) count: u64,
}

impl Series {
    /// Takes in the next event.
    pub(super) fn take(&mut self, event: &Event) {
        self.end = self.end.max(event.trace.clock);
        self.loop_id.clone_from(&event.trace.loop_id);
        match (event.event_type, &event.signals) {
            (Kind::Observe, Some(signals)) => self.window(event, signals),
            (Kind::Decide, _) => self.happens(event, 0, event.reason.as_deref().unwrap_or("no reason given")),
            (Kind::Commit, _) if event.memory_bridge.key == "best" => {
                self.happens(event, 1, "best so far");
            }
            (Kind::Observe, None) | (Kind::Commit, _) => {}
            (Kind::Rollback, _) => {
                self.happens(event, 2, event.reason.as_deref().unwrap_or("no reason given"));
            }
        }
    }

    fn window(&mut self, event: &Event, signals: &Signals) {
        let (iter, clock) = (event.trace.iter, event.trace.clock);
        if let Some((before, from, _)) = self.last {
            // A window of which nothing was known has no line; behind a return to an earlier state a curve begins anew.
            let missing = match iter.checked_sub(before) {
                Some(0) | None => 1,
                Some(windows) => (windows - 1).min(MISSING),
            };
            for number in 1..=missing {
                let share = number as f64 / (missing + 1) as f64;
                self.add(from as f64 + share * (clock as f64 - from as f64), &Signals::default());
            }
        }
        self.add(clock as f64, signals);
        self.windows += 1;
        self.last = Some((iter, clock, *signals));
        if self.level.window(event.levels.and_then(|levels| levels.last)) {
            self.since = clock;
        }
    }

    fn add(&mut self, clock: f64, signals: &Signals) {
        let shares = shares(signals);
        for (curve, value) in self.shares.iter_mut().zip(shares) {
            curve.add(clock, value.unwrap_or(f64::NAN));
        }
        self.phase.add(clock, signals.phase_diff.unwrap_or(f64::NAN));
        for (known, value) in self.known.iter_mut().zip(shares.into_iter().chain([signals.phase_diff])) {
            *known |= value.is_some();
        }
    }

    fn happens(&mut self, event: &Event, kind: usize, reason: &str) {
        self.count += 1;
        let kept = &mut self.happened[kind];
        if kept.len() == KEPT {
            kept.pop_front();
        }
        let reason = reason.chars().take(REASON).collect();
        kept.push_back(Happened { number: self.count, clock: event.trace.clock, kind, reason });
    }

    /// The last of each kind, in their order.
    pub(super) fn happened(&self) -> Vec<&Happened> {
        let mut all: Vec<&Happened> = self.happened.iter().flatten().collect();
        all.sort_by_key(|happened| happened.number);
        all
    }

    /// The level that holds and since when; none while it is not known.
    pub(super) fn level(&self) -> Option<(Level, u64)> {
        self.level.level().map(|level| (level, self.since))
    }

    /// The curves of [`SHARES`].
    pub(super) fn curves(&self) -> Vec<Curve> {
        let each = SHARES.iter().zip(&self.shares);
        each.map(|(name, thinned)| forward(thinned.curve(name))).collect()
    }

    /// The curve of the phase; none where it is never known.
    pub(super) fn phase(&self) -> Option<Curve> {
        self.known[4].then(|| forward(self.phase.curve("phase")))
    }

    /// Those of [`SHARES`] that are known nowhere.
    pub(super) fn unknown(&self) -> Vec<&'static str> {
        SHARES.into_iter().zip(self.known).filter(|(_, known)| !known).map(|(name, _)| name).collect()
    }

    /// What the clock counts: one of it.
    pub(super) fn unit(&self) -> &'static str {
        match self.loop_id.split_once('.') {
            Some(("train", _)) => "update",
            Some((_, "gardener")) => "generation",
            _ => "step",
        }
    }
}

/// The values of [`SHARES`].
pub(super) fn shares(signals: &Signals) -> [Option<f64>; 4] {
    [signals.residual, signals.creative_band, signals.risk_band, signals.entropy_rate]
}

/// With a gap wherever the clock went back, also where windows share a point.
fn forward(curve: Curve) -> Curve {
    let mut made = Curve { name: curve.name, ..Curve::default() };
    for (x, y) in curve.points {
        if made.points.last().is_some_and(|(before, _)| x < *before) {
            made.points.push((x, f64::NAN));
        }
        made.points.push((x, y));
    }
    for (x, low, high) in curve.band {
        if made.band.last().is_some_and(|(before, ..)| x < *before) {
            made.band.push((x, f64::NAN, f64::NAN));
        }
        made.band.push((x, low, high));
    }
    made
}
