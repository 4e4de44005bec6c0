//! What experiments rest on beside statsmodels and scipy; `record_lab.py` made `lab.json`.

use resonetics_analysis::stats::bandit::{Bandit, NormalInverseGamma, Pull, Rules};
use resonetics_analysis::stats::blocks::detectable_effect;
use resonetics_analysis::stats::paired::holm;
use resonetics_analysis::stats::serial::{difference_of_means, long_run_variance, serial_mean};
use resonetics_analysis::stats::sign_flip::sign_flip;
use serde_json::Value;

use super::{close, numbers};

pub(super) fn recorded() -> Value {
    serde_json::from_str(include_str!("lab.json")).unwrap()
}

pub(super) fn list(value: &Value) -> Vec<Value> {
    value.as_array().unwrap().clone()
}

pub(super) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

#[track_caller]
fn close_relatively(found: f64, expected: &Value) {
    close(found, number(expected), 1e-9 * number(expected).abs());
}

#[test]
fn means_of_rows_alike_in_time_are_those_of_statsmodels() {
    for case in list(&recorded()["serial"]) {
        let values = numbers(&case["values"]);
        let found = serial_mean(&values).unwrap();
        close(found.mean, number(&case["mean"]), 1e-12);
        close_relatively(found.rho, &case["rho"]);
        close_relatively(found.bandwidth, &case["bandwidth"]);
        close_relatively(found.long_run_variance, &case["long_run"]);
        close_relatively(found.effective, &case["effective"]);
        for (lag, expected) in numbers(&case["lags"]).into_iter().zip(list(&case["long_run_by_lags"])) {
            close_relatively(long_run_variance(&values, lag + 1.0).unwrap(), &expected);
        }
    }
}

#[test]
fn the_difference_of_two_windows_is_that_of_statsmodels() {
    let record = recorded();
    let window = |i: usize| numbers(&record["serial"][i]["values"]);
    let found = difference_of_means(&window(1), &window(2)).unwrap();
    let expected = &record["difference"];
    close_relatively(found.delta, &expected["delta"]);
    close_relatively(found.se, &expected["se"]);
    close_relatively(found.interval.low, &expected["low"]);
    close_relatively(found.interval.high, &expected["high"]);
}

/// Ends are scipy's p, bisected.
#[test]
fn the_sign_flip_test_and_its_inversion_are_those_of_scipy() {
    for case in list(&recorded()["flips"]) {
        let found = sign_flip(&numbers(&case["differences"]), 1).unwrap();
        close(found.p, number(&case["p"]), 1e-12);
        if let Some(low) = case["low"].as_f64() {
            let ends = found.interval.unwrap();
            close(ends.low, low, 1e-9);
            close(ends.high, number(&case["high"]), 1e-9);
        }
    }
}

/// Both are simulated: 2,000 experiments here, 20,000 there. The chance of 80% errs by 0.9% and 0.3%, and near it
/// rises by 1% for 1% to 1.5% of the effect; four standard errors.
#[test]
fn what_pairs_can_show_is_what_numpy_simulates() {
    for case in list(&recorded()["power"]) {
        let pairs = usize::try_from(case["pairs"].as_u64().unwrap()).unwrap();
        let expected = number(&case["effect"]);
        close(detectable_effect(pairs, 1).unwrap(), expected, 4.0 * 0.0095 * 1.5 * expected);
    }
}

#[test]
fn holms_p_values_are_those_of_statsmodels() {
    for case in list(&recorded()["holm"]) {
        for (found, expected) in holm(&numbers(&case["p"])).into_iter().zip(numbers(&case["adjusted"])) {
            close(found, expected, 1e-12);
        }
    }
}

/// Scipy's t of all rewards at once, which `record_lab.py` has compared with prior times likelihood on a grid; and its
/// integrals.
#[test]
fn what_a_bandit_knows_is_what_scipy_integrates() {
    for case in list(&recorded()["bandits"]) {
        let mut pulls = Vec::new();
        for (arm, rewards) in list(&case["rewards"]).iter().enumerate() {
            pulls.extend(numbers(rewards).into_iter().map(|reward| Pull {
                arm,
                drawn: Vec::new(),
                reward: Some(reward),
            }));
        }
        let arms = list(&case["rewards"]).len();
        let rules = Rules { margin: number(&case["margin"]), ..Rules::default() };
        let standing =
            Bandit { seed: 1, arms, prior: NormalInverseGamma::default(), rules, pulls }.standing();
        let points = numbers(&case["points"]);
        for (arm, expected) in standing.arms.iter().zip(list(&case["cdf"])) {
            for (&point, expected) in points.iter().zip(numbers(&expected)) {
                close(arm.cdf(point).unwrap(), expected, 1e-9);
            }
        }
        assert_eq!(standing.ahead as u64, case["ahead"].as_u64().unwrap());
        close(standing.p_best, number(&case["p_best"]), 1e-6);
        for (&found, loss) in standing.expected_losses.iter().zip(numbers(&case["expected_losses"])) {
            close(found, loss, 1e-6);
        }
    }
}
