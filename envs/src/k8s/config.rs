//! Every number of the cluster, by name (RULES section 1).

use serde::{Deserialize, Serialize};

use crate::config::{Allowed, Settings};
use crate::control::Damping;
use crate::k8s::drift::DriftConfig;
use crate::risk::{FlowConfig, Smoothing};

/// Which rules place the agent in its observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rules {
    /// Row / height and column / width.
    #[serde(rename = "v4.5")]
    V45,
    /// Row / (height - 1) and column / (width - 1), the whole vector cut to `[0, 1]`.
    #[serde(rename = "v4.6")]
    V46,
}

/// Weights and scales of the cluster's risk; of the garden's form, with the cluster's terms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RiskConfig {
    /// Moving average and verdict.
    #[serde(flatten)]
    pub smoothing: Smoothing,
    /// Weight of the load gradient: logistic(3 (|load - load before| / `load_grad_scale` - 0.5)).
    pub w_load_grad: f64,
    /// Change of the average load in a step that counts as strong.
    pub load_grad_scale: f64,
    /// Weight of the hot share: logistic(6 (share / `hot_share_scale` - 0.5)).
    pub w_hot_share: f64,
    /// Share of hot nodes (memory above `hot_memory`) that counts as high.
    pub hot_share_scale: f64,
    /// Memory above which a node counts as hot.
    pub hot_memory: f64,
    /// Weight of the budget pressure: logistic(4 (1 - budget / `max_budget` - 0.5)).
    pub w_budget: f64,
}

/// The control layer as an action shield.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ControlConfig {
    /// Whether the shield is on.
    pub enabled: bool,
    /// Damping and survival mode.
    #[serde(flatten)]
    pub damping: Damping,
    /// The actions that damping may replace by the safe action.
    pub suppress: Vec<Action>,
    /// Risk below which nothing is suppressed.
    pub suppress_from_risk: f64,
    /// Whether only a clean or scale that would be wasted is replaced, at whatever risk, and nothing else.
    #[serde(default)]
    pub wasted_only: bool,
}

/// The six actions, in the order of their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// 0: one row up.
    Up,
    /// 1: one row down.
    Down,
    /// 2: one column left.
    Left,
    /// 3: one column right.
    Right,
    /// 4: clean the agent's node.
    Clean,
    /// 5: scale the hotspots.
    Scale,
}

