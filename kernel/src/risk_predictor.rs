//! The network that predicts how large the next loss will be (RULES section 3).

use resonetics_numerics::math;
use resonetics_numerics::stream::{Domain, Key};
use serde::{Deserialize, Serialize};

use crate::adam::{Adam, AdamConfig};
use crate::mlp::{Activation, Init, Mlp, Pass};
use crate::prophet_optimizer::ProphetConfig;

/// Numbers in a row of its input: progress, moving average of the change of action, recent error.
pub const INPUTS: usize = 3;
/// Width of its hidden layers.
pub const HIDDEN: usize = 32;
/// Share of the first hidden layer that dropout drops in training.
pub const DROPOUT: f32 = 0.1;

/// How a loss is turned into a risk in [0, 1].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RiskTarget {
    /// sigmoid(k loss), as in the rules. It is at least 0.5 for every loss of 0 or more. So a predictor that
    /// is right says more than 0.5 however good the worker is, the smoothed risk tends to more than
    /// 0.5 as well, and the optimizer ends in panic for good, at five times the base rate.
    #[default]
    Sigmoid,
    /// 2 sigmoid(k loss) - 1 = tanh(k loss / 2), cut to [0, 1]: 0 for a loss of 0, so that every mode can
    /// be reached. Not part of the rules.
    Centred,
}

impl RiskTarget {
    /// The risk that a predictor should have seen, in [0, 1]; `k` is the slope (3).
    pub fn of(self, loss: f64, k: f64) -> f64 {
        let sigmoid = f64::from(math::logistic((k * loss) as f32));
        match self {
            RiskTarget::Sigmoid => sigmoid,
            RiskTarget::Centred => (2.0 * sigmoid - 1.0).max(0.0),
        }
    }
}

/// 3 -> 32 -> 32 -> 1, rectified, dropout behind the first layer, sigmoid.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RiskPredictor {
    /// `[n]`, in the order of [`Mlp`].
    pub parameters: Vec<f32>,
    /// Its optimizer.
    pub adam: Adam,
    net: Mlp,
    #[serde(skip)]
    pass: Pass<f32>,
    #[serde(skip)]
    gradient: Vec<f32>,
}

impl RiskPredictor {
    /// A fresh one: weights as [`Init::Xavier`] from `seed`, biases 0.
    pub fn new(config: &ProphetConfig, seed: u64) -> RiskPredictor {
        let net = net();
        RiskPredictor {
            parameters: initial(seed),
            adam: Adam::new(net.parameters(), adam_config(config)),
            net,
            pass: Pass::default(),
            gradient: Vec::new(),
        }
    }

    /// The risks `[B]` of `state` `[B, 3]`, in (0, 1). `mask` is `[B, 32]`, a dropout mask as
    /// [`Mlp::forward`] takes it, for training; empty to evaluate.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn predict(&mut self, state: &[f32], mask: &[f32]) -> &[f32] {
        self.net.forward(&self.parameters, state, mask, &mut self.pass)
    }

    /// One step of Adam on the mean squared error between `risk`, what the last
    /// [`RiskPredictor::predict`] said, and `target`, both `[B]`. The gradient is not clipped (RULES 3.1).
    ///
    /// # Panics
    /// If these are not as many as it predicted.
    pub fn learn(&mut self, risk: &[f32], target: &[f32], learning_rate: f64) {
        assert_eq!(risk.len(), target.len(), "risks and targets");
        let scale = 2.0 / risk.len() as f32;
        let by_risk: Vec<f32> =
            risk.iter().zip(target).map(|(risk, target)| scale * (risk - target)).collect();
        self.gradient.clear();
        self.gradient.resize(self.parameters.len(), 0.0);
        self.net.backward(&self.parameters, &mut self.pass, &by_risk, &mut self.gradient);
        self.adam.step(&mut self.parameters, &self.gradient, learning_rate);
    }
}

/// The predictor's shape.
pub fn net() -> Mlp {
    Mlp { widths: vec![INPUTS, HIDDEN, HIDDEN, 1], activation: Activation::Relu, sigmoid: true }
}

/// The parameters that a fresh predictor has, `[n]`.
pub(crate) fn initial(seed: u64) -> Vec<f32> {
    net().init(Init::Xavier, Key::new(seed, Domain::Weights, 1))
}

/// The Adam that both networks of Prophet train with.
pub(crate) fn adam_config(config: &ProphetConfig) -> AdamConfig {
    let ProphetConfig { beta1, beta2, weight_decay, .. } = *config;
    AdamConfig { beta1, beta2, weight_decay, ..AdamConfig::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_by_hand() {
        for (loss, sigmoid, centred) in
            [(0.0, 0.5, 0.0), (std::f64::consts::LN_2 / 3.0, 2.0 / 3.0, 1.0 / 3.0)]
        {
            assert!((RiskTarget::Sigmoid.of(loss, 3.0) - sigmoid).abs() < 1e-6);
            assert!((RiskTarget::Centred.of(loss, 3.0) - centred).abs() < 1e-6);
        }
        assert_eq!(RiskTarget::Centred.of(-1.0, 3.0), 0.0);
        assert!(RiskTarget::Sigmoid.of(f64::NAN, 3.0).is_nan());
    }

    /// A risk that depends on the input alone is learned, to the bottom of a smooth loss.
    #[test]
    fn it_learns_what_can_be_learned() {
        let config = ProphetConfig { weight_decay: 0.0, ..ProphetConfig::default() };
        let mut predictor = RiskPredictor::new(&config, 1);
        let state = [0.0, 0.0, 0.1, 0.5, 0.1, 0.9, 1.0, 0.2, 0.3, 0.2, 0.9, 0.4];
        let target = [0.55, 0.9, 0.7, 0.6];
        let error = |risk: &[f32]| risk.iter().zip(&target).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
        let before = error(predictor.predict(&state, &[]));
        for _ in 0..3000 {
            let risk = predictor.predict(&state, &[]).to_vec();
            predictor.learn(&risk, &target, 0.005);
        }
        let after = error(predictor.predict(&state, &[]));
        assert!(before > 0.02 && after < 1e-4, "{before}, {after}");
    }
}
