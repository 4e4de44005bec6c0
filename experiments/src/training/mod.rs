//! A training from its settings to its files, and from its files on.

mod checkpoint;
mod learner;
mod row;
mod trained;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

use resonetics_agents::prophet::config::{Schedule, TrainConfig};
use resonetics_agents::prophet::init::initial;
use resonetics_agents::prophet::learner::Learner;
use resonetics_agents::prophet::network::Spaces;
use resonetics_agents::prophet::state::{Numbers, State};
use resonetics_agents::prophet::trainer::{Acting, NonFinite, Trainer, Update, UpdateError};
use resonetics_analysis::read::log::Episodes;
use resonetics_envs::config::resolve;
use resonetics_envs::env::ParallelEnv;
use resonetics_envs::gardener::GardenerEnv;
use resonetics_envs::k8s::K8sEnv;
use serde::{Deserialize, Serialize};

pub use self::checkpoint::{Best, Checkpoint, Checkpoints, Identity};
pub use self::learner::{LearnerKind, make};
pub use self::row::Measured;
pub use self::trained::{PROPHET, Trained, TrainedAgents};
use crate::cli::TRAINING_STEPS;
use crate::commands::within;
use crate::failure::{self, Failure};
use crate::files::{CsvFile, check_writable, first_line, last_number};
use crate::interrupt;
use crate::memory;
use crate::progress::Progress;
use crate::rollout::Playable;
use crate::setup::{Setup, WorldSettings};

/// The file with a row for each update.
const CSV: &str = "training.csv";
/// The file with what each update took.
const TIMING: &str = "timing.jsonl";

/// Everything that a training depends on; config.toml is this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub seed: u64,
    /// Steps of single environments.
    pub steps: u64,
    pub learner: LearnerKind,
    pub train: TrainConfig,
    pub env: Setup,
}

/// How a training is watched and where it computes; changes none of its files.
pub struct Runtime<'a> {
    pub quiet: bool,
    /// `auto`, `cpu`, `cuda` or `cuda:N`; for the torch learner.
    pub device: &'a str,
    /// Is told once, before the first update, what has been done already.
    pub begun: &'a dyn Fn(Begun),
    /// Is told of each update, before its checkpoint is written.
    pub watch: &'a mut dyn FnMut(&Watched<'_>) -> Result<(), Failure>,
}

/// What a training has behind it where it begins or goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Begun {
    pub steps: u64,
    pub episodes: u64,
    pub rollbacks: u32,
}

/// What is told of an update, and before the first one (the update 0, which has no numbers).
pub struct Watched<'a> {
    pub update: &'a Update,
    pub measured: Measured,
    pub steps_per_second: f64,
}

/// Makes a learner, its parameters all 0.
type NewLearner<'a> = &'a dyn Fn() -> Result<Box<dyn Learner>, Failure>;

impl Plan {
    /// Observations, actions and views of this plan's world.
    pub fn spaces(&self) -> Spaces {
        spaces(&self.env)
    }

    /// Refuses what the command line refuses.
    pub fn check(&self) -> Result<(), Failure> {
        within("steps", self.steps, &TRAINING_STEPS)?;
        let checked = resolve(&self.train, None, &[]);
        checked.map(drop).map_err(|error| Failure::Usage(format!("[train]: {error}")))?;
        self.fits()
    }

    /// Steps of single environments in an update.
    pub fn steps_per_update(&self) -> u64 {
        (self.train.num_envs * self.train.horizon) as u64
    }

    /// How its episodes come about, for who reads its log.
    pub fn episodes(&self) -> Episodes {
        let longest = match &self.env.settings {
            WorldSettings::K8s(settings) => settings.env.max_steps,
            WorldSettings::Gardener(settings) => settings.env.max_generations,
        };
        Episodes { side_by_side: self.train.num_envs as f64, longest: longest.into() }
    }

