//! Student's t (Student 1908, "The probable error of a mean"): the interval of a mean, with its nominal
//! error from two values on.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::summary::{mean, standard_deviation};
use super::{FEW, Interval, as_f64};

/// The 97.5% point of Student's t with `freedom` degrees of freedom, at least 1.
pub(super) fn t_95(freedom: f64) -> Option<f64> {
    t_point(freedom, 1)
}

/// The point above which 2.5% / `among` lie.
pub(super) fn t_point(freedom: f64, among: usize) -> Option<f64> {
    let below = 1.0 - 0.025 / as_f64(among.max(1));
    // From here on statrs loses digits, and two terms of Fisher's expansion by 1 / freedom have all.
    if freedom > 2000.0 {
        let z = Normal::standard().inverse_cdf(below);
        let (first, second) = (z.powi(3) + z, 5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z);
        return Some(z + first / (4.0 * freedom) + second / (96.0 * freedom * freedom));
    }
    Some(StudentsT::new(0.0, 1.0, freedom).ok()?.inverse_cdf(below))
}

/// 95% interval of the mean of independent `values`, or of the mean difference of pairs whose
/// differences they are.
///
/// Exact for normal values; differences of which neither sign is likelier keep its error, too. A mean of skewed values is
/// covered less often (docs/RULES.md, section 4, has a table). `None` for fewer than two values, for
/// fewer than [`FEW`] that are all equal, which say nothing of how they scatter, or as in
/// [`standard_deviation`].
#[must_use]
pub fn mean_interval(values: &[f64]) -> Option<Interval> {
    mean_interval_among(values, 1)
}

/// The same where it is one of `among` intervals that are looked at together, wide enough that in 95% of cases all of
/// them hold (Bonferroni).
#[must_use]
pub fn mean_interval_among(values: &[f64], among: usize) -> Option<Interval> {
    interval_of(mean(values)?, standard_deviation(values)?, values.len(), among)
}

/// The interval of [`mean_interval`] from what sums `n` values up: their mean and their standard deviation.
#[must_use]
pub fn summed_up_interval(mean: f64, deviation: f64, n: usize) -> Option<Interval> {
    interval_of(mean, deviation, n, 1)
}

fn interval_of(center: f64, deviation: f64, n: usize, among: usize) -> Option<Interval> {
    // What differs by rounding is equal.
    let equal = deviation <= 1e-12 * center.abs();
    if n < 2 || !deviation.is_finite() || (equal && n < FEW) {
        return None;
    }
    let spread = t_point(as_f64(n) - 1.0, among)? * deviation / as_f64(n).sqrt();
    let interval = Interval { low: center - spread, high: center + spread };
    (interval.low.is_finite() && interval.high.is_finite()).then_some(interval)
}

/// 95% interval of what is estimated by `center` with an error that is the sum of independent ones, each of
/// an estimated variance with its degrees of freedom (Satterthwaite 1946). `None` if none of them varies.
#[must_use]
pub fn summed_interval(center: f64, errors: &[(f64, f64)]) -> Option<Interval> {
    summed_interval_among(center, errors, 1)
}

/// 95% interval of the difference of the means of independent `x` and `y`, whose variances may differ (Welch 1947),
/// where it is one of `among` that are looked at together (Bonferroni). `None` where one of the means has none, as in
/// [`mean_interval`].
#[must_use]
pub fn welch_interval_among(x: &[f64], y: &[f64], among: usize) -> Option<Interval> {
    let error = |values: &[f64]| {
        mean_interval(values)?;
        let n = as_f64(values.len());
        Some((standard_deviation(values)?.powi(2) / n, n - 1.0))
    };
    summed_interval_among(mean(x)? - mean(y)?, &[error(x)?, error(y)?], among)
}

pub(super) fn summed_interval_among(center: f64, errors: &[(f64, f64)], among: usize) -> Option<Interval> {
    let variance: f64 = errors.iter().map(|error| error.0).sum();
    let freedom = variance.powi(2) / errors.iter().map(|(part, freedom)| part * part / freedom).sum::<f64>();
    // 0 / 0 if nothing varies.
    let spread = t_point(freedom.is_finite().then_some(freedom)?.max(1.0), among)? * variance.sqrt();
    Some(Interval { low: center - spread, high: center + spread })
}

