//! Many environments at once: stepped by rayon, written into buffers that the caller owns.

mod saved;

use std::ops::Range;

use crate::cpu::Work;
use crate::env::{Agents, Ending, InvalidAction, ParallelEnv};
use crate::stream::lane_seed;
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

/// What happens to an environment whose episode has ended (the names of Gymnasium 1.x).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Autoreset {
    /// The step after the last resets: it ignores its action, has reward 0 and no flag, and
    /// yields the first observation of the next episode.
    NextStep,
    /// The last step resets at once: it yields the first observation of the next episode, and
    /// the last one of the episode that ended is in [`Batch::final_observations`].
    SameStep,
    /// Nothing: the environment is not stepped again (reward 0, nobody dies, its flags stay) until
    /// [`VecEnv::reset_lanes`].
    Disabled,
}

/// What a vector writes at each step; allocated once. N environments, A agents in each
/// (1 in a single-agent world), rows = N * A, D numbers in an observation.
#[derive(Clone, Debug)]
pub struct Batch {
    /// `[rows, D]`
    pub observations: Array2<f32>,
    /// `[rows]`
    pub rewards: Array1<f32>,
    /// `[N]`
    pub terminated: Array1<bool>,
    /// `[N]`
    pub truncated: Array1<bool>,
    /// `[rows, actions]`; no rows where the world masks nothing, see [`Agents::action_mask`].
    pub action_mask: Array2<bool>,
    /// `[rows]`; empty where the world masks nothing.
    pub alive: Array1<bool>,
    /// `[rows]`; empty where the world masks nothing.
    pub died: Array1<bool>,
    /// `[rows, D]` under [`Autoreset::SameStep`], else no rows. Valid where an episode ended.
    pub final_observations: Array2<f32>,
    /// `[N]`: sum of the rewards of all agents in the episode that ended. Valid where one ended.
    pub episode_return: Array1<f64>,
    /// `[N]`: its steps. Valid where one ended.
    pub episode_length: Array1<u32>,
}

/// An environment's episode so far.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Tally {
    episode_return: f64,
    length: u32,
    ending: Ending,
}

impl Tally {
    #[inline(always)]
    fn ended(&self) -> bool {
        self.ending.terminated | self.ending.truncated
    }
}

/// N environments of one kind.
pub struct VecEnv<E> {
    envs: Vec<E>,
    tallies: Vec<Tally>,
    autoreset: Autoreset,
}

/// The part of a batch that belongs to some consecutive environments.
struct Slice<'a, E> {
    envs: &'a mut [E],
    tallies: &'a mut [Tally],
    observations: &'a mut [f32],
    rewards: &'a mut [f32],
    terminated: &'a mut [bool],
    truncated: &'a mut [bool],
    action_mask: &'a mut [bool],
    alive: &'a mut [bool],
    died: &'a mut [bool],
    final_observations: &'a mut [f32],
    episode_return: &'a mut [f64],
    episode_length: &'a mut [u32],
}

/// Sizes that every slice shares.
#[derive(Clone, Copy)]
struct Shape {
    agents: usize,
    observation: usize,
    actions: usize,
    masked: bool,
    keeps_final: bool,
}

impl<E: ParallelEnv> VecEnv<E> {
    /// A vector of `envs`, which all have the same spaces and number of agents.
    ///
    /// # Errors
    /// If there is none, or one differs from the first.
    pub fn new(envs: Vec<E>, autoreset: Autoreset) -> Result<VecEnv<E>, String> {
        let first = envs.first().ok_or("a vector needs at least one environment")?;
        for (i, env) in envs.iter().enumerate() {
            if env.observation_space() != first.observation_space()
                || env.action_space() != first.action_space()
                || env.agents() != first.agents()
                || env.masked() != first.masked()
                || env.state_len() != first.state_len()
            {
                return Err(format!("environment {i} has other spaces, or another size, than environment 0"));
            }
        }
        Ok(VecEnv { tallies: vec![Tally::default(); envs.len()], envs, autoreset })
    }

    /// Number of environments.
    pub fn len(&self) -> usize {
        self.envs.len()
    }

    /// Never: a vector has at least one environment.
    pub fn is_empty(&self) -> bool {
        self.envs.is_empty()
    }

    /// The environments, in lane order.
    pub fn envs(&self) -> &[E] {
        &self.envs
    }

    fn shape(&self) -> Shape {
        let env = &self.envs[0];
        Shape {
            agents: env.agents(),
            observation: env.observation_space().len(),
            actions: env.action_space().n,
            masked: env.masked(),
            keeps_final: self.autoreset == Autoreset::SameStep,
        }
    }

