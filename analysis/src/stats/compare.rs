//! Comparisons of two samples of scores, where higher is better.

use super::student::t_95;
use super::summary::{sorted_finite, standard_deviation};
use super::{Interval, as_f64};

/// Probability of improvement of `x` over `y`, in [0, 1]: the chance that a
/// random element of `x` beats a random element of `y`, a tie counting half.
///
/// P(X > Y) + P(X = Y) / 2 over all pairs, the Mann-Whitney U statistic divided
/// by the number of pairs, for one task of Agarwal et al. 2021, "Deep
/// reinforcement learning at the edge of the statistical precipice". `None` if
/// either sample is empty or has a non-finite value.
#[must_use]
pub fn probability_of_improvement(x: &[f64], y: &[f64]) -> Option<f64> {
    if x.is_empty() || y.is_empty() {
        return None;
    }
    let (x, y) = (sorted_finite(x)?, sorted_finite(y)?);
    let (mut below, mut up_to, mut doubled_wins) = (0, 0, 0);
    for &x in &x {
        below += y[below..].iter().take_while(|&&y| y < x).count();
        up_to += y[up_to..].iter().take_while(|&&y| y <= x).count();
        // A value below x is in both counts and one equal to x in only the second,
        // so their sum weighs a tie half as much as a win.
        doubled_wins += below + up_to;
    }
    Some(as_f64(doubled_wins) / (2.0 * as_f64(x.len()) * as_f64(y.len())))
}

/// 95% interval of [`probability_of_improvement`] for independent samples.
///
/// Brunner and Munzel 2000, "The nonparametric Behrens-Fisher problem": the variances of the shares of
/// `y` below each element of `x` and the other way round, and Student's t with Welch's degrees of freedom, on
/// the scale of ln(p / (1 - p)), which keeps it inside [0, 1]. Where every element of one sample beats
/// every one of the other, or all tie, nothing varies; then the ends are what as many pairs as the smaller sample
/// has elements, all alike, leave possible (Clopper and Pearson 1934). `None` for a sample of fewer than two elements, or as there.
#[must_use]
pub fn improvement_interval(x: &[f64], y: &[f64]) -> Option<Interval> {
    let chance = probability_of_improvement(x, y)?;
    let (above_y, above_x) = (placements(x, y)?, placements(y, x)?);
    let pairs = as_f64(x.len().min(y.len()));
    if pairs < 2.0 {
        return None;
    }
    let [of_x, of_y] = [&above_y, &above_x].map(|shares| as_f64(shares.len()));
    let variance = |shares: &[f64], n: f64| Some(standard_deviation(shares)?.powi(2) / n);
    let (x, y) = (variance(&above_y, of_x)?, variance(&above_x, of_y)?);
    if chance <= 0.0 {
        return Some(Interval { low: 0.0, high: 1.0 - 0.025_f64.powf(1.0 / pairs) });
    }
    if chance >= 1.0 {
        return Some(Interval { low: 0.025_f64.powf(1.0 / pairs), high: 1.0 });
    }
    if x + y <= 0.0 {
        let ties = 0.05_f64.powf(1.0 / pairs);
        return Some(Interval { low: ties / 2.0, high: 1.0 - ties / 2.0 });
    }
    let freedom = (x + y).powi(2) / (x * x / (of_x - 1.0) + y * y / (of_y - 1.0));
    let center = (chance / (1.0 - chance)).ln();
    let spread = t_95(freedom.max(1.0))? * (x + y).sqrt() / (chance * (1.0 - chance));
    let back = |logit: f64| 1.0 / (1.0 + (-logit).exp());
    Some(Interval { low: back(center - spread), high: back(center + spread) })
}

/// For each element of `x` the share of `y` below it, a tie counting half. `None` for a value that is not
/// finite.
fn placements(x: &[f64], y: &[f64]) -> Option<Vec<f64>> {
    let (x, y) = (sorted_finite(x)?, sorted_finite(y)?);
    let share = |x: &f64| {
        let (below, up_to) = (y.partition_point(|y| y < x), y.partition_point(|y| y <= x));
        as_f64(below + up_to) / (2.0 * as_f64(y.len()))
    };
    Some(x.iter().map(share).collect())
}

/// How often one side of a paired comparison won, tied and lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairedCounts {
    /// Pairs in which the first is higher.
    pub wins: usize,
    /// Pairs of equals.
    pub ties: usize,
    /// Pairs in which the second is higher.
    pub losses: usize,
}

