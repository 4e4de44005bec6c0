//! What several units of one experiment (lanes, seeds, workers) have in common in a window.

use std::f64::consts::PI;

use resonetics_analysis::stats::summary::{mean, quantile};

use super::entropy::bits;
use super::level;
use crate::event::{Fleet, Risk};

/// Phases below which their bandwidth says nothing.
const FEW_PHASES: usize = 5;

/// Rows below which two residuals have no correlation that is told.
const FEW_ROWS: usize = 30;

/// A unit in a window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Unit {
    /// Its residuals, a row each, all units at the same moments.
    pub residuals: Vec<f64>,
    /// Its phase, where known.
    pub phase_diff: Option<f64>,
}

/// What `units` have in common; letters begin above `thresholds`.
pub fn fleet(units: &[Unit], thresholds: [f64; 2]) -> Fleet {
    let means: Vec<Option<f64>> = units.iter().map(|unit| mean(&unit.residuals)).collect();
    let mut letters = [0; 3];
    for residual in means.iter().flatten() {
        letters[match level::risk(*residual, thresholds) {
            Risk::Safe => 0,
            Risk::Watch => 1,
            Risk::Risk => 2,
        }] += 1;
    }
    let known = means.iter().enumerate().filter_map(|(unit, mean)| mean.map(|mean| (unit, mean)));
    let phases: Vec<f64> = units.iter().filter_map(|unit| unit.phase_diff).collect();
    Fleet {
        coupling: coupling(units),
        phase_bandwidth: bandwidth(&phases),
        entropy_bits: bits(&letters),
        letters,
        worst: known.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0))).map(|(unit, _)| unit),
    }
}

/// 95th less 5th percentile of phases around their mean direction, in `[0, 2 pi]`: around the circle, for -3.1 and 3.1 are
/// near each other. None of fewer than [`FEW_PHASES`], and where they point everywhere alike.
fn bandwidth(phases: &[f64]) -> Option<f64> {
    let mean = circular_mean(phases).filter(|_| phases.len() >= FEW_PHASES)?;
    let around: Vec<f64> =
        phases.iter().map(|phase| (phase - mean + 3.0 * PI).rem_euclid(2.0 * PI) - PI).collect();
    quantile(&around, 0.05).zip(quantile(&around, 0.95)).map(|(low, high)| high - low)
}

/// The direction of the sum of unit vectors, in `[-pi, pi]`. None where they cancel out.
pub fn circular_mean(phases: &[f64]) -> Option<f64> {
    let sum = |of: fn(f64) -> f64| phases.iter().map(|&phase| of(phase)).sum::<f64>();
    let (sine, cosine) = (sum(f64::sin), sum(f64::cos));
    (f64::hypot(sine, cosine) > 1e-9 * phases.len() as f64).then(|| sine.atan2(cosine))
}

/// Mean correlation over pairs whose residuals move; none without such a pair or with too few rows.
///
/// The mean over all pairs of n standardised series follows from the variance of their sum, without a look at each
/// pair: sum over pairs of r = (var(sum of z) - n) / 2.
fn coupling(units: &[Unit]) -> Option<f64> {
    let rows = units.first()?.residuals.len();
    if rows < FEW_ROWS || units.iter().any(|unit| unit.residuals.len() != rows) {
        return None;
    }
    let mut sum = vec![0.0; rows];
    let mut moving = 0.0;
    for unit in units {
        let Some(mean) = mean(&unit.residuals) else { continue };
        let variance = unit.residuals.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / rows as f64;
        // Below it the series is constant but for rounding.
        if variance > 1e-24 {
            moving += 1.0;
            let scale = variance.sqrt();
            sum.iter_mut().zip(&unit.residuals).for_each(|(sum, value)| *sum += (value - mean) / scale);
        }
    }
    let variance = sum.iter().map(|value| value * value).sum::<f64>() / rows as f64;
    (moving > 1.0).then(|| ((variance - moving) / (moving * (moving - 1.0))).clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(of: impl Fn(usize) -> f64) -> Unit {
        Unit { residuals: (0..40).map(of).collect(), phase_diff: None }
    }

    #[test]
    fn units_that_move_together_are_coupled() {
        let rising = |scale: f64| unit(move |i| 0.1 + scale * i as f64 / 100.0);
        let falling = unit(|i| 0.5 - i as f64 / 100.0);
        let of = |units: &[Unit]| fleet(units, [0.55, 0.85]).coupling;
        assert!((of(&[rising(1.0), rising(0.5), rising(2.0)]).unwrap() - 1.0).abs() < 1e-9);
        assert!((of(&[rising(1.0), falling.clone()]).unwrap() + 1.0).abs() < 1e-9);
        // Pairs of three: 1, -1 and -1.
        assert!((of(&[rising(1.0), rising(0.5), falling]).unwrap() + 1.0 / 3.0).abs() < 1e-9);
        // What does not move is no pair, and few rows say nothing.
        assert_eq!(of(&[rising(1.0), unit(|_| 0.3)]), None);
        let few = Unit { residuals: vec![0.1, 0.2], phase_diff: None };
        assert_eq!(of(&[few.clone(), few]), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn letters_and_their_entropy_are_counted() {
        let at = |residual: f64| unit(move |_| residual);
        let found = fleet(&[at(0.1), at(0.6), at(0.9), at(0.95)], [0.55, 0.85]);
        assert_eq!((found.letters, found.worst), ([1, 1, 2], Some(3)));
        assert!((found.entropy_bits.unwrap() - 1.5).abs() < 1e-12);
        let still = fleet(&[at(0.1), at(0.2)], [0.55, 0.85]);
        assert_eq!((still.letters, still.entropy_bits), ([2, 0, 0], Some(0.0)));
        assert_eq!(fleet(&[], [0.55, 0.85]), Fleet::default());
    }

    #[test]
    fn the_bandwidth_is_between_percentiles() {
        let phases = |phases: &[f64]| {
            let unit = |&phase: &f64| Unit { residuals: vec![0.1], phase_diff: Some(phase) };
            fleet(&phases.iter().map(unit).collect::<Vec<_>>(), [0.55, 0.85]).phase_bandwidth
        };
        let even: Vec<f64> = (0..=20).map(|i| f64::from(i) / 10.0).collect();
        assert!((phases(&even).unwrap() - 1.8).abs() < 1e-12);
        assert_eq!(phases(&[1.0, 1.1, 1.2, 1.3]), None);
        // The same, turned to where the circle is cut.
        let turned: Vec<f64> =
            even.iter().map(|phase| (phase + 2.0 + PI).rem_euclid(2.0 * PI) - PI).collect();
        assert!(turned.iter().any(|phase| *phase < -2.0) && turned.iter().any(|phase| *phase > 2.0));
        assert!((phases(&turned).unwrap() - 1.8).abs() < 1e-9);
    }

    #[test]
    fn phases_are_averaged_around_the_circle() {
        let mean = circular_mean(&[3.1, -3.1]).unwrap();
        assert!((mean.abs() - PI).abs() < 1e-9, "{mean}");
        assert_eq!(circular_mean(&[]), None);
        assert_eq!(circular_mean(&[0.0, PI]), None);
    }
}
