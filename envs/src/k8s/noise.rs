//! Where a cluster's random numbers come from: its stream, or a recording.

use crate::k8s::drift::Schedule;
use crate::k8s::params::{Numbers, Params};
use crate::k8s::state::Nodes;
use crate::math::{self, LANES};
use crate::stream::{Keys, purpose_index};

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
    Dose = 7,
}

impl Purpose {
    #[inline(always)]
    pub(super) fn index(self, first: usize) -> u32 {
        purpose_index(self as u32, first)
    }
}

/// Where a step takes its noise from.
///
/// A trait and not a closure: a closure's body cannot be `#[inline(always)]`, and what is not
/// inlined is not compiled for the CPU path.
pub(super) trait Noise<const N: usize> {
    /// The noise of nodes `node` and `node` + 8 of a block, where `node` is below 8 and `first` the number of
    /// the block's first node: of each the whole normal variates for cpu and memory, drift included.
    fn two_nodes(&self, first: usize, node: usize) -> [[[f32; N]; 2]; 2];

    /// The noise of all sixteen nodes of a block, for cpu and for memory.
    #[inline(always)]
    fn block(&self, first: usize) -> [Nodes<N>; 2] {
        let mut noise = [[[0.0; N]; LANES]; 2];
        for node in 0..LANES / 2 {
            for (node, [cpu, memory]) in [node, node + LANES / 2].into_iter().zip(self.two_nodes(first, node))
            {
                (noise[0][node], noise[1][node]) = (cpu, memory);
            }
        }
        noise
    }
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
        let Params { config, doses, numbers, .. } = params;
        let mut mean = [numbers.mem_drift_mu; N];
        if !doses.is_empty() {
            for (lane, mean) in mean.iter_mut().enumerate() {
                *mean = doses.of(*mean, keys.get(lane), Purpose::Dose.index(0));
            }
        }
        if config.drift.schedule != Schedule::Constant {
            for (lane, mean) in mean.iter_mut().enumerate() {
                *mean = config.drift.mean(*mean, keys.get(lane), steps[lane], Purpose::Drift.index(0));
            }
        }
        Drawn { numbers, keys, steps, mean }
    }

    /// The noise for cpu and memory of cluster `lane` that two standard normals give.
    #[inline(always)]
    fn scaled(&self, lane: usize, (cpu, memory): (f32, f32)) -> (f32, f32) {
        (cpu * self.numbers.cpu_noise_sigma, memory * self.numbers.mem_noise_sigma + self.mean[lane])
    }
}

impl<const N: usize> Noise<N> for Drawn<'_, N> {
    #[inline(always)]
    fn two_nodes(&self, first: usize, node: usize) -> [[[f32; N]; 2]; 2] {
        let words = self.keys.words(&self.steps, Purpose::Noise.index(first + node));
        let mut noise = [[[0.0; N]; 2]; 2];
        for (words, [cpu, memory]) in words.iter().zip(&mut noise) {
            for i in 0..N {
                (cpu[i], memory[i]) = self.scaled(i, math::normal_pair(words[i]));
            }
        }
        noise
    }

    #[inline(always)]
    fn block(&self, first: usize) -> [Nodes<N>; 2] {
        let mut noise = [[[0.0; N]; LANES]; 2];
        for i in 0..N {
            let (cpu, memory) = self.keys.get(i).normals(self.steps[i], Purpose::Noise.index(first));
            for node in 0..LANES {
                (noise[0][node][i], noise[1][node][i]) = self.scaled(i, (cpu[node], memory[node]));
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
