//! The buffer that a rollout is written into, and what is read from it.

use std::ops::Range;

use resonetics_envs::math;
use resonetics_envs::vector::Batch;

use super::advantage::{Steps, advantages};
use super::learner::Samples;
use super::memory::Remembered;
use crate::policy::contiguous;

/// A rollout of T steps in N rows, `[T * N]`, step by step.
#[derive(Default)]
pub(super) struct Rollout {
    /// `[T * N, D]` as observed.
    pub raw: Vec<f32>,
    /// `[T * N, D]` normalised.
    pub observations: Vec<f32>,
    pub action_mask: Vec<bool>,
    pub actions: Vec<u32>,
    pub log_probs: Vec<f32>,
    pub values: Vec<f32>,
    pub rewards: Vec<f32>,
    pub terminated: Vec<bool>,
    pub truncated: Vec<bool>,
    pub bootstrap: Vec<f32>,
    pub alive: Vec<bool>,
    /// Whether a row chose its action; there is nothing to learn from the others.
    pub asked: Vec<bool>,
    /// Discounted sum of the rewards so far in a row.
    pub discounted: Vec<f32>,
    pub advantages: Vec<f32>,
    pub returns: Vec<f32>,
    /// Empty unless [`Rollout::write_successors`] was asked for.
    pub successors: Vec<u32>,
    pub remembered: Remembered,
}

impl Rollout {
    /// Room for `horizon` steps of `rows` rows that see `width` numbers; for a mask of `actions` actions where
    /// there is one.
    pub(super) fn resize(&mut self, horizon: usize, rows: usize, width: usize, actions: usize, masked: bool) {
        let n = horizon * rows;
        self.raw.resize(n * width, 0.0);
        self.observations.resize(n * width, 0.0);
        self.action_mask.resize(if masked { n * actions } else { 0 }, false);
        self.actions.resize(n, 0);
        for numbers in [
            &mut self.log_probs,
            &mut self.values,
            &mut self.rewards,
            &mut self.bootstrap,
            &mut self.discounted,
            &mut self.advantages,
            &mut self.returns,
        ] {
            numbers.resize(n, 0.0);
        }
        for flags in [&mut self.terminated, &mut self.truncated, &mut self.alive, &mut self.asked] {
            flags.resize(n, false);
        }
    }

    /// What the rows see before they act, at the samples `at`, and who is there and chooses. Returns the mask
    /// of their actions, empty where nothing is masked.
    pub(super) fn write_seen(&mut self, at: Range<usize>, batch: &Batch) -> Range<usize> {
        let width = batch.observations.ncols();
        self.raw[at.start * width..at.end * width].copy_from_slice(contiguous(batch.observations.view()));
        if batch.action_mask.nrows() == 0 {
            self.alive[at.clone()].fill(true);
            self.asked[at].fill(true);
            return 0..0;
        }
        let actions = batch.action_mask.ncols();
        let place = at.start * actions..at.end * actions;
        self.action_mask[place.clone()].copy_from_slice(contiguous(batch.action_mask.view()));
        self.alive[at.clone()].copy_from_slice(contiguous(batch.alive.view()));
        for (asked, mask) in
            self.asked[at].iter_mut().zip(self.action_mask[place.clone()].chunks_exact(actions))
        {
            *asked = mask.contains(&true);
        }
        place
    }

    /// What the step at the samples `at` led to. `discounted` `[N]` holds each row's discounted rewards so far.
    pub(super) fn write_outcome(
        &mut self,
        at: Range<usize>,
        batch: &Batch,
        gamma: f32,
        discounted: &mut [f32],
    ) {
        self.rewards[at.clone()].copy_from_slice(contiguous(batch.rewards.view()));
        let agents = discounted.len() / batch.terminated.len();
        for (row, i) in at.enumerate() {
            let env = row / agents;
            let died = !batch.died.is_empty() && batch.died[row];
            self.terminated[i] = batch.terminated[env] || died;
            self.truncated[i] = batch.truncated[env] && !self.terminated[i];
            let over = self.terminated[i] || self.truncated[i];
            let alive = self.alive[i];
            let before = if alive { discounted[row] } else { 0.0 };
            let sum = math::flush(before * gamma + self.rewards[i]);
            self.discounted[i] = sum;
            // Who is born in this step has earned nothing before the next.
            discounted[row] = if over || !alive { 0.0 } else { sum };
        }
    }

