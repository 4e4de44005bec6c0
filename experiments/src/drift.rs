//! The drift experiment, a step at a time (RULES section 3.1): a worker follows a target that drifts, a
//! predictor says how badly it will, and the learning rate listens to the predictor.
//!
//! Everything random comes by counter from the seed, and the networks take it as plain arrays: all
//! [`Networks`] see the same noise.

mod networks;
#[cfg(test)]
mod tests;
#[cfg(feature = "torch")]
mod torch;

use std::collections::VecDeque;

use resonetics_agents::prophet::network::{Tensor, find};
use resonetics_agents::prophet::state::Arrays;
use resonetics_kernel::drift;
use resonetics_kernel::mlp::dropout;
use resonetics_kernel::pid::KernelPidTuner;
use resonetics_kernel::prophet_optimizer::{Mode, ProphetConfig, ProphetOptimizer};
use resonetics_kernel::risk_predictor::{self, RiskTarget};
use resonetics_kernel::terms::{KernelConfig, Terms, Weights};
use resonetics_kernel::worker::{self, Batch};
use resonetics_numerics::math::LANES;
use resonetics_numerics::stream::{Domain, Key};
use serde::{Deserialize, Serialize};

pub use self::networks::Networks;
pub use self::networks::make as networks;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    pub seed: u64,
    pub steps: u64,
    /// Rows of a batch; row b has the progress and the target of step + b.
    pub batch_size: usize,
    /// Whether flow, structure and tension count; without them the loss is the mean squared error.
    pub kernel: bool,
    /// Whether the tuner moves wR and eps; without the kernel there is nothing to tune.
    pub tune: bool,
    pub risk_target: RiskTarget,
}

/// What one step was: a row of drift.csv, a line of the log, and what monitoring shows.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// From 0.
    pub step: u64,
    /// Target of the first row of the batch.
    pub target: f64,
    /// What the worker, without dropout, said to its input before it learned.
    pub prediction: f64,
    /// The predicted risk, in (0, 1).
    pub risk: f64,
    /// What it should have been.
    pub target_risk: f64,
    pub smoothed_risk: f64,
    pub mode: Mode,
    pub lr: f64,
    pub terms: Terms,
    /// The flow with other noise than the loss's.
    pub metric_flow: f64,
    /// Moving average of the change of action.
    pub delta_ema: f64,
    /// The mean of the last errors (`gap_R`), this one among them.
    pub recent_error: f64,
    /// As used in this step.
    pub w_r: f64,
    /// As used in this step.
    pub eps: f64,
}

/// What the draws of a step are for; the numbers are for ever, as those of [`Domain`].
#[derive(Clone, Copy)]
enum Draw {
    PredictorDropout = 1,
    WorkerDropout = 2,
    LossNoise = 3,
    MetricNoise = 4,
    TargetNoise = 5,
}

/// The experiment.
pub struct Drift {
    settings: Settings,
    config: ProphetConfig,
    networks: Box<dyn Networks>,
    state: State,
}

/// What of its state is numbers; the rest are the two networks with their optimizers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Steps taken, also by both optimizers.
    step: u64,
    optimizer: ProphetOptimizer,
    tuner: KernelPidTuner,
    /// The last errors (`gap_R`), oldest first.
    errors: VecDeque<f64>,
    previous_action: Option<f64>,
    delta_ema: f64,
}

/// Parameters and moments of the two networks, as [`Drift::save`] names them.
const ARRAYS: [&str; 6] =
    ["worker.parameters", "worker.m", "worker.v", "predictor.parameters", "predictor.m", "predictor.v"];

impl Drift {
    /// At its start, with networks that are fresh and of the same seed.
    pub fn new(settings: &Settings, networks: Box<dyn Networks>) -> Drift {
        let config = ProphetConfig::default();
        Drift {
            settings: settings.clone(),
            config,
            networks,
            state: State {
                step: 0,
                optimizer: ProphetOptimizer::new(config),
                tuner: KernelPidTuner::default(),
                errors: VecDeque::new(),
                previous_action: None,
                delta_ema: 0.0,
            },
        }
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.state.step
    }

    /// Everything that it goes on from.
    ///
    /// # Errors
    /// If the networks cannot be read from their device.
    pub fn save(&self) -> Result<(State, Arrays), String> {
        let arrays = self.networks.save()?;
        let tensors = ARRAYS.iter().zip(arrays).map(|(name, data)| Tensor {
            name: (*name).to_owned(),
            shape: vec![data.len()],
            data,
        });
        Ok((self.state.clone(), Arrays { tensors: tensors.collect(), ..Arrays::default() }))
    }

    /// Goes on from what one with the same settings saved.
    ///
    /// # Errors
    /// What does not fit; the experiment is then not to be used.
    pub fn restore(&mut self, state: State, arrays: &Arrays) -> Result<(), String> {
        let counts = [worker::net(), risk_predictor::net()].map(|net| net.parameters());
        let mut found: [&[f32]; 6] = [&[]; 6];
        for (i, (name, found)) in ARRAYS.iter().zip(&mut found).enumerate() {
            *found = &find(&arrays.tensors, name, &[counts[i / 3]])?.data;
        }
        self.networks.load(found, state.step)?;
        self.state = state;
        Ok(())
    }

