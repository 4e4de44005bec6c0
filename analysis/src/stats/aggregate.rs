//! Aggregates of scores over several tasks (Agarwal et al. 2021, "Deep reinforcement learning at the
//! edge of the statistical precipice"), as the Python package rliable computes them.
//!
//! Scores come as one slice of runs a task. rliable wants as many runs of every task; here they may
//! differ, and then a task with more runs weighs more in what pools them (interquartile mean,
//! optimality gap, profile).

use rand::{Rng, RngExt};
use statrs::distribution::{Binomial, DiscreteCDF};

use super::bootstrap::{percentile_interval, percentile_intervals};
use super::compare::probability_of_improvement;
use super::summary::{interquartile_mean, mean, quantile};
use super::{Interval, as_f64};

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

/// The pointwise 95% intervals of the profile of one task's `scores`, in the order of `thresholds`: the
/// quantiles of a binomial share, which a percentile bootstrap of any number of resamples tends to.
/// `None` for fewer than two scores, or one not finite.
pub fn profile_intervals(scores: &[f64], thresholds: &[f64]) -> Option<Vec<Interval>> {
    let profile = performance_profile(std::slice::from_ref(&scores.to_vec()), thresholds)?;
    if scores.len() < 2 {
        return None;
    }
    let interval = |share: f64| {
        let above = Binomial::new(share, scores.len() as u64).ok()?;
        let end = |q| above.inverse_cdf(q) as f64 / as_f64(scores.len());
        Some(Interval { low: end(0.025), high: end(0.975) })
    };
    profile.into_iter().map(interval).collect()
}

/// 95% percentile interval of `statistic`, runs drawn with replacement inside each task.
///
/// `None` if no task has two runs, for a task without any, or as in
/// [`bootstrap_interval`](super::bootstrap::bootstrap_interval).
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
    if !can_be_resampled(tasks) {
        return None;
    }
    let sorted = sorted(tasks);
    percentile_intervals(pooled(&sorted), || statistics(&resample(&sorted, rng)))
}

/// The same for a statistic of two groups of runs, which are resampled independently of each other.
pub fn independent_bootstrap_interval(
    x: &[Vec<f64>],
    y: &[Vec<f64>],
    statistic: impl Fn(&[Vec<f64>], &[Vec<f64>]) -> Option<f64>,
    rng: &mut impl Rng,
) -> Option<Interval> {
    if !can_be_resampled(x) || !can_be_resampled(y) {
        return None;
    }
    let (x, y) = (sorted(x), sorted(y));
    percentile_interval(pooled(&x).max(pooled(&y)), || {
        let resampled = resample(&x, rng);
        statistic(&resampled, &resample(&y, rng))
    })
}

fn can_be_resampled(tasks: &[Vec<f64>]) -> bool {
    tasks.iter().any(|scores| scores.len() > 1) && tasks.iter().all(|scores| !scores.is_empty())
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
    }
}
