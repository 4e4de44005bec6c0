//! The Kalman filter of a level that wanders, with control series whose coefficients are states that stand still
//! (Durbin and Koopman 2012, "Time series analysis by state space methods", sections 2.2, 4.3 and 6.2):
//! y(t) = level(t) + controls(t) · coefficients + e(t), level(t + 1) = level(t) + u(t).

use std::f64::consts::TAU;

/// The variance that level and coefficients begin with: nothing is known of them, where all series are of the order
/// of 1. As many of the first rows only tell where they are, and count for no likelihood.
const DIFFUSE: f64 = 1e6;

/// Rows of a series, with what was there beside it.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) y: &'a [f64],
    /// A slice for each control, as long as `y`.
    pub(super) controls: &'a [Vec<f64>],
}

/// What is known after the last row.
#[derive(Clone, Debug)]
pub(super) struct Filtered {
    /// Expected level, then coefficients.
    pub(super) state: Vec<f64>,
    /// Their covariance, row by row.
    pub(super) covariance: Vec<f64>,
    /// Sum of squared one-step errors, each over its variance.
    pub(super) squares: f64,
    /// Sum of the logarithms of those variances.
    pub(super) logs: f64,
    /// Rows that both sums are of.
    pub(super) counted: usize,
}

impl Filtered {
    /// Log-likelihood of the counted rows under the variances that were given.
    #[cfg(test)]
    pub(super) fn log_likelihood(&self) -> f64 {
        -0.5 * (super::as_f64(self.counted) * TAU.ln() + self.logs + self.squares)
    }

    /// The variance by which both given ones are multiplied where the rows are likeliest.
    pub(super) fn scale(&self) -> f64 {
        self.squares / super::as_f64(self.counted)
    }

    /// Log-likelihood with that factor.
    pub(super) fn profile(&self) -> f64 {
        let n = super::as_f64(self.counted);
        -0.5 * (n * (TAU * self.scale()).ln() + self.logs + n)
    }

    /// Expectation and variance of level + `controls` · coefficients.
    pub(super) fn fitted(&self, controls: &[f64]) -> (f64, f64) {
        let mut mean = self.state[0];
        for (coefficient, control) in self.state[1..].iter().zip(controls) {
            mean += coefficient * control;
        }
        (mean, quadratic(&self.covariance, controls))
    }
}

/// h' P h with h = (1, `controls`).
fn quadratic(covariance: &[f64], controls: &[f64]) -> f64 {
    let d = controls.len() + 1;
    let h = |i: usize| if i == 0 { 1.0 } else { controls[i - 1] };
    let mut sum = 0.0;
    for i in 0..d {
        for j in 0..d {
            sum += h(i) * covariance[i * d + j] * h(j);
        }
    }
    sum
}

/// Filters all rows with the variances of e, `irregular`, and of u, `level`; not both 0.
pub(super) fn filter(rows: Rows<'_>, irregular: f64, level: f64) -> Filtered {
    let d = rows.controls.len() + 1;
    let mut state = vec![0.0; d];
    let mut covariance = vec![0.0; d * d];
    for i in 0..d {
        covariance[i * d + i] = DIFFUSE;
    }
    let (mut squares, mut logs, mut counted) = (0.0, 0.0, 0);
    let mut h = vec![1.0; d];
    let mut gain = vec![0.0; d];
    for (t, &y) in rows.y.iter().enumerate() {
        if t > 0 {
            covariance[0] += level;
        }
        for (h, control) in h[1..].iter_mut().zip(rows.controls) {
            *h = control[t];
        }
        let (mut error, mut variance) = (y, irregular);
        for i in 0..d {
            gain[i] = 0.0;
            for j in 0..d {
                gain[i] += covariance[i * d + j] * h[j];
            }
            error -= h[i] * state[i];
            variance += h[i] * gain[i];
        }
        for i in 0..d {
            state[i] += gain[i] * error / variance;
            for j in 0..d {
                covariance[i * d + j] -= gain[i] * gain[j] / variance;
            }
        }
        if t >= d {
            squares += error * error / variance;
            logs += variance.ln();
            counted += 1;
        }
    }
    Filtered { state, covariance, squares, logs, counted }
}
