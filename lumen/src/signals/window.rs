//! Windows of rows, and the signals of a window.

use std::collections::VecDeque;

use super::entropy::Transitions;
use super::phase::{self, Phase};
use crate::event::Signals;

/// What a source hands over of one moment of its clock. What it does not know is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Row {
    /// The source's clock: updates, generations or steps, from 1.
    pub clock: u64,
    /// Nearness to the loss, in `[0, 1]`: see [`super::residual`].
    pub residual: Option<f64>,
    /// What is done against it: the share of lanes or gardeners that clean, scale or are replaced by control; in a
    /// training the learning rate over its schedule's value.
    pub effort: Option<f64>,
    /// Share of the decisions that were the agent's own, in `[0, 1]`; in a training the policy's entropy over that of
    /// uniform actions.
    pub own: Option<f64>,
    /// The world's risk, in a training the predicted one, in `[0, 1]`.
    pub risk: Option<f64>,
    /// How actions, or verdicts where there are none, followed each other at this moment.
    pub turns: Transitions,
}

/// How long windows are, in rows, and how many symbols there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Rows of a window.
    pub window: u64,
    /// Rows from the end of a window to that of the next.
    pub hop: u64,
    /// Symbols that [`Row::turns`] tells apart, or could.
    pub symbols: usize,
}

impl Shape {
    /// Of a training, whose clock counts updates.
    pub const TRAINING: Shape = Shape { window: 16, hop: 8, symbols: 4 };
    /// Of a garden, whose clock counts generations.
    pub const GARDEN: Shape = Shape { window: 50, hop: 25, symbols: 6 };
    /// Of a cluster, whose clock counts steps.
    pub const CLUSTER: Shape = Shape { window: 50, hop: 25, symbols: 6 };
    /// Of the drift experiment, whose clock counts steps.
    pub const DRIFT: Shape = Shape { window: 100, hop: 50, symbols: 4 };
}

/// A window that has come to its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Its index: the clock divided by the hop.
    pub iter: u64,
    /// The clock at its end.
    pub clock: u64,
    /// What it says.
    pub signals: Signals,
}

/// The last rows of a source.
#[derive(Clone, Debug)]
pub struct Windows {
    shape: Shape,
    phase: Phase,
    rows: VecDeque<Row>,
}

impl Windows {
    /// Without a row yet. Sources of one kind can share a `phase`.
    pub fn new(shape: Shape, phase: Phase) -> Windows {
        Windows { shape, phase, rows: VecDeque::new() }
    }

    /// Takes in a row; yields the window that ends with it, if one does. The clock is to grow; where it falls back, what
    /// was there before is forgotten.
    pub fn push(&mut self, row: Row) -> Option<Window> {
        if self.rows.back().is_some_and(|last| last.clock >= row.clock) {
            self.rows.clear();
        }
        self.rows.push_back(row);
        let kept = (phase::ROWS as u64).max(self.shape.window);
        while self.rows.front().is_some_and(|first| first.clock + kept <= row.clock) {
            self.rows.pop_front();
        }
        let whole = self.rows.len() as u64 >= self.shape.window;
        (whole && row.clock.is_multiple_of(self.shape.hop)).then(|| Window {
            iter: row.clock / self.shape.hop,
            clock: row.clock,
            signals: self.signals(row.clock),
        })
    }

    /// Signals of the rows up to `clock`.
    fn signals(&self, clock: u64) -> Signals {
        let within = || self.rows.iter().filter(|row| row.clock + self.shape.window > clock);
        let mean = |of: fn(&Row) -> Option<f64>| mean(within().map(of));
        let mut turns = Transitions::default();
        within().for_each(|row| turns.merge(&row.turns));
        let residual = mean(|row| row.residual);
        Signals {
            residual,
            residual_p95: None,
            phase_diff: self.phase_diff(),
            entropy_rate: turns.rate(self.shape.symbols),
            creative_band: mean(|row| row.own),
            risk_band: mean(|row| row.risk),
            harmony_index: residual.and_then(|mean| harmony(mean, within().map(|row| row.residual))),
            coherence_level: residual.map(coherence_level),
        }
    }

    /// The known residuals of the last window.
    pub fn residuals(&self) -> Vec<f64> {
        let clock = self.rows.back().map_or(0, |row| row.clock);
        let within = self.rows.iter().filter(|row| row.clock + self.shape.window > clock);
        within.filter_map(|row| row.residual).collect()
    }

    /// Of the last [`phase::ROWS`] rows, where all are known and follow each other.
    fn phase_diff(&self) -> Option<f64> {
        let (first, last) = (self.rows.front()?, self.rows.back()?);
        let whole = self.rows.len() == phase::ROWS && last.clock - first.clock + 1 == phase::ROWS as u64;
        if !whole {
            return None;
        }
        let series = |of: fn(&Row) -> Option<f64>| self.rows.iter().map(of).collect::<Option<Vec<f64>>>();
        self.phase.known(&series(|row| row.residual)?, &series(|row| row.effort)?)
    }
}

