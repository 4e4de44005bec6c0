//! What an environment is: Gymnasium's contract for one agent, PettingZoo's parallel one for many.

use serde::{Deserialize, Serialize};

use crate::math::LANES;
use crate::saved::SaveError;
use crate::space::{BoxSpace, Discrete};

/// What a step yields besides the observation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Step {
    /// The reward of this step.
    pub reward: f32,
    /// The episode reached a state of its own that ends it; the value of what follows is 0.
    pub terminated: bool,
    /// A limit from outside cut the episode; what follows would still have had a value.
    pub truncated: bool,
}

/// An action that is not in the action space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("action {action} of row {row} is outside the action space: allowed are 0 to {}", .n - 1)]
pub struct InvalidAction {
    /// The action.
    pub action: usize,
    /// Whose action: the row in the batch, 0 for a single environment.
    pub row: usize,
    /// How many actions there are.
    pub n: usize,
}

/// An environment with one agent, with Gymnasium's words and semantics.
///
/// The observation is written into a slice that the caller owns, `observation_space().len()`
/// long; Gymnasium's `info` is read with [`Env::info`] after `reset` or `step`.
pub trait Env: Send {
    /// What there is to know about the present state beside the observation.
    type Info;

    /// Bounds and length of an observation.
    fn observation_space(&self) -> &BoxSpace;

    /// The actions.
    fn action_space(&self) -> Discrete;

    /// Starts an episode and writes its first observation.
    ///
    /// `Some(seed)` starts episode 0 of that seed; `None` the next episode of the seed in use
    /// (0 where none was ever given: an environment never asks the clock).
    fn reset(&mut self, seed: Option<u64>, observation: &mut [f32]);

    /// Takes one step and writes the observation that follows it.
    ///
    /// After `terminated` or `truncated` the caller resets; what a further step does is not defined.
    ///
    /// # Errors
    /// If `action` is outside the action space; nothing has changed then.
    fn step(&mut self, action: usize, observation: &mut [f32]) -> Result<Step, InvalidAction>;

    /// What there is to know about the present state.
    fn info(&self) -> Self::Info;

    /// Length of [`Env::write_state`]'s vector; 0 where the environment has no such view.
    fn state_len(&self) -> usize {
        0
    }

    /// Writes the whole state, for references that may see more than an agent (PettingZoo's `state`).
    fn write_state(&self, _state: &mut [f32]) {}

    /// All that decides how the environment goes on, beside its settings: one with the same settings that
    /// is given these bytes by [`Env::restore`] continues bit for bit, into all later episodes.
    ///
    /// # Errors
    /// [`SaveError::Unsupported`] where the environment does not implement it, as here.
    fn save(&self) -> Result<Vec<u8>, SaveError> {
        Err(SaveError::Unsupported)
    }

    /// Goes back to what [`Env::save`] saved and writes the observation, as `reset` does.
    ///
    /// # Errors
    /// If the bytes are damaged or do not fit the settings; nothing has changed then. Always where the
    /// environment does not implement it, as here.
    fn restore(&mut self, _saved: &[u8], _observation: &mut [f32]) -> Result<(), SaveError> {
        Err(SaveError::Unsupported)
    }

    /// Goes on from where `other` is, under this environment's own settings, and writes the observation: what a change of
    /// settings in the middle of an episode is. `other` has to have the same sizes.
    ///
    /// # Errors
    /// As [`Env::save`] and [`Env::restore`].
    fn adopt(&mut self, other: &Self, observation: &mut [f32]) -> Result<(), SaveError>
    where
        Self: Sized,
    {
        self.restore(&other.save()?, observation)
    }

    /// The fewest environments for which another thread is worth waking.
    const PARALLEL_FROM: usize = 64;

    /// Takes from the front of `envs` those that a vector steps faster side by side, sixteen at a time: none,
    /// unless an environment knows how.
    fn together(_envs: &mut Vec<Self>) -> Vec<Box<dyn Together<Self>>>
    where
        Self: Sized,
    {
        Vec::new()
    }
}

/// Sixteen environments of one agent each that are stepped side by side, with the results that each would
/// have alone, bit for bit.
pub trait Together<E>: Send {
    /// The environment of `lane`, below 16, as it is.
    fn get(&self, lane: usize) -> E;

    /// Makes `env` that of `lane`.
    fn put(&mut self, lane: usize, env: E);

    /// As [`Env::info`], of each.
    fn write_infos(&self, infos: &mut [E::Info; LANES])
    where
        E: ParallelEnv;

    /// As [`Env::step`], of each. The actions have been checked. Where an episode is over, what is written is
    /// not looked at, and the reset that follows must go as if there had been no such step.
    fn step(&mut self, actions: &[usize; LANES], rows: Rows<'_>);
}

/// Where sixteen environments write what a step yields.
pub struct Rows<'a> {
    /// `[16, observation]`
    pub observations: &'a mut [f32],
    /// As [`Step::reward`].
    pub rewards: &'a mut [f32; LANES],
    /// As [`Step::terminated`].
    pub terminated: &'a mut [bool; LANES],
    /// As [`Step::truncated`].
    pub truncated: &'a mut [bool; LANES],
}

