//! A cluster: its state, and what can be asked of it and done to it.

mod saved;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::control::Restraint;
use crate::doses::Doses;
use crate::env::{InvalidAction, Step};
use crate::k8s::config::K8sConfig;
use crate::k8s::noise::{Drawn, Noise, Recorded};
use crate::k8s::params::Params;
use crate::k8s::rules::{self, ACTIONS, OBSERVATION, Steps};
use crate::k8s::shield::Shield;
use crate::k8s::state::{Block, Nodes, Scalars};
use crate::math::LANES;
use crate::risk::RiskState;
use crate::space::BoxSpace;
use crate::stream::{Domain, Key, Keys};

/// The state of a cluster, for traces, drawings and tests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct K8sState {
    /// `[nodes]`, row-major.
    pub cpu: Vec<f32>,
    /// `[nodes]`, row-major.
    pub memory: Vec<f32>,
    /// `[nodes]`, row-major.
    pub priority: Vec<f32>,
    /// Row and column.
    pub agent: [usize; 2],
    /// In `[0, max_budget]`.
    pub budget: f64,
}

/// What all clusters of one configuration share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) params: Params,
    pub(super) observation_space: BoxSpace,
}

/// What only some clusters have.
#[derive(Clone, Debug)]
pub(super) struct Extra {
    /// The nodes of a grid beyond one block; else empty.
    pub(super) nodes: Box<[Block<1>]>,
    pub(super) shield: Option<Shield>,
    /// The action of the last step that the shield took for another, none if it let it be.
    pub(super) replaced: Option<u8>,
}

/// The K8s smart-tensor environment.
///
/// A cluster of one block without the shield is 256 bytes: four lines of cache.
#[derive(Clone, Debug)]
pub struct K8sEnv {
    /// The nodes of a grid of one block.
    pub(super) block: Block<1>,
    pub(super) scalars: Scalars<1>,
    pub(super) key: Keys<1>,
    pub(super) seed: u64,
    pub(super) episode: u64,
    pub(super) shared: Arc<Shared>,
    pub(super) extra: Option<Box<Extra>>,
}

impl K8sEnv {
    /// A cluster of checked settings: those of [`crate::config::resolve`] are, and it checks those that
    /// were put together by hand (`resolve(&config, None, &[])`).
    pub fn new(config: K8sConfig) -> K8sEnv {
        K8sEnv::with_doses(config, Doses::default())
    }

    /// The same, where each episode draws its `mem_drift_mu` from `doses`, of which it then is a pure function of
    /// the episode's stream.
    pub fn with_doses(config: K8sConfig, doses: Doses) -> K8sEnv {
        let params = Params { doses, ..Params::new(config) };
        let beyond = if params.blocks() == 1 { 0 } else { params.blocks() };
        let shield = params.config.control.enabled.then(|| Shield::new(&params));
        let extra = (beyond > 0 || shield.is_some())
            .then(|| Box::new(Extra { nodes: vec![Block::ZERO; beyond].into(), shield, replaced: None }));
        let shared = Arc::new(Shared { params, observation_space: BoxSpace::unit(OBSERVATION) });
        let mut env = K8sEnv {
            block: Block::ZERO,
            scalars: Scalars::ZERO,
            key: Keys::all(Key::default()),
            seed: 0,
            episode: 0,
            shared,
            extra,
        };
        env.start(0, 0);
        env
    }

    /// The settings.
    pub fn config(&self) -> &K8sConfig {
        &self.shared.params.config
    }

    /// Risk, flow and verdict, and the restraint that follows; `None` without the shield.
    pub fn control(&self) -> Option<(RiskState, Restraint)> {
        self.shield().map(|shield| (shield.state, shield.restraint))
    }

    /// The action that the shield took in the last step in place of another; none if it let the action be.
    pub fn replaced(&self) -> Option<usize> {
        self.extra.as_ref().and_then(|extra| extra.replaced).map(usize::from)
    }

