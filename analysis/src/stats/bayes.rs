//! What is believed of effects: a normal prior, estimates with known standard errors, and how probable it is that a
//! change of a setting improves several goals at once.
//!
//! With prior N(m, s²) and an estimate y of standard error e the posterior is N(v (m / s² + y / e²), v) with
//! v = 1 / (1 / s² + 1 / e²) (Gelman et al. 2013, "Bayesian data analysis", section 2.5). Effects are per unit of the
//! setting, sign included, so that what a step up and a step down did speaks of the same number. Standard errors come
//! from pairs of blocks or forks, where rows are not taken as independent; of a few pairs they are themselves uncertain, which
//! this leaves out.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use super::as_f64;
use super::draws::Drawn;

/// Draws that [`judge`] makes: a probability errs by half a percent at most.
pub const DRAWS: usize = 10_000;

/// A normal distribution of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Belief {
    /// In units of the goal per unit of the setting.
    pub mean: f64,
    /// Standard deviation, above 0, in the same units.
    pub sd: f64,
}

/// An estimate of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// In units of the goal per unit of the setting.
    pub effect: f64,
    /// Standard error, above 0, in the same units.
    pub se: f64,
}

/// Which way a goal gets better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// The lower the better.
    Lower,
    /// The higher the better.
    Higher,
}

/// What one goal of several is worth, and what was believed of it before.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    /// Of the effect of one unit of the setting.
    pub prior: Belief,
    /// How much a unit of the goal counts, at least 0.
    pub weight: f64,
    /// Which way it gets better.
    pub better: Better,
}

/// What is believed of a change of the setting.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judgement {
    /// Of each goal, in order, the effect of one unit.
    pub effects: Vec<Belief>,
    /// The probability that each goal gets better by the change.
    pub p_better: Vec<f64>,
    /// The probability that the weighted sum of what the goals get better by is above 0, of [`DRAWS`] draws.
    pub p_improves: f64,
    /// The mean of that sum, in weighted units.
    pub gain: f64,
    /// `p_improves` with half and with double the deviation of each prior: where they disagree the prior speaks.
    pub p_improves_with: [f64; 2],
}

impl Belief {
    /// What is believed after an estimate. `None` where a number is not finite or a deviation not above 0.
    #[must_use]
    pub fn after(self, measured: Measured) -> Option<Belief> {
        let finite = [self.mean, self.sd, measured.effect, measured.se].iter().all(|value| value.is_finite());
        if !finite || self.sd <= 0.0 || measured.se <= 0.0 {
            return None;
        }
        // In units of the smaller deviation, so that no square under- or overflows.
        let unit = self.sd.min(measured.se);
        let prior_weight = (unit / self.sd).powi(2);
        let weight = (unit / measured.se).powi(2);
        let total = prior_weight + weight;
        let mean = (prior_weight * self.mean + weight * measured.effect) / total;
        Some(Belief { mean, sd: unit / total.sqrt() })
    }

    /// The probability that the effect is above 0.
    pub fn above_zero(self) -> f64 {
        Normal::standard().cdf(self.mean / self.sd)
    }
}

impl Measured {
    /// The effect per unit where a change from `old` to `new` did `delta`, with the standard error `se`.
    ///
    /// `None` where nothing was changed, a number is not finite, or `se` is not above 0.
    pub fn per_unit(delta: f64, se: f64, old: f64, new: f64) -> Option<Measured> {
        let units = new - old;
        let measured = Measured { effect: delta / units, se: se / units.abs() };
        (measured.effect.is_finite() && measured.se.is_finite() && measured.se > 0.0).then_some(measured)
    }
}

impl Goal {
    /// +1 where more is better, -1 where less is.
    fn sign(self) -> f64 {
        match self.better {
            Better::Lower => -1.0,
            Better::Higher => 1.0,
        }
    }

    /// What is believed after all estimates, with the prior's deviation times `wider`.
    fn posterior(self, measured: &[Measured], wider: f64) -> Option<Belief> {
        let prior = Belief { mean: self.prior.mean, sd: self.prior.sd * wider };
        if !prior.mean.is_finite() || !prior.sd.is_finite() || prior.sd <= 0.0 {
            return None;
        }
        measured.iter().try_fold(prior, |belief, &estimate| belief.after(estimate))
    }
}

