//! Percentile bootstrap intervals (Efron and Tibshirani 1993, "An introduction
//! to the bootstrap", chapter 13).
//!
//! The percentile interval is too narrow for small samples: with ten values it
//! covers a mean in about 90% of cases rather than 95%.

use rand::{Rng, RngExt};
use resonetics_numerics::stream::{Domain, Key, Stream};

use super::Interval;
use super::summary::quantile;

/// What an interval is of. Each has a stream of its own, the same in every command and report: the same
/// rows have the same interval wherever they are looked at.
#[derive(Clone, Copy, Debug)]
pub enum Resampled {
    /// Aggregates of an agent's returns, the interquartile mean first of all.
    InterquartileMean,
    /// Chance that an episode of one agent beats one of another.
    Improvement,
    /// Mean difference of pairs.
    Difference,
    /// Interquartile mean over several worlds.
    Overall,
    /// Difference of restricted mean lifetimes.
    Lifetimes,
    /// Interquartile mean of learning curves.
    Curves,
    /// What trainings gained.
    Gain,
    /// Mean return of an evaluation.
    Mean,
}

impl Resampled {
    /// From its beginning.
    pub fn stream(self) -> Stream {
        Stream::new(Key::new(0, Domain::Statistics, self as u64))
    }
}

/// How many resamples the interval of a sample of `len` values is made from: 2,000, and above 10,000
/// values, of which intervals are narrow, as many as 20 million draws yield, but at least 500. An end of
/// the interval then errs by 5% of the width rather than 3%.
pub fn resamples(len: usize) -> usize {
    (20_000_000 / len.max(1)).clamp(500, 2_000)
}

/// 95% percentile interval of `statistic` on one sample.
///
/// `None` for fewer than two elements, or if `statistic` is `None` or not
/// finite on any resample: leaving those out would move the interval.
pub fn bootstrap_interval<T: Copy>(
    sample: &[T],
    statistic: impl Fn(&[T]) -> Option<f64>,
    rng: &mut impl Rng,
) -> Option<Interval> {
    if sample.len() < 2 {
        return None;
    }
    percentile_interval(sample.len(), || {
        let indices = draw_indices(sample.len(), rng);
        statistic(&pick(sample, &indices))
    })
}

/// 95% percentile interval of `statistic` on two paired samples.
///
/// Element i of `a` and element i of `b` are one pair, for example two agents
/// on the same seed, and are always drawn together. `None` for samples of
/// different lengths, and as in [`bootstrap_interval`].
pub fn paired_bootstrap_interval<T: Copy>(
    a: &[T],
    b: &[T],
    statistic: impl Fn(&[T], &[T]) -> Option<f64>,
    rng: &mut impl Rng,
) -> Option<Interval> {
    if a.len() != b.len() || a.len() < 2 {
        return None;
    }
    percentile_interval(a.len(), || {
        let indices = draw_indices(a.len(), rng);
        statistic(&pick(a, &indices), &pick(b, &indices))
    })
}

/// The middle 95% of the replicates of a sample of `len` values, `None` if any is undefined.
pub(super) fn percentile_interval(
    len: usize,
    mut replicate: impl FnMut() -> Option<f64>,
) -> Option<Interval> {
    percentile_intervals(len, || Some([replicate()?])).map(|[interval]| interval)
}

/// The same for several statistics of each resample.
pub(super) fn percentile_intervals<const N: usize>(
    len: usize,
    mut replicate: impl FnMut() -> Option<[f64; N]>,
) -> Option<[Interval; N]> {
    let replicates: Vec<[f64; N]> = (0..resamples(len)).map(|_| replicate()).collect::<Option<_>>()?;
    let mut intervals = [Interval { low: 0.0, high: 0.0 }; N];
    for (i, interval) in intervals.iter_mut().enumerate() {
        let of_one: Vec<f64> = replicates.iter().map(|values| values[i]).collect();
        *interval = Interval { low: quantile(&of_one, 0.025)?, high: quantile(&of_one, 0.975)? };
    }
    Some(intervals)
}

/// `len` indices below `len`, drawn with replacement; `len` must not be 0.
fn draw_indices(len: usize, rng: &mut impl Rng) -> Vec<usize> {
    (0..len).map(|_| rng.random_range(0..len)).collect()
}

