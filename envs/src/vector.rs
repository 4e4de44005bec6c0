//! Many environments at once: stepped by rayon, written into buffers that the caller owns.

mod autoreset;
mod rollout;
mod saved;
mod slice;

use std::borrow::Cow;

use ndarray::{Array1, Array2};
use rayon::ThreadPool;

use crate::env::{InvalidAction, ParallelEnv, Together};
use crate::math::LANES;
use crate::space::{BoxSpace, Discrete};
use crate::stream::lane_seed;

pub use autoreset::Autoreset;
pub use rollout::Seen;
use slice::{Shape, Slice, Tally, step_pieces, step_pieces_here};

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
    /// `[rows, actions]`; no rows where the world masks nothing, see [`crate::env::Agents::action_mask`].
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

/// N environments of one kind.
pub struct VecEnv<E> {
    /// The first lanes, sixteen in each: those that can be stepped side by side.
    together: Vec<Box<dyn Together<E>>>,
    /// The others.
    envs: Vec<E>,
    tallies: Vec<Tally>,
    autoreset: Autoreset,
    shape: Shape,
    observation_space: BoxSpace,
    state_len: usize,
}

impl<E: ParallelEnv> VecEnv<E> {
    /// A vector of `envs`, which all have the same spaces and number of agents.
    ///
    /// # Errors
    /// If there is none, or one differs from the first.
    pub fn new(mut envs: Vec<E>, autoreset: Autoreset) -> Result<VecEnv<E>, String> {
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
        let shape = Shape {
            agents: first.agents(),
            observation: first.observation_space().len(),
            actions: first.action_space().n,
            masked: first.masked(),
            keeps_final: autoreset == Autoreset::SameStep,
        };
        let (observation_space, state_len) = (first.observation_space().clone(), first.state_len());
        let tallies = vec![Tally::default(); envs.len()];
        // Without autoreset lanes stop one by one and are looked at one by one.
        let together = if autoreset == Autoreset::Disabled { Vec::new() } else { E::together(&mut envs) };
        Ok(VecEnv { together, envs, tallies, autoreset, shape, observation_space, state_len })
    }

    /// Number of environments.
    pub fn len(&self) -> usize {
        self.tallies.len()
    }

    /// Never: a vector has at least one environment.
    pub fn is_empty(&self) -> bool {
        self.tallies.is_empty()
    }

    /// The environment of `lane` as it is; a copy where it lies side by side with others, as clusters do
    /// unless autoreset is disabled.
    ///
    /// # Panics
    /// If there is no such lane.
    pub fn env(&self, lane: usize) -> Cow<'_, E>
    where
        E: Clone,
    {
        match self.together.get(lane / LANES) {
            Some(together) => Cow::Owned(together.get(lane % LANES)),
            None => Cow::Borrowed(&self.envs[lane - self.together.len() * LANES]),
        }
    }

    /// Rows of each environment: the most agents that can live at a time.
    pub fn agents(&self) -> usize {
        self.shape.agents
    }

    /// Bounds and length of one agent's observation.
    pub fn observation_space(&self) -> &BoxSpace {
        &self.observation_space
    }

    /// The actions of one agent.
    pub fn action_space(&self) -> Discrete {
        Discrete { n: self.shape.actions }
    }

    /// Numbers of an environment's whole state, see [`VecEnv::write_states`].
    pub fn state_len(&self) -> usize {
        self.state_len
    }

    /// Buffers of the right shapes, zeroed.
    pub fn batch(&self) -> Batch {
        let shape = self.shape;
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
        let shape = self.shape;
        let mut slice = self.whole(batch);
        for (lane, seed) in seeds.iter().enumerate() {
            if seed.is_some() {
                slice.reset(shape, lane, *seed);
            }
        }
    }