    /// The memory that is nearest to ending the episode, in `[0, 1]`: the k-th largest where k nodes out of memory end
    /// it, or that of a critical node where one does.
    pub fn worst_memory(&self) -> f64 {
        let config = self.config();
        let count = if config.terminate_on_any_oom { 1 } else { config.oom_terminate_threshold };
        let memory = |block: &Block<1>| block.memory.as_flattened().to_vec();
        let priority = |block: &Block<1>| block.priority.as_flattened().to_vec();
        let all = |of: &dyn Fn(&Block<1>) -> Vec<f32>| -> Vec<f32> {
            self.nodes().iter().flat_map(of).take(config.nodes()).collect()
        };
        let (mut memory, priority) = (all(&memory), all(&priority));
        let critical = |&(_, priority): &(&f32, &f32)| f64::from(*priority) > config.critical_priority;
        let critical = memory.iter().zip(&priority).filter(critical).map(|(memory, _)| *memory);
        let critical = critical.fold(0.0_f32, f32::max);
        memory.sort_unstable_by(|a, b| b.total_cmp(a));
        let kth = memory.get(count.max(1) - 1).copied().unwrap_or(0.0);
        f64::from(if config.critical_oom_terminate { kth.max(critical) } else { kth })
    }

    /// Whether it has one block of nodes and no shield.
    pub(super) fn is_plain(&self) -> bool {
        self.extra.is_none()
    }

    /// The plain cluster of this state.
    pub(super) fn plain(
        block: Block<1>,
        scalars: Scalars<1>,
        key: Key,
        seed: u64,
        episode: u64,
        shared: &Arc<Shared>,
    ) -> K8sEnv {
        let (key, shared) = (Keys::all(key), Arc::clone(shared));
        K8sEnv { block, scalars, key, seed, episode, shared, extra: None }
    }

    fn shield(&self) -> Option<&Shield> {
        self.extra.as_ref().and_then(|extra| extra.shield.as_ref())
    }

    #[inline(always)]
    pub(super) fn nodes(&self) -> &[Block<1>] {
        match &self.extra {
            Some(extra) if !extra.nodes.is_empty() => &extra.nodes,
            _ => std::slice::from_ref(&self.block),
        }
    }

    fn nodes_mut(&mut self) -> &mut [Block<1>] {
        match &mut self.extra {
            Some(extra) if !extra.nodes.is_empty() => &mut extra.nodes,
            _ => std::slice::from_mut(&mut self.block),
        }
    }

    #[inline(always)]
    pub(super) fn start(&mut self, seed: u64, episode: u64) {
        (self.seed, self.episode) = (seed, episode);
        let key = Key::new(seed, Domain::Episode, episode);
        self.key = Keys::all(key);
        let params = &self.shared.params;
        let (block, scalars) = (std::slice::from_mut(&mut self.block), &mut self.scalars);
        let Some(extra) = &mut self.extra else { return rules::reset(params, key, scalars, block) };
        let nodes = if extra.nodes.is_empty() { block } else { &mut extra.nodes };
        rules::reset(params, key, scalars, nodes);
        extra.replaced = None;
        if let Some(shield) = &mut extra.shield {
            shield.reset(params, scalars);
        }
    }

    /// Bytes of one cluster beyond `size_of`, without what clusters of one configuration share.
    pub fn heap_bytes(&self) -> usize {
        self.extra.as_ref().map_or(0, |extra| size_of::<Extra>() + size_of_val::<[Block<1>]>(&extra.nodes))
    }

    /// The state as it is.
    pub fn state(&self) -> K8sState {
        let nodes = self.config().nodes();
        let take = |field: fn(&Block<1>) -> &Nodes<1>| {
            self.nodes().iter().flat_map(|block| field(block).as_flattened()).copied().take(nodes).collect()
        };
        K8sState {
            cpu: take(|block| &block.cpu),
            memory: take(|block| &block.memory),
            priority: take(|block| &block.priority),
            agent: [self.scalars.row[0].into(), self.scalars.col[0].into()],
            budget: self.scalars.budget[0],
        }
    }