    /// Buffers of the right shapes, zeroed.
    pub fn batch(&self) -> Batch {
        let shape = self.shape();
        let (lanes, rows) = (self.len(), self.len() * shape.agents);
        let masked_rows = if shape.masked { rows } else { 0 };
        let final_rows = if shape.keeps_final { rows } else { 0 };
        Batch {
            observations: Array2::zeros((rows, shape.observation)),
            rewards: Array1::zeros(rows),
            terminated: Array1::default(lanes),
            truncated: Array1::default(lanes),
            action_mask: Array2::default((masked_rows, shape.actions)),
            alive: Array1::default(masked_rows),
            died: Array1::default(masked_rows),
            final_observations: Array2::zeros((final_rows, shape.observation)),
            episode_return: Array1::zeros(lanes),
            episode_length: Array1::zeros(lanes),
        }
    }

    /// Resets every environment, lane i with `lane_seed(seed, i)`.
    pub fn reset(&mut self, seed: u64, batch: &mut Batch) {
        let seeds: Vec<Option<u64>> = (0..self.len() as u64).map(|i| Some(lane_seed(seed, i))).collect();
        self.reset_lanes(&seeds, batch);
    }

    /// Resets the lanes that have a seed in `seeds` `[N]`, each with its own; the others go on.
    ///
    /// # Panics
    /// If `seeds` has not one element a lane, or `batch` has other shapes than [`VecEnv::batch`].
    pub fn reset_lanes(&mut self, seeds: &[Option<u64>], batch: &mut Batch) {
        assert_eq!(seeds.len(), self.len(), "one seed (or None) a lane");
        let shape = self.shape();
        let mut slice = self.whole(batch);
        for (lane, seed) in seeds.iter().enumerate() {
            if seed.is_some() {
                slice.reset(shape, lane, *seed);
            }
        }
    }

    /// Steps every environment with `actions` `[rows]`; those of rows that are not asked or whose
    /// episode is over are ignored, but must be actions too.
    ///
    /// # Errors
    /// If an action is outside the action space; nothing has changed then.
    ///
    /// # Panics
    /// If `actions` has not one element a row, or `batch` has other shapes than [`VecEnv::batch`].
    pub fn step(&mut self, actions: &[usize], batch: &mut Batch) -> Result<(), InvalidAction> {
        let shape = self.shape();
        assert_eq!(actions.len(), self.len() * shape.agents, "one action a row");
        let n = shape.actions;
        if let Some(row) = actions.iter().position(|&action| action >= n) {
            return Err(InvalidAction { action: actions[row], row, n });
        }
        let autoreset = self.autoreset;
        let per_thread = self.len().div_ceil(rayon::current_num_threads()).max(E::PARALLEL_FROM);
        step_pieces(StepSlice { slice: self.whole(batch), actions, shape, autoreset }, per_thread);
        Ok(())
    }

    /// Writes every environment's whole state into `states` `[N, state_len]`.
    ///
    /// # Panics
    /// If `states` has not one row a lane.
    pub fn write_states(&self, states: &mut Array2<f32>) {
        assert_eq!(states.nrows(), self.len(), "one row a lane");
        for (env, mut row) in self.envs.iter().zip(states.rows_mut()) {
            if let Some(row) = row.as_slice_mut() {
                env.write_state(row);
            }
        }
    }

    fn whole<'a>(&'a mut self, batch: &'a mut Batch) -> Slice<'a, E> {
        Slice {
            envs: &mut self.envs,
            tallies: &mut self.tallies,
            observations: contiguous(batch.observations.as_slice_mut()),
            rewards: contiguous(batch.rewards.as_slice_mut()),
            terminated: contiguous(batch.terminated.as_slice_mut()),
            truncated: contiguous(batch.truncated.as_slice_mut()),
            action_mask: contiguous(batch.action_mask.as_slice_mut()),
            alive: contiguous(batch.alive.as_slice_mut()),
            died: contiguous(batch.died.as_slice_mut()),
            final_observations: contiguous(batch.final_observations.as_slice_mut()),
            episode_return: contiguous(batch.episode_return.as_slice_mut()),
            episode_length: contiguous(batch.episode_length.as_slice_mut()),
        }
    }
}

/// The arrays of a [`Batch`] are public: a caller could have put a strided one there.
#[allow(clippy::expect_used)]
fn contiguous<T>(array: Option<&mut [T]>) -> &mut [T] {
    array.expect("the arrays of a batch are in standard layout, as VecEnv::batch makes them")
}

/// Steps `work` in pieces of at most `lanes` environments, in parallel. Which thread steps which
/// piece changes no result: lanes share nothing.
fn step_pieces<E: ParallelEnv>(work: StepSlice<'_, E>, lanes: usize) {
    let pieces = work.slice.envs.len().div_ceil(lanes);
    if pieces == 1 {
        E::batch(work);
    } else {
        let (left, right) = work.split_at(pieces / 2 * lanes);
        rayon::join(|| step_pieces(left, lanes), || step_pieces(right, lanes));
    }
}

