//! What was typed, as the plain settings that it means: the border that no argument crosses.

use std::hash::{BuildHasher, RandomState};

use resonetics_agents::prophet::config::TrainConfig;
use resonetics_runs::Error;
use resonetics_runs::monitor::{Monitor, USUAL};
use resonetics_runs::overlay::Overlay;
use resonetics_runs::setup::{Setup, WorldSettings};
use resonetics_runs::training::LearnerKind;

use crate::cli::{Learner, MonitorArgs, Recipe, SeedArgs, WorldArgs};
use crate::out::{note, say};

/// The seed that was typed, or one drawn from the system, which is printed.
pub fn seed(args: &SeedArgs) -> Result<u64, Error> {
    if let Some(seed) = args.seed {
        return Ok(seed);
    }
    // The system's randomness, by the standard library's hash keys.
    let seed = RandomState::new().hash_one("seed") >> 32;
    say(format_args!("seed {seed} was drawn: --seed {seed} repeats this"))?;
    Ok(seed)
}

impl WorldArgs {
    /// The world `name`: preset, file and sets.
    ///
    /// # Errors
    /// An unknown name, a file that cannot be read or a refused setting.
    pub fn world(&self, name: &str) -> Result<Setup, Error> {
        self.overlay().over(self.preset(name)?, &|text| note(format_args!("{text}")))
    }

    /// The world `name` and the settings of a training of `steps` steps in it.
    ///
    /// # Errors
    /// As [`WorldArgs::world`].
    pub fn training(
        &self,
        name: &str,
        learner: Learner,
        recipe: Recipe,
        steps: u64,
    ) -> Result<(Setup, TrainConfig), Error> {
        let defaults = |env: &Setup| defaults(env, learner, recipe, steps);
        self.overlay().over_training(self.preset(name)?, &defaults, &|text| note(format_args!("{text}")))
    }

    fn preset(&self, name: &str) -> Result<Setup, Error> {
        Setup::preset(name, &self.preset)
    }

    fn overlay(&self) -> Overlay {
        Overlay { file: self.config.clone(), sets: self.sets.clone() }
    }
}

impl From<Learner> for LearnerKind {
    fn from(learner: Learner) -> LearnerKind {
        match learner {
            Learner::Native => LearnerKind::Native,
            Learner::Torch => LearnerKind::Torch,
        }
    }
}

/// The settings that a training in this world starts from.
fn defaults(env: &Setup, learner: Learner, recipe: Recipe, steps: u64) -> TrainConfig {
    let config = match &env.settings {
        WorldSettings::Gardener(_) if learner == Learner::Torch => env.training(steps).with_convolution(),
        WorldSettings::K8s(_) | WorldSettings::Gardener(_) => env.training(steps),
    };
    match recipe {
        Recipe::Standard => config,
        Recipe::Large => config.large(),
    }
}

impl MonitorArgs {
    /// The monitor that was asked for; says where it listens unless `quiet`, and in any case where a usual
    /// port was taken.
    ///
    /// # Errors
    /// As [`Monitor::start`].
    pub fn start(&self, quiet: bool) -> Result<Option<Monitor>, Error> {
        if self.no_monitor {
            return Ok(None);
        }
        let ports = [self.metrics_port, self.health_port];
        let monitor = Monitor::start(self.monitor_host, ports[0], ports[1])?;
        let [metrics, health] = monitor.addresses();
        if !quiet {
            say(format_args!(
                "metrics at http://{metrics}/metrics, health at http://{health}/healthz and /readyz"
            ))?;
        }
        let shown = [(metrics, "metrics"), (health, "healthz")];
        for ((asked, usual), (address, path)) in ports.into_iter().zip(USUAL).zip(shown) {
            if asked.is_none() && address.port() != usual {
                say(format_args!("port {usual} is taken: http://{address}/{path} is there instead"))?;
            }
        }
        Ok(Some(monitor))
    }
}
