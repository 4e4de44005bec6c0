//! What holds the two networks of the experiment: plain arrays, or tensors of libtorch.

use resonetics_kernel::prophet_optimizer::ProphetConfig;
use resonetics_kernel::risk_predictor::RiskPredictor;
use resonetics_kernel::terms::{KernelConfig, Terms};
use resonetics_kernel::worker::{Batch, Worker};
use resonetics_runs::Error;
use resonetics_runs::training::{Device, LearnerKind, native_device, torch_device};

/// Worker and risk predictor with their optimizers. They draw nothing. An error is a sentence that says what
/// failed on which device; who gets one is not to go on with them.
pub trait Networks {
    /// See [`Worker::act`].
    fn act(&mut self, x: &[f32]) -> Result<Vec<f32>, String>;

    /// See [`Worker::learn`].
    fn learn(&mut self, batch: &Batch<'_>, config: &KernelConfig, lr: f64) -> Result<(Terms, f64), String>;

    /// The risk in one state, see [`RiskPredictor::predict`].
    fn predict(&mut self, state: [f32; 3], mask: &[f32]) -> Result<f32, String>;

    /// See [`RiskPredictor::learn`]; `risk` is what was predicted last.
    fn learn_risk(&mut self, risk: f32, target: f32, lr: f64) -> Result<(), String>;

    /// Parameters, first and second moments of the worker, then of the predictor, in the order of the native ones.
    fn save(&self) -> Result<[Vec<f32>; 6], String>;

    /// Goes on from what any networks saved after `steps` steps; the lengths fit.
    fn load(&mut self, arrays: [&[f32]; 6], steps: u64) -> Result<(), String>;
}

/// Fresh networks: those of a seed are the same for every learner.
///
/// # Errors
/// [`Error::Refused`] if this build has no libtorch, or the device cannot be had.
pub fn make(kind: LearnerKind, seed: u64, device: &str) -> Result<Box<dyn Networks>, Error> {
    let config = ProphetConfig::default();
    match kind {
        LearnerKind::Native => {
            native_device(device)?;
            let (worker, predictor) = (Worker::new(&config, seed), RiskPredictor::new(&config, seed));
            Ok(Box::new(Native { worker, predictor }))
        }
        LearnerKind::Torch => torch(&config, seed, torch_device(device)?),
    }
}

/// On plain arrays, which cannot fail.
struct Native {
    worker: Worker,
    predictor: RiskPredictor,
}

impl Networks for Native {
    fn act(&mut self, x: &[f32]) -> Result<Vec<f32>, String> {
        Ok(self.worker.act(x).to_vec())
    }

    fn learn(&mut self, batch: &Batch<'_>, config: &KernelConfig, lr: f64) -> Result<(Terms, f64), String> {
        Ok(self.worker.learn(batch, config, lr))
    }

    fn predict(&mut self, state: [f32; 3], mask: &[f32]) -> Result<f32, String> {
        Ok(self.predictor.predict(&state, mask)[0])
    }

    fn learn_risk(&mut self, risk: f32, target: f32, lr: f64) -> Result<(), String> {
        self.predictor.learn(&[risk], &[target], lr);
        Ok(())
    }

    fn save(&self) -> Result<[Vec<f32>; 6], String> {
        let Native { worker, predictor } = self;
        let arrays = [
            &worker.parameters,
            &worker.adam.m,
            &worker.adam.v,
            &predictor.parameters,
            &predictor.adam.m,
            &predictor.adam.v,
        ];
        Ok(arrays.map(Clone::clone))
    }

    fn load(&mut self, arrays: [&[f32]; 6], steps: u64) -> Result<(), String> {
        let Native { worker, predictor } = self;
        let own = [
            &mut worker.parameters,
            &mut worker.adam.m,
            &mut worker.adam.v,
            &mut predictor.parameters,
            &mut predictor.adam.m,
            &mut predictor.adam.v,
        ];
        for (own, array) in own.into_iter().zip(arrays) {
            own.copy_from_slice(array);
        }
        (worker.adam.steps, predictor.adam.steps) = (steps, steps);
        Ok(())
    }
}

#[cfg(feature = "torch")]
fn torch(config: &ProphetConfig, seed: u64, device: Device) -> Result<Box<dyn Networks>, Error> {
    let made = super::torch::Torch::new(config, seed, device).map_err(Error::Failed)?;
    Ok(Box::new(made))
}

#[cfg(not(feature = "torch"))]
fn torch(_config: &ProphetConfig, _seed: u64, device: Device) -> Result<Box<dyn Networks>, Error> {
    match device {}
}
