//! Which world, with which settings, and who acts in it: from what was typed to what it means.

use std::path::Path;

use resonetics_agents::prophet::config::TrainConfig;
use resonetics_agents::{
    Evolved, GardenerHeuristic, GardenerHeuristicConfig, Idle, K8sHeuristic, K8sHeuristicConfig, K8sPlanner,
    Policy, Random,
};
use resonetics_envs::config::{Allowed, ConfigError, Settings, Source, resolve};
use resonetics_envs::gardener::{self, GardenerConfig};
use resonetics_envs::k8s::{self, Action, K8sConfig};
use resonetics_envs::registry::{World, world};
use serde::{Deserialize, Serialize};

use crate::cli::WorldArgs;
use crate::failure::Failure;
use crate::files;
use crate::out::note;
use crate::training::{PROPHET, Trained};

/// An environment's settings with those of its heuristic agent, under `agent.`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WithAgent<W, A> {
    #[serde(flatten)]
    pub env: W,
    pub agent: A,
}

impl<W: Settings, A: Settings> Settings for WithAgent<W, A> {
    fn check(&self, allowed: &mut Allowed) {
        self.env.check(allowed);
        allowed.table("agent", |allowed| self.agent.check(allowed));
    }
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

/// The settings of a world and of its agents.
#[derive(Clone, Debug, PartialEq)]
pub enum WorldSettings {
    K8s(WithAgent<K8sConfig, K8sHeuristicConfig>),
    Gardener(WithAgent<GardenerConfig, GardenerHeuristicConfig>),
}

/// A named world, fully resolved; written into config.toml as `[env]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "EnvTable", try_from = "EnvTable")]
pub struct Setup {
    pub name: String,
    pub preset: String,
    pub settings: WorldSettings,
}

/// `[env]` in config.toml.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvTable {
    name: String,
    preset: String,
    settings: toml::Table,
}

impl From<Setup> for EnvTable {
    fn from(setup: Setup) -> EnvTable {
        let settings = setup.settings_table();
        EnvTable { name: setup.name, preset: setup.preset, settings }
    }
}

impl TryFrom<EnvTable> for Setup {
    type Error = String;

    fn try_from(table: EnvTable) -> Result<Setup, String> {
        let text = table.settings.to_string();
        let source = Source { name: "env.settings", text: &text };
        let setup = Setup::preset(&table.name, &table.preset)?.with(Some(source), &[]);
        // The line would be one of this text, not of the user's file.
        setup.map_err(|error| ConfigError { place: "env.settings".to_owned(), ..error }.to_string())
    }
}

impl Setup {
    /// The world `name` as typed: preset, file and sets.
    ///
    /// # Errors
    /// [`Failure::Usage`] for an unknown name, a file that cannot be read or a refused setting.
    pub fn new(name: &str, args: &WorldArgs) -> Result<Setup, Failure> {
        Setup::preset(name, &args.preset).map_err(Failure::Usage)?.typed(args)
    }

    /// This world with what was typed on top: the file, then the sets. What the file says of a training is
    /// left out.
    ///
    /// # Errors
    /// [`Failure::Usage`] for a file that cannot be read or a refused setting.
    pub fn typed(self, args: &WorldArgs) -> Result<Setup, Failure> {
        let file = SettingsFile::of(args, &self.name, false)?;
        // A key that a training alone has is still unknown where it is typed.
        let trained = args.sets.iter().any(|set| set.trim_start().starts_with("train."));
        if file.as_ref().is_some_and(|file| file.trains) && !trained {
            let train = self.training();
            return self.laid_over(file, &args.sets, train).map(|(setup, _)| setup);
        }
        let preset = file.as_ref().and_then(|file| file.preset.clone());
        let source = file.as_ref().map(SettingsFile::source);
        let setup = self.with(source, &args.sets).map_err(|error| refused(error, file.as_ref()))?;
        Ok(Setup { preset: preset.unwrap_or(setup.preset), ..setup })
    }

    /// This world and a training's settings, with what was typed on top of both: those of the training
    /// have keys below `train.`.
    ///
    /// # Errors
    /// [`Failure::Usage`] for a file that cannot be read or a refused setting.
    pub fn typed_with(self, args: &WorldArgs, train: TrainConfig) -> Result<(Setup, TrainConfig), Failure> {
        let file = SettingsFile::of(args, &self.name, true)?;
        self.laid_over(file, &args.sets, train)
    }

    fn laid_over(
        self,
        file: Option<SettingsFile>,
        sets: &[String],
        train: TrainConfig,
    ) -> Result<(Setup, TrainConfig), Failure> {
        let source = file.as_ref().map(SettingsFile::source);
        let refused = |error: ConfigError| refused(error, file.as_ref());
        let (settings, train) = match self.settings {
            WorldSettings::K8s(world) => {
                let both = resolve(&WithTrain { world, train }, source, sets).map_err(refused)?;
                (WorldSettings::K8s(both.world), both.train)
            }
            WorldSettings::Gardener(world) => {
                let both = resolve(&WithTrain { world, train }, source, sets).map_err(refused)?;
                (WorldSettings::Gardener(both.world), both.train)
            }
        };
        let preset = file.and_then(|file| file.preset).unwrap_or(self.preset);
        Ok((Setup { name: self.name, preset, settings }, train))
    }

