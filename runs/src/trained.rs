//! The policy that a training has led to, and which of its checkpoints that is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use resonetics_agents::Policy;
use resonetics_agents::prophet::jacobian::PolicyJacobian;
use resonetics_agents::prophet::learner::Learner;
use resonetics_agents::prophet::native::NativeLearner;
use resonetics_agents::prophet::normalizer::Normalizer;
use resonetics_agents::prophet::policy::Prophet;
use resonetics_agents::prophet::state::State;
use serde::{Deserialize, Serialize};

pub use crate::training::checkpoint::CheckpointName;

use crate::error::Error;
use crate::files::text;
use crate::setup::Setup;
use crate::training::checkpoint::{Checkpoints, Identity, Which};
use crate::training::plan::{Train, agents, spaces};

/// What the name of a trained agent begins with, before its run directory and which of its checkpoints acts:
/// `prophet:DIR`, `prophet:DIR@best`, `prophet:DIR@last` or `prophet:DIR@STEP`.
pub const PROPHET: &str = "prophet:";

/// The run directory in `DIR`, `DIR@best`, `DIR@last` or `DIR@STEP`, and which checkpoint is meant, the best one
/// unless it says. The longest path that exists wins: a folder may have an @ in its name.
///
/// # Errors
/// [`Error::Refused`] for a folder that is there with something else behind its @; what is allowed.
pub fn named(text: &str) -> Result<(&str, Which), Error> {
    match text.rsplit_once('@') {
        Some((dir, which)) if !Path::new(text).exists() => match which.parse() {
            Ok(which) => Ok((dir, which)),
            Err(problem) if Path::new(dir).exists() => Err(Error::Refused(format!("{text}: {problem}"))),
            Err(_) => Ok((text, Which::Best)),
        },
        _ => Ok((text, Which::Best)),
    }
}

/// A training's plan and one of its checkpoints.
#[derive(Debug)]
pub struct Trained {
    dir: PathBuf,
    /// What it was asked to do.
    pub plan: Train,
    /// Which of its checkpoints this is.
    pub checkpoint: CheckpointName,
    /// What it holds.
    pub(crate) state: State,
}

impl Trained {
    /// Reads the run directory `dir`, which may still be trained in: its best checkpoint.
    ///
    /// # Errors
    /// [`Error::Refused`] if it is not a training, or has no best checkpoint that can be used.
    pub fn open(dir: &Path) -> Result<Trained, Error> {
        Trained::chosen(dir, Which::Best)
    }

    /// The same with the checkpoint that is asked for.
    ///
    /// # Errors
    /// [`Error::Refused`] if it is not a training, or the checkpoint is not kept or cannot be used.
    pub fn chosen(dir: &Path, which: Which) -> Result<Trained, Error> {
        let (plan, checkpoints) = training(dir)?;
        let (state, sum) = checkpoints.chosen(which)?;
        Trained::of(dir, plan, state, sum)
    }

    /// The same by `DIR`, `DIR@best`, `DIR@last` or `DIR@STEP`.
    ///
    /// # Errors
    /// Those of [`named`] and [`Trained::chosen`].
    pub fn named(text: &str) -> Result<Trained, Error> {
        let (dir, which) = named(text)?;
        Trained::chosen(Path::new(dir), which)
    }

    /// The checkpoint that was `recorded` of what [`Trained::named`] names, for as long as the training keeps it.
    ///
    /// # Errors
    /// [`Error::Refused`] that names both checkpoints if another one goes by that name by now.
    pub fn recorded(text: &str, recorded: &CheckpointName) -> Result<Trained, Error> {
        let (dir, which) = named(text)?;
        let dir = Path::new(dir);
        let (plan, checkpoints) = training(dir)?;
        if let Some(state) = checkpoints.with_sum(&recorded.sha256) {
            return Trained::of(dir, plan, state, recorded.sha256.clone());
        }
        let now = match checkpoints.chosen(which) {
            Ok((state, sum)) => {
                let now = Trained::of(dir, plan, state, sum)?.checkpoint;
                let of = match which {
                    Which::Best | Which::Last => format!("{which} checkpoint"),
                    Which::Step(step) => format!("checkpoint of step {step}"),
                };
                format!("{} has another {of} now: {now}", dir.display())
            }
            Err(problem) => problem.to_string(),
        };
        Err(Error::Refused(format!(
            "{now}; recorded was {recorded}, which is not kept there any more: put it back, or start the command anew"
        )))
    }

