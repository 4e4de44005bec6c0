//! The sign-flip test of paired differences, and the interval of their mean that it gives.
//!
//! Where the order within each pair was a coin's, and nothing was done, every difference could as well have had the
//! other sign: of all 2^n patterns of signs, how many have a sum as far from 0 (Fisher 1935, "The design of
//! experiments", section 21)? Nothing is assumed of noise, of trends, of how pairs are alike.
//!
//! The interval is what the test at 5% does not reject. A value theta is tested by the differences minus theta, and
//! flipping the subset F gives a sum no less than that of none exactly if the mean of F is at most theta. So the ends
//! are order statistics of the means of all 2^n - 1 subsets (Hartigan 1969, "Using subsample values as typical
//! values"), and none is there below six pairs. That assumes what the test of 0 does not: that the effect is the same
//! in each pair.

use serde::Serialize;

use super::draws::Drawn;
use super::summary::mean;
use super::{FEW, Interval, as_f64};

/// Up to so many pairs all patterns of signs are looked at.
pub const ALL_PATTERNS: usize = 20;

/// Patterns that are drawn where there are more pairs.
const DRAWN_PATTERNS: usize = 99_999;

/// What paired differences say of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SignFlip {
    /// Pairs.
    pub pairs: usize,
    /// Mean difference, in the units of the differences.
    pub mean: f64,
    /// Two-sided p-value in (0, 1]: the least that `pairs` can give is 2^(1 - pairs).
    pub p: f64,
    /// Whether all patterns were looked at. Otherwise 99,999 were drawn, and p errs by 0.0007 near 0.05.
    pub exact: bool,
    /// 95% interval of the mean difference; `None` below [`FEW`] pairs.
    pub interval: Option<Interval>,
}

/// The sign-flip test of `differences`, one a pair. Above [`ALL_PATTERNS`] pairs patterns are drawn under `seed`.
///
/// `None` for no pair or a value that is not finite.
pub fn sign_flip(differences: &[f64], seed: u64) -> Option<SignFlip> {
    let center = mean(differences)?;
    let pairs = differences.len();
    let exact = pairs <= ALL_PATTERNS;
    let subsets =
        if exact { Subsets::all(differences) } else { Subsets::drawn(differences, DRAWN_PATTERNS, seed) };
    let p = subsets.p(differences);
    let interval = if pairs < FEW { None } else { subsets.interval() };
    Some(SignFlip { pairs, mean: center, p, exact, interval })
}

/// Sums and sizes of subsets of differences, the empty one left out.
pub(super) struct Subsets {
    of: Vec<(f64, u32)>,
}

impl Subsets {
    /// All of them; the differences are at most [`ALL_PATTERNS`].
    pub(super) fn all(differences: &[f64]) -> Subsets {
        let mut of = Vec::with_capacity(1 << differences.len());
        of.push((0.0, 0));
        for &difference in differences {
            for i in 0..of.len() {
                let (sum, size) = of[i];
                of.push((sum + difference, size + 1));
            }
        }
        of.remove(0);
        Subsets { of }
    }

    /// So many, each difference in each with a chance of one half (Hartigan 1969, section 4). Empty ones stand for
    /// themselves: they are drawn in one of 2^n cases, here less than one in a million.
    pub(super) fn drawn(differences: &[f64], times: usize, seed: u64) -> Subsets {
        let mut draws = Drawn::Signs.stream(seed, 0);
        let mut of = Vec::with_capacity(times);
        for _ in 0..times {
            let (mut sum, mut size) = (0.0, 0);
            for part in differences.chunks(64) {
                let coins = draws.coins();
                for (i, difference) in part.iter().enumerate() {
                    if coins >> i & 1 == 1 {
                        sum += difference;
                        size += 1;
                    }
                }
            }
            of.push((sum, size));
        }
        Subsets { of }
    }

    /// Share of sign patterns, that of no flip among them, whose sum is as far from 0 as that of none.
    fn p(&self, differences: &[f64]) -> f64 {
        let total: f64 = differences.iter().sum();
        // Sums that are equal but for rounding are equal.
        let rounding = 1e-12 * differences.iter().map(|difference| difference.abs()).sum::<f64>();
        let as_far = |&(sum, _): &(f64, u32)| (total - 2.0 * sum).abs() >= total.abs() - rounding;
        let count = self.of.iter().filter(|subset| as_far(subset)).count();
        as_f64(1 + count) / as_f64(1 + self.of.len())
    }

