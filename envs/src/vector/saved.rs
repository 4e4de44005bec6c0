//! A vector as bytes and back.

use serde::{Deserialize, Serialize};

use super::slice::{Shape, Slice, Tally};
use super::{Autoreset, Batch, VecEnv};
use crate::env::{Agents, ParallelEnv};
use crate::saved::{Kind, SaveError, ensure, open, seal};

#[derive(Serialize, Deserialize)]
struct Saved<B> {
    autoreset: Autoreset,
    tallies: Vec<Tally>,
    /// One a lane.
    envs: Vec<B>,
}

impl<E: ParallelEnv> VecEnv<E> {
    /// All that decides how the vector goes on, beside its environments' settings; see
    /// [`crate::env::Env::save`].
    ///
    /// # Errors
    /// [`SaveError::Unsupported`] if the environments do not implement it.
    pub fn save(&self) -> Result<Vec<u8>, SaveError> {
        let envs = (0..self.len()).map(|lane| self.look(lane, E::save)).collect::<Result<Vec<_>, _>>()?;
        seal(Kind::Vector, &Saved { autoreset: self.autoreset, tallies: self.tallies.clone(), envs })
    }

    /// Goes back to what [`VecEnv::save`] saved and writes into `batch` what the next step builds on:
    /// observations, masks, and the flags, return and length of lanes whose episode is over. Rewards and
    /// deaths, which happened once, are 0; the rest, valid only where an episode ended, is untouched.
    ///
    /// # Errors
    /// If the bytes are damaged, of another number of lanes or another autoreset mode (nothing has
    /// changed then), or if a lane does not fit its environment: reset the vector then, for the lanes
    /// before it have been restored.
    ///
    /// # Panics
    /// If `batch` has other shapes than [`VecEnv::batch`].
    pub fn restore(&mut self, saved: &[u8], batch: &mut Batch) -> Result<(), SaveError> {
        let saved: Saved<&[u8]> = open(Kind::Vector, saved)?;
        let (lanes, autoreset) = (self.len(), self.autoreset);
        ensure((saved.envs.len(), saved.tallies.len()) == (lanes, lanes), || {
            format!("it has {} lanes, this one {lanes}", saved.envs.len())
        })?;
        ensure(saved.autoreset == autoreset, || {
            format!("its autoreset is {:?}, this one's {autoreset:?}", saved.autoreset)
        })?;
        let possible = |tally: &Tally| {
            let over = autoreset == Autoreset::SameStep && tally.ended();
            tally.episode_return.is_finite() && tally.length < u32::MAX && !over
        };
        ensure(saved.tallies.iter().all(possible), || "an episode's tally cannot have been".to_owned())?;
        let shape = self.shape;
        let mut slice = self.whole(batch);
        for (lane, (bytes, tally)) in saved.envs.iter().zip(saved.tallies).enumerate() {
            slice.restore(shape, lane, bytes, tally).map_err(|error| of_lane(lane, error))?;
        }
        Ok(())
    }
}

impl<E: ParallelEnv + Clone> VecEnv<E> {
    /// Every lane goes on from where it is under the settings of `prototype`, an environment of the same sizes: what a
    /// change of settings in the middle of episodes is. Writes into `batch` what [`VecEnv::restore`] writes.
    ///
    /// # Errors
    /// [`SaveError::Foreign`] for other sizes, and if a lane does not fit; nothing has changed then.
    ///
    /// # Panics
    /// If `batch` has other shapes than [`VecEnv::batch`].
    pub fn change_to(&mut self, prototype: &E, batch: &mut Batch) -> Result<(), SaveError> {
        (*self, *batch) = self.changed_to(prototype)?;
        Ok(())
    }

    /// What [`VecEnv::change_to`] would make of this, which stays as it is.
    ///
    /// # Errors
    /// As there.
    pub fn changed_to(&self, prototype: &E) -> Result<(VecEnv<E>, Batch), SaveError> {
        let mut changed =
            VecEnv::new(vec![prototype.clone(); self.len()], self.autoreset).map_err(SaveError::Foreign)?;
        let same = (changed.shape, &changed.observation_space, changed.state_len)
            == (self.shape, &self.observation_space, self.state_len);
        ensure(same, || "the settings that are to hold from now on have other sizes".to_owned())?;
        let shape = self.shape;
        let mut written = self.batch();
        let mut slice = changed.whole(&mut written);
        for (lane, &tally) in self.tallies.iter().enumerate() {
            let adopted = self.look(lane, |env| slice.adopt(shape, lane, env, tally));
            adopted.map_err(|error| of_lane(lane, error))?;
        }
        Ok((changed, written))
    }
}

fn of_lane(lane: usize, error: SaveError) -> SaveError {
    match error {
        SaveError::Unsupported => error,
        SaveError::Damaged(why) => SaveError::Damaged(format!("lane {lane}: {why}")),
        SaveError::Foreign(why) => SaveError::Foreign(format!("lane {lane}: {why}")),
    }
}

impl<E: ParallelEnv> Slice<'_, E> {
    fn restore(&mut self, shape: Shape, lane: usize, saved: &[u8], tally: Tally) -> Result<(), SaveError> {
        self.put(shape, lane, tally, |env, agents| env.restore(saved, agents))
    }

    fn adopt(&mut self, shape: Shape, lane: usize, other: &E, tally: Tally) -> Result<(), SaveError> {
        self.put(shape, lane, tally, |env, agents| env.adopt(other, agents))
    }

    /// Lets `into` bring the environment of `lane` to where its episode is, as `tally` says.
    fn put(
        &mut self,
        shape: Shape,
        lane: usize,
        tally: Tally,
        into: impl FnOnce(&mut E, Agents<'_>) -> Result<(), SaveError>,
    ) -> Result<(), SaveError> {
        self.change(shape, lane, |env, mut agents| {
            into(env, agents.reborrow())?;
            agents.rewards.fill(0.0);
            agents.died.fill(false);
            Ok(())
        })?;
        self.tallies[lane] = tally;
        self.terminated[lane] = tally.ending.terminated;
        self.truncated[lane] = tally.ending.truncated;
        if tally.ended() {
            self.episode_return[lane] = tally.episode_return;
            self.episode_length[lane] = tally.length;
        }
        Ok(())
    }
}
