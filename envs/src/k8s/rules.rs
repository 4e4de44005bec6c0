//! The cluster's rules (RULES section 1): reset, step and observation as functions of
//! (state, action, noise), for N clusters side by side. A cluster alone is one of one.

use crate::k8s::config::{K8sConfig, Rules};
use crate::k8s::drift::Schedule;
use crate::math::{self, LANES, Lanes};
use crate::stream::{Key, Keys, purpose_index, scale};

/// Numbers in an observation: 3x3 cells of (cpu, memory, priority), row, column, budget.
pub const OBSERVATION: usize = 30;
/// Number of actions.
pub const ACTIONS: usize = 6;
/// The number of the action that cleans; the one behind it scales, those before it walk.
const CLEAN: u32 = 4;
/// The priorities that a node can have.
pub const PRIORITIES: [f32; 3] = [0.2, 0.5, 1.0];

/// A number of each of sixteen nodes of N clusters: node by node, and in a node cluster by cluster.
pub(super) type Nodes<const N: usize> = [[f32; N]; LANES];

/// Sixteen nodes of N clusters: node i of the grid (row-major) is node i % 16 of block i / 16.
/// Nodes beyond the grid stay 0.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub(super) struct Block<const N: usize> {
    /// Used share of the cpu, in `[0, 1]`.
    pub cpu: Nodes<N>,
    /// Used share of the memory, in `[0, 1]`.
    pub memory: Nodes<N>,
    /// One of [`PRIORITIES`].
    pub priority: Nodes<N>,
}

impl<const N: usize> Block<N> {
    /// Before the first reset.
    pub(super) const ZERO: Block<N> =
        Block { cpu: [[0.0; N]; LANES], memory: [[0.0; N]; LANES], priority: [[0.0; N]; LANES] };
}

/// The state of N clusters beside their nodes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scalars<const N: usize> {
    /// In `[0, max_budget]`.
    pub budget: [f64; N],
    /// Mean over all cpu and memory values.
    pub avg_load: [f32; N],
    /// Steps since the reset.
    pub steps: [u32; N],
    /// The agent's row.
    pub row: [u16; N],
    /// The agent's column.
    pub col: [u16; N],
    /// Nodes out of memory after the last step.
    pub oom_nodes: [u16; N],
    /// Those of them with critical priority.
    pub critical_oom: [u16; N],
}

impl<const N: usize> Scalars<N> {
    /// Before the first reset.
    pub(super) const ZERO: Scalars<N> = Scalars {
        budget: [0.0; N],
        avg_load: [0.0; N],
        steps: [0; N],
        row: [0; N],
        col: [0; N],
        oom_nodes: [0; N],
        critical_oom: [0; N],
    };

    /// Those of cluster `lane`, alone.
    pub(super) fn get(&self, lane: usize) -> Scalars<1> {
        Scalars {
            budget: [self.budget[lane]],
            avg_load: [self.avg_load[lane]],
            steps: [self.steps[lane]],
            row: [self.row[lane]],
            col: [self.col[lane]],
            oom_nodes: [self.oom_nodes[lane]],
            critical_oom: [self.critical_oom[lane]],
        }
    }

    /// Makes those of a cluster alone those of cluster `lane`.
    pub(super) fn set(&mut self, lane: usize, alone: &Scalars<1>) {
        let Scalars { budget, avg_load, steps, row, col, oom_nodes, critical_oom } = alone;
        self.budget[lane] = budget[0];
        self.avg_load[lane] = avg_load[0];
        self.steps[lane] = steps[0];
        self.row[lane] = row[0];
        self.col[lane] = col[0];
        self.oom_nodes[lane] = oom_nodes[0];
        self.critical_oom[lane] = critical_oom[0];
    }
}

/// What a step of N clusters yields beside the observations.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps<const N: usize> {
    pub reward: [f32; N],
    pub terminated: [bool; N],
    pub truncated: [bool; N],
}

/// The settings in the form in which a step reads them.
#[derive(Clone, Debug)]
pub(super) struct Params {
    /// As they were given.
    pub config: K8sConfig,
    /// Those that every step needs, in f32.
    numbers: Numbers,
    /// What the agent sees from each node, by number.
    places: Vec<Place>,
    /// Upper bound of the nodes of the last block: 1 in the grid, 0 beyond it.
    limit: Lanes,
    /// 1 / `max_budget`.
    per_max_budget: f64,
}

