//! Sixteen clusters side by side: a number of each of them is one 512-bit vector.

use std::sync::Arc;

use crate::cpu::{CpuPath, Work};
use crate::env::{Env, Rows, Together};
use crate::k8s::cluster::{K8sEnv, Shared};
use crate::k8s::config::K8sConfig;
use crate::k8s::noise::{Drawn, Noise};
use crate::k8s::rules::{self, OBSERVATION};
use crate::k8s::state::{Block, K8sInfo, Scalars};
use crate::math::{LANES, Lanes};
use crate::stream::{Key, Keys};

/// The states of sixteen clusters of one block of nodes and without the shield.
struct Sixteen {
    block: Block<LANES>,
    scalars: Scalars<LANES>,
    keys: Keys<LANES>,
    seeds: [u64; LANES],
    episodes: [u64; LANES],
    shared: Arc<Shared>,
}

/// Takes clusters from the front of `envs`, sixteen at a time, as long as they can lie side by side.
pub(super) fn take(envs: &mut Vec<K8sEnv>) -> Vec<Box<dyn Together<K8sEnv>>> {
    let alike = |env: &K8sEnv, first: &K8sEnv| {
        env.config() == first.config() && env.shared.params.doses == first.shared.params.doses
    };
    let fits = |sixteen: &&[K8sEnv]| sixteen.iter().all(|env| env.is_plain() && alike(env, &sixteen[0]));
    let count = envs.chunks_exact(LANES).take_while(fits).count();
    let rest = envs.split_off(count * LANES);
    let taken = std::mem::replace(envs, rest);
    taken.chunks_exact(LANES).map(|sixteen| Box::new(Sixteen::new(sixteen)) as Box<_>).collect()
}

impl Sixteen {
    fn new(envs: &[K8sEnv]) -> Sixteen {
        let mut sixteen = Sixteen {
            block: Block::ZERO,
            scalars: Scalars::ZERO,
            keys: Keys::all(Key::default()),
            seeds: [0; LANES],
            episodes: [0; LANES],
            shared: Arc::clone(&envs[0].shared),
        };
        for (lane, env) in envs.iter().enumerate() {
            sixteen.put(lane, env.clone());
        }
        sixteen
    }
}

impl Together<K8sEnv> for Sixteen {
    fn get(&self, lane: usize) -> K8sEnv {
        let mut block = Block::ZERO;
        for node in 0..LANES {
            block.cpu[node] = [self.block.cpu[node][lane]];
            block.memory[node] = [self.block.memory[node][lane]];
            block.priority[node] = [self.block.priority[node][lane]];
        }
        let scalars = self.scalars.get(lane);
        let (seed, episode) = (self.seeds[lane], self.episodes[lane]);
        K8sEnv::plain(block, scalars, self.keys.get(lane), seed, episode, &self.shared)
    }

    fn put(&mut self, lane: usize, env: K8sEnv) {
        for node in 0..LANES {
            self.block.cpu[node][lane] = env.block.cpu[node][0];
            self.block.memory[node][lane] = env.block.memory[node][0];
            self.block.priority[node][lane] = env.block.priority[node][0];
        }
        self.scalars.set(lane, &env.scalars);
        self.keys.set(lane, env.key.get(0));
        (self.seeds[lane], self.episodes[lane]) = (env.seed, env.episode);
    }

    fn write_infos(&self, infos: &mut [K8sInfo; LANES]) {
        let Scalars { avg_load, oom_nodes, critical_oom, budget, .. } = &self.scalars;
        for (lane, info) in infos.iter_mut().enumerate() {
            *info = K8sInfo {
                avg_load: avg_load[lane],
                oom_nodes: oom_nodes[lane].into(),
                critical_oom: critical_oom[lane].into(),
                budget: budget[lane],
            };
        }
    }

    fn step(&mut self, actions: &[usize; LANES], rows: Rows<'_>) {
        CpuPath::dispatch(StepSixteen { sixteen: self, actions, rows });
    }
}

