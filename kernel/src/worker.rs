//! The network that follows the drifting target, trained on the kernel (RULES sections 3 and 3.1).

use resonetics_numerics::stream::{Domain, Key};
use serde::{Deserialize, Serialize};

use crate::adam::{Adam, clip_norm};
use crate::mlp::{Activation, Init, Mlp, Pass};
use crate::prophet_optimizer::ProphetConfig;
use crate::risk_predictor::adam_config;
use crate::terms::{Gradients, KernelConfig, Outputs, Terms, flow, kernel};

/// Width of its hidden layers.
pub const HIDDEN: usize = 32;
/// Share of the first hidden layer that dropout drops in training.
pub const DROPOUT: f32 = 0.1;
/// Largest norm of its gradient.
pub const MAX_NORM: f64 = 1.0;

/// One batch with all that is random about it, B rows.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// `[B, 1]`
    pub x: &'a [f32],
    /// `[B, 1]`
    pub target: &'a [f32],
    /// `[B, 32]`: dropout mask, see [`Mlp::forward`].
    pub mask: &'a [f32],
    /// `[B, 1]`: standard normals for the loss's flow.
    pub loss_noise: &'a [f32],
    /// `[B, 1]`: standard normals for the flow that is only measured.
    pub metric_noise: &'a [f32],
}

/// 1 -> 32 -> 32 -> 1, tanh, dropout behind the first layer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Worker {
    /// `[n]`, in the order of [`Mlp`].
    pub parameters: Vec<f32>,
    /// Its optimizer.
    pub adam: Adam,
    net: Mlp,
    #[serde(skip)]
    scratch: Scratch,
}

/// Arrays kept from step to step.
#[derive(Clone, Debug, Default)]
struct Scratch {
    output: Pass<f32>,
    still: Pass<f32>,
    perturbed: Pass<f32>,
    by_outputs: Gradients<f32>,
    gradient: Vec<f32>,
    moved: Vec<f32>,
}

impl Worker {
    /// A fresh one: weights and biases as [`Init::Torch`] from `seed`. (Without biases a tanh network
    /// is an odd function at first, and 0 at progress 0.)
    pub fn new(config: &ProphetConfig, seed: u64) -> Worker {
        let net = net();
        Worker {
            parameters: initial(seed),
            adam: Adam::new(net.parameters(), adam_config(config)),
            net,
            scratch: Scratch::default(),
        }
    }

    /// The actions `[B, 1]` for `x` `[B, 1]`, without dropout.
    pub fn act(&mut self, x: &[f32]) -> &[f32] {
        self.net.forward(&self.parameters, x, &[], &mut self.scratch.still)
    }

    /// The kernel's terms of a batch and `metric_flow`, its flow with other noise, both before the
    /// step of Adam on the clipped gradient that follows.
    ///
    /// The gaps are those of f(x) with dropout; both flows come without it.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn learn(&mut self, batch: &Batch<'_>, config: &KernelConfig, learning_rate: f64) -> (Terms, f64) {
        let Worker { parameters, adam, net, scratch } = self;
        let Scratch { output, still, perturbed, by_outputs, gradient, moved } = scratch;
        let f_still = net.forward(parameters, batch.x, &[], still);
        shake(batch.x, batch.metric_noise, config.eps, moved);
        let metric_flow = flow(f_still, net.forward(parameters, moved, &[], perturbed), config.eps);
        shake(batch.x, batch.loss_noise, config.eps, moved);
        let outputs = Outputs {
            output: net.forward(parameters, batch.x, batch.mask, output),
            still: f_still,
            perturbed: net.forward(parameters, moved, &[], perturbed),
            target: batch.target,
        };
        let terms = kernel(&outputs, config, by_outputs);
        gradient.clear();
        gradient.resize(parameters.len(), 0.0);
        net.backward(parameters, output, &by_outputs.output, gradient);
        net.backward(parameters, still, &by_outputs.still, gradient);
        net.backward(parameters, perturbed, &by_outputs.perturbed, gradient);
        clip_norm(gradient, MAX_NORM);
        adam.step(parameters, gradient, learning_rate);
        (terms, metric_flow)
    }
}

