//! What a policy earns in episodes that nobody trains in.

use std::ops::Range;

use ndarray::Array1;
use resonetics_envs::env::ParallelEnv;
use resonetics_envs::stream::{Key, lane_seed};
use resonetics_envs::vector::{Autoreset, VecEnv};

use super::categorical::likeliest;
use super::draws::{Purpose, draw_actions};
use super::learner::{Learner, LearnerError};
use super::memory::Memory;
use super::normalizer::Normalizer;
use crate::policy::contiguous;

/// How a policy acts where it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acting {
    /// By its likeliest action.
    Greedy,
    /// By actions drawn from it, as in training.
    Sampled,
}

/// What a policy earned in some episodes.
#[derive(Clone, Debug, PartialEq)]
pub struct Earned {
    /// The return of each episode; none from a world that cannot be played.
    pub returns: Vec<f64>,
}

impl Earned {
    /// Mean return; no number where no episode was played.
    pub fn mean(&self) -> f64 {
        self.returns.iter().sum::<f64>() / self.returns.len() as f64
    }
}

/// A policy to be measured.
pub(super) struct Measured<'a, E> {
    pub learner: &'a mut dyn Learner,
    pub normalizer: &'a Normalizer,
    /// Copies of it are played in.
    pub prototype: &'a E,
    /// Numbers that a row remembers.
    pub remembered: usize,
    /// Of the training.
    pub seed: u64,
    pub acting: Acting,
}

impl<E: ParallelEnv + Clone + Sync> Measured<'_, E> {
    /// What is earned over `episodes` episodes, the same each time.
    pub(super) fn earned(&mut self, episodes: usize) -> Result<Earned, LearnerError> {
        // Side by side as many as are fast; all of them might not fit into memory.
        const CHUNK: usize = 256;
        let mut returns = Vec::with_capacity(episodes);
        while returns.len() < episodes {
            let first = returns.len() as u64;
            let chunk = first..(first + CHUNK as u64).min(episodes as u64);
            match self.returns(chunk)? {
                Some(batch) => returns.extend(batch),
                None => return Ok(Earned { returns: Vec::new() }),
            }
        }
        Ok(Earned { returns })
    }

    /// The returns of the policy's `episodes`, by their numbers; none from a world that cannot be played.
    fn returns(&mut self, episodes: Range<u64>) -> Result<Option<Array1<f64>>, LearnerError> {
        let root = match self.acting {
            Acting::Greedy => Purpose::Evaluation.seed(self.seed),
            Acting::Sampled => Purpose::SampledEpisodes.seed(self.seed),
        };
        let seeds: Vec<Option<u64>> = episodes.clone().map(|i| Some(lane_seed(root, i))).collect();
        let Ok(mut envs) = VecEnv::new(vec![self.prototype.clone(); seeds.len()], Autoreset::Disabled) else {
            return Ok(None);
        };
        let mut batch = envs.batch();
        envs.reset_lanes(&seeds, &mut batch);
        let rows = batch.rewards.len();
        let n = envs.action_space().n;
        let agents = rows / seeds.len();
        let draws = Purpose::SampledActions.key(self.seed);
        let keys: Vec<Key> = episodes.map(|i| draws.derive(0, i)).collect();
        let mut normalized = vec![0.0; batch.observations.len()];
        let (mut logits, mut values) = (vec![0.0; rows * n], vec![0.0; rows]);
        let (mut actions, mut log_probs) = (vec![0; rows], vec![0.0; rows]);
        let mut memory = Memory::new(self.remembered, rows);
        let mut step = 0;
        while !(0..seeds.len()).all(|env| batch.terminated[env] || batch.truncated[env]) {
            self.normalizer.apply(contiguous(batch.observations.view()), &mut normalized);
            self.learner.act(&normalized, memory.step(&batch), &mut logits, &mut values)?;
            let mask = contiguous(batch.action_mask.view());
            for (env, actions) in actions.chunks_exact_mut(agents).enumerate() {
                let of = env * agents * n..(env + 1) * agents * n;
                let (logits, mask) = (&logits[of.clone()], if mask.is_empty() { mask } else { &mask[of] });
                match self.acting {
                    Acting::Greedy => {
                        for (row, action) in actions.iter_mut().enumerate() {
                            let mask = if mask.is_empty() { mask } else { &mask[row * n..][..n] };
                            *action = likeliest(&logits[row * n..][..n], mask);
                        }
                    }
                    Acting::Sampled => draw_actions(keys[env], step, logits, mask, actions, &mut log_probs),
                }
            }
            step = step.wrapping_add(1);
            if envs.step(&actions, &mut batch).is_err() {
                return Ok(None);
            }
            memory.begin_anew(&envs, &batch);
        }
        Ok(Some(batch.episode_return))
    }
}