/// The interval of [`mean_interval`] where `values` have an error in common too, which how far they lie apart does
/// not show: a variance with its degrees of freedom. Never narrower for it, which more degrees of freedom can make
/// a sum of errors.
#[must_use]
pub fn mean_interval_with(values: &[f64], common: (f64, f64)) -> Option<Interval> {
    let apart = mean_interval(values)?;
    let n = as_f64(values.len());
    let own = (standard_deviation(values)?.powi(2) / n, n - 1.0);
    let both = summed_interval(mean(values)?, &[own, common])?;
    Some(Interval { low: apart.low.min(both.low), high: apart.high.max(both.high) })
}

#[cfg(test)]
mod tests {
    use super::super::test_data::{X, Y, assert_close};
    use super::*;

    // scipy 1.17.1: stats.t.ppf(0.975, df)
    #[test]
    fn points_match_scipy() {
        for (freedom, expected) in [
            (1.0, 12.706_204_736_174_694),
            (2.0, 4.302_652_729_749_462),
            (2.5, 3.574_654_842_003_681),
            (4.0, 2.776_445_105_197_793),
            (9.0, 2.262_157_162_798_205),
            (29.0, 2.045_229_642_132_703),
            (199.0, 1.971_956_544_251_753),
            (1_999.0, 1.961_151_420_170_561),
            (2_001.0, 1.961_150_232_622_441),
            (1e6, 1.959_966_356_814_107),
        ] {
            assert_close(t_95(freedom).unwrap(), expected, 1e-9);
        }
    }

    // scipy 1.17.1: stats.ttest_1samp(values, 0).confidence_interval()
    #[test]
    fn intervals_match_scipy() {
        for (values, low, high) in [
            (&[2.0, 8.0][..], -33.118_614_208_524_08, 43.118_614_208_524_08),
            (&[1.0, 2.0, 9.0], -6.828_105_247_358_058, 14.828_105_247_358_058),
            (&X, -0.290_755_743_646_038, 6.518_028_470_918_766),
        ] {
            let interval = mean_interval(values).unwrap();
            assert_close(interval.low, low, 1e-9);
            assert_close(interval.high, high, 1e-9);
        }
    }

    // scipy 1.17.1: stats.ttest_1samp(x, 0).confidence_interval(1 - 0.05 / 4), and
    // stats.ttest_ind(x, y, equal_var=False).confidence_interval() with the variances of both means
    #[test]
    fn several_intervals_and_errors_match_scipy() {
        let wide = mean_interval_among(&X, 4).unwrap();
        assert_close(wide.low, -1.528_521_200_956, 1e-9);
        assert_close(wide.high, 7.755_793_928_229, 1e-9);
        let errors = |values: &[f64]| {
            let n = as_f64(values.len());
            (standard_deviation(values).unwrap().powi(2) / n, n - 1.0)
        };
        let difference = mean(&X).unwrap() - mean(&Y).unwrap();
        let welch = summed_interval(difference, &[errors(&X), errors(&Y)]).unwrap();
        assert_close(welch.low, -2.394_536_364_628, 1e-9);
        assert_close(welch.high, 6.177_364_647_457, 1e-9);
        // scipy 1.17.1: stats.ttest_ind(x, y, equal_var=False).confidence_interval(1 - 0.05 / among)
        let (x, y) = ([3.1, 2.7, 4.4, 3.9, 5.2], [1.0, 2.2, 1.9]);
        for (among, low, high) in [
            (1, 0.747_555_667_291_022_9, 3.572_444_332_708_977_7),
            (3, 0.258_923_931_433_228_1, 4.061_076_068_566_775),
        ] {
            let interval = welch_interval_among(&x, &y, among).unwrap();
            assert_close(interval.low, low, 1e-9);
            assert_close(interval.high, high, 1e-9);
        }
        assert_eq!(summed_interval(1.0, &[(0.0, 3.0)]), None);
        assert_eq!(summed_up_interval(5.0, 18.0_f64.sqrt(), 2), mean_interval(&[2.0, 8.0]));
    }

    /// Of independent differences with either sign as likely, n have one sign in 2^(1-n) of cases: 6% for
    /// five, 3% for six.
    #[test]
    fn equal_values_say_nothing_while_they_are_few() {
        assert_eq!(mean_interval(&[5.0]), None);
        assert_eq!(mean_interval(&[0.0; 2]), None);
        assert_eq!(mean_interval(&[5.0; FEW - 1]), None);
        assert_eq!(mean_interval(&[0.1 + 0.2, 0.3, 0.3]), None, "equal but for rounding");
        assert_eq!(mean_interval(&[5.0; FEW]), Some(Interval { low: 5.0, high: 5.0 }));
        assert_eq!(mean_interval(&[f64::NAN; 9]), None);
    }
}
