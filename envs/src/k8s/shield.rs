//! The control layer over the cluster: an action shield with the cluster's own risk.

use crate::control::Restraint;
use crate::k8s::config::Action;
use crate::k8s::noise::Purpose;
use crate::k8s::params::Params;
use crate::k8s::rules::{ACTIONS, OBSERVATION, hot, observe};
use crate::k8s::state::{Block, Scalars};
use crate::math::LANES;
use crate::risk::{RiskState, term};
use crate::stream::Key;

/// The cluster's risk and what follows from it for the next action.
#[derive(Clone, Debug)]
pub(super) struct Shield {
    pub(super) state: RiskState,
    pub(super) restraint: Restraint,
    suppress: [bool; ACTIONS],
    load_before: f32,
}

impl Shield {
    pub(super) fn new(params: &Params) -> Shield {
        let mut suppress = [false; ACTIONS];
        for &action in &params.config.control.suppress {
            suppress[action as usize] = true;
        }
        Shield { state: RiskState::default(), restraint: Restraint::NONE, suppress, load_before: 0.0 }
    }

    pub(super) fn reset(&mut self, params: &Params, scalars: &Scalars<1>) {
        self.state = RiskState::default();
        self.restraint = params.config.control.damping.restraint(&self.state);
        self.load_before = scalars.avg_load[0];
    }

    /// The risk and the load that it is measured against: all that a reset does not know.
    pub(super) fn memory(&self) -> (RiskState, f32) {
        (self.state, self.load_before)
    }

    /// Goes back to a [`Shield::memory`].
    pub(super) fn remember(&mut self, params: &Params, (state, load_before): (RiskState, f32)) {
        self.state = state;
        self.load_before = load_before;
        self.restraint = params.config.control.damping.restraint(&self.state);
    }

    /// `action`, or the safe action in its place.
    pub(super) fn filter(
        &self,
        params: &Params,
        key: Key,
        scalars: &Scalars<1>,
        nodes: &[Block<1>],
        action: usize,
    ) -> usize {
        if params.config.control.wasted_only {
            let wasted = is_wasted(params, scalars, nodes, action);
            return if wasted { safe_action(params, scalars, nodes) } else { action };
        }
        let draw = f64::from(key.uniform(scalars.steps[0], Purpose::Shield.index(0)));
        let damped = self.suppress[action]
            && draw > self.restraint.alpha
            && self.state.risk >= params.config.control.suppress_from_risk;
        if self.restraint.survival || damped { safe_action(params, scalars, nodes) } else { action }
    }

    /// Takes in what the step led to.
    pub(super) fn update(&mut self, params: &Params, key: Key, scalars: &Scalars<1>, nodes: &[Block<1>]) {
        let config = &params.config;
        let risk = &config.risk;
        let n = config.nodes() as f64;
        let hot_memory = risk.hot_memory as f32;
        let hot = nodes.iter().flat_map(|block| block.memory).filter(|&[memory]| memory > hot_memory).count();
        let gradient = f64::from((scalars.avg_load[0] - self.load_before).abs());
        let terms = risk.w_load_grad * term(gradient / risk.load_grad_scale, 0.5, 3.0)
            + risk.w_hot_share * term(hot as f64 / n / risk.hot_share_scale, 0.5, 6.0)
            + risk.w_budget * term(1.0 - scalars.budget[0] / config.max_budget, 0.5, 4.0);
        let (plain, perturbed) = metrics(params, key, scalars, nodes);
        self.state.update(terms, plain, perturbed, &config.flow, &risk.smoothing);
        self.load_before = scalars.avg_load[0];
        self.restraint = config.control.damping.restraint(&self.state);
    }
}

/// (average load, share of hot nodes), as they are and with cpu and memory perturbed.
fn metrics(params: &Params, key: Key, scalars: &Scalars<1>, nodes: &[Block<1>]) -> ([f64; 2], [f64; 2]) {
    let hot_th = params.config.flow.hot_th as f32;
    let eps = params.config.flow.eps as f32;
    let (mut plain, mut perturbed) = ([0.0; 2], [0.0; 2]);
    for (index, block) in nodes.iter().enumerate() {
        let first = index * LANES;
        let (a, b) = key.normals(scalars.steps[0], Purpose::Perturbation.index(first));
        for i in 0..LANES.min(params.config.nodes() - first) {
            let ([cpu], [memory]) = (block.cpu[i], block.memory[i]);
            plain[0] += f64::from(cpu) + f64::from(memory);
            plain[1] += f64::from(u8::from(cpu > hot_th || memory > hot_th));
            let (cpu, memory) = ((cpu + eps * a[i]).clamp(0.0, 1.0), (memory + eps * b[i]).clamp(0.0, 1.0));
            perturbed[0] += f64::from(cpu) + f64::from(memory);
            perturbed[1] += f64::from(u8::from(cpu > hot_th || memory > hot_th));
        }
    }
    let n = params.config.nodes() as f64;
    ([plain[0] / (2.0 * n), plain[1] / n], [perturbed[0] / (2.0 * n), perturbed[1] / n])
}

/// Clean where cleaning pays, else a move toward the worst neighbour.
fn safe_action(params: &Params, scalars: &Scalars<1>, nodes: &[Block<1>]) -> usize {
    let mut observation = [0.0; OBSERVATION];
    observe(params, scalars, nodes, 0, &mut observation);
    if clean_pays(params, scalars, &observation) {
        Action::Clean as usize
    } else {
        toward_worst(&observation, 0.0)
    }
}

/// Whether the node that is observed has enough to remove, and there is the budget for it.
fn clean_pays(params: &Params, scalars: &Scalars<1>, observation: &[f32; OBSERVATION]) -> bool {
    let config = &params.config;
    let (cpu, memory) = (observation[12], observation[13]);
    let pays = cpu.min(config.clean_cpu as f32) + memory >= config.clean_worth as f32;
    pays && scalars.budget[0] >= config.clean_cost
}

/// Whether `action` costs a step and does next to nothing: a clean that does not pay, a scale with no hot node or without
/// the budget for one. A move is never wasted.
fn is_wasted(params: &Params, scalars: &Scalars<1>, nodes: &[Block<1>], action: usize) -> bool {
    if action == Action::Clean as usize {
        let mut observation = [0.0; OBSERVATION];
        observe(params, scalars, nodes, 0, &mut observation);
        return !clean_pays(params, scalars, &observation);
    }
    let config = &params.config;
    action == Action::Scale as usize
        && (scalars.budget[0] < config.scale_cost || nodes.iter().all(|block| hot(config, block, 0) == 0))
}

/// The move (0 to 3) toward the worst of the eight neighbours in an observation `[30]`: the one
/// with the largest (cpu + memory) * (1 + `priority_weight` * priority), the first on ties. A diagonal
/// neighbour is reached by a row and then a column.
#[inline(always)]
pub fn toward_worst(observation: &[f32], priority_weight: f32) -> usize {
    const MOVE: [usize; 9] = [0, 0, 0, 2, 0, 3, 1, 1, 1];
    let load = |k: usize| {
        (observation[3 * k] + observation[3 * k + 1]) * (1.0 + priority_weight * observation[3 * k + 2])
    };
    let mut worst = 0;
    for k in [1, 2, 3, 5, 6, 7, 8] {
        if load(k) > load(worst) {
            worst = k;
        }
    }
    MOVE[worst]
}
