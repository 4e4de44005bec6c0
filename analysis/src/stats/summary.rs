//! Summaries of one sample.

use super::as_f64;

/// Arithmetic mean, in the units of `values`.
///
/// `None` for an empty sample, a non-finite value, or a sum that overflows.
#[must_use]
pub fn mean(values: &[f64]) -> Option<f64> {
    let mean = values.iter().sum::<f64>() / as_f64(values.len());
    mean.is_finite().then_some(mean)
}

/// Sample standard deviation with the n - 1 divisor, in the units of `values`.
///
/// `None` for fewer than two values, a non-finite value, or an overflow.
#[must_use]
pub fn standard_deviation(values: &[f64]) -> Option<f64> {
    let center = mean(values)?;
    let squares: f64 = values.iter().map(|v| (v - center).powi(2)).sum();
    // One value gives 0 / 0, which the test below turns into None.
    let deviation = (squares / (as_f64(values.len()) - 1.0)).sqrt();
    deviation.is_finite().then_some(deviation)
}

/// Quantile `q` in `[0, 1]`, interpolated linearly between order statistics as in
/// `numpy.quantile` (type 7 of Hyndman and Fan 1996, "Sample quantiles in
/// statistical packages").
///
/// `None` for an empty sample, a non-finite value, an overflow, or `q` outside
/// `[0, 1]`.
#[must_use]
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    if !(0.0..=1.0).contains(&q) {
        return None;
    }
    let sorted = sorted_finite(values)?;
    let position = q * as_f64(sorted.len().checked_sub(1)?);
    // 0 <= position <= len - 1, so the cast neither wraps nor cuts anything off.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let below = position.floor() as usize;
    let low = *sorted.get(below)?;
    let high = *sorted.get(below + 1).unwrap_or(&low);
    let value = low + (high - low) * position.fract();
    value.is_finite().then_some(value)
}

/// Interquartile mean: the mean of what is left when the lowest and the highest
/// quarter of the values (each rounded down to whole values) are cut off.
///
/// This is `scipy.stats.trim_mean(values, 0.25)`, the aggregate recommended by
/// Agarwal et al. 2021, "Deep reinforcement learning at the edge of the
/// statistical precipice". `None` for an empty sample or a non-finite value.
#[must_use]
pub fn interquartile_mean(values: &[f64]) -> Option<f64> {
    let sorted = sorted_finite(values)?;
    let cut = sorted.len() / 4;
    mean(sorted.get(cut..sorted.len() - cut)?)
}

/// The values in ascending order, or `None` if one of them is not finite.
pub(super) fn sorted_finite(values: &[f64]) -> Option<Vec<f64>> {
    if !values.iter().all(|v| v.is_finite()) {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    Some(sorted)
}

#[cfg(test)]
mod tests {
    use super::super::test_data::{X, assert_close};
    use super::*;

    // numpy 2.4.6: X.mean(), X.std(ddof=1)
    #[test]
    fn mean_and_deviation_match_numpy() {
        assert_close(mean(&X).unwrap(), 3.113_636_363_636_363_8, 1e-14);
        assert_close(standard_deviation(&X).unwrap(), 5.067_498_934_834_171, 1e-14);
    }

    // numpy 2.4.6: np.quantile(X, q)
    #[test]
    fn quantile_matches_numpy() {
        for (q, expected) in
            [(0.0, -6.5), (0.025, -5.1875), (0.1, -1.25), (0.33, 1.3), (0.975, 10.9375), (1.0, 11.5)]
        {
            assert_close(quantile(&X, q).unwrap(), expected, 1e-14);
        }
    }

    // scipy 1.17.1: stats.trim_mean(X[:n], 0.25), which is also
    // rliable 1.2.0: metrics.aggregate_iqm(X[:n].reshape(-1, 1))
    #[test]
    fn interquartile_mean_matches_scipy_and_rliable() {
        for (n, expected) in [
            (1, 3.5),
            (2, 1.125),
            (3, 3.416_666_666_666_666_5),
            (4, 2.75),
            (5, 2.5),
            (7, 3.25),
            (8, 2.875),
            (10, 3.375),
            (11, 3.035_714_285_714_285_6),
        ] {
            assert_close(interquartile_mean(&X[..n]).unwrap(), expected, 1e-14);
        }
    }

    #[test]
    fn too_few_or_non_finite_values_give_none() {
        for summary in [mean, standard_deviation, interquartile_mean] {
            assert_eq!(summary(&[]), None);
            for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                assert_eq!(summary(&[1.0, bad, 2.0, 3.0, 4.0]), None);
            }
        }
        assert_eq!(standard_deviation(&[1.0]), None);
        let overflows = [f64::MIN, f64::MAX];
        assert_eq!(standard_deviation(&overflows), None);
        assert_eq!(standard_deviation(&[1.0, 1.0]), Some(0.0));
        for q in [-0.1, 1.1, f64::NAN] {
            assert_eq!(quantile(&X, q), None);
        }
    }
}
