//! `eval`: a trained Prophet in fresh episodes, also where it sees badly or the world drifts faster.

use std::path::Path;

use resonetics_agents::{Noisy, Policy};
use resonetics_envs::config::{ConfigError, short};
use serde::{Deserialize, Serialize};

use super::range::{EPISODES, within};
use crate::error::Error;
use crate::setup::{Setup, WorldSettings};
use crate::trained::{PROPHET, Trained, TrainedAgents};

/// Everything that the run depends on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Eval {
    /// Everything random follows from it.
    pub seed: u64,
    /// The training's run directory, with a checkpoint behind an @ where it is not the best one.
    pub run: String,
    /// Episodes, each with a seed of its own.
    pub episodes: u32,
    /// Standard deviation of the noise on each observed number, from 0 to 1000.
    pub obs_noise: f64,
    /// How many times as fast as in training `env` drifts; it has been made so.
    pub drift_scale: f64,
    /// Which checkpoints act for its trained agents; filled as it begins.
    #[serde(default, skip_serializing_if = "TrainedAgents::is_empty")]
    pub checkpoints: TrainedAgents,
    /// The world.
    pub env: Setup,
}

impl Eval {
    /// Of the training that `run` names (see [`named`](crate::trained::named)), in the world that it was trained in,
    /// `drift_scale` times as fast.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no training with such a checkpoint, or for a number out of its range.
    pub fn new(
        run: &Path,
        seed: u64,
        episodes: u32,
        obs_noise: f64,
        drift_scale: f64,
    ) -> Result<Eval, Error> {
        check_factors("--obs-noise ", obs_noise, "--drift-scale ", drift_scale)?;
        let run = run.display().to_string();
        let trained = Trained::named(&run)?;
        let env = scaled(&trained.plan.env, drift_scale)?;
        trained.policy(&env)?;
        let checkpoints = TrainedAgents::default();
        Ok(Eval { seed, run, episodes, obs_noise, drift_scale, checkpoints, env })
    }

    /// Refuses what the command line refuses.
    ///
    /// # Errors
    /// [`Error::Refused`] for a number out of its range, or a training that cannot act in this world.
    pub fn check(&self) -> Result<(), Error> {
        within("episodes", self.episodes.into(), &EPISODES)?;
        check_factors("obs_noise = ", self.obs_noise, "drift_scale = ", self.drift_scale)?;
        self.policy(1).map(drop)
    }

    /// The name of its agent, `prophet:DIR`.
    pub fn agent(&self) -> String {
        format!("{PROPHET}{}", self.run)
    }

    /// The policy for `envs` environments, with its noise.
    ///
    /// # Errors
    /// Those of [`TrainedAgents::policy`].
    pub fn policy(&self, envs: usize) -> Result<Box<dyn Policy>, Error> {
        let prophet = self.checkpoints.policy(&self.env, &self.agent(), envs)?;
        if self.obs_noise > 0.0 {
            return Ok(Box::new(Noisy::new(prophet, envs, self.obs_noise as f32)));
        }
        Ok(prophet)
    }
}

fn check_factors(noise_key: &str, noise: f64, drift_key: &str, drift: f64) -> Result<(), Error> {
    for (key, value) in [(noise_key, noise), (drift_key, drift)] {
        if !(0.0..=1000.0).contains(&value) {
            return Err(Error::Refused(format!("{key}{}: allowed are numbers from 0 to 1000", short(value))));
        }
    }
    Ok(())
}

/// The world with its drift `scale` times as fast: the memory leak of a cluster, the growth of dirt.
fn scaled(env: &Setup, scale: f64) -> Result<Setup, Error> {
    let set = match &env.settings {
        WorldSettings::K8s(settings) => format!("mem_drift_mu={:?}", settings.env.mem_drift_mu * scale),
        WorldSettings::Gardener(settings) => format!("dirt_growth={:?}", settings.env.dirt_growth * scale),
    };
    let place = format!("--drift-scale {scale}");
    env.clone().with(None, &[set]).map_err(|error| Error::Refused(ConfigError { place, ..error }.to_string()))
}
