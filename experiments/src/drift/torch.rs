//! The networks on tensors of libtorch (feature `torch`).

use resonetics_agents::prophet::learner::LearnerError;
use resonetics_kernel::prophet_optimizer::ProphetConfig;
use resonetics_kernel::terms::{KernelConfig, Terms};
use resonetics_kernel::torch::device::Device;
use resonetics_kernel::torch::risk_predictor::RiskPredictor;
use resonetics_kernel::torch::worker::Worker;
use resonetics_kernel::torch::{Answer, TchError};
use resonetics_kernel::worker::Batch;

use super::Networks;

/// Both on one device.
pub struct Torch {
    device: Device,
    worker: Worker,
    predictor: RiskPredictor,
}

impl Torch {
    /// Fresh ones, with the parameters that the native ones have.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn new(config: &ProphetConfig, seed: u64, device: Device) -> Result<Torch, String> {
        let both = || Ok((Worker::new(config, seed, device)?, RiskPredictor::new(config, seed, device)?));
        let (worker, predictor) = said(both(), "make the networks", device)?;
        Ok(Torch { device, worker, predictor })
    }
}

/// What libtorch said as a sentence. That of a [`LearnerError`] ends with settings that a training has.
fn said<T>(answer: Answer<T>, doing: &'static str, device: Device) -> Result<T, String> {
    answer.map_err(|error| {
        let device = match device {
            Device::Cuda(index) => format!("cuda:{index}"),
            other => format!("{other:?}").to_lowercase(),
        };
        let message = match error {
            TchError::Torch(message) => message,
            other => other.to_string(),
        };
        let LearnerError { said, .. } = LearnerError::new(doing, &device, &message);
        format!("cannot {doing} on the device {device}: {said}")
    })
}

impl Networks for Torch {
    fn act(&mut self, x: &[f32]) -> Result<Vec<f32>, String> {
        said(self.worker.act(x), "evaluate the worker", self.device)
    }

    fn learn(&mut self, batch: &Batch<'_>, config: &KernelConfig, lr: f64) -> Result<(Terms, f64), String> {
        said(self.worker.learn(batch, config, lr), "train the worker", self.device)
    }

    fn predict(&mut self, state: [f32; 3], mask: &[f32]) -> Result<f32, String> {
        let risk = said(self.predictor.predict(&state, mask), "predict the risk", self.device)?;
        risk.first().copied().ok_or_else(|| "the risk predictor predicted nothing".to_owned())
    }

    fn learn_risk(&mut self, _risk: f32, target: f32, lr: f64) -> Result<(), String> {
        said(self.predictor.learn(&[target], lr), "train the risk predictor", self.device)
    }

    fn save(&self) -> Result<[Vec<f32>; 6], String> {
        let both = || Ok([self.worker.save()?, self.predictor.save()?]);
        let [[parameters, m, v], [predictor, predictor_m, predictor_v]] =
            said(both(), "read the parameters", self.device)?;
        Ok([parameters, m, v, predictor, predictor_m, predictor_v])
    }

    fn load(&mut self, arrays: [&[f32]; 6], steps: u64) -> Result<(), String> {
        let [parameters, m, v, predictor, predictor_m, predictor_v] = arrays;
        let mut both = || {
            self.worker.load([parameters, m, v], steps)?;
            self.predictor.load([predictor, predictor_m, predictor_v], steps)
        };
        said(both(), "load the parameters", self.device)
    }
}
