//! Two worlds that drift toward collapse, and vectors of them.
//!
//! An environment has Gymnasium's words and semantics; what it observes it writes into a slice of
//! the caller's ([`env::Env`]). Everything random follows from the seed, by counter
//! ([`stream`]), so an episode is the same alone, as a lane of a vector, and on any number of
//! threads.
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
//! A vector steps many of them at once and writes into arrays allocated once
//! ([`vector::VecEnv`]):
//!
//! ```
//! use resonetics_envs::k8s::{K8sConfig, K8sEnv};
//! use resonetics_envs::vector::{Autoreset, VecEnv};
//!
//! let clusters = vec![K8sEnv::new(K8sConfig::default()); 8];
//! let mut envs = VecEnv::new(clusters, Autoreset::SameStep)?;
//! let mut batch = envs.batch();
//! envs.reset(42, &mut batch);
//! envs.step(&[0; 8], &mut batch)?;
//! assert_eq!(batch.observations.dim(), (8, 30));
//! assert!(batch.rewards.iter().all(|&reward| reward == -0.01));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The rules of the worlds and all their settings are in `docs/RULES.md`; comments cite its
//! sections.

pub mod checker;
pub mod config;
pub mod control;
pub mod env;
pub mod gardener;
pub mod k8s;
pub mod registry;
pub mod risk;
pub mod saved;
pub mod space;
pub mod vector;

pub use resonetics_numerics::{cpu, math, stream};
