//! Aggregates of scores over several tasks (Agarwal et al. 2021, "Deep reinforcement learning at the
//! edge of the statistical precipice"), as the Python package rliable computes them.
//!
//! Scores come as one slice of runs a task. rliable wants as many runs of every task; here they may
//! differ, and then a task with more runs weighs more in what pools them (interquartile mean,
//! optimality gap, profile).

use rand::{Rng, RngExt};
use statrs::distribution::{Beta, ContinuousCDF};

use super::bootstrap::{percentiles, tail};
use super::compare::probability_of_improvement;
use super::summary::{interquartile_mean, mean, quantile};
use super::{FEW, Interval, as_f64};

/// The mean over tasks of each task's mean. `None` for no task, or one without finite scores.
pub fn mean_of_tasks(tasks: &[Vec<f64>]) -> Option<f64> {
    mean(&means(tasks)?)
}

/// The median over tasks of each task's mean. `None` as in [`mean_of_tasks`].
pub fn median_of_tasks(tasks: &[Vec<f64>]) -> Option<f64> {
    quantile(&means(tasks)?, 0.5)
}

fn means(tasks: &[Vec<f64>]) -> Option<Vec<f64>> {
    tasks.iter().map(|scores| mean(scores)).collect()
}

/// The interquartile mean of all scores of all tasks together. `None` for none, or one not finite.
pub fn interquartile_mean_of_tasks(tasks: &[Vec<f64>]) -> Option<f64> {
    interquartile_mean(&tasks.concat())
}

/// By how much the scores of all tasks fall short of `target` on average, those above it counting as
/// `target`; at least 0, in the unit of the scores. `None` for none, or one not finite.
pub fn optimality_gap(tasks: &[Vec<f64>], target: f64) -> Option<f64> {
    let scores = tasks.concat();
    if !scores.iter().all(|score| score.is_finite()) {
        return None;
    }
    Some(target - mean(&scores.iter().map(|score| score.min(target)).collect::<Vec<_>>())?)
}

/// The mean over tasks of the probability that a run of `x` beats one of `y`, in [0, 1].
///
/// `None` for no task, different numbers of tasks, or a task without finite scores.
pub fn improvement_over_tasks(x: &[Vec<f64>], y: &[Vec<f64>]) -> Option<f64> {
    if x.len() != y.len() {
        return None;
    }
    let of_tasks: Option<Vec<f64>> = x.iter().zip(y).map(|(x, y)| probability_of_improvement(x, y)).collect();
    mean(&of_tasks?)
}

/// The performance profile: the share of all scores above each of `thresholds`. `None` for no score,
/// or one not finite.
pub fn performance_profile(tasks: &[Vec<f64>], thresholds: &[f64]) -> Option<Vec<f64>> {
    let sorted = super::summary::sorted_finite(&tasks.concat())?;
    let above = |threshold: &f64| sorted.len() - sorted.partition_point(|score| score <= threshold);
    (!sorted.is_empty())
        .then(|| thresholds.iter().map(|tau| as_f64(above(tau)) / as_f64(sorted.len())).collect())
}

/// The pointwise 95% intervals of the profile of one task's `scores`, in the order of `thresholds`: those of
/// a binomial share (Clopper and Pearson 1934), which cover it in 95% of samples or more at any number of scores.
/// `None` for fewer than two scores, or one not finite.
pub fn profile_intervals(scores: &[f64], thresholds: &[f64]) -> Option<Vec<Interval>> {
    let sorted = super::summary::sorted_finite(scores).filter(|scores| scores.len() > 1)?;
    let mut intervals: Vec<Option<Interval>> = vec![None; sorted.len() + 1];
    let interval = |tau: &f64| {
        let above = sorted.len() - sorted.partition_point(|score| score <= tau);
        let known = &mut intervals[above];
        if known.is_none() {
            *known = share_interval(above, sorted.len());
        }
        *known
    };
    thresholds.iter().map(interval).collect()
}

/// 95% interval of the share of which `count` of `of` were seen (Clopper and Pearson 1934). `None` for none, and for more than
/// there are.
pub fn share_interval(count: usize, of: usize) -> Option<Interval> {
    let (rest, count) = (as_f64(of.checked_sub(count).filter(|_| of > 0)?), as_f64(count));
    let end = |a: f64, b: f64, q: f64| Some(Beta::new(a, b).ok()?.inverse_cdf(q));
    let low = if count > 0.0 { end(count, rest + 1.0, 0.025)? } else { 0.0 };
    let high = if rest > 0.0 { end(count + 1.0, rest, 0.975)? } else { 1.0 };
    Some(Interval { low, high })
}

/// 95% interval of `statistic`, runs drawn with replacement inside each task, widened for small samples as
/// [`bootstrap_interval`](super::bootstrap::bootstrap_interval).
///
/// `None` for a task with fewer than two runs, for tasks that together have fewer than those of one task of
/// [`FEW`] beyond one each, or as there.
pub fn stratified_bootstrap_interval(
    tasks: &[Vec<f64>],
    statistic: impl Fn(&[Vec<f64>]) -> Option<f64>,
    rng: &mut impl Rng,
) -> Option<Interval> {
    stratified_bootstrap_intervals(tasks, |tasks| Some([statistic(tasks)?]), rng).map(|[interval]| interval)
}

