//! Plants: lanes of a world that go on for ever under one policy, whose settings can change at any step (LUMEN F1).
//!
//! A plant is a pure function of its seed and of what it is told at which step: two of one seed meet the same noise, until an
//! episode ends in one and not in the other.

use resonetics_envs::gardener::GardenerEnv;
use resonetics_envs::k8s::K8sEnv;
use resonetics_envs::stream::lane_seed;
use resonetics_runs::Error;
use resonetics_runs::commands::command::Command;
use resonetics_runs::commands::force::Force;
use resonetics_runs::rollout::{Playable, Rollout};
use resonetics_runs::setup::{Setup, WorldSettings};
use serde_json::Value;

/// What a step led to, over all lanes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Row {
    /// Lanes that were lost.
    pub losses: u32,
    /// Mean reward of the lanes.
    pub reward: f64,
}

/// A world that is played for ever.
trait Lanes {
    fn step(&mut self) -> Result<Row, Error>;
    fn change(&mut self, env: &Setup) -> Result<(), Error>;
}

/// A plant at work.
pub struct Plant {
    lanes: Box<dyn Lanes>,
    force: Force,
}

impl Plant {
    /// `lanes` copies of `env` under `agent`, at their start.
    ///
    /// # Errors
    /// That there is no such agent.
    pub fn new(env: &Setup, agent: &str, lanes: usize, seed: u64) -> Result<Plant, Error> {
        let policy = env.policy(agent, lanes)?;
        let lanes: Box<dyn Lanes> = match &env.settings {
            WorldSettings::K8s(settings) => {
                let envs = vec![K8sEnv::new(settings.env.clone()); lanes];
                Box::new(Played::new(Rollout::new(envs, policy)?, seed))
            }
            WorldSettings::Gardener(settings) => {
                let envs = vec![GardenerEnv::new(settings.env.clone()); lanes];
                Box::new(Played::new(Rollout::new(envs, policy)?, seed))
            }
        };
        Ok(Plant { lanes, force: Force::new(None, env) })
    }

    /// Sets a knob, named as for `--set`, from the next step on.
    ///
    /// # Errors
    /// [`Error::Refused`] for one that there is not, or that is out of its range.
    pub fn set(&mut self, key: &str, value: &Value) -> Result<(), Error> {
        let command = Command::Knob { key: key.to_owned(), value: value.clone() };
        let force = self.force.after(&command).map_err(Error::Refused)?;
        self.lanes.change(&force.env)?;
        self.force = force;
        Ok(())
    }

    /// A step of all lanes.
    ///
    /// # Errors
    /// [`Error::Failed`] if the policy chose what there is not.
    pub fn step(&mut self) -> Result<Row, Error> {
        self.lanes.step()
    }

    /// So many steps.
    ///
    /// # Errors
    /// As [`Plant::step`].
    pub fn steps(&mut self, count: usize) -> Result<Vec<Row>, Error> {
        (0..count).map(|_| self.step()).collect()
    }
}

/// Lanes of one world.
struct Played<E> {
    rollout: Rollout<E>,
    seed: u64,
    /// Episodes that each lane has begun.
    episodes: Vec<u64>,
}

impl<E: Playable> Played<E> {
    fn new(mut rollout: Rollout<E>, seed: u64) -> Played<E> {
        let lanes = rollout.envs.len();
        let seeds: Vec<u64> = (0..lanes).map(|lane| seed_of(seed, lane, 0)).collect();
        rollout.reset(&seeds);
        Played { rollout, seed, episodes: vec![1; lanes] }
    }
}

/// That of an episode of a lane: whatever happens in other lanes.
fn seed_of(seed: u64, lane: usize, episode: u64) -> u64 {
    lane_seed(lane_seed(seed, lane as u64), episode)
}

impl<E: Playable + OfSetup> Lanes for Played<E> {
    fn step(&mut self) -> Result<Row, Error> {
        let (episodes, root) = (&mut self.episodes, self.seed);
        self.rollout.go_on(&mut |lane| {
            episodes[lane] += 1;
            seed_of(root, lane, episodes[lane] - 1)
        });
        self.rollout.step()?;
        let lanes = self.rollout.envs.len() as f64;
        let batch = &self.rollout.batch;
        Ok(Row {
            losses: batch.terminated.iter().filter(|&&terminated| terminated).count() as u32,
            reward: batch.rewards.iter().map(|&reward| f64::from(reward)).sum::<f64>() / lanes,
        })
    }

    fn change(&mut self, env: &Setup) -> Result<(), Error> {
        let prototype = E::of(env)?;
        let Rollout { envs, batch, .. } = &mut self.rollout;
        envs.change_to(&prototype, batch).map_err(|error| Error::Failed(error.to_string()))
    }
}

/// An environment that can be made from settings.
trait OfSetup: Sized {
    fn of(env: &Setup) -> Result<Self, Error>;
}

fn other() -> Error {
    Error::Failed("a plant stays in its world; please report this".to_owned())
}

impl OfSetup for K8sEnv {
    fn of(env: &Setup) -> Result<K8sEnv, Error> {
        match &env.settings {
            WorldSettings::K8s(settings) => Ok(K8sEnv::new(settings.env.clone())),
            WorldSettings::Gardener(_) => Err(other()),
        }
    }
}

impl OfSetup for GardenerEnv {
    fn of(env: &Setup) -> Result<GardenerEnv, Error> {
        match &env.settings {
            WorldSettings::Gardener(settings) => Ok(GardenerEnv::new(settings.env.clone())),
            WorldSettings::K8s(_) => Err(other()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storm(seed: u64) -> Plant {
        Plant::new(&Setup::preset("k8s", "storm").unwrap(), "random", 20, seed).unwrap()
    }

    #[test]
    fn a_plant_is_a_function_of_its_seed_and_what_it_was_told() {
        let told = |seed: u64, at: usize, on: bool| {
            let mut plant = storm(seed);
            let mut rows = plant.steps(at).unwrap();
            plant.set("control.enabled", &on.into()).unwrap();
            rows.extend(plant.steps(300).unwrap());
            rows
        };
        assert_eq!(told(1, 40, true), told(1, 40, true));
        assert_ne!(told(1, 40, true), told(2, 40, true));
        let (on, off) = (told(1, 40, true), told(1, 40, false));
        assert_eq!(on[..40], off[..40]);
        assert_ne!(on[40..], off[40..]);
        // Set to what it was, a knob is a placebo to the bit.
        assert_eq!(off, storm(1).steps(340).unwrap());
        // Episodes end and others begin, or it would be over by now.
        let rows = storm(1).steps(3000).unwrap();
        assert!(rows[2000..].iter().any(|row| row.losses > 0));
    }

    #[test]
    fn a_knob_that_there_is_not_is_refused() {
        let mut plant = storm(1);
        for (key, value) in [("nothing", 1.0), ("height", 9.0), ("mem_drift_mu", 7.0), ("train.clip", 0.1)] {
            assert!(plant.set(key, &value.into()).is_err(), "{key}");
        }
        let garden = Setup::preset("gardener", "reference").unwrap();
        let mut plant = Plant::new(&garden, "heuristic", 2, 1).unwrap();
        plant.steps(5).unwrap();
        plant.set("control.min_alpha", &0.5.into()).unwrap();
        plant.steps(5).unwrap();
    }
}
