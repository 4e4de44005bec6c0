//! Which world, with which settings, and who acts in it: from what was typed to what it means.

use std::fmt;
use std::path::Path;

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
use crate::failure::{self, Failure};

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
        Setup::resolve(&table.name, &table.preset, Some(source), &[]).map_err(|refusal| match refusal {
            // The line would be one of this text, not of the user's file.
            Refusal::Setting(error) => ConfigError { place: "env.settings".to_owned(), ..error }.to_string(),
            Refusal::Name(problem) => problem,
        })
    }
}

/// Why there is no such world.
#[derive(Debug)]
pub enum Refusal {
    /// An unknown environment or preset.
    Name(String),
    /// A refused setting.
    Setting(ConfigError),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Name(problem) => f.write_str(problem),
            Refusal::Setting(error) => error.fmt(f),
        }
    }
}

impl Setup {
    /// The world `name` as typed: preset, file and sets.
    ///
    /// # Errors
    /// [`Failure::Usage`] for an unknown name, a file that cannot be read or a refused setting.
    pub fn new(name: &str, args: &WorldArgs) -> Result<Setup, Failure> {
        let file =
            args.config.as_deref().map(|path| read(path).map(|text| (path.display().to_string(), text)));
        let file = file.transpose()?;
        let source = file.as_ref().map(|(name, text)| Source { name, text });
        Setup::resolve(name, &args.preset, source, &args.sets)
            .map_err(|refusal| Failure::Usage(refusal.to_string()))
    }

    /// The same from texts.
    pub fn resolve(
        name: &str,
        preset: &str,
        file: Option<Source<'_>>,
        sets: &[String],
    ) -> Result<Setup, Refusal> {
        let settings = match world(name, preset).map_err(Refusal::Name)? {
            World::K8s(env) => {
                let base = WithAgent { env, agent: K8sHeuristicConfig::default() };
                WorldSettings::K8s(resolve(&base, file, sets).map_err(Refusal::Setting)?)
            }
            World::Gardener(env) => {
                let base = WithAgent { env, agent: GardenerHeuristicConfig::default() };
                WorldSettings::Gardener(resolve(&base, file, sets).map_err(Refusal::Setting)?)
            }
        };
        Ok(Setup { name: name.to_owned(), preset: preset.to_owned(), settings })
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

    /// The agent called `name`, for `envs` environments.
    ///
    /// # Errors
    /// [`Failure::Usage`] if this world has no such agent.
    pub fn policy(&self, name: &str, envs: usize) -> Result<Box<dyn Policy>, Failure> {
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
        Err(Failure::Usage(format!("unknown agent `{name}` for {}; known are: {known}", self.name)))
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

/// The text of a file that the user named.
pub fn read(path: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(path).map_err(failure::io("read", path))?;
    String::from_utf8(bytes)
        .map_err(|_| Failure::Usage(format!("cannot read {}: it is not UTF-8 text", path.display())))
}
