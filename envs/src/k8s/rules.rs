//! The cluster's rules (RULES section 1): reset, step and observation as functions of
//! (state, action, noise). Both the single environment and the vector run this code.

use crate::env::Step;
use crate::k8s::config::{K8sConfig, Rules};
use crate::math::{self, LANES, Lanes};
use crate::stream::{Key, purpose_index, scale};

/// Numbers in an observation: 3x3 cells of (cpu, memory, priority), row, column, budget.
pub const OBSERVATION: usize = 30;
/// Number of actions.
pub const ACTIONS: usize = 6;
/// The priorities that a node can have.
pub const PRIORITIES: [f32; 3] = [0.2, 0.5, 1.0];

/// Sixteen nodes, side by side: node i of the grid (row-major) is lane i % 16 of block i / 16.
/// Lanes beyond the grid stay 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(align(64))]
pub(super) struct Block {
    /// Used share of the cpu, in `[0, 1]`.
    pub cpu: Lanes,
    /// Used share of the memory, in `[0, 1]`.
    pub memory: Lanes,
    /// One of [`PRIORITIES`].
    pub priority: Lanes,
}

/// The state beside the nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Scalars {
    /// In `[0, max_budget]`.
    pub budget: f64,
    /// Mean over all cpu and memory values.
    pub avg_load: f32,
    /// Steps since the reset.
    pub steps: u32,
    /// The agent's row.
    pub row: u16,
    /// The agent's column.
    pub col: u16,
    /// Nodes out of memory after the last step.
    pub oom_nodes: u16,
    /// Those of them with critical priority.
    pub critical_oom: u16,
}

/// The settings in the form in which a step reads them.
#[derive(Clone, Debug)]
pub(super) struct Params {
    /// As they were given.
    pub config: K8sConfig,
    /// The eight neighbours and the node itself, in the order of the observation.
    neighbours: Vec<[u16; 9]>,
    /// Upper bound of the lanes of the last block: 1 for nodes, 0 beyond the grid.
    limit: Lanes,
    /// Row and column as observed.
    position: [Vec<f32>; 2],
}

impl Params {
    /// Prepares checked settings.
    pub(super) fn new(config: K8sConfig) -> Params {
        let (height, width) = (config.height, config.width);
        let around = |row: usize, col: usize| {
            std::array::from_fn(|k| {
                let row = (row + height + k / 3 - 1) % height;
                let col = (col + width + k % 3 - 1) % width;
                (row * width + col) as u16
            })
        };
        let neighbours = (0..height * width).map(|node| around(node / width, node % width)).collect();
        let in_last = height * width - (height * width - 1) / LANES * LANES;
        let limit = std::array::from_fn(|lane| if lane < in_last { 1.0 } else { 0.0 });
        let observed = |size: usize| {
            let divisor = match config.observation_rules {
                Rules::V45 => size,
                Rules::V46 => size - 1,
            };
            (0..size).map(|at| (at as f64 / divisor as f64).min(1.0) as f32).collect()
        };
        let position = [observed(height), observed(width)];
        Params { config, neighbours, limit, position }
    }

    /// Blocks of nodes.
    pub(super) fn blocks(&self) -> usize {
        self.config.nodes().div_ceil(LANES)
    }

    /// Upper bound of each lane of block `index`.
    #[inline(always)]
    fn limit(&self, index: usize, blocks: usize) -> Lanes {
        if index + 1 == blocks { self.limit } else { [1.0; LANES] }
    }
}

/// What a draw is for; its draws are counted by node.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    Noise = 0,
    Load = 1,
    Priority = 2,
    Agent = 3,
    Drift = 4,
    Shield = 5,
    Perturbation = 6,
}

impl Purpose {
    #[inline(always)]
    pub(super) fn index(self, first: usize) -> u32 {
        purpose_index(self as u32, first)
    }
}

/// A fresh cluster, drawn from `key`.
#[inline(always)]
pub(super) fn reset(params: &Params, key: Key, scalars: &mut Scalars, nodes: &mut [Block]) {
    let config = &params.config;
    let (cpu_max, memory_max) = (config.initial_cpu_max as f32, config.initial_memory_max as f32);
    let blocks = nodes.len();
    for (index, block) in nodes.iter_mut().enumerate() {
        let limit = params.limit(index, blocks);
        let (cpu, memory) = key.uniforms(0, Purpose::Load.index(index * LANES));
        let (level, _) = key.lanes(0, Purpose::Priority.index(index * LANES));
        for i in 0..LANES {
            block.cpu[i] = cpu[i] * cpu_max * limit[i];
            block.memory[i] = memory[i] * memory_max * limit[i];
            block.priority[i] = PRIORITIES[scale(level[i], 3) as usize] * limit[i];
        }
    }
    let (row, col) = key.words(0, Purpose::Agent.index(0));
    *scalars = Scalars {
        budget: config.max_budget,
        avg_load: average_load(params, nodes),
        row: scale(row, config.height as u32) as u16,
        col: scale(col, config.width as u32) as u16,
        ..Scalars::default()
    };
}

