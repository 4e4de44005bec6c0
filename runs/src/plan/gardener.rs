//! `gardener`: gardens over many generations (RULES section 2.3).

use resonetics_envs::gardener::GardenerConfig;
use resonetics_envs::stream::lane_seed;
use serde::{Deserialize, Serialize};

use super::lumen::Lumen;
use super::range::{GENERATIONS, RUNS, within};
use crate::error::Error;
use crate::setup::{Setup, WorldSettings};
use crate::trained::TrainedAgents;

/// Everything that the run depends on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gardener {
    /// Everything random follows from it.
    pub seed: u64,
    /// Generations of each garden.
    pub generations: u32,
    /// Who tends it.
    pub agent: String,
    /// Gardens, each with a seed of its own.
    pub runs: u32,
    /// Which checkpoints act for its trained agents; filled as it begins.
    #[serde(default, skip_serializing_if = "TrainedAgents::is_empty")]
    pub checkpoints: TrainedAgents,
    /// Whether it is watched.
    #[serde(default, skip_serializing_if = "Lumen::is_off")]
    pub lumen: Lumen,
    /// The world.
    pub env: Setup,
}

impl Gardener {
    /// Refuses what the command line refuses.
    ///
    /// # Errors
    /// [`Error::Refused`] for a number out of its range, another world, or an unknown agent.
    pub fn check(&self) -> Result<(), Error> {
        within("generations", self.generations.into(), &GENERATIONS)?;
        within("runs", self.runs.into(), &RUNS)?;
        self.config()?;
        self.checkpoints.policy(&self.env, &self.agent, 1).map(drop)
    }

    /// The settings of the garden.
    ///
    /// # Errors
    /// [`Error::Refused`] for a cluster.
    pub fn config(&self) -> Result<&GardenerConfig, Error> {
        match &self.env.settings {
            WorldSettings::Gardener(settings) => Ok(&settings.env),
            WorldSettings::K8s(_) => {
                Err(Error::Refused(format!("`gardener` simulates the gardener, not {}", self.env.name)))
            }
        }
    }

    /// One run has the seed itself; of several, run k (from 1) has that of lane k - 1,
    /// as episode k of the benchmark has.
    pub fn seed_of(&self, run: u32) -> u64 {
        if self.runs == 1 { self.seed } else { lane_seed(self.seed, u64::from(run) - 1) }
    }
}
