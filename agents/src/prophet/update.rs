//! What an update did, or why there is none.

use resonetics_kernel::prophet_optimizer::Mode;

use super::learner::{LearnerError, Terms};

/// What an update did.
#[derive(Clone, Debug, Default)]
pub struct Update {
    /// Its number, from 1.
    pub update: u64,
    /// Steps of single environments so far.
    pub steps: u64,
    /// Episodes that have ended so far.
    pub episodes: u64,
    /// Mean return of the last 100 episodes in the order of their beginnings, up to the first that goes on;
    /// none before there are so many.
    pub return_mean: Option<f64>,
    /// Their mean length.
    pub length_mean: Option<f64>,
    /// The rate that it was made with.
    pub learning_rate: f64,
    /// The entropy's weight.
    pub entropy_weight: f64,
    /// The perturbation's size.
    pub eps: f64,
    /// Under the schedule `prophet`: mode, predicted risk, what it should have been, action drift.
    pub risk: Option<(Mode, f64, f64, f64)>,
    /// Means over the minibatches.
    pub terms: Terms,
    /// Of the returns by the values, see the source.
    pub explained_variance: f64,
    /// Times that the training has gone back to a checkpoint.
    pub rollbacks: u32,
    /// Minibatches that were used; fewer than planned where the KL ended the update.
    pub minibatches: usize,
}

/// Why an update came to nothing. The training is not to go on from where it is then.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum UpdateError {
    /// It has diverged: a training can go back to a checkpoint and try a lower rate.
    #[error(transparent)]
    NonFinite(#[from] NonFinite),
    /// The learner has failed, and would again.
    #[error(transparent)]
    Learner(#[from] LearnerError),
}

/// A loss or a gradient that is no number.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("loss {loss}, gradient norm {gradient_norm} in update {update}")]
pub struct NonFinite {
    /// The update, from 1.
    pub update: u64,
    /// The loss.
    pub loss: f64,
    /// The gradient's norm.
    pub gradient_norm: f64,
}

/// The means over minibatches.
pub(super) fn mean_terms(all: &[Terms]) -> Terms {
    let mean = |of: fn(&Terms) -> f64| all.iter().map(of).sum::<f64>() / all.len().max(1) as f64;
    Terms {
        loss: mean(|terms| terms.loss),
        policy: mean(|terms| terms.policy),
        value: mean(|terms| terms.value),
        entropy: mean(|terms| terms.entropy),
        flow: mean(|terms| terms.flow),
        structure: mean(|terms| terms.structure),
        tension: mean(|terms| terms.tension),
        l2: mean(|terms| terms.l2),
        caps_spatial: mean(|terms| terms.caps_spatial),
        caps_temporal: mean(|terms| terms.caps_temporal),
        approx_kl: mean(|terms| terms.approx_kl),
        clip_fraction: mean(|terms| terms.clip_fraction),
        gradient_norm: mean(|terms| terms.gradient_norm),
    }
}