    /// Whether its learning rate is 0 from beginning to end, so that it learns nothing.
    pub fn is_fixed(&self) -> bool {
        let TrainConfig { learning_rate, learning_rate_final, schedule, .. } = self.train;
        let stays = match schedule {
            Schedule::Fixed | Schedule::Kl => true,
            Schedule::Linear => learning_rate_final == 0.0,
            Schedule::Prophet => false,
        };
        learning_rate == 0.0 && stays
    }

    /// Refuses a training that needs more memory than there is.
    ///
    /// # Errors
    /// [`Failure::Usage`] with both figures.
    pub fn fits(&self) -> Result<(), Failure> {
        let bytes = match &self.env.settings {
            WorldSettings::K8s(settings) => bytes(self, &K8sEnv::new(settings.env.clone())),
            WorldSettings::Gardener(settings) => bytes(self, &GardenerEnv::new(settings.env.clone())),
        };
        let TrainConfig { num_envs, horizon, .. } = self.train;
        memory::fits(&format!("`train.num_envs = {num_envs}`, `train.horizon = {horizon}`"), bytes)
    }

    /// The checkpoints in `dir`.
    pub fn checkpoints(&self, dir: &Path) -> Result<Checkpoints, Failure> {
        Ok(Checkpoints::at(dir, Identity::of(&self.env.name, dir)?, self.train.keep))
    }

    /// Refuses files in `dir` that a training cannot go on from; changes none.
    ///
    /// # Errors
    /// [`Failure::Usage`] with the file and the reason.
    pub fn resumable(&self, dir: &Path) -> Result<(), Failure> {
        let checkpoints = self.checkpoints(dir)?;
        let csv = dir.join(CSV);
        match checkpoints.last::<Numbers>()? {
            Some(last) => CsvFile::resumable(&csv, last.csv_bytes).map(drop),
            None => self.refuse_lost(&checkpoints, &csv),
        }
    }

    /// Refuses to begin where more was trained than before a first checkpoint.
    fn refuse_lost(&self, checkpoints: &Checkpoints, csv: &Path) -> Result<(), Failure> {
        let done = last_number(csv)?.unwrap_or(0).max(row::last_timed(&csv.with_file_name(TIMING))?);
        checkpoints.refuse_lost(csv, done, self.train.checkpoint_every as u64)
    }

    /// Trains in the run directory `dir`, from its last checkpoint on if it holds one.
    ///
    /// # Errors
    /// [`Failure::Usage`] if another process trains there, or a checkpoint is refused.
    pub fn train(&self, dir: &Path, runtime: &mut Runtime<'_>) -> Result<(), Failure> {
        match &self.env.settings {
            WorldSettings::K8s(settings) => train(self, dir, &K8sEnv::new(settings.env.clone()), runtime),
            WorldSettings::Gardener(settings) => {
                train(self, dir, &GardenerEnv::new(settings.env.clone()), runtime)
            }
        }
    }
}

/// Steps and the greedy policy's mean return, wherever the training in `dir` has measured it.
///
/// # Errors
/// If its log cannot be read.
pub fn greedy_returns(dir: &Path) -> Result<Vec<(u64, f64)>, Failure> {
    let path = dir.join(CSV);
    let failed = |error: csv::Error| failure::io("read", &path)(error.into());
    let mut log = csv::ReaderBuilder::new().flexible(true).from_path(&path).map_err(failed)?;
    let header = log.headers().map_err(failed)?.clone();
    let place = |name: &str| header.iter().position(|column| column == name).unwrap_or(usize::MAX);
    let (steps, greedy) = (place("steps"), place("greedy_return"));
    let mut found = Vec::new();
    for row in log.records() {
        let row = row.map_err(failed)?;
        let number = |at: usize| row.get(at).unwrap_or_default();
        if let (Ok(steps), Ok(greedy)) = (number(steps).parse(), number(greedy).parse()) {
            found.push((steps, greedy));
        }
    }
    Ok(found)
}