/// One step of a slice: the work that [`ParallelEnv::batch`] compiles for each CPU path.
struct StepSlice<'a, E> {
    slice: Slice<'a, E>,
    actions: &'a [usize],
    shape: Shape,
    autoreset: Autoreset,
}

impl<'a, E: ParallelEnv> StepSlice<'a, E> {
    fn split_at(self, lanes: usize) -> (StepSlice<'a, E>, StepSlice<'a, E>) {
        let shape = self.shape;
        let rows = lanes * shape.agents;
        let (envs, envs_right) = self.slice.envs.split_at_mut(lanes);
        let (tallies, tallies_right) = self.slice.tallies.split_at_mut(lanes);
        let (observations, observations_right) = cut(self.slice.observations, rows * shape.observation);
        let (rewards, rewards_right) = cut(self.slice.rewards, rows);
        let (terminated, terminated_right) = cut(self.slice.terminated, lanes);
        let (truncated, truncated_right) = cut(self.slice.truncated, lanes);
        let (action_mask, action_mask_right) = cut(self.slice.action_mask, rows * shape.actions);
        let (alive, alive_right) = cut(self.slice.alive, rows);
        let (died, died_right) = cut(self.slice.died, rows);
        let (finals, finals_right) = cut(self.slice.final_observations, rows * shape.observation);
        let (episode_return, episode_return_right) = cut(self.slice.episode_return, lanes);
        let (episode_length, episode_length_right) = cut(self.slice.episode_length, lanes);
        let (actions, actions_right) = self.actions.split_at(rows);
        let left = Slice {
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
        (
            StepSlice { slice: left, actions, ..self },
            StepSlice { slice: right, actions: actions_right, ..self },
        )
    }
}

/// Cuts an array in two; one that the world or the autoreset mode leaves empty stays empty.
fn cut<T>(array: &mut [T], at: usize) -> (&mut [T], &mut [T]) {
    array.split_at_mut(at.min(array.len()))
}

impl<E: ParallelEnv> Work for StepSlice<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let (shape, autoreset) = (self.shape, self.autoreset);
        for lane in 0..self.slice.envs.len() {
            let first = lane * shape.agents;
            let actions = &self.actions[first..first + shape.agents];
            self.slice.step(shape, autoreset, lane, actions);
        }
    }
}

impl<E: ParallelEnv> Slice<'_, E> {
    /// The environment of `lane` and the rows that it writes.
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
        (&mut self.envs[lane], agents)
    }

    #[inline(always)]
    fn reset(&mut self, shape: Shape, lane: usize, seed: Option<u64>) {
        let (env, mut agents) = self.lane(shape, lane);
        agents.rewards.fill(0.0);
        agents.died.fill(false);
        env.reset(seed, agents.reborrow());
        self.tallies[lane] = Tally::default();
        self.terminated[lane] = false;
        self.truncated[lane] = false;
    }

    #[inline(always)]
    fn step(&mut self, shape: Shape, autoreset: Autoreset, lane: usize, actions: &[usize]) {
        if self.tallies[lane].ended() {
            if autoreset == Autoreset::NextStep {
                self.reset(shape, lane, None);
            } else {
                // What happened in the last step happened once.
                let (_, agents) = self.lane(shape, lane);
                agents.rewards.fill(0.0);
                agents.died.fill(false);
            }
            return;
        }
        let (env, mut agents) = self.lane(shape, lane);
        // The actions were checked before the first lane moved.
        let ending = env.step(actions, agents.reborrow()).unwrap_or_default();
        let reward: f64 = agents.rewards.iter().map(|&reward| f64::from(reward)).sum();
        let tally = &mut self.tallies[lane];
        tally.episode_return += reward;
        tally.length += 1;
        self.terminated[lane] = ending.terminated;
        self.truncated[lane] = ending.truncated;
        if ending.terminated || ending.truncated {
            self.end(shape, autoreset, lane, ending);
        }
    }

    /// Closes an episode: keeps its tally and, where the mode says so, starts the next one.
    fn end(&mut self, shape: Shape, autoreset: Autoreset, lane: usize, ending: Ending) {
        self.episode_return[lane] = self.tallies[lane].episode_return;
        self.episode_length[lane] = self.tallies[lane].length;
        self.tallies[lane].ending = ending;
        if autoreset == Autoreset::SameStep {
            let row = lane * shape.agents..(lane + 1) * shape.agents;
            let numbers = scaled(&row, shape.observation);
            self.final_observations[numbers.clone()].copy_from_slice(&self.observations[numbers]);
            let (env, mut agents) = self.lane(shape, lane);
            env.reset(None, agents.reborrow());
            self.tallies[lane] = Tally::default();
        }
    }
}

#[inline(always)]
fn scaled(rows: &Range<usize>, width: usize) -> Range<usize> {
    rows.start * width..rows.end * width
}
