//! What the units of a study say together: means with intervals, and differences from the first variant of a group.

use std::collections::BTreeMap;

use resonetics_analysis::report::{Cell, Table};
use resonetics_analysis::stats::Interval;
use resonetics_analysis::stats::student::{mean_interval, mean_interval_among, welch_interval_among};
use resonetics_analysis::stats::summary::mean;

use super::cell::{Measure, Unit};

/// The columns of summary.csv.
pub const COLUMNS: [&str; 10] = [
    "group",
    "variant",
    "measure",
    "units",
    "mean",
    "low",
    "high",
    "difference",
    "difference_low",
    "difference_high",
];

/// A variant in its group, by one measure.
pub struct Row {
    pub group: String,
    pub variant: String,
    pub measure: usize,
    pub units: usize,
    pub mean: Option<f64>,
    /// By Student's t over the units.
    pub interval: Option<Interval>,
    /// From the first variant of the group; none for that one.
    pub difference: Option<f64>,
    /// Of pairs with the same seed, by Student's t; where the seeds are others, Welch's. One of as many as there are other
    /// variants in the group.
    pub difference_interval: Option<Interval>,
}

/// The rows in the order of `values`.
pub fn rows(values: &[Unit], measures: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    for group in in_order(values.iter().map(|value| value.group.as_str())) {
        let of_group = || values.iter().filter(move |value| value.group == group);
        let variants = in_order(of_group().map(|value| value.variant.as_str()));
        let among = variants.len().saturating_sub(1);
        for measure in 0..measures {
            let of = |variant: &str| -> BTreeMap<u64, f64> {
                let own = of_group().filter(|value| value.variant == variant && value.measure == measure);
                own.map(|value| (value.seed, value.value)).collect()
            };
            let first = variants.first().map(|first| of(first)).unwrap_or_default();
            for (place, variant) in variants.iter().enumerate() {
                let own = of(variant);
                let all: Vec<f64> = own.values().copied().collect();
                let (difference, difference_interval) =
                    if place == 0 { (None, None) } else { beside(&own, &first, among) };
                rows.push(Row {
                    group: group.to_owned(),
                    variant: (*variant).to_owned(),
                    measure,
                    units: all.len(),
                    mean: mean(&all),
                    interval: mean_interval(&all),
                    difference,
                    difference_interval,
                });
            }
        }
    }
    rows.retain(|row| row.units > 0);
    rows
}

fn beside(
    own: &BTreeMap<u64, f64>,
    first: &BTreeMap<u64, f64>,
    among: usize,
) -> (Option<f64>, Option<Interval>) {
    if own.keys().eq(first.keys()) {
        let differences: Vec<f64> = own.iter().map(|(seed, value)| value - first[seed]).collect();
        return (mean(&differences), mean_interval_among(&differences, among));
    }
    let [x, y] = [own, first].map(|side| side.values().copied().collect::<Vec<f64>>());
    (mean(&x).zip(mean(&y)).map(|(x, y)| x - y), welch_interval_among(&x, &y, among))
}

/// Each once, in the order in which they come first.
fn in_order<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut kept: Vec<&str> = Vec::new();
    for name in names {
        if !kept.contains(&name) {
            kept.push(name);
        }
    }
    kept
}

/// A table of `rows` for a reader.
pub fn table(rows: &[Row], measures: &[Measure]) -> Table {
    let columns = ["what", "measure", "units", "mean (95%)", "difference from the first (95%)"];
    let mut table =
        Table::new("Means over units: trainings, or episodes of agents that are not trained", &columns);
    for row in rows {
        let decimals = measures[row.measure].decimals;
        table.rows.push(vec![
            Cell::text(name(row)),
            Cell::text(measures[row.measure].name),
            Cell::count(row.units as u64),
            Cell::estimate(row.mean, row.interval, decimals),
            Cell::estimate(row.difference, row.difference_interval, decimals),
        ]);
    }
    table
}

fn name(row: &Row) -> String {
    if row.group.is_empty() { row.variant.clone() } else { format!("{}, {}", row.group, row.variant) }
}

