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
/// The number of the action that cleans; the one behind it scales, those before it walk.
const CLEAN: usize = 4;
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
    /// Those that every step needs, in f32.
    numbers: Numbers,
    /// The eight neighbours and the node itself, in the order of the observation.
    neighbours: Vec<[u16; 9]>,
    /// Upper bound of the lanes of the last block: 1 for nodes, 0 beyond the grid.
    limit: Lanes,
    /// Row and column as observed.
    position: [Vec<f32>; 2],
    /// 1 / `max_budget`.
    per_max_budget: f64,
}

/// The numbers of [`K8sConfig`] that every step needs, in f32.
#[derive(Clone, Debug)]
struct Numbers {
    time_penalty: f32,
    clean_cpu: f32,
    clean_worth: f32,
    /// 1 / `clean_full`.
    per_clean_full: f32,
    clean_small_reward: f32,
    clean_unaffordable_reward: f32,
    cpu_noise_sigma: f32,
    mem_drift_mu: f32,
    mem_noise_sigma: f32,
    oom_memory: f32,
    critical_priority: f32,
    oom_penalty: f32,
    critical_oom_penalty: f32,
    load_shaping_weight: f32,
    avg_load_terminate_threshold: f32,
    /// 1 / (2 nodes), by which the loads' sum becomes their mean.
    per_value: f32,
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
        let per_max_budget = 1.0 / config.max_budget;
        Params { numbers: Numbers::new(&config), config, neighbours, limit, position, per_max_budget }
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
        let Params { config, numbers, .. } = self.params;
        let (mut cpu, mut memory) = self.key.normals(self.step, Purpose::Noise.index(index * LANES));
        let mean = config.drift.mean(numbers.mem_drift_mu, self.key, self.step, Purpose::Drift.index(0));
        for i in 0..LANES {
            cpu[i] *= numbers.cpu_noise_sigma;
            memory[i] = memory[i] * numbers.mem_noise_sigma + mean;
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
    let Params { config, numbers, .. } = params;
    let mut reward = numbers.time_penalty;
    // Walking and cleaning have no branch: which of them it is no predictor foresees.
    walk(config, scalars, action);
    reward += clean(params, scalars, nodes, action == CLEAN);
    if action > CLEAN {
        reward += scale_hotspots(config, scalars, nodes);
    }
    let (oom, critical) = drift(params, nodes, noise);
    reward -= oom as f32 * numbers.oom_penalty + critical as f32 * numbers.critical_oom_penalty;
    let load = average_load(params, nodes);
    reward += numbers.load_shaping_weight * (scalars.avg_load - load);
    scalars.avg_load = load;
    scalars.oom_nodes = oom as u16;
    scalars.critical_oom = critical as u16;
    let recovered = scalars.budget + config.budget_recovery;
    scalars.budget = if recovered < config.max_budget { recovered } else { config.max_budget };
    scalars.steps += 1;
    let lost = if config.terminate_on_any_oom {
        oom > 0
    } else {
        oom >= config.oom_terminate_threshold as u32 || (config.critical_oom_terminate && critical > 0)
    };
    Step {
        reward,
        terminated: load > numbers.avg_load_terminate_threshold || lost,
        truncated: scalars.steps >= config.max_steps,
    }
}

/// Actions 0 to 3: up, down, left, right, around the torus; the others stay.
#[inline(always)]
fn walk(config: &K8sConfig, scalars: &mut Scalars, action: usize) {
    const MOVES: [[i32; 2]; ACTIONS] = [[-1, 0], [1, 0], [0, -1], [0, 1], [0, 0], [0, 0]];
    let [down, right] = MOVES[action];
    scalars.row = around(i32::from(scalars.row) + down, config.height as i32);
    scalars.col = around(i32::from(scalars.col) + right, config.width as i32);
}

/// `at`, from -1 to `size`, on a ring of `size`.
#[inline(always)]
fn around(at: i32, size: i32) -> u16 {
    let at = at + (size & at >> 31);
    (if at == size { 0 } else { at }) as u16
}

/// In the second half row i has its 1 in lane i; the first half has none.
static ONE_HOT: [[Lanes; LANES]; 2] = {
    let mut rows = [[[0.0; LANES]; LANES]; 2];
    let mut lane = 0;
    while lane < LANES {
        rows[1][lane][lane] = 1.0;
        lane += 1;
    }
    rows
};

/// Action 4, where `asked`; yields its reward.
#[inline(always)]
fn clean(params: &Params, scalars: &mut Scalars, nodes: &mut [Block], asked: bool) -> f32 {
    let Params { config, numbers, .. } = params;
    let node = usize::from(scalars.row) * config.width + usize::from(scalars.col);
    let (block, lane) = (&mut nodes[node / LANES], node % LANES);
    let affordable = scalars.budget >= config.clean_cost;
    let cleans = asked & affordable;
    // The cost or, by its bits, 0: a choice between the two would be compiled to a branch.
    scalars.budget -= f64::from_bits(config.clean_cost.to_bits() & u64::from(cleans).wrapping_neg());
    let (cpu, memory, priority) = (block.cpu[lane], block.memory[lane], block.priority[lane]);
    let cleaned = (cpu - (cpu - numbers.clean_cpu).max(0.0)) + memory;
    // All lanes, as one that is written alone cannot be read with the others for a dozen cycles.
    let here = &ONE_HOT[usize::from(cleans)][lane];
    for i in 0..LANES {
        block.cpu[i] = (block.cpu[i] - numbers.clean_cpu * here[i]).max(0.0);
        block.memory[i] *= 1.0 - here[i];
    }
    let worth = (cleaned * numbers.per_clean_full).min(1.0) * (1.0 + priority);
    let reward = if cleaned < numbers.clean_worth { numbers.clean_small_reward } else { worth };
    let outcomes = [0.0, 0.0, numbers.clean_unaffordable_reward, reward];
    outcomes[2 * usize::from(asked) + usize::from(affordable)]
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
pub(super) fn drift(params: &Params, nodes: &mut [Block], noise: &impl Noise) -> (u32, u32) {
    let oom_memory = params.numbers.oom_memory;
    let blocks = nodes.len();
    let mut any = false;
    for (index, block) in nodes.iter_mut().enumerate() {
        let limit = params.limit(index, blocks);
        let (cpu, memory) = noise.block(index);
        for i in 0..LANES {
            block.cpu[i] = (block.cpu[i] + cpu[i]).max(0.0).min(limit[i]);
            block.memory[i] = (block.memory[i] + memory[i]).max(0.0).min(limit[i]);
            any |= block.memory[i] >= oom_memory;
        }
    }
    if any { out_of_memory(params, nodes) } else { (0, 0) }
}

/// The nodes out of memory and the critical ones of them. Seldom asked, as it mostly ends the episode.
#[inline(never)]
fn out_of_memory(params: &Params, nodes: &[Block]) -> (u32, u32) {
    let Numbers { oom_memory, critical_priority, .. } = params.numbers;
    let (mut oom, mut critical) = (0, 0);
    for (index, block) in nodes.iter().enumerate() {
        let limit = params.limit(index, nodes.len());
        for i in 0..LANES {
            // Lanes beyond the grid have the limit 0: not even oom_memory = 0 counts them.
            let out = (block.memory[i] >= oom_memory) & (limit[i] > 0.0);
            oom += u32::from(out);
            critical += u32::from(out & (block.priority[i] > critical_priority));
        }
    }
    (oom, critical)
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
    math::sum(math::in_memory(load)) * params.numbers.per_value
}

/// Writes the observation, `[30]`.
#[inline(always)]
pub(super) fn observe(params: &Params, scalars: &Scalars, nodes: &[Block], out: &mut [f32]) {
    let node = usize::from(scalars.row) * params.config.width + usize::from(scalars.col);
    let out = &mut out[..OBSERVATION];
    for (k, &node) in params.neighbours[node].iter().enumerate() {
        let node = usize::from(node);
        // A single block needs no look at its number.
        let block = if let [only] = nodes { only } else { &nodes[node / LANES] };
        let lane = node % LANES;
        out[3 * k] = block.cpu[lane];
        out[3 * k + 1] = block.memory[lane];
        out[3 * k + 2] = block.priority[lane];
    }
    out[27] = params.position[0][usize::from(scalars.row)];
    out[28] = params.position[1][usize::from(scalars.col)];
    out[29] = (scalars.budget * params.per_max_budget) as f32;
}
