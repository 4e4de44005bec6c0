//! [`crate::worker::Worker`] on tensors: the same numbers in, the same numbers out.

use tch::{Device, Tensor, no_grad};

use super::mlp::{Trained, numbers};
use super::{Answer, Weights, combine, flow};
use crate::prophet_optimizer::ProphetConfig;
use crate::risk_predictor::adam_config;
use crate::terms::{KernelConfig, Terms};
use crate::worker::{self, Batch, HIDDEN, MAX_NORM};

/// 1 -> 32 -> 32 -> 1, tanh, dropout behind the first layer.
#[derive(Debug)]
pub struct Worker(Trained);

impl Worker {
    /// A fresh one, with the parameters that [`worker::Worker::new`] has.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn new(config: &ProphetConfig, seed: u64, device: Device) -> Answer<Worker> {
        Trained::new(worker::net(), &worker::initial(seed), adam_config(config), device).map(Worker)
    }

    /// As [`worker::Worker::act`].
    ///
    /// # Errors
    /// What libtorch says.
    pub fn act(&self, x: &[f32]) -> Answer<Vec<f32>> {
        no_grad(|| numbers(&self.0.forward(&self.0.upload(x, 1)?, None)?))
    }

    /// As [`worker::Worker::learn`].
    ///
    /// # Errors
    /// What libtorch says, such as that a length does not fit; the worker is not to be used then.
    pub fn learn(
        &mut self,
        batch: &Batch<'_>,
        config: &KernelConfig,
        learning_rate: f64,
    ) -> Answer<(Terms, f64)> {
        let net = &self.0;
        let weights = Weights {
            reality: config.weights.r,
            flow: config.weights.f,
            structure: config.weights.s,
            tension: config.weights.t,
            eps: config.eps,
            period: config.period,
        };
        let [x, target] = [net.upload(batch.x, 1)?, net.upload(batch.target, 1)?];
        let noise = |noise: &[f32]| net.upload(noise, 1)?.f_unsqueeze(0);
        let f = |x: &Tensor| net.forward(x, None);
        let still = f(&x)?;
        let metric_flow = no_grad(|| flow(f, &x, &still, &noise(batch.metric_noise)?, config.eps))?;
        let loss_flow = flow(f, &x, &still, &noise(batch.loss_noise)?, config.eps)?;
        let output = net.forward(&x, Some(&net.upload(batch.mask, HIDDEN)?))?;
        let terms = combine(&output, &target, loss_flow, &weights)?;
        self.0.descend(&terms.loss, Some(MAX_NORM), learning_rate)?;
        // One copy from the device for all.
        let all = [&terms.gap, &terms.flow, &terms.structure, &terms.tension, &terms.loss, &metric_flow];
        let read = no_grad(|| numbers(&Tensor::f_stack(&all, 0)?))?;
        let read = |i: usize| f64::from(read[i]);
        let terms = Terms { gap_r: read(0), flow: read(1), gap_s: read(2), tension: read(3), loss: read(4) };
        Ok((terms, read(5)))
    }

    /// Parameters, first and second moments, in the order of [`worker::Worker`].
    ///
    /// # Errors
    /// What libtorch says.
    pub fn save(&self) -> Answer<[Vec<f32>; 3]> {
        self.0.save()
    }

    /// Goes on from what was saved after `steps` steps.
    ///
    /// # Errors
    /// What libtorch says, such as that the lengths do not fit.
    pub fn load(&mut self, arrays: [&[f32]; 3], steps: u64) -> Answer<()> {
        self.0.load(arrays, steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mlp::dropout;
    use crate::worker::DROPOUT;
    use resonetics_numerics::stream::{Domain, Key};

    fn draws(n: usize, tag: u32) -> Vec<f32> {
        let key = Key::new(8, Domain::Training, 0).derive(tag, 0);
        (0..n).map(|i| key.normals(0, i as u32).0[0]).collect()
    }

    /// The native worker is the oracle: terms, actions, and the moments, which are the clipped gradient after one
    /// step. Where a derivative is next to nothing, Adam's first step makes much of its last bits: parameters are
    /// compared by what they lead to.
    #[test]
    fn a_step_is_that_of_the_native_worker() {
        let config = ProphetConfig::default();
        for (seed, rows, flow) in [(2, 6, 0.4), (3, 1, 0.0), (4, 65, 0.4)] {
            let kernel = KernelConfig { eps: 0.05, ..KernelConfig::default() };
            let kernel =
                KernelConfig { weights: crate::terms::Weights { f: flow, ..kernel.weights }, ..kernel };
            let mut native = worker::Worker::new(&config, seed);
            let mut torch = Worker::new(&config, seed, Device::Cpu).unwrap();
            let [x, target, loss_noise, metric_noise] = [0, 1, 2, 3].map(|tag| draws(rows, tag));
            let mut mask = Vec::new();
            let key = Key::new(8, Domain::Training, 1);
            dropout(DROPOUT, (0..rows * HIDDEN).map(|i| key.uniform(0, i as u32)), &mut mask);
            assert!(mask.contains(&0.0));
            let batch = Batch {
                x: &x,
                target: &target,
                mask: &mask,
                loss_noise: &loss_noise,
                metric_noise: &metric_noise,
            };
            let close = |what: &str, found: f64, expected: f64| {
                let difference = (found - expected).abs();
                assert!(difference < 1e-5 * (1.0 + expected.abs()), "{what}: {found}, {expected}");
            };
            for _ in 0..2 {
                let (expected, expected_flow) = native.learn(&batch, &kernel, 0.01);
                let (found, metric_flow) = torch.learn(&batch, &kernel, 0.01).unwrap();
                close("gap_r", found.gap_r, expected.gap_r);
                close("flow", found.flow, expected.flow);
                close("gap_s", found.gap_s, expected.gap_s);
                close("tension", found.tension, expected.tension);
                close("loss", found.loss, expected.loss);
                close("metric_flow", metric_flow, expected_flow);
                let [_, m, v] = torch.save().unwrap();
                assert!(native.adam.m.iter().any(|m| m.abs() > 1e-3), "a gradient worth comparing");
                for (found, expected) in m.iter().zip(&native.adam.m).chain(v.iter().zip(&native.adam.v)) {
                    close("moment", (*found).into(), (*expected).into());
                }
                for (found, expected) in torch.act(&x).unwrap().iter().zip(native.act(&x)) {
                    close("action", (*found).into(), (*expected).into());
                }
            }
        }
    }

    #[test]
    fn lengths_that_do_not_fit_are_an_answer() {
        let mut torch = Worker::new(&ProphetConfig::default(), 1, Device::Cpu).unwrap();
        let batch =
            Batch { x: &[0.1], target: &[0.1], mask: &[1.0; 31], loss_noise: &[0.1], metric_noise: &[0.1] };
        assert!(torch.learn(&batch, &KernelConfig::default(), 0.01).is_err());
        assert!(torch.load([&[0.0; 3]; 3], 1).is_err());
    }
}
