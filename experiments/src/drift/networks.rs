//! What the experiment asks of the library that computes its two networks.

use resonetics_kernel::terms::{KernelConfig, Terms};
use resonetics_kernel::worker::Batch;

/// Worker and risk predictor with their optimizers. They draw nothing. An error is a sentence that says what
/// failed on which device; who gets one is not to go on with them.
pub trait Networks {
    /// See [`resonetics_kernel::worker::Worker::act`].
    fn act(&mut self, x: &[f32]) -> Result<Vec<f32>, String>;

    /// See [`resonetics_kernel::worker::Worker::learn`].
    fn learn(&mut self, batch: &Batch<'_>, config: &KernelConfig, lr: f64) -> Result<(Terms, f64), String>;

    /// The risk in one state, see [`resonetics_kernel::risk_predictor::RiskPredictor::predict`].
    fn predict(&mut self, state: [f32; 3], mask: &[f32]) -> Result<f32, String>;

    /// See [`resonetics_kernel::risk_predictor::RiskPredictor::learn`]; `risk` is what was predicted last.
    fn learn_risk(&mut self, risk: f32, target: f32, lr: f64) -> Result<(), String>;

    /// Parameters, first and second moments of the worker, then of the predictor, in the order of the native ones.
    fn save(&self) -> Result<[Vec<f32>; 6], String>;

    /// Goes on from what any networks saved after `steps` steps; the lengths fit.
    fn load(&mut self, arrays: [&[f32]; 6], steps: u64) -> Result<(), String>;
}
