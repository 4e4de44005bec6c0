//! The cluster as an environment.

use crate::cpu::{CpuPath, Work};
use crate::env::{Env, InvalidAction, Step, Together};
use crate::k8s::cluster::{K8sEnv, check, single, thirty};
use crate::k8s::noise::Drawn;
use crate::k8s::rules::{self, ACTIONS};
use crate::k8s::state::K8sInfo;
use crate::k8s::together;
use crate::math::LANES;
use crate::saved::SaveError;
use crate::space::{BoxSpace, Discrete};

impl Env for K8sEnv {
    type Info = K8sInfo;
    // A step takes about 100 ns, waking a thread some microseconds.
    const PARALLEL_FROM: usize = 128;

    fn observation_space(&self) -> &BoxSpace {
        &self.shared.observation_space
    }

    fn action_space(&self) -> Discrete {
        Discrete { n: ACTIONS }
    }

    fn reset(&mut self, seed: Option<u64>, observation: &mut [f32]) {
        CpuPath::dispatch(Begin { env: self, seed, observation });
    }

    fn step(&mut self, action: usize, observation: &mut [f32]) -> Result<Step, InvalidAction> {
        check(action)?;
        Ok(CpuPath::dispatch(StepAlone { env: self, action, observation }))
    }

    fn info(&self) -> K8sInfo {
        K8sInfo {
            avg_load: self.scalars.avg_load[0],
            oom_nodes: self.scalars.oom_nodes[0].into(),
            critical_oom: self.scalars.critical_oom[0].into(),
            budget: self.scalars.budget[0],
        }
    }

    fn state_len(&self) -> usize {
        3 * self.config().nodes() + 3
    }

    /// Cpu, memory and priority of every node, then row, column and budget.
    fn write_state(&self, out: &mut [f32]) {
        let nodes = self.config().nodes();
        for (index, block) in self.nodes().iter().enumerate() {
            let first = index * LANES;
            let count = LANES.min(nodes - first);
            for (field, lanes) in [&block.cpu, &block.memory, &block.priority].into_iter().enumerate() {
                out[field * nodes + first..][..count].copy_from_slice(&lanes.as_flattened()[..count]);
            }
        }
        let scalars = &self.scalars;
        let rest = [f32::from(scalars.row[0]), f32::from(scalars.col[0]), scalars.budget[0] as f32];
        out[3 * nodes..3 * nodes + 3].copy_from_slice(&rest);
    }

    fn save(&self) -> Result<Vec<u8>, SaveError> {
        self.sealed()
    }

    fn restore(&mut self, saved: &[u8], observation: &mut [f32]) -> Result<(), SaveError> {
        self.unseal_as(saved, false)?;
        self.observe(observation);
        Ok(())
    }

    /// A shield that was not there before begins as it does at a reset.
    fn adopt(&mut self, other: &K8sEnv, observation: &mut [f32]) -> Result<(), SaveError> {
        self.unseal_as(&other.sealed()?, true)?;
        self.observe(observation);
        Ok(())
    }

    fn together(envs: &mut Vec<K8sEnv>) -> Vec<Box<dyn Together<K8sEnv>>> {
        together::take(envs)
    }
}

/// An episode's beginning, compiled for each CPU path, and here alone: who plays clusters links it.
struct Begin<'a> {
    env: &'a mut K8sEnv,
    seed: Option<u64>,
    observation: &'a mut [f32],
}

impl Work for Begin<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Begin { env, seed, observation } = self;
        match seed {
            Some(seed) => env.start(seed, 0),
            None => env.start(env.seed, env.episode + 1),
        }
        env.observe(observation);
    }
}

/// A step of a cluster that does not lie beside others, in the same way.
struct StepAlone<'a> {
    env: &'a mut K8sEnv,
    action: usize,
    observation: &'a mut [f32],
}

impl Work for StepAlone<'_> {
    type Output = Step;

    #[inline(always)]
    fn run(self) -> Step {
        let StepAlone { env, action, observation } = self;
        let action = if env.extra.is_none() { action } else { env.replacing(action) };
        let (params, scalars, actions) = (&env.shared.params, &mut env.scalars, [action as u32]);
        let noise = Drawn::new(params, &env.key, scalars.steps);
        let block = std::slice::from_mut(&mut env.block);
        // One block is its own arm, so that the loops over blocks vanish from it.
        let Some(extra) = &mut env.extra else {
            let step = rules::step(params, scalars, block, &actions, &noise);
            rules::observe(params, scalars, block, 0, thirty(observation));
            return single(step);
        };
        let nodes = if extra.nodes.is_empty() { block } else { &mut extra.nodes };
        let step = rules::step(params, scalars, nodes, &actions, &noise);
        rules::observe(params, scalars, nodes, 0, thirty(observation));
        if let Some(shield) = &mut extra.shield {
            shield.update(params, env.key.get(0), scalars, nodes);
        }
        single(step)
    }
}
