//! `record`: a trace of one episode.

use resonetics_agents::Policy;
use serde::{Deserialize, Serialize};

use super::range::{STEPS, within};
use crate::error::Error;
use crate::memory;
use crate::setup::{Setup, WorldSettings};
use crate::trained::TrainedAgents;

/// Everything that the run depends on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Everything random follows from it.
    pub seed: u64,
    /// Steps, at most.
    pub steps: u32,
    /// Who acts.
    pub agent: String,
    /// Which checkpoints act for its trained agents; filled as it begins.
    #[serde(default, skip_serializing_if = "TrainedAgents::is_empty")]
    pub checkpoints: TrainedAgents,
    /// The world.
    pub env: Setup,
}

impl Record {
    /// A trace is held in memory, numbers and text: some 24 bytes for each number.
    fn fits(&self) -> Result<(), Error> {
        let numbers = match &self.env.settings {
            WorldSettings::K8s(settings) => 2 * settings.env.nodes() + 40,
            WorldSettings::Gardener(settings) => {
                2 * settings.env.cells() + settings.env.cells() / 10 + 8 * settings.env.max_population
            }
        };
        let bytes = 24_usize.saturating_mul(numbers).saturating_mul(self.steps as usize);
        memory::fits(&format!("--steps {}", self.steps), bytes)
    }

    /// The policy that acts.
    ///
    /// # Errors
    /// Those of [`TrainedAgents::policy`].
    pub fn policy(&self) -> Result<Box<dyn Policy>, Error> {
        self.checkpoints.policy(&self.env, &self.agent, 1)
    }

    /// Refuses what the command line refuses.
    ///
    /// # Errors
    /// [`Error::Refused`] for a number out of its range, more memory than there is, or an unknown agent.
    pub fn check(&self) -> Result<(), Error> {
        within("steps", self.steps.into(), &STEPS)?;
        self.fits()?;
        self.policy().map(drop)
    }
}