/// A step of all, compiled for each CPU path.
struct StepSixteen<'a> {
    sixteen: &'a mut Sixteen,
    actions: &'a [usize; LANES],
    rows: Rows<'a>,
}

impl Work for StepSixteen<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let StepSixteen { sixteen, actions, rows } = self;
        let params = &sixteen.shared.params;
        let mut numbers = [0; LANES];
        for lane in 0..LANES {
            numbers[lane] = actions[lane] as u32;
        }
        let noise = Drawn::new(params, &sixteen.keys, sixteen.scalars.steps);
        let nodes = std::slice::from_mut(&mut sixteen.block);
        let steps = rules::step(params, &mut sixteen.scalars, nodes, &numbers, &noise);
        let (observations, _) = rows.observations.as_chunks_mut::<OBSERVATION>();
        for (lane, observation) in observations.iter_mut().take(LANES).enumerate() {
            rules::observe(params, &sixteen.scalars, nodes, lane, observation);
        }
        *rows.rewards = steps.reward;
        *rows.terminated = steps.terminated;
        *rows.truncated = steps.truncated;
    }
}

/// The parts of a step on their own, of sixteen clusters, for benches.
pub struct Parts(Sixteen);

impl Parts {
    /// Of clusters with the reference settings, just reset.
    pub fn new() -> Parts {
        let mut env = K8sEnv::new(K8sConfig::default());
        env.reset(Some(1), &mut [0.0; OBSERVATION]);
        Parts(Sixteen::new(&vec![env; LANES]))
    }

    /// Adds a noise to the cpu and the memory of every node, the same to all; yields whether a node is out of
    /// memory.
    #[inline(always)]
    pub fn drift(&mut self, cpu: &Lanes, memory: &Lanes) -> bool {
        let Parts(Sixteen { block, shared, .. }) = self;
        rules::drift(&shared.params, std::slice::from_mut(block), &Same([*cpu, *memory]))
    }

    /// The mean over all cpu and memory values.
    #[inline(always)]
    pub fn load(&self) -> Lanes {
        rules::average_load(&self.0.shared.params, std::slice::from_ref(&self.0.block))
    }

    /// Writes the observations.
    #[inline(always)]
    pub fn observe(&self, observations: &mut [[f32; OBSERVATION]; LANES]) {
        let Sixteen { block, scalars, shared, .. } = &self.0;
        for (lane, observation) in observations.iter_mut().enumerate() {
            rules::observe(&shared.params, scalars, std::slice::from_ref(block), lane, observation);
        }
    }
}

impl Default for Parts {
    fn default() -> Parts {
        Parts::new()
    }
}

/// A noise that is the same for all nodes.
struct Same([Lanes; 2]);

impl Noise<LANES> for Same {
    #[inline(always)]
    fn two_nodes(&self, _first: usize, _node: usize) -> [[Lanes; 2]; 2] {
        [self.0, self.0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_comes_out_as_it_went_in() {
        let env = K8sEnv::new(K8sConfig::default());
        let mut envs: Vec<K8sEnv> = vec![env; 35];
        let mut observation = [0.0; OBSERVATION];
        for (seed, env) in envs.iter_mut().enumerate() {
            env.reset(Some(seed as u64), &mut observation);
            for action in 0..seed % 6 {
                env.step(action, &mut observation).unwrap();
            }
        }
        let before = envs.clone();
        let together = take(&mut envs);
        assert_eq!((together.len(), envs.len()), (2, 3));
        for (lane, before) in before[..32].iter().enumerate() {
            let after = together[lane / LANES].get(lane % LANES);
            assert_eq!(after.save().unwrap(), before.save().unwrap(), "lane {lane}");
        }
    }

    #[test]
    fn only_small_clusters_without_the_shield_lie_side_by_side() {
        let mut shielded = K8sConfig::default();
        shielded.control.enabled = true;
        let large = K8sConfig { height: 5, ..K8sConfig::default() };
        for config in [shielded, large] {
            let mut envs = vec![K8sEnv::new(config); 16];
            assert!(take(&mut envs).is_empty());
            assert_eq!(envs.len(), 16);
        }
    }
}
