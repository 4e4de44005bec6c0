//! Every number of the training, by name.

use resonetics_envs::config::{Allowed, Settings};
use resonetics_envs::doses::Doses;
use resonetics_kernel::risk_predictor::RiskTarget;
use serde::{Deserialize, Serialize};

use super::learner::LossWeights;
use super::network::Network;

/// How the learning rate goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// It stays.
    Fixed,
    /// In a straight line to `learning_rate_final` at the last step.
    Linear,
    /// Divided by 1.5 after an update whose KL is above twice `target_kl`, multiplied by 1.5 after
    /// one below half of it (Schulman et al. 2017, section 4, for the penalty; `rsl_rl` for the rate).
    Kl,
    /// The risk predictor and its modes (RULES section 3).
    Prophet,
}

/// The Resonetics kernel in the loss, and what it is compared with; see [`super::learner::LossWeights`] for the formula.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelConfig {
    /// Weight of the flow; 0, the default, saves its two passes.
    pub flow: f64,
    /// Weight of the structure.
    pub structure: f64,
    /// Weight of the tension.
    pub tension: f64,
    /// Size of the perturbation, in standard deviations of the observation.
    pub eps: f64,
    /// Period of the structure, in standard deviations of the return.
    pub period: f64,
    /// Whether the tuner moves eps toward a flow of 0.2 (RULES section 3).
    pub tune: bool,
    /// Weight of half the sum of squares of the actor's weights; trainings from before these terms have none of them.
    #[serde(default)]
    pub l2: f64,
    /// Weight of the spatial term of CAPS; 0, the default, saves its pass.
    #[serde(default)]
    pub caps_spatial: f64,
    /// Size of its perturbation, in standard deviations of the observation.
    #[serde(default = "caps_sigma")]
    pub caps_sigma: f64,
    /// Weight of the temporal term of CAPS; 0, the default, saves its pass.
    #[serde(default)]
    pub caps_temporal: f64,
}

fn caps_sigma() -> f64 {
    0.1
}

/// The settings of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Environments side by side, N, at least 1.
    pub num_envs: usize,
    /// Steps of each environment in a rollout, T, at least 1.
    pub horizon: usize,
    /// Share of the environments, in [0, 1), that begin a new episode with each rollout: where lives are long, what
    /// happens early in them is rare otherwise. The rest plays whole episodes, of which the means are.
    #[serde(default)]
    pub restart: f64,
    /// Times that each sample of a rollout is used, at least 1.
    pub epochs: usize,
    /// Samples in a minibatch, at least 1: an epoch is cut into equal parts of about this many.
    pub minibatch: usize,
    /// Discount of a step, gamma, in [0, 1].
    pub gamma: f64,
    /// Decay of generalised advantage estimation, lambda, in [0, 1].
    pub lambda: f64,
    /// Learning rate of Adam at the start, in [0, 1].
    pub learning_rate: f64,
    /// Learning rate at the end of a linear schedule, in [0, 1].
    pub learning_rate_final: f64,
    /// How it goes from one to the other.
    pub schedule: Schedule,
    /// What the risk predictor of the schedule `prophet` learns to foresee.
    pub risk_target: RiskTarget,
    /// The probability ratio is clipped to 1 +- this, above 0.
    pub clip: f64,
    /// The change of the value is clipped to +- this; 0 for no clipping.
    pub value_clip: f64,
    /// Weight of the loss of the value, at least 0.
    pub value_weight: f64,
    /// Weight of the entropy at the start.
    pub entropy: f64,
    /// Weight of the entropy at the end, reached in a straight line.
    pub entropy_final: f64,
    /// Largest norm of the gradient, above 0; a larger one is scaled down to it.
    pub max_grad_norm: f64,
    /// An update ends once the KL of a minibatch is above 1.5 times this; 0: never.
    pub target_kl: f64,
    /// Whether observations are normalised by their running mean and standard deviation.
    pub normalize_observations: bool,
    /// Whether rewards are divided by the running standard deviation of the discounted return.
    pub normalize_returns: bool,
    /// The networks.
    pub network: Network,
    /// The kernel.
    pub kernel: KernelConfig,
    /// What the drift of each episode is drawn from; trainings from before it had none.
    #[serde(default)]
    pub doses: Doses,
    /// Updates from one checkpoint to the next.
    pub checkpoint_every: usize,
    /// Checkpoints that are kept, beside the best.
    pub keep: usize,
    /// Every so many checkpoints, and at the end, the greedy policy is measured; the best is one of these.
    pub eval_every: usize,
    /// Episodes that choose the best checkpoint, played by the greedy policy on seeds of their own.
    pub eval_episodes: usize,
    /// Times that a training goes back to its last checkpoint after a loss or gradient that is no number.
    pub max_rollbacks: u32,
}

/// Longest episode, in steps, and steps of a training that [`TrainConfig::default`] is the recipe for: those of the
/// reference cluster.
const REFERENCE: (u32, u64) = (500, 400_000);

