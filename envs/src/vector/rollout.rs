//! Chunked rollouts: many steps of a slice that fits the cache, then the next slice.

use std::ops::Range;

use super::slice::{Shape, Slice, StepSlice};
use super::{Autoreset, Batch, VecEnv, check};
use crate::env::{InvalidAction, ParallelEnv};

/// Of a level-two cache, this much is taken for a slice: it has other guests too.
const CACHE: usize = 192 << 10;

/// What a policy sees of its slice in a rollout: its part of the arrays of [`Batch`], n lanes with A rows each.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    /// The lanes of the slice.
    pub lanes: Range<usize>,
    /// Steps of this rollout done before this call.
    pub step: u32,
    /// `[n * A, D]`
    pub observations: &'a [f32],
    /// `[n * A]`
    pub rewards: &'a [f32],
    /// `[n]`
    pub terminated: &'a [bool],
    /// `[n]`
    pub truncated: &'a [bool],
    /// `[n * A, actions]`; empty where the world masks nothing.
    pub action_mask: &'a [bool],
    /// `[n * A]`; empty where the world masks nothing.
    pub alive: &'a [bool],
    /// `[n * A]`; empty where the world masks nothing.
    pub died: &'a [bool],
    /// `[n * A, D]` under same-step autoreset, else empty.
    pub final_observations: &'a [f32],
    /// `[n]`: valid where an episode ended.
    pub episode_return: &'a [f64],
    /// `[n]`: valid where an episode ended.
    pub episode_length: &'a [u32],
}

/// What every slice of a rollout shares.
struct Plan<P> {
    steps: u32,
    lanes: usize,
    shape: Shape,
    autoreset: Autoreset,
    policy: P,
}

impl<E: ParallelEnv> VecEnv<E> {
    /// How many lanes, with their part of a batch, fit a core's second cache.
    ///
    /// `heap_bytes` are those of one environment beyond `size_of`.
    pub fn lanes_in_cache(&self, heap_bytes: usize) -> usize {
        let shape = self.shape;
        let row = (1 + shape.observation) * size_of::<f32>() + shape.actions + size_of::<usize>();
        (CACHE / (size_of::<E>() + heap_bytes + shape.agents * row)).max(1)
    }

    /// Takes `steps` steps of every environment, slice by slice: all of them with the first `lanes`
    /// environments, then with the next. So an environment comes from memory once for all its steps,
    /// where [`VecEnv::step`] brings it for each. The results are the same, lane by lane.
    ///
    /// `lanes` is rounded up to a multiple of 16 where so many lie side by side.
    ///
    /// `policy` is asked before each step of each slice: it reads what its slice shows and writes `actions`
    /// `[n * A]`; slices go in parallel. In `batch` the last step is left.
    ///
    /// # Errors
    /// If an action is outside the action space: with [`InvalidAction::row`] counted in the whole vector.
    /// Some lanes have gone further than others then: reset the vector.
    ///
    /// # Panics
    /// If `lanes` is 0, or `batch` has other shapes than [`VecEnv::batch`].
    pub fn rollout(
        &mut self,
        steps: u32,
        lanes: usize,
        batch: &mut Batch,
        actions: &mut [usize],
        policy: impl Fn(&Seen<'_>, &mut [usize]) + Sync,
    ) -> Result<(), InvalidAction> {
        assert!(lanes > 0, "a slice needs at least one lane");
        let (shape, autoreset, lanes) = (self.shape, self.autoreset, self.whole_sixteens(lanes));
        assert_eq!(actions.len(), self.len() * shape.agents, "one action a row");
        roll(&Plan { steps, lanes, shape, autoreset, policy }, self.whole(batch), actions, 0)
    }
}

/// Rolls `slice` out, which begins at lane `first`, in pieces of the plan's lanes.
fn roll<E: ParallelEnv, P: Fn(&Seen<'_>, &mut [usize]) + Sync>(
    plan: &Plan<P>,
    mut slice: Slice<'_, E>,
    actions: &mut [usize],
    first: usize,
) -> Result<(), InvalidAction> {
    let pieces = slice.tallies.len().div_ceil(plan.lanes);
    if pieces > 1 {
        let half = pieces / 2 * plan.lanes;
        let (left, right) = slice.split_at(plan.shape, half);
        let (actions_left, actions_right) = actions.split_at_mut(half * plan.shape.agents);
        let (left, right) = rayon::join(
            || roll(plan, left, actions_left, first),
            || roll(plan, right, actions_right, first + half),
        );
        return left.and(right);
    }
    let Plan { shape, autoreset, .. } = *plan;
    for step in 0..plan.steps {
        (plan.policy)(&slice.seen(first, step), actions);
        check(actions, shape.actions)
            .map_err(|error| InvalidAction { row: first * shape.agents + error.row, ..error })?;
        StepSlice { slice: &mut slice, actions, shape, autoreset }.run();
    }
    Ok(())
}

impl<E: ParallelEnv> Slice<'_, E> {
    fn seen(&self, first: usize, step: u32) -> Seen<'_> {
        Seen {
            lanes: first..first + self.tallies.len(),
            step,
            observations: self.observations,
            rewards: self.rewards,
            terminated: self.terminated,
            truncated: self.truncated,
            action_mask: self.action_mask,
            alive: self.alive,
            died: self.died,
            final_observations: self.final_observations,
            episode_return: self.episode_return,
            episode_length: self.episode_length,
        }
    }
}
