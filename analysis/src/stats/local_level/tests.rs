//! Local levels beside statsmodels (`tests/oracles/record_local_level.py` made `local_level.json`), and by hand.

use serde_json::Value;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::super::noise::NOISES;
use super::super::test_data::assert_close;
use super::posterior::Variances;
use super::*;

struct Case {
    y: Vec<f64>,
    controls: Vec<Vec<f64>>,
    ahead: Vec<Vec<f64>>,
    recorded: Value,
}

impl Case {
    fn rows(&self) -> Rows<'_> {
        Rows { y: &self.y, controls: &self.controls }
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn cases() -> Vec<Case> {
    let record: Value =
        serde_json::from_str(include_str!("../../../tests/oracles/local_level.json")).unwrap();
    let lists = |value: &Value| value.as_array().unwrap().iter().map(numbers).collect();
    let case = |recorded: &Value| Case {
        y: numbers(&recorded["y"]),
        controls: lists(&recorded["controls"]),
        ahead: lists(&recorded["ahead"]),
        recorded: recorded.clone(),
    };
    record["cases"].as_array().unwrap().iter().map(case).collect()
}

/// Covariances begin at 1e6, of which rounding leaves 1e-10, in both programs, and states are a hundred of it.
#[test]
fn the_filter_is_that_of_statsmodels() {
    for case in cases() {
        for given in case.recorded["given"].as_array().unwrap() {
            let (irregular, level) = (number(&given["irregular"]), number(&given["level"]));
            let found = filter(case.rows(), irregular, level);
            let expected = number(&given["log_likelihood"]);
            assert_close(found.log_likelihood(), expected, 1e-8 * expected.abs());
            let d = found.state.len();
            for (i, expected) in numbers(&given["filtered"]).into_iter().enumerate() {
                assert_close(found.state[i], expected, 1e-8);
            }
            for (i, expected) in numbers(&given["filtered_variance"]).into_iter().enumerate() {
                assert_close(found.covariance[i * d + i], expected, 1e-8);
            }
            let forecasts = numbers(&given["forecast"]).into_iter().zip(numbers(&given["forecast_se"]));
            for (row, (forecast, se)) in forecasts.enumerate() {
                let beside: Vec<f64> = case.ahead.iter().map(|control| control[row]).collect();
                let (mean, variance) = found.fitted(&beside);
                assert_close(mean, forecast, 1e-7);
                assert_close((variance + as_f64(row + 1) * level + irregular).sqrt(), se, 1e-7);
            }
        }
    }
}

/// Statsmodels' maximum was refined until its likelihood changed by less than 1e-12, so that its logarithms of
/// variances are known to about the root of that; ours are from likelihoods rounded at 1e-13 of some 100, known to
/// the root of 1e-11. Where a variance is 0 both end near it.
#[test]
fn the_likeliest_variances_are_those_of_statsmodels() {
    for case in cases() {
        let Variances { irregular, level } = likeliest(case.rows());
        let best = &case.recorded["best"];
        let total = irregular + level;
        assert_close(irregular, number(&best["irregular"]), 2e-5 * total);
        assert_close(level, number(&best["level"]), 2e-5 * total);
        let reached = filter(case.rows(), irregular, level).log_likelihood();
        assert_close(reached, number(&best["log_likelihood"]), 1e-6);
    }
}

/// The share that is left after all, by paths of the level itself: each step moves what comes after it.
#[test]
fn steps_in_a_mean_by_hand() {
    for (washout, rows) in [(0, 1), (0, 2), (3, 1), (7, 20)] {
        let moved = |step: usize| (0..rows).filter(|row| step <= washout + row).count() as f64 / rows as f64;
        let expected: f64 = (0..washout + rows).map(|step| moved(step).powi(2)).sum();
        assert_close(steps_in_mean(as_f64(washout), as_f64(rows)), expected, 1e-12);
    }
}

/// What is drawn scatters as the filter says: the mean and the deviation of a state's draws are those of the mixture.
#[test]
fn draws_of_states_have_the_posteriors_moments() {
    let case = &cases()[2];
    let posterior = Posterior::new(case.rows()).unwrap();
    let mut draws = Drawn::Levels.stream(3, 0);
    let n = 20_000;
    let drawn: Vec<_> = (0..n).map(|_| posterior.draw(&mut draws)).collect();
    let beside = [0.5, -1.0];
    // The chance of being at most a point of the mixture, one row ahead, by draws and by Student's t of each share.
    for y in [-1.0, 0.5, 1.5, 3.0] {
        let below = |drawn: &posterior::Drawn| {
            let mean = drawn.state[0] + 0.5 * drawn.state[1] - drawn.state[2];
            let deviation = (drawn.variances.level + drawn.variances.irregular).sqrt();
            Normal::standard().cdf((y - mean) / deviation)
        };
        let shares: Vec<f64> = drawn.iter().map(below).collect();
        let error = 4.0 * standard_deviation(&shares).unwrap() / as_f64(n).sqrt();
        assert_close(mean(&shares).unwrap(), posterior.below(y, &beside, 1).unwrap(), error);
    }
}

/// The prior is flat in the root of the share: here it is stepped through evenly, with the likelihood alone as weight.
/// Eight rows leave the prior something to say. To the width of a step, 1/4,000.
#[test]
fn shares_are_weighed_by_a_prior_flat_in_their_root() {
    let y = [0.3, -0.2, 0.5, 0.9, 0.4, 1.2, 0.8, 1.5];
    let rows = Rows { y: &y, controls: &[] };
    let posterior = Posterior::new(rows).unwrap();
    for (point, ahead) in [(0.0, 1), (1.0, 5), (2.0, 1), (3.0, 20)] {
        let (mut below, mut total) = (0.0, 0.0);
        for step in 0..4_000 {
            let share = ((f64::from(step) + 0.5) / 4_000.0).powi(2);
            let found = filter(rows, 1.0 - share, share);
            let (mean, variance) = found.fitted(&[]);
            let scale = found.scale() * (variance + as_f64(ahead) * share + 1.0 - share);
            let student = StudentsT::new(mean, scale.sqrt(), as_f64(found.counted)).unwrap();
            let weight = found.profile().exp();
            total += weight;
            below += weight * student.cdf(point);
        }
        assert_close(posterior.below(point, &[], ahead).unwrap(), below / total, 1.0 / 4_000.0);
    }
}

/// Of one row after the event the interval is the one that is expected of that row, however long the washout before it:
/// shares of 1,000 draws beyond its ends, to four errors. The level wanders, so that a washout counts.
#[test]
fn the_interval_of_one_row_is_the_posteriors() {
    let (mut series, control) = changed(0.7);
    let mut level = 0.0;
    for (row, step) in series.iter_mut().zip(NOISES[0].series(300, 41, 2)) {
        level += 0.3 * step;
        *row += level;
    }
    for washout in [0, 30] {
        let end = 201 + washout;
        let changed = Changed { series: &series[..end], controls: &[&control[..end]], event: 200, washout };
        let (y, controls) = changed.standardised().unwrap();
        let (before, beside) = (y.until(200), until(&controls, 200));
        let posterior = Posterior::new(Rows { y: &before, controls: &beside }).unwrap();
        let effects = changed.effects(&y, &controls, &posterior, 1);
        for share in [0.025, 0.5, 0.975] {
            let expected = y.rows[end - 1] - quantile(&effects, share).unwrap();
            let below = posterior.below(expected, &[controls[0].rows[end - 1]], 1 + washout).unwrap();
            assert_close(1.0 - below, share, 4.0 * (share * (1.0 - share) / as_f64(DRAWS)).sqrt());
        }
    }
}

#[test]
fn rows_of_the_washout_do_not_matter() {
    let (mut series, mut control) = changed(1.0);
    let found = impact(&series, &control).unwrap();
    series[200..205].fill(1e6);
    control[200..205].fill(-1e6);
    assert_eq!(impact(&series, &control), Ok(found));
}

/// A unit that follows its control, with noise; `effect` from row 200 on.
fn changed(effect: f64) -> (Vec<f64>, Vec<f64>) {
    let (control, noise) = (NOISES[1].series(300, 41, 0), NOISES[0].series(300, 41, 1));
    let row = |t: usize| 5.0 + 2.0 * control[t] + 0.3 * noise[t] + if t >= 200 { effect } else { 0.0 };
    ((0..300).map(row).collect(), control)
}

fn impact(series: &[f64], control: &[f64]) -> Result<Impact, Refused> {
    Changed { series, controls: &[control], event: 200, washout: 5 }.impact(1)
}

#[test]
fn an_effect_is_found_and_moves_the_interval_with_it() {
    let (nothing, control) = changed(0.0);
    let null = impact(&nothing, &control).unwrap();
    assert!(null.interval.low < 0.0 && null.interval.high > 0.0, "{null:?}");
    let found = impact(&changed(1.0).0, &control).unwrap();
    assert_close(found.effect, null.effect + 1.0, 1e-9);
    assert_close(found.interval.low, null.interval.low + 1.0, 1e-9);
    assert_close(found.interval.high, null.interval.high + 1.0, 1e-9);
    assert!(found.interval.low > 0.0, "{found:?}");
    // Four standard errors of a regression of 200 rows on a control of deviation 1.
    assert_close(found.coefficients[0], 2.0, 4.0 * 0.3 / 200.0_f64.sqrt() * 2.0);
    assert!(found.irregular > 0.05 && found.irregular < 0.15 && found.level < 0.01, "{found:?}");
    assert!(found.coverage > 0.8);
}

#[test]
fn units_do_not_matter() {
    let (series, control) = changed(1.0);
    let found = impact(&series, &control).unwrap();
    let scaled: Vec<f64> = series.iter().map(|y| 1_000.0 * y - 7.0).collect();
    let of_control: Vec<f64> = control.iter().map(|x| 3.0 + 0.01 * x).collect();
    let other = impact(&scaled, &of_control).unwrap();
    assert_close(other.effect, 1_000.0 * found.effect, 1e-4);
    assert_close(other.irregular, 1e6 * found.irregular, 1.0);
    assert_close(other.coefficients[0], 1e5 * found.coefficients[0], 1.0);
}

/// A control that stopped telling anything in the last quarter before the event.
#[test]
fn a_history_that_is_not_foretold_is_refused() {
    let (mut series, control) = changed(0.0);
    series[150..200].iter_mut().for_each(|y| *y += 8.0);
    let Err(Refused::Unpredicted(coverage)) = impact(&series, &control) else { panic!("was not refused") };
    assert!(coverage < 0.2, "{coverage}");
}

#[test]
fn what_cannot_be_used_is_refused() {
    let (series, control) = changed(0.0);
    let at = |event, washout| Changed { series: &series, controls: &[&control], event, washout }.impact(1);
    assert_eq!(at(149, 5), Err(Refused::TooShort(149)));
    assert_eq!(at(200, 100), Err(Refused::TooShort(200)));
    assert_eq!(at(200, usize::MAX), Err(Refused::TooShort(200)));
    assert!(at(200, 99).is_ok());
    assert_eq!(impact(&series, &control[1..]), Err(Refused::Control(0)));
    let mut still = control.clone();
    still[..200].fill(2.0);
    assert_eq!(impact(&series, &still), Err(Refused::Control(0)));
    still[..200].fill(0.3);
    still[7] = 0.1 + 0.2;
    assert_eq!(impact(&series, &still), Err(Refused::Control(0)), "only by rounding");
    let mut broken = series.clone();
    broken[250] = f64::NAN;
    assert_eq!(impact(&broken, &control), Err(Refused::Undefined));
    assert_eq!(impact(&[1.0; 300], &control), Err(Refused::Undefined));
}

/// Without controls it is a level alone.
#[test]
fn controls_are_not_needed() {
    let (series, _) = changed(0.0);
    let found = Changed { series: &series, controls: &[], event: 200, washout: 0 }.impact(1).unwrap();
    assert!(found.coefficients.is_empty());
    assert!(found.interval.high > found.interval.low);
}

/// The rows at which it is asked, by hand: 150 rows before the first and 100 after the last.
#[test]
fn pseudo_events_fill_the_history_and_see_only_it() {
    let (control, noise) = (NOISES[1].series(400, 42, 0), NOISES[0].series(400, 42, 1));
    let mut series: Vec<f64> =
        control.iter().zip(&noise).map(|(control, noise)| control + 0.3 * noise).collect();
    // What the change did must not be seen by any of them.
    series[300..].fill(f64::INFINITY);
    let changed = Changed { series: &series, controls: &[&control], event: 300, washout: 10 };
    let found = changed.placebos_in_time(40, 1);
    assert_eq!((found.times, found.said), (40, 40));
    // They overlap, so that there is no binomial bound; most of them must be silent all the same.
    assert!(found.told < 20, "{found:?}");
    assert_eq!(changed.placebos_in_time(1, 1).times, 1);
    let shorter = Changed { series: &series[..301], event: 151, ..changed };
    assert_eq!(shorter.placebos_in_time(40, 1).times, 0, "151 rows have no room for 150 and 150");
    let barely = Changed { series: &series[..302], event: 226, ..changed };
    assert_eq!(barely.placebos_in_time(40, 1).times, 1, "150 and 76");
}

/// An effect that is only in the history's middle is told of pseudo-events there.
#[test]
fn a_jump_in_the_history_is_told_by_pseudo_events() {
    let (control, noise) = (NOISES[1].series(600, 43, 0), NOISES[0].series(600, 43, 1));
    let row = |t: usize| control[t] + 0.3 * noise[t] + if t >= 350 { 1.5 } else { 0.0 };
    let series: Vec<f64> = (0..600).map(row).collect();
    let changed = Changed { series: &series, controls: &[&control], event: 550, washout: 0 };
    let found = changed.placebos_in_time(40, 1);
    assert!(found.told >= 2, "{found:?}");
}

#[test]
fn controls_are_asked_of_each_other() {
    let common = NOISES[1].series(300, 44, 0);
    let lane = |number: u64, effect: f64| -> Vec<f64> {
        let own = NOISES[0].series(300, 44, number);
        let row = |t: usize| common[t] + 0.3 * own[t] + if t >= 200 { effect } else { 0.0 };
        (0..300).map(row).collect()
    };
    let lanes = [lane(1, 2.0), lane(2, 0.0), lane(3, 0.0), lane(4, 2.0)];
    let controls: Vec<&[f64]> = lanes[1..].iter().map(Vec::as_slice).collect();
    let changed = Changed { series: &lanes[0], controls: &controls, event: 200, washout: 0 };
    let found: Vec<Impact> = changed.placebos_in_space(1).into_iter().map(Result::unwrap).collect();
    // The last was touched, too: from the two that were not, its effect is 2; of them, each has it as a control.
    assert!(found[2].interval.low > 1.5 && found[2].interval.high < 2.5, "{:?}", found[2]);
    assert!(found[0].effect < 0.0 && found[1].effect < 0.0, "{found:?}");
    let two = Changed { controls: &controls[..2], ..changed };
    let silent = |found: Result<Impact, Refused>| {
        let ends = found.unwrap().interval;
        ends.low < 0.0 && ends.high > 0.0
    };
    assert!(two.placebos_in_space(1).into_iter().all(silent));
}
