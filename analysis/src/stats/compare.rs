//! Comparisons of two samples of scores, where higher is better.

use super::as_f64;
use super::summary::sorted_finite;

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