/// Where a step takes its noise from.
///
/// A trait and not a closure: a closure's body cannot be `#[inline(always)]`, and what is not
/// inlined is not compiled for the CPU path.
pub(super) trait Noise {
    /// The noise of block `index`: the whole normal variates for cpu and memory, drift included.
    fn block(&self, index: usize) -> (Lanes, Lanes);
}

/// The noise of one step of an episode, drawn from its stream.
pub(super) struct Drawn<'a> {
    pub(super) params: &'a Params,
    pub(super) key: Key,
    pub(super) step: u32,
}

impl Noise for Drawn<'_> {
    #[inline(always)]
    fn block(&self, index: usize) -> (Lanes, Lanes) {
        let config = &self.params.config;
        let (mut cpu, mut memory) = self.key.normals(self.step, Purpose::Noise.index(index * LANES));
        let mean =
            config.drift.mean(config.mem_drift_mu as f32, self.key, self.step, Purpose::Drift.index(0));
        let (cpu_sigma, memory_sigma) = (config.cpu_noise_sigma as f32, config.mem_noise_sigma as f32);
        for i in 0..LANES {
            cpu[i] *= cpu_sigma;
            memory[i] = memory[i] * memory_sigma + mean;
        }
        (cpu, memory)
    }
}

/// A recorded noise, each `[nodes]`.
pub(super) struct Recorded<'a> {
    pub(super) cpu: &'a [f32],
    pub(super) memory: &'a [f32],
}

impl Noise for Recorded<'_> {
    fn block(&self, index: usize) -> (Lanes, Lanes) {
        let lanes = |values: &[f32]| {
            let values = &values[index * LANES..];
            std::array::from_fn(|lane| values.get(lane).copied().unwrap_or_default())
        };
        (lanes(self.cpu), lanes(self.memory))
    }
}

/// One step.
#[inline(always)]
pub(super) fn step(
    params: &Params,
    scalars: &mut Scalars,
    nodes: &mut [Block],
    action: usize,
    noise: &impl Noise,
) -> Step {
    let config = &params.config;
    let mut reward = config.time_penalty as f32;
    match action {
        0..=3 => walk(config, scalars, action),
        4 => reward += clean(config, scalars, nodes),
        _ => reward += scale_hotspots(config, scalars, nodes),
    }
    let (oom, critical) = drift(params, nodes, noise);
    reward -= oom as f32 * config.oom_penalty as f32 + critical as f32 * config.critical_oom_penalty as f32;
    let load = average_load(params, nodes);
    reward += config.load_shaping_weight as f32 * (scalars.avg_load - load);
    scalars.avg_load = load;
    scalars.oom_nodes = oom as u16;
    scalars.critical_oom = critical as u16;
    scalars.budget = (scalars.budget + config.budget_recovery).min(config.max_budget);
    scalars.steps += 1;
    let lost = if config.terminate_on_any_oom {
        oom > 0
    } else {
        oom >= config.oom_terminate_threshold as u32 || (config.critical_oom_terminate && critical > 0)
    };
    Step {
        reward,
        terminated: load > config.avg_load_terminate_threshold as f32 || lost,
        truncated: scalars.steps >= config.max_steps,
    }
}

/// Actions 0 to 3: up, down, left, right, around the torus.
#[inline(always)]
fn walk(config: &K8sConfig, scalars: &mut Scalars, action: usize) {
    let (height, width) = (config.height as u16, config.width as u16);
    let (row, col) = (scalars.row, scalars.col);
    match action {
        0 => scalars.row = if row == 0 { height - 1 } else { row - 1 },
        1 => scalars.row = if row + 1 == height { 0 } else { row + 1 },
        2 => scalars.col = if col == 0 { width - 1 } else { col - 1 },
        _ => scalars.col = if col + 1 == width { 0 } else { col + 1 },
    }
}

/// Action 4; yields its reward.
#[inline(always)]
fn clean(config: &K8sConfig, scalars: &mut Scalars, nodes: &mut [Block]) -> f32 {
    if scalars.budget < config.clean_cost {
        return config.clean_unaffordable_reward as f32;
    }
    scalars.budget -= config.clean_cost;
    let node = usize::from(scalars.row) * config.width + usize::from(scalars.col);
    let (block, lane) = (&mut nodes[node / LANES], node % LANES);
    let cpu = (block.cpu[lane] - config.clean_cpu as f32).max(0.0);
    let cleaned = (block.cpu[lane] - cpu) + block.memory[lane];
    block.cpu[lane] = cpu;
    block.memory[lane] = 0.0;
    if cleaned < config.clean_worth as f32 {
        config.clean_small_reward as f32
    } else {
        (cleaned / config.clean_full as f32).min(1.0) * (1.0 + block.priority[lane])
    }
}