/// The settings of a cluster (RULES section 1). Costs are in units of the budget, rewards without unit; cpu, memory and
/// priority are shares in `[0, 1]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct K8sConfig {
    /// How the observation is normalised.
    pub observation_rules: Rules,
    /// Rows of nodes, 3 to 64.
    pub height: usize,
    /// Columns of nodes, 3 to 64.
    pub width: usize,
    /// Steps after which an episode is truncated, at least 1.
    pub max_steps: u32,
    /// The budget at reset, and its upper bound; above 0.
    pub max_budget: f64,
    /// Budget that comes back in each step.
    pub budget_recovery: f64,
    /// Reward of every step, before all others.
    pub time_penalty: f64,
    /// At reset cpu is uniform in `[0, this]`.
    pub initial_cpu_max: f64,
    /// At reset memory is uniform in `[0, this]`.
    pub initial_memory_max: f64,
    /// What a clean takes from the budget.
    pub clean_cost: f64,
    /// Most cpu that a clean removes.
    pub clean_cpu: f64,
    /// A clean that removes less cpu + memory than this is penalised.
    pub clean_worth: f64,
    /// Reward of a clean that removes less.
    pub clean_small_reward: f64,
    /// Removed cpu + memory for which a clean earns its full reward, 1 + priority.
    pub clean_full: f64,
    /// Reward of a clean that the budget does not allow.
    pub clean_unaffordable_reward: f64,
    /// What scaling one hotspot takes from the budget; above 0.
    pub scale_cost: f64,
    /// A node is a hotspot when its cpu or its memory is above this.
    pub hotspot_threshold: f64,
    /// Cpu and memory that scaling takes from a hotspot.
    pub scale_relief: f64,
    /// Reward of scaling all hotspots; in proportion for a part of them.
    pub scale_reward: f64,
    /// Reward of scaling when there is no hotspot.
    pub scale_none_reward: f64,
    /// Reward of scaling when the budget allows not one.
    pub scale_unaffordable_reward: f64,
    /// Standard deviation of the cpu noise of a node in a step, in [0, 1].
    pub cpu_noise_sigma: f64,
    /// Mean of the memory noise of a node in a step, in [-1, 1]: the leak.
    pub mem_drift_mu: f64,
    /// Standard deviation of the memory noise of a node in a step, in [0, 1].
    pub mem_noise_sigma: f64,
    /// A node is out of memory from this on.
    pub oom_memory: f64,
    /// An out-of-memory node above this priority is critical.
    pub critical_priority: f64,
    /// Subtracted from the reward for each node that is out of memory.
    pub oom_penalty: f64,
    /// Subtracted as well for each such node that is critical.
    pub critical_oom_penalty: f64,
    /// What a fall of the average load by 1 adds to the reward; 0 in rules v4.5.
    pub load_shaping_weight: f64,
    /// Average load (the mean of all cpu and memory values) above which an episode is terminated, in [0, 1].
    pub avg_load_terminate_threshold: f64,
    /// Whether a single node out of memory terminates an episode, as in rules v4.5. If so, the next two do
    /// not matter.
    pub terminate_on_any_oom: bool,
    /// Nodes out of memory that terminate an episode, at least 1.
    pub oom_terminate_threshold: usize,
    /// Whether one critical node out of memory terminates an episode.
    pub critical_oom_terminate: bool,
    /// How `mem_drift_mu` changes with time.
    pub drift: DriftConfig,
    /// The risk that the shield looks at.
    pub risk: RiskConfig,
    /// The flow in that risk: cpu and memory are perturbed, the average load and the share of
    /// nodes with cpu or memory above `hot_th` are watched.
    pub flow: FlowConfig,
    /// The shield.
    pub control: ControlConfig,
}

impl Default for K8sConfig {
    /// Rules v4.5.
    fn default() -> K8sConfig {
        K8sConfig {
            observation_rules: Rules::V45,
            height: 4,
            width: 4,
            max_steps: 500,
            max_budget: 100.0,
            budget_recovery: 0.5,
            time_penalty: -0.01,
            initial_cpu_max: 0.3,
            initial_memory_max: 0.1,
            clean_cost: 0.5,
            clean_cpu: 0.5,
            clean_worth: 0.2,
            clean_small_reward: -0.1,
            clean_full: 1.5,
            clean_unaffordable_reward: -0.2,
            scale_cost: 5.0,
            hotspot_threshold: 0.8,
            scale_relief: 0.3,
            scale_reward: 0.8,
            scale_none_reward: -0.2,
            scale_unaffordable_reward: -0.5,
            cpu_noise_sigma: 0.02,
            mem_drift_mu: 0.005,
            mem_noise_sigma: 0.01,
            oom_memory: 0.99,
            critical_priority: 0.8,
            oom_penalty: 2.0,
            critical_oom_penalty: 3.0,
            load_shaping_weight: 0.0,
            avg_load_terminate_threshold: 0.85,
            terminate_on_any_oom: true,
            oom_terminate_threshold: 2,
            critical_oom_terminate: true,
            drift: DriftConfig::default(),
            risk: RiskConfig {
                smoothing: Smoothing { ema_alpha: 0.15, collapse_th: 0.72, bubble_th: 0.45 },
                w_load_grad: 0.25,
                load_grad_scale: 0.02,
                w_hot_share: 0.55,
                hot_share_scale: 0.25,
                hot_memory: 0.8,
                w_budget: 0.20,
            },
            flow: FlowConfig { eps: 0.02, ema_alpha: 0.10, w_flow: 0.20, hot_th: 0.80 },
            control: ControlConfig {
                enabled: false,
                damping: Damping::default(),
                suppress: vec![Action::Up, Action::Down, Action::Left, Action::Right, Action::Scale],
                suppress_from_risk: 0.0,
                wasted_only: false,
            },
        }
    }
}

impl K8sConfig {
    /// Rules v4.6.
    pub fn v46() -> K8sConfig {
        K8sConfig {
            observation_rules: Rules::V46,
            load_shaping_weight: 0.5,
            avg_load_terminate_threshold: 0.90,
            terminate_on_any_oom: false,
            ..K8sConfig::default()
        }
    }