    fn of(dir: &Path, plan: Train, state: State, sha256: String) -> Result<Trained, Error> {
        plan.refuse_other_world(dir, &state.arrays)?;
        let checkpoint =
            CheckpointName { step: state.numbers.steps(), update: state.numbers.updates(), sha256 };
        Ok(Trained { dir: dir.to_path_buf(), plan, checkpoint, state })
    }

    /// The checkpoint's greedy policy, on the native learner whichever trained it.
    ///
    /// # Errors
    /// [`Error::Refused`] if it was trained in a world that looks different from `env`.
    pub fn policy(&self, env: &Setup) -> Result<Prophet, Error> {
        let (mine, theirs) = (self.plan.spaces(), spaces(env));
        if mine != theirs {
            return Err(Error::Refused(format!(
                "{} was trained in {}, with {} numbers in an observation and {} actions; {} has {} and {} here",
                self.dir.display(),
                self.plan.env.name,
                mine.observation,
                mine.actions,
                env.name,
                theirs.observation,
                theirs.actions
            )));
        }
        let mut learner = NativeLearner::new(&self.plan.train.network, mine);
        learner.load(&self.state.arrays.tensors, 0).map_err(|problem| self.unusable(&problem))?;
        Ok(Prophet::new(learner, self.normalizer()?, mine.actions).for_agents(agents(env)))
    }

    fn normalizer(&self) -> Result<Normalizer, Error> {
        let State { numbers, arrays } = &self.state;
        let columns = self.plan.spaces().observation;
        arrays.observation_normalizer(columns, numbers).map_err(|problem| self.unusable(&problem))
    }

    /// The derivatives of the checkpoint's policy; none of one with a memory or a convolution.
    fn jacobian(&self) -> Result<Option<PolicyJacobian>, Error> {
        let (network, tensors) = (&self.plan.train.network, &self.state.arrays.tensors);
        let jacobian = PolicyJacobian::new(network, self.plan.spaces(), tensors, &self.normalizer()?);
        jacobian.map_err(|problem| self.unusable(&problem))
    }

    fn unusable(&self, problem: &str) -> Error {
        Error::Refused(format!("{}: {problem}", self.dir.display()))
    }
}

/// The training in `dir` and its checkpoints.
pub(crate) fn training(dir: &Path) -> Result<(Train, Checkpoints), Error> {
    let config = dir.join("config.toml");
    let plan = match Train::parse(&text(&config)?) {
        Ok(Some(plan)) => plan,
        Ok(None) => {
            let (dir, config) = (dir.display(), config.display());
            return Err(Error::Refused(format!(
                "{dir} is not a training: the `command` of {config} is not train"
            )));
        }
        Err(problem) => {
            return Err(Error::Refused(format!("cannot read {}: {problem}", config.display())));
        }
    };
    let checkpoints = Checkpoints::at(dir, Identity::of(&plan.env.name, dir)?, plan.train.keep);
    Ok((plan, checkpoints))
}

/// A trained agent of a run and the checkpoint that acts.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct TrainedAgent {
    /// As typed, `prophet:DIR` or with a checkpoint behind it.
    agent: String,
    #[serde(flatten)]
    checkpoint: CheckpointName,
    /// How it was trained, see [`Train::recipe`]; runs from before it was written down have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recipe: Option<String>,
    /// Whether its actions are drawn from its policy; else it acts by the likeliest one.
    #[serde(default, skip_serializing_if = "is_greedy")]
    sample: bool,
    /// Read once, when the run starts: who trains there may replace its files meanwhile.
    #[serde(skip)]
    trained: Option<Arc<Trained>>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde calls it