    /// Takes a step.
    ///
    /// # Errors
    /// If the loss is no number any more, or the networks fail; the experiment ends there.
    pub fn step(&mut self) -> Result<Row, String> {
        let (step, batch) = (self.state.step, self.settings.batch_size);
        let KernelPidTuner { w_r, eps, .. } = self.state.tuner;

        // The batch.
        let progress = |step: u64| step as f64 / self.settings.steps as f64;
        let steps = step..step + batch as u64;
        let x: Vec<f32> = steps.clone().map(|step| progress(step) as f32).collect();
        let target: Vec<f32> = steps
            .map(|step| {
                let noise = self.normals(Draw::TargetNoise, step, 1)[0];
                drift::target(step, self.settings.steps, noise.into()) as f32
            })
            .collect();

        // What the worker would do, and how much that has changed.
        let actions = self.networks.act(&x)?;
        let prediction = f64::from(actions[0]);
        let action = actions.iter().map(|&action| f64::from(action)).sum::<f64>() / batch as f64;
        let delta = self.state.previous_action.map_or(0.0, |previous| (action - previous).abs());
        self.state.previous_action = Some(action);
        let beta = self.config.delta_ema_beta;
        self.state.delta_ema = beta * self.state.delta_ema + (1.0 - beta) * delta;

        // The risk, and the rate that follows from it.
        let seen = [progress(step), self.state.delta_ema, self.recent_error()].map(|number| number as f32);
        let mask = self.dropout(Draw::PredictorDropout, risk_predictor::HIDDEN, risk_predictor::DROPOUT);
        let risk = self.networks.predict(seen, &mask)?;
        let lr = self.state.optimizer.update(risk.into());

        // The worker learns.
        let kernel = KernelConfig { weights: self.weights(w_r), eps, ..KernelConfig::default() };
        let learned = Batch {
            x: &x,
            target: &target,
            mask: &self.dropout(Draw::WorkerDropout, batch * worker::HIDDEN, worker::DROPOUT),
            loss_noise: &self.normals(Draw::LossNoise, step, batch),
            metric_noise: &self.normals(Draw::MetricNoise, step, batch),
        };
        let (terms, metric_flow) = self.networks.learn(&learned, &kernel, lr)?;
        if !(terms.loss.is_finite() && metric_flow.is_finite()) {
            return Err(format!("the loss is {} at step {step}: training has diverged", terms.loss));
        }

        // The predictor learns what it should have said.
        let target_risk = self.settings.risk_target.of(terms.loss, self.config.risk_sigmoid_k);
        self.networks.learn_risk(risk, target_risk as f32, 0.5 * self.config.base_lr)?;

        // The tuner turns its knobs.
        if self.settings.kernel && self.settings.tune {
            self.state.tuner.update(terms.gap_r, metric_flow);
        }
        self.state.errors.push_back(terms.gap_r);
        if self.state.errors.len() > self.config.buffer_size {
            self.state.errors.pop_front();
        }
        self.state.step += 1;
        Ok(Row {
            step,
            target: target[0].into(),
            prediction,
            risk: risk.into(),
            target_risk,
            smoothed_risk: self.state.optimizer.smoothed_risk,
            mode: self.state.optimizer.mode,
            lr,
            terms,
            metric_flow,
            delta_ema: self.state.delta_ema,
            recent_error: self.recent_error(),
            w_r,
            eps,
        })
    }

    fn recent_error(&self) -> f64 {
        self.state.errors.iter().sum::<f64>() / self.state.errors.len().max(1) as f64
    }

    fn weights(&self, w_r: f64) -> Weights {
        if self.settings.kernel {
            Weights { r: w_r, ..KernelConfig::default().weights }
        } else {
            Weights { r: 1.0, f: 0.0, s: 0.0, t: 0.0 }
        }
    }

    fn key(&self, draw: Draw, step: u64) -> Key {
        Key::new(self.settings.seed, Domain::Training, step).derive(draw as u32, 0)
    }

    /// `count` standard normals of a step.
    fn normals(&self, draw: Draw, step: u64, count: usize) -> Vec<f32> {
        let key = self.key(draw, step);
        let mut normals = vec![0.0; count];
        key.fill_normals(0, 0, &mut normals);
        normals
    }

    /// A dropout mask of this step.
    fn dropout(&self, draw: Draw, count: usize, p: f32) -> Vec<f32> {
        let key = self.key(draw, self.state.step);
        let lanes = (0..count.div_ceil(LANES)).flat_map(|block| key.uniforms(0, (block * LANES) as u32).0);
        let mut mask = Vec::new();
        dropout(p, lanes.take(count), &mut mask);
        mask
    }
}
