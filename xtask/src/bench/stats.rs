//! What pairs of rates say: medians, and how far they can be trusted.

use resonetics_numerics::stream::{Domain, Key};

/// Resamples of an interval, as in `benches/peers/compare_training.py`.
pub(super) const RESAMPLES: u32 = 10_000;

/// The middle one of some values, or the mean of the middle two; NaN for none.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// 95% percentile interval of the median: of the medians of resampled values (Efron and Tibshirani
/// 1993, "An introduction to the bootstrap", chapter 13), the same at each call. NaN for no values.
pub(super) fn interval(values: &[f64]) -> (f64, f64) {
    let key = Key::new(1, Domain::Statistics, 0);
    let count = values.len() as u32;
    let mut medians: Vec<f64> = (0..RESAMPLES)
        .map(|sample| {
            let drawn: Vec<f64> =
                (0..count).map(|index| values[key.below(count, sample, index) as usize]).collect();
            median(&drawn)
        })
        .collect();
    medians.sort_by(f64::total_cmp);
    let at = |share: f64| (share * f64::from(RESAMPLES)) as usize;
    (medians[at(0.025)], medians[at(0.975) - 1])
}

/// A ratio of two programs' rates, over pairs of runs.
#[derive(Debug, Clone, Default)]
pub(super) struct Pairs {
    /// Of each pair, in the order of the runs: the rate above the line and the one below.
    pub(super) rates: Vec<(f64, f64)>,
}

impl Pairs {
    pub(super) fn ratios(&self) -> Vec<f64> {
        self.rates.iter().map(|(above, below)| above / below).collect()
    }

    /// The median rates.
    pub(super) fn medians(&self) -> (f64, f64) {
        let (above, below): (Vec<f64>, Vec<f64>) = self.rates.iter().copied().unzip();
        (median(&above), median(&below))
    }

    /// The cells `above | below | **ratio** | low to high | pairs` of a row in Markdown. The ratio is
    /// that of each pair, then the median: noise falls on both of a pair alike.
    pub(super) fn cells(&self) -> String {
        let (above, below) = self.medians();
        let ratios = self.ratios();
        let (low, high) = interval(&ratios);
        format!(
            "{} | {} | **{}** | {} to {} | {}",
            grouped(above),
            grouped(below),
            ratio(median(&ratios)),
            ratio(low),
            ratio(high),
            ratios.len()
        )
    }

    /// All pairs, in the order of the runs.
    pub(super) fn listed(&self) -> String {
        let one = |&(above, below): &(f64, f64)| {
            format!("{} / {} = {}", grouped(above), grouped(below), ratio(above / below))
        };
        self.rates.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

/// Three significant digits, at least two decimals below 10: 0.984, 3.17, 41.3, 902.
pub(super) fn ratio(value: f64) -> String {
    let decimals = match value {
        v if v < 1.5 => 3,
        v if v < 10.0 => 2,
        v if v < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

/// A whole number with its thousands set apart.
pub(super) fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 3.0, 20.0]), 3.5);
        assert_eq!(median(&[7.0]), 7.0);
        assert!(median(&[]).is_nan());
    }

    /// By hand: the median of n draws is at most the k-th of n values if more than half of the draws
    /// are, each with probability k / n. For 7 values that is 0.010 at k = 1 and 0.108 at k = 2, so
    /// 0.025 lies at the second; for 5 values it is 0.058 at k = 1, so it lies at the first.
    #[test]
    fn an_interval_lies_where_the_binomial_distribution_says() {
        let values = |count: u32| (1..=count).map(f64::from).collect::<Vec<_>>();
        assert_eq!(interval(&values(5)), (1.0, 5.0));
        assert_eq!(interval(&values(7)), (2.0, 6.0));
        let mut shuffled = values(7);
        shuffled.swap(0, 5);
        shuffled.swap(2, 6);
        assert_eq!(interval(&shuffled), (2.0, 6.0));
        assert_eq!(interval(&[3.0, 3.0]), (3.0, 3.0));
    }

    #[test]
    fn a_ratio_is_that_of_each_pair() {
        // The second pair ran while the machine was busy; the ratio of the medians would be 1.5.
        let pairs = Pairs { rates: vec![(3000.0, 1000.0), (1500.0, 500.0), (1200.0, 2000.0)] };
        assert_eq!(pairs.cells(), "1,500 | 1,000 | **3.00** | 0.600 to 3.00 | 3");
        assert_eq!(pairs.listed(), "3,000 / 1,000 = 3.00, 1,500 / 500 = 3.00, 1,200 / 2,000 = 0.600");
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!([1.0, 999.6, 12_345.0, 1_234_567.0].map(grouped), ["1", "1,000", "12,345", "1,234,567"]);
        assert_eq!([0.9704, 3.173, 41.26, 902.4].map(ratio), ["0.970", "3.17", "41.3", "902"]);
    }
}