    /// Number of nodes.
    pub fn nodes(&self) -> usize {
        self.height * self.width
    }

    fn check_penalties(&self, allowed: &mut Allowed) {
        allowed.number("time_penalty", self.time_penalty, -1e3..=1e3);
        allowed.number("clean_small_reward", self.clean_small_reward, -1e3..=1e3);
        allowed.number("clean_unaffordable_reward", self.clean_unaffordable_reward, -1e3..=1e3);
        allowed.number("scale_reward", self.scale_reward, -1e3..=1e3);
        allowed.number("scale_none_reward", self.scale_none_reward, -1e3..=1e3);
        allowed.number("scale_unaffordable_reward", self.scale_unaffordable_reward, -1e3..=1e3);
        allowed.number("oom_penalty", self.oom_penalty, 0.0..=1e3);
        allowed.number("critical_oom_penalty", self.critical_oom_penalty, 0.0..=1e3);
        allowed.number("load_shaping_weight", self.load_shaping_weight, -1e3..=1e3);
    }

    fn check_control(&self, allowed: &mut Allowed) {
        allowed.table("risk", |allowed| {
            self.risk.smoothing.check(allowed);
            allowed.number("w_load_grad", self.risk.w_load_grad, 0.0..=10.0);
            allowed.number("load_grad_scale", self.risk.load_grad_scale, 1e-6..=1e6);
            allowed.number("w_hot_share", self.risk.w_hot_share, 0.0..=10.0);
            allowed.number("hot_share_scale", self.risk.hot_share_scale, 1e-6..=1e6);
            allowed.number("hot_memory", self.risk.hot_memory, 0.0..=1.0);
            allowed.number("w_budget", self.risk.w_budget, 0.0..=10.0);
        });
        allowed.table("flow", |allowed| self.flow.check(allowed));
        allowed.table("control", |allowed| {
            self.control.damping.check(allowed);
            allowed.number("suppress_from_risk", self.control.suppress_from_risk, 0.0..=1.0);
        });
    }
}

impl Settings for K8sConfig {
    fn check(&self, allowed: &mut Allowed) {
        allowed.integer("height", self.height as u64, 3..=64);
        allowed.integer("width", self.width as u64, 3..=64);
        allowed.integer("max_steps", self.max_steps.into(), 1..=1_000_000_000);
        allowed.number("max_budget", self.max_budget, 1e-3..=1e6);
        allowed.number("budget_recovery", self.budget_recovery, 0.0..=1e6);
        allowed.number("initial_cpu_max", self.initial_cpu_max, 0.0..=1.0);
        allowed.number("initial_memory_max", self.initial_memory_max, 0.0..=1.0);
        allowed.number("clean_cost", self.clean_cost, 0.0..=1e6);
        allowed.number("clean_cpu", self.clean_cpu, 0.0..=1.0);
        allowed.number("clean_worth", self.clean_worth, 0.0..=2.0);
        allowed.number("clean_full", self.clean_full, 1e-3..=1e3);
        allowed.number("scale_cost", self.scale_cost, 1e-3..=1e6);
        allowed.number("hotspot_threshold", self.hotspot_threshold, 0.0..=1.0);
        allowed.number("scale_relief", self.scale_relief, 0.0..=1.0);
        allowed.number("cpu_noise_sigma", self.cpu_noise_sigma, 0.0..=1.0);
        allowed.number("mem_drift_mu", self.mem_drift_mu, -1.0..=1.0);
        allowed.number("mem_noise_sigma", self.mem_noise_sigma, 0.0..=1.0);
        allowed.number("oom_memory", self.oom_memory, 0.0..=1.0);
        allowed.number("critical_priority", self.critical_priority, 0.0..=1.0);
        allowed.number("avg_load_terminate_threshold", self.avg_load_terminate_threshold, 0.0..=1.0);
        allowed.integer("oom_terminate_threshold", self.oom_terminate_threshold as u64, 1..=4096);
        self.check_penalties(allowed);
        allowed.table("drift", |allowed| self.drift.check(allowed));
        self.check_control(allowed);
    }
}
