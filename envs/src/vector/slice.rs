//! Some consecutive environments of a vector with their part of its batch, and a step of them.

use std::ops::Range;

use rayon::ThreadPool;
use serde::{Deserialize, Serialize};

use super::Autoreset;
use crate::env::{Agents, Ending, ParallelEnv, Rows, Together};
use crate::math::LANES;

/// An environment's episode so far.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) episode_return: f64,
    pub(super) length: u32,
    pub(super) ending: Ending,
}

impl Tally {
    #[inline(always)]
    pub(super) fn ended(&self) -> bool {
        self.ending.terminated | self.ending.truncated
    }
}

/// The part of a batch that belongs to some consecutive environments.
pub(super) struct Slice<'a, E> {
    pub(super) together: &'a mut [Box<dyn Together<E>>],
    pub(super) envs: &'a mut [E],
    pub(super) tallies: &'a mut [Tally],
    pub(super) observations: &'a mut [f32],
    pub(super) rewards: &'a mut [f32],
    pub(super) terminated: &'a mut [bool],
    pub(super) truncated: &'a mut [bool],
    pub(super) action_mask: &'a mut [bool],
    pub(super) alive: &'a mut [bool],
    pub(super) died: &'a mut [bool],
    pub(super) final_observations: &'a mut [f32],
    pub(super) episode_return: &'a mut [f64],
    pub(super) episode_length: &'a mut [u32],
}

/// Sizes that every slice shares.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) agents: usize,
    pub(super) observation: usize,
    pub(super) actions: usize,
    pub(super) masked: bool,
    pub(super) keeps_final: bool,
}

/// Steps `slice` in pieces of at most `lanes` environments, whole sixteens where they lie side by side, in
/// parallel. Which thread steps which piece changes no result: lanes share nothing.
pub(super) fn step_pieces<E: ParallelEnv>(
    mut slice: Slice<'_, E>,
    actions: &[usize],
    shape: Shape,
    autoreset: Autoreset,
    lanes: usize,
) {
    let pieces = slice.tallies.len().div_ceil(lanes);
    if pieces == 1 {
        StepSlice { slice: &mut slice, actions, shape, autoreset }.run();
    } else {
        let half = pieces / 2 * lanes;
        let (left, right) = slice.split_at(shape, half);
        let (actions_left, actions_right) = actions.split_at(half * shape.agents);
        rayon::join(
            || step_pieces(left, actions_left, shape, autoreset, lanes),
            || step_pieces(right, actions_right, shape, autoreset, lanes),
        );
    }
}

/// The same with this thread at the first piece and `helpers` at the others: no other has to wake before work begins.
pub(super) fn step_pieces_here<E: ParallelEnv>(
    helpers: &ThreadPool,
    mut slice: Slice<'_, E>,
    actions: &[usize],
    shape: Shape,
    autoreset: Autoreset,
    lanes: usize,
) {
    helpers.in_place_scope(|scope| {
        let mut actions = actions;
        // From the end on, so that the piece that is left is this thread's.
        while slice.tallies.len() > lanes {
            let at = (slice.tallies.len() - 1) / lanes * lanes;
            let (rest, mut piece) = slice.split_at(shape, at);
            let (actions_left, own) = actions.split_at(at * shape.agents);
            scope.spawn(move |_| StepSlice { slice: &mut piece, actions: own, shape, autoreset }.run());
            (slice, actions) = (rest, actions_left);
        }
        StepSlice { slice: &mut slice, actions, shape, autoreset }.run();
    });
}

/// One step of a slice.
pub(super) struct StepSlice<'a, 'b, E> {
    pub(super) slice: &'a mut Slice<'b, E>,
    pub(super) actions: &'a [usize],
    pub(super) shape: Shape,
    pub(super) autoreset: Autoreset,
}

