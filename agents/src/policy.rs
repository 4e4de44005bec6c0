//! What a policy is: actions for a batch of observations.

use ndarray::{ArrayView, ArrayView2, Dimension};
use resonetics_envs::gardener::LifeEvent;
use resonetics_envs::stream::Key;
use resonetics_envs::vector::Batch;

/// What a policy sees: N environments with A agents each, rows = N * A, environment by
/// environment.
#[derive(Clone, Copy, Debug)]
pub struct Observations<'a> {
    /// `[rows, observation]`
    pub observations: ArrayView2<'a, f32>,
    /// `[rows, actions]`, or no rows where every action of every row may be chosen. A row without
    /// an allowed action is not asked: its action stays as it is.
    pub action_mask: ArrayView2<'a, bool>,
    /// [N, state]: each environment's whole state, for policies that ask for it, else no rows.
    pub state: ArrayView2<'a, f32>,
}

impl<'a> Observations<'a> {
    /// What is in a batch, with the states of its environments (no rows where none are needed).
    pub fn of(batch: &'a Batch, state: ArrayView2<'a, f32>) -> Observations<'a> {
        Observations { observations: batch.observations.view(), action_mask: batch.action_mask.view(), state }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.observations.nrows()
    }

    /// Whether `row` is to choose an action.
    #[inline]
    pub fn asked(&self, row: usize) -> bool {
        self.action_mask.nrows() == 0 || self.action_mask.row(row).iter().any(|&allowed| allowed)
    }

    /// One row's observation, `[observation]`.
    ///
    /// # Panics
    /// If `observations` is not in standard layout; that of a batch is.
    #[inline]
    pub fn observation(&self, row: usize) -> &'a [f32] {
        let width = self.observations.ncols();
        &contiguous(self.observations)[row * width..(row + 1) * width]
    }
}

impl<'a> Observations<'a> {
    /// One environment's whole state, `[state]`.
    ///
    /// # Panics
    /// If there is none: a policy that needs it says so ([`Policy::needs_state`]), and then it has to
    /// be given what `VecEnv::write_states` writes.
    #[inline]
    pub fn state_of(&self, env: usize) -> &'a [f32] {
        let width = self.state.ncols();
        assert!(env < self.state.nrows(), "this policy needs the states that VecEnv::write_states writes");
        &contiguous(self.state)[env * width..(env + 1) * width]
    }
}

/// The elements in order. A caller could have given a strided view, which must not pass for an empty one.
#[allow(clippy::expect_used)]
pub(crate) fn contiguous<T, D: Dimension>(view: ArrayView<'_, T, D>) -> &[T] {
    view.to_slice().expect("observations, masks and states are in standard layout, as a batch has them")
}

/// A policy: it chooses an action for each row that is asked.
pub trait Policy: Send {
    /// An episode of environment `env` begins; whatever the policy draws in it comes from `key`. Who
    /// resets an environment calls this, also where it reset itself; the experiments give
    /// `Key::new(seed of the episode, Domain::Policy, 0)`, so that a policy draws the same in it
    /// whichever batch it is in.
    fn begin_episode(&mut self, _env: usize, _key: Key) {}

    /// A life began, or lost its memory, in environment `env` (multi-agent worlds). To be called for
    /// each of `GardenerEnv::events` after every reset and step, before [`Policy::act`].
    fn life(&mut self, _env: usize, _event: LifeEvent) {}

    /// Whether the policy looks at [`Observations::state`].
    fn needs_state(&self) -> bool {
        false
    }

    /// Bytes that it holds for each of its environments.
    fn heap_bytes(&self) -> usize {
        0
    }

    /// Chooses `actions` `[rows]` for the rows that are asked.
    fn act(&mut self, seen: &Observations<'_>, actions: &mut [usize]);
}