/// Judges a change of the setting by `change` units from what was measured of each goal, by draws under `seed`.
///
/// Errors of different goals are taken as independent. `None` for no goal, lists of different lengths, a `change` that
/// is 0 or not finite, a weight that is negative or not finite, or where [`Belief::after`] has none.
pub fn judge(goals: &[Goal], measured: &[Vec<Measured>], change: f64, seed: u64) -> Option<Judgement> {
    let weights = goals.iter().all(|goal| goal.weight.is_finite() && goal.weight >= 0.0);
    if goals.is_empty() || goals.len() != measured.len() || !weights || !change.is_finite() || change == 0.0 {
        return None;
    }
    let posteriors = |wider: f64| -> Option<Vec<Belief>> {
        goals.iter().zip(measured).map(|(goal, measured)| goal.posterior(measured, wider)).collect()
    };
    let effects = posteriors(1.0)?;
    let better = |(goal, effect): (&Goal, &Belief)| {
        let up = effect.above_zero();
        if goal.sign() * change > 0.0 { up } else { 1.0 - up }
    };
    let worth = |goal: &Goal| goal.weight * goal.sign() * change;
    Some(Judgement {
        p_better: goals.iter().zip(&effects).map(better).collect(),
        p_improves: p_improves(goals, &effects, worth, seed),
        gain: goals.iter().zip(&effects).map(|(goal, effect)| worth(goal) * effect.mean).sum(),
        p_improves_with: [
            p_improves(goals, &posteriors(0.5)?, worth, seed),
            p_improves(goals, &posteriors(2.0)?, worth, seed),
        ],
        effects,
    })
}

/// The share of draws in which the sum of what the effects are worth is above 0. The same draws for any beliefs, so
/// that two of them differ by what is believed alone.
fn p_improves(goals: &[Goal], effects: &[Belief], worth: impl Fn(&Goal) -> f64, seed: u64) -> f64 {
    let mut draws = Drawn::Effects.stream(seed, 0);
    let mut improved = 0;
    for _ in 0..DRAWS {
        let mut sum = 0.0;
        for (goal, effect) in goals.iter().zip(effects) {
            sum += worth(goal) * (effect.mean + effect.sd * draws.normal());
        }
        improved += usize::from(sum > 0.0);
    }
    as_f64(improved) / as_f64(DRAWS)
}

#[cfg(test)]
mod tests {
    use super::super::test_data::assert_close;
    use super::*;

    fn density(belief: Belief, x: f64) -> f64 {
        (-0.5 * ((x - belief.mean) / belief.sd).powi(2)).exp() / belief.sd
    }

    /// Bayes' rule itself, summed over a fine grid: prior times the likelihood of each estimate.
    fn on_a_grid(prior: Belief, measured: &[Measured]) -> (f64, f64, f64) {
        let (mut total, mut first, mut second, mut above) = (0.0, 0.0, 0.0, 0.0);
        let steps = 400_000;
        let reach = 12.0 * prior.sd;
        for i in 0..steps {
            let x = prior.mean - reach + 2.0 * reach * (f64::from(i) + 0.5) / f64::from(steps);
            let likelihood = |m: &Measured| density(Belief { mean: x, sd: m.se }, m.effect);
            let p = density(prior, x) * measured.iter().map(likelihood).product::<f64>();
            total += p;
            first += p * x;
            second += p * x * x;
            above += if x > 0.0 { p } else { 0.0 };
        }
        let mean = first / total;
        (mean, (second / total - mean * mean).sqrt(), above / total)
    }

    /// To the width of a cell of the grid over the deviation, 6e-5 prior deviations.
    #[test]
    fn posteriors_are_those_of_a_grid_integral() {
        let measured = |effect, se| Measured { effect, se };
        for (prior, estimates) in [
            (Belief { mean: -0.002, sd: 0.02 }, vec![measured(0.01, 0.02)]),
            (
                Belief { mean: 0.0, sd: 1.0 },
                vec![measured(1.0, 0.5), measured(-0.3, 0.8), measured(0.4, 2.0)],
            ),
            (Belief { mean: 0.5, sd: 1.0 }, vec![]),
            (Belief { mean: 0.0, sd: 1.0 }, vec![measured(-0.05, 0.1)]),
        ] {
            let goal = Goal { prior, weight: 1.0, better: Better::Higher };
            let found = goal.posterior(&estimates, 1.0).unwrap();
            let (mean, sd, above) = on_a_grid(prior, &estimates);
            assert_close(found.mean, mean, 1e-6 * prior.sd);
            assert_close(found.sd, sd, 1e-6 * prior.sd);
            // Half a cell may be on the wrong side of 0.
            assert_close(found.above_zero(), above, 3e-5 * prior.sd / sd);
        }
    }

