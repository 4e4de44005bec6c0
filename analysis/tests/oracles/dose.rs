//! Dose and response beside statsmodels, scikit-learn, scipy and published numbers; `record_dose.py` made `dose.json`.
#![allow(clippy::disallowed_methods)] // logarithms of concentrations

use resonetics_analysis::stats::dose::{
    DoseCurve, limits, logistic, pool_adjacent_violators, rises, spearman_karber,
};
use serde_json::Value;

use super::{Interval, close, close_interval, numbers};

fn recorded() -> Value {
    serde_json::from_str(include_str!("dose.json")).unwrap()
}

fn counts(value: &Value) -> Vec<u64> {
    value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap()).collect()
}

fn sets(name: &str) -> Vec<Value> {
    recorded()[name].as_array().unwrap().clone()
}

/// Doses, how many of how many were lost at each, and the estimates without trim and with 5%, 10% and 20%.
type Published<'a> = (&'a [f64], &'a [f64], &'a [f64], [f64; 4]);

/// The ten data sets of Hamilton, Russo and Thurston 1977, Tables I (A to E) and V, and what the program of the
/// US EPA says of them, to four digits, as the tests of the R package tsk have it (`tests/EPA_comp.R`). The
/// scale is the logarithm of the concentration in mg/l.
#[test]
fn spearman_karber_is_that_of_the_published_program() {
    let (first, fourth) = ([15.54, 20.47, 27.92, 35.98, 55.52], [7.8, 13.0, 22.0, 36.0, 60.0, 100.0]);
    let (of_first, of_fourth) = ([20.0, 20.0, 20.0, 19.0, 20.0], [10.0; 6]);
    let published: [Published<'_>; 10] = [
        (&first, &[0.0, 0.0, 0.0, 1.0, 20.0], &of_first, [43.89, 44.16, 44.16, 44.16]),
        (&first, &[0.0, 1.0, 0.0, 1.0, 20.0], &of_first, [43.27, 44.16, 44.16, 44.16]),
        (&first, &[0.0, 1.0, 0.0, 3.0, 20.0], &of_first, [41.73, 42.53, 42.79, 42.91]),
        (&first, &[0.0, 1.0, 1.0, 18.0, 20.0], &of_first, [31.36, 31.71, 31.71, 31.71]),
        (&first, &[0.0, 1.0, 1.0, 19.0, 20.0], &of_first, [30.80, 31.48, 31.48, 31.48]),
        (&fourth, &[0.0, 0.0, 1.0, 10.0, 10.0, 10.0], &of_fourth, [26.75, 27.20, 27.38, 27.38]),
        (&fourth, &[0.0, 0.0, 7.0, 10.0, 10.0, 10.0], &of_fourth, [19.70, 19.52, 19.36, 19.07]),
        (&fourth, &[0.0, 0.0, 1.0, 4.0, 10.0, 10.0], &of_fourth, [36.14, 36.96, 37.49, 38.18]),
        (&fourth, &[0.0, 0.0, 2.0, 7.0, 10.0, 10.0], &of_fourth, [29.55, 29.69, 29.79, 29.74]),
        (&fourth, &[0.0, 0.0, 2.0, 3.0, 10.0, 10.0], &of_fourth, [36.11, 37.06, 38.05, 40.23]),
    ];
    for (doses, lost, of, expected) in published {
        let logs: Vec<f64> = doses.iter().map(|dose| dose.log10()).collect();
        let shares: Vec<f64> = lost.iter().zip(of).map(|(lost, of)| lost / of).collect();
        let shares = pool_adjacent_violators(&shares, of).unwrap();
        for (trim, expected) in [0.0, 0.05, 0.1, 0.2].into_iter().zip(expected) {
            let found = spearman_karber(&logs, &shares, trim).unwrap();
            close(10_f64.powf(found), expected, 0.0051);
        }
    }
}

/// In exact fractions, by another formula.
#[test]
fn spearman_karber_is_exact() {
    for case in sets("exact") {
        let of = case["of"].as_f64().unwrap();
        let lost: Vec<f64> = numbers(&case["lost"]).iter().map(|lost| lost / of).collect();
        let limit = spearman_karber(&numbers(&case["doses"]), &lost, case["trim"].as_f64().unwrap()).unwrap();
        let expected = case["limit"].as_f64().unwrap();
        close(limit, expected, 1e-12 * expected);
    }
}

#[test]
fn the_logistic_fit_is_that_of_statsmodels() {
    for case in sets("logistic") {
        let doses = numbers(&case["doses"]);
        let fit = logistic(&doses, &counts(&case["survived"]), &counts(&case["episodes"])).unwrap();
        for (found, name) in
            [(fit.intercept, "intercept"), (fit.slope, "slope"), (fit.limit().unwrap(), "limit")]
        {
            let expected = case[name].as_f64().unwrap();
            close(found, expected, 1e-6 * expected.abs());
        }
    }
}

#[test]
fn violators_are_pooled_as_scikit_learn_does() {
    for case in sets("pooled") {
        let found = pool_adjacent_violators(&numbers(&case["values"]), &numbers(&case["weights"])).unwrap();
        for (found, expected) in found.into_iter().zip(numbers(&case["pooled"])) {
            close(found, expected, 1e-12);
        }
    }
}

/// With two doses there is one test: a rise is told where the recorded p-value is below the level.
#[test]
fn a_rise_is_told_by_the_exact_test_of_scipy() {
    for case in sets("rises") {
        let [up, down] = ["up", "down"].map(|name| case[name].as_u64().unwrap() as usize);
        let low = [vec![false; up], vec![true; down], vec![true; 7]].concat();
        let high = [vec![true; up], vec![false; down], vec![true; 7]].concat();
        let curve = DoseCurve::new(vec![1.0, 2.0], vec![low, high]).unwrap();
        let p = case["p"].as_f64().unwrap();
        assert_eq!(rises(&curve, p * (1.0 + 1e-9)).len(), usize::from(up > down), "{case}");
        assert!(rises(&curve, p * (1.0 - 1e-9)).is_empty(), "{case}");
    }
}

fn recorded_curve() -> DoseCurve {
    let record = &recorded()["bootstrap"];
    let rows = record["alive"].as_array().unwrap().iter();
    let alive = rows.map(|row| numbers(row).iter().map(|alive| *alive > 0.5).collect()).collect();
    DoseCurve::new(numbers(&record["doses"]), alive).unwrap()
}

/// Intervals of resampled systems, each with its outcomes at all doses; the ends as in `close_interval`.
#[test]
fn limits_are_those_of_numpy_within_bootstrap_error() {
    let found = limits(&recorded_curve());
    assert!(found.monotone);
    for (estimate, name) in [(found.spearman_karber, "spearman-karber"), (found.logistic, "logistic")] {
        let record = &recorded()["bootstrap"][name];
        let [limit, low, high] = ["limit", "low", "high"].map(|name| record[name].as_f64().unwrap());
        close(estimate.limit.unwrap(), limit, 1e-9);
        let [own_low, own_high] = [estimate.low, estimate.high].map(Option::unwrap);
        close_interval(Interval { low: own_low, high: own_high }, low, high);
    }
}