/// What can be said of each variant beside the first of its group: an interval decides.
pub fn answers(rows: &[Row], measures: &[Measure]) -> Vec<String> {
    let first = |row: &Row| {
        let others = rows.iter().filter(|other| other.group == row.group && other.measure == row.measure);
        others.map(|other| other.variant.as_str()).next().unwrap_or_default()
    };
    let said = |row: &Row| {
        let measure = measures[row.measure];
        let (difference, decimals) = (row.difference?, measure.decimals);
        let text = match row.difference_interval {
            None => format!("{difference:+.decimals$} from {}, too few units for an interval", first(row)),
            Some(Interval { low, high }) => {
                let word = match (low > 0.0, high < 0.0) {
                    (false, false) => "no difference is shown from",
                    (more, _) if more == measure.more_is_better => "better than",
                    _ => "worse than",
                };
                format!(
                    "{word} {}, {difference:+.decimals$} (95% {low:+.decimals$} to {high:+.decimals$})",
                    first(row)
                )
            }
        };
        Some(format!("{}, {}: {text}.", name(row), measure.name))
    };
    rows.iter().filter_map(said).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(variant: &str, seed: u64, value: f64) -> Unit {
        Unit { group: String::new(), variant: variant.to_owned(), seed, measure: 0, value }
    }

    const LIFE: [Measure; 1] = [Measure { name: "life", decimals: 1, more_is_better: true }];

    // By hand: differences 2, 3, 4, mean 3, standard error 1 / sqrt(3), t(2, 97.5%) 4.302653: 3 -+ 2.484. Of two that are looked at
    // together t(2, 98.75%) is 6.205347 (scipy 1.17.1): 3 -+ 3.583.
    #[test]
    fn pairs_are_compared_with_the_first_variant() {
        let mut values: Vec<Unit> = Vec::new();
        for (seed, (base, better)) in [(10.0, 12.0), (20.0, 23.0), (15.0, 19.0)].into_iter().enumerate() {
            values.push(value("base", seed as u64, base));
            values.push(value("new", seed as u64, better));
        }
        let alone = rows(&values, 1);
        assert_eq!((alone[0].mean, alone[0].difference, alone[1].difference), (Some(15.0), None, Some(3.0)));
        let ends = alone[1].difference_interval.unwrap();
        assert!((ends.low - 0.516).abs() < 1e-3 && (ends.high - 5.484).abs() < 1e-3, "{ends:?}");
        assert_eq!(answers(&alone, &LIFE), ["new, life: better than base, +3.0 (95% +0.5 to +5.5)."]);
        let less = [Measure { more_is_better: false, ..LIFE[0] }];
        assert!(answers(&alone, &less)[0].contains("worse than base"));
        values.extend([value("other", 0, 10.0), value("other", 1, 20.0), value("other", 2, 16.0)]);
        let three = rows(&values, 1);
        let ends = three[1].difference_interval.unwrap();
        assert!((ends.low + 0.583).abs() < 1e-3, "{ends:?}");
        assert!(answers(&three, &LIFE)[0].contains("no difference is shown from base, +3.0"));
    }

    /// Of other seeds there are no pairs. scipy 1.17.1: `ttest_ind([3, 4, 5], [1, 2], equal_var=False)` has 2.027 degrees
    /// of freedom... the interval is that of `welch_interval_among`, which has its own oracle.
    #[test]
    fn other_seeds_are_no_pairs() {
        let values = [
            value("a", 1, 1.0),
            value("a", 2, 2.0),
            value("b", 3, 3.0),
            value("b", 4, 4.0),
            value("b", 5, 5.0),
        ];
        let found = rows(&values, 1);
        assert_eq!(found[1].difference, Some(2.5));
        let expected = welch_interval_among(&[3.0, 4.0, 5.0], &[1.0, 2.0], 1);
        assert_eq!(found[1].difference_interval, expected);
        assert!(expected.is_some());
    }

    #[test]
    fn one_unit_has_no_interval() {
        let found = rows(&[value("a", 1, 1.0), value("b", 1, 2.0)], 1);
        assert_eq!(answers(&found, &LIFE), ["b, life: +1.0 from a, too few units for an interval."]);
    }
}
