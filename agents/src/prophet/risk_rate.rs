//! The learning rate that follows a predicted risk (RULES section 3), a prediction an update.

use resonetics_envs::stream::Key;
use resonetics_kernel::mlp::dropout;
use resonetics_kernel::prophet_optimizer::{Mode, ProphetConfig, ProphetOptimizer};
use resonetics_kernel::risk_predictor::{DROPOUT, HIDDEN, RiskPredictor, RiskTarget};
use serde::{Deserialize, Serialize};

use super::network::{Tensor, find};

/// Predictor, optimizer, and what they look at.
#[derive(Clone, Debug)]
pub struct RiskRate {
    /// All but the predictor's parameters and moments.
    pub state: RiskState,
    predictor: RiskPredictor,
    target: RiskTarget,
}

/// What of it is numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RiskState {
    /// Smoothed risk, rate and mode.
    pub optimizer: ProphetOptimizer,
    /// The risk predicted last, in (0, 1).
    pub risk: f64,
    /// What it should have been.
    pub target_risk: f64,
    /// Moving average of how far the shares of the actions moved from rollout to rollout.
    pub delta_ema: f64,
    /// `[A]`: shares of the actions in the last rollout; empty before the first.
    shares: Vec<f64>,
    /// The value's losses of the last updates, at most 10.
    errors: Vec<f64>,
    /// Steps of the predictor's optimizer.
    steps: u64,
}

impl RiskRate {
    /// At its start, with `base` as the rate before risks.
    pub fn new(base: f64, target: RiskTarget, seed: u64) -> RiskRate {
        let config = ProphetConfig { base_lr: base, ..ProphetConfig::default() };
        let state = RiskState {
            optimizer: ProphetOptimizer::new(config),
            risk: 0.0,
            target_risk: 0.0,
            delta_ema: 0.0,
            shares: Vec::new(),
            errors: Vec::new(),
            steps: 0,
        };
        RiskRate { state, predictor: RiskPredictor::new(&config, seed), target }
    }

    /// The rate for an update: `progress` in [0, 1] through the training, `shares` `[A]` of the actions
    /// in its rollout; `key` draws the predictor's dropout.
    pub fn before(&mut self, progress: f64, shares: Vec<f64>, key: Key) -> f64 {
        let state = &mut self.state;
        let moved: f64 = state.shares.iter().zip(&shares).map(|(old, new)| (old - new).abs()).sum();
        let beta = state.optimizer.config.delta_ema_beta;
        state.delta_ema = beta * state.delta_ema + (1.0 - beta) * moved / 2.0;
        state.shares = shares;
        let error = state.errors.iter().sum::<f64>() / state.errors.len().max(1) as f64;
        let mut mask = Vec::new();
        dropout(DROPOUT, (0..HIDDEN).map(|i| key.uniform(0, i as u32)), &mut mask);
        let input = [progress as f32, state.delta_ema as f32, error as f32];
        let risk = self.predictor.predict(&input, &mask);
        state.risk = f64::from(risk[0]);
        state.optimizer.update(state.risk)
    }

    /// Learns from the update that [`RiskRate::before`] gave the rate of, which had this `loss`.
    pub fn after(&mut self, loss: f64) {
        let state = &mut self.state;
        state.target_risk = self.target.of(loss, state.optimizer.config.risk_sigmoid_k);
        self.predictor.learn(&[state.risk as f32], &[state.target_risk as f32], 0.5 * state.optimizer.lr);
        if state.errors.len() == state.optimizer.config.buffer_size {
            state.errors.remove(0);
        }
        state.errors.push(loss);
    }

    /// How worried it is.
    pub fn mode(&self) -> Mode {
        self.state.optimizer.mode
    }

    /// Mode, predicted risk, what it should have been, action drift.
    pub(super) fn summary(&self) -> (Mode, f64, f64, f64) {
        let RiskState { risk, target_risk, delta_ema, .. } = self.state;
        (self.mode(), risk, target_risk, delta_ema)
    }

    /// The numbers, and the predictor's arrays as tensors.
    pub fn save(&self) -> (RiskState, Vec<Tensor>) {
        let state = RiskState { steps: self.predictor.adam.steps, ..self.state.clone() };
        let adam = &self.predictor.adam;
        let arrays = NAMES.iter().zip([&self.predictor.parameters, &adam.m, &adam.v]).map(|(name, data)| {
            Tensor { name: (*name).to_owned(), shape: vec![data.len()], data: data.clone() }
        });
        (state, arrays.collect())
    }

    /// Takes over what [`RiskRate::save`] gave.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape.
    pub fn restore(&mut self, state: RiskState, tensors: &[Tensor]) -> Result<(), String> {
        let count = self.predictor.parameters.len();
        let [parameters, m, v] =
            NAMES.map(|name| find(tensors, name, &[count]).map(|tensor| tensor.data.clone()));
        (self.predictor.parameters, self.predictor.adam.m, self.predictor.adam.v) = (parameters?, m?, v?);
        self.predictor.adam.steps = state.steps;
        self.state = state;
        Ok(())
    }
}

const NAMES: [&str; 3] = ["risk.parameters", "risk.adam.m", "risk.adam.v"];

#[cfg(test)]
mod tests {
    use super::*;
    use resonetics_envs::stream::Domain;

    fn turn(rate: &mut RiskRate, i: u64) -> f64 {
        let lr = rate.before(0.01 * i as f64, vec![0.25, 0.75], Key::new(1, Domain::Training, i));
        rate.after(0.05);
        lr
    }

    /// RULES section 3: the target is at least 0.5 for any loss, so the rate ends up at five times
    /// its base; the centred target of a small loss is small.
    #[test]
    fn the_rules_target_drifts_to_panic_and_the_centred_one_does_not() {
        for (target, mode, factor) in
            [(RiskTarget::Sigmoid, Mode::Panic, 5.0), (RiskTarget::Centred, Mode::Cruise, 0.5)]
        {
            let mut rate = RiskRate::new(0.01, target, 3);
            let lr = (0..2000).map(|i| turn(&mut rate, i)).last().unwrap();
            assert_eq!(rate.mode(), mode, "{target:?}: {:?}", rate.state);
            assert!((lr - 0.01 * factor).abs() < 0.002, "{target:?}: {lr}");
        }
    }

    #[test]
    fn a_saved_one_goes_on_bit_for_bit() {
        let mut rate = RiskRate::new(0.01, RiskTarget::Sigmoid, 3);
        for i in 0..15 {
            turn(&mut rate, i);
        }
        let (state, tensors) = rate.save();
        let state: RiskState = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
        let mut copy = RiskRate::new(0.01, RiskTarget::Sigmoid, 4);
        copy.restore(state, &tensors).unwrap();
        for i in 15..40 {
            assert_eq!(turn(&mut rate, i).to_bits(), turn(&mut copy, i).to_bits());
        }
        assert_eq!(rate.save().0, copy.save().0);
        assert!(copy.restore(rate.save().0, &tensors[1..]).unwrap_err().contains("risk.parameters"));
    }
}