    /// Estimates advantages and returns, with the values `[N]` of what follows the last step.
    pub(super) fn write_advantages(&mut self, last_values: &[f32], gamma: f32, lambda: f32) {
        let steps = Steps {
            rewards: &self.rewards,
            values: &self.values,
            terminated: &self.terminated,
            truncated: &self.truncated,
            bootstrap: &self.bootstrap,
            alive: &self.alive,
            asked: &self.asked,
            last_values,
        };
        advantages(&steps, gamma, lambda, &mut self.advantages, &mut self.returns);
    }

    /// For each sample the one of the same row a step later, if the episode and the life go on to it and both chose;
    /// else the sample itself.
    pub(super) fn write_successors(&mut self, rows: usize) {
        let n = self.asked.len();
        let follows = |i: usize| {
            let over = self.terminated[i] || self.truncated[i];
            i + rows < n && !over && self.asked[i] && self.asked[i + rows]
        };
        self.successors.clear();
        self.successors.extend((0..n).map(|i| if follows(i) { i + rows } else { i } as u32));
    }

    /// For the learner.
    pub(super) fn samples(&self) -> Samples<'_> {
        Samples {
            observations: &self.observations,
            action_mask: &self.action_mask,
            actions: &self.actions,
            log_probs: &self.log_probs,
            values: &self.values,
            advantages: &self.advantages,
            returns: &self.returns,
            successors: &self.successors,
            recurrent: self.remembered.recurrent(&self.asked),
        }
    }

    /// The samples to learn from.
    pub(super) fn chosen(&self) -> Vec<u32> {
        (0..self.asked.len() as u32).filter(|&i| self.asked[i as usize]).collect()
    }
}

/// The share of each of `n` actions among those of the samples `asked`; empty where there are none.
pub(super) fn shares(chosen: &[u32], asked: &[u32], n: usize) -> Vec<f64> {
    let mut shares = vec![0.0; if asked.is_empty() { 0 } else { n }];
    for &sample in asked {
        shares[chosen[sample as usize] as usize] += 1.0 / asked.len() as f64;
    }
    shares
}

/// 1 - variance of (return - value) / variance of the return: 1 where the value foresaw everything,
/// 0 where a constant would have done as well.
pub(super) fn explained_variance(rollout: &Rollout) -> f64 {
    let variance = |of: &dyn Fn(usize) -> f32| {
        let all: Vec<f64> =
            (0..rollout.asked.len()).filter(|&i| rollout.asked[i]).map(|i| f64::from(of(i))).collect();
        let mean = all.iter().sum::<f64>() / all.len().max(1) as f64;
        all.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>()
    };
    let residual = variance(&|i| rollout.returns[i] - rollout.values[i]);
    let total = variance(&|i| rollout.returns[i]);
    if total > 0.0 { 1.0 - residual / total } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_those_of_the_rows_that_were_asked() {
        assert_eq!(shares(&[0, 2, 1, 2], &[1, 2, 3, 0], 4), [0.25, 0.25, 0.5, 0.0]);
        assert_eq!(shares(&[0, 2, 1, 2], &[1, 3], 3), [0.0, 0.0, 1.0]);
        assert!(shares(&[0, 2], &[], 3).is_empty());
    }

    /// Four steps of two rows. The first row's episode ends with its second step and its rollout with the fourth; the
    /// second row does not choose in its third step, and then is cut by a time limit in its first one, too.
    #[test]
    fn successors_are_of_the_same_episode_and_chose() {
        let mut rollout = Rollout::default();
        rollout.resize(4, 2, 1, 2, false);
        rollout.asked.fill(true);
        rollout.asked[5] = false;
        rollout.terminated[2] = true;
        rollout.write_successors(2);
        assert_eq!(rollout.successors, [2, 3, 2, 3, 6, 5, 6, 7]);
        rollout.truncated[1] = true;
        rollout.write_successors(2);
        assert_eq!(rollout.successors, [2, 1, 2, 3, 6, 5, 6, 7]);
    }

    /// Of those that chose: 1 for a value that foresaw all, 0 for a constant, less for one that is further off.
    #[test]
    fn explained_variance_is_that_of_the_samples_that_are_learned_from() {
        let with = |values: [f32; 4]| {
            let asked = vec![true, true, false, true];
            let returns = vec![1.0, 2.0, 900.0, 3.0];
            explained_variance(&Rollout { asked, returns, values: values.to_vec(), ..Rollout::default() })
        };
        assert_eq!(with([1.0, 2.0, 0.0, 3.0]), 1.0);
        assert_eq!(with([11.0, 12.0, 0.0, 13.0]), 1.0);
        assert_eq!(with([7.0, 7.0, 0.0, 7.0]), 0.0);
        assert_eq!(with([3.0, 2.0, 0.0, 1.0]), -3.0);
    }
}
