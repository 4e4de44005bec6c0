//! The policy that a training has led to, and which of its checkpoints that is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use resonetics_agents::Policy;
use resonetics_agents::prophet::learner::Learner;
use resonetics_agents::prophet::native::NativeLearner;
use resonetics_agents::prophet::policy::Prophet;
use resonetics_agents::prophet::state::State;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::files::text;
use crate::setup::Setup;
use crate::training::checkpoint::{Checkpoints, Identity};
use crate::training::plan::{Train, agents, spaces};

/// What the name of a trained agent begins with, before its run directory.
pub const PROPHET: &str = "prophet:";

/// A checkpoint by what tells it from every other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointName {
    /// Steps of training behind it.
    pub step: u64,
    /// Updates behind it.
    pub update: u64,
    /// SHA-256 of its safetensors file.
    pub sha256: String,
}

impl std::fmt::Display for CheckpointName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let short = self.sha256.get(..12).unwrap_or(&self.sha256);
        write!(f, "step {}, SHA-256 {short}…", self.step)
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
    state: State,
}

impl Trained {
    /// Reads the run directory `dir`, which may still be trained in: its best checkpoint.
    ///
    /// # Errors
    /// [`Error::Refused`] if it is not a training, or has no best checkpoint that can be used.
    pub fn open(dir: &Path) -> Result<Trained, Error> {
        let (plan, checkpoints) = training(dir)?;
        let (state, sum) = checkpoints.best()?;
        Ok(Trained::of(dir, plan, state, sum))
    }

    /// The same with the checkpoint that was `recorded`, for as long as the training keeps it.
    ///
    /// # Errors
    /// [`Error::Refused`] that names both checkpoints if it has another best one by now.
    pub fn open_recorded(dir: &Path, recorded: &CheckpointName) -> Result<Trained, Error> {
        let (plan, checkpoints) = training(dir)?;
        if let Some(state) = checkpoints.with_sum(&recorded.sha256) {
            return Ok(Trained::of(dir, plan, state, recorded.sha256.clone()));
        }
        let now = match checkpoints.best() {
            Ok((state, sum)) => {
                let now = Trained::of(dir, plan, state, sum).checkpoint;
                format!("{} has another best checkpoint now: {now}", dir.display())
            }
            Err(problem) => problem.to_string(),
        };
        Err(Error::Refused(format!(
            "{now}; recorded was {recorded}, which is not kept there any more: put it back, or start the command anew"
        )))
    }

    fn of(dir: &Path, plan: Train, state: State, sha256: String) -> Trained {
        let checkpoint =
            CheckpointName { step: state.numbers.steps(), update: state.numbers.updates(), sha256 };
        Trained { dir: dir.to_path_buf(), plan, checkpoint, state }
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
        let refuse = |problem: String| Error::Refused(format!("{}: {problem}", self.dir.display()));
        let mut learner = NativeLearner::new(&self.plan.train.network, mine);
        let State { numbers, arrays } = &self.state;
        learner.load(&arrays.tensors, 0).map_err(refuse)?;
        let normalizer = arrays.observation_normalizer(mine.observation, numbers).map_err(refuse)?;
        Ok(Prophet::new(learner, normalizer, mine.actions).for_agents(agents(env)))
    }
}

/// The training in `dir` and its checkpoints.
fn training(dir: &Path) -> Result<(Train, Checkpoints), Error> {
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
    /// As typed, `prophet:DIR`.
    agent: String,
    #[serde(flatten)]
    checkpoint: CheckpointName,
    /// Read once, when the run starts: who trains there may replace its files meanwhile.
    #[serde(skip)]
    trained: Option<Arc<Trained>>,
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
        names.iter().copied().filter(|name| folder(name).is_some() && !known(name)).collect()
    }

    /// Reads the trained ones among the agents called `names`: the recorded checkpoint of each or, where none
    /// is recorded, the best one there is now, which is recorded from here on.
    ///
    /// # Errors
    /// Those of [`Trained::open`] and [`Trained::open_recorded`].
    pub fn open(mut self, names: &[&str]) -> Result<TrainedAgents, Error> {
        for &name in names {
            let Some(dir) = folder(name).map(Path::new) else { continue };
            match self.0.iter_mut().find(|known| known.agent == name) {
                Some(known) if known.trained.is_some() => {}
                Some(known) => {
                    known.trained = Some(Arc::new(Trained::open_recorded(dir, &known.checkpoint)?));
                }
                None => {
                    let trained = Arc::new(Trained::open(dir)?);
                    let (agent, checkpoint) = (name.to_owned(), trained.checkpoint.clone());
                    self.0.push(TrainedAgent { agent, checkpoint, trained: Some(trained) });
                }
            }
        }
        Ok(self)
    }

    /// The checkpoint of the agent called `name`, if it was trained.
    pub fn checkpoint(&self, name: &str) -> Option<&CheckpointName> {
        self.0.iter().find(|known| known.agent == name).map(|known| &known.checkpoint)
    }

    /// The agent called `name`, for `envs` environments of `env`; a trained one as it was opened.
    ///
    /// # Errors
    /// Those of [`policy`].
    pub fn policy(&self, env: &Setup, name: &str, envs: usize) -> Result<Box<dyn Policy>, Error> {
        match self.0.iter().find(|known| known.agent == name).and_then(|known| known.trained.as_ref()) {
            Some(trained) => Ok(Box::new(trained.policy(env)?)),
            None => policy(env, name, envs),
        }
    }
}

/// The agent called `name`, for `envs` environments of `env`; of `prophet:DIR` the best checkpoint there is now.
///
/// # Errors
/// Those of [`Setup::policy`], [`Trained::open`] and [`Trained::policy`].
pub fn policy(env: &Setup, name: &str, envs: usize) -> Result<Box<dyn Policy>, Error> {
    match folder(name) {
        Some(dir) => Ok(Box::new(Trained::open(Path::new(dir))?.policy(env)?)),
        None => env.policy(name, envs),
    }
}

/// The folder of the training that `agent` comes from, if it was trained.
pub fn folder(agent: &str) -> Option<&str> {
    agent.strip_prefix(PROPHET)
}
