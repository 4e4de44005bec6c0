//! Policies that act in the worlds: baselines, heuristics, a planner, and evolved brains.

mod baseline;
mod evolved;
mod gardener_heuristic;
mod k8s_heuristic;
mod k8s_planner;
mod policy;

pub use baseline::{Idle, Random};
pub use evolved::Evolved;
pub use gardener_heuristic::{GardenerHeuristic, GardenerHeuristicConfig};
pub use k8s_heuristic::{K8sHeuristic, K8sHeuristicConfig};
pub use k8s_planner::K8sPlanner;
pub use policy::{Observations, Policy};
