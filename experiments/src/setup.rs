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
use crate::training::Trained;

/// What stands before the run directory in the name of a trained agent.
pub const TRAINED: &str = "prophet:";

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

    /// This world with what was typed on top: the file, then the sets.
    ///
    /// # Errors
    /// [`Failure::Usage`] for a file that cannot be read or a refused setting.
    pub fn typed(self, args: &WorldArgs) -> Result<Setup, Failure> {
        let file =
            args.config.as_deref().map(|path| read(path).map(|text| (path.display().to_string(), text)));
        let file = file.transpose()?;
        let source = file.as_ref().map(|(name, text)| Source { name, text });
        self.with(source, &args.sets).map_err(|error| Failure::Usage(error.to_string()))
    }

    /// This world and a training's settings, with what was typed on top of both: those of the training
    /// have keys below `train.`.
    ///
    /// # Errors
    /// [`Failure::Usage`] for a file that cannot be read or a refused setting.
    pub fn typed_with(self, args: &WorldArgs, train: TrainConfig) -> Result<(Setup, TrainConfig), Failure> {
        let file =
            args.config.as_deref().map(|path| read(path).map(|text| (path.display().to_string(), text)));
        let file = file.transpose()?;
        let source = file.as_ref().map(|(name, text)| Source { name, text });
        let refused = |error: ConfigError| Failure::Usage(error.to_string());
        let (settings, train) = match self.settings {
            WorldSettings::K8s(world) => {
                let both = resolve(&WithTrain { world, train }, source, &args.sets).map_err(refused)?;
                (WorldSettings::K8s(both.world), both.train)
            }
            WorldSettings::Gardener(world) => {
                let both = resolve(&WithTrain { world, train }, source, &args.sets).map_err(refused)?;
                (WorldSettings::Gardener(both.world), both.train)
            }
        };
        Ok((Setup { settings, ..self }, train))
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
        if let Some(dir) = name.strip_prefix(TRAINED) {
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
