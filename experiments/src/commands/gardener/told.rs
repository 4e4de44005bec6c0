//! A garden at work that can be told something, between two generations.

use std::path::Path;

use resonetics_envs::gardener::GardenerEnv;
use resonetics_runs::Error;
use resonetics_runs::commands::command::Command;
use resonetics_runs::commands::force::Force;
use resonetics_runs::commands::record::Entry;
use resonetics_runs::commands::{Commands, Told};
use resonetics_runs::rollout::Rollout;
use resonetics_runs::setup::{Setup, WorldSettings};

/// The garden, its commands, and its clock: generations.
pub struct Garden {
    pub rollout: Rollout<GardenerEnv>,
    commands: Commands,
    pub generation: u64,
    /// The settings in force in the garden.
    env: Setup,
    /// What took effect since somebody looked.
    pub heard: Vec<Entry>,
}

impl Garden {
    /// The garden `rollout` of the run in `dir`, at its start.
    pub fn new(rollout: Rollout<GardenerEnv>, dir: &Path, env: &Setup) -> Result<Garden, Error> {
        let commands = Commands::read(dir, Force::new(None, env))?;
        Ok(Garden { rollout, commands, generation: 0, env: env.clone(), heard: Vec::new() })
    }

    /// Generations in a row above `lost.dirt_share` after which the garden counts as lost. The world itself never ends.
    pub fn lost_after(&self) -> u32 {
        match &self.env.settings {
            WorldSettings::Gardener(settings) => settings.env.lost.generations,
            WorldSettings::K8s(_) => u32::MAX,
        }
    }

    /// Whether control is on, and the risk from which it survives.
    pub fn control(&self) -> (bool, f64) {
        match &self.env.settings {
            WorldSettings::Gardener(settings) => {
                let control = &settings.env.control;
                (control.enabled, control.damping.survival_on_risk)
            }
            WorldSettings::K8s(_) => (false, 1.0),
        }
    }
}

impl Told for Garden {
    fn commands(&mut self) -> &mut Commands {
        &mut self.commands
    }

    fn clock(&self) -> u64 {
        self.generation
    }

    fn possible(&self, command: &Command) -> Result<(), String> {
        let next = self.commands.force.after(command)?;
        match &next.env.settings {
            WorldSettings::Gardener(settings) if next.env != self.env => {
                let garden = GardenerEnv::new(settings.env.unending());
                self.rollout.envs.changed_to(&garden).map(drop).map_err(|error| error.to_string())
            }
            _ => Ok(()),
        }
    }

    fn take_effect(&mut self, entry: &Entry) -> Result<String, Error> {
        self.heard.push(entry.clone());
        let env = &self.commands.force.env;
        if let (true, WorldSettings::Gardener(settings)) = (*env != self.env, &env.settings) {
            // The log goes on beyond the loss of the garden.
            let garden = GardenerEnv::new(settings.env.unending());
            let Rollout { envs, batch, .. } = &mut self.rollout;
            envs.change_to(&garden, batch).map_err(|error| Error::Failed(error.to_string()))?;
            self.env.clone_from(env);
        }
        Ok(format!("from generation {} on", self.generation + 1))
    }
}
