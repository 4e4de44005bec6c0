//! The dial of the non-stationary benchmark: how the memory drift changes with time.

use serde::{Deserialize, Serialize};

use crate::config::Allowed;
use crate::math::{sin_cos_turn, uniform};
use crate::stream::Key;

/// The shape of the drift over the steps t of an episode. Each is a pure function of t and of
/// the episode's stream, times the base `mem_drift_mu`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// 1: RULES section 1.
    #[default]
    Constant,
    /// From 1 to `ramp_factor` over the first `ramp_steps` steps, then constant.
    Ramp,
    /// 1 + `season_amplitude` * sin(2 pi t / `season_steps`).
    Seasonal,
    /// For each period of `regime_steps` steps a draw: `regime_factor` with probability
    /// `regime_probability`, else 1.
    Regime,
    /// 1, and with probability `shock_probability` a step in which `shock_size` is added to the
    /// mean of every node.
    Shocks,
}

/// The drift's schedule and the numbers of each shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriftConfig {
    /// Which shape; the other settings are read by the shape that they are named after.
    pub schedule: Schedule,
    /// Factor at the end of the ramp, in [-100, 100].
    pub ramp_factor: f64,
    /// Steps of the ramp, at least 1.
    pub ramp_steps: u32,
    /// Amplitude of the sine, as a share of the base drift, in [-100, 100].
    pub season_amplitude: f64,
    /// Steps of one period of the sine, at least 1.
    pub season_steps: u32,
    /// Factor in the other regime, in [-100, 100].
    pub regime_factor: f64,
    /// Steps between two draws of the regime, at least 1.
    pub regime_steps: u32,
    /// Probability of the other regime, in [0, 1].
    pub regime_probability: f64,
    /// Probability of a shock in a step, in [0, 1].
    pub shock_probability: f64,
    /// Memory that a shock adds to the mean of every node, in [-1, 1].
    pub shock_size: f64,
}

impl Default for DriftConfig {
    fn default() -> DriftConfig {
        DriftConfig {
            schedule: Schedule::Constant,
            ramp_factor: 2.0,
            ramp_steps: 500,
            season_amplitude: 0.5,
            season_steps: 200,
            regime_factor: 2.0,
            regime_steps: 100,
            regime_probability: 0.3,
            shock_probability: 0.01,
            shock_size: 0.1,
        }
    }
}

impl DriftConfig {
    pub(super) fn check(&self, allowed: &mut Allowed) {
        allowed.number("ramp_factor", self.ramp_factor, -100.0..=100.0);
        allowed.integer("ramp_steps", self.ramp_steps.into(), 1..=1_000_000_000);
        allowed.number("season_amplitude", self.season_amplitude, -100.0..=100.0);
        allowed.integer("season_steps", self.season_steps.into(), 1..=1_000_000_000);
        allowed.number("regime_factor", self.regime_factor, -100.0..=100.0);
        allowed.integer("regime_steps", self.regime_steps.into(), 1..=1_000_000_000);
        allowed.number("regime_probability", self.regime_probability, 0.0..=1.0);
        allowed.number("shock_probability", self.shock_probability, 0.0..=1.0);
        allowed.number("shock_size", self.shock_size, -1.0..=1.0);
    }

    /// Mean of the memory noise at `step`, for the base drift `mu`. `index` is the stream index
    /// that belongs to the drift.
    #[inline(always)]
    pub(super) fn mean(&self, mu: f32, key: Key, step: u32, index: u32) -> f32 {
        if self.schedule == Schedule::Constant { mu } else { self.varying(mu, key, step, index) }
    }

    #[inline(never)]
    fn varying(&self, mu: f32, key: Key, step: u32, index: u32) -> f32 {
        let draw =
            |number: u32, probability: f64| f64::from(uniform(key.words(number, index).0)) < probability;
        match self.schedule {
            Schedule::Constant => mu,
            Schedule::Ramp => {
                let done = (f64::from(step) / f64::from(self.ramp_steps)).min(1.0);
                mu * (1.0 + (self.ramp_factor - 1.0) * done) as f32
            }
            Schedule::Seasonal => {
                let turn = u64::from(step % self.season_steps) << 32;
                let (sin, _) = sin_cos_turn((turn / u64::from(self.season_steps)) as u32);
                mu * (1.0 + self.season_amplitude as f32 * sin)
            }
            Schedule::Regime => {
                let high = draw(step / self.regime_steps, self.regime_probability);
                if high { mu * self.regime_factor as f32 } else { mu }
            }
            Schedule::Shocks => {
                if draw(step, self.shock_probability) {
                    mu + self.shock_size as f32
                } else {
                    mu
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Domain;

    fn means(schedule: Schedule, steps: u32) -> Vec<f32> {
        let drift = DriftConfig { schedule, ..DriftConfig::default() };
        let key = Key::new(5, Domain::Episode, 0);
        (0..steps).map(|step| drift.mean(0.01, key, step, 3 << 24)).collect()
    }

    #[test]
    fn ramp_reaches_its_factor_and_stays() {
        let ramp = means(Schedule::Ramp, 700);
        assert_eq!(ramp[0], 0.01);
        assert!((ramp[250] - 0.015).abs() < 1e-6);
        assert!((ramp[500] - 0.02).abs() < 1e-6 && ramp[699] == ramp[500]);
    }

    #[test]
    fn seasons_return_and_average_to_the_base() {
        let season = means(Schedule::Seasonal, 400);
        assert!((season[50] - 0.015).abs() < 1e-6 && (season[150] - 0.005).abs() < 1e-6);
        assert_eq!(season[..200], season[200..]);
        assert!((season[..200].iter().sum::<f32>() / 200.0 - 0.01).abs() < 1e-6);
    }

    #[test]
    fn regimes_last_their_period_and_come_as_often_as_said() {
        let regime = means(Schedule::Regime, 100_000);
        for period in regime.chunks(100) {
            assert!(period.iter().all(|&mean| mean == period[0]));
        }
        // 1,000 draws of probability 0.3: within 5 standard deviations (72.5).
        let high = regime.iter().step_by(100).filter(|&&mean| mean == 0.02).count();
        assert!((228..=372).contains(&high), "{high}");
    }

    #[test]
    fn shocks_come_as_often_as_said() {
        let shocks = means(Schedule::Shocks, 100_000);
        // 100,000 draws of probability 0.01: within 5 standard deviations (157).
        let count = shocks.iter().filter(|&&mean| mean == 0.11).count();
        assert!((843..=1157).contains(&count), "{count}");
        assert!(shocks.iter().all(|&mean| mean == 0.01 || mean == 0.11));
    }
}