/// The elements of `sample` at `indices`, which must be in range.
fn pick<T: Copy>(sample: &[T], indices: &[usize]) -> Vec<T> {
    indices.iter().map(|&i| sample[i]).collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::super::summary::{mean, standard_deviation};
    use super::super::test_data::{X, Y, assert_close};
    use super::*;

    fn mean_difference(a: &[f64], b: &[f64]) -> Option<f64> {
        Some(mean(a)? - mean(b)?)
    }

    fn assert_interval(interval: Option<Interval>, low: f64, high: f64, tolerance: f64) {
        let interval = interval.unwrap();
        assert_close(interval.low, low, tolerance);
        assert_close(interval.high, high, tolerance);
    }

    // scipy 1.17.1: stats.bootstrap(samples, statistic, method="percentile",
    // n_resamples=200000, rng=1, paired=...) with np.mean and the difference of
    // means. The tolerances are three
    // to four Monte Carlo errors of our 2,000 resamples.
    #[test]
    fn intervals_match_scipy() {
        let rng = &mut StdRng::seed_from_u64(1);
        let one = bootstrap_interval(&X, mean, rng);
        assert_interval(one, 0.25, 5.954_5, 0.35);
        let paired = paired_bootstrap_interval(&X[..9], &Y, mean_difference, rng);
        assert_interval(paired, -2.944_4, 6.388_9, 0.45);
    }

    // The bootstrap distribution of the mean of two values is known: the lower,
    // the midpoint and the higher one with probabilities 1/4, 1/2 and 1/4.
    #[test]
    fn two_values_give_their_range() {
        let rng = &mut StdRng::seed_from_u64(2);
        assert_interval(bootstrap_interval(&[1.0, 5.0], mean, rng), 1.0, 5.0, 0.0);
    }

    #[test]
    fn a_constant_shift_within_pairs_has_no_width() {
        let rng = &mut StdRng::seed_from_u64(3);
        let shifted = X.map(|x| x + 2.0);
        let paired = paired_bootstrap_interval(&shifted, &X, mean_difference, rng);
        assert_interval(paired, 2.0, 2.0, 1e-12);
    }

    // For 20 uniform values the percentile interval of the mean should cover
    // 1/2 in about 93% of samples; 400 samples have a standard error of 1.3%.
    #[test]
    fn coverage_is_near_the_nominal_level() {
        let rng = &mut StdRng::seed_from_u64(4);
        let mut covered = 0;
        for _ in 0..400 {
            let sample: Vec<f64> = (0..20).map(|_| rng.random()).collect();
            let interval = bootstrap_interval(&sample, mean, rng).unwrap();
            covered += i32::from(interval.low <= 0.5 && 0.5 <= interval.high);
        }
        assert!((352..=392).contains(&covered), "{covered} of 400 covered");
    }

    #[test]
    fn only_large_samples_are_resampled_less() {
        for (len, expected) in [(0, 2_000), (10_000, 2_000), (20_000, 1_000), (50_000, 500), (1 << 30, 500)] {
            assert_eq!(resamples(len), expected, "{len}");
        }
        let drawn = std::cell::Cell::new(0);
        let first = |sample: &[f64]| {
            drawn.set(drawn.get() + 1);
            sample.first().copied()
        };
        bootstrap_interval(&vec![1.0; 20_000], first, &mut StdRng::seed_from_u64(8));
        assert_eq!(drawn.get(), 1_000);
    }

    #[test]
    fn the_seed_decides_the_interval() {
        let run = |seed| bootstrap_interval(&X, mean, &mut StdRng::seed_from_u64(seed));
        assert_eq!(run(5), run(5));
        assert_ne!(run(5), run(6));
    }

    #[test]
    fn undefined_intervals_are_none() {
        let rng = &mut StdRng::seed_from_u64(7);
        for few in [&[][..], &[1.0]] {
            assert_eq!(bootstrap_interval(few, mean, rng), None);
            let paired = paired_bootstrap_interval(few, few, mean_difference, rng);
            assert_eq!(paired, None);
        }
        assert_eq!(bootstrap_interval(&[1.0, f64::NAN], mean, rng), None);
        assert_eq!(bootstrap_interval(&X, |_| Some(f64::NAN), rng), None);
        let unequal = paired_bootstrap_interval(&X, &Y, mean_difference, rng);
        assert_eq!(unequal, None);
        let constant = bootstrap_interval(&[3.0; 4], standard_deviation, rng);
        assert_interval(constant, 0.0, 0.0, 0.0);
    }
}