impl Default for TrainConfig {
    fn default() -> TrainConfig {
        let (life, steps) = REFERENCE;
        TrainConfig::recipe(life, steps)
    }
}

impl TrainConfig {
    /// For a training of `steps` steps in episodes of `life` steps at most (RULES section 3.2, with what was measured).
    ///
    /// How far credit reaches follows from the life that is at stake: 1 / (1 - gamma) is the square of it over 20,000, 2,000 at most, 1 /
    /// (1 - lambda) a hundredth of it. Where lives are longer than the reference's, half of the environments begin anew with
    /// each rollout. The more steps there are, the larger are rollouts and minibatches, whose gradients are less
    /// noisy; each rollout has some 40 minibatches to learn from.
    pub fn recipe(life: u32, steps: u64) -> TrainConfig {
        // Where lives are long, losses are few: as many steps are played, less often, to see them.
        let eval_every = (life as usize / 500).clamp(1, 4);
        let life = f64::from(life);
        let num_envs = (steps / 25_000).clamp(16, 128) as usize / 16 * 16;
        let horizon = (life / 16.0).clamp(32.0, 64.0) as usize;
        let rollout = num_envs * horizon;
        let minibatch = (rollout / 4).min(1024);
        TrainConfig {
            num_envs,
            horizon,
            restart: (1.0 - 500.0 / life).clamp(0.0, 0.5),
            epochs: 40 * minibatch / rollout,
            minibatch,
            gamma: short_of_one((2e4 / (life * life)).max(5e-4), 0.2),
            lambda: short_of_one(100.0 / life, 0.2),
            learning_rate: 3e-3,
            learning_rate_final: 0.0,
            schedule: Schedule::Linear,
            risk_target: RiskTarget::Centred,
            clip: 0.2,
            value_clip: 0.0,
            value_weight: 1.0,
            entropy: 0.01,
            entropy_final: 0.0,
            max_grad_norm: 0.5,
            target_kl: 0.0,
            normalize_observations: true,
            normalize_returns: true,
            network: Network { hidden: vec![64, 64], conv_channels: 0, memory: 0 },
            kernel: KernelConfig {
                flow: 0.0,
                structure: 0.0,
                tension: 0.0,
                eps: 0.01,
                period: 3.0,
                tune: false,
                l2: 0.0,
                caps_spatial: 0.0,
                caps_sigma: caps_sigma(),
                caps_temporal: 0.0,
            },
            doses: Doses {
                margin: four_decimals(((1.0 - 500.0 / life) / 6.0).clamp(0.0, 0.125)),
                ..Doses::default()
            },
            checkpoint_every: (16_384 / rollout).max(16),
            keep: 3,
            eval_every,
            eval_episodes: 100 * eval_every,
            max_rollbacks: 3,
        }
    }

    /// For one policy shared by all gardeners of a garden.
    pub fn garden() -> TrainConfig {
        TrainConfig {
            num_envs: 4,
            // Whether a garden lives is decided in its first 250 generations, by how soon gardeners breed; half of
            // the gardens begin anew with each rollout, and where dirt grows slowly every garden lives.
            horizon: 256,
            restart: 0.5,
            minibatch: 1024,
            epochs: 4,
            gamma: 0.8,
            lambda: 0.8,
            doses: Doses { margin: 1.8, ..Doses::default() },
            // An update is a second of work; playing whole episodes is more.
            checkpoint_every: 1,
            eval_every: 8,
            eval_episodes: 8,
            ..TrainConfig::default()
        }
    }

    /// With a small convolution on the view, for the torch learner.
    #[must_use]
    pub fn with_convolution(mut self) -> TrainConfig {
        self.network.conv_channels = 8;
        self
    }

    /// With large vectors and large minibatches: the most steps a second.
    #[must_use]
    pub fn large(self) -> TrainConfig {
        TrainConfig {
            // However many a long training would have.
            num_envs: 64 * self.num_envs.min(16),
            horizon: 64,
            minibatch: self.minibatch.max(8192),
            epochs: 4,
            checkpoint_every: 2,
            eval_every: 8,
            ..self
        }
    }

    /// The loss with this weight of the entropy and this perturbation of the flow.
    pub(super) fn loss_weights(&self, entropy: f64, eps: f64) -> LossWeights {
        let TrainConfig { clip, value_clip, value_weight, kernel, .. } = self;
        LossWeights {
            clip: *clip as f32,
            value_clip: *value_clip as f32,
            value: *value_weight as f32,
            entropy: entropy as f32,
            flow: kernel.flow as f32,
            structure: kernel.structure as f32,
            tension: kernel.tension as f32,
            eps: eps as f32,
            period: kernel.period as f32,
            l2: kernel.l2 as f32,
            caps_spatial: kernel.caps_spatial as f32,
            caps_sigma: kernel.caps_sigma as f32,
            caps_temporal: kernel.caps_temporal as f32,
        }
    }