/// Mean of the known values, where at least half of them are.
fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let (mut sum, mut known, mut all) = (0.0, 0_u32, 0_u32);
    for value in values {
        all += 1;
        if let Some(value) = value {
            sum += value;
            known += 1;
        }
    }
    (known > 0 && 2 * known >= all).then(|| sum / f64::from(known))
}

/// 1 - 8 standard deviations (of the population) of the residual around its `mean`, not below 0.
fn harmony(around: f64, values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let squares = values.map(|value| value.map(|value| (value - around) * (value - around)));
    mean(squares).map(|variance| (1.0 - 8.0 * variance.sqrt()).max(0.0))
}

/// 1 - 2 |residual - 0.5|, not below 0.
fn coherence_level(residual: f64) -> f64 {
    (1.0 - 2.0 * (residual - 0.5).abs()).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { window: 4, hop: 2, symbols: 6 };

    fn row(clock: u64, residual: Option<f64>) -> Row {
        Row { clock, residual, own: Some(1.0), risk: residual, ..Row::default() }
    }

    #[test]
    fn a_window_ends_at_each_hop_once_there_are_rows_enough() {
        let mut windows = Windows::new(SHAPE, Phase::default());
        let ends = (1..=10).filter_map(|clock| windows.push(row(clock, Some(clock as f64 / 10.0))));
        let ends: Vec<(u64, u64, f64)> =
            ends.map(|window| (window.iter, window.clock, window.signals.residual.unwrap())).collect();
        assert_eq!(
            ends.iter().map(|end| (end.0, end.1)).collect::<Vec<_>>(),
            [(2, 4), (3, 6), (4, 8), (5, 10)]
        );
        // Of 0.3, 0.4, 0.5 and 0.6.
        assert!((ends[1].2 - 0.45).abs() < 1e-12);
    }

    #[test]
    fn harmony_and_coherence_are_those_of_the_seeds() {
        let mut windows = Windows::new(SHAPE, Phase::default());
        let signals = [0.4, 0.5, 0.4, 0.5]
            .into_iter()
            .zip(1..)
            .filter_map(|(r, clock)| windows.push(row(clock, Some(r))));
        let signals = signals.last().unwrap().signals;
        // The standard deviation is 0.05, the mean 0.45.
        assert!((signals.harmony_index.unwrap() - 0.6).abs() < 1e-12);
        assert!((signals.coherence_level.unwrap() - 0.9).abs() < 1e-12);
    }

    #[test]
    fn what_less_than_half_of_the_rows_know_is_not_known() {
        let mut windows = Windows::new(SHAPE, Phase::default());
        let known = [None, Some(0.5), None, Some(0.7), None, None];
        let ends: Vec<Signals> = known
            .into_iter()
            .zip(1..)
            .filter_map(|(r, clock)| windows.push(row(clock, r)))
            .map(|w| w.signals)
            .collect();
        assert!((ends[0].residual.unwrap() - 0.6).abs() < 1e-12);
        assert_eq!((ends[1].residual, ends[1].risk_band, ends[1].harmony_index), (None, None, None));
        assert_eq!(
            (ends[1].creative_band, ends[1].entropy_rate, ends[1].phase_diff),
            (Some(1.0), None, None)
        );
    }

    #[test]
    fn a_clock_that_falls_back_begins_anew() {
        let mut windows = Windows::new(SHAPE, Phase::default());
        for clock in 1..=7 {
            windows.push(row(clock, Some(0.9)));
        }
        let after = (5..=8).filter_map(|clock| windows.push(row(clock, Some(0.1))));
        let after: Vec<Window> = after.collect();
        assert_eq!(after.iter().map(|window| window.clock).collect::<Vec<_>>(), [8]);
        assert!((after[0].signals.residual.unwrap() - 0.1).abs() < 1e-12);
    }

    #[test]
    fn a_phase_needs_144_rows_that_are_known_and_move_together() {
        let angle = |i: u64| i as f64 * std::f64::consts::TAU / 8.0;
        let mut windows = Windows::new(Shape { window: 50, hop: 16, symbols: 6 }, Phase::default());
        let mut found = Vec::new();
        for clock in 1..=320 {
            let hole = clock == 165;
            let residual = (!hole).then(|| 0.5 + 0.1 * angle(clock).sin());
            let effort = Some(0.5 + 0.2 * (angle(clock) - 1.0).sin());
            let row = Row { clock, residual, effort, ..Row::default() };
            found.extend(windows.push(row).map(|window| (window.clock, window.signals.phase_diff)));
        }
        for (clock, phase) in found {
            let known = (144..165).contains(&clock) || clock >= 309;
            assert_eq!(phase.is_some(), known, "{clock}");
            assert!(phase.is_none_or(|phase| (phase + 1.0).abs() < 1e-9), "{clock}: {phase:?}");
        }
    }
}