    /// The settings of a training in this world, with the native learner and the standard recipe.
    pub fn training(&self) -> TrainConfig {
        match &self.settings {
            WorldSettings::K8s(_) => TrainConfig::default(),
            WorldSettings::Gardener(_) => TrainConfig::garden(),
        }
    }

    /// The world `name` under `preset`.
    ///
    /// # Errors
    /// If there is no such world or preset.
    pub fn preset(name: &str, preset: &str) -> Result<Setup, String> {
        let settings = match world(name, preset)? {
            World::K8s(env) => WorldSettings::K8s(WithAgent { env, agent: K8sHeuristicConfig::default() }),
            World::Gardener(env) => {
                WorldSettings::Gardener(WithAgent { env, agent: GardenerHeuristicConfig::default() })
            }
        };
        Ok(Setup { name: name.to_owned(), preset: preset.to_owned(), settings })
    }

    /// This world with a file's settings and then `sets` on top.
    ///
    /// # Errors
    /// The first setting that is refused.
    pub fn with(mut self, file: Option<Source<'_>>, sets: &[String]) -> Result<Setup, ConfigError> {
        match &mut self.settings {
            WorldSettings::K8s(settings) => *settings = resolve(settings, file, sets)?,
            WorldSettings::Gardener(settings) => *settings = resolve(settings, file, sets)?,
        }
        Ok(self)
    }

    /// The longest that an episode can last, in steps or generations.
    pub fn limit(&self) -> u32 {
        match &self.settings {
            WorldSettings::K8s(settings) => settings.env.max_steps,
            WorldSettings::Gardener(settings) => settings.env.max_generations,
        }
    }

    /// The same world with episodes of at most `limit` steps or generations.
    pub fn with_limit(mut self, limit: u32) -> Setup {
        match &mut self.settings {
            WorldSettings::K8s(settings) => settings.env.max_steps = limit,
            WorldSettings::Gardener(settings) => settings.env.max_generations = limit,
        }
        self
    }

    /// All settings as a TOML table.
    pub fn settings_table(&self) -> toml::Table {
        match &self.settings {
            WorldSettings::K8s(settings) => toml::Table::try_from(settings),
            WorldSettings::Gardener(settings) => toml::Table::try_from(settings),
        }
        .unwrap_or_default()
    }

    /// The same with those of a training in it, below `train`.
    pub fn all_settings(&self) -> toml::Table {
        let mut table = self.settings_table();
        if let Ok(train) = toml::Value::try_from(self.training()) {
            table.insert("train".to_owned(), train);
        }
        table
    }

    /// `[env]` of a config.toml.
    pub fn table(&self) -> Result<toml::Value, Failure> {
        toml::Value::try_from(self)
            .map_err(|error| Failure::Failed(format!("cannot write the settings as TOML: {error}")))
    }

    /// The names of the agents of this world.
    pub fn agents(&self) -> &'static [&'static str] {
        agent_names(&self.settings)
    }

    /// The agent that this world is shown with unless another one is asked for.
    pub fn shown_agent(&self) -> &'static str {
        match self.settings {
            WorldSettings::K8s(_) => "heuristic",
            WorldSettings::Gardener(_) => "evolved",
        }
    }

    /// The agent called `name`, for `envs` environments.
    ///
    /// # Errors
    /// [`Failure::Usage`] if this world has no such agent.
    pub fn policy(&self, name: &str, envs: usize) -> Result<Box<dyn Policy>, Failure> {
        if let Some(dir) = name.strip_prefix(PROPHET) {
            return Ok(Box::new(Trained::open(Path::new(dir))?.policy(self)?));
        }
        match &self.settings {
            WorldSettings::K8s(settings) => match name {
                "random" => return Ok(Box::new(Random::new(envs, 1, k8s::ACTIONS))),
                "heuristic" => return Ok(Box::new(K8sHeuristic { config: settings.agent.clone() })),
                "planner" => return Ok(Box::new(K8sPlanner::new(settings.env.clone()))),
                "idle" => return Ok(Box::new(Idle { action: Action::Right as usize })),
                _ => {}
            },
            WorldSettings::Gardener(settings) => match name {
                "evolved" => return Ok(Box::new(Evolved::new(envs, &settings.env))),
                "heuristic" => {
                    return Ok(Box::new(GardenerHeuristic::new(settings.agent.clone(), &settings.env)));
                }
                "random" => {
                    return Ok(Box::new(Random::new(envs, settings.env.max_population, gardener::ACTIONS)));
                }
                "idle" => return Ok(Box::new(Idle { action: gardener::action::WAIT })),
                _ => {}
            },
        }
        let known = self.agents().join(", ");
        let known = format!("{known}, and prophet:DIR for a trained one");
        Err(Failure::Usage(format!("unknown agent `{name}` for {}; known are: {known}", self.name)))
    }

    /// Whether the control layer is on.
    pub fn control(&self) -> bool {
        match &self.settings {
            WorldSettings::K8s(settings) => settings.env.control.enabled,
            WorldSettings::Gardener(settings) => settings.env.control.enabled,
        }
    }

    /// The same world with its control layer on or off.
    pub fn with_control(&self, enabled: bool) -> Setup {
        let mut setup = self.clone();
        match &mut setup.settings {
            WorldSettings::K8s(settings) => settings.env.control.enabled = enabled,
            WorldSettings::Gardener(settings) => settings.env.control.enabled = enabled,
        }
        setup
    }
}

