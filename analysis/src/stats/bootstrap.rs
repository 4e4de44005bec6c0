//! Bootstrap intervals of what is no mean: percentile intervals (Efron and Tibshirani 1993, "An introduction
//! to the bootstrap", chapter 13), widened for small samples (Hesterberg 2015, "What teachers should know
//! about the bootstrap", section 5.3).
//!
//! The plain percentile interval is too narrow: resamples scatter as if the sample's deviation had the
//! divisor n, and as if it were known. With ten values it covers a mean in about 90% of cases rather than 95%. The
//! widened one goes further out in the same replicates, as far as Student's t would, and is the plain one for
//! large samples. It cannot leave the sample's range, so below [`FEW`] values there is none.

use rand::{Rng, RngExt};
use resonetics_numerics::stream::{Domain, Key, Stream};
use statrs::distribution::{ContinuousCDF, Normal};

use super::student::t_point;
use super::summary::quantile;
use super::{FEW, Interval, as_f64};

/// What an interval is of. Each has a stream of its own, the same in every command and report: the same
/// rows have the same interval wherever they are looked at. Numbers that are missing were used once.
#[derive(Clone, Copy, Debug)]
pub enum Resampled {
    /// Aggregates of an agent's returns, the interquartile mean first of all.
    InterquartileMean = 0,
    /// Interquartile mean over several worlds.
    Overall = 3,
    /// Interquartile mean of learning curves.
    Curves = 5,
    /// Drift limits, of one agent or the difference of two.
    Limits = 6,
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

/// The share of the replicates beyond each end of a 95% interval of `n` values, at least 2, of which
/// `freedom`, at least 1, are free to vary once their centres are known: 0.025 for many, less for few.
pub(super) fn tail(n: usize, freedom: usize) -> Option<f64> {
    tail_among(n, freedom, 1)
}

/// The same for one of `among` intervals that are looked at together (Bonferroni).
pub(super) fn tail_among(n: usize, freedom: usize, among: usize) -> Option<f64> {
    let n = as_f64(n);
    Some(Normal::standard().cdf(-(n / (n - 1.0)).sqrt() * t_point(as_f64(freedom), among)?))
}

/// 95% interval of `statistic` on one sample, widened for small samples.
///
/// `None` for fewer than [`FEW`] values, or if `statistic` is `None` or not
/// finite on any resample: leaving those out would move the interval.
pub fn bootstrap_interval<T: Copy>(
    sample: &[T],
    statistic: impl Fn(&[T]) -> Option<f64>,
    rng: &mut impl Rng,
) -> Option<Interval> {
    if sample.len() < FEW {
        return None;
    }
    percentile_interval(sample, statistic, tail(sample.len(), sample.len() - 1)?, rng)
}

/// Percentile interval of `statistic` with the share `tail` of the replicates beyond each end: 0.025 is the
/// plain one of 95%. `None` for an empty sample, and as in [`bootstrap_interval`].
pub fn percentile_interval<T: Copy>(
    sample: &[T],
    statistic: impl Fn(&[T]) -> Option<f64>,
    tail: f64,
    rng: &mut impl Rng,
) -> Option<Interval> {
    if sample.is_empty() {
        return None;
    }
    let replicate = || {
        let indices = draw_indices(sample.len(), rng);
        Some([statistic(&pick(sample, &indices))?])
    };
    percentiles(sample.len(), tail, replicate).map(|[interval]| interval)
}

/// The middle of the replicates of a sample of `len` values, without the share `tail` at each end, for
/// several statistics of each resample. `None` if any is undefined.
pub(super) fn percentiles<const N: usize>(
    len: usize,
    tail: f64,
    mut replicate: impl FnMut() -> Option<[f64; N]>,
) -> Option<[Interval; N]> {
    let replicates: Vec<[f64; N]> = (0..resamples(len)).map(|_| replicate()).collect::<Option<_>>()?;
    let mut intervals = [Interval { low: 0.0, high: 0.0 }; N];
    for (i, interval) in intervals.iter_mut().enumerate() {
        let of_one: Vec<f64> = replicates.iter().map(|values| values[i]).collect();
        *interval = Interval { low: quantile(&of_one, tail)?, high: quantile(&of_one, 1.0 - tail)? };
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

    use super::super::summary::{interquartile_mean, mean, standard_deviation};
    use super::super::test_data::{X, assert_close};
    use super::*;

    #[track_caller]
    fn assert_interval(interval: Option<Interval>, low: f64, high: f64, tolerance: f64) {
        let interval = interval.unwrap();
        assert_close(interval.low, low, tolerance);
        assert_close(interval.high, high, tolerance);
    }

    // scipy 1.17.1: norm.cdf(-sqrt(n / (n - 1)) * t.ppf(0.975, n - 1))
    #[test]
    fn tails_are_hesterbergs() {
        for (n, expected) in [
            (6, 0.002_431_803_174_6),
            (10, 0.008_550_639_024_4),
            (30, 0.018_753_900_278_2),
            (1_000, 0.024_804_305_905_6),
            (50_000, 0.024_996_081_637_6),
        ] {
            assert_close(tail(n, n - 1).unwrap(), expected, 1e-9);
        }
    }

    // scipy 1.17.1: stats.bootstrap((X,), statistic, method="percentile", n_resamples=200000, rng=1) with
    // np.mean and confidence_level 0.95, and with trim_mean(., 0.25) and 1 - 2 * the tail of eleven values.
    // The tolerances are three to four Monte Carlo errors of our 2,000 resamples.
    #[test]
    fn intervals_match_scipy() {
        let rng = &mut StdRng::seed_from_u64(1);
        assert_interval(percentile_interval(&X, mean, 0.025, rng), 0.25, 5.954_5, 0.35);
        assert_interval(bootstrap_interval(&X, interquartile_mean, rng), -0.464_3, 7.0, 0.65);
    }

    // The bootstrap distribution of the mean of two values is known: the lower,
    // the midpoint and the higher one with probabilities 1/4, 1/2 and 1/4.
    #[test]
    fn two_values_give_their_range() {
        let rng = &mut StdRng::seed_from_u64(2);
        assert_interval(percentile_interval(&[1.0, 5.0], mean, 0.025, rng), 1.0, 5.0, 0.0);
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
        for few in [&[][..], &[1.0], &X[..FEW - 1]] {
            assert_eq!(bootstrap_interval(few, mean, rng), None);
        }
        assert_eq!(percentile_interval(&[], mean, 0.025, rng), None);
        assert_eq!(bootstrap_interval(&[f64::NAN; 6], mean, rng), None);
        assert_eq!(bootstrap_interval(&X, |_| Some(f64::NAN), rng), None);
        let constant = bootstrap_interval(&[3.0; FEW], standard_deviation, rng);
        assert_interval(constant, 0.0, 0.0, 0.0);
    }
}