    /// Begins in the lanes marked in `lanes` `[N]` the next episode of the seed in use; the others go on.
    ///
    /// # Panics
    /// If `lanes` has not one element a lane, or `batch` has other shapes than [`VecEnv::batch`].
    pub fn next_episodes(&mut self, lanes: &[bool], batch: &mut Batch) {
        assert_eq!(lanes.len(), self.len(), "one flag a lane");
        let shape = self.shape;
        let mut slice = self.whole(batch);
        for lane in (0..lanes.len()).filter(|&lane| lanes[lane]) {
            slice.reset(shape, lane, None);
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
        self.step_on(rayon::current_num_threads(), actions, batch)
    }

    /// As [`VecEnv::step`], on that many threads of the present pool; on one it asks for no pool.
    ///
    /// # Errors
    /// As [`VecEnv::step`].
    ///
    /// # Panics
    /// As [`VecEnv::step`]; if `threads` is 0.
    pub fn step_on(
        &mut self,
        threads: usize,
        actions: &[usize],
        batch: &mut Batch,
    ) -> Result<(), InvalidAction> {
        let pieces = self.pieces(threads, actions)?;
        let (shape, autoreset) = (self.shape, self.autoreset);
        step_pieces(self.whole(batch), actions, shape, autoreset, pieces);
        Ok(())
    }

    /// As [`VecEnv::step`], on this thread and `helpers`, with the observations in `observations` `[rows, D]` and not in the batch,
    /// whose own stay as they were: for who hands them on and wants no copy. Without autoreset those of lanes that are over
    /// are left out.
    ///
    /// # Errors
    /// As [`VecEnv::step`].
    ///
    /// # Panics
    /// As [`VecEnv::step`]; if `observations` has another length.
    pub fn step_into(
        &mut self,
        helpers: Option<&ThreadPool>,
        actions: &[usize],
        observations: &mut [f32],
        batch: &mut Batch,
    ) -> Result<(), InvalidAction> {
        let threads = 1 + helpers.map_or(0, ThreadPool::current_num_threads);
        let pieces = self.pieces(threads, actions)?;
        let (shape, autoreset) = (self.shape, self.autoreset);
        let whole = self.whole(batch);
        assert_eq!(observations.len(), whole.observations.len(), "D numbers a row");
        let slice = Slice { observations, ..whole };
        match helpers {
            Some(helpers) => step_pieces_here(helpers, slice, actions, shape, autoreset, pieces),
            None => step_pieces(slice, actions, shape, autoreset, pieces),
        }
        Ok(())
    }

    /// How many lanes each of `threads` threads steps, once the actions are known to be some.
    fn pieces(&self, threads: usize, actions: &[usize]) -> Result<usize, InvalidAction> {
        assert_eq!(actions.len(), self.len() * self.shape.agents, "one action a row");
        check(actions, self.shape.actions)?;
        Ok(self.whole_sixteens(self.len().div_ceil(threads).max(E::PARALLEL_FROM)))
    }

    /// Writes what there is to know of every environment beside its observation into `infos` `[N]`.
    ///
    /// # Panics
    /// If `infos` has not one element a lane.
    pub fn write_infos(&self, infos: &mut [E::Info]) {
        assert_eq!(infos.len(), self.len(), "one info a lane");
        let (sixteens, rest) = infos.split_at_mut(self.together.len() * LANES);
        for (together, infos) in self.together.iter().zip(sixteens.as_chunks_mut().0) {
            together.write_infos(infos);
        }
        for (env, info) in self.envs.iter().zip(rest) {
            *info = env.info();
        }
    }

    /// Writes every environment's whole state into `states` `[N, state_len]`.
    ///
    /// # Panics
    /// If `states` has not one row a lane.
    pub fn write_states(&self, states: &mut Array2<f32>) {
        assert_eq!(states.nrows(), self.len(), "one row a lane");
        for (lane, mut row) in states.rows_mut().into_iter().enumerate() {
            if let Some(row) = row.as_slice_mut() {
                self.look(lane, |env| env.write_state(row));
            }
        }
    }

    /// Marks in `forgotten` `[rows]` each row whose mind has to forget in the last step what it remembers, though
    /// it lives on; the others stay as they are. See [`ParallelEnv::write_forgotten`].
    ///
    /// # Panics
    /// If `forgotten` has not one element a row.
    pub fn write_forgotten(&self, forgotten: &mut [bool]) {
        assert_eq!(forgotten.len(), self.len() * self.shape.agents, "one flag a row");
        // Lanes that lie side by side are copied to be looked at, and have one row that never dies.
        if self.shape.masked {
            for (lane, rows) in forgotten.chunks_exact_mut(self.shape.agents).enumerate() {
                self.look(lane, |env| env.write_forgotten(rows));
            }
        }
    }

    /// `lanes`, rounded up to what can be cut off where some lie side by side.
    fn whole_sixteens(&self, lanes: usize) -> usize {
        if self.together.is_empty() { lanes } else { lanes.next_multiple_of(LANES) }
    }

    /// What `look` says of the environment of `lane`.
    fn look<R>(&self, lane: usize, look: impl FnOnce(&E) -> R) -> R {
        match self.together.get(lane / LANES) {
            Some(together) => look(&together.get(lane % LANES)),
            None => look(&self.envs[lane - self.together.len() * LANES]),
        }
    }

    fn whole<'a>(&'a mut self, batch: &'a mut Batch) -> Slice<'a, E> {
        Slice {
            together: &mut self.together,
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

/// Refuses what is outside an action space of `n`.
#[inline]
fn check(actions: &[usize], n: usize) -> Result<(), InvalidAction> {
    // Without a way out in the middle, which the vector units do not know.
    if actions.iter().fold(false, |wrong, &action| wrong | (action >= n)) {
        let row = actions.iter().position(|&action| action >= n).unwrap_or_default();
        return Err(InvalidAction { action: actions[row], row, n });
    }
    Ok(())
}

/// The arrays of a [`Batch`] are public: a caller could have put a strided one there.
#[allow(clippy::expect_used)]
fn contiguous<T>(array: Option<&mut [T]>) -> &mut [T] {
    array.expect("the arrays of a batch are in standard layout, as VecEnv::batch makes them")
}
