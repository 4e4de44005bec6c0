//! The boundary between the trainer, which knows no tensor library, and what holds the networks.

use super::network::Tensor;
use super::timings::LossTimings;

/// The most samples in a [`Sequence`]: how far back in time a gradient goes.
pub const SEQUENCE: usize = 64;

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
    /// `[n]`: the sample of the same row a step later, or the sample itself where the episode or the rollout ends with
    /// it; empty where `caps_temporal` is 0.
    pub successors: &'a [u32],
    /// What networks with a memory need beside that.
    pub recurrent: Recurrent<'a>,
}

/// What was remembered in a rollout; all empty where networks have no memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Recurrent<'a> {
    /// `[k, M]` with the M numbers of a row's memory ([`super::network::Network::remembered`]): what sequences begin
    /// with, as it was when the rollout was made.
    pub states: &'a [f32],
    /// `[n]`: an episode or a life begins with the sample, or its memory was cleared before it.
    pub begins: &'a [bool],
    /// `[n]`: an action was chosen; the others have no term in the loss, only in what is remembered.
    pub asked: &'a [bool],
}

/// Samples of one row in a row, through which a memory is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// Where its samples end among those of the minibatch; they begin where the sequence before it ends.
    pub end: u32,
    /// Which of [`Recurrent::states`] it begins with.
    pub state: u32,
}

/// Which of the samples, and what the loss is.
#[derive(Clone, Copy, Debug)]
pub struct Minibatch<'a> {
    /// `[b]`: indices of samples; with a memory those of its sequences, one after the other.
    pub rows: &'a [u32],
    /// The sequences, of 1 to [`SEQUENCE`] samples each; none for networks without a memory, all of whose samples
    /// stand alone.
    pub sequences: &'a [Sequence],
    /// `[b, D]`: standard normals for the flow and the spatial term; empty where both have the weight 0.
    pub noise: &'a [f32],
    /// The advantage is (advantage - `advantage_mean`) * `advantage_scale`.
    pub advantage_mean: f32,
    /// See `advantage_mean`.
    pub advantage_scale: f32,
    /// The loss.
    pub loss: LossWeights,
}

/// The loss of a minibatch, all means over its b samples, with a memory over those of them that were asked:
///
/// ratio = exp(log pi(a|x) - log-probability then); pg = -min(ratio A, clip(ratio, 1 - clip, 1 + clip) A);
/// v = (V(x) - return)^2, or with `value_clip` c > 0 the larger of it and
/// (old + clip(V(x) - old, -c, c) - return)^2; H = entropy of pi over the allowed actions;
///
/// loss = pg + `value` 0.5 v - `entropy` H + `flow` F + `structure` S - `tension` T, where with n the noise
/// F = mean((logits(x + eps n) - logits(x))^2) / eps^2 + mean((V(x + eps n) - V(x))^2) / eps^2 (all A logits,
/// masked or not), S = mean(1 - cos(2 pi V(x) / period)),
/// T = tanh(mean((V(x) - return)^2)) tanh(S) (RULES section 3, `gap_R` and `gap_S` of the value).
///
/// To that `l2` L + `caps_spatial` `C_S` + `caps_temporal` `C_T` is added, what the kernel is compared with: L = half the
/// sum of squares of all weights of the actor, without its biases; `C_S` = mean(|p(x + `caps_sigma` n) - p(x)|^2) and
/// `C_T` = mean(|p(x') - p(x)|^2), squared Euclidean distances of the probabilities p of the allowed actions, with x'
/// the observation of the sample's successor (Mysore et al. 2021, "Regularizing Action Policies for Smooth Control").
/// The last two are for networks without a memory.
///
/// With a memory, pi(a|x) and V(x) are those of x and of the memory before it, `h_(t-1)`, through which the gradient
/// goes back to the sequence's begin; F compares x with x + eps n before the same memory.
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
    pub l2: f32,
    pub caps_spatial: f32,
    pub caps_sigma: f32,
    pub caps_temporal: f32,
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
    /// L; 0 where its weight is 0, as the two that follow are.
    pub l2: f64,
    /// `C_S`
    pub caps_spatial: f64,
    /// `C_T`
    pub caps_temporal: f64,
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

/// The device or the library of a learner failed. What the learner holds is not to be used then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot {doing} on the device {device}: {said}{}", remedy(.said, .device))]
pub struct LearnerError {
    /// What was being done, such as `take a step of Adam`.
    pub doing: &'static str,
    /// Where, such as `cuda:0`.
    pub device: String,
    /// What the library said, in one line.
    pub said: String,
}

impl LearnerError {
    /// From the library's `message`, of which the first line is kept: what follows it are calls in C++.
    pub fn new(doing: &'static str, device: &str, message: &str) -> LearnerError {
        let line = message.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no reason given");
        // Such as `[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: ...`.
        let check =
            line.strip_prefix("[enforce fail").and_then(|line| line.split_once("] ")?.1.split_once(". "));
        let said = check.map_or(line, |(_, said)| said).trim_end_matches('.').to_owned();
        LearnerError { doing, device: device.to_owned(), said }
    }
}

