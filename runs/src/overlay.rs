//! What is laid over the preset of a world: a file of settings, or the config.toml of a run, and settings one
//! by one.

use std::path::PathBuf;

use resonetics_agents::prophet::config::TrainConfig;
use resonetics_envs::config::{Allowed, ConfigError, Settings, Source, resolve};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::files::text;
use crate::plan::Lumen;
use crate::plan::lumen::{KEYS, Typed};
use crate::setup::{EnvTable, STEPS, Setup, WorldSettings};

/// A file of settings and settings on top of it; the default is none.
#[derive(Clone, Debug, Default)]
pub struct Overlay {
    /// TOML with settings of the world, or the config.toml of a run, whose settings of this world are taken.
    pub file: Option<PathBuf>,
    /// Settings such as `max_steps=1000`, each on top of those before it.
    pub sets: Vec<String>,
    /// What is in the file, where it was read already: a pipe is read once.
    pub text: Option<String>,
}

/// A world's settings with those of a training in it, under `train.`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct WithTrain<W> {
    #[serde(flatten)]
    world: W,
    train: TrainConfig,
}

impl<W: Settings> Settings for WithTrain<W> {
    fn check(&self, allowed: &mut Allowed) {
        self.world.check(allowed);
        allowed.table("train", |allowed| self.train.check(allowed));
    }
}

impl Overlay {
    /// What of it says how a run is watched, and the rest.
    ///
    /// # Errors
    /// A file that cannot be read, or the first setting under `lumen.` that is refused.
    pub fn watched(self) -> Result<(Lumen, Overlay), Error> {
        let (lumen, sets) = self.sets.into_iter().partition::<Vec<_>, _>(|set| is_lumen(set));
        let mut overlay = Overlay { sets, ..self };
        overlay.text = match (overlay.text.take(), &overlay.file) {
            (None, Some(path)) => Some(text(path)?),
            (text, _) => text,
        };
        let base = Typed { lumen: Lumen::default() };
        let name = overlay.file.as_ref().map_or_else(String::new, |path| path.display().to_string());
        let text = overlay.text.as_deref().unwrap_or_default();
        // What is no TOML is refused with its line where the rest is read.
        let table: toml::Table = text.parse().unwrap_or_default();
        // That of a run is its own.
        let typed = table.get("lumen").filter(|_| !table.contains_key("command"));
        let typed =
            typed.map(|typed| toml::Table::from_iter([("lumen".to_owned(), typed.clone())]).to_string());
        let source = typed.as_ref().map(|text| Source { name: &name, text });
        let place = |error: ConfigError| {
            // The lines of a part of a file are not those of the file.
            let of_file = !name.is_empty() && error.place.starts_with(&name);
            let place = if of_file { name.clone() } else { error.place.clone() };
            // The resolver names groups of keys alone.
            let problem =
                error.problem.replace("lumen.\u{2026}", &KEYS.map(|key| format!("lumen.{key}")).join(", "));
            ConfigError { place, problem, ..error }
        };
        let lumen = resolve(&base, source, &lumen).map_err(place)?.lumen;
        Ok((lumen, overlay))
    }

    /// `world` with the file and then the settings on top. What the file says of a training is left out. `note` is
    /// told which settings of a run are taken.
    ///
    /// # Errors
    /// A file that cannot be read, or the first setting that is refused.
    pub fn over(&self, world: Setup, note: &dyn Fn(&str)) -> Result<Setup, Error> {
        let file = SettingsFile::of(self, &world.name, false, note)?;
        // A key that a training alone has is still unknown where it is typed.
        let trained = self.sets.iter().any(|set| set.trim_start().starts_with("train."));
        if file.as_ref().is_some_and(|file| file.trains) && !trained {
            let train = world.training(STEPS);
            return self.lay(file.as_ref(), world, train).map(|(setup, _)| setup);
        }
        let preset = file.as_ref().and_then(|file| file.preset.clone());
        let source = file.as_ref().map(SettingsFile::source);
        let setup = world.with(source, &self.sets).map_err(|error| refused(error, file.as_ref()))?;
        Ok(Setup { preset: preset.unwrap_or(setup.preset), ..setup })
    }

    /// `world` and the settings of a training in it, with the file and then the settings on top of both: those of
    /// the training have keys below `train.`. `train` gives what they are laid on, for the world as it then is.
    ///
    /// # Errors
    /// As [`Overlay::over`].
    pub fn over_training(
        &self,
        world: Setup,
        train: &dyn Fn(&Setup) -> TrainConfig,
        note: &dyn Fn(&str),
    ) -> Result<(Setup, TrainConfig), Error> {
        let file = SettingsFile::of(self, &world.name, true, note)?;
        let (settled, _) = self.lay(file.as_ref(), world.clone(), train(&world))?;
        self.lay(file.as_ref(), world, train(&settled))
    }

    fn lay(
        &self,
        file: Option<&SettingsFile>,
        world: Setup,
        train: TrainConfig,
    ) -> Result<(Setup, TrainConfig), Error> {
        let source = file.map(SettingsFile::source);
        let refused = |error: ConfigError| refused(error, file);
        let Setup { name, preset, settings } = world;
        let (settings, train) = match settings {
            WorldSettings::K8s(world) => {
                let both = resolve(&WithTrain { world, train }, source, &self.sets).map_err(refused)?;
                (WorldSettings::K8s(both.world), both.train)
            }
            WorldSettings::Gardener(world) => {
                let both = resolve(&WithTrain { world, train }, source, &self.sets).map_err(refused)?;
                (WorldSettings::Gardener(both.world), both.train)
            }
        };
        let preset = file.and_then(|file| file.preset.clone()).unwrap_or(preset);
        Ok((Setup { name, preset, settings }, train))
    }
}

