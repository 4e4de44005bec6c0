//! The phase between two series, where they move together: Welch's cross-spectrum (P. D. Welch, IEEE Trans. Audio
//! Electroacoust. 15, 1967), as `scipy.signal.csd` and `coherence` compute it.

use std::f64::consts::PI;
use std::sync::Arc;

use realfft::num_complex::Complex64;
use realfft::{RealFftPlanner, RealToComplex};

/// Rows of a segment.
const SEGMENT: usize = 32;
/// Rows from one segment to the next.
const HOP: usize = 16;
/// Rows that a phase is taken of: eight segments.
pub const ROWS: usize = 144;
/// Coherence from which on a phase is known. Two independent series have a strongest common frequency too, whose
/// phase says nothing.
pub const COHERENT: f64 = 0.70;

/// What two series have in common, at the frequency (not 0) at which their cross-spectrum is largest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Common {
    /// The phase of the second series less that of the first, in `[-pi, pi]`.
    pub phase: f64,
    /// Magnitude-squared coherence there, in `[0, 1]`.
    pub coherence: f64,
    /// Cycles a row.
    pub frequency: f64,
}

/// Computes phases; holds the plan of the transform.
#[derive(Clone)]
pub struct Phase {
    transform: Arc<dyn RealToComplex<f64>>,
    window: [f64; SEGMENT],
}

impl std::fmt::Debug for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Phase")
    }
}

impl Default for Phase {
    fn default() -> Phase {
        let mut window = [0.0; SEGMENT];
        for (i, weight) in window.iter_mut().enumerate() {
            *weight = 0.5 - 0.5 * (2.0 * PI * i as f64 / SEGMENT as f64).cos();
        }
        Phase { transform: RealFftPlanner::new().plan_fft_forward(SEGMENT), window }
    }
}

impl Phase {
    /// What `x` and `y`, both `[ROWS]`, have in common; none if one of them does not move or they have other lengths.
    pub fn common(&self, x: &[f64], y: &[f64]) -> Option<Common> {
        if x.len() != ROWS || y.len() != ROWS {
            return None;
        }
        let bins = SEGMENT / 2 + 1;
        let (mut power_x, mut power_y) = (vec![0.0; bins], vec![0.0; bins]);
        let mut cross = vec![Complex64::default(); bins];
        let mut spectra = [self.transform.make_output_vec(), self.transform.make_output_vec()];
        let mut segment = self.transform.make_input_vec();
        for start in (0..=ROWS - SEGMENT).step_by(HOP) {
            for (series, spectrum) in [x, y].into_iter().zip(&mut spectra) {
                let part = &series[start..start + SEGMENT];
                let mean = part.iter().sum::<f64>() / SEGMENT as f64;
                for ((into, value), weight) in segment.iter_mut().zip(part).zip(&self.window) {
                    *into = (value - mean) * weight;
                }
                self.transform.process(&mut segment, spectrum).ok()?;
            }
            for bin in 0..bins {
                let (a, b) = (spectra[0][bin], spectra[1][bin]);
                power_x[bin] += a.norm_sqr();
                power_y[bin] += b.norm_sqr();
                cross[bin] += a.conj() * b;
            }
        }
        let strongest = (1..bins).max_by(|&a, &b| cross[a].norm_sqr().total_cmp(&cross[b].norm_sqr()))?;
        let power = power_x[strongest] * power_y[strongest];
        // Below it the series is constant but for rounding, and the phase that of the rounding.
        let least = |series: &[f64]| {
            let largest = series.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
            (1e-12 * largest).powi(2) * (SEGMENT * SEGMENT) as f64
        };
        if !power.is_finite() || power_x[strongest] <= least(x) || power_y[strongest] <= least(y) {
            return None;
        }
        Some(Common {
            phase: cross[strongest].arg(),
            coherence: (cross[strongest].norm_sqr() / power).min(1.0),
            frequency: strongest as f64 / SEGMENT as f64,
        })
    }

    /// The phase, where the series are coherent.
    pub fn known(&self, x: &[f64], y: &[f64]) -> Option<f64> {
        self.common(x, y).filter(|common| common.coherence >= COHERENT).map(|common| common.phase)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(period: f64, lag: f64) -> Vec<f64> {
        (0..ROWS).map(|i| 0.5 + 0.2 * (2.0 * PI * i as f64 / period - lag).sin()).collect()
    }

    #[test]
    fn a_series_that_follows_another_has_the_angle_by_which_it_does() {
        let phase = Phase::default();
        for lag in [0.0, 0.5, 1.5, -1.0, 3.0] {
            let common = phase.common(&wave(8.0, 0.0), &wave(8.0, lag)).unwrap();
            assert!((common.phase + lag).abs() < 1e-9, "{lag}: {common:?}");
            assert!(common.coherence > 0.999_999, "{common:?}");
            assert_eq!(common.frequency, 0.125);
        }
    }

    #[test]
    fn what_does_not_move_has_no_phase() {
        let phase = Phase::default();
        assert_eq!(phase.common(&wave(8.0, 0.0), &[0.3; ROWS]), None);
        assert_eq!(phase.common(&[0.0; ROWS], &wave(8.0, 0.0)), None);
        assert_eq!(phase.common(&wave(8.0, 0.0)[1..], &wave(8.0, 0.0)), None);
        let mut holed = wave(8.0, 0.0);
        holed[77] = f64::NAN;
        assert_eq!(phase.common(&holed, &wave(8.0, 0.0)), None);
    }
}
