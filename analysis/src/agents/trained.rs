//! Trained agents whose trainings differ in the seed alone: a training is one value, not each of its episodes.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::agent::{Agent, Comparison, paired};
use crate::read::episodes::{Played, Recipe};
use crate::report::of_seeds;
use crate::stats::Interval;
use crate::stats::student::{mean_interval, mean_interval_with, summed_interval};
use crate::stats::summary::{interquartile_mean, mean, quantile, standard_deviation};

/// One agent, or those of several trainings that differ in the seed alone.
#[derive(Clone, Debug, Serialize)]
pub struct Side {
    /// The agent's name, or what the trainings are called together.
    pub name: String,
    /// The agents.
    pub members: Vec<String>,
    /// Mean return, over trainings where there are several.
    pub mean: Option<f64>,
    /// Its 95% interval: over episodes, and where there are several over trainings too.
    pub mean_interval: Option<Interval>,
    /// Interquartile mean of the returns; of several trainings the mean of theirs.
    pub iqm: Option<f64>,
    /// Its 95% interval, as that of the mean.
    pub iqm_interval: Option<Interval>,
    /// How several trainings compare with the baseline.
    pub against_baseline: Option<Comparison>,
    #[serde(skip)]
    pub(super) played: Vec<Played>,
}

impl Side {
    /// How its agents came about.
    pub(super) fn recipes(&self) -> Vec<&Recipe> {
        self.played.iter().filter_map(|played| played.recipe.as_ref()).collect()
    }
}

/// All `agents` in the order in which they come, those of trainings that differ in the seed alone together.
pub(super) fn sides(agents: &[Agent]) -> Vec<Side> {
    let side = |members: &Vec<&Agent>| match &members[..] {
        [one] => Side {
            name: one.name.clone(),
            members: vec![one.name.clone()],
            mean: one.mean,
            mean_interval: one.mean_interval,
            iqm: one.iqm,
            iqm_interval: one.iqm_interval,
            against_baseline: None,
            played: vec![one.played.clone()],
        },
        several => together(several.iter().map(|agent| agent.played.clone()).collect()),
    };
    grouped(agents.iter(), |agent| agent.played.training.as_deref()).iter().map(side).collect()
}

/// The trained agents among `played`, those of trainings that differ in the seed alone together. Several are
/// compared with the agent called `baseline`, unless it is one of them.
pub fn trained_sides(played: &[Played], baseline: &str) -> Vec<Side> {
    let base = played.iter().find(|played| played.agent == baseline);
    let trained = played.iter().filter(|played| played.training.is_some());
    grouped(trained, |played| played.training.as_deref())
        .into_iter()
        .map(|members| {
            let side = together(members.into_iter().cloned().collect());
            let other = base.filter(|base| side.members.len() > 1 && !side.members.contains(&base.agent));
            let against_baseline = other.map(|base| beside(&side.played, std::slice::from_ref(base)));
            Side { against_baseline, ..side }
        })
        .collect()
}

/// Those with the same training together; those without one alone.
fn grouped<'a, T>(
    all: impl Iterator<Item = &'a T>,
    training: impl Fn(&'a T) -> Option<&'a str>,
) -> Vec<Vec<&'a T>> {
    let mut groups: Vec<Vec<&T>> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for one in all {
        let next = groups.len();
        let place = training(one).map_or(next, |training| *places.entry(training).or_insert(next));
        if place == next {
            groups.push(Vec::new());
        }
        groups[place].push(one);
    }
    groups
}

fn together(played: Vec<Played>) -> Side {
    let members: Vec<String> = played.iter().map(|played| played.agent.clone()).collect();
    let name = of_seeds(&members);
    let all = |of: fn(&[f64]) -> Option<f64>| -> Option<Vec<f64>> {
        played.iter().map(|played| of(&played.returns)).collect()
    };
    let (means, iqms) = (all(mean), all(interquartile_mean));
    Side {
        name,
        members,
        mean: means.as_deref().and_then(mean),
        mean_interval: means.and_then(|means| over_trainings(&means, &played, Luck::OfMean)),
        iqm: iqms.as_deref().and_then(mean),
        iqm_interval: iqms.and_then(|iqms| over_trainings(&iqms, &played, Luck::OfMiddle)),
        against_baseline: None,
        played,
    }
}

/// What the luck of the episodes moves.
#[derive(Clone, Copy)]
enum Luck {
    OfMean,
    OfMiddle,
}

