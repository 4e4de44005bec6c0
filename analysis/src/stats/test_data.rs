//! Data and helpers shared by the tests.

use super::survival::Lifetime;

/// Made-up scores with ties inside and across the two samples.
pub(super) const X: [f64; 11] = [3.5, -1.25, 8.0, 2.0, 2.0, 11.5, 0.75, 4.0, -6.5, 9.25, 1.0];
pub(super) const Y: [f64; 9] = [2.0, -3.0, 4.0, 0.5, 7.5, -6.5, 1.0, 2.0, 3.5];

pub(super) fn assert_close(actual: f64, expected: f64, tolerance: f64) {
    assert!((actual - expected).abs() <= tolerance, "{actual} is not within {tolerance} of {expected}");
}

/// Censored lifetimes, then lost ones.
pub(super) fn lifetimes(censored: &[f64], lost: &[f64]) -> Vec<Lifetime> {
    let with = |lost| move |&time: &f64| Lifetime { time, lost };
    let censored = censored.iter().map(with(false));
    censored.chain(lost.iter().map(with(true))).collect()
}

/// Weeks in remission of leukemia, in 21 matched pairs in the order of the
/// data set `gehan` of the R package MASS: Freireich et al. 1963, "The effect
/// of 6-mercaptopurine on the duration of steroid-induced remissions in acute
/// leukemia"; Gehan 1965. A negative number marks a censored time.
const SIX_MP: [f64; 21] = [
    10.0, 7.0, -32.0, 23.0, 22.0, 6.0, 16.0, -34.0, -32.0, -25.0, -11.0, -20.0, -19.0, 6.0, -17.0, -35.0,
    6.0, 13.0, -9.0, -6.0, -10.0,
];
const PLACEBO: [f64; 21] = [
    1.0, 22.0, 3.0, 12.0, 8.0, 17.0, 2.0, 11.0, 8.0, 12.0, 2.0, 5.0, 4.0, 15.0, 8.0, 23.0, 5.0, 11.0, 4.0,
    1.0, 8.0,
];

fn from_signed(times: &[f64]) -> Vec<Lifetime> {
    let lifetime = |time: &f64| Lifetime { time: time.abs(), lost: *time > 0.0 };
    times.iter().map(lifetime).collect()
}

pub(super) fn six_mp() -> Vec<Lifetime> {
    from_signed(&SIX_MP)
}

pub(super) fn placebo() -> Vec<Lifetime> {
    from_signed(&PLACEBO)
}

/// Two made-up groups with losses and censorings at the same times.
pub(super) fn tied_a() -> Vec<Lifetime> {
    from_signed(&[1.0, 2.0, -2.0, 3.0, 3.0, -3.0, -5.0, 5.0])
}

pub(super) fn tied_b() -> Vec<Lifetime> {
    from_signed(&[2.0, -2.0, 3.0, -4.0, 5.0, 6.0, -6.0])
}
