//! Restricted mean survival time: the mean lifetime up to a horizon, a measure
//! that needs no proportional hazards (Royston and Parmar 2013, "Restricted
//! mean survival time: an alternative to the hazard ratio").

use rand::Rng;

use super::Interval;
use super::bootstrap::paired_bootstrap_interval;
use super::survival::{Lifetime, SurvivalRow, kaplan_meier};

/// Result of [`restricted_mean`], in the unit of the lifetimes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RestrictedMean {
    /// Area under the survival curve from 0 to the horizon.
    pub mean: f64,
    /// Standard error from Greenwood's variance. It is 0 if no run, or every
    /// run at one time, was lost before the horizon.
    pub standard_error: f64,
}

/// Restricted mean survival time up to the horizon `tau`.
///
/// The Kaplan-Meier plug-in and its Greenwood variance with divisor n, as in
/// the R package survRM2. `None` for invalid lifetimes (see [`kaplan_meier`]),
/// a `tau` that is not finite and positive, or a survival curve that ends above
/// 0 before `tau`, because the longest runs were censored, or an overflow.
#[must_use]
pub fn restricted_mean(lifetimes: &[Lifetime], tau: f64) -> Option<RestrictedMean> {
    let rows = kaplan_meier(lifetimes)?;
    let last = rows.last()?;
    let reaches_tau = last.time >= tau || last.survival <= 0.0;
    let valid_tau = tau.is_finite() && tau > 0.0;
    if !reaches_tau || !valid_tau {
        return None;
    }
    let result = area_to(&rows, tau);
    result.standard_error.is_finite().then_some(result)
}

/// The area under the curve up to `tau` and its standard error. A curve that
/// ends before `tau` is continued at its last height.
fn area_to(rows: &[SurvivalRow], tau: f64) -> RestrictedMean {
    let mut area = 0.0;
    let mut variance = 0.0;
    let mut end = tau;
    for row in rows.iter().rev().filter(|row| row.time < tau) {
        area += row.survival * (end - row.time);
        // Once nobody is left the area is 0, and Greenwood's term is infinite.
        if row.lost < row.at_risk {
            variance += area * area * row.greenwood_term();
        }
        end = row.time;
    }
    RestrictedMean { mean: area + end, standard_error: variance.sqrt() }
}