/// The interval of the mean of `values`, one of each training. Its error is that of the trainings and, where they
/// played the same seeds, that of the episodes, which were lucky for all of them alike: how far trainings lie apart
/// does not show it. `None` if trainings that share their one episode leave it unknown.
fn over_trainings(values: &[f64], played: &[Played], luck: Luck) -> Option<Interval> {
    let trainings = mean_interval(values)?;
    let winsorized: Vec<Played> = match luck {
        Luck::OfMean => Vec::new(),
        Luck::OfMiddle => played.iter().map(middle).collect::<Option<_>>()?,
    };
    let rows = in_common(if winsorized.is_empty() { played } else { &winsorized });
    if rows.is_empty() {
        return Some(trainings);
    }
    let by_episode: Vec<f64> = rows.iter().map(|row| mean(row)).collect::<Option<_>>()?;
    let (mut shared, mut freedom) = error(&by_episode)?;
    if let Luck::OfMiddle = luck {
        // Half of the values are in the mean (Tukey and McLaughlin 1963).
        shared *= 4.0;
        freedom -= 2.0 * (rows.len() / 4) as f64;
    }
    // Of episodes that are not shared the luck is each training's own.
    let each = played.iter().map(|played| played.returns.len()).sum::<usize>() as f64 / played.len() as f64;
    shared *= (rows.len() as f64 / each).powi(2).min(1.0);
    mean_interval_with(values, (shared, freedom))
}

/// The same with its returns drawn in to their quartiles, by which they move the interquartile mean.
fn middle(played: &Played) -> Option<Played> {
    let [low, high] = [0.25, 0.75].map(|q| quantile(&played.returns, q));
    let (low, high) = (low?, high?);
    let returns = played.returns.iter().map(|score| score.clamp(low, high)).collect();
    Some(Played { returns, ..played.clone() })
}

/// The error of the mean of `values` as a variance, with its degrees of freedom.
fn error(values: &[f64]) -> Option<(f64, f64)> {
    let n = values.len() as f64;
    Some((standard_deviation(values)?.powi(2) / n, n - 1.0))
}

/// The returns on each seed that all of `all` played, one of each.
fn in_common(all: &[Played]) -> Vec<Vec<f64>> {
    let by_seed: Vec<HashMap<u64, f64>> = all
        .iter()
        .map(|played| played.seeds.iter().copied().zip(played.returns.iter().copied()).collect())
        .collect();
    let mut told = HashSet::new();
    let first = all.first().map_or(&[][..], |first| &first.seeds);
    let seeds = first.iter().filter(|seed| told.insert(**seed));
    seeds.filter_map(|seed| by_seed.iter().map(|played| played.get(seed).copied()).collect()).collect()
}

