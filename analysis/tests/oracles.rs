//! The statistics beside rliable, scipy and scikit-learn on recorded data (oracles/record.py).
#![allow(clippy::unwrap_used)] // helpers of tests

use rand::SeedableRng;
use rand::rngs::StdRng;
use resonetics_analysis::stats::Interval;
use resonetics_analysis::stats::aggregate::{
    improvement_over_tasks, independent_bootstrap_interval, interquartile_mean_of_tasks, mean_of_tasks,
    median_of_tasks, optimality_gap, performance_profile, profile_intervals, stratified_bootstrap_interval,
};
use resonetics_analysis::stats::correlation::Correlation;
use resonetics_analysis::stats::paired::signed_rank_p;
use resonetics_analysis::stats::roc::Roc;
use serde_json::Value;

fn recorded() -> Value {
    serde_json::from_str(include_str!("oracles/oracles.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn tasks(record: &Value, name: &str) -> Vec<Vec<f64>> {
    record["scores"][name].as_array().unwrap().iter().map(numbers).collect()
}

fn gap(tasks: &[Vec<f64>]) -> Option<f64> {
    optimality_gap(tasks, 1.0)
}

type Aggregate = fn(&[Vec<f64>]) -> Option<f64>;

/// In the order of the recording.
const AGGREGATES: [Aggregate; 4] = [mean_of_tasks, median_of_tasks, interquartile_mean_of_tasks, gap];

#[track_caller]
fn close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found}, recorded {expected}");
}

#[test]
fn aggregates_are_those_of_rliable() {
    let record = recorded();
    for name in ["a", "b"] {
        let tasks = tasks(&record, name);
        for (aggregate, expected) in AGGREGATES.iter().zip(numbers(&record["points"][name])) {
            close(aggregate(&tasks).unwrap(), expected, 1e-6);
        }
        let taus = numbers(&record["taus"]);
        let profile = performance_profile(&tasks, &taus).unwrap();
        for (found, expected) in profile.into_iter().zip(numbers(&record["profile"][name])) {
            close(found, expected, 1e-6);
        }
    }
    let improvement = improvement_over_tasks(&tasks(&record, "a"), &tasks(&record, "b")).unwrap();
    close(improvement, record["improvement"].as_f64().unwrap(), 1e-6);
}

/// Ends lie on multiples of 1/150: the bootstrap's may be one to the side where a multiple has just 2.5%
/// below it.
#[test]
fn the_band_of_a_profile_is_what_rliables_bootstrap_tends_to() {
    let record = recorded();
    let (many, taus) = (numbers(&record["many"]["scores"]), numbers(&record["taus"]));
    let profile = performance_profile(std::slice::from_ref(&many), &taus).unwrap();
    let band = profile_intervals(&many, &taus).unwrap();
    let mut exact = 0;
    for (i, interval) in band.iter().enumerate() {
        let recorded = |name: &str| numbers(&record["many"][name])[i];
        close(profile[i], recorded("profile"), 1e-6);
        for (found, expected) in [(interval.low, recorded("low")), (interval.high, recorded("high"))] {
            close(found, expected, 1.0 / 150.0 + 1e-9);
            exact += usize::from((found - expected).abs() < 1e-9);
        }
    }
    assert!(exact >= 14, "{exact} of {}", 2 * band.len());
    assert_eq!(profile_intervals(&many[..1], &taus), None);
}

/// An end of an interval is a quantile at 2.5% of 2,000 replicates; its standard error is about 0.026
/// of the interval's width for a normal distribution. Four of them.
#[track_caller]
fn close_interval(found: Interval, low: f64, high: f64) {
    let tolerance = 4.0 * 0.026 * (high - low);
    close(found.low, low, tolerance);
    close(found.high, high, tolerance);
}

#[test]
fn stratified_intervals_are_those_of_rliable_within_bootstrap_error() {
    let record = recorded();
    let rng = &mut StdRng::seed_from_u64(1);
    for name in ["a", "b"] {
        let tasks = tasks(&record, name);
        let (low, high) = (numbers(&record["intervals"][name][0]), numbers(&record["intervals"][name][1]));
        for (i, aggregate) in AGGREGATES.iter().enumerate() {
            close_interval(stratified_bootstrap_interval(&tasks, aggregate, rng).unwrap(), low[i], high[i]);
        }
    }
    let (a, b) = (tasks(&record, "a"), tasks(&record, "b"));
    let found = independent_bootstrap_interval(&a, &b, improvement_over_tasks, rng).unwrap();
    let expected = numbers(&record["improvement_interval"]);
    close_interval(found, expected[0], expected[1]);
}

#[test]
fn the_signed_rank_test_is_that_of_scipy() {
    let record = &recorded()["signed_rank"];
    let p = |x: &str, y: &str| signed_rank_p(&numbers(&record[x]), &numbers(&record[y])).unwrap();
    close(p("x", "y"), record["exact"].as_f64().unwrap(), 1e-9);
    close(p("long_x", "long_y"), record["asymptotic"].as_f64().unwrap(), 1e-9);
}

#[test]
fn roc_and_correlation_are_those_of_scikit_learn_and_scipy() {
    let record = &recorded()["roc"];
    let (mut roc, mut correlation) = (Roc::default(), Correlation::default());
    for (label, score) in numbers(&record["labels"]).into_iter().zip(numbers(&record["scores"])) {
        roc.add(score, label > 0.5);
        correlation.add(label, score);
    }
    close(roc.area().unwrap(), record["auc"].as_f64().unwrap(), 1e-9);
    close(correlation.value().unwrap(), record["pearson"].as_f64().unwrap(), 1e-9);
    let points = roc.points().unwrap();
    assert_eq!(points.len(), numbers(&record["fpr"]).len());
    for (found, expected) in
        points.iter().zip(numbers(&record["fpr"]).into_iter().zip(numbers(&record["tpr"])))
    {
        close(found.0, expected.0, 1e-9);
        close(found.1, expected.1, 1e-9);
    }
}
