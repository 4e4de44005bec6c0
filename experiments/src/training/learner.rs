//! Which learner, and where it computes.

use resonetics_agents::prophet::learner::Learner;
use resonetics_agents::prophet::native::NativeLearner;
use resonetics_agents::prophet::network::{Network, Spaces};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// What holds the networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LearnerKind {
    /// Plain arrays on the CPU; needs nothing
    Native,
    /// libtorch, on the CPU or a GPU; needs a build with `--features torch`
    Torch,
}

/// A learner for training, its parameters all 0.
///
/// # Errors
/// [`Failure::Usage`] if the native one is to train a convolution, this build has no libtorch, or
/// the device cannot be had.
pub fn make(
    kind: LearnerKind,
    network: &Network,
    spaces: Spaces,
    device: &str,
) -> Result<Box<dyn Learner>, Failure> {
    match kind {
        LearnerKind::Native if network.conv_channels > 0 => Err(Failure::Usage(
            "`train.network.conv_channels`: the native learner evaluates convolutions but cannot train them; \
             set it to 0, or use --learner torch"
                .to_owned(),
        )),
        LearnerKind::Native if device.starts_with("cuda") => {
            Err(Failure::Usage(format!("--device {device}: the native learner computes on the CPU; use --learner torch")))
        }
        LearnerKind::Native => Ok(Box::new(NativeLearner::new(network, spaces))),
        LearnerKind::Torch => torch(network, spaces, device),
    }
}

#[cfg(not(feature = "torch"))]
fn torch(_network: &Network, _spaces: Spaces, _device: &str) -> Result<Box<dyn Learner>, Failure> {
    Err(Failure::Usage(
        "--learner torch: this build has no libtorch; run `cargo xtask libtorch` once, then build with \
         `--features torch`"
            .to_owned(),
    ))
}
