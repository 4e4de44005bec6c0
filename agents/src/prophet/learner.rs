//! The boundary between the trainer, which knows no tensor library, and what holds the networks.

use super::network::Tensor;
use super::timings::LossTimings;

/// A rollout, flat: `[n]` samples in the order [step, row].
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a> {
    /// `[n, D]`, normalised.
    pub observations: &'a [f32],
    /// `[n, A]`: actions that could be chosen; empty where all of all samples could.
    pub action_mask: &'a [bool],
    /// `[n]`
    pub actions: &'a [u32],
    /// `[n]`: log-probability of the action when it was chosen.
    pub log_probs: &'a [f32],
    /// `[n]`: the value then.
    pub values: &'a [f32],
    /// `[n]`: not normalised.
    pub advantages: &'a [f32],
    /// `[n]`: what the value should be.
    pub returns: &'a [f32],
}

/// Which of the samples, and what the loss is.
#[derive(Clone, Copy, Debug)]
pub struct Minibatch<'a> {
    /// `[b]`: indices of samples.
    pub rows: &'a [u32],
    /// `[b, D]`: standard normals for the flow; empty where `kernel.flow` is 0.
    pub noise: &'a [f32],
    /// The advantage is (advantage - `advantage_mean`) * `advantage_scale`.
    pub advantage_mean: f32,
    /// See `advantage_mean`.
    pub advantage_scale: f32,
    /// The loss.
    pub loss: LossWeights,
}

/// The loss of a minibatch, all means over its b samples:
///
/// ratio = exp(log pi(a|x) - log-probability then); pg = -min(ratio A, clip(ratio, 1 - clip, 1 + clip) A);
/// v = (V(x) - return)^2, or with `value_clip` c > 0 the larger of it and
/// (old + clip(V(x) - old, -c, c) - return)^2; H = entropy of pi over the allowed actions;
///
/// loss = pg + `value` 0.5 v - `entropy` H + `flow` F + `structure` S - `tension` T, where with n the noise
/// F = mean((logits(x + eps n) - logits(x))^2) / eps^2 + mean((V(x + eps n) - V(x))^2) / eps^2 (all A logits,
/// masked or not), S = mean(1 - cos(2 pi V(x) / period)),
/// T = tanh(mean((V(x) - return)^2)) tanh(S) (RULES section 3, `gap_R` and `gap_S` of the value).
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)] // the formula above names each
pub struct LossWeights {
    pub clip: f32,
    pub value_clip: f32,
    pub value: f32,
    pub entropy: f32,
    pub flow: f32,
    pub structure: f32,
    pub tension: f32,
    pub eps: f32,
    pub period: f32,
}

/// The terms of a minibatch's loss, and how far the policy has moved.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[allow(missing_docs)] // named in [`LossWeights`]
pub struct Terms {
    pub loss: f64,
    /// pg
    pub policy: f64,
    /// v
    pub value: f64,
    pub entropy: f64,
    /// 0 where `flow`'s weight is 0.
    pub flow: f64,
    pub structure: f64,
    pub tension: f64,
    /// Mean of ratio - 1 - ln ratio: an estimate of the KL divergence (Schulman 2020).
    pub approx_kl: f64,
    /// Share of samples whose ratio is clipped.
    pub clip_fraction: f64,
    /// Euclidean norm of the gradient, all parameters together, before clipping.
    pub gradient_norm: f64,
}

impl Terms {
    /// Whether loss and gradient are numbers.
    pub fn finite(&self) -> bool {
        self.loss.is_finite() && self.gradient_norm.is_finite()
    }
}

/// Networks with their optimizer.
pub trait Learner: Send {
    /// Logits `[n, A]` and values `[n]` for normalised observations `[n, D]`.
    fn act(&mut self, observations: &[f32], logits: &mut [f32], values: &mut [f32]);

    /// Says that the minibatches that follow are taken from `samples`: the time to carry them over
    /// to a device.
    fn begin(&mut self, _samples: &Samples<'_>) {}

    /// Computes the loss of a minibatch of `samples` (those of the last [`Learner::begin`]) and keeps
    /// its gradient; no parameter changes.
    fn loss(&mut self, samples: &Samples<'_>, minibatch: &Minibatch<'_>) -> Terms;

    /// Where the time of all calls of [`Learner::loss`] went; zeros from a learner that does not measure it.
    fn timings(&self) -> LossTimings {
        LossTimings::default()
    }

    /// Clips the kept gradient to the norm `max_norm` and takes a step of Adam (Kingma, Ba 2015;
    /// beta 0.9 and 0.999, eps 1e-5) with `learning_rate`.
    fn step(&mut self, learning_rate: f32, max_norm: f32);

    /// The kept gradient, with the names and shapes of the parameters.
    fn gradient(&self) -> Vec<Tensor>;

    /// All parameters in the order of [`super::network::Network::parameters`], then Adam's first
    /// moments under `adam.m.NAME`, then its second ones under `adam.v.NAME`.
    fn save(&self) -> Vec<Tensor>;

    /// Steps that Adam has taken.
    fn steps(&self) -> u64;

    /// Takes over what [`Learner::save`] and [`Learner::steps`] gave, of any learner.
    ///
    /// # Errors
    /// If a name or shape is not what is expected; nothing has changed then.
    fn load(&mut self, tensors: &[Tensor], steps: u64) -> Result<(), String>;
}
