//! Survival with right censoring: how long a run lasts before it loses, where
//! a run that was stopped first says only that it lasted at least that long.

use super::{Interval, as_f64, normal_95};

/// How long one run lasted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lifetime {
    /// Time of the loss or of the last observation, at least 0, in any unit.
    pub time: f64,
    /// Whether the run lost at `time`; if not, it is censored there.
    pub lost: bool,
}

/// One row of a Kaplan-Meier table: what happened at one distinct time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SurvivalRow {
    /// The time of the losses or censorings, in the unit of the lifetimes.
    pub time: f64,
    /// Runs still going just before `time`.
    pub at_risk: usize,
    /// Runs that lost at `time`.
    pub lost: usize,
    /// Runs censored at `time`; they count as at risk for the losses there.
    pub censored: usize,
    /// Estimated chance to last beyond `time`, in `[0, 1]`.
    pub survival: f64,
    /// 95% log-log interval of `survival` with Greenwood's variance, inside
    /// `[0, 1]`. `None` where `survival` is 1 or 0, at which the variance says
    /// nothing.
    pub interval: Option<Interval>,
}

impl SurvivalRow {
    /// This row's term of Greenwood's sum, infinite if nobody is left after it.
    pub(super) fn greenwood_term(&self) -> f64 {
        let left = as_f64(self.at_risk - self.lost);
        as_f64(self.lost) / (as_f64(self.at_risk) * left)
    }
}

/// The product-limit estimate of the survival curve, one row for each distinct
/// time in ascending order; the curve is 1 before the first row.
///
/// Kaplan and Meier 1958, "Nonparametric estimation from incomplete
/// observations"; interval as in Kalbfleisch and Prentice 2002, "The
/// statistical analysis of failure time data", section 1.4. `None` for no
/// lifetimes, or a time that is negative or not finite.
#[must_use]
#[allow(clippy::float_cmp)] // Only times that are exactly equal are tied.
pub fn kaplan_meier(lifetimes: &[Lifetime]) -> Option<Vec<SurvivalRow>> {
    let sorted = sorted_by_time(lifetimes)?;
    let z = normal_95();
    let mut rows = Vec::new();
    let mut at_risk = sorted.len();
    let mut survival = 1.0;
    let mut greenwood = 0.0;
    for tied in sorted.chunk_by(|a, b| a.time == b.time) {
        let lost = tied.iter().filter(|lifetime| lifetime.lost).count();
        survival *= as_f64(at_risk - lost) / as_f64(at_risk);
        let mut row = SurvivalRow {
            time: tied.first()?.time,
            at_risk,
            lost,
            censored: tied.len() - lost,
            survival,
            interval: None,
        };
        if lost > 0 {
            greenwood += row.greenwood_term();
        }
        row.interval = log_log_interval(survival, greenwood, z);
        rows.push(row);
        at_risk -= tied.len();
    }
    Some(rows)
}

/// Interval of a survival of 0 < S < 1 with Var(S) = S^2 * `greenwood`, normal
/// on the scale of ln(-ln S).
fn log_log_interval(survival: f64, greenwood: f64, z: f64) -> Option<Interval> {
    if survival <= 0.0 || survival >= 1.0 {
        return None;
    }
    let spread = z * greenwood.sqrt() / survival.ln().abs();
    Some(Interval { low: survival.powf(spread.exp()), high: survival.powf((-spread).exp()) })
}

/// Median survival time: the first time at which the survival curve is at or
/// below 1/2, in the unit of the lifetimes.
///
/// `rows` is a table from [`kaplan_meier`]. `None` if the curve ends above 1/2:
/// the median was not reached.
#[must_use]
pub fn median_survival(rows: &[SurvivalRow]) -> Option<f64> {
    // A curve that is exactly 1/2 on paper, a product of fractions, may be off
    // by rounding.
    let half = 0.5 + 1e-9;
    let row = rows.iter().find(|row| row.survival <= half)?;
    Some(row.time)
}

/// The lifetimes in ascending order of time, or `None` if there are none or a
/// time is negative or not finite.
pub(super) fn sorted_by_time(lifetimes: &[Lifetime]) -> Option<Vec<Lifetime>> {
    let valid = |lifetime: &Lifetime| lifetime.time.is_finite() && lifetime.time >= 0.0;
    if lifetimes.is_empty() || !lifetimes.iter().all(valid) {
        return None;
    }
    let mut sorted = lifetimes.to_vec();
    sorted.sort_by(|a, b| a.time.total_cmp(&b.time));
    Some(sorted)
}

#[cfg(test)]
mod tests {
    use super::super::test_data::{assert_close, lifetimes, placebo, six_mp, tied_a};
    use super::*;

    type Expected = (f64, usize, usize, usize, f64, f64, f64);

    fn assert_row(row: &SurvivalRow, expected: Expected) {
        let (time, at_risk, lost, censored, survival, low, high) = expected;
        assert_close(row.time, time, 0.0);
        let counts = (row.at_risk, row.lost, row.censored);
        assert_eq!(counts, (at_risk, lost, censored), "at time {time}");
        assert_close(row.survival, survival, 1e-14);
        let interval = row.interval.unwrap();
        assert_close(interval.low, low, 1e-11);
        assert_close(interval.high, high, 1e-11);
    }

