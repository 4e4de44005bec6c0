//! What a change did to one unit, from units that it did not touch: a level that wanders plus a regression on control
//! series is fitted to the rows before the change, and what it expects after it is compared with what was there
//! (Brodersen et al. 2015, "Inferring causal impact using Bayesian structural time-series models").
//!
//! The model is y(t) = level(t) + controls(t) · coefficients + e(t), level(t + 1) = level(t) + u(t), with normal e and
//! u. The interval holds what is not known of the level and the coefficients (the Kalman filter's covariance), of the two
//! variances (drawn from their likelihood), and the noise to come. Controls must be series that the change cannot have
//! touched: that is for the caller to know. Noise that is alike from row to row is taken for a wandering level, which
//! makes intervals wider than need be, not narrower.

mod kalman;
mod placebos;
mod posterior;

use serde::Serialize;
use thiserror::Error;

use super::draws::Drawn;
use super::summary::{mean, quantile, standard_deviation};
use super::{Interval, as_f64};
use kalman::{Rows, filter};
pub use placebos::InTime;
use posterior::{Posterior, likeliest};

/// Rows that are needed before the event.
pub const LEAST_ROWS: usize = 150;

/// The share of the held-out quarter that 95% intervals must hold, so that anything is said of an effect.
pub const LEAST_COVERAGE: f64 = 0.8;

/// Draws that an interval is made of.
pub const DRAWS: usize = 1_000;

/// A series, others beside it, and when something was changed.
#[derive(Clone, Copy, Debug)]
pub struct Changed<'a> {
    /// Rows of the unit that was changed, before and after.
    pub series: &'a [f64],
    /// Series that were not touched, each as long.
    pub controls: &'a [&'a [f64]],
    /// Row from which on the change was there.
    pub event: usize,
    /// Rows from `event` on that are left out.
    pub washout: usize,
}

/// What the change did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Impact {
    /// Mean of the rows after the washout, minus what was expected of them, in the units of the series.
    pub effect: f64,
    /// 95% interval of it, of [`DRAWS`] draws.
    pub interval: Interval,
    /// The likeliest variance of a row about its level, in squared units.
    pub irregular: f64,
    /// The likeliest variance of a step of the level.
    pub level: f64,
    /// What a unit of each control is worth, with those variances.
    pub coefficients: Vec<f64>,
    /// The share of the last quarter of the rows before the event that 95% intervals from the first three hold.
    pub coverage: f64,
}

/// Why nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum Refused {
    /// Rows before the event, of [`LEAST_ROWS`], or of twelve for each control and the level.
    #[error("{0} rows before the event are too few, or none are left after it")]
    TooShort(usize),
    /// A control, by its number, that is shorter or longer, or never changes before the event.
    #[error("control {0} is not as long as the series, or never changes before the event")]
    Control(usize),
    /// A value that is not finite, or a series that never changes before the event.
    #[error("the series has values that are not finite, or never changes before the event")]
    Undefined,
    /// The share of the held-out quarter that was covered.
    #[error("of the last quarter before the event the model's 95% intervals hold {0:.2}, less than 0.8")]
    Unpredicted(f64),
}

