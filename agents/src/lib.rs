#![doc = include_str!("../README.md")]
//!
//! # Where to start
//!
//! - [`Policy`]: what a policy is, and what one of your own implements; [`Observations`] is what it sees.
//! - [`Random`] and [`Idle`] (baselines), [`K8sHeuristic`], [`K8sPatrol`], [`K8sPlanner`], [`GardenerHeuristic`],
//!   [`GardenerPatrol`], [`Evolved`]: those that are here. [`Noisy`] shows another policy noisy observations.
//! - [`prophet::trainer::Trainer`]: a training, update by update; its settings are
//!   [`prophet::config::TrainConfig`].
//! - [`prophet::policy::Prophet`]: trained networks as a policy; [`prophet::state`] saves and resumes a training.
//!
//! # Errors
//!
//! Policies cannot fail; what they are asked wrongly (a view that is not contiguous, a state that is missing) panics, as
//! each says. What a training refuses before it starts, and what ends it (a loss or gradient that is not
//! finite), is in the sections Errors of [`Trainer`](prophet::trainer::Trainer). Nothing reads or writes a
//! file here: a saved training is bytes ([`prophet::state::Arrays::to_bytes`]) and numbers for serde.
//!
//! # The other crates
//!
//! Depends on [`resonetics_envs`], whose environments it acts in, and [`resonetics_kernel`], whose networks,
//! optimizers and loss terms it trains with. `resonetics-analysis` reads and compares what its runs left.

mod baseline;
mod evolved;
mod gardener_heuristic;
mod gardener_patrol;
mod k8s_heuristic;
mod k8s_patrol;
mod k8s_planner;
mod noisy;
mod policy;
pub mod prophet;

pub use baseline::{Idle, Random};
pub use evolved::Evolved;
pub use gardener_heuristic::{GardenerHeuristic, GardenerHeuristicConfig};
pub use gardener_patrol::{GardenerPatrol, GardenerPatrolConfig};
pub use k8s_heuristic::{K8sHeuristic, K8sHeuristicConfig};
pub use k8s_patrol::{K8sPatrol, K8sPatrolConfig};
pub use k8s_planner::K8sPlanner;
pub use noisy::Noisy;
pub use policy::{Observations, Policy};