fn is_greedy(sample: &bool) -> bool {
    !sample
}

/// The trained agents of a run; `checkpoints` in its config.toml. Runs from before it was written down have
/// none.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrainedAgents(Vec<TrainedAgent>);

impl TrainedAgents {
    /// Nothing to write down.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of the agents called `names` that were trained and whose checkpoint is not written down.
    pub fn unrecorded<'a>(&self, names: &[&'a str]) -> Vec<&'a str> {
        let known = |name: &str| self.0.iter().any(|known| known.agent == name);
        names.iter().copied().filter(|name| name.starts_with(PROPHET) && !known(name)).collect()
    }

    /// Reads the trained ones among the agents called `names`: the recorded checkpoint of each or, where none
    /// is recorded, the one that its name means now, which is recorded from here on.
    ///
    /// # Errors
    /// Those of [`Trained::named`] and [`Trained::recorded`].
    pub fn open(mut self, names: &[&str]) -> Result<TrainedAgents, Error> {
        for &name in names {
            let Some(text) = name.strip_prefix(PROPHET) else { continue };
            match self.0.iter_mut().find(|known| known.agent == name) {
                Some(known) if known.trained.is_some() => {}
                Some(known) => {
                    let trained = Trained::recorded(text, &known.checkpoint)?;
                    known.recipe = Some(trained.plan.recipe());
                    known.trained = Some(Arc::new(trained));
                }
                None => {
                    let trained = Arc::new(Trained::named(text)?);
                    self.0.push(TrainedAgent {
                        agent: name.to_owned(),
                        checkpoint: trained.checkpoint.clone(),
                        recipe: Some(trained.plan.recipe()),
                        sample: false,
                        trained: Some(trained),
                    });
                }
            }
        }
        Ok(self)
    }

    /// The same, their actions drawn from their policies if `sample` says so.
    ///
    /// # Errors
    /// [`Error::Refused`] if none of the agents was trained: others draw as they always do.
    pub fn sampled(mut self, sample: bool) -> Result<TrainedAgents, Error> {
        if sample && self.is_empty() {
            return Err(Error::Refused(
                "--sample draws the actions of trained agents from their policies, and none of the agents was trained: name one, \
                 such as prophet:DIR, or leave it out"
                    .to_owned(),
            ));
        }
        self.0.iter_mut().for_each(|agent| agent.sample = sample);
        Ok(self)
    }

    /// The derivatives of the policy of the agent called `name`, opened before; none where there are none.
    ///
    /// # Errors
    /// Those of [`PolicyJacobian::new`].
    pub(crate) fn jacobian(&self, name: &str) -> Result<Option<PolicyJacobian>, Error> {
        self.known(name)
            .and_then(|known| known.trained.as_ref())
            .map_or(Ok(None), |trained| trained.jacobian())
    }

    fn known(&self, name: &str) -> Option<&TrainedAgent> {
        self.0.iter().find(|known| known.agent == name)
    }

    /// The checkpoint of the agent called `name`, if it was trained.
    pub fn checkpoint(&self, name: &str) -> Option<&CheckpointName> {
        self.known(name).map(|known| &known.checkpoint)
    }

    /// How the agent called `name` was trained, if that is known.
    pub fn recipe(&self, name: &str) -> Option<&str> {
        self.known(name)?.recipe.as_deref()
    }

    /// Whether the actions of the agent called `name` are drawn from its policy.
    pub fn is_sampled(&self, name: &str) -> bool {
        self.known(name).is_some_and(|known| known.sample)
    }

    /// Columns behind those of a table of agents that say how trained ones came about; none where there are none.
    pub fn columns(&self) -> &'static [&'static str] {
        if self.is_empty() { &[] } else { &["recipe", "training_steps", "checkpoint_sha256", "actions"] }
    }

    /// The cells of the agent called `name` in [`TrainedAgents::columns`], empty for one that was not trained.
    pub fn cells(&self, name: &str) -> Vec<String> {
        let Some(TrainedAgent { checkpoint, recipe, sample, .. }) = self.known(name) else {
            return vec![String::new(); self.columns().len()];
        };
        let actions = if *sample { "sampled" } else { "greedy" };
        let recipe = recipe.clone().unwrap_or_default();
        vec![recipe, checkpoint.step.to_string(), checkpoint.sha256.clone(), actions.to_owned()]
    }

    /// How the agent called `name` came about, in words for a line about it; empty for one that was not trained.
    pub fn told(&self, name: &str) -> String {
        self.known(name).map_or_else(String::new, |known| {
            let recipe = known.recipe.as_deref().unwrap_or("-");
            let sampled = if known.sample { " | sampled" } else { "" };
            format!(" | {recipe} | {} training steps{sampled}", known.checkpoint.step)
        })
    }

    /// The agent called `name`, for `envs` environments of `env`; a trained one as it was opened.
    ///
    /// # Errors
    /// Those of [`policy`].
    pub fn policy(&self, env: &Setup, name: &str, envs: usize) -> Result<Box<dyn Policy>, Error> {
        let known = self.known(name);
        let Some(trained) = known.and_then(|known| known.trained.as_ref()) else {
            return policy(env, name, envs);
        };
        let prophet = trained.policy(env)?;
        Ok(Box::new(if self.is_sampled(name) { prophet.sampled(envs) } else { prophet }))
    }
}