impl Changed<'_> {
    /// Estimates the effect of the change, by draws under `seed`.
    ///
    /// # Errors
    ///
    /// See [`Refused`]: too few rows, unusable series, or a history that the model does not foretell.
    pub fn impact(&self, seed: u64) -> Result<Impact, Refused> {
        let (y, controls) = self.standardised()?;
        let fitted = y.until(self.event);
        let before = until(&controls, self.event);
        let rows = Rows { y: &fitted, controls: &before };
        let coverage = held_out(rows).ok_or(Refused::Undefined)?;
        if coverage < LEAST_COVERAGE {
            return Err(Refused::Unpredicted(coverage));
        }
        let variances = likeliest(rows);
        let posterior = Posterior::new(rows).ok_or(Refused::Undefined)?;
        let effects = self.effects(&y, &controls, &posterior, seed);
        let quantile = |share| quantile(&effects, share).ok_or(Refused::Undefined);
        let state = filter(rows, variances.irregular, variances.level).state;
        let per_unit = |(coefficient, control): (&f64, &Standardised)| coefficient * y.unit / control.unit;
        Ok(Impact {
            effect: y.unit * mean(&effects).ok_or(Refused::Undefined)?,
            interval: Interval { low: y.unit * quantile(0.025)?, high: y.unit * quantile(0.975)? },
            irregular: variances.irregular * y.unit * y.unit,
            level: variances.level * y.unit * y.unit,
            coefficients: state[1..].iter().zip(&controls).map(per_unit).collect(),
            coverage,
        })
    }

    /// Rows that are needed before an event.
    fn least_rows(&self) -> usize {
        LEAST_ROWS.max(12 * (1 + self.controls.len()))
    }

    /// The series and its controls with the mean 0 and the deviation 1 before the event.
    fn standardised(&self) -> Result<(Standardised, Vec<Standardised>), Refused> {
        let from = self.event.saturating_add(self.washout);
        if self.event < self.least_rows() || from >= self.series.len() {
            return Err(Refused::TooShort(self.event));
        }
        let y = Standardised::new(self.series, self.event).ok_or(Refused::Undefined)?;
        let control = |(number, control): (usize, &&[f64])| {
            let same = control.len() == self.series.len();
            same.then(|| Standardised::new(control, self.event)).flatten().ok_or(Refused::Control(number))
        };
        let controls = self.controls.iter().enumerate().map(control).collect::<Result<_, _>>()?;
        Ok((y, controls))
    }

    /// Draws of the mean after the washout minus what it would have been.
    fn effects(
        &self,
        y: &Standardised,
        controls: &[Standardised],
        posterior: &Posterior,
        seed: u64,
    ) -> Vec<f64> {
        let after = |series: &Standardised| {
            let rows = &series.rows[self.event + self.washout..];
            rows.iter().sum::<f64>() / as_f64(rows.len())
        };
        let found = after(y);
        let beside: Vec<f64> = controls.iter().map(after).collect();
        let rows = as_f64(y.rows.len() - self.event - self.washout);
        let steps = steps_in_mean(as_f64(self.washout), rows);
        let mut draws = Drawn::Levels.stream(seed, 0);
        let mut effects = Vec::with_capacity(DRAWS);
        for _ in 0..DRAWS {
            let drawn = posterior.draw(&mut draws);
            let noise = (drawn.variances.level * steps + drawn.variances.irregular / rows).sqrt();
            let mut expected = drawn.state[0] + noise * draws.normal();
            for (coefficient, control) in drawn.state[1..].iter().zip(&beside) {
                expected += coefficient * control;
            }
            effects.push(found - expected);
        }
        effects
    }
}

/// The variance of the mean level of `rows` rows that come after `washout` others, in variances of a step: the steps up
/// to the first of the rows move all of them, the m-th after it those from there on.
fn steps_in_mean(washout: f64, rows: f64) -> f64 {
    washout + (rows + 1.0) * (2.0 * rows + 1.0) / (6.0 * rows)
}

/// The share of the last quarter of rows that 95% intervals from the first three quarters hold.
fn held_out(rows: Rows<'_>) -> Option<f64> {
    let n = rows.y.len();
    let known = n - n / 4;
    let controls: Vec<Vec<f64>> = rows.controls.iter().map(|control| control[..known].to_vec()).collect();
    let posterior = Posterior::new(Rows { y: &rows.y[..known], controls: &controls })?;
    let mut held = 0;
    for row in known..n {
        let beside: Vec<f64> = rows.controls.iter().map(|control| control[row]).collect();
        let below = posterior.below(rows.y[row], &beside, row + 1 - known)?;
        held += usize::from((0.025..=0.975).contains(&below));
    }
    Some(as_f64(held) / as_f64(n - known))
}

/// A series in units of its deviation before the event.
struct Standardised {
    rows: Vec<f64>,
    unit: f64,
}

impl Standardised {
    fn new(series: &[f64], event: usize) -> Option<Standardised> {
        let (center, unit) = (mean(&series[..event])?, standard_deviation(&series[..event])?);
        let rows: Vec<f64> = series.iter().map(|value| (value - center) / unit).collect();
        let varies = unit > 1e-12 * center.abs();
        (varies && rows.iter().all(|value| value.is_finite())).then_some(Standardised { rows, unit })
    }

    fn until(&self, event: usize) -> Vec<f64> {
        self.rows[..event].to_vec()
    }
}

fn until(controls: &[Standardised], event: usize) -> Vec<Vec<f64>> {
    controls.iter().map(|control| control.until(event)).collect()
}

#[cfg(test)]
mod tests;
