//! [`crate::risk_predictor::RiskPredictor`] on tensors: the same numbers in, the same numbers out.

use tch::{Device, Tensor};

use super::mlp::{Trained, numbers};
use super::{Answer, TchError, gap};
use crate::prophet_optimizer::ProphetConfig;
use crate::risk_predictor::{self, HIDDEN, INPUTS, adam_config};

/// 3 -> 32 -> 32 -> 1, rectified, dropout behind the first layer, sigmoid.
#[derive(Debug)]
pub struct RiskPredictor {
    net: Trained,
    /// What it said last, `[B, 1]`, with its graph.
    said: Option<Tensor>,
}

impl RiskPredictor {
    /// A fresh one, with the parameters that [`risk_predictor::RiskPredictor::new`] has.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn new(config: &ProphetConfig, seed: u64, device: Device) -> Answer<RiskPredictor> {
        let parameters = risk_predictor::initial(seed);
        let net = Trained::new(risk_predictor::net(), &parameters, adam_config(config), device)?;
        Ok(RiskPredictor { net, said: None })
    }

    /// As [`risk_predictor::RiskPredictor::predict`], with dropout.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn predict(&mut self, state: &[f32], mask: &[f32]) -> Answer<Vec<f32>> {
        let mask = self.net.upload(mask, HIDDEN)?;
        let risk = self.net.forward(&self.net.upload(state, INPUTS)?, Some(&mask))?;
        let read = numbers(&risk.f_detach()?)?;
        self.said = Some(risk);
        Ok(read)
    }

    /// As [`risk_predictor::RiskPredictor::learn`], on what the last [`RiskPredictor::predict`] said.
    ///
    /// # Errors
    /// That nothing was predicted since the last step, or what libtorch says.
    pub fn learn(&mut self, target: &[f32], learning_rate: f64) -> Answer<()> {
        let said = self.said.take().ok_or_else(|| TchError::Shape("no risk to learn from".to_owned()))?;
        let loss = gap(&said, &self.net.upload(target, 1)?)?;
        self.net.descend(&loss, None, learning_rate)
    }

    /// Parameters, first and second moments, in the order of [`risk_predictor::RiskPredictor`].
    ///
    /// # Errors
    /// What libtorch says.
    pub fn save(&self) -> Answer<[Vec<f32>; 3]> {
        self.net.save()
    }

    /// Goes on from what was saved after `steps` steps.
    ///
    /// # Errors
    /// What libtorch says, such as that the lengths do not fit.
    pub fn load(&mut self, arrays: [&[f32]; 3], steps: u64) -> Answer<()> {
        self.net.load(arrays, steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The native predictor is the oracle, a step with the mask of dropout.
    #[test]
    fn a_step_is_that_of_the_native_predictor() {
        let config = ProphetConfig::default();
        let mut native = risk_predictor::RiskPredictor::new(&config, 3);
        let mut torch = RiskPredictor::new(&config, 3, Device::Cpu).unwrap();
        let state = [0.0, 0.0, 0.1, 0.5, 0.1, 0.9];
        let mask: Vec<f32> = (0..2 * HIDDEN).map(|i| if i % 7 == 0 { 0.0 } else { 1.0 / 0.9 }).collect();
        let close = |what: &str, found: &[f32], expected: &[f32]| {
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(expected) {
                assert!(
                    (found - expected).abs() < 1e-5 * (1.0 + expected.abs()),
                    "{what}: {found}, {expected}"
                );
            }
        };
        for _ in 0..2 {
            let risk = native.predict(&state, &mask).to_vec();
            close("risk", &torch.predict(&state, &mask).unwrap(), &risk);
            native.learn(&risk, &[0.9, 0.2], 0.005);
            torch.learn(&[0.9, 0.2], 0.005).unwrap();
            let [_, m, v] = torch.save().unwrap();
            assert!(native.adam.m.iter().any(|m| m.abs() > 0.001), "a gradient worth comparing");
            close("first moment", &m, &native.adam.m);
            close("second moment", &v, &native.adam.v);
        }
        assert!(torch.learn(&[0.9, 0.2], 0.005).is_err(), "nothing was predicted since");
    }
}