    // lifelines 0.30.3: k = KaplanMeierFitter().fit(time, lost), rows of
    // k.event_table, k.survival_function_ and k.confidence_interval_
    #[test]
    #[rustfmt::skip]
    fn six_mp_table_matches_lifelines() {
        let rows = kaplan_meier(&six_mp()).unwrap();
        assert_eq!(rows.len(), 16);
        let expected = [
            (0, (6.0, 21, 3, 1, 0.857_142_857_142_857, 0.619_717_955_265_984, 0.951_551_747_646_997)),
            (1, (7.0, 17, 1, 0, 0.806_722_689_075_630, 0.563_146_564_622_233, 0.922_809_019_202_880)),
            (2, (9.0, 16, 0, 1, 0.806_722_689_075_630, 0.563_146_564_622_233, 0.922_809_019_202_880)),
            (3, (10.0, 15, 1, 1, 0.752_941_176_470_588, 0.503_199_510_799_956, 0.889_361_835_169_265)),
            (10, (22.0, 7, 1, 0, 0.537_815_126_050_420, 0.267_778_936_767_135, 0.746_790_717_635_394)),
            (11, (23.0, 6, 1, 0, 0.448_179_271_708_683, 0.188_052_005_959_232, 0.680_142_628_495_241)),
            (15, (35.0, 1, 0, 1, 0.448_179_271_708_683, 0.188_052_005_959_232, 0.680_142_628_495_241)),
        ];
        for (index, row) in expected {
            assert_row(&rows[index], row);
        }
    }

    // As above, for placebo and for a small sample with many ties.
    #[test]
    #[rustfmt::skip]
    fn tied_tables_match_lifelines() {
        let rows = kaplan_meier(&placebo()).unwrap();
        assert_eq!(rows.len(), 12);
        assert_row(&rows[5], (8.0, 12, 4, 0, 0.380_952_380_952_381, 0.183_066_548_820_394, 0.577_788_677_745_831));
        assert_row(&rows[10], (22.0, 2, 1, 0, 0.047_619_047_619_048, 0.003_324_463_042_531, 0.197_044_905_698_946));
        let rows = kaplan_meier(&tied_a()).unwrap();
        assert_eq!(rows.len(), 4);
        assert_row(&rows[2], (3.0, 5, 2, 1, 0.45, 0.107_578_115_238_289, 0.751_273_849_926_194));
        assert_row(&rows[3], (5.0, 2, 1, 1, 0.225, 0.012_396_415_520_033, 0.602_419_426_605_669));
    }

    #[test]
    fn no_interval_at_one_or_zero() {
        let last = kaplan_meier(&placebo()).unwrap()[11];
        assert_eq!((last.survival, last.interval), (0.0, None));
        let all_censored = kaplan_meier(&lifetimes(&[3.0, 5.0], &[])).unwrap();
        assert!(all_censored.iter().all(|r| r.interval.is_none()));
        assert!(all_censored.iter().all(|r| r.survival >= 1.0));
    }

    // lifelines 0.30.3: KaplanMeierFitter().fit(time, lost).median_survival_time_
    #[test]
    fn median_matches_lifelines() {
        let median = |runs: &[Lifetime]| median_survival(&kaplan_meier(runs).unwrap());
        assert_eq!(median(&six_mp()), Some(23.0));
        assert_eq!(median(&placebo()), Some(8.0));
        assert_eq!(median(&tied_a()), Some(3.0));
        assert_eq!(median(&lifetimes(&[1.0, 2.0], &[9.0])), Some(9.0));
        assert_eq!(median(&lifetimes(&[5.0, 6.0], &[1.0])), None);
    }

    // Without censoring, exactly n / 2 of n runs are left after the middle one.
    #[test]
    fn rounding_does_not_move_the_median() {
        for half in 1..100u8 {
            let times: Vec<f64> = (1..=2 * half).map(f64::from).collect();
            let rows = kaplan_meier(&lifetimes(&times, &[])).unwrap();
            assert_eq!(median_survival(&rows), None);
            let rows = kaplan_meier(&lifetimes(&[], &times)).unwrap();
            assert_eq!(median_survival(&rows), Some(f64::from(half)));
        }
    }

    #[test]
    fn invalid_lifetimes_give_none() {
        assert_eq!(kaplan_meier(&[]), None);
        for bad in [f64::NAN, f64::INFINITY, -1.0] {
            assert_eq!(kaplan_meier(&lifetimes(&[1.0], &[bad])), None);
        }
        assert_eq!(median_survival(&[]), None);
        let zeros = kaplan_meier(&lifetimes(&[-0.0], &[0.0, -0.0])).unwrap();
        assert_eq!((zeros.len(), zeros[0].lost, zeros[0].at_risk), (1, 2, 3));
    }
}