/// Observations, actions and views of a world.
pub fn spaces(env: &Setup) -> Spaces {
    let of = |env: &dyn Fn() -> (usize, usize), view: usize| {
        let (observation, actions) = env();
        Spaces { observation, actions, view }
    };
    match &env.settings {
        WorldSettings::K8s(settings) => of(&|| sizes(&K8sEnv::new(settings.env.clone())), 0),
        WorldSettings::Gardener(settings) => {
            of(&|| sizes(&GardenerEnv::new(settings.env.clone())), settings.env.view_size)
        }
    }
}

fn sizes<E: ParallelEnv>(env: &E) -> (usize, usize) {
    (env.observation_space().len(), env.action_space().n)
}

/// Bytes that a training takes, about: its rollout, its environments and those that choose the best
/// checkpoint, and its networks.
fn bytes<E: Playable>(plan: &Plan, env: &E) -> usize {
    const FLOAT: usize = size_of::<f32>();
    let (width, actions) = sizes(env);
    let mask = if env.masked() { actions } else { 0 };
    let TrainConfig { num_envs, horizon, eval_episodes, network, .. } = &plan.train;
    // Observations as seen and normalised, allowed actions; eight numbers, three flags, its place in the
    // order of an epoch.
    let sample = (2 * width + 9) * FLOAT + mask + 3;
    let samples = num_envs.saturating_mul(env.agents()).saturating_mul(*horizon);
    // Last and final observations, reward, allowed actions and flags of each row.
    let row = (2 * width + 1) * FLOAT + mask + 2;
    let one = size_of::<E>() + env.heap_bytes() + env.agents() * row;
    let shapes = network.parameters(plan.spaces());
    let parameters: usize = shapes.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
    // Parameters, gradient, and Adam's two moments.
    let networks = 4 * FLOAT * parameters;
    samples
        .saturating_mul(sample)
        .saturating_add((num_envs + eval_episodes).saturating_mul(one))
        .saturating_add(networks)
}

/// A training in its directory.
struct Session<'a, E> {
    plan: &'a Plan,
    prototype: &'a E,
    learner: NewLearner<'a>,
    checkpoints: Checkpoints,
    trainer: Trainer<E>,
    csv: CsvFile,
    csv_path: PathBuf,
    timing: File,
    best: Option<Best>,
}

fn train<E: ParallelEnv + Clone + Sync>(
    plan: &Plan,
    dir: &Path,
    prototype: &E,
    runtime: &mut Runtime<'_>,
) -> Result<(), Failure> {
    let _lock = lock(dir)?;
    let device = runtime.device;
    let learner = || make(plan.learner, &plan.train.network, plan.spaces(), device);
    let session = Session::open(plan, dir, prototype, &learner)?;
    let trainer = &session.trainer;
    (runtime.begun)(Begun {
        steps: trainer.steps(),
        episodes: trainer.episodes(),
        rollbacks: trainer.rollbacks(),
    });
    session.run(runtime)
}

/// Holds off every other process until it is dropped; a dead process holds off none.
pub fn lock(dir: &Path) -> Result<File, Failure> {
    let path = dir.join("lock");
    check_writable(&path)?;
    let file = File::options().create(true).append(true).open(&path).map_err(failure::io("open", &path))?;
    file.try_lock().map_err(|error| match error {
        fs::TryLockError::WouldBlock => Failure::Usage(format!(
            "another process trains in {}: wait for it, or stop it, and try again",
            dir.display()
        )),
        fs::TryLockError::Error(error) => failure::io("lock", &path)(error),
    })?;
    Ok(file)
}

