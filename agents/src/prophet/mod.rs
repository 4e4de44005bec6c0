//! Prophet: proximal policy optimisation (Schulman et al. 2017) with the Resonetics kernel.

pub mod learner;
pub mod network;
#[cfg(feature = "torch")]
pub mod torch;
