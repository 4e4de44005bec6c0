//! Worlds as sources: a garden, and clusters side by side, whose lanes are sources too.

use std::collections::VecDeque;

use resonetics_analysis::stats::summary;
use resonetics_runs::commands::inbox::Asked;
use resonetics_runs::commands::record::Entry;
use resonetics_runs::plan::{Gate as Settings, Mode};
use resonetics_runs::rollout::{Telemetry, Watches};

use super::{About, Source};
use crate::event::{Group, Signals};
use crate::gate::{Gate, Said};
use crate::log::Log;
use crate::signals::entropy::Transitions;
use crate::signals::fleet::{self, Unit};
use crate::signals::level::Thresholds;
use crate::signals::phase::Phase;
use crate::signals::residual;
use crate::signals::window::{Row, Shape, Window};

/// How an individual is told from others, and what it did last.
#[derive(Clone, Debug, Default)]
struct Before {
    /// Sorted by number: individuals are handed over in no order of their own.
    acts: Vec<(u64, usize)>,
}

impl Before {
    /// How the `acts` of this moment followed those of the last.
    fn turns(&mut self, acts: &[(u64, usize)]) -> Transitions {
        let mut now = acts.to_vec();
        now.sort_unstable();
        let mut turns = Transitions::default();
        let mut at = 0;
        for &(id, action) in &now {
            while self.acts.get(at).is_some_and(|before| before.0 < id) {
                at += 1;
            }
            if let Some(before) = self.acts.get(at).filter(|before| before.0 == id) {
                turns.add(before.1, action);
            }
        }
        self.acts = now;
        turns
    }
}

/// The row of a step that led to `telemetry`.
fn row(clock: u64, telemetry: &Telemetry, turns: Transitions) -> Row {
    let [load, limit] = telemetry.load;
    let residual = match telemetry.memory {
        Some([memory, at]) => residual::cluster(load, limit, memory, at),
        None => residual::garden(load, limit),
    };
    Row {
        clock,
        residual,
        effort: Some(telemetry.effort),
        own: Some(telemetry.own),
        risk: telemetry.risk.map(|risk| risk.0),
        turns,
    }
}

/// What episodes are of that are watched.
#[derive(Clone, Debug)]
pub struct Episodes<'a> {
    /// Where events go.
    pub log: &'a Log,
    /// `RUN/SOURCE`; its lanes are numbered behind it, from 1.
    pub entity: String,
    /// `COMMAND.WORLD`.
    pub loop_id: String,
    /// Windows of this world.
    pub shape: Shape,
    /// Where levels begin.
    pub thresholds: Thresholds,
    /// What the gate of each lane may do.
    pub gate: Settings,
    /// Is told what a gate says.
    pub tell: fn(&str),
}

/// Rows over which the gate of a cluster looks, and from one look to the next: a cluster that drifts five times as fast is lost
/// some 25 steps after its residual has passed 0.85, long before two windows of 50 steps say so.
const GATE_ROWS: usize = 10;
const GATE_HOP: u64 = 5;

/// A lane at work.
struct Lane {
    source: Source,
    gate: Gate,
    /// The last residuals of a cluster, for its gate.
    recent: VecDeque<Option<f64>>,
    before: Before,
    clock: u64,
    window: Option<Window>,
}

/// Watches lanes, and where there are several what they have in common: a source of its own.
pub struct Lanes<'a> {
    log: &'a Log,
    side_by_side: Vec<Lane>,
    all: Option<Source>,
    thresholds: Thresholds,
    tell: fn(&str),
}

impl<'a> Episodes<'a> {
    /// What watches `lanes` episodes side by side, the first of which has the number `first`, from 0; `among` episodes in
    /// all.
    pub fn lanes(&self, first: usize, lanes: usize, among: usize) -> Lanes<'a> {
        let phase = Phase::default();
        let about = |entity: String| About {
            entity,
            group: Group::BuildCore,
            loop_id: self.loop_id.clone(),
            shape: self.shape,
            thresholds: self.thresholds,
        };
        // One episode alone is the whole source.
        let name = |lane: usize| match among {
            1 => self.entity.clone(),
            _ => format!("{}/{}", self.entity, first + lane + 1),
        };
        let whole = match lanes {
            1 => None,
            _ if lanes == among => Some(self.entity.clone()),
            _ => Some(format!("{}-{}-{}", self.entity, first + 1, first + lanes)),
        };
        Lanes {
            log: self.log,
            side_by_side: (0..lanes)
                .map(|lane| Lane {
                    source: Source::new(about(name(lane)), phase.clone()),
                    gate: Gate::new(self.gate, self.thresholds.residual, self.shape, 0),
                    recent: VecDeque::new(),
                    before: Before::default(),
                    clock: 0,
                    window: None,
                })
                .collect(),
            all: whole.map(|entity| Source::new(about(entity), phase.clone())),
            thresholds: self.thresholds,
            tell: self.tell,
        }
    }
}

impl Lanes<'_> {
    /// What the gate of an episode alone asks for: see [`Gate::asks_of_world`].
    pub fn asks(&mut self, control: bool, survival_on_risk: f64) -> Vec<Asked> {
        match &mut self.side_by_side[..] {
            [lane] => lane.gate.asks_of_world(control, survival_on_risk),
            _ => Vec::new(),
        }
    }

    /// Takes in what the world is told now.
    pub fn told(&mut self, entry: &Entry) {
        for lane in &mut self.side_by_side {
            lane.source.decide(lane.clock, &format!("told {}", entry.request.cmd), self.log);
            let said = lane.gate.told(entry);
            lane.say(said, self.log, self.tell);
        }
    }
}