/// A node as the agent's place.
#[derive(Clone, Debug)]
struct Place {
    /// The eight neighbours and the node itself, in the order of the observation.
    neighbours: [u16; 9],
    /// Row and column as observed.
    row: f32,
    col: f32,
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
        Params { numbers: Numbers::new(&config), config, places, limit, per_max_budget }
    }

    /// Blocks of nodes.
    pub(super) fn blocks(&self) -> usize {
        self.config.nodes().div_ceil(LANES)
    }

    /// Upper bound of each node of block `index`.
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
pub(super) fn reset(params: &Params, key: Key, scalars: &mut Scalars<1>, nodes: &mut [Block<1>]) {
    let config = &params.config;
    let (cpu_max, memory_max) = (config.initial_cpu_max as f32, config.initial_memory_max as f32);
    let blocks = nodes.len();
    for (index, block) in nodes.iter_mut().enumerate() {
        let limit = params.limit(index, blocks);
        let (cpu, memory) = key.uniforms(0, Purpose::Load.index(index * LANES));
        let (level, _) = key.lanes(0, Purpose::Priority.index(index * LANES));
        for i in 0..LANES {
            block.cpu[i] = [cpu[i] * cpu_max * limit[i]];
            block.memory[i] = [memory[i] * memory_max * limit[i]];
            block.priority[i] = [PRIORITIES[scale(level[i], 3) as usize] * limit[i]];
        }
    }
    let (row, col) = key.words(0, Purpose::Agent.index(0));
    *scalars = Scalars {
        budget: [config.max_budget],
        avg_load: average_load(params, nodes),
        row: [scale(row, config.height as u32) as u16],
        col: [scale(col, config.width as u32) as u16],
        ..Scalars::ZERO
    };
}

/// Where a step takes its noise from.
///
/// A trait and not a closure: a closure's body cannot be `#[inline(always)]`, and what is not
/// inlined is not compiled for the CPU path.
pub(super) trait Noise<const N: usize> {
    /// The noise of nodes `node` and `node` + 8 of a block, where `node` is below 8 and `first` the number of
    /// the block's first node: of each the whole normal variates for cpu and memory, drift included.
    fn two_nodes(&self, first: usize, node: usize) -> [[[f32; N]; 2]; 2];
}

/// The noise of one step of each cluster's episode, drawn from their streams.
pub(super) struct Drawn<'a, const N: usize> {
    numbers: &'a Numbers,
    keys: &'a Keys<N>,
    steps: [u32; N],
    /// Mean of the memory noise.
    mean: [f32; N],
}

impl<'a, const N: usize> Drawn<'a, N> {
    #[inline(always)]
    pub(super) fn new(params: &'a Params, keys: &'a Keys<N>, steps: [u32; N]) -> Drawn<'a, N> {
        let Params { config, numbers, .. } = params;
        let mut mean = [numbers.mem_drift_mu; N];
        if config.drift.schedule != Schedule::Constant {
            for (lane, mean) in mean.iter_mut().enumerate() {
                *mean = config.drift.mean(*mean, keys.get(lane), steps[lane], Purpose::Drift.index(0));
            }
        }
        Drawn { numbers, keys, steps, mean }
    }
}

impl<const N: usize> Noise<N> for Drawn<'_, N> {
    #[inline(always)]
    fn two_nodes(&self, first: usize, node: usize) -> [[[f32; N]; 2]; 2] {
        let words = self.keys.words(&self.steps, Purpose::Noise.index(first + node));
        let mut noise = [[[0.0; N]; 2]; 2];
        for (words, [cpu, memory]) in words.iter().zip(&mut noise) {
            for i in 0..N {
                let normals = math::normal_pair(words[i]);
                cpu[i] = normals.0 * self.numbers.cpu_noise_sigma;
                memory[i] = normals.1 * self.numbers.mem_noise_sigma + self.mean[i];
            }
        }
        noise
    }
}

/// A recorded noise, each `[nodes]`.
pub(super) struct Recorded<'a> {
    pub(super) cpu: &'a [f32],
    pub(super) memory: &'a [f32],
}

impl Noise<1> for Recorded<'_> {
    #[inline(always)]
    fn two_nodes(&self, first: usize, node: usize) -> [[[f32; 1]; 2]; 2] {
        let at = |values: &[f32], node: usize| [values.get(node).copied().unwrap_or_default()];
        [first + node, first + node + LANES / 2].map(|node| [at(self.cpu, node), at(self.memory, node)])
    }
}

