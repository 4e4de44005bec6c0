//! Policies that act in the worlds: baselines, heuristics, a planner, and evolved brains.
//!
//! A [`Policy`] chooses an action for each row of a batch of observations:
//!
//! ```
//! use ndarray::Array2;
//! use resonetics_agents::{K8sHeuristic, Observations, Policy};
//! use resonetics_envs::k8s::{K8sConfig, K8sEnv};
//! use resonetics_envs::vector::{Autoreset, VecEnv};
//!
//! let mut envs = VecEnv::new(vec![K8sEnv::new(K8sConfig::default()); 4], Autoreset::SameStep)?;
//! let mut batch = envs.batch();
//! envs.reset(42, &mut batch);
//! let mut actions = [0; 4];
//! let no_state = Array2::zeros((0, 0));
//! K8sHeuristic::default().act(&Observations::of(&batch, no_state.view()), &mut actions);
//! envs.step(&actions, &mut batch)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod baseline;
mod evolved;
mod gardener_heuristic;
mod k8s_heuristic;
mod k8s_planner;
mod noisy;
mod policy;
pub mod prophet;

pub use baseline::{Idle, Random};
pub use evolved::Evolved;
pub use gardener_heuristic::{GardenerHeuristic, GardenerHeuristicConfig};
pub use k8s_heuristic::{K8sHeuristic, K8sHeuristicConfig};
pub use k8s_planner::K8sPlanner;
pub use noisy::Noisy;
pub use policy::{Observations, Policy};