    /// Environments that begin a new episode with each rollout; one at least does not.
    pub fn restarting(&self) -> usize {
        ((self.restart * self.num_envs as f64) as usize).min(self.num_envs.saturating_sub(1))
    }

    /// Updates in a training of `total_steps` steps: whole rollouts, never more steps than asked for
    /// unless that is not enough for one.
    pub fn updates(&self, total_steps: u64) -> u64 {
        (total_steps / (self.num_envs * self.horizon) as u64).max(1)
    }
}

/// 1 less `share`, of which at most `most` counts.
fn short_of_one(share: f64, most: f64) -> f64 {
    four_decimals(1.0 - share.min(most))
}

fn four_decimals(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

impl Settings for TrainConfig {
    fn check(&self, allowed: &mut Allowed) {
        allowed.integer("num_envs", self.num_envs as u64, 1..=1_048_576);
        allowed.integer("horizon", self.horizon as u64, 1..=65_536);
        allowed.number("restart", self.restart, 0.0..=0.99);
        allowed.integer("epochs", self.epochs as u64, 1..=1000);
        allowed.integer("minibatch", self.minibatch as u64, 1..=16_777_216);
        allowed.number("gamma", self.gamma, 0.0..=1.0);
        allowed.number("lambda", self.lambda, 0.0..=1.0);
        allowed.number("learning_rate", self.learning_rate, 0.0..=1.0);
        allowed.number("learning_rate_final", self.learning_rate_final, 0.0..=1.0);
        allowed.number("clip", self.clip, 1e-6..=10.0);
        allowed.number("value_clip", self.value_clip, 0.0..=1e6);
        allowed.number("value_weight", self.value_weight, 0.0..=1e6);
        allowed.number("entropy", self.entropy, -10.0..=10.0);
        allowed.number("entropy_final", self.entropy_final, -10.0..=10.0);
        allowed.number("max_grad_norm", self.max_grad_norm, 1e-6..=1e9);
        allowed.number("target_kl", self.target_kl, 0.0..=100.0);
        let kl = self.schedule != Schedule::Kl || self.target_kl > 0.0;
        allowed.rule(kl, "target_kl", self.target_kl, "the schedule `kl` needs one above 0, such as 0.01");
        let layers = self.network.hidden.len();
        let list = format!("{:?}", self.network.hidden);
        let widths = self.network.hidden.iter().all(|width| (1..=4096).contains(width));
        allowed.table("network", |allowed| {
            let fits = (1..=8).contains(&layers) && widths;
            allowed.rule(fits, "hidden", list, "allowed are 1 to 8 widths from 1 to 4096, such as [64, 64]");
            allowed.integer("conv_channels", self.network.conv_channels as u64, 0..=256);
            allowed.integer("memory", self.network.memory as u64, 0..=4096);
        });
        allowed.table("kernel", |allowed| {
            allowed.number("flow", self.kernel.flow, 0.0..=1e6);
            allowed.number("structure", self.kernel.structure, 0.0..=1e6);
            allowed.number("tension", self.kernel.tension, 0.0..=1e6);
            allowed.number("eps", self.kernel.eps, 1e-4..=10.0);
            allowed.number("period", self.kernel.period, 1e-3..=1e6);
            allowed.number("l2", self.kernel.l2, 0.0..=1e6);
            allowed.number("caps_sigma", self.kernel.caps_sigma, 1e-4..=10.0);
            for (key, weight) in
                [("caps_spatial", self.kernel.caps_spatial), ("caps_temporal", self.kernel.caps_temporal)]
            {
                allowed.number(key, weight, 0.0..=1e6);
                let alone = weight == 0.0 || self.network.memory == 0;
                allowed.rule(
                    alone,
                    key,
                    weight,
                    "with `network.memory` above 0 only 0 is allowed: the term compares single observations",
                );
            }
        });
        allowed.table("doses", |allowed| self.doses.check(allowed));
        allowed.integer("checkpoint_every", self.checkpoint_every as u64, 1..=1_000_000);
        allowed.integer("keep", self.keep as u64, 1..=1000);
        allowed.integer("eval_every", self.eval_every as u64, 1..=1_000_000);
        allowed.integer("eval_episodes", self.eval_episodes as u64, 1..=100_000);
        allowed.integer("max_rollbacks", self.max_rollbacks.into(), 0..=100);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand from the formulas of RULES section 3.2; a discount of 1 would let values grow without bound.
    #[test]
    fn the_horizon_follows_from_the_life() {
        for (life, gamma, lambda, margin) in [
            (100, 0.8, 0.8, 0.0),
            (500, 0.92, 0.8, 0.0),
            (1000, 0.98, 0.9, 0.0833),
            (2000, 0.995, 0.95, 0.125),
            (1_000_000, 0.9995, 0.9999, 0.125),
        ] {
            let recipe = TrainConfig::recipe(life, 400_000);
            assert_eq!((recipe.gamma, recipe.lambda, recipe.doses.margin), (gamma, lambda, margin), "{life}");
        }
    }
}