/// The mean difference on the seeds that all of `x` and `y` played, each of them the trainings of one side.
///
/// Its error is that of the trainings, other seeds of which would do differently, and that of the episodes, which
/// all trainings of one side share with the other side: one baseline that was lucky in its episodes is lucky
/// beside each of them. What both have in common is counted twice, which makes the interval a little wide.
pub(super) fn beside(x: &[Played], y: &[Played]) -> Comparison {
    if let ([x], [y]) = (x, y) {
        return paired(x, y);
    }
    let all: Vec<Played> = x.iter().chain(y).cloned().collect();
    let rows = in_common(&all);
    let by_episode: Option<Vec<f64>> =
        rows.iter().map(|row| Some(mean(&row[..x.len()])? - mean(&row[x.len()..])?)).collect();
    let by_training = |range: std::ops::Range<usize>| -> Option<Vec<f64>> {
        range.map(|i| mean(&rows.iter().map(|row| row[i]).collect::<Vec<_>>())).collect()
    };
    let difference = by_episode.as_deref().and_then(mean);
    let interval = || {
        let mut errors = vec![error(by_episode.as_deref()?)?];
        for side in [0..x.len(), x.len()..x.len() + y.len()] {
            if side.len() > 1 {
                errors.push(error(&by_training(side)?)?);
            }
        }
        summed_interval(difference?, &errors)
    };
    Comparison { pairs: rows.len(), difference, difference_interval: interval(), ..Comparison::default() }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};
    use statrs::distribution::{ContinuousCDF, Normal};

    use super::*;

    #[track_caller]
    fn assert_close(found: f64, expected: f64, tolerance: f64) {
        assert!((found - expected).abs() <= tolerance, "{found}, by hand {expected}");
    }

    fn played(agent: &str, training: Option<&str>, returns: &[f64]) -> Played {
        Played {
            agent: agent.to_owned(),
            training: training.map(str::to_owned),
            episodes: returns.len() as u64,
            seeds: (0..returns.len() as u64).collect(),
            returns: returns.to_vec(),
            ..Played::default()
        }
    }

    // By hand: means of 10, 13 and 19, variance 21 / 3 with 2 degrees of freedom; per episode 12 and 16 on average,
    // variance 8 / 2 with 1; scipy 1.17.1: 14 -+ t.ppf(0.975, 121 / 40.5) * sqrt(7 + 4) is narrower than
    // ttest_1samp([10, 13, 19], 0).confidence_interval(), which is kept. The difference by hand: 14 - 4 with the variances 7 (three trainings) and, over the two episodes, (9 - 11)^2 / 2 / 2 = 1.
    #[test]
    fn a_training_is_one_value() {
        let all = [
            played("random", None, &[3.0, 5.0]),
            played("prophet:a", Some("x"), &[9.0, 11.0]),
            played("prophet:b", Some("x"), &[10.0, 16.0]),
            played("prophet:c", Some("x"), &[17.0, 21.0]),
            played("prophet:d", Some("y"), &[1.0, 2.0]),
        ];
        let [three, one] = &trained_sides(&all, "random")[..] else { panic!("two sides") };
        assert_eq!(
            (three.name.as_str(), three.mean),
            ("prophet:a, prophet:b, prophet:c (3 seeds)", Some(14.0))
        );
        let ends = three.mean_interval.unwrap();
        assert_close(ends.low, 2.616_250_899, 1e-6);
        assert_close(ends.high, 25.383_749_101, 1e-6);
        let beside = three.against_baseline.as_ref().unwrap();
        assert_eq!((beside.pairs, beside.difference), (2, Some(10.0)));
        let ends = beside.difference_interval.unwrap();
        let expected = summed_interval(10.0, &[(1.0, 1.0), (7.0, 2.0)]).unwrap();
        assert_close(ends.low, expected.low, 1e-9);
        assert_eq!((one.name.as_str(), one.against_baseline.is_none()), ("prophet:d", true));
        let within = &trained_sides(&all, "prophet:b")[0];
        assert!(within.against_baseline.is_none(), "no training is compared with its own kind");
    }

    /// Five trainings that share their ten episodes, whose luck is larger than what parts the trainings: 95% of the
    /// intervals hold the mean over all trainings and episodes. Over the trainings alone not half of them do.
    #[test]
    fn the_luck_that_trainings_share_is_in_their_interval() {
        let rng = &mut StdRng::seed_from_u64(16);
        let normal = |rng: &mut StdRng| Normal::standard().inverse_cdf(rng.random::<f64>());
        for (of_training, of_episode) in [(1.0, 4.0), (4.0, 1.0), (2.0, 8.0)] {
            let (mut means, mut middles) = (0, 0);
            for _ in 0..400 {
                let luck: Vec<f64> = (0..10).map(|_| of_episode * normal(rng)).collect();
                let trainings = (0..5).map(|number| {
                    let skill = of_training * normal(rng);
                    let returns: Vec<f64> = luck.iter().map(|luck| skill + luck + normal(rng)).collect();
                    played(&format!("prophet:{number}"), Some("x"), &returns)
                });
                let side = together(trainings.collect());
                let held =
                    |ends: Option<Interval>| ends.is_some_and(|ends| ends.low <= 0.0 && 0.0 <= ends.high);
                means += u32::from(held(side.mean_interval));
                middles += u32::from(held(side.iqm_interval));
            }
            for (what, held) in [("mean", means), ("interquartile mean", middles)] {
                assert!((370..=398).contains(&held), "{what}, {of_training}, {of_episode}: {held} of 400");
            }
        }
    }

    /// Trainings that played other seeds each share no luck; those that share their one episode share it unknown.
    #[test]
    fn only_shared_episodes_are_shared_luck() {
        let of = |agent: &str, seed: u64, score: f64| Played {
            seeds: vec![seed],
            ..played(agent, Some("x"), &[score])
        };
        let apart = together(vec![of("a", 1, 50.0), of("b", 2, 55.0), of("c", 3, 60.0)]);
        // scipy 1.17.1: ttest_1samp([50, 55, 60], 0).confidence_interval()
        assert_close(apart.mean_interval.unwrap().low, 42.579_311_441, 1e-6);
        let same = together(vec![of("a", 1, 50.0), of("b", 1, 55.0), of("c", 1, 60.0)]);
        assert_eq!((same.mean, same.mean_interval, same.iqm_interval), (Some(55.0), None, None));
    }
}
