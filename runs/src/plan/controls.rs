//! `controls`: lives with and without the control layer.

use serde::{Deserialize, Serialize};

use super::lumen::Lumen;
use super::range::{PAIRS, within};
use crate::error::Error;
use crate::setup::Setup;
use crate::trained::TrainedAgents;

/// Everything that the run depends on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Controls {
    /// Everything random follows from it.
    pub seed: u64,
    /// Pairs of lives in each world.
    pub episodes: u32,
    /// Which checkpoints act for its trained agents; filled as it begins.
    #[serde(default, skip_serializing_if = "TrainedAgents::is_empty")]
    pub checkpoints: TrainedAgents,
    /// Whether it is watched.
    #[serde(default, skip_serializing_if = "Lumen::is_off")]
    pub lumen: Lumen,
    /// The worlds, one after the other.
    pub worlds: Vec<WorldPlan>,
}

/// One world, with its control layer as it will be switched on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldPlan {
    /// Who acts.
    pub agent: String,
    /// The world.
    pub env: Setup,
}

impl Controls {
    /// Refuses what the command line refuses.
    ///
    /// # Errors
    /// [`Error::Refused`] for a number out of its range, no world, or an unknown agent.
    pub fn check(&self) -> Result<(), Error> {
        within("episodes", self.episodes.into(), &PAIRS)?;
        if self.worlds.is_empty() {
            return Err(Error::Refused("`worlds = []`: at least one is needed".to_owned()));
        }
        let policy = |world: &WorldPlan| self.checkpoints.policy(&world.env, &world.agent, 1).map(drop);
        self.worlds.iter().try_for_each(policy)
    }
}