impl<'a, E: ParallelEnv + Clone + Sync> Session<'a, E> {
    /// At the last checkpoint, or at the start.
    fn open(
        plan: &'a Plan,
        dir: &Path,
        prototype: &'a E,
        learner: NewLearner<'a>,
    ) -> Result<Session<'a, E>, Failure> {
        let checkpoints = plan.checkpoints(dir)?;
        let csv_path = dir.join(CSV);
        let (trainer, last) = start(plan, prototype, learner, &checkpoints, &csv_path)?;
        let (csv, best) = match last {
            Some(Last { csv_bytes, best }) => {
                if best.is_some_and(|best| best.update == trainer.updates()) {
                    checkpoints.last_is_best()?;
                }
                (CsvFile::resume(&csv_path, csv_bytes)?, best)
            }
            None => (begun(&csv_path, &row::COLUMNS)?, None),
        };
        checkpoints.tidy()?;
        let timing_path = dir.join(TIMING);
        check_writable(&timing_path)?;
        let timing = File::options()
            .create(true)
            .append(true)
            .open(&timing_path)
            .map_err(failure::io("open", &timing_path))?;
        Ok(Session { plan, prototype, learner, checkpoints, trainer, csv, csv_path, timing, best })
    }

    /// Trains to the end.
    fn run(mut self, runtime: &mut Runtime<'_>) -> Result<(), Failure> {
        let planned = self.trainer.planned_updates();
        let progress = Progress::new(planned, "updates", runtime.quiet);
        progress.begin_at(self.trainer.updates());
        self.begin(runtime)?;
        while self.trainer.updates() < planned {
            interrupt::check()?;
            let start = Instant::now();
            match self.trainer.update() {
                Ok(update) => {
                    let steps = self.plan.steps_per_update() as f64;
                    let steps_per_second = steps / start.elapsed().as_secs_f64();
                    self.note(&update, steps_per_second, runtime)?;
                    progress.message(row::message(&update, steps_per_second));
                    progress.inc(1);
                }
                Err(UpdateError::Learner(error)) => return Err(Failure::Failed(error.to_string())),
                Err(UpdateError::NonFinite(bad)) => {
                    self.roll_back(bad)?;
                    self.begin(runtime)?;
                }
            }
        }
        progress.finish();
        self.csv.finish()
    }

    /// At the start of a training, whose log has no row then, writes and tells what the untrained policy earns.
    fn begin(&mut self, runtime: &mut Runtime<'_>) -> Result<(), Failure> {
        if self.trainer.updates() > 0 {
            return Ok(());
        }
        let [greedy, sampled] = [Some(self.measure(Acting::Greedy)?), Some(self.measure(Acting::Sampled)?)];
        let measured = Measured { greedy, sampled };
        self.row(row::beginning(measured))?;
        (runtime.watch)(&Watched { update: &Update::default(), measured, steps_per_second: 0.0 })
    }

    fn measure(&mut self, acting: Acting) -> Result<f64, Failure> {
        let measured = self.trainer.evaluate(acting, self.plan.train.eval_episodes);
        measured.map_err(|error| Failure::Failed(error.to_string()))
    }

    /// Adds a row to the log; one that an earlier version began lacks the last columns, and goes on so.
    fn row(&mut self, cells: [String; row::COLUMNS.len()]) -> Result<(), Failure> {
        let columns = self.csv.columns().min(cells.len());
        self.csv.row(&cells[..columns])
    }

    /// Writes and tells what an update did, and writes a checkpoint where one is due.
    fn note(
        &mut self,
        update: &Update,
        steps_per_second: f64,
        runtime: &mut Runtime<'_>,
    ) -> Result<(), Failure> {
        let TrainConfig { checkpoint_every, eval_every, .. } = self.plan.train;
        let last = update.update == self.trainer.planned_updates();
        let due = last || update.update.is_multiple_of(checkpoint_every as u64);
        let mut measured = Measured::default();
        if last || update.update.is_multiple_of((checkpoint_every * eval_every) as u64) {
            measured.greedy = Some(self.measure(Acting::Greedy)?);
        }
        if last {
            measured.sampled = Some(self.measure(Acting::Sampled)?);
        }
        self.row(row::cells(update, measured))?;
        row::time(&mut self.timing, update, steps_per_second)?;
        (runtime.watch)(&Watched { update, measured, steps_per_second })?;
        if due {
            let csv_bytes = self.csv.sync()?;
            let State { numbers, arrays } = self.trainer.save().map_err(Failure::Failed)?;
            let best =
                measured.greedy.filter(|&greedy| self.best.is_none_or(|best| greedy > best.greedy_return));
            let better = best.is_some();
            if let Some(greedy_return) = best {
                self.best = Some(Best { update: update.update, greedy_return });
            }
            let steps = numbers.steps();
            let checkpoint = Checkpoint { csv_bytes, best: self.best, numbers, arrays };
            self.checkpoints.write(steps, &checkpoint, better)?;
        }
        Ok(())
    }

    /// Goes back to the last checkpoint with half the learning rate.
    fn roll_back(&mut self, bad: NonFinite) -> Result<(), Failure> {
        let rollbacks = self.trainer.rollbacks() + 1;
        if rollbacks > self.plan.train.max_rollbacks {
            return Err(Failure::Failed(format!(
                "{bad} after {} rollbacks: lower train.learning_rate or train.max_grad_norm and train anew",
                rollbacks - 1
            )));
        }
        // Rows that still wait in memory would otherwise be written behind the cut.
        self.csv.sync()?;
        let (mut trainer, last) =
            start(self.plan, self.prototype, self.learner, &self.checkpoints, &self.csv_path)?;
        let (csv_bytes, best) = last.map_or_else(
            || (first_line(&row::COLUMNS).len() as u64, None),
            |Last { csv_bytes, best }| (csv_bytes, best),
        );
        let csv = CsvFile::resume(&self.csv_path, csv_bytes)?;
        trainer.set_rollbacks(rollbacks);
        crate::out::say(format_args!(
            "{bad}: back to update {} with the learning rate divided by {}",
            trainer.updates(),
            1_u128 << rollbacks
        ))?;
        (self.trainer, self.csv, self.best) = (trainer, csv, best);
        Ok(())
    }
}