    fn goals() -> ([Goal; 3], [Vec<Measured>; 3]) {
        let goal = |mean, weight, better| Goal { prior: Belief { mean, sd: 0.02 }, weight, better };
        let goals = [
            goal(-0.002, 1.2, Better::Lower),
            goal(0.002, 1.0, Better::Lower),
            goal(0.006, 0.8, Better::Higher),
        ];
        let measured = |effect, se| Measured { effect, se };
        (goals, [vec![measured(-0.01, 0.01)], vec![measured(0.012, 0.02), measured(0.004, 0.01)], vec![]])
    }

    /// A sum of independent normals is normal: its mean and deviation are known. Four errors of a share of 10,000.
    #[test]
    fn the_objective_improves_as_often_as_the_closed_form_says() {
        let (goals, measured) = goals();
        for change in [1.0, -0.5] {
            let found = judge(&goals, &measured, change, 3).unwrap();
            for (wider, p) in
                [(1.0, found.p_improves), (0.5, found.p_improves_with[0]), (2.0, found.p_improves_with[1])]
            {
                let (mut mean, mut variance) = (0.0, 0.0);
                for ((goal, measured), sign) in goals.iter().zip(&measured).zip([-1.0, -1.0, 1.0]) {
                    let prior = Belief { mean: goal.prior.mean, sd: wider * goal.prior.sd };
                    let effect = Goal { prior, ..*goal }.posterior(measured, 1.0).unwrap();
                    mean += goal.weight * sign * change * effect.mean;
                    variance += (goal.weight * change * effect.sd).powi(2);
                }
                let expected = Normal::standard().cdf(mean / variance.sqrt());
                assert_close(p, expected, 4.0 * (expected * (1.0 - expected) / as_f64(DRAWS)).sqrt());
                if wider == 1.0 {
                    assert_close(found.gain, mean, 1e-15);
                }
            }
        }
    }

    #[test]
    fn better_follows_the_goal_and_the_direction() {
        let (goals, measured) = goals();
        let up = judge(&goals, &measured, 1.0, 3).unwrap();
        let down = judge(&goals, &measured, -1.0, 3).unwrap();
        for i in 0..3 {
            assert_close(up.p_better[i] + down.p_better[i], 1.0, 1e-12);
        }
        assert!(up.p_better[0] > 0.5 && up.p_better[1] < 0.5 && up.p_better[2] > 0.5, "{up:?}");
        assert_eq!(up, judge(&goals, &measured, 1.0, 3).unwrap());
    }

    /// What a step up did and what the step down again did are the same number.
    #[test]
    fn a_step_and_its_reversal_agree() {
        let up = Measured::per_unit(0.4, 0.1, 0.30, 0.34).unwrap();
        let down = Measured::per_unit(-0.4, 0.1, 0.34, 0.30).unwrap();
        assert_close(up.effect, 10.0, 1e-9);
        assert_close(up.se, 2.5, 1e-9);
        assert_eq!(up, down);
        assert_eq!(Measured::per_unit(0.4, 0.1, 0.3, 0.3), None);
        assert_eq!(Measured::per_unit(0.4, 0.0, 0.3, 0.4), None);
    }

    #[test]
    fn undefined_judgements_are_none() {
        let (goals, measured) = goals();
        assert_eq!(judge(&[], &[], 1.0, 1), None);
        assert_eq!(judge(&goals, &measured[..2], 1.0, 1), None);
        assert_eq!(judge(&goals, &measured, 0.0, 1), None);
        let broken = |change: fn(&mut Goal)| {
            let mut goals = goals;
            change(&mut goals[2]);
            judge(&goals, &measured, 1.0, 1)
        };
        assert_eq!(broken(|goal| goal.prior.sd = 0.0), None);
        assert_eq!(broken(|goal| goal.prior.mean = f64::NAN), None);
        assert_eq!(broken(|goal| goal.weight = -1.0), None);
        let prior = Belief { mean: 0.0, sd: 1.0 };
        assert_eq!(prior.after(Measured { effect: f64::NAN, se: 1.0 }), None);
        assert_eq!(prior.after(Measured { effect: 1.0, se: 0.0 }), None);
        // Deviations whose squares underflow.
        let tiny = Belief { mean: 0.0, sd: 1e-200 }.after(Measured { effect: 1e-200, se: 1e-200 }).unwrap();
        assert_close(tiny.mean * 1e200, 0.5, 1e-12);
    }
}