/// Action 5; yields its reward.
fn scale_hotspots(config: &K8sConfig, scalars: &mut Scalars, nodes: &mut [Block]) -> f32 {
    let threshold = config.hotspot_threshold as f32;
    let hot = |block: &Block, i: usize| block.cpu[i] > threshold || block.memory[i] > threshold;
    let count = nodes.iter().map(|block| (0..LANES).filter(|&i| hot(block, i)).count()).sum::<usize>();
    if count == 0 {
        return config.scale_none_reward as f32;
    }
    let affordable = ((scalars.budget / config.scale_cost).floor() as usize).min(count);
    if affordable == 0 {
        return config.scale_unaffordable_reward as f32;
    }
    // Rounding can make the product exceed a budget that the division found sufficient.
    scalars.budget = (scalars.budget - affordable as f64 * config.scale_cost).max(0.0);
    // The last of the `affordable` worst, by load and then by number; all from it on are scaled.
    let mut last = (f32::INFINITY, 0);
    if affordable < count {
        for _ in 0..affordable {
            last = next_worst(nodes, hot, last);
        }
    } else {
        last = (f32::NEG_INFINITY, 0);
    }
    let relief = config.scale_relief as f32;
    for (index, block) in nodes.iter_mut().enumerate() {
        for i in 0..LANES {
            let rank = (block.cpu[i] + block.memory[i], index * LANES + i);
            if hot(block, i) && (rank.0 > last.0 || (rank.0 == last.0 && rank.1 <= last.1)) {
                block.cpu[i] = (block.cpu[i] - relief).max(0.0);
                block.memory[i] = (block.memory[i] - relief).max(0.0);
            }
        }
    }
    config.scale_reward as f32 * affordable as f32 / count as f32
}

/// The hotspot that follows `last` in the order of falling load, the lower number first.
fn next_worst(nodes: &[Block], hot: impl Fn(&Block, usize) -> bool, last: (f32, usize)) -> (f32, usize) {
    let mut worst = (f32::NEG_INFINITY, 0);
    for (index, block) in nodes.iter().enumerate() {
        for i in (0..LANES).filter(|&i| hot(block, i)) {
            let rank = (block.cpu[i] + block.memory[i], index * LANES + i);
            let after = rank.0 < last.0 || (rank.0 == last.0 && rank.1 > last.1);
            if after && rank.0 > worst.0 {
                worst = rank;
            }
        }
    }
    worst
}

/// The Red Queen: adds the noise; yields the nodes out of memory and the critical ones of them.
#[inline(always)]
fn drift(params: &Params, nodes: &mut [Block], noise: &impl Noise) -> (u32, u32) {
    let oom_memory = params.config.oom_memory as f32;
    let critical_priority = params.config.critical_priority as f32;
    let blocks = nodes.len();
    let (mut oom, mut critical) = ([0u32; LANES], [0u32; LANES]);
    for (index, block) in nodes.iter_mut().enumerate() {
        let limit = params.limit(index, blocks);
        let (cpu, memory) = noise.block(index);
        for i in 0..LANES {
            block.cpu[i] = (block.cpu[i] + cpu[i]).max(0.0).min(limit[i]);
            block.memory[i] = (block.memory[i] + memory[i]).max(0.0).min(limit[i]);
            // Lanes beyond the grid have the limit 0: not even oom_memory = 0 counts them.
            let out = (block.memory[i] >= oom_memory) & (limit[i] > 0.0);
            oom[i] += u32::from(out);
            critical[i] += u32::from(out & (block.priority[i] > critical_priority));
        }
    }
    (oom.iter().sum(), critical.iter().sum())
}

/// Mean over all cpu and memory values.
#[inline(always)]
pub(super) fn average_load(params: &Params, nodes: &[Block]) -> f32 {
    let mut load = [0.0; LANES];
    for block in nodes {
        for i in 0..LANES {
            load[i] += block.cpu[i] + block.memory[i];
        }
    }
    math::sum(load) / (2 * params.config.nodes()) as f32
}

/// Writes the observation, `[30]`.
#[inline(always)]
pub(super) fn observe(params: &Params, scalars: &Scalars, nodes: &[Block], out: &mut [f32]) {
    let node = usize::from(scalars.row) * params.config.width + usize::from(scalars.col);
    let out = &mut out[..OBSERVATION];
    for (k, &node) in params.neighbours[node].iter().enumerate() {
        let (block, lane) = (&nodes[usize::from(node) / LANES], usize::from(node) % LANES);
        out[3 * k] = block.cpu[lane];
        out[3 * k + 1] = block.memory[lane];
        out[3 * k + 2] = block.priority[lane];
    }
    out[27] = params.position[0][usize::from(scalars.row)];
    out[28] = params.position[1][usize::from(scalars.col)];
    out[29] = (scalars.budget / params.config.max_budget) as f32;
}