/// 95% percentile bootstrap interval of the difference of restricted means,
/// `a` - `b`, where `a[i]` and `b[i]` are a pair, for example runs on the same
/// seed, and are resampled together.
///
/// `None` if either mean is `None` (see [`restricted_mean`]), or for fewer than
/// two pairs or groups of different sizes.
pub fn paired_restricted_mean_interval(
    a: &[Lifetime],
    b: &[Lifetime],
    tau: f64,
    rng: &mut impl Rng,
) -> Option<Interval> {
    restricted_mean(a, tau)?;
    restricted_mean(b, tau)?;
    // A resample may leave out all the runs that reach tau. Its curve is then
    // continued flat, a bounded error, where giving up would cost the interval.
    let mean = |sample: &[Lifetime]| Some(area_to(&kaplan_meier(sample)?, tau).mean);
    paired_bootstrap_interval(a, b, |a, b| Some(mean(a)? - mean(b)?), rng)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::super::as_f64;
    use super::super::test_data::{assert_close, lifetimes, placebo, six_mp};
    use super::*;

    // Means: lifelines 0.30.3: restricted_mean_survival_time(k, t=tau) with
    // k = KaplanMeierFitter().fit(time, lost). Standard errors: the
    // infinitesimal jackknife, which equals Greenwood's formula: the root of
    // the sum of the squared derivatives of that mean by each run's weight
    // (fit(..., weights=w), central differences of 1e-4, good to about 1e-9).
    #[test]
    fn restricted_means_match_lifelines() {
        for (tau, runs, mean, error) in [
            (10.0, six_mp(), 9.277_310_924_369_745, 0.326_769_115_4),
            (10.0, placebo(), 6.619_047_619_047_619, 0.733_012_268_9),
            (20.0, six_mp(), 16.116_526_610_644_254, 1.251_560_196_0),
            (20.0, placebo(), 8.428_571_428_571_429, 1.268_082_682_5),
            (23.0, six_mp(), 17.909_243_697_478_985, 1.553_189_978_2),
            (23.0, placebo(), 8.666_666_666_666_666, 1.377_390_041_3),
            (35.0, six_mp(), 23.287_394_957_983_185, 2.827_467_623_5),
        ] {
            let result = restricted_mean(&runs, tau).unwrap();
            assert_close(result.mean, mean, 1e-12);
            assert_close(result.standard_error, error, 1e-9);
        }
    }

    // Without censoring the area is the mean of min(time, tau), and the
    // variance is that of a mean with divisor n.
    #[test]
    fn uncensored_mean_has_a_closed_form() {
        let times = [1.5, 4.0, 4.0, 7.25, 20.0, 33.0, 2.0];
        for tau in [0.5, 3.0, 4.0, 20.0, 1e3] {
            let cut = times.map(|t: f64| t.min(tau));
            let n = as_f64(cut.len());
            let mean = cut.iter().sum::<f64>() / n;
            let squares: f64 = cut.iter().map(|t| (t - mean).powi(2)).sum();
            let result = restricted_mean(&lifetimes(&[], &times), tau).unwrap();
            assert_close(result.mean, mean, 1e-13);
            assert_close(result.standard_error, squares.sqrt() / n, 1e-13);
        }
    }

    // scipy 1.17.1 on lifelines 0.30.3: stats.bootstrap((a, b), difference of
    // restricted_mean_survival_time(k, t=20), paired=True, vectorized=False,
    // method="percentile", n_resamples=6000, rng=1). The independent interval
    // is narrower by 0.6 at the low end.
    #[test]
    fn paired_interval_matches_scipy() {
        let rng = &mut StdRng::seed_from_u64(1);
        let interval = paired_restricted_mean_interval(&six_mp(), &placebo(), 20.0, rng).unwrap();
        assert_close(interval.low, 3.590_3, 0.35);
        assert_close(interval.high, 11.443_5, 0.35);
    }

    #[test]
    fn equal_pairs_have_an_interval_of_zero() {
        let rng = &mut StdRng::seed_from_u64(2);
        let interval = paired_restricted_mean_interval(&six_mp(), &six_mp(), 20.0, rng);
        let zero = Interval { low: 0.0, high: 0.0 };
        assert_eq!(interval, Some(zero));
    }

    #[test]
    fn undefined_means_are_none() {
        let ends_early = lifetimes(&[5.0], &[2.0]);
        assert_eq!(restricted_mean(&ends_early, 5.1), None);
        assert!(restricted_mean(&ends_early, 5.0).is_some());
        assert!(restricted_mean(&lifetimes(&[2.0], &[5.0]), 9.0).is_some());
        for tau in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(restricted_mean(&placebo(), tau), None);
        }
        assert_eq!(restricted_mean(&[], 1.0), None);
        let overflows = lifetimes(&[f64::MAX], &[1.0]);
        assert_eq!(restricted_mean(&overflows, f64::MAX), None);
        assert_eq!(restricted_mean(&lifetimes(&[], &[f64::NAN]), 1.0), None);
    }

    #[test]
    fn undefined_differences_are_none() {
        let rng = &mut StdRng::seed_from_u64(3);
        let survive = lifetimes(&[10.0, 10.0], &[]);
        let one = lifetimes(&[], &[3.0]);
        let short = lifetimes(&[5.0, 6.0], &[]);
        for (a, b) in [(&one, &one), (&survive, &one), (&survive, &short)] {
            assert_eq!(paired_restricted_mean_interval(a, b, 10.0, rng), None);
        }
    }
}
