//! The statistics beside rliable, scipy and scikit-learn on recorded data (oracles/record.py).
#![allow(clippy::unwrap_used)] // helpers of tests

#[path = "oracles/dose.rs"]
mod dose;
#[path = "oracles/lab.rs"]
mod lab;

use rand::SeedableRng;
use rand::rngs::StdRng;
use resonetics_analysis::stats::Interval;
use resonetics_analysis::stats::aggregate::{
    improvement_over_tasks, interquartile_mean_of_tasks, mean_of_tasks, median_of_tasks, optimality_gap,
    performance_profile, profile_intervals, stratified_percentile_intervals,
};
use resonetics_analysis::stats::bootstrap::{bootstrap_interval, percentile_interval};
use resonetics_analysis::stats::compare::{improvement_interval, probability_of_improvement};
use resonetics_analysis::stats::correlation::Correlation;
use resonetics_analysis::stats::paired::signed_rank_p;
use resonetics_analysis::stats::roc::Roc;
use resonetics_analysis::stats::student::mean_interval;
use resonetics_analysis::stats::summary::{interquartile_mean, mean};
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

/// The bootstrap's ends lie on multiples of 1/150, and its band is a little narrower than the exact one.
#[test]
fn the_band_of_a_profile_is_near_rliables() {
    let record = recorded();
    let (many, taus) = (numbers(&record["many"]["scores"]), numbers(&record["taus"]));
    let profile = performance_profile(std::slice::from_ref(&many), &taus).unwrap();
    let band = profile_intervals(&many, &taus).unwrap();
    for (i, interval) in band.iter().enumerate() {
        let recorded = |name: &str| numbers(&record["many"][name])[i];
        close(profile[i], recorded("profile"), 1e-6);
        // At 0 and 1 the bootstrap's has no width at all.
        if recorded("profile") > 0.0 && recorded("profile") < 1.0 {
            close(interval.low, recorded("low"), 2.5 / 150.0);
            close(interval.high, recorded("high"), 2.5 / 150.0);
        }
    }
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
fn plain_percentile_intervals_are_those_of_rliable_within_bootstrap_error() {
    let record = recorded();
    let rng = &mut StdRng::seed_from_u64(1);
    let mut plain = |tasks: &[Vec<f64>], statistic: &dyn Fn(&[Vec<f64>]) -> Option<f64>| {
        let [interval] =
            stratified_percentile_intervals(tasks, |tasks| Some([statistic(tasks)?]), 0.025, rng).unwrap();
        interval
    };
    for name in ["a", "b"] {
        let tasks = tasks(&record, name);
        let (low, high) = (numbers(&record["intervals"][name][0]), numbers(&record["intervals"][name][1]));
        for (i, aggregate) in AGGREGATES.iter().enumerate() {
            close_interval(plain(&tasks, aggregate), low[i], high[i]);
        }
    }
    // Tasks are resampled independently of each other, as two groups of runs are.
    let both = [tasks(&record, "a"), tasks(&record, "b")].concat();
    let found = plain(&both, &|both: &[Vec<f64>]| improvement_over_tasks(&both[..3], &both[3..]));
    let expected = numbers(&record["improvement_interval"]);
    close_interval(found, expected[0], expected[1]);
}

/// What is widened for small samples is not for large ones.
#[test]
fn intervals_of_many_values_are_the_plain_ones() {
    let many = numbers(&recorded()["many"]["scores"]);
    let rng = &mut StdRng::seed_from_u64(2);
    let plain = percentile_interval(&many, interquartile_mean, 0.025, rng).unwrap();
    close_interval(bootstrap_interval(&many, interquartile_mean, rng).unwrap(), plain.low, plain.high);
    let plain = percentile_interval(&many, mean, 0.025, rng).unwrap();
    close_interval(mean_interval(&many).unwrap(), plain.low, plain.high);
    let halves = [many[..75].to_vec(), many[75..].to_vec()];
    let improvement = |two: &[Vec<f64>]| Some([probability_of_improvement(&two[0], &two[1])?]);
    let [plain] = stratified_percentile_intervals(&halves, improvement, 0.025, rng).unwrap();
    close_interval(improvement_interval(&halves[0], &halves[1]).unwrap(), plain.low, plain.high);
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
