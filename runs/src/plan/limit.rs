//! `limit`: how much drift an agent carries.

use resonetics_envs::config::{ConfigError, short};
use serde::{Deserialize, Serialize};
use toml::Value;

use super::benchmark::check_agents;
use super::range::{EPISODES, LIFE, within};
use crate::error::Error;
use crate::setup::{Setup, WorldSettings};
use crate::trained::TrainedAgents;

/// Everything that the run depends on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Everything random follows from it.
    pub seed: u64,
    /// Steps or generations that a system has to live; its episodes are cut off there.
    pub life: u32,
    /// Episodes of each agent at each dose, on the same seeds.
    pub episodes: u32,
    /// The setting whose value is the dose, such as `mem_drift_mu`.
    pub dose: String,
    /// The agents' names.
    pub agents: Vec<String>,
    /// Which checkpoints act for its trained agents; filled as it begins.
    #[serde(default, skip_serializing_if = "TrainedAgents::is_empty")]
    pub checkpoints: TrainedAgents,
    /// The world; the search begins with the dose that it has.
    pub env: Setup,
}

impl Limit {
    /// How much of `dose`, or of the usual one, the agents called `names` carry in `env` for `life` steps; trained ones
    /// are read now, and their actions drawn if `sample` says so.
    ///
    /// # Errors
    /// Those of [`Limit::check`], [`TrainedAgents::open`] and [`TrainedAgents::sampled`].
    pub fn new(
        env: Setup,
        names: Vec<String>,
        life: u32,
        dose: Option<String>,
        episodes: u32,
        sample: bool,
    ) -> Result<Limit, Error> {
        let dose = dose.unwrap_or_else(|| Limit::usual_dose(&env).to_owned());
        let (checkpoints, agents) = (TrainedAgents::default(), Vec::new());
        let plan = Limit { seed: 0, life, episodes, dose, checkpoints, agents, env: env.with_limit(life) };
        plan.start()?;
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        let checkpoints = TrainedAgents::default().open(&known)?.sampled(sample)?;
        let plan = Limit { agents: names, checkpoints, ..plan };
        plan.check()?;
        Ok(plan)
    }

    /// The dose of a world unless another one is asked for: how fast it drifts.
    pub fn usual_dose(env: &Setup) -> &'static str {
        match env.settings {
            WorldSettings::K8s(_) => "mem_drift_mu",
            WorldSettings::Gardener(_) => "dirt_growth",
        }
    }

    /// The setting that `life` takes the place of.
    pub fn life_key(env: &Setup) -> &'static str {
        match env.settings {
            WorldSettings::K8s(_) => "max_steps",
            WorldSettings::Gardener(_) => "max_generations",
        }
    }

    /// What a life is counted in.
    pub fn steps(&self) -> &'static str {
        match self.env.settings {
            WorldSettings::K8s(_) => "steps",
            WorldSettings::Gardener(_) => "generations",
        }
    }

    /// Refuses what the command line refuses.
    ///
    /// # Errors
    /// [`Error::Refused`] for a number out of its range, a dose that is no number above 0, another length of the
    /// episodes, and agents that are unknown or named twice.
    pub fn check(&self) -> Result<(), Error> {
        within("life", self.life.into(), &LIFE)?;
        within("episodes", self.episodes.into(), &EPISODES)?;
        if self.env.limit() != self.life {
            let (key, found) = (Limit::life_key(&self.env), self.env.limit());
            return Err(Error::Refused(format!("`env.settings.{key} = {found}`: `life` says {}", self.life)));
        }
        if let WorldSettings::Gardener(garden) = &self.env.settings
            && self.life <= garden.env.lost.generations
        {
            return Err(Error::Refused(format!(
                "life {}: a garden is lost after {} generations full of dirt (lost.generations), so that none could be lost: \
                 allowed are more",
                self.life, garden.env.lost.generations
            )));
        }
        self.start()?;
        check_agents(&self.agents, &self.checkpoints, &self.env)
    }

    /// The dose that the search begins with.
    ///
    /// # Errors
    /// [`Error::Refused`] if the key is none of the world's numbers, with those that there are, or not above 0.
    pub fn start(&self) -> Result<f64, Error> {
        let value = match find(&self.env.settings_table(), &self.dose) {
            Some(Value::Float(value)) => value,
            Some(Value::Integer(value)) => value as f64,
            found => return Err(self.no_dose(found.is_some())),
        };
        if self.dose == Limit::life_key(&self.env) {
            return Err(Error::Refused(format!(
                "dose `{}`: that is what --life says; choose another",
                self.dose
            )));
        }
        if value > 0.0 {
            return Ok(value);
        }
        Err(Error::Refused(format!(
            "dose `{} = {}`: doses are doubled and halved from the value that is set, which must be above 0; give \
             one with --set {}=VALUE",
            self.dose,
            short(value),
            self.dose
        )))
    }

    fn no_dose(&self, known: bool) -> Error {
        let mut keys = numbers(&self.env.settings_table(), "");
        keys.retain(|key| key != Limit::life_key(&self.env));
        let all = keys.join(", ");
        let dose = &self.dose;
        if known {
            return Error::Refused(format!("dose `{dose}` is no number; those are: {all}"));
        }
        let within = keys.iter().find(|key| key.rsplit('.').next() == Some(dose));
        let distance = |key: &str| strsim::damerau_levenshtein(key, dose);
        let nearest = keys.iter().min_by_key(|key| distance(key));
        let near = within.or(nearest.filter(|key| distance(key) <= 1 + dose.len() / 3));
        let meant = near.map_or_else(|| "its ".to_owned(), |near| format!("did you mean `{near}`? Its "));
        Error::Refused(format!("unknown dose `{dose}` for {}; {meant}numbers are: {all}", self.env.name))
    }

    /// The dose nearest to `dose` that the setting can have, and the world with it; whole numbers are rounded.
    ///
    /// # Errors
    /// What is refused of a dose out of range.
    pub fn dosed(&self, dose: f64) -> Result<(f64, Setup), ConfigError> {
        let whole = matches!(find(&self.env.settings_table(), &self.dose), Some(Value::Integer(_)));
        let dose = if whole { dose.round() } else { dose };
        let value = if whole { format!("{dose}") } else { format!("{dose:?}") };
        let env = self.env.clone().with(None, &[format!("{}={value}", self.dose)])?;
        Ok((dose, env))
    }
}

/// The value of a dotted key.
fn find(table: &toml::Table, key: &str) -> Option<Value> {
    let mut parts = key.split('.');
    let first = table.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.as_table()?.get(part)).cloned()
}

/// The dotted keys of all numbers in `table`.
fn numbers(table: &toml::Table, prefix: &str) -> Vec<String> {
    let of = |(key, value): (&String, &Value)| match value {
        Value::Table(inner) => numbers(inner, &format!("{prefix}{key}.")),
        Value::Integer(_) | Value::Float(_) => vec![format!("{prefix}{key}")],
        _ => Vec::new(),
    };
    table.iter().flat_map(of).collect()
}