/// What a checkpoint says of the files beside it.
struct Last {
    csv_bytes: u64,
    best: Option<Best>,
}

/// A trainer as it was at the last checkpoint, or at its start if none has been written yet.
fn start<E: ParallelEnv + Clone + Sync>(
    plan: &Plan,
    prototype: &E,
    learner: NewLearner<'_>,
    checkpoints: &Checkpoints,
    csv_path: &Path,
) -> Result<(Trainer<E>, Option<Last>), Failure> {
    let mut trainer = fresh(plan, prototype, learner()?)?;
    let Some(Checkpoint { csv_bytes, best, numbers, arrays }) = checkpoints.last()? else {
        plan.refuse_lost(checkpoints, csv_path)?;
        return Ok((trainer, None));
    };
    trainer.restore(&State { numbers, arrays }).map_err(|problem| checkpoints.refused(&problem))?;
    Ok((trainer, Some(Last { csv_bytes, best })))
}

/// The CSV file of a run that starts at its beginning. Where it was stopped before its first checkpoint, it
/// is said where the rows that it had are kept.
pub fn begun(csv_path: &Path, header: &[&str]) -> Result<CsvFile, Failure> {
    let (csv, kept) = CsvFile::begin(csv_path, header)?;
    if let Some(kept) = kept {
        crate::out::say(format_args!(
            "it was stopped before its first checkpoint and starts at its beginning; the rows that it had are kept in {}",
            kept.display()
        ))?;
    }
    Ok(csv)
}

/// A trainer at its start, on a learner whose parameters it sets.
pub fn fresh<E: ParallelEnv + Clone + Sync>(
    plan: &Plan,
    prototype: &E,
    mut learner: Box<dyn Learner>,
) -> Result<Trainer<E>, Failure> {
    learner.load(&initial(&plan.train.network, plan.spaces(), plan.seed), 0).map_err(Failure::Failed)?;
    Trainer::new(prototype.clone(), plan.train.clone(), plan.seed, plan.steps, learner)
        .map_err(Failure::Failed)
}

#[cfg(test)]
mod tests;
