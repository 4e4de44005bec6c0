//! What is in force of a run's settings once it has been told to change some.

use resonetics_agents::prophet::config::{Schedule, TrainConfig};
use resonetics_envs::config::{ConfigError, resolve};
use serde_json::Value;

use super::command::{Command, SAMPLES_IN_A_BATCH};
use crate::setup::{Setup, WorldSettings};

/// Settings in force: those of the run's config.toml, and what it was told since.
#[derive(Clone, Debug, PartialEq)]
pub struct Force {
    /// Of a training; none of a garden.
    pub train: Option<TrainConfig>,
    /// Of the world.
    pub env: Setup,
    /// What the learning rate is multiplied by.
    pub gain: f64,
    /// Whether the training learns nothing.
    pub observing: bool,
    /// Whether it takes no command any more but `stop` and `observe.off`.
    pub locked: bool,
}

/// Settings of a training that may change in it: they shape neither rollouts nor networks nor checkpoints.
const TRAIN: [&str; 19] = [
    "clip",
    "entropy",
    "entropy_final",
    "epochs",
    "gamma",
    "kernel.caps_sigma",
    "kernel.caps_spatial",
    "kernel.caps_temporal",
    "kernel.flow",
    "kernel.l2",
    "kernel.structure",
    "kernel.tension",
    "lambda",
    "learning_rate",
    "learning_rate_final",
    "max_grad_norm",
    "minibatch",
    "target_kl",
    "value_weight",
];

/// Settings of worlds that shape observations, states or episodes.
const SHAPES: [&str; 8] = [
    "observation_rules",
    "height",
    "width",
    "max_steps",
    "max_generations",
    "grid_size",
    "view_size",
    "max_population",
];

impl Force {
    /// That of a run as it begins.
    pub fn new(train: Option<&TrainConfig>, env: &Setup) -> Force {
        Force { train: train.cloned(), env: env.clone(), gain: 1.0, observing: false, locked: false }
    }

    /// What is in force after `command`.
    ///
    /// # Errors
    /// Why this run cannot do that.
    pub fn after(&self, command: &Command) -> Result<Force, String> {
        // Who is observed when the lock comes must not be so for ever.
        if self.locked && ![Command::Stop, Command::Observe(false)].contains(command) {
            return Err("the run is locked: it takes no command but `stop` and `observe.off`".to_owned());
        }
        let mut next = self.clone();
        match command {
            Command::Lock => next.locked = true,
            Command::Loop { hz, batch } => {
                let train = next.train.as_mut().ok_or_else(|| no_training("loop.set"))?;
                train.epochs = hz.unwrap_or(train.epochs);
                train.minibatch = batch.map_or(train.minibatch, |batch| batch * SAMPLES_IN_A_BATCH);
            }
            Command::Gain(factor) if self.train.is_some() => {
                next.gain *= factor;
                if !(1e-6..=1e6).contains(&next.gain) {
                    return Err(format!(
                        "gain.scale: the learning rate would be {} times that of its schedule; allowed are 1e-6 to 1e6",
                        next.gain
                    ));
                }
            }
            Command::Gain(factor) => {
                let damping = match &self.env.settings {
                    WorldSettings::K8s(settings) => settings.env.control.damping.risk_to_damping,
                    WorldSettings::Gardener(settings) => settings.env.control.damping.risk_to_damping,
                };
                next.env = self.world("control.risk_to_damping", &(damping * factor).into())?;
            }
            Command::Observe(_)
            | Command::Checkpoint
            | Command::RollBack(_)
            | Command::Up(_)
            | Command::Down
                if self.train.is_none() =>
            {
                return Err(no_training(match command {
                    Command::Observe(_) => "observe",
                    Command::Checkpoint => "checkpoint.now",
                    Command::RollBack(_) => "rollback.to",
                    _ => "lumen.up, lumen.down",
                }));
            }
            Command::Observe(on) => next.observing = *on,
            Command::Knob { key, value } => match (key.strip_prefix("train."), &self.train) {
                (Some(key), Some(train)) => next.train = Some(trained(train, key, value)?),
                (Some(_), None) => return Err(no_training(key)),
                (None, _) => next.env = self.world(key, value)?,
            },
            Command::Control(on) => next.env = self.env.with_control(*on),
            Command::Checkpoint
            | Command::RollBack(_)
            | Command::Up(_)
            | Command::Down
            | Command::Pause
            | Command::Continue
            | Command::Stop
            | Command::GiveUp(_) => {}
        }
        Ok(next)
    }

    /// The world with another setting.
    fn world(&self, key: &str, value: &Value) -> Result<Setup, String> {
        let first = key.split('.').next().unwrap_or(key);
        if SHAPES.contains(&first) {
            return Err(format!(
                "knob.set: `{key}` shapes the world, and cannot change while a run is at work; start a new run with --set {key}=…"
            ));
        }
        if first == "agent" {
            return Err(format!(
                "knob.set: `{key}` is a setting of an agent, which stays as it was begun with"
            ));
        }
        let sets = [format!("{key}={}", text(value))];
        self.env.clone().with(None, &sets).map_err(|error| refused("", key, value, &error))
    }