/// One step.
#[inline(always)]
pub(super) fn step<const N: usize>(
    params: &Params,
    scalars: &mut Scalars<N>,
    nodes: &mut [Block<N>],
    actions: &[u32; N],
    noise: &impl Noise<N>,
) -> Steps<N> {
    let Params { config, numbers, .. } = params;
    // Walking and cleaning have no branch: which of them it is no predictor foresees.
    walk(config, scalars, actions);
    let mut reward = clean(params, scalars, nodes, actions);
    for lane in 0..N {
        reward[lane] += numbers.time_penalty;
    }
    let mut scale = 0;
    for lane in 0..N {
        scale |= u32::from(actions[lane] > CLEAN) << lane;
    }
    for lane in ones(scale) {
        reward[lane] += scale_hotspots(config, scalars, nodes, lane);
    }
    if drift(params, nodes, noise) {
        out_of_memory(params, nodes, scalars);
    } else {
        (scalars.oom_nodes, scalars.critical_oom) = ([0; N], [0; N]);
    }
    let load = average_load(params, nodes);
    let threshold = if config.terminate_on_any_oom { 1 } else { config.oom_terminate_threshold };
    let critical_ends = config.critical_oom_terminate & !config.terminate_on_any_oom;
    let (mut terminated, mut truncated) = ([false; N], [false; N]);
    for i in 0..N {
        let (oom, critical) = (scalars.oom_nodes[i], scalars.critical_oom[i]);
        reward[i] -=
            f32::from(oom) * numbers.oom_penalty + f32::from(critical) * numbers.critical_oom_penalty;
        reward[i] += numbers.load_shaping_weight * (scalars.avg_load[i] - load[i]);
        let lost = (u32::from(oom) >= threshold as u32) | (critical_ends & (critical > 0));
        terminated[i] = lost | (load[i] > numbers.avg_load_terminate_threshold);
        scalars.steps[i] += 1;
        truncated[i] = scalars.steps[i] >= config.max_steps;
    }
    for i in 0..N {
        let recovered = scalars.budget[i] + config.budget_recovery;
        scalars.budget[i] = if recovered < config.max_budget { recovered } else { config.max_budget };
    }
    scalars.avg_load = load;
    Steps { reward, terminated, truncated }
}

/// Actions 0 to 3: up, down, left, right, around the torus; the others stay.
#[inline(always)]
fn walk<const N: usize>(config: &K8sConfig, scalars: &mut Scalars<N>, actions: &[u32; N]) {
    let is = |action: u32, which: u32| i32::from(action == which);
    for i in 0..N {
        let (down, right) = (is(actions[i], 1) - is(actions[i], 0), is(actions[i], 3) - is(actions[i], 2));
        scalars.row[i] = around(i32::from(scalars.row[i]) + down, config.height as i32);
        scalars.col[i] = around(i32::from(scalars.col[i]) + right, config.width as i32);
    }
}

/// `at`, from -1 to `size`, on a ring of `size`.
#[inline(always)]
fn around(at: i32, size: i32) -> u16 {
    let at = at + (size & at >> 31);
    (if at == size { 0 } else { at }) as u16
}

/// `yes` or `no`, by their bits: a plain choice would be compiled to a branch for a cluster alone.
#[inline(always)]
fn choose(condition: bool, yes: f32, no: f32) -> f32 {
    let mask = u32::from(condition).wrapping_neg();
    f32::from_bits(yes.to_bits() & mask | no.to_bits() & !mask)
}

