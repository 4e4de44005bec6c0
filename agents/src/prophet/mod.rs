//! Prophet: proximal policy optimisation (Schulman et al. 2017) with the Resonetics kernel.

pub mod advantage;
pub mod categorical;
pub mod config;
mod counters;
mod draws;
mod evaluation;
pub mod init;
pub mod jacobian;
pub mod learner;
mod memory;
pub mod native;
pub mod network;
pub mod normalizer;
mod order;
pub mod policy;
pub mod risk_rate;
mod rollout;
pub mod state;
pub mod timings;
#[cfg(feature = "torch")]
pub mod torch;
pub mod trainer;
mod update;
