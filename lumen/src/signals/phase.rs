//! The phase between two series, where they move together: Welch's cross-spectrum (P. D. Welch, IEEE Trans. Audio
//! Electroacoust. 15, 1967), as `scipy.signal.csd` and `coherence` compute it.

use std::f64::consts::TAU;

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

/// Frequencies of a segment from 0 to half a cycle a row.
const BINS: usize = SEGMENT / 2 + 1;

/// Real and imaginary parts of a segment's spectrum.
type Spectrum = [[f64; 2]; BINS];

/// Computes phases; holds the table of the transform. So short a one is a sum: a library's takes a minute to compile.
#[derive(Clone, Debug)]
pub struct Phase {
    /// Cosines of i/32 of a turn.
    cosines: [f64; SEGMENT],
}

impl Default for Phase {
    fn default() -> Phase {
        let mut cosines = [0.0; SEGMENT];
        for (i, cosine) in cosines.iter_mut().enumerate() {
            *cosine = (TAU * i as f64 / SEGMENT as f64).cos();
        }
        Phase { cosines }
    }
}

impl Phase {
    /// What `x` and `y`, both `[ROWS]`, have in common; none if one of them does not move or they have other lengths.
    pub fn common(&self, x: &[f64], y: &[f64]) -> Option<Common> {
        if x.len() != ROWS || y.len() != ROWS {
            return None;
        }
        let (mut power_x, mut power_y) = ([0.0; BINS], [0.0; BINS]);
        let mut cross: Spectrum = [[0.0; 2]; BINS];
        for start in (0..=ROWS - SEGMENT).step_by(HOP) {
            let [a, b] = [x, y].map(|series| self.spectrum(&series[start..start + SEGMENT]));
            for bin in 0..BINS {
                let ([ar, ai], [br, bi]) = (a[bin], b[bin]);
                power_x[bin] += ar * ar + ai * ai;
                power_y[bin] += br * br + bi * bi;
                // The first one's conjugate times the second.
                cross[bin][0] += ar * br + ai * bi;
                cross[bin][1] += ar * bi - ai * br;
            }
        }
        let size = |bin: usize| cross[bin][0] * cross[bin][0] + cross[bin][1] * cross[bin][1];
        let strongest = (1..BINS).max_by(|&a, &b| size(a).total_cmp(&size(b)))?;
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
            phase: cross[strongest][1].atan2(cross[strongest][0]),
            coherence: (size(strongest) / power).min(1.0),
            frequency: strongest as f64 / SEGMENT as f64,
        })
    }

    /// The spectrum of a segment less its mean, under Hann's window.
    fn spectrum(&self, part: &[f64]) -> Spectrum {
        let mean = part.iter().sum::<f64>() / SEGMENT as f64;
        let mut segment = [0.0; SEGMENT];
        for (i, (into, value)) in segment.iter_mut().zip(part).enumerate() {
            *into = (value - mean) * (0.5 - 0.5 * self.cosines[i]);
        }
        let mut spectrum = [[0.0; 2]; BINS];
        for (bin, [real, imaginary]) in spectrum.iter_mut().enumerate() {
            for (i, value) in segment.iter().enumerate() {
                let turn = bin * i % SEGMENT;
                *real += value * self.cosines[turn];
                // The sine is the cosine a quarter of a turn before.
                *imaginary -= value * self.cosines[(turn + SEGMENT - SEGMENT / 4) % SEGMENT];
            }
        }
        spectrum
    }

    /// The phase, where the series are coherent.
    pub fn known(&self, x: &[f64], y: &[f64]) -> Option<f64> {
        self.common(x, y).filter(|common| common.coherence >= COHERENT).map(|common| common.phase)
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

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
