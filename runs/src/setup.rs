//! A world by its name, with all its settings, and the agents that it has.

use resonetics_agents::prophet::config::TrainConfig;
use resonetics_agents::{
    Evolved, GardenerHeuristic, GardenerHeuristicConfig, GardenerPatrol, GardenerPatrolConfig, Idle,
    K8sHeuristic, K8sHeuristicConfig, K8sPatrol, K8sPatrolConfig, K8sPlanner, Policy, Random,
};
use resonetics_envs::config::{Allowed, ConfigError, Settings, Source, resolve};
use resonetics_envs::gardener::{self, GardenerConfig};
use resonetics_envs::k8s::{self, Action, K8sConfig};
use resonetics_envs::registry::{World, world};
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Steps of a training where it is not said how many.
pub const STEPS: u64 = 400_000;

/// An environment's settings with those of its agents, under `agent.`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WithAgents<W, H, P> {
    /// The environment's settings.
    #[serde(flatten)]
    pub env: W,
    /// Its agents'.
    pub agent: AgentSettings<H, P>,
}

/// The settings of a world's agents, as far as they have any.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct AgentSettings<H, P> {
    /// The heuristic agent's, under `agent.`.
    #[serde(flatten)]
    pub heuristic: H,
    /// Those of the one that patrols, under `agent.patrol.`.
    pub patrol: P,
}

impl<W: Settings, H: Settings, P: Settings> Settings for WithAgents<W, H, P> {
    fn check(&self, allowed: &mut Allowed) {
        self.env.check(allowed);
        allowed.table("agent", |allowed| {
            self.agent.heuristic.check(allowed);
            allowed.table("patrol", |allowed| self.agent.patrol.check(allowed));
        });
    }
}

/// The settings of a world and of its agents.
#[derive(Clone, Debug, PartialEq)]
pub enum WorldSettings {
    /// The K8s smart-tensor cluster.
    K8s(WithAgents<K8sConfig, K8sHeuristicConfig, K8sPatrolConfig>),
    /// The Gardener.
    Gardener(WithAgents<GardenerConfig, GardenerHeuristicConfig, GardenerPatrolConfig>),
}

/// A named world, fully resolved; written into config.toml as `[env]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "EnvTable", try_from = "EnvTable")]
pub struct Setup {
    /// Such as `k8s`.
    pub name: String,
    /// Such as `reference`.
    pub preset: String,
    /// All settings, resolved.
    pub settings: WorldSettings,
}

/// `[env]` in config.toml.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnvTable {
    pub(crate) name: String,
    pub(crate) preset: String,
    pub(crate) settings: toml::Table,
}

impl From<Setup> for EnvTable {
    fn from(setup: Setup) -> EnvTable {
        let settings = setup.settings_table();
        EnvTable { name: setup.name, preset: setup.preset, settings }
    }
}

impl EnvTable {
    /// The same; of a garden from before its reward had weights of costs and of births, with those that it had.
    #[must_use]
    pub(crate) fn with_its_reward(mut self) -> EnvTable {
        let reward = self.settings.get_mut("reward").and_then(toml::Value::as_table_mut);
        // A run writes every setting down: only an older one lacks these.
        if let Some(reward) = reward {
            if !reward.contains_key("cost_weight") {
                reward.insert("cost_weight".to_owned(), 1.0.into());
                reward.insert("birth_weight".to_owned(), 0.0.into());
            }
            for later in ["saving_weight", "clean_weight"] {
                if !reward.contains_key(later) {
                    reward.insert(later.to_owned(), 0.0.into());
                }
            }
        }
        self
    }
}

impl TryFrom<EnvTable> for Setup {
    type Error = String;

    fn try_from(table: EnvTable) -> Result<Setup, String> {
        let table = table.with_its_reward();
        let text = table.settings.to_string();
        let source = Source { name: "env.settings", text: &text };
        let setup = Setup::preset(&table.name, &table.preset)
            .map_err(|error| error.to_string())?
            .with(Some(source), &[]);
        // The line would be one of this text, not of the user's file.
        setup.map_err(|error| ConfigError { place: "env.settings".to_owned(), ..error }.to_string())
    }
}

impl Setup {
    /// The settings of a training of `steps` steps in this world, with the native learner and the standard recipe.
    pub fn training(&self, steps: u64) -> TrainConfig {
        match &self.settings {
            WorldSettings::K8s(settings) => TrainConfig::recipe(settings.env.max_steps, steps),
            WorldSettings::Gardener(_) => TrainConfig::garden(),
        }
    }

