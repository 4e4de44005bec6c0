//! Trials of estimators: a series in which nothing happened, or what was put into it, and what is said of it. For
//! tables of false alarms and of power, which say what a verdict is worth before one is believed.

use serde::Serialize;

use super::Interval;
use super::bandit::{Bandit, NormalInverseGamma, Rules, Verdict};
use super::blocks::{Blocks, orders};
use super::draws::Drawn;
use super::local_level::Changed;
use super::noise::{NOISES, Noise};
use super::placebo::{Windows, placebo};
use super::serial::difference_of_means;
use super::sign_flip::sign_flip;
use super::student::welch_interval_among;

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Estimator {
    /// Welch's interval of two windows of 600 rows, as if rows were independent: what not to do.
    Naive,
    /// The interval of the same windows that knows that rows are alike ([`super::serial`]).
    Serial,
    /// Windows of 150 rows among those of 141 pseudo-times, 30 rows apart ([`super::placebo`]).
    Placebo,
    /// Eight pairs of blocks of 100 rows, of which 20 are dropped ([`super::sign_flip`]).
    Pairs,
    /// One lane of three, 200 rows before and 90 after a washout of 10 ([`super::local_level`]). The noise is the
    /// lane's own, with a deviation of 0.3; all lanes share AR(1) noise of deviation 1, and the lane's level wanders by 0.02 a row.
    Impact,
}

/// What was said in one trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Trial {
    /// Whether an effect was told, at the level of 5%.
    pub told: bool,
    /// Whether the 95% interval held what was put in; `None` where there is no interval.
    pub held: Option<bool>,
}

/// What was said in many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Trials.
    pub times: u64,
    /// Trials of which anything was said.
    pub said: u64,
    /// Those in which an effect was told.
    pub told: u64,
    /// Those whose interval held what was put in.
    pub held: u64,
}

impl Estimator {
    /// All of them, in the order of tables.
    pub const ALL: [Estimator; 5] =
        [Estimator::Naive, Estimator::Serial, Estimator::Placebo, Estimator::Pairs, Estimator::Impact];

    /// What tables call it.
    pub fn name(self) -> &'static str {
        match self {
            Estimator::Naive => "naive interval",
            Estimator::Serial => "Newey-West interval",
            Estimator::Placebo => "placebo times",
            Estimator::Pairs => "8 pairs",
            Estimator::Impact => "causal impact",
        }
    }

    /// The trial number `index` under `seed`: noise with `effect` added where the change was, in the units of the
    /// rows. `None` where nothing is said.
    pub fn trial(self, noise: &Noise, effect: f64, seed: u64, index: u64) -> Option<Trial> {
        match self {
            Estimator::Naive => {
                let (pre, post) = windows(noise, effect, seed, index);
                Some(of_interval(welch_interval_among(&post, &pre, 1)?, effect))
            }
            Estimator::Serial => {
                let (pre, post) = windows(noise, effect, seed, index);
                Some(of_interval(difference_of_means(&pre, &post)?.interval, effect))
            }
            Estimator::Placebo => placebo_trial(noise, effect, seed, index),
            Estimator::Pairs => pairs_trial(noise, effect, seed, index),
            Estimator::Impact => impact_trial(noise, effect, seed, index),
        }
    }

    /// The first `times` trials under `seed`.
    pub fn trials(self, noise: &Noise, effect: f64, times: u64, seed: u64) -> Tally {
        let mut tally = Tally { times, ..Tally::default() };
        for index in 0..times {
            if let Some(trial) = self.trial(noise, effect, seed, index) {
                tally.said += 1;
                tally.told += u64::from(trial.told);
                tally.held += u64::from(trial.held == Some(true));
            }
        }
        tally
    }
}

fn of_interval(ends: Interval, effect: f64) -> Trial {
    Trial { told: ends.low > 0.0 || ends.high < 0.0, held: Some(ends.low <= effect && effect <= ends.high) }
}

/// Adds `effect` to the rows of a part of a series.
fn add(rows: &mut [f64], effect: f64) {
    for row in rows {
        *row += effect;
    }
}

fn windows(noise: &Noise, effect: f64, seed: u64, index: u64) -> (Vec<f64>, Vec<f64>) {
    let mut pre = noise.series(1_200, seed, index);
    let mut post = pre.split_off(600);
    add(&mut post, effect);
    (pre, post)
}

fn placebo_trial(noise: &Noise, effect: f64, seed: u64, index: u64) -> Option<Trial> {
    let windows = Windows { rows: 150, washout: 0 };
    let mut series = noise.series(4_650, seed, index);
    add(&mut series[4_500..], effect);
    let found = windows.effect(&series, 4_500)?;
    let placebo = placebo(&series[..4_500], &[], windows, found)?;
    Some(Trial { told: placebo.p <= 0.05, held: None })
}

fn pairs_trial(noise: &Noise, effect: f64, seed: u64, index: u64) -> Option<Trial> {
    let blocks = Blocks { rows: 100, washout: 20 };
    let b_first = orders(8, seed.wrapping_add(index));
    let mut series = noise.series(1_600, seed, index);
    for (pair, &b_first) in b_first.iter().enumerate() {
        let begin = 200 * pair + if b_first { 0 } else { 100 };
        add(&mut series[begin..begin + 100], effect);
    }
    let found = sign_flip(&blocks.differences(&series, &b_first)?, seed)?;
    let held = found.interval.map(|ends| ends.low <= effect && effect <= ends.high);
    Some(Trial { told: found.p <= 0.05, held })
}

fn impact_trial(noise: &Noise, effect: f64, seed: u64, index: u64) -> Option<Trial> {
    let common = NOISES[1].series(300, seed, 4 * index);
    let sister = |number: u64| -> Vec<f64> {
        let own = NOISES[0].series(300, seed, 4 * index + number);
        common.iter().zip(own).map(|(common, own)| common + 0.3 * own).collect()
    };
    let (first, second) = (sister(1), sister(2));
    let own = noise.series(300, seed, 4 * index + 3);
    let mut steps = Drawn::Noise.stream(seed.wrapping_add(1), index);
    let mut level = 0.0;
    let mut series = Vec::with_capacity(300);
    for (common, own) in common.iter().zip(own) {
        level += 0.02 * steps.normal();
        series.push(level + common + 0.3 * own);
    }
    add(&mut series[200..], effect);
    let changed = Changed { series: &series, controls: &[&first, &second], event: 200, washout: 10 };
    Some(of_interval(changed.impact(index).ok()?.interval, effect))
}

/// What a bandit with its usual prior and rules finds of arms whose rewards scatter about `means` by `deviation`, in
/// the trial number `index` under `seed`; with how many pulls. `None` for fewer than two arms.
pub fn bandit_trial(means: &[f64], deviation: f64, seed: u64, index: u64) -> Option<(Verdict, usize)> {
    let (prior, rules) = (NormalInverseGamma::default(), Rules::default());
    let mut bandit = Bandit::new(seed.wrapping_add(index), means.len(), prior, rules)?;
    let mut draws = Drawn::Noise.stream(seed, index);
    while let Some(arm) = bandit.next_arm() {
        bandit.record(Some(means[arm] + deviation * draws.normal()));
    }
    Some((bandit.verdict(), bandit.pulls.len()))
}