    /// Puts the cluster into `state`, at step 0 of its episode.
    ///
    /// # Errors
    /// If the state does not fit the grid or holds a value out of its range.
    pub fn set_state(&mut self, state: &K8sState) -> Result<(), String> {
        let config = self.config();
        let nodes = config.nodes();
        for (name, values) in [("cpu", &state.cpu), ("memory", &state.memory), ("priority", &state.priority)]
        {
            if values.len() != nodes {
                return Err(format!("{name} has {} values, the grid {nodes} nodes", values.len()));
            }
            if let Some(value) = values.iter().find(|value| !(0.0..=1.0).contains(*value)) {
                return Err(format!("{name} holds {value}: allowed are numbers from 0 to 1"));
            }
        }
        if state.agent[0] >= config.height || state.agent[1] >= config.width {
            return Err(format!(
                "agent {:?} is outside the {}x{} grid",
                state.agent, config.height, config.width
            ));
        }
        if !(0.0..=config.max_budget).contains(&state.budget) {
            return Err(format!("budget {} is outside 0 to {}", state.budget, config.max_budget));
        }
        for (index, block) in self.nodes_mut().iter_mut().enumerate() {
            let first = index * LANES;
            let end = nodes.min(first + LANES);
            block.cpu.as_flattened_mut()[..end - first].copy_from_slice(&state.cpu[first..end]);
            block.memory.as_flattened_mut()[..end - first].copy_from_slice(&state.memory[first..end]);
            block.priority.as_flattened_mut()[..end - first].copy_from_slice(&state.priority[first..end]);
        }
        self.scalars = Scalars {
            budget: [state.budget],
            avg_load: rules::average_load(&self.shared.params, self.nodes()),
            row: [state.agent[0] as u16],
            col: [state.agent[1] as u16],
            ..Scalars::ZERO
        };
        if let Some(shield) = self.extra.as_mut().and_then(|extra| extra.shield.as_mut()) {
            shield.reset(&self.shared.params, &self.scalars);
        }
        Ok(())
    }

    /// Writes the observation of the present state, `[30]`.
    #[inline(always)]
    ///
    /// # Panics
    /// If `observation` is shorter.
    pub fn observe(&self, observation: &mut [f32]) {
        let observation = thirty(observation);
        rules::observe(&self.shared.params, &self.scalars, self.nodes(), 0, observation);
    }

    /// The noise of the coming step, each `[nodes]`: the whole normal variates for cpu and memory.
    pub fn next_noise(&self) -> (Vec<f32>, Vec<f32>) {
        let nodes = self.config().nodes();
        let (mut cpu, mut memory) = (Vec::with_capacity(nodes), Vec::with_capacity(nodes));
        let drawn = Drawn::new(&self.shared.params, &self.key, self.scalars.steps);
        for node in 0..nodes {
            let (first, in_block) = (node / LANES * LANES, node % LANES);
            let two = drawn.two_nodes(first, in_block % (LANES / 2));
            let [[cpu_noise], [memory_noise]] = two[in_block / (LANES / 2)];
            cpu.push(cpu_noise);
            memory.push(memory_noise);
        }
        (cpu, memory)
    }

    /// The action that the coming step would take for `action`: another one where the shield says so.
    #[inline(always)]
    pub fn shielded(&self, action: usize) -> usize {
        match self.shield() {
            Some(shield) => {
                shield.filter(&self.shared.params, self.key.get(0), &self.scalars, self.nodes(), action)
            }
            None => action,
        }
    }

    /// As [`K8sEnv::shielded`], remembering what it took for what.
    pub(super) fn replacing(&mut self, action: usize) -> usize {
        let taken = self.shielded(action);
        if let Some(extra) = &mut self.extra {
            extra.replaced = (taken != action).then_some(taken as u8);
        }
        taken
    }

    /// One step of the rules alone: with a recorded noise, each `[nodes]`, in place of the stream's,
    /// and without the shield.
    ///
    /// # Errors
    /// If the action is outside the action space.
    ///
    /// # Panics
    /// If a noise has not one value a node.
    pub fn step_with_noise(
        &mut self,
        action: usize,
        cpu: &[f32],
        memory: &[f32],
    ) -> Result<Step, InvalidAction> {
        check(action)?;
        assert_eq!(
            (cpu.len(), memory.len()),
            (self.config().nodes(), self.config().nodes()),
            "one value a node"
        );
        let noise = Recorded { cpu, memory };
        let nodes = match &mut self.extra {
            Some(extra) if !extra.nodes.is_empty() => &mut extra.nodes,
            _ => std::slice::from_mut(&mut self.block),
        };
        let actions = [action as u32];
        Ok(single(rules::step(&self.shared.params, &mut self.scalars, nodes, &actions, &noise)))
    }
}

/// The numbers of an observation.
#[inline(always)]
pub(super) fn thirty(observation: &mut [f32]) -> &mut [f32; OBSERVATION] {
    &mut observation.as_chunks_mut().0[0]
}

/// The step of a cluster alone.
#[inline(always)]
pub(super) fn single(
    Steps { reward: [reward], terminated: [terminated], truncated: [truncated] }: Steps<1>,
) -> Step {
    Step { reward, terminated, truncated }
}

#[inline(always)]
pub(super) fn check(action: usize) -> Result<(), InvalidAction> {
    if action < ACTIONS { Ok(()) } else { Err(InvalidAction { action, row: 0, n: ACTIONS }) }
}