    /// The means of subsets between which the middle 95% lie, as many beyond each end as the test at 5% rejects.
    pub(super) fn interval(self) -> Option<Interval> {
        // Rejected on one side: (1 + number of means at most theta) / (1 + subsets) at most 2.5%.
        let beyond = (1 + self.of.len()) / 40;
        let mut means: Vec<f64> = self
            .of
            .into_iter()
            .filter(|subset| subset.1 > 0)
            .map(|(sum, size)| sum / f64::from(size))
            .collect();
        let first = beyond.checked_sub(1)?;
        let last = means.len().checked_sub(beyond)?;
        if first >= means.len() {
            return None;
        }
        let low = *means.select_nth_unstable_by(first, f64::total_cmp).1;
        let high = *means.select_nth_unstable_by(last, f64::total_cmp).1;
        Some(Interval { low, high })
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_data::assert_close;
    use super::*;

    /// All six of one sign: two of 64 patterns are as far out, and the ends are the extreme differences.
    #[test]
    fn six_pairs_by_hand() {
        let found = sign_flip(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 1).unwrap();
        assert_eq!((found.pairs, found.mean, found.p, found.exact), (6, 3.5, 2.0 / 64.0, true));
        assert_eq!(found.interval, Some(Interval { low: 1.0, high: 6.0 }));
        let five = sign_flip(&[1.0, 2.0, 3.0, 4.0, 5.0], 1).unwrap();
        assert_eq!((five.p, five.interval), (2.0 / 32.0, None));
    }

    /// The interval excludes 0 exactly where p is at most 5%.
    #[test]
    fn interval_and_p_agree() {
        let mut draws = Drawn::Noise.stream(8, 0);
        let mut told = 0;
        for case in 0..400 {
            let pairs = 6 + case % 5;
            let differences: Vec<f64> = (0..pairs).map(|_| draws.normal() + 0.6).collect();
            let found = sign_flip(&differences, 1).unwrap();
            let ends = found.interval.unwrap();
            assert_eq!(found.p <= 0.05, ends.low > 0.0 || ends.high < 0.0, "{differences:?}");
            told += usize::from(found.p <= 0.05);
        }
        assert!(told > 50 && told < 350, "both cases occur: {told}");
    }

    /// Of 20 pairs, to four standard errors: of a share, and of the quantile of a normal distribution at 2.5%, which is
    /// sqrt(0.025 x 0.975 / 99,999) / 0.0584 deviations, or 0.0022 of the width of 3.92.
    #[test]
    fn drawn_patterns_say_what_all_say() {
        let mut draws = Drawn::Noise.stream(9, 0);
        let differences: Vec<f64> = (0..20).map(|_| draws.normal() + 0.4).collect();
        let all = sign_flip(&differences, 1).unwrap();
        let subsets = Subsets::drawn(&differences, DRAWN_PATTERNS, 3);
        let error = 4.0 * (all.p * (1.0 - all.p) / as_f64(DRAWN_PATTERNS)).sqrt();
        assert_close(subsets.p(&differences), all.p, error);
        let (drawn, exact) = (subsets.interval().unwrap(), all.interval.unwrap());
        let width = exact.high - exact.low;
        assert_close(drawn.low, exact.low, 4.0 * 0.0022 * width);
        assert_close(drawn.high, exact.high, 4.0 * 0.0022 * width);
    }

    #[test]
    fn many_pairs_are_drawn_and_the_seed_decides() {
        let mut draws = Drawn::Noise.stream(10, 0);
        let differences: Vec<f64> = (0..70).map(|_| draws.normal() + 0.2).collect();
        let found = sign_flip(&differences, 5).unwrap();
        assert!(!found.exact);
        assert_eq!(Some(found), sign_flip(&differences, 5));
        assert_ne!(found.interval, sign_flip(&differences, 6).unwrap().interval);
        // The last six are beyond the 64 coins of one word.
        let far: Vec<f64> = (0..70).map(|i| if i < 64 { 0.0 } else { 1.0 }).collect();
        let p = sign_flip(&far, 5).unwrap().p;
        assert_close(p, 2.0 / 64.0, 4.0 * (0.03 / as_f64(DRAWN_PATTERNS)).sqrt());
    }

    #[test]
    fn undefined_tests_are_none() {
        assert_eq!(sign_flip(&[], 1), None);
        assert_eq!(sign_flip(&[1.0, f64::NAN], 1), None);
        assert_eq!(sign_flip(&[0.0; 8], 1).unwrap().p, 1.0);
    }
}