/// Action 4, where it is asked; yields its rewards.
#[inline(always)]
fn clean<const N: usize>(
    params: &Params,
    scalars: &mut Scalars<N>,
    nodes: &mut [Block<N>],
    actions: &[u32; N],
) -> [f32; N] {
    let Params { config, numbers, .. } = params;
    let mut here = [0; N];
    let (mut cpu, mut memory, mut priority) = ([0.0; N], [0.0; N], [0.0; N]);
    for i in 0..N {
        here[i] = usize::from(scalars.row[i]) * config.width + usize::from(scalars.col[i]);
        let (block, node) = at(nodes, here[i]);
        (cpu[i], memory[i], priority[i]) =
            (block.cpu[node][i], block.memory[node][i], block.priority[node][i]);
    }
    let mut reward = [0.0; N];
    for i in 0..N {
        let asked = actions[i] == CLEAN;
        let affordable = scalars.budget[i] >= config.clean_cost;
        let cleans = asked & affordable;
        let cost = config.clean_cost.to_bits() & u64::from(cleans).wrapping_neg();
        scalars.budget[i] -= f64::from_bits(cost);
        let left = (cpu[i] - numbers.clean_cpu).max(0.0);
        let cleaned = (cpu[i] - left) + memory[i];
        let worth = (cleaned * numbers.per_clean_full).min(1.0) * (1.0 + priority[i]);
        let earned = choose(cleaned < numbers.clean_worth, numbers.clean_small_reward, worth);
        reward[i] = choose(asked, choose(affordable, earned, numbers.clean_unaffordable_reward), 0.0);
        cpu[i] = choose(cleans, left, cpu[i]);
        memory[i] = choose(cleans, 0.0, memory[i]);
    }
    for i in 0..N {
        let (block, node) = at_mut(nodes, here[i]);
        (block.cpu[node][i], block.memory[node][i]) = (cpu[i], memory[i]);
    }
    reward
}

/// The block of `node`, and its number there.
#[inline(always)]
fn at<const N: usize>(nodes: &[Block<N>], node: usize) -> (&Block<N>, usize) {
    // A single block needs no look at its number.
    let block = if let [only] = nodes { only } else { &nodes[node / LANES] };
    (block, node % LANES)
}

/// As [`at`].
#[inline(always)]
fn at_mut<const N: usize>(nodes: &mut [Block<N>], node: usize) -> (&mut Block<N>, usize) {
    let block = if nodes.len() == 1 { &mut nodes[0] } else { &mut nodes[node / LANES] };
    (block, node % LANES)
}

/// Action 5 of cluster `lane`; yields its reward.
#[inline(never)]
fn scale_hotspots<const N: usize>(
    config: &K8sConfig,
    scalars: &mut Scalars<N>,
    nodes: &mut [Block<N>],
    lane: usize,
) -> f32 {
    // Mostly there is one block, whose hotspots are looked for once.
    let first = hot(config, &nodes[0], lane);
    let hot = |index: usize, block: &Block<N>| if index == 0 { first } else { hot(config, block, lane) };
    let mut count = 0;
    for (index, block) in nodes.iter().enumerate() {
        count += hot(index, block).count_ones() as usize;
    }
    if count == 0 {
        return config.scale_none_reward as f32;
    }
    let budget = &mut scalars.budget[lane];
    let affordable = ((*budget / config.scale_cost).floor() as usize).min(count);
    if affordable == 0 {
        return config.scale_unaffordable_reward as f32;
    }
    // Rounding can make the product exceed a budget that the division found sufficient.
    *budget = (*budget - affordable as f64 * config.scale_cost).max(0.0);
    // The last of the `affordable` worst, by load and then by number; all from it on are scaled.
    let mut last = (f32::INFINITY, 0);
    if affordable < count {
        for _ in 0..affordable {
            last = next_worst(nodes, hot, lane, last);
        }
    } else {
        last = (f32::NEG_INFINITY, 0);
    }
    let relief = config.scale_relief as f32;
    for (index, block) in nodes.iter_mut().enumerate() {
        for node in ones(hot(index, block)) {
            let (cpu, memory) = (&mut block.cpu[node][lane], &mut block.memory[node][lane]);
            let rank = (*cpu + *memory, index * LANES + node);
            if rank.0 > last.0 || (rank.0 == last.0 && rank.1 <= last.1) {
                *cpu = (*cpu - relief).max(0.0);
                *memory = (*memory - relief).max(0.0);
            }
        }
    }
    config.scale_reward as f32 * affordable as f32 / count as f32
}

/// The hotspot that follows `last` in the order of falling load, the lower number first.
fn next_worst<const N: usize>(
    nodes: &[Block<N>],
    hot: impl Fn(usize, &Block<N>) -> u32,
    lane: usize,
    last: (f32, usize),
) -> (f32, usize) {
    let mut worst = (f32::NEG_INFINITY, 0);
    for (index, block) in nodes.iter().enumerate() {
        for node in ones(hot(index, block)) {
            let rank = (block.cpu[node][lane] + block.memory[node][lane], index * LANES + node);
            let after = rank.0 < last.0 || (rank.0 == last.0 && rank.1 > last.1);
            if after && rank.0 > worst.0 {
                worst = rank;
            }
        }
    }
    worst
}

