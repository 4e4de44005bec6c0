//! The operator's rule of thumb for the cluster, on what the agent sees.

use resonetics_envs::config::{Allowed, Settings};
use resonetics_envs::k8s::{Action, toward_worst};
use serde::{Deserialize, Serialize};

use crate::policy::{Observations, Policy};

/// Thresholds of [`K8sHeuristic`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct K8sHeuristicConfig {
    /// Clean when the memory of the agent's node is at least this.
    pub clean_memory: f64,
    /// Clean when the cpu of the agent's node is at least this.
    pub clean_cpu: f64,
    /// A visible node with cpu or memory above this is a hotspot.
    pub hotspot: f64,
    /// Scale when at least this many hotspots are visible.
    pub scale_hotspots: usize,
    /// Share of the budget below which it does not scale.
    pub scale_budget: f64,
    /// Share of the budget below which it cleans only nodes above `hotspot`.
    pub critical_budget: f64,
    /// How much more a neighbour of priority 1 draws than its load alone would.
    pub priority_weight: f64,
}

impl Default for K8sHeuristicConfig {
    fn default() -> K8sHeuristicConfig {
        K8sHeuristicConfig {
            clean_memory: 0.3,
            clean_cpu: 0.5,
            hotspot: 0.8,
            scale_hotspots: 3,
            scale_budget: 0.3,
            critical_budget: 0.02,
            priority_weight: 0.1,
        }
    }
}

impl Settings for K8sHeuristicConfig {
    fn check(&self, allowed: &mut Allowed) {
        allowed.number("clean_memory", self.clean_memory, 0.0..=2.0);
        allowed.number("clean_cpu", self.clean_cpu, 0.0..=2.0);
        allowed.number("hotspot", self.hotspot, 0.0..=1.0);
        allowed.integer("scale_hotspots", self.scale_hotspots as u64, 1..=9);
        allowed.number("scale_budget", self.scale_budget, 0.0..=1.0);
        allowed.number("critical_budget", self.critical_budget, 0.0..=1.0);
        allowed.number("priority_weight", self.priority_weight, 0.0..=100.0);
    }
}

/// Cleans the agent's node when it is loaded, scales when enough visible nodes are hot and the
/// budget allows, holds back when the budget is nearly gone, and otherwise moves toward the
/// worst neighbour.
#[derive(Clone, Debug, Default)]
pub struct K8sHeuristic {
    /// The thresholds.
    pub config: K8sHeuristicConfig,
}

impl K8sHeuristic {
    /// The action for one observation, `[30]`.
    pub fn choose(&self, observation: &[f32]) -> usize {
        let config = &self.config;
        let at = |index: usize| f64::from(observation[index]);
        let (cpu, memory, budget) = (at(12), at(13), at(29));
        let hot = (0..9).filter(|k| at(3 * k).max(at(3 * k + 1)) > config.hotspot).count();
        let critical = budget < config.critical_budget;
        if critical && cpu.max(memory) <= config.hotspot {
            return toward_worst(observation, config.priority_weight as f32);
        }
        if hot >= config.scale_hotspots && budget >= config.scale_budget {
            return Action::Scale as usize;
        }
        if memory >= config.clean_memory || cpu >= config.clean_cpu {
            return Action::Clean as usize;
        }
        toward_worst(observation, config.priority_weight as f32)
    }
}

impl Policy for K8sHeuristic {
    fn act(&mut self, seen: &Observations<'_>, actions: &mut [usize]) {
        for (row, action) in actions.iter_mut().enumerate() {
            if seen.asked(row) {
                *action = self.choose(seen.observation(row));
            }
        }
    }
}
