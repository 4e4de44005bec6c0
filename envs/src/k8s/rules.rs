//! The cluster's rules (RULES section 1): reset, step and observation as functions of
//! (state, action, noise), for N clusters side by side. A cluster alone is one of one.

use crate::k8s::config::K8sConfig;
use crate::k8s::noise::{Noise, Purpose};
use crate::k8s::params::{Numbers, Params};
use crate::k8s::state::{Block, Scalars};
use crate::math::{self, LANES};
use crate::stream::{Key, scale};

/// Numbers in an observation: 3x3 cells of (cpu, memory, priority), row, column, budget.
pub const OBSERVATION: usize = 30;
/// Number of actions.
pub const ACTIONS: usize = 6;
/// The number of the action that cleans; the one behind it scales, those before it walk.
const CLEAN: u32 = 4;
/// The priorities that a node can have.
pub const PRIORITIES: [f32; 3] = [0.2, 0.5, 1.0];

/// What a step of N clusters yields beside the observations.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps<const N: usize> {
    pub reward: [f32; N],
    pub terminated: [bool; N],
    pub truncated: [bool; N],
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
pub(super) fn hot<const N: usize>(config: &K8sConfig, block: &Block<N>, lane: usize) -> u32 {
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

/// Adds noise to a share, which stays in `[0, limit]`.
#[inline(always)]
fn add(share: &mut f32, noise: f32, limit: f32) {
    *share = (*share + noise).max(0.0).min(limit);
}

/// The Red Queen: adds the noise; yields whether any node is out of memory.
#[inline(always)]
pub(super) fn drift<const N: usize>(params: &Params, nodes: &mut [Block<N>], noise: &impl Noise<N>) -> bool {
    let blocks = nodes.len();
    let oom_memory = params.numbers.oom_memory;
    let (mut any, mut most) = (false, [0.0_f32; N]);
    for (index, block) in nodes.iter_mut().enumerate() {
        let limit = params.limit(index, blocks);
        if N == 1 {
            // The nodes of a cluster alone lie in the lanes: their noise is drawn at once.
            let [cpu, memory] = noise.block(index * LANES);
            for node in 0..LANES {
                add(&mut block.cpu[node][0], cpu[node][0], limit[node]);
                add(&mut block.memory[node][0], memory[node][0], limit[node]);
            }
            for node in 0..LANES {
                any |= block.memory[node][0] >= oom_memory;
            }
            continue;
        }
        for node in 0..LANES / 2 {
            let noise = noise.two_nodes(index * LANES, node);
            for (node, [cpu, memory]) in [node, node + LANES / 2].into_iter().zip(noise) {
                for i in 0..N {
                    add(&mut block.cpu[node][i], cpu[i], limit[node]);
                    add(&mut block.memory[node][i], memory[i], limit[node]);
                    most[i] = most[i].max(block.memory[node][i]);
                }
            }
        }
    }
    most.iter().fold(any, |any, &most| any | (most >= oom_memory))
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