/// Counts the pairs `(x[i], y[i])` in which `x` is higher, exactly equal and
/// lower.
///
/// Two empty samples give zeros. `None` for samples of different lengths or a
/// non-finite value.
#[must_use]
pub fn paired_counts(x: &[f64], y: &[f64]) -> Option<PairedCounts> {
    if x.len() != y.len() || !x.iter().chain(y).all(|v| v.is_finite()) {
        return None;
    }
    let wins = x.iter().zip(y).filter(|(x, y)| x > y).count();
    let losses = x.iter().zip(y).filter(|(x, y)| x < y).count();
    Some(PairedCounts { wins, ties: x.len() - wins - losses, losses })
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::super::test_data::{X, Y, assert_close};
    use super::*;

    // rliable 1.2.0 on scipy 1.17.1:
    // metrics.probability_of_improvement(X[:, None], Y[:, None]) and swapped
    #[test]
    fn probability_of_improvement_matches_rliable() {
        let forward = probability_of_improvement(&X, &Y).unwrap();
        assert_close(forward, 0.606_060_606_060_606_1, 1e-15);
        let backward = probability_of_improvement(&Y, &X).unwrap();
        assert_close(backward, 0.393_939_393_939_393_9, 1e-15);
        assert_close(probability_of_improvement(&X, &X).unwrap(), 0.5, 0.0);
        for (x, y) in [(0.0, -0.0), (-0.0, 0.0)] {
            let zeros = probability_of_improvement(&[x], &[y]).unwrap();
            assert_close(zeros, 0.5, 0.0);
        }
    }

    // scipy 1.17.1: the shares and variances of stats.brunnermunzel(y, x), which gives their statistic and
    // p-value, and stats.t.ppf(0.975, df), on the scale of the logit
    #[test]
    fn improvement_intervals_are_brunner_and_munzels() {
        let small = ([1.0, 2.0, 5.0], [0.0, 3.0, 1.0]);
        for (x, y, low, high) in [
            (&X[..], &Y[..], 0.327_530_222_573_168, 0.829_337_981_402_231),
            (&small.0, &small.1, 0.068_593_696_463_467, 0.989_223_131_056_230),
        ] {
            let interval = improvement_interval(x, y).unwrap();
            assert_close(interval.low, low, 1e-9);
            assert_close(interval.high, high, 1e-9);
            let swapped = improvement_interval(y, x).unwrap();
            assert_close(swapped.low, 1.0 - high, 1e-9);
        }
    }

    /// By hand: with chance p all of n pairs are won in p^n of cases, which is 2.5% for the lowest p that is
    /// not refuted; all tie with chance t in t^n, and p is between t/2 and 1 - t/2.
    #[test]
    fn samples_that_are_apart_leave_room() {
        let won = improvement_interval(&[4.0, 5.0], &[1.0, 2.0, 3.0]).unwrap();
        assert_close(won.low * won.low, 0.025, 1e-12);
        assert_close(won.high, 1.0, 0.0);
        let lost = improvement_interval(&[1.0, 2.0, 3.0], &[4.0, 5.0]).unwrap();
        assert_close((1.0 - lost.high).powi(2), 0.025, 1e-12);
        let tied = improvement_interval(&[7.0; 3], &[7.0; 4]).unwrap();
        assert_close((2.0 * tied.low).powi(3), 0.05, 1e-12);
        assert_close(tied.high, 1.0 - tied.low, 1e-12);
        assert_eq!(improvement_interval(&[1.0], &[2.0, 3.0]), None);
    }

    #[test]
    fn probability_of_improvement_is_the_share_of_all_pairs() {
        let rng = &mut StdRng::seed_from_u64(1);
        for _ in 0..50 {
            let mut sample = |n| -> Vec<f64> { (0..n).map(|_| rng.random_range(0..6u8).into()).collect() };
            let (x, y) = (sample(13), sample(8));
            let pairs = || x.iter().flat_map(|x| y.iter().map(move |y| (x, y)));
            let wins = as_f64(pairs().filter(|(x, y)| x > y).count());
            let losses = as_f64(pairs().filter(|(x, y)| x < y).count());
            let expected = (wins + 0.5 * (104.0 - wins - losses)) / 104.0;
            assert_close(probability_of_improvement(&x, &y).unwrap(), expected, 1e-15);
        }
    }

    // numpy 2.4.6: (X[:9] > Y).sum(), (X[:9] == Y).sum(), (X[:9] < Y).sum(),
    // with the second element of X replaced by that of Y to have a tie
    #[test]
    fn paired_counts_match_numpy() {
        let mut x = X;
        x[1] = Y[1];
        let expected = PairedCounts { wins: 5, ties: 1, losses: 3 };
        assert_eq!(paired_counts(&x[..9], &Y), Some(expected));
    }

    #[test]
    fn undefined_comparisons_are_none() {
        assert_eq!(probability_of_improvement(&[], &Y), None);
        assert_eq!(probability_of_improvement(&X, &[]), None);
        assert_eq!(probability_of_improvement(&[f64::NAN], &Y), None);
        assert_eq!(probability_of_improvement(&X, &[f64::INFINITY]), None);
        assert_eq!(paired_counts(&X, &Y), None);
        assert_eq!(paired_counts(&[f64::NAN], &[1.0]), None);
        assert_eq!(paired_counts(&[1.0], &[f64::NAN]), None);
        let nothing = paired_counts(&[], &[]).unwrap();
        assert_eq!((nothing.wins, nothing.ties, nothing.losses), (0, 0, 0));
    }
}
