#![doc = include_str!("../README.md")]
//!
//! # Where to start
//!
//! - [`env::Env`] and [`env::ParallelEnv`]: what an environment is, for one agent and for many.
//! - [`k8s::K8sEnv`] and [`gardener::GardenerEnv`]: the two worlds; [`registry::world`] finds their settings by
//!   name and preset.
//! - [`vector::VecEnv`]: many environments side by side, stepped in parallel into one [`vector::Batch`].
//! - [`checker::check`]: whether an environment of your own keeps the contract.
//! - [`rules`]: the rules of the worlds with all their settings. Documentation and comments cite its sections
//!   as RULES.
//!
//! One environment alone:
//!
//! ```
//! use resonetics_envs::env::Env;
//! use resonetics_envs::k8s::{Action, K8sConfig, K8sEnv, OBSERVATION};
//!
//! let mut cluster = K8sEnv::new(K8sConfig::default());
//! let mut observation = [0.0; OBSERVATION];
//! cluster.reset(Some(42), &mut observation);
//! let step = cluster.step(Action::Clean as usize, &mut observation)?;
//! assert!(!step.terminated && cluster.info().oom_nodes == 0);
//! assert!(cluster.observation_space().contains(&observation));
//! # Ok::<(), resonetics_envs::env::InvalidAction>(())
//! ```
//!
//! # Errors
//!
//! - [`env::InvalidAction`]: an action outside the action space; nothing has changed then.
//! - [`config::ConfigError`]: a setting that is unknown, of the wrong type or out of range, with its place, key,
//!   value and what is allowed.
//! - [`saved::SaveError`]: bytes that no environment with these settings saved.
//!
//! Slices and arrays of the wrong length are mistakes of the program and panic, as each function says.
//!
//! # The other crates
//!
//! Depends on [`resonetics_numerics`] alone, whose modules [`cpu`], [`math`] and [`stream`] are re-exported here.
//! `resonetics-agents` has policies that act in these environments and the trainer.

pub mod checker;
pub mod config;
pub mod control;
pub mod doses;
pub mod env;
pub mod gardener;
pub mod k8s;
pub mod registry;
pub mod risk;
#[allow(clippy::doc_markdown, clippy::doc_lazy_continuation)] // a page of prose
#[doc = include_str!("../RULES.md")]
pub mod rules {}
pub mod saved;
pub mod space;
pub mod vector;

pub use resonetics_numerics::{cpu, math, stream};
