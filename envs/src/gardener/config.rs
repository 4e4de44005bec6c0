//! Every number of the garden, by name (RULES section 2).

use serde::{Deserialize, Serialize};

use crate::config::{Allowed, Settings};
use crate::control::Damping;
use crate::risk::{FlowConfig, Smoothing};

/// Cells of the garden whose change `risk.entropy_grad_scale` is the scale of.
pub const REFERENCE_CELLS: usize = 60 * 60;
/// Largest population of the garden whose change `risk.pop_vol_scale` is the scale of.
pub const REFERENCE_POPULATION: usize = 80;

/// Weights and scales of the garden's risk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RiskConfig {
    /// Moving average and verdict.
    #[serde(flatten)]
    pub smoothing: Smoothing,
    /// Weight of the change of the total entropy.
    pub w_entropy_grad: f64,
    /// Weight of the change of the population.
    pub w_pop_vol: f64,
    /// Weight of the emergency moves for each gardener.
    pub w_emg_ratio: f64,
    /// Change of the total entropy in a generation that counts as strong, in cells.
    pub entropy_grad_scale: f64,
    /// Change of the population in a generation that counts as strong.
    pub pop_vol_scale: f64,
    /// Weight of saturation, logistic(12 (mean dirt - 0.5)): 0, the rules', sees only change, so
    /// that a garden full of dirt looks calm.
    pub w_saturation: f64,
    /// Whether a garden of another size is judged as one of 60 x 60 cells and up to 80 gardeners would be: dirt
    /// grows by the cell and gardeners come by their number, so that their changes grow with the garden. Off
    /// in the rules, whose scales hold for that size alone.
    pub per_cell: bool,
}

/// What the flow is measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FlowKind {
    /// The system's metrics: mean dirt and share of hot cells.
    System,
}

/// The flow and what recordings say of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GardenFlowConfig {
    /// What it is measured on.
    #[serde(rename = "type")]
    pub kind: FlowKind,
    /// Perturbation and moving average.
    #[serde(flatten)]
    pub flow: FlowConfig,
    /// Whether the perturbed dirt is cut to `[0, 1]`.
    pub clip_grid_noise: bool,
}

/// The control layer over the gardeners' actions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ControlConfig {
    /// Whether control is on.
    pub enabled: bool,
    /// Damping and survival mode.
    #[serde(flatten)]
    pub damping: Damping,
    /// Whether damping may replace moves.
    pub suppress_moves: bool,
    /// Whether damping may replace action 5 (wait and breed).
    pub suppress_reproduce: bool,
    /// The safe action is clean above this dirt, else wait.
    pub safe_action_clean_threshold: f64,
    /// Whether a wait that control imposed does not breed, and no gardener does in survival
    /// mode. Off in the rules: there the safe action may still breed.
    pub stop_breeding: bool,
}

/// When a brain's recurrent memory is cleared. Never, in the rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryConfig {
    /// Generations of life between two resets; 0 is never.
    pub reset_interval: u32,
    /// Whether the verdict turning to collapse clears every memory.
    pub reset_on_collapse: bool,
}

/// When a garden counts as lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LostConfig {
    /// Mean dirt from which on the garden counts as saturated, in `[0, 1]`.
    pub dirt_share: f64,
    /// Generations in a row that it must be so.
    pub generations: u32,
}

/// What the multi-agent environment rewards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RewardConfig {
    /// Weight of a gardener's energy from cleaning less what it paid to move, to collide and to
    /// live (not to breed).
    pub energy_weight: f64,
    /// Weight of what it paid in that: 1 rewards the energy itself, less rewards cleaning.
    pub cost_weight: f64,
    /// Weight of what it paid beside that, as long as its energy does not suffice to breed and there is room for a child.
    pub saving_weight: f64,
    /// Weight of the dirt that all gardeners removed together, in cells.
    pub team_weight: f64,
    /// Weight of 1 - the mean dirt.
    pub clean_weight: f64,
    /// Reward of the parent for a child.
    pub birth_weight: f64,
}

