//! A cluster's settings in the form in which a step reads them.

use crate::doses::Doses;
use crate::k8s::config::{K8sConfig, Rules};
use crate::math::{LANES, Lanes};

/// The settings in the form in which a step reads them.
#[derive(Clone, Debug)]
pub(super) struct Params {
    /// As they were given.
    pub(super) config: K8sConfig,
    /// What each episode's drift is drawn from.
    pub(super) doses: Doses,
    /// Those that every step needs, in f32.
    pub(super) numbers: Numbers,
    /// What the agent sees from each node, by number.
    pub(super) places: Vec<Place>,
    /// Upper bound of the nodes of the last block: 1 in the grid, 0 beyond it.
    pub(super) limit: Lanes,
    /// 1 / `max_budget`.
    pub(super) per_max_budget: f64,
}

/// A node as the agent's place.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The eight neighbours and the node itself, in the order of the observation.
    pub(super) neighbours: [u16; 9],
    /// Row and column as observed.
    pub(super) row: f32,
    pub(super) col: f32,
}

/// The numbers of [`K8sConfig`] that every step needs, in f32.
#[derive(Clone, Debug)]
pub(super) struct Numbers {
    pub(super) time_penalty: f32,
    pub(super) clean_cpu: f32,
    pub(super) clean_worth: f32,
    /// 1 / `clean_full`.
    pub(super) per_clean_full: f32,
    pub(super) clean_small_reward: f32,
    pub(super) clean_unaffordable_reward: f32,
    pub(super) cpu_noise_sigma: f32,
    pub(super) mem_drift_mu: f32,
    pub(super) mem_noise_sigma: f32,
    pub(super) oom_memory: f32,
    pub(super) critical_priority: f32,
    pub(super) oom_penalty: f32,
    pub(super) critical_oom_penalty: f32,
    pub(super) load_shaping_weight: f32,
    pub(super) avg_load_terminate_threshold: f32,
    /// 1 / (2 nodes), by which the loads' sum becomes their mean.
    pub(super) per_value: f32,
}

impl Numbers {
    fn new(config: &K8sConfig) -> Numbers {
        Numbers {
            time_penalty: config.time_penalty as f32,
            clean_cpu: config.clean_cpu as f32,
            clean_worth: config.clean_worth as f32,
            per_clean_full: (1.0 / config.clean_full) as f32,
            clean_small_reward: config.clean_small_reward as f32,
            clean_unaffordable_reward: config.clean_unaffordable_reward as f32,
            cpu_noise_sigma: config.cpu_noise_sigma as f32,
            mem_drift_mu: config.mem_drift_mu as f32,
            mem_noise_sigma: config.mem_noise_sigma as f32,
            oom_memory: config.oom_memory as f32,
            critical_priority: config.critical_priority as f32,
            oom_penalty: config.oom_penalty as f32,
            critical_oom_penalty: config.critical_oom_penalty as f32,
            load_shaping_weight: config.load_shaping_weight as f32,
            avg_load_terminate_threshold: config.avg_load_terminate_threshold as f32,
            per_value: 1.0 / (2 * config.nodes()) as f32,
        }
    }
}

impl Params {
    /// Prepares checked settings.
    pub(super) fn new(config: K8sConfig) -> Params {
        let (height, width) = (config.height, config.width);
        let observed = |at: usize, size: usize| {
            let divisor = match config.observation_rules {
                Rules::V45 => size,
                Rules::V46 => size - 1,
            };
            (at as f64 / divisor as f64).min(1.0) as f32
        };
        let place = |row: usize, col: usize| Place {
            neighbours: std::array::from_fn(|k| {
                let row = (row + height + k / 3 - 1) % height;
                let col = (col + width + k % 3 - 1) % width;
                (row * width + col) as u16
            }),
            row: observed(row, height),
            col: observed(col, width),
        };
        let places = (0..height * width).map(|node| place(node / width, node % width)).collect();
        let in_last = height * width - (height * width - 1) / LANES * LANES;
        let limit = std::array::from_fn(|lane| if lane < in_last { 1.0 } else { 0.0 });
        let per_max_budget = 1.0 / config.max_budget;
        Params {
            numbers: Numbers::new(&config),
            config,
            doses: Doses::default(),
            places,
            limit,
            per_max_budget,
        }
    }

    /// Blocks of nodes.
    pub(super) fn blocks(&self) -> usize {
        self.config.nodes().div_ceil(LANES)
    }

    /// Upper bound of each node of block `index`.
    #[inline(always)]
    pub(super) fn limit(&self, index: usize, blocks: usize) -> Lanes {
        if index + 1 == blocks { self.limit } else { [1.0; LANES] }
    }
}