/// The same for several statistics of the same resamples.
pub fn stratified_bootstrap_intervals<const N: usize>(
    tasks: &[Vec<f64>],
    statistics: impl Fn(&[Vec<f64>]) -> Option<[f64; N]>,
    rng: &mut impl Rng,
) -> Option<[Interval; N]> {
    let fewest = tasks.iter().map(Vec::len).min().filter(|&fewest| fewest > 1)?;
    let freedom = pooled(tasks) - tasks.len();
    if freedom < FEW - 1 {
        return None;
    }
    stratified_percentile_intervals(tasks, statistics, tail(fewest, freedom)?, rng)
}

/// Percentile intervals with the share `tail` of the replicates beyond each end: 0.025 is the plain one of
/// 95%, that of rliable. `None` for no task, or one without runs.
pub fn stratified_percentile_intervals<const N: usize>(
    tasks: &[Vec<f64>],
    statistics: impl Fn(&[Vec<f64>]) -> Option<[f64; N]>,
    tail: f64,
    rng: &mut impl Rng,
) -> Option<[Interval; N]> {
    if tasks.iter().all(Vec::is_empty) || tasks.iter().any(Vec::is_empty) {
        return None;
    }
    let sorted = sorted(tasks);
    percentiles(pooled(&sorted), tail, || statistics(&resample(&sorted, rng)))
}

fn pooled(tasks: &[Vec<f64>]) -> usize {
    tasks.iter().map(Vec::len).sum()
}

fn sorted(tasks: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut tasks = tasks.to_vec();
    for scores in &mut tasks {
        scores.sort_by(f64::total_cmp);
    }
    tasks
}

/// Scores of `sorted` tasks, drawn with replacement inside each and again in ascending order: what the
/// statistics sort is sorted, which makes most of their time.
fn resample(sorted: &[Vec<f64>], rng: &mut impl Rng) -> Vec<Vec<f64>> {
    let drawn = |scores: &Vec<f64>| {
        let mut counts = vec![0_usize; scores.len()];
        for _ in scores {
            counts[rng.random_range(0..scores.len())] += 1;
        }
        scores.iter().zip(counts).flat_map(|(&score, count)| std::iter::repeat_n(score, count)).collect()
    };
    sorted.iter().map(drawn).collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn what_cannot_be_said_is_none() {
        let rng = &mut StdRng::seed_from_u64(1);
        for tasks in [&[][..], &[vec![]], &[vec![1.0], vec![]], &[vec![f64::NAN, 1.0]]] {
            assert_eq!(mean_of_tasks(tasks), None, "{tasks:?}");
            assert_eq!(stratified_bootstrap_interval(tasks, mean_of_tasks, rng), None, "{tasks:?}");
        }
        for tasks in [&[][..], &[vec![]], &[vec![f64::INFINITY]]] {
            assert_eq!(optimality_gap(tasks, 1.0), None);
            assert_eq!(interquartile_mean_of_tasks(tasks), None);
            assert_eq!(performance_profile(tasks, &[0.0]), None);
        }
        let one_run = [vec![1.0], vec![2.0]];
        assert_eq!(stratified_bootstrap_interval(&one_run, mean_of_tasks, rng), None);
        assert_eq!(mean_of_tasks(&one_run), Some(1.5));
        assert_eq!(improvement_over_tasks(&one_run, &one_run[..1]), None);
    }

    /// A stratum keeps its own scores: two constant tasks have an interval without width, which
    /// resampling of the pooled scores would not give.
    #[test]
    fn tasks_are_not_mixed() {
        let rng = &mut StdRng::seed_from_u64(2);
        let tasks = [vec![1.0; 5], vec![9.0; 3]];
        let interval = stratified_bootstrap_interval(&tasks, mean_of_tasks, rng);
        assert_eq!(interval, Some(Interval { low: 5.0, high: 5.0 }));
        let few = [vec![1.0; 4], vec![9.0; 3]];
        assert!(stratified_bootstrap_interval(&few, mean_of_tasks, rng).is_some(), "3 and 2 beyond one each");
        assert_eq!(stratified_bootstrap_interval(&few[..1], mean_of_tasks, rng), None);
        assert_eq!(stratified_bootstrap_interval(&[few[0].clone(), vec![1.0; 2]], mean_of_tasks, rng), None);
        assert_eq!(stratified_bootstrap_interval(&[vec![1.0; 9], vec![1.0]], mean_of_tasks, rng), None);
    }

    // scipy 1.17.1: stats.binomtest(k, n).proportion_ci(method="exact")
    #[test]
    fn shares_have_clopper_and_pearsons_intervals() {
        let scores = [1.0, 2.0, 3.0, 3.0, 5.0];
        let found = profile_intervals(&scores, &[0.0, 1.0, 3.0, 9.0]).unwrap();
        for (interval, (low, high)) in found.into_iter().zip([
            (0.478_176_249_772_848, 1.0),
            (0.283_582_063_881_921, 0.994_949_368_636_599),
            (0.005_050_631_363_401, 0.716_417_936_118_079),
            (0.0, 0.521_823_750_227_152),
        ]) {
            assert!((interval.low - low).abs() < 1e-6 && (interval.high - high).abs() < 1e-6, "{interval:?}");
        }
    }
}
