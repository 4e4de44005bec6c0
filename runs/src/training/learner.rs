//! Which learner, and where it computes.

use resonetics_agents::prophet::learner::Learner;
use resonetics_agents::prophet::native::NativeLearner;
use resonetics_agents::prophet::network::{Network, Spaces};
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// What holds the networks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LearnerKind {
    /// Plain arrays on the CPU; needs nothing
    #[default]
    Native,
    /// libtorch, on the CPU or a GPU; needs a build with `--features torch`
    Torch,
}

/// A learner for training, its parameters all 0.
///
/// # Errors
/// [`Error::Refused`] if the native one is to train a convolution, this build has no libtorch, or
/// the device cannot be had.
pub fn make(
    kind: LearnerKind,
    network: &Network,
    spaces: Spaces,
    device: &str,
) -> Result<Box<dyn Learner>, Error> {
    match kind {
        LearnerKind::Native if network.conv_channels > 0 => Err(Error::Refused(
            "`train.network.conv_channels`: the native learner evaluates convolutions but cannot train them; \
             set it to 0, or use --learner torch"
                .to_owned(),
        )),
        LearnerKind::Native => {
            native_device(device)?;
            Ok(Box::new(NativeLearner::new(network, spaces)))
        }
        LearnerKind::Torch => torch(network, spaces, torch_device(device)?),
    }
}

/// Refuses a `device` that is not the CPU.
///
/// # Errors
/// [`Error::Refused`] with the learner that has others.
pub fn native_device(device: &str) -> Result<(), Error> {
    if ["auto", "cpu"].contains(&device) {
        return Ok(());
    }
    Err(Error::Refused(format!(
        "--device {device}: the native learner computes on the CPU (auto, cpu); use --learner torch for a GPU"
    )))
}

/// A device of libtorch.
#[cfg(feature = "torch")]
pub type Device = resonetics_kernel::torch::device::Device;
/// A device of libtorch: there is none in this build.
#[cfg(not(feature = "torch"))]
pub type Device = std::convert::Infallible;

/// The device of libtorch that `device` names.
///
/// # Errors
/// [`Error::Refused`] if it cannot be had, or this build has no libtorch.
#[cfg(feature = "torch")]
pub fn torch_device(device: &str) -> Result<Device, Error> {
    let chosen = resonetics_kernel::torch::device::choose(device);
    chosen.map_err(|problem| Error::Refused(format!("--device: {problem}")))
}

/// The device of libtorch that `device` names.
///
/// # Errors
/// [`Error::Refused`]: this build has no libtorch.
#[cfg(not(feature = "torch"))]
pub fn torch_device(_device: &str) -> Result<Device, Error> {
    Err(Error::Refused(
        "--learner torch: this build has no libtorch; run `cargo xtask libtorch` once, then build with \
         `--features torch`"
            .to_owned(),
    ))
}

#[cfg(feature = "torch")]
fn torch(network: &Network, spaces: Spaces, device: Device) -> Result<Box<dyn Learner>, Error> {
    use resonetics_agents::prophet::torch::TorchLearner;

    // One thread within an operation: sums have one order then, and a resumed run is bit-identical.
    let learner = TorchLearner::new(network, spaces, device, 1).map_err(Error::Refused)?;
    Ok(Box::new(learner))
}

#[cfg(not(feature = "torch"))]
fn torch(_network: &Network, _spaces: Spaces, device: Device) -> Result<Box<dyn Learner>, Error> {
    match device {}
}