/// The settings of a garden.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GardenerConfig {
    /// Side of the square garden in cells, 5 to 512.
    pub grid_size: usize,
    /// Gardeners at the beginning, at most `max_population`.
    pub init_agents: usize,
    /// Side of the square that a gardener sees, in cells: odd, 5 to 31.
    pub view_size: usize,
    /// Newcomers come while there are fewer gardeners than this.
    pub min_population: usize,
    /// Most gardeners that can live at a time, 1 to 4096: the rows of the environment.
    pub max_population: usize,
    /// Generations after which an episode is truncated.
    pub max_generations: u32,
    /// Energy at birth.
    pub birth_energy: f64,
    /// Energy that a move takes.
    pub move_cost: f64,
    /// Energy that a move in an emergency takes.
    pub emergency_move_cost: f64,
    /// What a gardener with this much above the cost of a move, or less, calls an emergency.
    pub emergency_margin: f64,
    /// Dirt above which a gardener in an emergency cleans.
    pub emergency_clean_above: f64,
    /// Dirt above which a gardener in an emergency moves to its dirtiest neighbour.
    pub emergency_move_above: f64,
    /// What everyone pays for a generation.
    pub living_cost: f64,
    /// What it costs to want the cell of a richer gardener.
    pub conflict_cost: f64,
    /// A cell's dirt grows by U(0, this) in a generation.
    pub dirt_growth: f64,
    /// Most dirt that a cell loses to its cleaners in a generation.
    pub clean_amount: f64,
    /// Energy earned for each unit of dirt removed.
    pub clean_reward: f64,
    /// Energy that breeding takes from the parent.
    pub reproduce_cost: f64,
    /// Energy above which a gardener that waits breeds.
    pub reproduce_threshold: f64,
    /// Scale of the noise on the weights that a child inherits (RULES section 2.1).
    pub mutation_rate: f64,
    /// How the risk is computed.
    pub risk: RiskConfig,
    /// How the flow is measured.
    pub flow: GardenFlowConfig,
    /// The control layer.
    pub control: ControlConfig,
    /// When memories are cleared.
    pub memory: MemoryConfig,
    /// When the garden counts as lost.
    pub lost: LostConfig,
    /// What the multi-agent environment rewards.
    pub reward: RewardConfig,
}

impl Default for GardenerConfig {
    fn default() -> GardenerConfig {
        GardenerConfig {
            grid_size: 60,
            init_agents: 25,
            view_size: 7,
            min_population: 15,
            max_population: 80,
            max_generations: 2000,
            birth_energy: 50.0,
            move_cost: 0.5,
            emergency_move_cost: 0.1,
            emergency_margin: 0.1,
            emergency_clean_above: 0.1,
            emergency_move_above: 0.2,
            living_cost: 0.1,
            conflict_cost: 0.1,
            dirt_growth: 0.005,
            clean_amount: 0.5,
            clean_reward: 3.0,
            reproduce_cost: 40.0,
            reproduce_threshold: 80.0,
            mutation_rate: 0.02,
            risk: RiskConfig {
                smoothing: Smoothing { ema_alpha: 0.15, collapse_th: 0.72, bubble_th: 0.45 },
                w_entropy_grad: 0.55,
                w_pop_vol: 0.25,
                w_emg_ratio: 0.20,
                entropy_grad_scale: 15.0,
                pop_vol_scale: 8.0,
                w_saturation: 0.0,
                per_cell: false,
            },
            flow: GardenFlowConfig {
                kind: FlowKind::System,
                flow: FlowConfig { eps: 0.02, ema_alpha: 0.10, w_flow: 0.20, hot_th: 0.80 },
                clip_grid_noise: true,
            },
            control: ControlConfig {
                enabled: true,
                damping: Damping::default(),
                suppress_moves: true,
                suppress_reproduce: true,
                safe_action_clean_threshold: 0.10,
                stop_breeding: false,
            },
            memory: MemoryConfig { reset_interval: 0, reset_on_collapse: false },
            lost: LostConfig { dirt_share: 0.75, generations: 50 },
            reward: RewardConfig {
                energy_weight: 1.0,
                cost_weight: 0.0,
                saving_weight: 1.0,
                team_weight: 0.1,
                clean_weight: 1.0,
                birth_weight: 10.0,
            },
        }
    }
}

impl GardenerConfig {
    /// The same garden with episodes that neither its loss nor a limit ends, for logs that go on.
    #[must_use]
    pub fn unending(&self) -> GardenerConfig {
        let mut config = self.clone();
        config.max_generations = u32::MAX;
        config.lost.generations = u32::MAX;
        config
    }

    /// Number of cells.
    pub fn cells(&self) -> usize {
        self.grid_size * self.grid_size
    }