/// The worker's shape.
pub fn net() -> Mlp {
    Mlp { widths: vec![1, HIDDEN, HIDDEN, 1], activation: Activation::Tanh, sigmoid: false }
}

/// The parameters that a fresh worker has, `[n]`.
pub(crate) fn initial(seed: u64) -> Vec<f32> {
    net().init(Init::Torch, Key::new(seed, Domain::Weights, 0))
}

/// x + eps noise.
fn shake(x: &[f32], noise: &[f32], eps: f64, moved: &mut Vec<f32>) {
    assert_eq!(x.len(), noise.len(), "a draw of noise for each input");
    moved.clear();
    moved.extend(x.iter().zip(noise).map(|(x, noise)| x + eps as f32 * noise));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mlp::dropout;

    fn draws(n: usize, tag: u32) -> Vec<f32> {
        let key = Key::new(8, Domain::Training, 0).derive(tag, 0);
        (0..n).map(|i| key.normals(0, i as u32).0[0]).collect()
    }

    /// The step that is taken is Adam's first on the clipped gradient, and that is the central
    /// difference of the loss, computed in f64 from the definition: dropout in the gaps, none in the flow.
    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let config = KernelConfig { eps: 0.05, ..KernelConfig::default() };
        let mut worker = Worker::new(&ProphetConfig { weight_decay: 0.0, ..ProphetConfig::default() }, 2);
        let [x, target, loss_noise, metric_noise] = [0, 1, 2, 3].map(|tag| draws(6, tag));
        let mut mask = Vec::new();
        let key = Key::new(8, Domain::Training, 1);
        dropout(DROPOUT, (0..6 * HIDDEN).map(|i| key.uniform(0, i as u32)), &mut mask);
        assert!(mask.contains(&0.0));
        let batch = Batch {
            x: &x,
            target: &target,
            mask: &mask,
            loss_noise: &loss_noise,
            metric_noise: &metric_noise,
        };
        let wide = |numbers: &[f32]| numbers.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>();
        let (x64, target64, mask64, noise64) = (wide(&x), wide(&target), wide(&mask), wide(&loss_noise));
        let moved: Vec<f64> = x64.iter().zip(&noise64).map(|(x, noise)| x + 0.05 * noise).collect();
        let net = worker.net.clone();
        let loss = |parameters: &[f64]| {
            let run =
                |x: &[f64], mask: &[f64]| net.forward(parameters, x, mask, &mut Pass::default()).to_vec();
            let (output, still, perturbed) = (run(&x64, &mask64), run(&x64, &[]), run(&moved, &[]));
            let outputs =
                Outputs { output: &output, still: &still, perturbed: &perturbed, target: &target64 };
            kernel(&outputs, &config, &mut Gradients::default()).loss
        };
        let parameters = wide(&worker.parameters);
        let differences: Vec<f64> = (0..parameters.len())
            .map(|i| {
                let moved = |by: f64| {
                    let mut moved = parameters.clone();
                    moved[i] += by;
                    loss(&moved)
                };
                (moved(1e-5) - moved(-1e-5)) / 2e-5
            })
            .collect();
        let norm = differences.iter().map(|d| d * d).sum::<f64>().sqrt();
        assert!(norm > MAX_NORM, "nothing is clipped: {norm}");
        let (terms, metric_flow) = worker.learn(&batch, &config, 0.01);
        assert!((terms.loss - loss(&parameters)).abs() < 1e-5);
        assert!(metric_flow > 0.0 && (metric_flow - terms.flow).abs() > 1e-6);
        // After one step Adam's first moment is a tenth of the gradient that it was given.
        for (i, difference) in differences.iter().enumerate() {
            let found = f64::from(worker.adam.m[i]) * 10.0;
            assert!((found - difference / norm).abs() < 1e-4, "{i}: {found}, {}", difference / norm);
        }
    }
}