impl<E: ParallelEnv> StepSlice<'_, '_, E> {
    pub(super) fn run(self) {
        let StepSlice { slice, actions, shape, autoreset } = self;
        slice.step_together(shape, autoreset, actions);
        let Some(first) = slice.envs.first() else { return };
        // Said again by the environment itself: where these are constants, the loop knows them.
        let shape = Shape { agents: first.agents(), masked: first.masked(), ..shape };
        let single = shape.agents == 1 && !shape.masked && shape.observation > 0;
        if single && autoreset == Autoreset::SameStep {
            return slice.step_singles(shape, actions);
        }
        for lane in slice.together.len() * LANES..slice.tallies.len() {
            let row = lane * shape.agents;
            slice.step(shape, autoreset, lane, &actions[row..row + shape.agents]);
        }
    }
}

impl<'a, E: ParallelEnv> Slice<'a, E> {
    /// The first `lanes` environments, and the others.
    pub(super) fn split_at(self, shape: Shape, lanes: usize) -> (Slice<'a, E>, Slice<'a, E>) {
        let rows = lanes * shape.agents;
        let sixteens = self.together.len().min(lanes / LANES);
        let (together, together_right) = self.together.split_at_mut(sixteens);
        let (envs, envs_right) = self.envs.split_at_mut(lanes - sixteens * LANES);
        let (tallies, tallies_right) = self.tallies.split_at_mut(lanes);
        let (observations, observations_right) = cut(self.observations, rows * shape.observation);
        let (rewards, rewards_right) = cut(self.rewards, rows);
        let (terminated, terminated_right) = cut(self.terminated, lanes);
        let (truncated, truncated_right) = cut(self.truncated, lanes);
        let (action_mask, action_mask_right) = cut(self.action_mask, rows * shape.actions);
        let (alive, alive_right) = cut(self.alive, rows);
        let (died, died_right) = cut(self.died, rows);
        let (finals, finals_right) = cut(self.final_observations, rows * shape.observation);
        let (episode_return, episode_return_right) = cut(self.episode_return, lanes);
        let (episode_length, episode_length_right) = cut(self.episode_length, lanes);
        let left = Slice {
            together,
            envs,
            tallies,
            observations,
            rewards,
            terminated,
            truncated,
            action_mask,
            alive,
            died,
            final_observations: finals,
            episode_return,
            episode_length,
        };
        let right = Slice {
            together: together_right,
            envs: envs_right,
            tallies: tallies_right,
            observations: observations_right,
            rewards: rewards_right,
            terminated: terminated_right,
            truncated: truncated_right,
            action_mask: action_mask_right,
            alive: alive_right,
            died: died_right,
            final_observations: finals_right,
            episode_return: episode_return_right,
            episode_length: episode_length_right,
        };
        (left, right)
    }

    /// The environment of `lane`, which lies alone, and the rows that it writes.
    #[inline(always)]
    fn lane(&mut self, shape: Shape, lane: usize) -> (&mut E, Agents<'_>) {
        let rows = lane * shape.agents..(lane + 1) * shape.agents;
        let masked = if shape.masked { rows.clone() } else { 0..0 };
        let agents = Agents {
            observations: &mut self.observations[scaled(&rows, shape.observation)],
            rewards: &mut self.rewards[rows],
            action_mask: &mut self.action_mask[scaled(&masked, shape.actions)],
            alive: &mut self.alive[masked.clone()],
            died: &mut self.died[masked],
        };
        (&mut self.envs[lane - self.together.len() * LANES], agents)
    }