/// Where an environment writes what its agents see, one row an agent.
pub struct Agents<'a> {
    /// `[agents, observation]`
    pub observations: &'a mut [f32],
    /// `[agents]`; untouched by `reset`.
    pub rewards: &'a mut [f32],
    /// `[agents, actions]`: which actions are worth choosing; a row with none is not asked.
    /// Empty where [`ParallelEnv::masked`] is false: every action of every row is.
    pub action_mask: &'a mut [bool],
    /// `[agents]`: whether the row's agent lives. Empty where [`ParallelEnv::masked`] is false.
    pub alive: &'a mut [bool],
    /// `[agents]`: whether the row's agent died in this step (a row may be alive again at once,
    /// as another agent); untouched by `reset`, as the rewards are. Empty where
    /// [`ParallelEnv::masked`] is false.
    pub died: &'a mut [bool],
}

impl Agents<'_> {
    /// The same rows for a shorter time.
    #[inline(always)]
    pub fn reborrow(&mut self) -> Agents<'_> {
        Agents {
            observations: self.observations,
            rewards: self.rewards,
            action_mask: self.action_mask,
            alive: self.alive,
            died: self.died,
        }
    }
}

/// How a step ended for the environment as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    /// As [`Step::terminated`].
    pub terminated: bool,
    /// As [`Step::truncated`].
    pub truncated: bool,
}

/// An environment with a fixed number of rows for agents that come and go, after PettingZoo's
/// parallel API. Every [`Env`] is one, with a single row that never dies; so import one of the two
/// traits, or their methods of one name are ambiguous.
pub trait ParallelEnv: Send {
    /// As [`Env::Info`].
    type Info;
    /// As [`Env::PARALLEL_FROM`].
    const PARALLEL_FROM: usize;
    /// Rows: the most agents that can live at a time.
    fn agents(&self) -> usize;
    /// Whether rows can be dead or actions masked.
    fn masked(&self) -> bool;
    /// Bounds and length of one agent's observation.
    fn observation_space(&self) -> &BoxSpace;
    /// The actions of one agent.
    fn action_space(&self) -> Discrete;
    /// As [`Env::reset`].
    fn reset(&mut self, seed: Option<u64>, out: Agents<'_>);
    /// Takes one step with one action a row; actions of rows that were not asked are ignored.
    ///
    /// # Errors
    /// If an action of a row that is asked is outside the action space; nothing has changed then.
    fn step(&mut self, actions: &[usize], out: Agents<'_>) -> Result<Ending, InvalidAction>;
    /// As [`Env::info`].
    fn info(&self) -> Self::Info;
    /// As [`Env::state_len`].
    fn state_len(&self) -> usize;
    /// As [`Env::write_state`].
    fn write_state(&self, state: &mut [f32]);
    /// Marks in `forgotten` `[agents]` each row whose mind has to forget in the last step what it remembers, though
    /// it lives on: none, as here, in most worlds.
    fn write_forgotten(&self, _forgotten: &mut [bool]) {}
    /// As [`Env::save`].
    ///
    /// # Errors
    /// [`SaveError::Unsupported`] where the environment does not implement it, as here.
    fn save(&self) -> Result<Vec<u8>, SaveError> {
        Err(SaveError::Unsupported)
    }
    /// As [`Env::restore`]; writes what `reset` writes.
    ///
    /// # Errors
    /// As [`Env::restore`].
    fn restore(&mut self, _saved: &[u8], _out: Agents<'_>) -> Result<(), SaveError> {
        Err(SaveError::Unsupported)
    }
    /// As [`Env::adopt`]; writes what `reset` writes.
    ///
    /// # Errors
    /// As [`Env::adopt`].
    fn adopt(&mut self, other: &Self, out: Agents<'_>) -> Result<(), SaveError>
    where
        Self: Sized,
    {
        self.restore(&other.save()?, out)
    }
    /// As [`Env::together`].
    fn together(_envs: &mut Vec<Self>) -> Vec<Box<dyn Together<Self>>>
    where
        Self: Sized,
    {
        Vec::new()
    }
}

impl<E: Env> ParallelEnv for E {
    type Info = E::Info;
    const PARALLEL_FROM: usize = E::PARALLEL_FROM;

    fn agents(&self) -> usize {
        1
    }

    fn masked(&self) -> bool {
        false
    }

    fn observation_space(&self) -> &BoxSpace {
        Env::observation_space(self)
    }

    fn action_space(&self) -> Discrete {
        Env::action_space(self)
    }

    fn reset(&mut self, seed: Option<u64>, out: Agents<'_>) {
        Env::reset(self, seed, out.observations);
    }

    #[inline(always)]
    fn step(&mut self, actions: &[usize], out: Agents<'_>) -> Result<Ending, InvalidAction> {
        let step = Env::step(self, actions[0], out.observations)?;
        out.rewards[0] = step.reward;
        Ok(Ending { terminated: step.terminated, truncated: step.truncated })
    }

    fn info(&self) -> Self::Info {
        Env::info(self)
    }

    fn state_len(&self) -> usize {
        Env::state_len(self)
    }

    fn write_state(&self, state: &mut [f32]) {
        Env::write_state(self, state);
    }

    fn save(&self) -> Result<Vec<u8>, SaveError> {
        Env::save(self)
    }

    fn restore(&mut self, saved: &[u8], out: Agents<'_>) -> Result<(), SaveError> {
        Env::restore(self, saved, out.observations)
    }

    fn adopt(&mut self, other: &Self, out: Agents<'_>) -> Result<(), SaveError> {
        Env::adopt(self, other, out.observations)
    }

    fn together(envs: &mut Vec<E>) -> Vec<Box<dyn Together<E>>> {
        E::together(envs)
    }
}
