//! `drift`: a small network follows a target that drifts (RULES section 3.1).

use resonetics_kernel::risk_predictor::RiskTarget;
use serde::{Deserialize, Serialize};

use super::lumen::Lumen;
use super::range::{BATCH, DRIFT_STEPS, within};
use crate::error::Error;
use crate::training::LearnerKind;

/// Everything that the run depends on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    /// Everything random follows from it.
    pub seed: u64,
    /// Steps of the optimizer.
    pub steps: u64,
    /// Samples of a step.
    pub batch_size: usize,
    /// Whether the kernel's terms are part of the loss.
    pub kernel: bool,
    /// Whether their weights are tuned.
    pub tune: bool,
    /// What the predicted risk should be.
    pub risk_target: RiskTarget,
    /// The library that computes the networks; a config.toml names it where it is not the native one.
    #[serde(default, skip_serializing_if = "is_native")]
    pub learner: LearnerKind,
    /// Whether it is watched.
    #[serde(default, skip_serializing_if = "Lumen::is_off")]
    pub lumen: Lumen,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde calls it
fn is_native(learner: &LearnerKind) -> bool {
    *learner == LearnerKind::Native
}

impl Drift {
    /// Refuses what the command line refuses.
    ///
    /// # Errors
    /// [`Error::Refused`] for a number out of its range.
    pub fn check(&self) -> Result<(), Error> {
        within("steps", self.steps, &DRIFT_STEPS)?;
        within("batch_size", self.batch_size as u64, &BATCH)
    }
}
