//! The policy that a training has led to.

use std::path::{Path, PathBuf};

use resonetics_agents::prophet::learner::Learner;
use resonetics_agents::prophet::native::NativeLearner;
use resonetics_agents::prophet::policy::Prophet;
use resonetics_agents::prophet::state::State;

use super::{Checkpoints, Identity, Plan, spaces};
use crate::commands;
use crate::failure::Failure;
use crate::setup::{Setup, read};

/// A training's plan and its best checkpoint.
pub struct Trained {
    dir: PathBuf,
    pub plan: Plan,
    state: State,
}

impl Trained {
    /// Reads the run directory `dir`, which may still be trained in.
    ///
    /// # Errors
    /// [`Failure::Usage`] if it is no training, or has no best checkpoint that can be used.
    pub fn open(dir: &Path) -> Result<Trained, Failure> {
        let config = dir.join("config.toml");
        let plan = match commands::Plan::parse(&read(&config)?) {
            Ok(commands::Plan::Train(plan)) => *plan,
            Ok(_) => return Err(Failure::Usage(format!("{} is no training", dir.display()))),
            Err(problem) => {
                return Err(Failure::Usage(format!("cannot read {}: {problem}", config.display())));
            }
        };
        let checkpoints = Checkpoints::at(dir, Identity::of(&plan.env.name, dir)?, plan.train.keep);
        let state = checkpoints.best()?;
        Ok(Trained { dir: dir.to_path_buf(), plan, state })
    }

    /// The steps after which the best checkpoint was written.
    pub fn steps(&self) -> u64 {
        self.state.numbers.steps()
    }

    /// The greedy policy of the best checkpoint, on the native learner whichever trained it.
    ///
    /// # Errors
    /// [`Failure::Usage`] if it was trained in a world that looks different from `env`.
    pub fn policy(&self, env: &Setup) -> Result<Prophet, Failure> {
        let (mine, theirs) = (self.plan.spaces(), spaces(env));
        if mine != theirs {
            return Err(Failure::Usage(format!(
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
        let refuse = |problem: String| Failure::Usage(format!("{}: {problem}", self.dir.display()));
        let mut learner = NativeLearner::new(&self.plan.train.network, mine);
        let State { numbers, arrays } = &self.state;
        learner.load(&arrays.tensors, 0).map_err(refuse)?;
        let normalizer = arrays.observation_normalizer(mine.observation, numbers).map_err(refuse)?;
        Ok(Prophet::new(Box::new(learner), normalizer, mine.actions))
    }
}
