//! What the estimators of the lab say where nothing happens, where something does, and on plants whose truth forks tell: the
//! tables that say what a verdict is worth before one is believed (LUMEN F, "null, power, truth").

use rayon::prelude::*;
use resonetics_analysis::stats::Interval;
use resonetics_analysis::stats::bandit::Verdict;
use resonetics_analysis::stats::blocks::{Blocks, orders};
use resonetics_analysis::stats::noise::{NOISES, Noise};
use resonetics_analysis::stats::sign_flip::{SignFlip, sign_flip};
use resonetics_analysis::stats::summary::mean;
use resonetics_analysis::stats::trials::{Estimator, Tally, bandit_trial};
use resonetics_envs::stream::lane_seed;
use resonetics_runs::setup::Setup;
use resonetics_runs::{Error, interrupt};
use serde_json::{Value, json};

use super::plant::{Plant, Row};

/// What an estimator said of many series.
pub struct Told {
    pub estimator: String,
    pub noise: String,
    /// What was put in, in standard deviations of a row.
    pub effect: f64,
    pub tally: Tally,
    /// The largest share of effects told that is allowed where there is none; none where it is only shown.
    pub allowed: Option<f64>,
}

/// Effects that power is shown for, in standard deviations of a row.
const EFFECTS: [f64; 2] = [0.5, 1.0];

/// False alarms and power of each estimator on noise of each kind.
///
/// # Errors
/// [`Error::Interrupted`].
pub fn noise(tries: u64, seed: u64) -> Result<Vec<Told>, Error> {
    let effects = std::iter::once(0.0).chain(EFFECTS);
    let asked: Vec<(Estimator, Noise, f64)> = effects
        .flat_map(|effect| Estimator::ALL.map(|estimator| (estimator, effect)))
        .flat_map(|(estimator, effect)| NOISES.map(|noise| (estimator, noise, effect)))
        .collect();
    let mut told = asked
        .into_par_iter()
        .map(|(estimator, noise, effect)| {
            interrupt::check()?;
            let tally = estimator.trials(&noise, effect, tries, seed);
            let allowed = allowed(estimator, &noise).filter(|_| effect == 0.0);
            Ok(Told {
                estimator: estimator.name().to_owned(),
                noise: noise.name.to_owned(),
                effect,
                tally,
                allowed,
            })
        })
        .collect::<Result<Vec<Told>, Error>>()?;
    for (means, effect, allowed) in [([0.0; 3], 0.0, Some(0.075)), ([0.0, 0.05, 0.0], 1.0, None)] {
        let called = |index: &u64| {
            bandit_trial(&means, 0.05, seed, *index)
                .is_some_and(|(verdict, _)| matches!(verdict, Verdict::Best(_)))
        };
        let count = (0..tries).into_par_iter().filter(called).count() as u64;
        let tally = Tally { times: tries, said: tries, told: count, held: 0 };
        let noise = "three arms, independent rewards".to_owned();
        told.push(Told { estimator: "bandit".to_owned(), noise, effect, tally, allowed });
    }
    Ok(told)
}

/// The bounds of LUMEN F3, F9 and 0.3; what decides nothing has none.
fn allowed(estimator: Estimator, noise: &Noise) -> Option<f64> {
    match estimator {
        // A jump at the time of the event looks like the event to whoever has one event.
        Estimator::Placebo => (noise.jump == 0.0).then_some(0.07),
        Estimator::Pairs => Some(0.05),
        Estimator::Naive | Estimator::Serial | Estimator::Impact => None,
    }
}

/// A change of a knob on a plant.
#[derive(Clone, Copy)]
pub struct Change {
    pub name: &'static str,
    pub env: &'static str,
    pub agent: &'static str,
    sets: &'static [&'static str],
    pub knob: &'static str,
    /// Without and with it.
    values: [fn() -> Value; 2],
}

impl Change {
    /// The two values of the knob, as they are written.
    pub fn told(&self) -> String {
        let [from, to] = self.values.map(|value| value().to_string());
        format!("{from} -> {to}")
    }
}

