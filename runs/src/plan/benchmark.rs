//! `benchmark`: agents over paired seeds.

use std::path::Path;

use resonetics_agents::Policy;
use serde::{Deserialize, Serialize};

use super::lumen::Lumen;
use super::range::{EPISODES, within};
use crate::error::Error;
use crate::setup::Setup;
use crate::trained::{PROPHET, TrainedAgents, named};

/// Everything that the run depends on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Benchmark {
    /// Everything random follows from it.
    pub seed: u64,
    /// Episodes of each agent, on the same seeds.
    pub episodes: u32,
    /// Their names; the first is the one that the others are compared with.
    pub agents: Vec<String>,
    /// Which checkpoints act for its trained agents; filled as it begins.
    #[serde(default, skip_serializing_if = "TrainedAgents::is_empty")]
    pub checkpoints: TrainedAgents,
    /// Those of its agents that were functions of the program which called, and cannot be repeated without it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<String>,
    /// Whether it is watched.
    #[serde(default, skip_serializing_if = "Lumen::is_off")]
    pub lumen: Lumen,
    /// The world.
    pub env: Setup,
}

impl Benchmark {
    /// Refuses what the command line refuses.
    ///
    /// # Errors
    /// [`Error::Refused`] for a number out of its range, and for agents that are unknown or named twice.
    pub fn check(&self) -> Result<(), Error> {
        within("episodes", self.episodes.into(), &EPISODES)?;
        for name in &self.functions {
            // It could be taken for the agent of that name.
            if name.is_empty() || self.env.agents().contains(&name.as_str()) || name.starts_with(PROPHET) {
                return Err(Error::Refused(format!(
                    "agent `{name}` is a function: give it a name of its own, not {} or {PROPHET}DIR",
                    self.env.agents().join(", ")
                )));
            }
        }
        let known = self.agents.iter().filter(|agent| !self.functions.contains(agent));
        let known: Vec<String> = known.cloned().collect();
        if known.is_empty() && !self.functions.is_empty() {
            return Ok(());
        }
        check_agents(&known, &self.checkpoints, &self.env)
    }

    /// The policy of the agent called `name` for `envs` environments.
    ///
    /// # Errors
    /// [`Error::Refused`] for a function, which is not kept, and those of [`TrainedAgents::policy`].
    pub fn policy(&self, name: &str, envs: usize) -> Result<Box<dyn Policy>, Error> {
        if self.functions.iter().any(|function| function == name) {
            return Err(Error::Refused(format!(
                "agent `{name}` is a function of the program that played it, which no run keeps: compare them there again"
            )));
        }
        self.checkpoints.policy(&self.env, name, envs)
    }
}

/// At least one agent, each known and named once.
///
/// # Errors
/// [`Error::Refused`], and those of [`TrainedAgents::policy`].
pub fn check_agents(agents: &[String], trained: &TrainedAgents, env: &Setup) -> Result<(), Error> {
    if agents.is_empty() {
        return Err(Error::Refused(format!(
            "`agents = []`: at least one is needed; known are: {}",
            env.agents().join(", ")
        )));
    }
    for (i, agent) in agents.iter().enumerate() {
        trained.policy(env, agent, 1)?;
        let place = |agent: &String| {
            let (dir, which) = named(agent.strip_prefix(PROPHET)?).ok()?;
            Some((Path::new(dir).canonicalize().ok()?, which))
        };
        let same =
            |other: &&String| *other == agent || (place(agent).is_some() && place(agent) == place(other));
        if let Some(other) = agents[..i].iter().find(same) {
            let also = if other == agent { String::new() } else { format!(", as `{other}` before") };
            return Err(Error::Refused(format!("agent `{agent}` is named twice{also}")));
        }
    }
    Ok(())
}