fn agent_names(settings: &WorldSettings) -> &'static [&'static str] {
    match settings {
        WorldSettings::K8s(_) => &["random", "heuristic", "planner", "idle"],
        WorldSettings::Gardener(_) => &["evolved", "heuristic", "random", "idle"],
    }
}

/// What `--config` names: a file of settings, or the config.toml of a run, whose settings are taken.
struct SettingsFile {
    name: String,
    text: String,
    /// Of the run that it is of.
    preset: Option<String>,
    /// Whether there are settings of a training in it.
    trains: bool,
}

impl SettingsFile {
    /// The file that was typed, for the world called `env`; `trains`: for a training in it.
    ///
    /// # Errors
    /// [`Failure::Usage`] if it cannot be read, or is the config.toml of a run in no such world.
    fn of(args: &WorldArgs, env: &str, trains: bool) -> Result<Option<SettingsFile>, Failure> {
        let Some(path) = &args.config else { return Ok(None) };
        let (name, text) = (path.display().to_string(), read(path)?);
        // What is no TOML is refused with its line later.
        let table: toml::Table = text.parse().unwrap_or_default();
        let train = table.get("train").filter(|train| train.is_table());
        let Some(command) = table.get("command").and_then(toml::Value::as_str) else {
            return Ok(Some(SettingsFile { name, preset: None, trains: train.is_some(), text }));
        };
        let EnvTable { preset, mut settings, .. } = env_of(&table, &name, command, env)?;
        let train = train.filter(|_| trains).cloned();
        let taken = if train.is_some() { "[env] and [train] are" } else { "[env] is" };
        let left: Vec<&str> = table
            .keys()
            .map(String::as_str)
            .filter(|key| !["command", "env", "worlds"].contains(key) && (train.is_none() || *key != "train"))
            .collect();
        let left = if left.is_empty() { String::new() } else { format!(", not its {}", left.join(", ")) };
        note(format_args!("{name} is of a run of `{command}`: its {taken} taken, preset {preset}{left}"));
        let trains = train.is_some();
        settings.extend(train.map(|train| ("train".to_owned(), train)));
        Ok(Some(SettingsFile { name, text: settings.to_string(), preset: Some(preset), trains }))
    }

    fn source(&self) -> Source<'_> {
        Source { name: &self.name, text: &self.text }
    }
}

/// The world `env` in `table`, the config.toml `name` of a run of `command`.
fn env_of(table: &toml::Table, name: &str, command: &str, env: &str) -> Result<EnvTable, Failure> {
    let refuse = |problem: String| Err(Failure::Usage(format!("{name} is of a run of `{command}`{problem}")));
    let worlds = table.get("worlds").and_then(toml::Value::as_array).into_iter().flatten();
    let worlds: Vec<EnvTable> = worlds
        .filter_map(|world| world.get("env"))
        .chain(table.get("env"))
        .filter_map(|env| env.clone().try_into().ok())
        .collect();
    let names: Vec<String> = worlds.iter().map(|world| world.name.clone()).collect();
    match worlds.into_iter().find(|world| world.name == env) {
        Some(world) => Ok(world),
        None if names.is_empty() => refuse(": it holds no settings of a world".to_owned()),
        None => refuse(format!(" in {}: its settings are not those of {env}", names.join(" and "))),
    }
}

/// A refused setting; the lines of what was taken out of a run's config.toml are not those of the file.
fn refused(error: ConfigError, file: Option<&SettingsFile>) -> Failure {
    let taken = file.filter(|file| file.preset.is_some() && error.place.starts_with(&file.name));
    let place = taken.map_or_else(|| error.place.clone(), |file| file.name.clone());
    Failure::Usage(ConfigError { place, ..error }.to_string())
}

/// The text of a file of settings or of what a run says of itself.
///
/// # Errors
/// As [`files::read`]; [`Failure::Usage`] for what is no text.
pub fn read(path: &Path) -> Result<String, Failure> {
    text(path, files::TEXT)
}

/// The text of a file of `limit` bytes at most.
///
/// # Errors
/// As [`read`].
pub fn text(path: &Path, limit: u64) -> Result<String, Failure> {
    String::from_utf8(files::read(path, limit)?)
        .map_err(|_| Failure::Usage(format!("cannot read {}: it is not UTF-8 text", path.display())))
}
