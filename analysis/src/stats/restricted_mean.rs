//! Restricted mean survival time: the mean lifetime up to a horizon, a measure
//! that needs no proportional hazards (Royston and Parmar 2013, "Restricted
//! mean survival time: an alternative to the hazard ratio").

use super::student::mean_interval;
use super::survival::{Lifetime, SurvivalRow, kaplan_meier};
use super::{Interval, as_f64};

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

/// Up to which time the survival curves of all `sides` are known: the longest time of any of them, or
/// the shortest of the longest times of those that end above 0, because their longest runs were censored; the
/// greatest horizon at which [`restricted_mean`] is defined for all. `None` as in [`kaplan_meier`].
#[must_use]
pub fn horizon(sides: &[&[Lifetime]]) -> Option<f64> {
    let (mut longest, mut known) = (0.0_f64, f64::INFINITY);
    for side in sides {
        let last = *kaplan_meier(side)?.last()?;
        longest = longest.max(last.time);
        if last.survival > 0.0 {
            known = known.min(last.time);
        }
    }
    (!sides.is_empty()).then(|| longest.min(known))
}

/// 95% interval of the difference of restricted means, `a` - `b`, where `a[i]` and `b[i]` are a pair, for
/// example runs on the same seed.
///
/// Student's t of the differences of the pairs' pseudo-values: of a life that was lost or lasted until
/// `tau` that is the life up to `tau`; of another what it does to the mean (the infinitesimal jackknife,
/// Efron and Tibshirani 1993, chapter 21, whose variance is Greenwood's). `None` if either mean is `None`
/// (see [`restricted_mean`]), for groups of different sizes, or as in [`mean_interval`].
#[must_use]
pub fn paired_restricted_mean_interval(a: &[Lifetime], b: &[Lifetime], tau: f64) -> Option<Interval> {
    if a.len() != b.len() {
        return None;
    }
    let (a, b) = (pseudo_values(a, tau)?, pseudo_values(b, tau)?);
    let differences: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
    let interval = mean_interval(&differences)?;
    Some(Interval { low: interval.low.max(-tau), high: interval.high.min(tau) })
}

/// The pseudo-value of each of `lifetimes`; their mean is the restricted mean.
fn pseudo_values(lifetimes: &[Lifetime], tau: f64) -> Option<Vec<f64>> {
    let mean = restricted_mean(lifetimes, tau)?.mean;
    let rows: Vec<SurvivalRow> = kaplan_meier(lifetimes)?.into_iter().filter(|row| row.time < tau).collect();
    // The area of the curve from each row to tau.
    let mut areas = vec![0.0; rows.len()];
    let (mut area, mut end) = (0.0, tau);
    for (row, slot) in rows.iter().zip(&mut areas).rev() {
        area += row.survival * (end - row.time);
        (*slot, end) = (area, row.time);
    }
    // By how much the mean grows with a run's weight: for having been at risk so long, and less for its loss.
    let (mut at_risk, mut changes) = (0.0, Vec::with_capacity(rows.len()));
    for (row, area) in rows.iter().zip(areas) {
        let left = as_f64(row.at_risk - row.lost);
        let loss = if left > 0.0 { area / left } else { 0.0 };
        at_risk += loss * as_f64(row.lost) / as_f64(row.at_risk);
        changes.push((row.time, at_risk, loss));
    }
    let n = as_f64(lifetimes.len());
    let value = |life: &Lifetime| {
        let until = changes.partition_point(|(time, ..)| *time <= life.time);
        let Some(&(time, at_risk, loss)) = until.checked_sub(1).and_then(|last| changes.get(last)) else {
            return mean;
        };
        // A life of at least tau has lived through the last row, and is not lost at it.
        let lost = life.lost && life.time <= time;
        mean + n * (at_risk - if lost { loss } else { 0.0 })
    };
    Some(lifetimes.iter().map(value).collect())
}

#[cfg(test)]
mod tests {
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

    /// Of lives that are all lost, or last until tau, the pseudo-values are the lives up to tau: Student's t
    /// of their differences.
    #[test]
    fn uncensored_pairs_are_compared_by_students_t() {
        let a = lifetimes(&[9.0], &[3.0, 4.0, 7.0]);
        let b = lifetimes(&[9.0], &[1.0, 4.0, 2.0]);
        let expected = mean_interval(&[0.0, 2.0, 0.0, 4.0]).unwrap();
        let found = paired_restricted_mean_interval(&a, &b, 6.0).unwrap();
        assert_close(found.low, mean_interval(&[0.0, 2.0, 0.0, 4.0]).unwrap().low, 1e-12);
        assert_close(found.high, expected.high, 1e-12);
    }

    // lifelines 0.30.3 and scipy 1.17.1: mean + n * the derivative of restricted_mean_survival_time(k, t=20) by
    // each run's weight (as above), and ttest_1samp(differences, 0).confidence_interval().
    #[test]
    fn pseudo_values_match_lifelines() {
        let found = pseudo_values(&six_mp(), 20.0).unwrap();
        let expected = [8.942_591, 6.364_552, 20.409_258, 20.409_258, 20.409_258, 6.0];
        for (found, expected) in found.into_iter().zip(expected) {
            assert_close(found, expected, 1e-5);
        }
        for (tau, low, high) in
            [(10.0, 0.768_602, 4.547_925), (20.0, 3.369_828, 12.006_083), (23.0, 4.320_226, 14.164_928)]
        {
            let interval = paired_restricted_mean_interval(&six_mp(), &placebo(), tau).unwrap();
            assert_close(interval.low, low, 1e-5);
            assert_close(interval.high, high, 1e-5);
        }
    }

    #[test]
    fn equal_pairs_have_an_interval_of_zero() {
        let interval = paired_restricted_mean_interval(&six_mp(), &six_mp(), 20.0);
        let zero = Interval { low: 0.0, high: 0.0 };
        assert_eq!(interval, Some(zero));
    }

    /// The longest of `long` is censored at 9: beyond it nothing is known; of `lost` everything is.
    #[test]
    fn the_horizon_is_what_all_curves_reach() {
        let (long, lost, short) =
            (lifetimes(&[9.0], &[2.0]), lifetimes(&[], &[12.0]), lifetimes(&[5.0], &[4.0]));
        assert_eq!(horizon(&[&long, &lost]), Some(9.0));
        assert_eq!(horizon(&[&long, &lost, &short]), Some(5.0));
        assert_eq!(horizon(&[&lost, &lost]), Some(12.0));
        assert_eq!(horizon(&[&long, &lifetimes(&[], &[3.0])]), Some(9.0));
        assert_eq!(horizon(&[&long, &[]]), None);
        assert_eq!(horizon(&[]), None);
        for sides in [[&long, &lost], [&long, &short]] {
            let tau = horizon(&sides.map(Vec::as_slice)).unwrap();
            for side in sides {
                assert!(restricted_mean(side, tau).is_some());
            }
        }
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
        let survive = lifetimes(&[10.0, 10.0], &[]);
        let one = lifetimes(&[], &[3.0]);
        let short = lifetimes(&[5.0, 6.0], &[]);
        for (a, b) in [(&one, &one), (&survive, &one), (&survive, &short), (&survive, &survive)] {
            assert_eq!(paired_restricted_mean_interval(a, b, 10.0), None);
        }
    }
}