/// The plants that are tried.
pub const CHANGES: [Change; 4] = [
    Change {
        name: "control where it is known to help: a random agent in the storm",
        env: "storm",
        agent: "random",
        sets: &[],
        knob: "control.enabled",
        values: [|| json!(false), || json!(true)],
    },
    Change {
        name: "control where it is known to harm: the heuristic at four times the drift",
        env: "reference",
        agent: "heuristic",
        sets: &["mem_drift_mu=0.02"],
        knob: "control.enabled",
        values: [|| json!(false), || json!(true)],
    },
    Change {
        name: "a placebo: a risk from which on everything is survival, that is never reached",
        env: "storm",
        agent: "random",
        sets: &["control.enabled=true"],
        knob: "control.survival_on_risk",
        values: [|| json!(1.9), || json!(2.0)],
    },
    Change {
        name: "a placebo: the same value again",
        env: "storm",
        agent: "random",
        sets: &[],
        knob: "mem_drift_mu",
        values: [|| json!(0.008), || json!(0.008)],
    },
];

/// How long a change is tried.
#[derive(Clone, Copy)]
pub struct Size {
    /// Lanes of the plant.
    pub lanes: usize,
    /// Pairs of blocks.
    pub pairs: usize,
    /// In steps.
    pub blocks: Blocks,
    /// Steps of a fork, behind the washout.
    pub fork: usize,
}

/// That of the tables: with a washout of 200 steps the effect of control in the storm comes out a sixth too small.
pub const SIZE: Size = Size { lanes: 256, pairs: 8, blocks: Blocks { rows: 1600, washout: 600 }, fork: 4000 };

/// What was found on a plant in one try.
pub struct Tried {
    /// Losses per 1,000 lane-steps: with less without the change, by pairs of blocks; and their test.
    pub pairs: SignFlip,
    /// The same of two futures with the same noise: the truth of this seed.
    pub fork: f64,
}

/// Tries a change by pairs of blocks on plants of different seeds, each beside its fork.
///
/// # Errors
/// [`Error::Interrupted`]; that a plant cannot be had.
pub fn truth(change: &Change, size: &Size, tries: u64, seed: u64) -> Result<Vec<Tried>, Error> {
    (0..tries)
        .into_par_iter()
        .map(|number| {
            interrupt::check()?;
            let seed = lane_seed(seed, number);
            Ok(Tried { pairs: by_pairs(change, size, seed)?, fork: by_fork(change, size, seed)? })
        })
        .collect()
}

fn plant(change: &Change, size: &Size, seed: u64) -> Result<Plant, Error> {
    let sets: Vec<String> = change.sets.iter().map(|set| (*set).to_owned()).collect();
    let env = Setup::preset("k8s", change.env)?.with(None, &sets)?;
    Plant::new(&env, change.agent, size.lanes, seed)
}

impl Size {
    /// Losses per 1,000 lane-steps.
    fn losses(&self, row: &Row) -> f64 {
        1e3 * f64::from(row.losses) / self.lanes as f64
    }
}

fn by_pairs(change: &Change, size: &Size, seed: u64) -> Result<SignFlip, Error> {
    let mut plant = plant(change, size, seed)?;
    // Lanes begin together: let them lose each other first.
    plant.steps(size.blocks.washout)?;
    let with_first = orders(size.pairs, seed);
    let mut series = Vec::with_capacity(2 * size.pairs * size.blocks.rows);
    for &with_first in &with_first {
        for with in [with_first, !with_first] {
            plant.set(change.knob, &change.values[usize::from(with)]())?;
            series.extend(plant.steps(size.blocks.rows)?.iter().map(|row| size.losses(row)));
        }
    }
    let failed = || Error::Failed("eight pairs of blocks have a test; please report this".to_owned());
    let differences = size.blocks.differences(&series, &with_first).ok_or_else(failed)?;
    sign_flip(&differences, seed).ok_or_else(failed)
}

