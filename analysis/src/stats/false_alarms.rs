//! How often estimators of effects speak of noise, and how often they find what is there: by simulation, against the
//! rates that they promise. The tables: `cargo test --release -p resonetics-analysis false_alarms -- --nocapture`.
//!
//! A promise of a rate is held if the count is no more than a binomial distribution with that rate exceeds in one of
//! a thousand cases.

use statrs::distribution::{Binomial, DiscreteCDF};

use super::Interval;
use super::bandit::{Bandit, NormalInverseGamma, Rules, Verdict};
use super::blocks::{Blocks, orders};
use super::draws::Drawn;
use super::noise::{NOISES, Noise};
use super::placebo::{Windows, placebo};
use super::serial::difference_of_means;
use super::sign_flip::sign_flip;
use super::student::welch_interval_among;

/// The most cases among `times` that go together with a chance of `rate` each.
fn most(times: u64, rate: f64) -> u64 {
    Binomial::new(rate, times).unwrap().inverse_cdf(0.999)
}

/// The least.
fn least(times: u64, rate: f64) -> u64 {
    Binomial::new(rate, times).unwrap().inverse_cdf(0.001)
}

/// How many of `times` tries come true, printed as a share.
fn count(what: &str, name: &str, times: u64, mut holds: impl FnMut(u64) -> bool) -> u64 {
    let held = (0..times).filter(|&index| holds(index)).count() as u64;
    println!("| {what} | {name} | {:.1}% of {times} |", 100.0 * held as f64 / times as f64);
    held
}

/// 0.3's numbers err by up to three points.
const ERROR: f64 = 0.03;

/// Intervals of a single event: 600 rows a side. Naive ones err in 6, 64, 85% at rho 0, 0.9, 0.98.
#[test]
fn intervals_of_one_event_err_as_often_as_they_say() {
    for (noise, serial, naive) in [(NOISES[0], 0.06, 0.06), (NOISES[1], 0.11, 0.64), (NOISES[2], 0.20, 0.85)]
    {
        let told = |ends: Interval| ends.low > 0.0 || ends.high < 0.0;
        let windows = |index: u64| {
            let mut pre = noise.series(1_200, 21, index);
            let post = pre.split_off(600);
            (pre, post)
        };
        let found = count("Newey-West interval", noise.name, 400, |index| {
            let (pre, post) = windows(index);
            told(difference_of_means(&pre, &post).unwrap().interval)
        });
        assert!(found >= least(400, serial - ERROR) && found <= most(400, serial + ERROR), "{found}");
        let found = count("naive interval", noise.name, 400, |index| {
            let (pre, post) = windows(index);
            told(welch_interval_among(&pre, &post, 1).unwrap())
        });
        assert!(found >= least(400, naive - ERROR) && found <= most(400, naive + ERROR), "{found}");
    }
}

/// Placebo times as F3 has them: 150 rows a side, 141 pseudo-times, 30 rows apart.
fn placebo_tells(noise: &Noise, effect: f64, index: u64) -> bool {
    let windows = Windows { rows: 150, washout: 0 };
    let mut series = noise.series(4_650, 22, index);
    series[4_500..].iter_mut().for_each(|row| *row += effect);
    let found = windows.effect(&series, 4_500).unwrap();
    let placebo = placebo(&series[..4_500], &[], windows, found).unwrap();
    assert_eq!(placebo.times, 141);
    placebo.p <= 0.05
}

/// 4 to 7% of false alarms. A jump that comes at the event's own time looks like the event to any method that has
/// one event, so that the noise with jumps is none for this one.
#[test]
fn placebo_times_are_silent_on_noise_and_find_effects() {
    for noise in &NOISES[..6] {
        let alarms =
            count("placebo times, no effect", noise.name, 400, |index| placebo_tells(noise, 0.0, index));
        assert!(alarms <= most(400, 0.07), "{}: {alarms}", noise.name);
    }
    for (noise, power) in NOISES.iter().zip([1.0, 0.61, 0.20]) {
        let found = count("placebo times, 1 sd", noise.name, 400, |index| placebo_tells(noise, 1.0, index));
        assert!(found >= least(400, power - ERROR), "{}: {found}", noise.name);
    }
}

/// Eight pairs of two blocks of 100 rows, of which 20 are dropped; B adds `effect`.
fn pairs_tell(noise: &Noise, effect: f64, index: u64) -> bool {
    let blocks = Blocks { rows: 100, washout: 20 };
    let b_first = orders(8, 1_000 + index);
    let mut series = noise.series(1_600, 23, index);
    for (pair, &b_first) in b_first.iter().enumerate() {
        let begin = 200 * pair + if b_first { 0 } else { 100 };
        series[begin..begin + 100].iter_mut().for_each(|row| *row += effect);
    }
    sign_flip(&blocks.differences(&series, &b_first).unwrap(), 1).unwrap().p <= 0.05
}

/// At most 5%, whatever the noise; power for half a deviation 1.00, 0.46, 0.24.
#[test]
fn pairs_of_blocks_are_silent_on_noise_and_find_effects() {
    for noise in &NOISES {
        let alarms = count("8 pairs, no effect", noise.name, 1_000, |index| pairs_tell(noise, 0.0, index));
        assert!(alarms <= most(1_000, 0.05), "{}: {alarms}", noise.name);
    }
    for (noise, power) in NOISES.iter().zip([1.0, 0.46, 0.24]) {
        let found = count("8 pairs, 0.5 sd", noise.name, 400, |index| pairs_tell(noise, 0.5, index));
        assert!(found >= least(400, power - ERROR), "{}: {found}", noise.name);
    }
}

/// What a bandit of three arms finds, whose rewards scatter by 0.05 about `means`.
fn bandit_finds(means: [f64; 3], index: u64) -> Verdict {
    let mut bandit = Bandit::new(index, 3, NormalInverseGamma::default(), Rules::default()).unwrap();
    let mut draws = Drawn::Noise.stream(24, index);
    while let Some(arm) = bandit.next_arm() {
        bandit.record(Some(means[arm] + 0.05 * draws.normal()));
    }
    bandit.verdict()
}

/// At most 7.5% of runs with equal arms call any best; one that is better by the noise's deviation is found in 56%.
#[test]
fn a_bandit_is_silent_on_equal_arms_and_finds_a_better_one() {
    let alarms = count("bandit, equal arms", "three arms", 400, |index| {
        matches!(bandit_finds([0.0; 3], index), Verdict::Best(_))
    });
    assert!(alarms <= most(400, 0.075), "{alarms}");
    let found = count("bandit, one better by 1 sd", "three arms", 400, |index| {
        bandit_finds([0.0, 0.05, 0.0], index) == Verdict::Best(1)
    });
    assert!(found >= least(400, 0.56 - ERROR), "{found}");
}