    /// Lets `change` do something to the environment of `lane` and the rows that it writes.
    pub(super) fn change<R>(
        &mut self,
        shape: Shape,
        lane: usize,
        change: impl FnOnce(&mut E, Agents<'_>) -> R,
    ) -> R {
        if lane >= self.together.len() * LANES {
            let (env, agents) = self.lane(shape, lane);
            return change(env, agents);
        }
        let mut env = self.together[lane / LANES].get(lane % LANES);
        let (observations, rewards) = (scaled(&(lane..lane + 1), shape.observation), lane..lane + 1);
        let agents = Agents {
            observations: &mut self.observations[observations],
            rewards: &mut self.rewards[rewards],
            action_mask: &mut [],
            alive: &mut [],
            died: &mut [],
        };
        let result = change(&mut env, agents);
        self.together[lane / LANES].put(lane % LANES, env);
        result
    }

    pub(super) fn reset(&mut self, shape: Shape, lane: usize, seed: Option<u64>) {
        self.change(shape, lane, |env, agents| {
            agents.rewards.fill(0.0);
            agents.died.fill(false);
            env.reset(seed, agents);
        });
        self.tallies[lane] = Tally::default();
        self.terminated[lane] = false;
        self.truncated[lane] = false;
    }

    /// A step of the lanes that lie side by side.
    #[inline(always)]
    fn step_together(&mut self, shape: Shape, autoreset: Autoreset, actions: &[usize]) {
        for index in 0..self.together.len() {
            let first = index * LANES;
            let mut resting = false;
            for tally in &self.tallies[first..first + LANES] {
                resting |= tally.ended();
            }
            if resting {
                self.step_some(shape, autoreset, index, actions);
            } else if self.step_sixteen(shape, index, actions) {
                for lane in first..first + LANES {
                    self.end_if_over(shape, autoreset, lane);
                }
            }
        }
    }

    /// A step of sixteen lanes none of which is over; yields whether one is now.
    #[inline(always)]
    fn step_sixteen(&mut self, shape: Shape, index: usize, actions: &[usize]) -> bool {
        let lanes = index * LANES..(index + 1) * LANES;
        let rewards = sixteen(self.rewards, index);
        let (terminated, truncated) = (sixteen(self.terminated, index), sixteen(self.truncated, index));
        let observations = &mut self.observations[scaled(&lanes, shape.observation)];
        let rows = Rows { observations, rewards, terminated, truncated };
        self.together[index].step(&actions.as_chunks().0[index], rows);
        let mut ended = false;
        for (i, tally) in self.tallies[lanes].iter_mut().enumerate() {
            tally.episode_return += f64::from(rewards[i]);
            tally.length += 1;
            ended |= terminated[i] | truncated[i];
        }
        ended
    }

    /// A step of sixteen lanes some of which are over.
    #[inline(never)]
    fn step_some(&mut self, shape: Shape, autoreset: Autoreset, index: usize, actions: &[usize]) {
        let first = index * LANES;
        let over: [bool; LANES] = std::array::from_fn(|lane| self.tallies[first + lane].ended());
        self.step_sixteen(shape, index, actions);
        for (lane, over) in over.into_iter().enumerate() {
            if over {
                self.rest(shape, autoreset, first + lane);
            } else {
                self.end_if_over(shape, autoreset, first + lane);
            }
        }
    }

    /// Closes the episode of a lane whose flags say that it is over.
    #[inline(always)]
    fn end_if_over(&mut self, shape: Shape, autoreset: Autoreset, lane: usize) {
        let ending = Ending { terminated: self.terminated[lane], truncated: self.truncated[lane] };
        if ending.terminated | ending.truncated {
            self.end(shape, autoreset, lane, ending);
        }
    }

    /// [`Slice::step`] of every lane that lies alone, where each has one agent and no episode is ever over:
    /// some lanes in a row, and then those of them whose episode ends.
    #[inline(always)]
    fn step_singles(&mut self, shape: Shape, actions: &[usize]) {
        const BLOCK: usize = 32;
        let alone = self.together.len() * LANES;
        for first in (alone..self.tallies.len()).step_by(BLOCK) {
            let block = first..self.tallies.len().min(first + BLOCK);
            let envs = self.envs[block.start - alone..block.end - alone]
                .iter_mut()
                .zip(&mut self.tallies[block.clone()]);
            let seen =
                self.observations[scaled(&block, shape.observation)].chunks_exact_mut(shape.observation);
            let flags = self.terminated[block.clone()].iter_mut().zip(&mut self.truncated[block.clone()]);
            let rows = seen.zip(&mut self.rewards[block.clone()]).zip(&actions[block.clone()]);
            let mut ended = false;
            for (((env, tally), ((observations, reward), action)), (terminated, truncated)) in
                envs.zip(rows).zip(flags)
            {
                let rewards = std::slice::from_mut(reward);
                let (action_mask, alive, died): (&mut [bool], &mut [bool], &mut [bool]) =
                    (&mut [], &mut [], &mut []);
                let out = Agents { observations, rewards, action_mask, alive, died };
                // The actions were checked before the first lane moved.
                let ending = env.step(std::slice::from_ref(action), out).unwrap_or_default();
                tally.episode_return += f64::from(*reward);
                tally.length += 1;
                (*terminated, *truncated) = (ending.terminated, ending.truncated);
                ended |= ending.terminated | ending.truncated;
            }
            if ended {
                for lane in block {
                    self.end_if_over(shape, Autoreset::SameStep, lane);
                }
            }
        }
    }

    #[inline(always)]
    fn step(&mut self, shape: Shape, autoreset: Autoreset, lane: usize, actions: &[usize]) {
        if self.tallies[lane].ended() {
            return self.rest(shape, autoreset, lane);
        }
        let (env, mut agents) = self.lane(shape, lane);
        // The actions were checked before the first lane moved.
        let ending = env.step(actions, agents.reborrow()).unwrap_or_default();
        let mut reward = 0.0;
        for agent in 0..shape.agents {
            reward += f64::from(agents.rewards[agent]);
        }
        let tally = &mut self.tallies[lane];
        tally.episode_return += reward;
        tally.length += 1;
        self.terminated[lane] = ending.terminated;
        self.truncated[lane] = ending.truncated;
        self.end_if_over(shape, autoreset, lane);
    }

    /// The step of a lane whose episode is over.
    #[inline(never)]
    fn rest(&mut self, shape: Shape, autoreset: Autoreset, lane: usize) {
        if autoreset == Autoreset::NextStep {
            self.reset(shape, lane, None);
        } else {
            // What happened in the last step happened once.
            self.change(shape, lane, |_, agents| {
                agents.rewards.fill(0.0);
                agents.died.fill(false);
            });
        }
    }

    /// Closes an episode: keeps its tally and, where the mode says so, starts the next one.
    #[inline(never)]
    fn end(&mut self, shape: Shape, autoreset: Autoreset, lane: usize, ending: Ending) {
        self.episode_return[lane] = self.tallies[lane].episode_return;
        self.episode_length[lane] = self.tallies[lane].length;
        self.tallies[lane].ending = ending;
        if autoreset == Autoreset::SameStep {
            let row = lane * shape.agents..(lane + 1) * shape.agents;
            let numbers = scaled(&row, shape.observation);
            self.final_observations[numbers.clone()].copy_from_slice(&self.observations[numbers]);
            self.change(shape, lane, |env, agents| env.reset(None, agents));
            self.tallies[lane] = Tally::default();
        }
    }
}

/// The numbers of sixteen lanes.
#[inline(always)]
fn sixteen<T>(array: &mut [T], index: usize) -> &mut [T; LANES] {
    &mut array.as_chunks_mut().0[index]
}

/// Cuts an array in two; one that the world or the autoreset mode leaves empty stays empty.
fn cut<T>(array: &mut [T], at: usize) -> (&mut [T], &mut [T]) {
    array.split_at_mut(at.min(array.len()))
}

#[inline(always)]
pub(super) fn scaled(rows: &Range<usize>, width: usize) -> Range<usize> {
    rows.start * width..rows.end * width
}