/// The hotspots of cluster `lane` in a block, a bit a node.
fn hot<const N: usize>(config: &K8sConfig, block: &Block<N>, lane: usize) -> u32 {
    let threshold = config.hotspot_threshold as f32;
    let mut bits = 0;
    for node in 0..LANES {
        let hot = block.cpu[node][lane].max(block.memory[node][lane]) > threshold;
        bits |= u32::from(hot) << node;
    }
    bits
}

/// The numbers of the bits that are 1, from the lowest on.
#[inline(always)]
fn ones(mut bits: u32) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = (bits != 0).then(|| bits.trailing_zeros() as usize);
        bits &= bits.wrapping_sub(1);
        lowest
    })
}

/// The Red Queen: adds the noise; yields whether any node is out of memory.
#[inline(always)]
pub(super) fn drift<const N: usize>(params: &Params, nodes: &mut [Block<N>], noise: &impl Noise<N>) -> bool {
    let blocks = nodes.len();
    let mut most = [0.0_f32; N];
    for (index, block) in nodes.iter_mut().enumerate() {
        let limit = params.limit(index, blocks);
        for node in 0..LANES / 2 {
            let noise = noise.two_nodes(index * LANES, node);
            for (node, [cpu, memory]) in [node, node + LANES / 2].into_iter().zip(noise) {
                for i in 0..N {
                    block.cpu[node][i] = (block.cpu[node][i] + cpu[i]).max(0.0).min(limit[node]);
                    block.memory[node][i] = (block.memory[node][i] + memory[i]).max(0.0).min(limit[node]);
                    most[i] = most[i].max(block.memory[node][i]);
                }
            }
        }
    }
    most.iter().fold(false, |any, &most| any | (most >= params.numbers.oom_memory))
}

/// Counts the nodes out of memory and the critical ones of them. Seldom asked, as it mostly ends the
/// episode.
#[inline(never)]
fn out_of_memory<const N: usize>(params: &Params, nodes: &[Block<N>], scalars: &mut Scalars<N>) {
    let Numbers { oom_memory, critical_priority, .. } = params.numbers;
    (scalars.oom_nodes, scalars.critical_oom) = ([0; N], [0; N]);
    for (index, block) in nodes.iter().enumerate() {
        let limit = params.limit(index, nodes.len());
        for node in 0..LANES {
            for i in 0..N {
                // Nodes beyond the grid have the limit 0: not even oom_memory = 0 counts them.
                let out = (block.memory[node][i] >= oom_memory) & (limit[node] > 0.0);
                scalars.oom_nodes[i] += u16::from(out);
                scalars.critical_oom[i] += u16::from(out & (block.priority[node][i] > critical_priority));
            }
        }
    }
}

/// Mean over all cpu and memory values.
#[inline(always)]
pub(super) fn average_load<const N: usize>(params: &Params, nodes: &[Block<N>]) -> [f32; N] {
    let mut load = [[0.0; N]; LANES];
    for block in nodes {
        for node in 0..LANES {
            for i in 0..N {
                load[node][i] += block.cpu[node][i] + block.memory[node][i];
            }
        }
    }
    let mut mean = math::sum(math::in_memory(load));
    for i in 0..N {
        mean[i] *= params.numbers.per_value;
    }
    mean
}

/// Writes the observation of cluster `lane`, `[30]`.
#[inline(always)]
pub(super) fn observe<const N: usize>(
    params: &Params,
    scalars: &Scalars<N>,
    nodes: &[Block<N>],
    lane: usize,
    out: &mut [f32; OBSERVATION],
) {
    let (row, col) = (usize::from(scalars.row[lane]), usize::from(scalars.col[lane]));
    let place = &params.places[row * params.config.width + col];
    for (k, &node) in place.neighbours.iter().enumerate() {
        let (block, node) = at(nodes, usize::from(node));
        out[3 * k] = block.cpu[node][lane];
        out[3 * k + 1] = block.memory[node][lane];
        out[3 * k + 2] = block.priority[node][lane];
    }
    (out[27], out[28]) = (place.row, place.col);
    out[29] = (scalars.budget[lane] * params.per_max_budget) as f32;
}