fn by_fork(change: &Change, size: &Size, seed: u64) -> Result<f64, Error> {
    let future = |value: Value| {
        let mut plant = plant(change, size, seed)?;
        plant.steps(size.blocks.washout)?;
        plant.set(change.knob, &value)?;
        let rows = plant.steps(size.blocks.washout + size.fork)?;
        let values: Vec<f64> = rows[size.blocks.washout..].iter().map(|row| size.losses(row)).collect();
        Ok::<f64, Error>(mean(&values).unwrap_or(f64::NAN))
    };
    let [without, with] = change.values;
    Ok(future(with())? - future(without())?)
}

/// What many tries of a change came to.
pub struct Verdicts {
    pub tries: usize,
    /// Fewer losses, more, or none of both at the level of 5%.
    pub helps: usize,
    pub harms: usize,
    pub nothing: usize,
    /// Mean effect by pairs, and by forks with its standard error.
    pub estimate: f64,
    pub truth: f64,
    pub truth_error: f64,
    /// Intervals of the pairs that hold the mean of the forks.
    pub held: usize,
}

impl Verdicts {
    pub fn of(tried: &[Tried]) -> Verdicts {
        let forks: Vec<f64> = tried.iter().map(|one| one.fork).collect();
        let truth = mean(&forks).unwrap_or(f64::NAN);
        let squares: f64 = forks.iter().map(|fork| (fork - truth).powi(2)).sum();
        let n = tried.len() as f64;
        let told = |one: &&Tried| one.pairs.p <= 0.05;
        let helps = tried.iter().filter(told).filter(|one| one.pairs.mean < 0.0).count();
        let harms = tried.iter().filter(told).filter(|one| one.pairs.mean > 0.0).count();
        let holds = |ends: Interval| ends.low <= truth && truth <= ends.high;
        Verdicts {
            tries: tried.len(),
            helps,
            harms,
            nothing: tried.len() - helps - harms,
            estimate: mean(&tried.iter().map(|one| one.pairs.mean).collect::<Vec<_>>()).unwrap_or(f64::NAN),
            truth,
            truth_error: (squares / (n - 1.0) / n).sqrt(),
            held: tried.iter().filter(|one| one.pairs.interval.is_some_and(holds)).count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the tables say of two hundred larger tries (`results/lab`).
    #[test]
    fn the_lab_finds_help_and_harm_and_no_placebo() {
        let size = Size { lanes: 64, pairs: 8, blocks: Blocks { rows: 400, washout: 200 }, fork: 1000 };
        let of = |change: usize| Verdicts::of(&truth(&CHANGES[change], &size, 2, 1).unwrap());
        let (helps, harms, placebo, same) = (of(0), of(1), of(2), of(3));
        assert_eq!((helps.helps, helps.truth < 0.0), (2, true));
        // Two tries of this size seldom show it, and never the opposite.
        assert_eq!(harms.helps, 0);
        // A fork of what does nothing is the same to the bit.
        assert_eq!((placebo.truth, same.truth), (0.0, 0.0));
    }

    #[test]
    fn verdicts_are_counted_as_they_are() {
        let one = |mean: f64, p: f64, fork: f64| Tried {
            pairs: SignFlip {
                pairs: 8,
                mean,
                p,
                exact: true,
                interval: Some(Interval { low: mean - 1.0, high: mean + 1.0 }),
            },
            fork,
        };
        let verdicts = Verdicts::of(&[one(-2.0, 0.01, -3.0), one(1.5, 0.04, 0.0), one(-5.0, 0.06, 0.0)]);
        assert_eq!((verdicts.helps, verdicts.harms, verdicts.nothing), (1, 1, 1));
        assert_eq!((verdicts.truth, verdicts.held), (-1.0, 1));
        // Of -3, 0 and 0 the deviation is sqrt(3).
        assert!((verdicts.truth_error - 1.0).abs() < 1e-12);
    }
}