/// The agent called `name`, for `envs` environments of `env`; of a trained one the checkpoint that its name means
/// now, by its likeliest actions.
///
/// # Errors
/// Those of [`Setup::policy`], [`Trained::named`] and [`Trained::policy`].
pub fn policy(env: &Setup, name: &str, envs: usize) -> Result<Box<dyn Policy>, Error> {
    match name.strip_prefix(PROPHET) {
        Some(text) => Ok(Box::new(Trained::named(text)?.policy(env)?)),
        None => env.policy(name, envs),
    }
}

/// The folder of the training that `agent` comes from, if it was trained.
pub fn folder(agent: &str) -> Option<&str> {
    let text = agent.strip_prefix(PROPHET)?;
    Some(named(text).map_or(text, |(dir, _)| dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_path_that_exists_is_the_folder() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name).display().to_string();
        for name in ["a", "b@last", "c", "c@7"] {
            std::fs::create_dir(place.path().join(name)).unwrap();
        }
        for (typed, dir, which) in [
            ("a", "a", Which::Best),
            ("a@best", "a", Which::Best),
            ("a@last", "a", Which::Last),
            ("a@400384", "a", Which::Step(400_384)),
            ("b@last", "b@last", Which::Best),
            ("b@last@last", "b@last", Which::Last),
            ("c@7", "c@7", Which::Best),
            ("c@8", "c", Which::Step(8)),
            // What is not there is told as it was typed, or without what can only be a checkpoint.
            ("gone@here", "gone@here", Which::Best),
            ("gone@last", "gone", Which::Last),
        ] {
            let typed = path(typed);
            let found = named(&typed).unwrap();
            assert_eq!(found, (path(dir).as_str(), which), "{typed}");
            let agent = format!("{PROPHET}{typed}");
            assert_eq!(folder(&agent), Some(path(dir).as_str()));
        }
        let problem = named(&path("a@first")).unwrap_err().to_string();
        assert!(problem.contains("`@first`: allowed are @best, @last and @STEP"), "{problem}");
        assert_eq!(folder("heuristic"), None);
    }
}