/// What helps against it, behind a colon; nothing is known against most.
fn remedy(said: &str, device: &str) -> String {
    let said = said.to_lowercase();
    let signs = ["out of memory", "allocate memory", "not enough memory", "bad_alloc", "alloc_failed"];
    if !signs.iter().any(|sign| said.contains(sign)) {
        return String::new();
    }
    let elsewhere = if device == "cpu" { "" } else { ", or on the CPU (`--device cpu`)" };
    format!(": train with a smaller `num_envs`, `minibatch` or `network.hidden`{elsewhere}")
}

/// Networks with their optimizer. Who gets a [`LearnerError`] of one is not to go on with it.
pub trait Learner: Send {
    /// Logits `[n, A]` and values `[n]` for normalised observations `[n, D]` and what was remembered before them,
    /// `memory` `[n, M]`, which becomes what is remembered after them; empty for networks without a memory.
    ///
    /// # Errors
    /// If the device or the library fails.
    fn act(
        &mut self,
        observations: &[f32],
        memory: &mut [f32],
        logits: &mut [f32],
        values: &mut [f32],
    ) -> Result<(), LearnerError>;

    /// Says that the minibatches that follow are taken from `samples`: the time to carry them over
    /// to a device.
    ///
    /// # Errors
    /// If the device or the library fails.
    fn begin(&mut self, _samples: &Samples<'_>) -> Result<(), LearnerError> {
        Ok(())
    }

    /// Computes the loss of a minibatch of `samples` (those of the last [`Learner::begin`]) and keeps
    /// its gradient; no parameter changes.
    ///
    /// # Errors
    /// If the device or the library fails.
    fn loss(&mut self, samples: &Samples<'_>, minibatch: &Minibatch<'_>) -> Result<Terms, LearnerError>;

    /// Where the time of all calls of [`Learner::loss`] went; zeros from a learner that does not measure it.
    fn timings(&self) -> LossTimings {
        LossTimings::default()
    }

    /// Clips the kept gradient to the norm `max_norm` and takes a step of Adam (Kingma, Ba 2015;
    /// beta 0.9 and 0.999, eps 1e-5) with `learning_rate`.
    ///
    /// # Errors
    /// If the device or the library fails.
    fn step(&mut self, learning_rate: f32, max_norm: f32) -> Result<(), LearnerError>;

    /// The kept gradient, with the names and shapes of the parameters.
    ///
    /// # Errors
    /// If the device or the library fails.
    fn gradient(&self) -> Result<Vec<Tensor>, LearnerError>;

    /// All parameters in the order of [`super::network::Network::parameters`], then Adam's first
    /// moments under `adam.m.NAME`, then its second ones under `adam.v.NAME`.
    ///
    /// # Errors
    /// If the device or the library fails.
    fn save(&self) -> Result<Vec<Tensor>, LearnerError>;

    /// Steps that Adam has taken.
    fn steps(&self) -> u64;

    /// Takes over what [`Learner::save`] and [`Learner::steps`] gave, of any learner.
    ///
    /// # Errors
    /// If a name or shape is not what is expected; nothing has changed then. Or, in words, a [`LearnerError`].
    fn load(&mut self, tensors: &[Tensor], steps: u64) -> Result<(), String>;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What libtorch 2.11.0 says, with what it says behind it.
    #[test]
    fn a_librarys_message_becomes_one_sentence_with_what_helps() {
        let frames = "\nException raised from alloc_cpu at ../c10/core/impl/alloc_cpu.cpp:127 (most recent call first):\n\
                      frame #0: c10::Error::Error(c10::SourceLocation, std::string) + 0xae (0x7f in libc10.so)\n";
        for (message, device, expected) in [
            (
                "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried \
                 to allocate 4294967296 bytes. Error code 12 (Cannot allocate memory)",
                "cpu",
                "cannot act on the device cpu: DefaultCPUAllocator: can't allocate memory: you tried to allocate \
                 4294967296 bytes. Error code 12 (Cannot allocate memory): train with a smaller `num_envs`, \
                 `minibatch` or `network.hidden`",
            ),
            (
                "CUDA out of memory. Tried to allocate 16.00 GiB.",
                "cuda:0",
                "cannot act on the device cuda:0: CUDA out of memory. Tried to allocate 16.00 GiB: train with a \
                 smaller `num_envs`, `minibatch` or `network.hidden`, or on the CPU (`--device cpu`)",
            ),
            (
                "CUDA error: unspecified launch failure",
                "cuda:1",
                "cannot act on the device cuda:1: CUDA error: unspecified launch failure",
            ),
            ("", "cpu", "cannot act on the device cpu: no reason given"),
        ] {
            let behind = if message.is_empty() { "" } else { frames };
            let error = LearnerError::new("act", device, &format!("{message}{behind}"));
            assert_eq!(error.to_string(), expected);
        }
    }
}