    /// The value that the setting `key` has, named as for `--set`; none if there is no such setting.
    pub fn value(&self, key: &str) -> Option<Value> {
        let (table, key) = match (key.strip_prefix("train."), &self.train) {
            (Some(key), Some(train)) => (toml::Table::try_from(train).ok()?, key),
            _ => (self.env.settings_table(), key),
        };
        let mut value = toml::Value::Table(table);
        for part in key.split('.') {
            value = value.get(part)?.clone();
        }
        serde_json::to_value(value).ok()
    }
}

fn trained(train: &TrainConfig, key: &str, value: &Value) -> Result<TrainConfig, String> {
    let sets = [format!("{key}={}", text(value))];
    // Unknown names are told first.
    let next: TrainConfig =
        resolve(train, None, &sets).map_err(|error| refused("train.", key, value, &error))?;
    if !TRAIN.contains(&key) {
        return Err(format!(
            "knob.set: `train.{key}` cannot change while a training is at work; those that can are {}",
            TRAIN.join(", ")
        ));
    }
    let rate = ["learning_rate", "learning_rate_final"].contains(&key);
    if rate && !matches!(train.schedule, Schedule::Fixed | Schedule::Linear) {
        return Err(format!(
            "knob.set: the learning rate of this training goes its own way (train.schedule), and `train.{key}` is where it \
             began; use gain.scale"
        ));
    }
    Ok(next)
}

fn refused(table: &str, key: &str, value: &Value, error: &ConfigError) -> String {
    format!("knob.set: `{table}{key} = {}`: {}", text(value), error.problem)
}

fn no_training(what: &str) -> String {
    format!("{what}: this run is no training, and has nothing of the kind")
}

/// A value as it is typed behind `--set KEY=`.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn training() -> Force {
        Force::new(Some(&TrainConfig::default()), &Setup::preset("k8s", "reference").unwrap())
    }

    fn knob(key: &str, value: impl Into<Value>) -> Command {
        Command::Knob { key: key.to_owned(), value: value.into() }
    }

    #[test]
    fn what_is_told_holds_and_the_rest_stays() {
        let begun = training();
        let told = begun.after(&knob("train.entropy", 0.25)).unwrap();
        assert_eq!(told.value("train.entropy"), Some(0.25.into()));
        assert_eq!(Force { train: begun.train.clone(), ..told.clone() }, begun);
        let told = told.after(&Command::Loop { hz: Some(3), batch: Some(8) }).unwrap();
        let train = told.train.as_ref().unwrap();
        assert_eq!((train.epochs, train.minibatch, train.entropy), (3, 128, 0.25));
        let told = told.after(&knob("mem_drift_mu", 0.05)).unwrap();
        assert_eq!(told.value("mem_drift_mu"), Some(0.05.into()));
        assert_eq!(told.after(&Command::Gain(0.5)).unwrap().after(&Command::Gain(0.5)).unwrap().gain, 0.25);
        assert!(told.after(&Command::Control(true)).unwrap().env.control());
    }

    #[test]
    fn what_shapes_a_run_or_is_out_of_range_is_refused() {
        let begun = training();
        for (key, value, told) in [
            ("train.gamma", 1.5, "allowed"),
            ("train.clip", -1.0, "allowed"),
            ("train.nothing", 1.0, "train.nothing"),
            ("height", 8.0, "shapes the world"),
            ("agent.patrol.x", 8.0, "an agent"),
            ("mem_drift_mu", 7.0, "allowed"),
            ("nothing", 1.0, "nothing"),
        ] {
            let problem = begun.after(&knob(key, value)).unwrap_err();
            assert!(problem.contains(told), "{key}: {problem}");
        }
        let problem = begun.after(&knob("train.num_envs", 8)).unwrap_err();
        assert!(problem.contains("cannot change while a training is at work"), "{problem}");
        let garden = Force::new(None, &Setup::preset("gardener", "reference").unwrap());
        for command in
            [Command::Observe(true), Command::Checkpoint, Command::RollBack(1), knob("train.clip", 0.1)]
        {
            assert!(garden.after(&command).unwrap_err().contains("no training"), "{command:?}");
        }
        assert_eq!(
            garden.after(&Command::Gain(0.5)).unwrap().value("control.risk_to_damping"),
            Some(0.5.into())
        );
        let locked = begun.after(&Command::Lock).unwrap();
        assert!(locked.after(&Command::Gain(0.5)).unwrap_err().contains("locked"));
        assert!(locked.after(&Command::Stop).is_ok());
    }

    #[test]
    fn every_setting_that_may_change_is_one() {
        let table = toml::Value::try_from(TrainConfig::default()).unwrap();
        for key in TRAIN {
            let found = key.split('.').try_fold(&table, |table, part| table.get(part));
            assert!(found.is_some(), "{key}");
        }
    }
}