/// What was read: a file of settings, or the config.toml of a run, whose settings are taken.
struct SettingsFile {
    name: String,
    text: String,
    /// Of the run that it is of.
    preset: Option<String>,
    /// Whether there are settings of a training in it.
    trains: bool,
}

impl SettingsFile {
    /// The file of `overlay`, for the world called `env`; `trains`: for a training in it.
    ///
    /// # Errors
    /// [`Error::Refused`] if it cannot be read, or is the config.toml of a run in no such world.
    fn of(
        overlay: &Overlay,
        env: &str,
        trains: bool,
        note: &dyn Fn(&str),
    ) -> Result<Option<SettingsFile>, Error> {
        let Some(path) = &overlay.file else { return Ok(None) };
        let read = overlay.text.clone().map_or_else(|| text(path), Ok);
        let (name, text) = (path.display().to_string(), read?);
        // What is no TOML is refused with its line later.
        let table: toml::Table = text.parse().unwrap_or_default();
        let train = table.get("train").filter(|train| train.is_table());
        let Some(command) = table.get("command").and_then(toml::Value::as_str) else {
            let text = if table.contains_key("lumen") { without_lumen(&text) } else { text };
            return Ok(Some(SettingsFile { name, preset: None, trains: train.is_some(), text }));
        };
        let EnvTable { preset, mut settings, .. } = env_of(&table, &name, command, env)?;
        let train = train.filter(|_| trains).cloned().map(with_all_keys);
        let taken = if train.is_some() { "[env] and [train] are" } else { "[env] is" };
        let left: Vec<&str> = table
            .keys()
            .map(String::as_str)
            .filter(|key| {
                !["command", "env", "worlds", "lumen"].contains(key) && (train.is_none() || *key != "train")
            })
            .collect();
        let left = if left.is_empty() { String::new() } else { format!(", not its {}", left.join(", ")) };
        note(&format!("{name} belongs to a run of `{command}`: its {taken} used, preset {preset}{left}"));
        let trains = train.is_some();
        settings.extend(train.map(|train| ("train".to_owned(), train)));
        Ok(Some(SettingsFile { name, text: settings.to_string(), preset: Some(preset), trains }))
    }

    fn source(&self) -> Source<'_> {
        Source { name: &self.name, text: &self.text }
    }
}

/// Whether `set`, or a line of a file, is of what watches.
fn is_lumen(set: &str) -> bool {
    set.trim_start().strip_prefix("lumen").is_some_and(|rest| rest.trim_start().starts_with(['.', '=']))
}

/// `text` without what watches, its other lines where they were.
fn without_lumen(text: &str) -> String {
    let mut inside = false;
    let keep = |line: &str| {
        let line = line.trim_start();
        let is_header = line.starts_with('[');
        if is_header {
            inside = line.split('#').next().is_some_and(|header| header.trim_end() == "[lumen]");
        }
        !inside && !is_lumen(line)
    };
    let mut keep = keep;
    text.lines().map(|line| if keep(line) { format!("{line}\n") } else { "\n".to_owned() }).collect()
}

/// The settings of a run's training with those that it lacks, since it is older than they are, as they were then: not
/// those of today's recipe.
fn with_all_keys(train: toml::Value) -> toml::Value {
    let whole =
        train.clone().try_into::<TrainConfig>().ok().and_then(|whole| toml::Value::try_from(whole).ok());
    // What cannot be read is refused with its line later.
    whole.unwrap_or(train)
}

/// The world `env` in `table`, the config.toml `name` of a run of `command`.
fn env_of(table: &toml::Table, name: &str, command: &str, env: &str) -> Result<EnvTable, Error> {
    let refuse =
        |problem: String| Err(Error::Refused(format!("{name} belongs to a run of `{command}`{problem}")));
    let worlds = table.get("worlds").and_then(toml::Value::as_array).into_iter().flatten();
    let worlds: Vec<EnvTable> = worlds
        .filter_map(|world| world.get("env"))
        .chain(table.get("env"))
        .filter_map(|env| env.clone().try_into().ok().map(EnvTable::with_its_reward))
        .collect();
    let names: Vec<String> = worlds.iter().map(|world| world.name.clone()).collect();
    match worlds.into_iter().find(|world| world.name == env) {
        Some(world) => Ok(world),
        None if names.is_empty() => refuse(": it holds no settings of a world".to_owned()),
        None => refuse(format!(" in {}: its settings are not those of {env}", names.join(" and "))),
    }
}

/// A refused setting; the lines of what was taken out of a run's config.toml are not those of the file.
fn refused(error: ConfigError, file: Option<&SettingsFile>) -> Error {
    let taken = file.filter(|file| file.preset.is_some() && error.place.starts_with(&file.name));
    let place = taken.map_or_else(|| error.place.clone(), |file| file.name.clone());
    ConfigError { place, ..error }.into()
}
