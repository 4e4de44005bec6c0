//! A training from its settings to its files, and from its files on.

mod board;
mod branch;
pub(crate) mod checkpoint;
mod extension;
mod learner;
pub(crate) mod plan;
mod row;
mod session;
mod start;

use std::path::{Path, PathBuf};

use resonetics_envs::gardener::GardenerEnv;
use resonetics_envs::k8s::K8sEnv;

pub use self::branch::branched;
pub use self::checkpoint::{Best, Checkpoint, Checkpoints, Identity, Mark, Which};
pub use self::extension::Extension;
pub use self::learner::{Device, LearnerKind, make, native_device, torch_device};
pub use self::plan::{Start, Train, spaces};
pub use self::row::{COLUMNS, Measured, greedy_returns};
pub use self::session::{Runtime, Seen, Watched, fresh};
pub use self::start::check_start;
use crate::error::Error;
use crate::files::{text, write_atomic};
use crate::monitor::Monitor;
use crate::plan::Plan;
use crate::plan::range::{TRAINING_STEPS, within};
use crate::run_dir::{RunDir, RunRecord, exclusive, status};
use crate::setup::{Setup, WorldSettings};

/// A training that has its run directory and is about to train there.
pub struct Training {
    plan: Train,
    run: RunDir,
}

impl Training {
    /// Creates the run directory, `out` or the next free one below `runs`.
    ///
    /// # Errors
    /// A setting or a device that cannot be had, more memory than there is, a directory that is taken.
    pub fn begin(plan: &Train, out: Option<&Path>, runtime: &Runtime<'_>) -> Result<Training, Error> {
        check(plan, runtime.device)?;
        check_start(plan)?;
        let run = Plan::Train(Box::new(plan.clone())).begin(out, runtime.monitor.map(Monitor::addresses))?;
        Ok(Training { plan: plan.clone(), run })
    }

    /// Where its files are.
    pub fn dir(&self) -> &Path {
        self.run.path()
    }

    /// Trains to the end; run.json says how it ended.
    ///
    /// # Errors
    /// An interrupt, a device that fails, a loss that is no number however often it goes back, a full disk. What
    /// was trained until the last checkpoint goes on by [`Stopped::open`].
    pub fn run(self, runtime: &Runtime<'_>) -> Result<(), Error> {
        let dir = self.run.path().to_path_buf();
        self.run.finish(train_in(&self.plan, &dir, runtime))
    }
}

/// A training that was stopped, by a signal, a kill or an error, and can go on.
pub struct Stopped {
    dir: PathBuf,
    plan: Train,
    /// What is to be added to its config.toml.
    extension: Option<Extension>,
    /// Nobody else may train there.
    lock: std::fs::File,
}

impl Stopped {
    /// The training in `dir`, looked at whole; none if it is finished. Changes nothing.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no training, another process is at work in it, its settings were edited, or
    /// a file is not as its last checkpoint says, with what to do.
    pub fn open(dir: &Path, device: &str) -> Result<Option<Stopped>, Error> {
        Stopped::opened(dir, device, None)
    }

    /// The same, to go on for `steps` steps of single environments in all, also if it was finished or planned for
    /// others; [`Stopped::resume`] writes that down. None if it is finished with that many.
    ///
    /// # Errors
    /// Those of [`Stopped::open`], and [`Error::Refused`] if that is not more than its last checkpoint has.
    pub fn extended(dir: &Path, steps: u64, device: &str) -> Result<Option<Stopped>, Error> {
        Stopped::opened(dir, device, Some(steps))
    }

    fn opened(dir: &Path, device: &str, steps: Option<u64>) -> Result<Option<Stopped>, Error> {
        let Plan::Train(mut plan) = Plan::of_stopped(dir)? else {
            return Err(Error::Refused(format!("{} is not a training: nothing to resume", dir.display())));
        };
        let checkpoints = plan.checkpoints(dir)?;
        checkpoints.refuse_edited()?;
        let other = steps.filter(|&steps| steps != plan.total());
        if other.is_none() && status(dir)?.as_deref() == Some("finished") && plan.is_done(&checkpoints)? {
            return Ok(None);
        }
        check(&plan, device)?;
        let lock = exclusive(dir)?;
        plan.resumable(dir)?;
        let mut extension = None;
        if let Some(steps) = other {
            within("steps", steps, &TRAINING_STEPS)?;
            let at_step = Train::done(&checkpoints)?;
            let whole = plan.whole(steps);
            if whole <= at_step {
                return Err(Error::Refused(format!(
                    "--steps {steps}: {} has {at_step} steps behind its last checkpoint already, and {steps} are {whole} in \
                     whole rollouts; name more",
                    dir.display()
                )));
            }
            extension = Some(Extension { at_step, steps });
            plan.extended.extend(extension);
            plan.check()?;
        }
        Ok(Some(Stopped { dir: dir.to_path_buf(), plan: *plan, extension, lock }))
    }

    /// What [`Stopped::resume`] will add to its settings.
    pub fn extension(&self) -> Option<Extension> {
        self.extension
    }

    /// What it was asked to do.
    pub fn plan(&self) -> &Train {
        &self.plan
    }

    /// Ready to go on from its last checkpoint.
    ///
    /// # Errors
    /// That run.json or config.toml cannot be read or written.
    pub fn resume(self, runtime: &Runtime<'_>) -> Result<Training, Error> {
        let config = self.dir.join("config.toml");
        if let Some(extension) = self.extension {
            write_atomic(&config, extension::extended(&text(&config)?, extension).as_bytes())?;
        }
        let mut record = RunRecord::new("train", Some(self.plan.seed));
        if !self.plan.extended.is_empty() {
            record = record.with_settings(&text(&config)?);
        }
        let record = record.watched_at(runtime.monitor.map(Monitor::addresses));
        let run = RunDir::resume(&self.dir, record, runtime.tell)?;
        drop(self.lock);
        Ok(Training { plan: self.plan, run })
    }
}

/// Refuses what cannot be trained, before anything is written.
///
/// # Errors
/// More memory than there is, or a learner or a device that cannot be had.
pub fn check(plan: &Train, device: &str) -> Result<(), Error> {
    plan.fits()?;
    make(plan.learner, &plan.train.network, plan.spaces(), device).map(drop)
}

/// Trains in the run directory `dir`, from its last checkpoint on if it holds one.
///
/// # Errors
/// Those of [`Training::run`].
pub fn train_in(plan: &Train, dir: &Path, runtime: &Runtime<'_>) -> Result<(), Error> {
    let doses = &plan.train.doses;
    let other = || Error::Failed("a training stays in its world; please report this".to_owned());
    match &plan.env.settings {
        WorldSettings::K8s(_) => {
            let worlds = |env: &Setup| {
                let WorldSettings::K8s(settings) = &env.settings else { return Err(other()) };
                let world = |doses| K8sEnv::with_doses(settings.env.clone(), doses);
                Ok([world(doses.clone()), world(doses.asked_for())])
            };
            session::train(plan, dir, &worlds, runtime)
        }
        WorldSettings::Gardener(_) => {
            let worlds = |env: &Setup| {
                let WorldSettings::Gardener(settings) = &env.settings else { return Err(other()) };
                let world = |doses| GardenerEnv::with_doses(settings.env.clone(), doses);
                Ok([world(doses.clone()), world(doses.asked_for())])
            };
            session::train(plan, dir, &worlds, runtime)
        }
    }
}
