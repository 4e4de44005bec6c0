//! From a predicted risk to a learning rate (RULES section 3).

use serde::{Deserialize, Serialize};

/// The numbers of the optimizer; the defaults are those of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProphetConfig {
    /// Smoothed risk above which a mode begins.
    pub risk_thresholds: RiskThresholds,
    /// What a mode multiplies the base rate with.
    pub lr_multipliers: LrMultipliers,
    /// How many of the last errors the recent error is the mean of (10).
    pub buffer_size: usize,
    /// What stays of the smoothed risk, in [0, 1) (0.9).
    pub risk_smoothing: f64,
    /// Slope of the predictor's target, sigmoid(k loss) (3).
    pub risk_sigmoid_k: f64,
    /// Decay of the moving average of the change of action (0.95).
    pub delta_ema_beta: f64,
    /// The worker's base learning rate (0.01); the predictor's rate is half of it.
    pub base_lr: f64,
    /// Adam's (0.9).
    pub beta1: f64,
    /// Adam's (0.999).
    pub beta2: f64,
    /// Adam's (1e-4).
    pub weight_decay: f64,
}

/// Smoothed risk above which each mode begins, in `[0, 1]`, and the defaults of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RiskThresholds {
    /// Of panic (0.5).
    pub panic: f64,
    /// Of alert (0.2).
    pub alert: f64,
    /// Of warning (0.1).
    pub warning: f64,
}

/// What each mode multiplies the base rate with, and the defaults of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LrMultipliers {
    /// Of panic (5).
    pub panic: f64,
    /// Of alert (2).
    pub alert: f64,
    /// Of warning (1.2).
    pub warning: f64,
    /// Of cruise (0.5).
    pub cruise: f64,
}

impl Default for ProphetConfig {
    fn default() -> ProphetConfig {
        ProphetConfig {
            risk_thresholds: RiskThresholds { panic: 0.5, alert: 0.2, warning: 0.1 },
            lr_multipliers: LrMultipliers { panic: 5.0, alert: 2.0, warning: 1.2, cruise: 0.5 },
            buffer_size: 10,
            risk_smoothing: 0.9,
            risk_sigmoid_k: 3.0,
            delta_ema_beta: 0.95,
            base_lr: 0.01,
            beta1: 0.9,
            beta2: 0.999,
            weight_decay: 1e-4,
        }
    }
}

/// How high the optimizer takes the risk to be; the numbers are those that a monitor shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The highest risk.
    Panic = 0,
    /// Above the threshold for alert.
    Alert = 1,
    /// Above the threshold for a warning.
    Warning = 2,
    /// Below all thresholds.
    Cruise = 3,
}

impl Mode {
    /// In lower case.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Panic => "panic",
            Mode::Alert => "alert",
            Mode::Warning => "warning",
            Mode::Cruise => "cruise",
        }
    }

    /// 0 panic, 1 alert, 2 warning, 3 cruise.
    pub fn status(self) -> u8 {
        self as u8
    }
}

/// Part of the old rate that stays when a new one is aimed at.
const LR_MEMORY: f64 = 0.8;
/// The bounds of the rate.
const LR_RANGE: [f64; 2] = [1e-6, 1.0];

/// Smoothed risk and learning rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProphetOptimizer {
    /// Its numbers.
    pub config: ProphetConfig,
    /// Moving average of the risks, 0 at first.
    pub smoothed_risk: f64,
    /// The learning rate, the base rate at first, in [1e-6, 1].
    pub lr: f64,
    /// What the smoothed risk says.
    pub mode: Mode,
}

impl ProphetOptimizer {
    /// Before the first risk.
    pub fn new(config: ProphetConfig) -> ProphetOptimizer {
        ProphetOptimizer { config, smoothed_risk: 0.0, lr: config.base_lr, mode: Mode::Cruise }
    }

    /// Takes in a predicted risk in [0, 1] and yields the learning rate. NaN makes it NaN for good.
    pub fn update(&mut self, risk: f64) -> f64 {
        let keep = self.config.risk_smoothing;
        self.smoothed_risk = keep * self.smoothed_risk + (1.0 - keep) * risk;
        let (threshold, multiplier) = (self.config.risk_thresholds, self.config.lr_multipliers);
        let (mode, factor) = match self.smoothed_risk {
            risk if risk > threshold.panic => (Mode::Panic, multiplier.panic),
            risk if risk > threshold.alert => (Mode::Alert, multiplier.alert),
            risk if risk > threshold.warning => (Mode::Warning, multiplier.warning),
            _ => (Mode::Cruise, multiplier.cruise),
        };
        self.mode = mode;
        let target = self.config.base_lr * factor;
        let lr = LR_MEMORY * self.lr + (1.0 - LR_MEMORY) * target;
        self.lr = if self.smoothed_risk.is_nan() { f64::NAN } else { lr.clamp(LR_RANGE[0], LR_RANGE[1]) };
        self.lr
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A constant risk is approached geometrically, and the rate follows to its mode's.
    #[test]
    fn a_constant_risk_is_reached() {
        for (risk, mode, status, lr) in [
            (0.9, Mode::Panic, 0, 0.05),
            (0.4, Mode::Alert, 1, 0.02),
            (0.15, Mode::Warning, 2, 0.012),
            (0.05, Mode::Cruise, 3, 0.005),
        ] {
            let mut optimizer = ProphetOptimizer::new(ProphetConfig::default());
            for step in 1..=200 {
                optimizer.update(risk);
                if step == 3 {
                    assert!((optimizer.smoothed_risk - risk * (1.0 - 0.729)).abs() < 1e-12);
                }
            }
            assert_eq!((optimizer.mode, optimizer.mode.status()), (mode, status));
            assert!((optimizer.lr - lr).abs() < 1e-9, "{risk}: {}", optimizer.lr);
        }
    }

    /// A threshold itself belongs to the calmer mode.
    #[test]
    fn a_threshold_is_not_above_itself() {
        let config = ProphetConfig { risk_smoothing: 0.0, ..ProphetConfig::default() };
        for (risk, mode) in
            [(0.5, Mode::Alert), (0.500_001, Mode::Panic), (0.2, Mode::Warning), (0.1, Mode::Cruise)]
        {
            let mut optimizer = ProphetOptimizer::new(config);
            optimizer.update(risk);
            assert_eq!(optimizer.mode, mode, "{risk}");
        }
    }

    #[test]
    fn the_rate_has_bounds_and_nan_shows() {
        for (base_lr, expected) in [(50.0, 1.0), (1e-9, 1e-6)] {
            let mut optimizer = ProphetOptimizer::new(ProphetConfig { base_lr, ..ProphetConfig::default() });
            assert_eq!(optimizer.update(0.9), expected);
        }
        let mut optimizer = ProphetOptimizer::new(ProphetConfig::default());
        optimizer.update(f64::NAN);
        assert!(optimizer.update(0.1).is_nan());
    }
}