    /// What the change of dirt and that of the population are multiplied by before the risk looks at them.
    pub fn risk_scales(&self) -> [f64; 2] {
        if !self.risk.per_cell {
            return [1.0, 1.0];
        }
        [
            REFERENCE_CELLS as f64 / self.cells() as f64,
            REFERENCE_POPULATION as f64 / self.max_population as f64,
        ]
    }

    fn check_population(&self, allowed: &mut Allowed) {
        allowed.integer("max_population", self.max_population as u64, 1..=4096);
        let max = self.max_population.clamp(1, 4096) as u64;
        allowed.integer("min_population", self.min_population as u64, 0..=max);
        allowed.integer("init_agents", self.init_agents as u64, 0..=max);
    }

    fn check_tables(&self, allowed: &mut Allowed) {
        allowed.table("risk", |allowed| {
            self.risk.smoothing.check(allowed);
            allowed.number("w_entropy_grad", self.risk.w_entropy_grad, 0.0..=10.0);
            allowed.number("w_pop_vol", self.risk.w_pop_vol, 0.0..=10.0);
            allowed.number("w_emg_ratio", self.risk.w_emg_ratio, 0.0..=10.0);
            allowed.number("entropy_grad_scale", self.risk.entropy_grad_scale, 1e-6..=1e6);
            allowed.number("pop_vol_scale", self.risk.pop_vol_scale, 1e-6..=1e6);
            allowed.number("w_saturation", self.risk.w_saturation, 0.0..=10.0);
        });
        allowed.table("flow", |allowed| self.flow.flow.check(allowed));
        allowed.table("control", |allowed| {
            self.control.damping.check(allowed);
            allowed.number(
                "safe_action_clean_threshold",
                self.control.safe_action_clean_threshold,
                0.0..=1.0,
            );
        });
        allowed.table("memory", |allowed| {
            allowed.integer("reset_interval", self.memory.reset_interval.into(), 0..=1_000_000_000);
        });
        allowed.table("lost", |allowed| {
            allowed.number("dirt_share", self.lost.dirt_share, 1e-3..=1.0);
            allowed.integer("generations", self.lost.generations.into(), 1..=1_000_000_000);
        });
        allowed.table("reward", |allowed| {
            allowed.number("energy_weight", self.reward.energy_weight, -1e3..=1e3);
            allowed.number("cost_weight", self.reward.cost_weight, -1e3..=1e3);
            allowed.number("saving_weight", self.reward.saving_weight, -1e3..=1e3);
            allowed.number("birth_weight", self.reward.birth_weight, -1e3..=1e3);
            allowed.number("team_weight", self.reward.team_weight, -1e3..=1e3);
            allowed.number("clean_weight", self.reward.clean_weight, -1e3..=1e3);
        });
    }
}

impl Settings for GardenerConfig {
    fn check(&self, allowed: &mut Allowed) {
        allowed.integer("grid_size", self.grid_size as u64, 5..=512);
        allowed.integer("view_size", self.view_size as u64, 5..=31);
        allowed.rule(self.view_size % 2 == 1, "view_size", self.view_size, "allowed are odd numbers");
        self.check_population(allowed);
        allowed.integer("max_generations", self.max_generations.into(), 1..=1_000_000_000);
        allowed.number("birth_energy", self.birth_energy, 1e-3..=1e6);
        allowed.number("move_cost", self.move_cost, 0.0..=1e3);
        allowed.number("emergency_move_cost", self.emergency_move_cost, 0.0..=1e3);
        allowed.number("emergency_margin", self.emergency_margin, 0.0..=1e3);
        allowed.number("emergency_clean_above", self.emergency_clean_above, 0.0..=1.0);
        allowed.number("emergency_move_above", self.emergency_move_above, 0.0..=1.0);
        allowed.number("living_cost", self.living_cost, 0.0..=1e3);
        allowed.number("conflict_cost", self.conflict_cost, 0.0..=1e3);
        allowed.number("dirt_growth", self.dirt_growth, 0.0..=1.0);
        allowed.number("clean_amount", self.clean_amount, 0.0..=1.0);
        allowed.number("clean_reward", self.clean_reward, 0.0..=1e3);
        allowed.number("reproduce_cost", self.reproduce_cost, 0.0..=1e6);
        allowed.number("reproduce_threshold", self.reproduce_threshold, 0.0..=1e6);
        allowed.number("mutation_rate", self.mutation_rate, 0.0..=10.0);
        self.check_tables(allowed);
    }
}