    /// The world `name` under `preset`.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such world or preset; the names that there are.
    pub fn preset(name: &str, preset: &str) -> Result<Setup, Error> {
        let settings = match world(name, preset).map_err(Error::Refused)? {
            World::K8s(env) => WorldSettings::K8s(WithAgents { env, agent: AgentSettings::default() }),
            World::Gardener(env) => {
                WorldSettings::Gardener(WithAgents { env, agent: AgentSettings::default() })
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

    #[must_use]
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

    /// The same with those of a training of [`STEPS`] steps in it, below `train`.
    pub fn all_settings(&self) -> toml::Table {
        let mut table = self.settings_table();
        if let Ok(train) = toml::Value::try_from(self.training(STEPS)) {
            table.insert("train".to_owned(), train);
        }
        table
    }

    /// `[env]` of a config.toml.
    ///
    /// # Errors
    /// [`Error::Failed`] for what is no TOML; no settings are known that lead to it.
    pub fn table(&self) -> Result<toml::Value, Error> {
        toml::Value::try_from(self)
            .map_err(|error| Error::Failed(format!("cannot write the settings as TOML: {error}")))
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

    /// The agent called `name`, for `envs` environments; one that was trained is read by
    /// [`crate::trained::policy`].
    ///
    /// # Errors
    /// [`Error::Refused`] if this world has no such agent.
    pub fn policy(&self, name: &str, envs: usize) -> Result<Box<dyn Policy>, Error> {
        match &self.settings {
            WorldSettings::K8s(settings) => match name {
                "random" => return Ok(Box::new(Random::new(envs, 1, k8s::ACTIONS))),
                "heuristic" => {
                    return Ok(Box::new(K8sHeuristic { config: settings.agent.heuristic.clone() }));
                }
                "patrol" => {
                    return Ok(Box::new(K8sPatrol::new(settings.agent.patrol.clone(), &settings.env)));
                }
                "planner" => return Ok(Box::new(K8sPlanner::new(settings.env.clone()))),
                "idle" => return Ok(Box::new(Idle { action: Action::Right as usize })),
                _ => {}
            },
            WorldSettings::Gardener(settings) => match name {
                "evolved" => return Ok(Box::new(Evolved::new(envs, &settings.env))),
                "heuristic" => {
                    let config = settings.agent.heuristic.clone();
                    return Ok(Box::new(GardenerHeuristic::new(config, &settings.env)));
                }
                "patrol" => {
                    return Ok(Box::new(GardenerPatrol::new(settings.agent.patrol.clone(), &settings.env)));
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
        Err(Error::Refused(format!("unknown agent `{name}` for {}; known are: {known}", self.name)))
    }

    /// Whether the control layer is on.
    pub fn control(&self) -> bool {
        match &self.settings {
            WorldSettings::K8s(settings) => settings.env.control.enabled,
            WorldSettings::Gardener(settings) => settings.env.control.enabled,
        }
    }

    #[must_use]
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
        WorldSettings::K8s(_) => &["random", "heuristic", "patrol", "planner", "idle"],
        WorldSettings::Gardener(_) => &["evolved", "heuristic", "patrol", "random", "idle"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `[env]` of results/ from before.
    #[test]
    fn an_older_garden_keeps_the_reward_that_it_had() {
        let written = |text: &str| {
            let setup: Setup = toml::from_str(text).unwrap();
            let WorldSettings::Gardener(garden) = setup.settings else { panic!("a garden") };
            let reward = garden.env.reward;
            [reward.cost_weight, reward.birth_weight, reward.saving_weight, reward.clean_weight]
        };
        let old = "name = \"gardener\"\npreset = \"reference\"\n[settings.reward]\nenergy_weight = 1.0\nteam_weight = 0.1\n";
        assert_eq!(written(old), [1.0, 0.0, 0.0, 0.0]);
        let newer = format!("{old}cost_weight = 0.5\nbirth_weight = 2.0\n");
        assert_eq!(written(&newer), [0.5, 2.0, 0.0, 0.0]);
        let new = format!("{newer}saving_weight = 0.25\nclean_weight = 3.0\n");
        assert_eq!(written(&new), [0.5, 2.0, 0.25, 3.0]);
    }
}
