//! Tests on pairs, and many tests at once.

use statrs::distribution::{ContinuousCDF, Normal};

use super::as_f64;

/// Up to so many pairs that differ the distribution is counted out; above, it is taken as normal.
const EXACT: usize = 50;

/// Two-sided p-value of Wilcoxon's signed-rank test of the pairs `(x[i], y[i])` (Wilcoxon 1945).
///
/// Pairs that tie are left out, equal differences share their mean rank. Exact for up to 50 pairs that
/// differ; above, the normal approximation with the correction for ties and none for continuity.
/// `None` for different lengths, a value that is not finite, or no pair that differs.
pub fn signed_rank_p(x: &[f64], y: &[f64]) -> Option<f64> {
    if x.len() != y.len() || !x.iter().chain(y).all(|value| value.is_finite()) {
        return None;
    }
    let mut differences = differences(x, y);
    differences.retain(|&difference| difference != 0.0);
    differences.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    if differences.is_empty() {
        return None;
    }
    // Ranks are doubled, so that mean ranks are whole.
    let mut ranks: Vec<usize> = Vec::new();
    let mut ties = 0.0;
    for tied in differences.chunk_by(|a, b| a.abs() == b.abs()) {
        let first = ranks.len() + 1;
        ranks.extend(vec![2 * first + tied.len() - 1; tied.len()]);
        let t = as_f64(tied.len());
        ties += t * t * t - t;
    }
    let positive: usize = differences
        .iter()
        .zip(&ranks)
        .filter(|(difference, _)| **difference > 0.0)
        .map(|(_, rank)| rank)
        .sum();
    let smaller = positive.min(ranks.iter().sum::<usize>() - positive);
    if differences.len() <= EXACT {
        return Some(exact(&ranks, smaller));
    }
    let n = as_f64(differences.len());
    let variance = n * (n + 1.0) * (2.0 * n + 1.0) / 24.0 - ties / 48.0;
    let z = (as_f64(smaller) / 2.0 - n * (n + 1.0) / 4.0) / variance.sqrt();
    Some((2.0 * Normal::standard().cdf(z)).min(1.0))
}

/// The differences `x[i]` - `y[i]`, rounded to 12 digits of the largest of all values: 0.3 - 0.1 and 0.5 - 0.3 tie,
/// and what is only a rounding error is 0.
pub fn differences(x: &[f64], y: &[f64]) -> Vec<f64> {
    let largest = x.iter().chain(y).fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let unit = largest * 1e-12;
    let rounded = |difference: f64| if unit > 0.0 { (difference / unit).round() * unit } else { difference };
    x.iter().zip(y).map(|(x, y)| rounded(x - y)).collect()
}

/// Twice the share of all sign patterns whose positive ranks sum to at most `smaller`.
fn exact(ranks: &[usize], smaller: usize) -> f64 {
    let mut shares = vec![0.0; ranks.iter().sum::<usize>() + 1];
    shares[0] = 1.0;
    for &rank in ranks {
        for sum in (0..shares.len()).rev() {
            let with = if sum >= rank { shares[sum - rank] } else { 0.0 };
            shares[sum] = f64::midpoint(shares[sum], with);
        }
    }
    (2.0 * shares[..=smaller].iter().sum::<f64>()).min(1.0)
}

/// P-values of several tests, raised so that the chance of any false rejection among them stays below
/// the level they are compared with (Holm 1979), in the order given.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut highest = 0.0_f64;
    for (place, &test) in order.iter().enumerate() {
        highest = highest.max(p_values[test] * as_f64(p_values.len() - place)).min(1.0);
        adjusted[test] = highest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::super::test_data::assert_close;
    use super::*;

    /// All five differences positive: one of 2^5 sign patterns is as far out on each side.
    #[test]
    fn the_smallest_case_by_hand() {
        let y = [0.0; 5];
        assert_close(signed_rank_p(&[1.0, 2.0, 3.0, 4.0, 5.0], &y).unwrap(), 2.0 / 32.0, 1e-15);
        assert_eq!(signed_rank_p(&[1.0, -1.0], &[0.0, 0.0]), Some(1.0));
        assert_eq!(signed_rank_p(&y, &y), None);
        assert_eq!(signed_rank_p(&y, &y[1..]), None);
        assert_eq!(signed_rank_p(&[f64::NAN], &[1.0]), None);
    }

    /// The test knows ranks only: whatever the unit, it says the same.
    #[test]
    fn the_unit_does_not_matter() {
        let (x, y) = ([0.3, 0.5, 0.9, 0.2, 0.7], [0.1, 0.3, 0.2, 0.4, 0.1]);
        let expected = signed_rank_p(&x, &y).unwrap();
        for unit in [1e-12, 1e12] {
            let [x, y] = [x, y].map(|values| values.map(|value| value * unit));
            assert_eq!(signed_rank_p(&x, &y), Some(expected), "{unit}");
        }
        assert_eq!(signed_rank_p(&[0.1 + 0.2], &[0.3]), None, "a rounding error is a tie");
    }

    // Holm's own procedure by hand: 3 x 0.01, 2 x 0.02, then 0.04 raised to the one before it.
    #[test]
    fn holm_by_hand() {
        for (found, expected) in holm(&[0.04, 0.01, 0.02]).into_iter().zip([0.04, 0.03, 0.04]) {
            assert_close(found, expected, 1e-15);
        }
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }
}