impl Lane {
    /// What the gate of a cluster looks at, if it looks now: a mean of the last residuals where all are known.
    fn looked_at(&mut self, residual: Option<f64>) -> Option<Window> {
        self.recent.push_back(residual);
        if self.recent.len() > GATE_ROWS {
            self.recent.pop_front();
        }
        if self.recent.len() < GATE_ROWS || !self.clock.is_multiple_of(GATE_HOP) {
            return None;
        }
        let known: Option<Vec<f64>> = self.recent.iter().copied().collect();
        let residual = known.and_then(|known| summary::mean(&known));
        let signals = Signals { residual, ..Signals::default() };
        Some(Window { iter: self.clock / GATE_HOP, clock: self.clock, signals })
    }

    /// Tells what the gate has to say, in the log and to the user.
    fn say(&mut self, said: Option<Said>, log: &Log, tell: fn(&str)) {
        let Some(Said { state, why }) = said.filter(|_| self.gate.mode() != Mode::Off) else { return };
        self.source.decide(self.clock, &format!("gate {}", state.name()), log);
        tell(&format!("the gate of {} is {}: {why}", self.source.entity(), state.name()));
    }
}

impl Watches for Lanes<'_> {
    fn step(&mut self, lane: usize, telemetry: &Telemetry, acts: &[(u64, usize)]) {
        let lane = &mut self.side_by_side[lane];
        lane.clock += 1;
        let row = row(lane.clock, telemetry, lane.before.turns(acts));
        lane.window = lane.source.row(row, telemetry.risk.map(|risk| risk.1), self.log);
        let window = if telemetry.memory.is_some() { lane.looked_at(row.residual) } else { lane.window };
        if let Some(window) = &window {
            let said = lane.gate.window(window, lane.source.level(), 0);
            lane.say(said, self.log, self.tell);
        }
    }

    fn stepped(&mut self) {
        let Some(all) = &mut self.all else { return };
        let with_window = |lane: &Lane| lane.window.map(|window| (window, lane.source.unit(&window)));
        let (windows, units): (Vec<Window>, Vec<Unit>) =
            self.side_by_side.iter().filter_map(with_window).unzip();
        let Some(first) = windows.first() else { return };
        let (iter, clock) = (first.iter, first.clock);
        let mut fleet = fleet::fleet(&units, self.thresholds.residual);
        let numbers: Vec<usize> =
            (0..self.side_by_side.len()).filter(|&lane| self.side_by_side[lane].window.is_some()).collect();
        fleet.worst = fleet.worst.map(|unit| numbers[unit]);
        all.window_of(&Window { iter, clock, signals: over(&windows) }, Some(fleet), None, self.log);
        self.side_by_side.iter_mut().for_each(|lane| lane.window = None);
    }

    fn ended(&mut self, lane: usize, lost: bool) {
        let lane = &mut self.side_by_side[lane];
        lane.source.end(lane.clock, lost, self.log);
    }
}

/// Means over the lanes that know each signal, and the 95th percentile of their residuals.
fn over(windows: &[Window]) -> Signals {
    let known = |of: fn(&Signals) -> Option<f64>| -> Vec<f64> {
        windows.iter().filter_map(|window| of(&window.signals)).collect()
    };
    let mean = |values: Vec<f64>| summary::mean(&values);
    let residuals = known(|signals| signals.residual);
    Signals {
        residual_p95: summary::quantile(&residuals, 0.95),
        residual: mean(residuals),
        phase_diff: fleet::circular_mean(&known(|signals| signals.phase_diff)),
        entropy_rate: mean(known(|signals| signals.entropy_rate)),
        creative_band: mean(known(|signals| signals.creative_band)),
        risk_band: mean(known(|signals| signals.risk_band)),
        harmony_index: mean(known(|signals| signals.harmony_index)),
        coherence_level: mean(known(|signals| signals.coherence_level)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_acts_is_followed_by_number_and_not_by_place() {
        let mut before = Before::default();
        assert_eq!(before.turns(&[(7, 1), (3, 2)]), Transitions::default());
        // 3 goes on with 4, 7 is gone, 9 is new.
        let turns = before.turns(&[(9, 5), (3, 4)]);
        assert_eq!(turns.counts[2][4], 1);
        assert_eq!(turns.counts.as_flattened().iter().sum::<u32>(), 1);
    }

    #[test]
    fn lanes_have_means_and_a_95th_percentile() {
        let window = |residual: Option<f64>| Window {
            iter: 2,
            clock: 50,
            signals: Signals { residual, ..Signals::default() },
        };
        let values: Vec<Window> =
            (0..=20).map(|i| window(Some(f64::from(i) / 20.0))).chain([window(None)]).collect();
        let over = over(&values);
        assert!((over.residual.unwrap() - 0.5).abs() < 1e-12);
        assert!((over.residual_p95.unwrap() - 0.95).abs() < 1e-12);
        assert_eq!(over.phase_diff, None);
    }
}
