//! A training at work in its run directory: rows, timings and checkpoints, and the way back from a loss that is no
//! number.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use resonetics_agents::prophet::config::TrainConfig;
use resonetics_agents::prophet::init::initial;
use resonetics_agents::prophet::learner::Learner;
use resonetics_agents::prophet::state::{Arrays, Numbers, State};
use resonetics_agents::prophet::trainer::{Acting, Earned, NonFinite, Trainer, Update, UpdateError};
use resonetics_envs::env::ParallelEnv;
use serde_json::Value;

use super::board::Board;
use super::branch;
use super::checkpoint::{Best, Checkpoint, Checkpoints, Identity};
use super::learner::make;
use super::plan::Train;
use super::row::{self, CSV, Measured, TIMING};
use super::start::start_in;
use crate::commands::command::Command;
use crate::commands::force::Force;
use crate::commands::record::Entry;
use crate::commands::{Asks, Commands, Reached, Told};
use crate::error::{self, Error};
use crate::files::{CsvFile, begun, check_writable, first_line, last_number};
use crate::interrupt;
use crate::monitor::{Monitor, Snapshot};
use crate::progress::{Progress, Silent, Tell};
use crate::run_dir::exclusive;
use crate::setup::Setup;

/// Where a training computes and who watches it; changes none of the files that count.
#[derive(Clone, Copy)]
pub struct Runtime<'a> {
    /// `auto`, `cpu`, `cuda` or `cuda:N`; for the torch learner.
    pub device: &'a str,
    /// Ticked update by update, with the mean return and the speed as its message.
    pub progress: &'a dyn Progress,
    /// Is told what is no progress: that the training goes back to a checkpoint, for one.
    pub tell: &'a Tell<'a>,
    /// Shows the latest numbers to whoever asks.
    pub monitor: Option<&'a Monitor>,
    /// Is told what happens. An error ends the training.
    pub watch: &'a dyn Fn(&Seen<'_>) -> Result<(), Error>,
    /// What a checkpoint is to keep of who watches, as JSON; none where nobody has anything to keep.
    pub kept: &'a dyn Fn() -> Option<Value>,
    /// Who tells it something while it is at work; asked between two updates.
    pub asks: &'a Asks<'a>,
    /// Whether to write TensorBoard's event files too; a training that has some goes on with them.
    pub tensorboard: bool,
}

impl Default for Runtime<'_> {
    /// On the device that is there, watched by nobody.
    fn default() -> Self {
        Runtime {
            device: "auto",
            progress: &Silent,
            tell: &|_| Ok(()),
            monitor: None,
            watch: &|_| Ok(()),
            kept: &|| None,
            asks: &|_| Vec::new(),
            tensorboard: false,
        }
    }
}

/// What whoever watches a training is told, as it happens.
#[derive(Clone, Copy)]
pub enum Seen<'a> {
    /// It begins, or goes on behind so many updates: its log ends there.
    Begins {
        /// Updates that are done.
        updates: u64,
        /// Steps of single environments that are.
        steps: u64,
        /// What [`Runtime::kept`] said at that checkpoint.
        kept: Option<&'a Value>,
    },
    /// An update is done, and a checkpoint not yet written; of the untrained policy it is update 0.
    Update(Watched<'a>),
    /// A checkpoint was written.
    Checkpoint {
        /// Behind so many updates.
        update: u64,
        /// Behind so many steps: its name.
        steps: u64,
        /// SHA-256 of its safetensors file, in hex.
        sha256: &'a str,
        /// Whether it is the best so far.
        best: bool,
        /// Steps of the older ones that went for it.
        removed: &'a [u64],
    },
    /// It was told something, which is about to take effect.
    Told {
        /// What.
        entry: &'a Entry,
    },
    /// It went back to a checkpoint.
    WentBack {
        /// From behind so many updates; of one that met a number that was not finite, that one.
        from: u64,
        /// Why: `nonfinite`, or `command`.
        reason: &'static str,
    },
}

/// What an update did. The update 0, before the first one, has no numbers but what was measured.
#[derive(Clone, Copy)]
pub struct Watched<'a> {
    /// The trainer's numbers.
    pub update: &'a Update,
    /// What the policy earns, where it was measured.
    pub measured: Measured,
    /// Steps of single environments a second, on this machine.
    pub steps_per_second: f64,
}

/// Makes a learner, its parameters all 0.
type NewLearner<'a> = &'a dyn Fn() -> Result<Box<dyn Learner>, Error>;

impl Train {
    /// The checkpoints in `dir`.
    ///
    /// # Errors
    /// That config.toml cannot be read.
    pub fn checkpoints(&self, dir: &Path) -> Result<Checkpoints, Error> {
        Ok(Checkpoints::at(dir, Identity::of(&self.env.name, dir)?, self.train.keep))
    }

    /// Steps behind the last of its `checkpoints`.
    ///
    /// # Errors
    /// That of [`Checkpoints::last`].
    pub(super) fn done(checkpoints: &Checkpoints) -> Result<u64, Error> {
        Ok(checkpoints.last::<Numbers>()?.map_or(0, |last| last.numbers.steps()))
    }

    /// Whether a training that was finished once has done what it was extended by since.
    pub(super) fn is_done(&self, checkpoints: &Checkpoints) -> Result<bool, Error> {
        Ok(self.extended.is_empty() || Train::done(checkpoints)? >= self.whole(self.total()))
    }

    /// Refuses files in `dir` that a training cannot go on from; changes none.
    ///
    /// # Errors
    /// [`Error::Refused`] with the file and the reason.
    pub fn resumable(&self, dir: &Path) -> Result<(), Error> {
        let checkpoints = self.checkpoints(dir)?;
        let csv = dir.join(CSV);
        match checkpoints.last::<Numbers>()? {
            Some(last) => {
                self.refuse_other_world(dir, &last.arrays)?;
                CsvFile::resumable(&csv, last.csv_bytes).map(drop)
            }
            None => self.refuse_lost(&checkpoints, &csv),
        }
    }

    /// Refuses the training in `dir` if it is from before its world showed what it shows now: repeated, it is another one.
    ///
    /// # Errors
    /// [`Error::Refused`] with how many numbers an observation had then and has now.
    pub fn of_this_world(&self, dir: &Path) -> Result<(), Error> {
        // Checkpoints that cannot be read keep nobody from repeating it.
        match self.checkpoints(dir)?.last::<Numbers>() {
            Ok(Some(last)) => self.refuse_other_world(dir, &last.arrays),
            _ => Ok(()),
        }
    }

    /// Refuses a checkpoint from before its world showed what it shows now.
    ///
    /// # Errors
    /// [`Error::Refused`] with how many numbers an observation had then and has now.
    pub(crate) fn refuse_other_world(&self, dir: &Path, arrays: &Arrays) -> Result<(), Error> {
        let now = self.spaces().observation;
        match arrays.observation() {
            Some(then) if then != now => Err(Error::Refused(format!(
                "{} was trained when an observation in {} had {then} numbers; it has {now} now: train it again",
                dir.display(),
                self.env.name
            ))),
            _ => Ok(()),
        }
    }

    /// Refuses to begin where more was trained than before a first checkpoint.
    fn refuse_lost(&self, checkpoints: &Checkpoints, csv: &Path) -> Result<(), Error> {
        let done = last_number(csv)?.unwrap_or(0).max(row::last_timed(&csv.with_file_name(TIMING))?);
        checkpoints.refuse_lost(csv, done, self.train.checkpoint_every as u64)
    }
}

/// What a training plays in, and what its policy is measured in, for a world with these settings.
pub(super) type Worlds<'a, E> = &'a dyn Fn(&Setup) -> Result<[E; 2], Error>;

/// A training in its directory.
struct Session<'a, E> {
    plan: &'a Train,
    dir: PathBuf,
    worlds: Worlds<'a, E>,
    learner: NewLearner<'a>,
    checkpoints: Checkpoints,
    trainer: Trainer<E>,
    csv: CsvFile,
    csv_path: PathBuf,
    timing: File,
    best: Option<Best>,
    board: Option<Board>,
    commands: Commands,
    /// Updates that were tried, those counted that it went back behind, and the ways back.
    clock: u64,
    /// The world's settings in force in the trainer.
    env: Setup,
    /// What its last checkpoint kept of who watched it.
    kept: Option<Value>,
}

/// Trains in the run directory `dir`, from its last checkpoint on if it holds one.
///
/// # Errors
/// [`Error::Refused`] if another process trains there, or a checkpoint is refused; an interrupt; what ended the
/// training.
pub(super) fn train<E: ParallelEnv + Clone + Sync>(
    plan: &Train,
    dir: &Path,
    worlds: Worlds<'_, E>,
    runtime: &Runtime<'_>,
) -> Result<(), Error> {
    let _lock = exclusive(dir)?;
    let learner = || make(plan.learner, &plan.train.network, plan.spaces(), runtime.device);
    let mut session = Session::open(plan, dir, worlds, &learner, runtime)?;
    let outcome = session.run(runtime);
    outcome.and(session.board.map_or(Ok(()), Board::finish))
}

impl<'a, E: ParallelEnv + Clone + Sync> Session<'a, E> {
    /// At the last checkpoint, or at the start.
    fn open(
        plan: &'a Train,
        dir: &Path,
        worlds: Worlds<'a, E>,
        learner: NewLearner<'a>,
        runtime: &Runtime<'_>,
    ) -> Result<Session<'a, E>, Error> {
        let checkpoints = plan.checkpoints(dir)?;
        let csv_path = dir.join(CSV);
        let mut commands = Commands::read(dir, Force::new(Some(&plan.train), &plan.env))?;
        let last = checkpoints.last()?;
        let Started { trainer, csv_bytes, best, reached, kept } =
            start(plan, dir, worlds, learner, &checkpoints, &commands, last)?;
        commands.go_on_behind(reached.commands)?;
        let csv = match csv_bytes {
            Some(csv_bytes) => {
                if best.as_ref().is_some_and(|best| best.update == reached.clock) {
                    checkpoints.last_is_best()?;
                }
                CsvFile::resume(&csv_path, csv_bytes)?
            }
            None => begun(&csv_path, &row::COLUMNS, runtime.tell)?,
        };
        checkpoints.tidy()?;
        let timing_path = dir.join(TIMING);
        check_writable(&timing_path)?;
        let timing = File::options()
            .create(true)
            .append(true)
            .open(&timing_path)
            .map_err(error::io("open", &timing_path))?;
        if let Some(monitor) = runtime.monitor {
            monitor.begin(Snapshot {
                training_step: trainer.steps(),
                episodes: trainer.episodes(),
                rollbacks: trainer.rollbacks().into(),
                nonfinite: trainer.rollbacks().into(),
                ..Snapshot::default()
            });
        }
        let board = Board::of(dir, runtime.tensorboard);
        let (dir, clock, env) = (dir.to_path_buf(), reached.clock, commands.force.env.clone());
        Ok(Session {
            plan,
            dir,
            worlds,
            learner,
            checkpoints,
            trainer,
            csv,
            csv_path,
            timing,
            best,
            board,
            commands,
            clock,
            env,
            kept,
        })
    }

    /// Trains to the end.
    fn run(&mut self, runtime: &Runtime<'_>) -> Result<(), Error> {
        let planned = self.plan.train.updates(self.plan.total());
        let progress = runtime.progress;
        progress.begin_at(self.trainer.updates());
        (runtime.watch)(&Seen::Begins {
            updates: self.trainer.updates(),
            steps: self.trainer.steps(),
            kept: self.kept.take().as_ref(),
        })?;
        self.begin(runtime)?;
        while self.trainer.updates() < planned {
            interrupt::check()?;
            Hearing { session: self, runtime }.hear(runtime.asks)?;
            self.trainer.set_total_steps(self.plan.total_at(self.trainer.steps()));
            let start = Instant::now();
            let updated = self.trainer.update();
            self.clock += 1;
            match updated {
                Ok(update) => {
                    let steps = self.plan.steps_per_update() as f64;
                    let steps_per_second = steps / start.elapsed().as_secs_f64();
                    self.note(&update, steps_per_second, runtime)?;
                    progress.message(&row::message(&update, steps_per_second));
                    progress.inc(1);
                }
                Err(UpdateError::Learner(error)) => return Err(error.into()),
                Err(UpdateError::NonFinite(bad)) => {
                    self.recover(bad, runtime.tell)?;
                    (runtime.watch)(&Seen::WentBack { from: bad.update, reason: "nonfinite" })?;
                    self.begin(runtime)?;
                }
            }
        }
        self.csv.sync().map(drop)
    }

    /// At the start of a training, whose log has no row then, writes and tells what the untrained policy earns.
    fn begin(&mut self, runtime: &Runtime<'_>) -> Result<(), Error> {
        if self.trainer.updates() > 0 {
            return Ok(());
        }
        let (greedy, sampled) = (self.measure(Acting::Greedy)?.mean(), self.measure(Acting::Sampled)?.mean());
        let measured = Measured { greedy: Some(greedy), sampled: Some(sampled) };
        self.row(row::beginning(measured))?;
        self.tell(&Watched { update: &Update::default(), measured, steps_per_second: 0.0 }, runtime)
    }

    /// Tells whoever watches, the event files first.
    fn tell(&mut self, watched: &Watched<'_>, runtime: &Runtime<'_>) -> Result<(), Error> {
        if let Some(board) = &mut self.board {
            board.add(watched.update, watched.measured, watched.steps_per_second)?;
        }
        (runtime.watch)(&Seen::Update(*watched))
    }

    fn measure(&mut self, acting: Acting) -> Result<Earned, Error> {
        Ok(self.trainer.evaluate(acting, self.plan.train.eval_episodes)?)
    }

    /// Adds a row to the log; one that an earlier version began lacks the last columns, and goes on so.
    fn row(&mut self, cells: [String; row::COLUMNS.len()]) -> Result<(), Error> {
        let columns = self.csv.columns().min(cells.len());
        self.csv.row(&cells[..columns])
    }

    /// Writes and tells what an update did, and writes a checkpoint where one is due.
    fn note(&mut self, update: &Update, steps_per_second: f64, runtime: &Runtime<'_>) -> Result<(), Error> {
        let TrainConfig { checkpoint_every, eval_every, .. } = self.plan.train;
        let last = update.update == self.trainer.planned_updates();
        let due = last || update.update.is_multiple_of(checkpoint_every as u64);
        let mut measured = Measured::default();
        let mut better = None;
        if last || update.update.is_multiple_of((checkpoint_every * eval_every) as u64) {
            let earned = self.measure(Acting::Greedy)?;
            measured.greedy = Some(earned.mean());
            better = Best::after(self.best.as_ref(), self.clock, earned);
        }
        if last {
            measured.sampled = Some(self.measure(Acting::Sampled)?.mean());
        }
        self.row(row::cells(update, measured))?;
        row::time(&mut self.timing, update, steps_per_second)?;
        if let Some(monitor) = runtime.monitor {
            monitor.publish(snapshot(update, steps_per_second));
        }
        self.tell(&Watched { update, measured, steps_per_second }, runtime)?;
        if due {
            let is_best = better.is_some();
            self.best = better.or(self.best.take());
            self.keep(is_best, runtime)?;
        }
        Ok(())
    }

    /// Writes a checkpoint of where it is, and tells it.
    fn keep(&mut self, is_best: bool, runtime: &Runtime<'_>) -> Result<(), Error> {
        let csv_bytes = self.csv.sync()?;
        let State { numbers, arrays } = self.trainer.save().map_err(Error::Failed)?;
        let (update, steps) = (numbers.updates(), numbers.steps());
        let (best, reached, kept) = (self.best.clone(), self.reached(), (runtime.kept)());
        let checkpoint = Checkpoint { csv_bytes, best, reached, kept, numbers, arrays };
        let (sha256, removed) = self.checkpoints.write(steps, &checkpoint, is_best)?;
        (runtime.watch)(&Seen::Checkpoint {
            update,
            steps,
            sha256: &sha256,
            best: is_best,
            removed: &removed,
        })
    }

    /// How far it has come with what it was told, for a checkpoint.
    fn reached(&self) -> Option<Reached> {
        let reached = Reached { clock: self.clock, commands: self.commands.done() };
        let plain = Reached { clock: self.trainer.updates(), commands: 0 };
        (reached != plain).then_some(reached)
    }

    /// Puts in force in the trainer what is in force of the settings.
    fn settle(&mut self) -> Result<(), Error> {
        let Force { train, env, gain, observing, .. } = &self.commands.force;
        self.trainer.set_in_force(train.as_ref().unwrap_or(&self.plan.train), *gain, *observing);
        if *env != self.env {
            let [trained, measured] = (self.worlds)(env)?;
            self.trainer.change_worlds(&trained, &measured).map_err(Error::Failed)?;
            self.env.clone_from(env);
        }
        Ok(())
    }

    /// Goes back to `last`, or to the start where there is none, with half the learning rate: what is in force stays so.
    fn go_back(&mut self, last: Option<Checkpoint<Numbers>>, rollbacks: u32) -> Result<u64, Error> {
        // Rows that still wait in memory would otherwise be written behind the cut.
        self.csv.sync()?;
        let Started { mut trainer, csv_bytes, reached, .. } =
            start(self.plan, &self.dir, self.worlds, self.learner, &self.checkpoints, &self.commands, last)?;
        trainer.set_rollbacks(rollbacks);
        self.trainer = trainer;
        self.env = self.commands.force_behind(reached.commands)?.env;
        self.settle()?;
        Ok(csv_bytes.unwrap_or(first_line(&row::COLUMNS).len() as u64))
    }

    /// Goes back to the last checkpoint from an update that met a number that was not finite.
    fn recover(&mut self, bad: NonFinite, tell: &Tell<'_>) -> Result<(), Error> {
        let rollbacks = self.trainer.rollbacks() + 1;
        if rollbacks > self.plan.train.max_rollbacks {
            return Err(Error::Failed(format!(
                "{bad} after {} rollbacks: lower train.learning_rate or train.max_grad_norm and train anew",
                rollbacks - 1
            )));
        }
        let last = self.checkpoints.last()?;
        if last.is_none() {
            self.best = None;
        }
        let csv_bytes = self.go_back(last, rollbacks)?;
        self.csv = CsvFile::resume(&self.csv_path, csv_bytes)?;
        self.tell_way_back(&bad.to_string(), rollbacks, tell)
    }

    /// Goes back to the checkpoint of `step`, as it was told.
    fn roll_back(&mut self, step: u64, runtime: &Runtime<'_>) -> Result<(), Error> {
        let rollbacks = self.trainer.rollbacks() + 1;
        let from = self.trainer.updates();
        let csv_bytes = self.go_back(Some(self.checkpoints.of(step)?), rollbacks)?;
        // Another moment: what is told now is told behind the way back, also to whoever repeats it.
        self.clock += 1;
        // Written anew, since it is gone on from behind this command, before the newer ones go and the rows behind it: a
        // kill in between leads here again.
        let State { numbers, arrays } = self.trainer.save().map_err(Error::Failed)?;
        let (best, reached, kept) = (self.best.clone(), self.reached(), (runtime.kept)());
        let checkpoint = Checkpoint { csv_bytes, best, reached, kept, numbers, arrays };
        let (sha256, mut removed) = self.checkpoints.write(step, &checkpoint, false)?;
        removed.extend(self.checkpoints.remove_behind(step)?);
        self.csv = CsvFile::resume(&self.csv_path, csv_bytes)?;
        self.tell_way_back("as it was told", rollbacks, runtime.tell)?;
        (runtime.watch)(&Seen::WentBack { from, reason: "command" })?;
        let update = self.trainer.updates();
        (runtime.watch)(&Seen::Checkpoint {
            update,
            steps: step,
            sha256: &sha256,
            best: false,
            removed: &removed,
        })
    }

    fn tell_way_back(&self, why: &str, rollbacks: u32, tell: &Tell<'_>) -> Result<(), Error> {
        tell(&format!(
            "{why}: back to update {} with the learning rate divided by {}",
            self.trainer.updates(),
            1_u128 << rollbacks
        ))
    }
}

/// A training between two updates, with who tells it something.
struct Hearing<'s, 'a, E> {
    session: &'s mut Session<'a, E>,
    runtime: &'s Runtime<'s>,
}

impl<E: ParallelEnv + Clone + Sync> Told for Hearing<'_, '_, E> {
    fn commands(&mut self) -> &mut Commands {
        &mut self.session.commands
    }

    fn clock(&self) -> u64 {
        self.session.clock
    }

    fn possible(&self, command: &Command) -> Result<(), String> {
        let Session { checkpoints, trainer, plan, commands, env, worlds, .. } = &*self.session;
        let Command::RollBack(step) = command else {
            // What the clusters or gardens of now cannot go on under is refused before it is on record.
            let next = commands.force.after(command)?;
            if next.env == *env {
                return Ok(());
            }
            let [trained, _] = worlds(&next.env).map_err(|error| error.to_string())?;
            return trainer.fits(&trained);
        };
        let kept = checkpoints.steps().map_err(|error| error.to_string())?;
        if !kept.contains(step) {
            let kept: Vec<String> = kept.iter().map(u64::to_string).collect();
            let kept = if kept.is_empty() { "none yet".to_owned() } else { kept.join(", ") };
            return Err(format!("rollback.to: there is no checkpoint of step {step}; there are {kept}"));
        }
        if trainer.rollbacks() >= plan.train.max_rollbacks {
            return Err(format!(
                "rollback.to: it went back {} times, the most that train.max_rollbacks allows",
                trainer.rollbacks()
            ));
        }
        checkpoints.of::<Numbers>(*step).map(drop).map_err(|error| error.to_string())
    }

    fn take_effect(&mut self, entry: &Entry) -> Result<String, Error> {
        let (session, runtime) = (&mut *self.session, self.runtime);
        // Who begins to watch here reads the rows so far: all of them, whoever repeats this.
        session.csv.sync()?;
        (runtime.watch)(&Seen::Told { entry })?;
        match &entry.command {
            Command::Checkpoint => {
                session.keep(false, runtime)?;
                Ok(format!("checkpoint of step {}", session.trainer.steps()))
            }
            Command::RollBack(step) => {
                session.roll_back(*step, runtime)?;
                Ok(format!("back at step {step}, update {}", session.trainer.updates()))
            }
            _ => {
                session.settle()?;
                Ok(format!("from update {} on", session.trainer.updates() + 1))
            }
        }
    }
}

/// A trainer, and what the checkpoint that it was started from says of the files beside it.
struct Started<E> {
    trainer: Trainer<E>,
    /// None at the start of a training.
    csv_bytes: Option<u64>,
    best: Option<Best>,
    reached: Reached,
    kept: Option<Value>,
}

/// A trainer as it was at the checkpoint `last`, or at its start if none has been written yet, with the settings that were
/// in force there.
fn start<E: ParallelEnv + Clone + Sync>(
    plan: &Train,
    dir: &Path,
    worlds: Worlds<'_, E>,
    learner: NewLearner<'_>,
    checkpoints: &Checkpoints,
    commands: &Commands,
    last: Option<Checkpoint<Numbers>>,
) -> Result<Started<E>, Error> {
    let reached = last.as_ref().map_or(Reached::default(), branch::of);
    let force = commands.force_behind(reached.commands)?;
    let [trained, measured] = worlds(&force.env)?;
    let mut trainer = fresh(plan, &trained, learner()?)?.measured_in(measured);
    trainer.set_in_force(force.train.as_ref().unwrap_or(&plan.train), force.gain, force.observing);
    let Some(Checkpoint { csv_bytes, best, kept, numbers, arrays, .. }) = last else {
        plan.refuse_lost(checkpoints, &dir.join(CSV))?;
        if let Some(state) = start_in(plan, dir)? {
            trainer.start_from(&state).map_err(|problem| checkpoints.refused(&problem))?;
        }
        return Ok(Started { trainer, csv_bytes: None, best: None, reached, kept: None });
    };
    trainer.restore(&State { numbers, arrays }).map_err(|problem| checkpoints.refused(&problem))?;
    Ok(Started { trainer, csv_bytes: Some(csv_bytes), best, reached, kept })
}

/// A trainer at its start, on a learner whose parameters it sets.
///
/// # Errors
/// [`Error::Failed`] for a world that cannot be trained in.
pub fn fresh<E: ParallelEnv + Clone + Sync>(
    plan: &Train,
    prototype: &E,
    mut learner: Box<dyn Learner>,
) -> Result<Trainer<E>, Error> {
    learner.load(&initial(&plan.train.network, plan.spaces(), plan.seed), 0).map_err(Error::Failed)?;
    Trainer::new(prototype.clone(), plan.train.clone(), plan.seed, plan.steps, learner).map_err(Error::Failed)
}

/// What the monitor shows of an update.
fn snapshot(update: &Update, steps_per_second: f64) -> Snapshot {
    Snapshot {
        training_step: update.steps,
        learning_rate: Some(update.learning_rate),
        predicted_risk: update.risk.map(|risk| risk.1),
        actual_error: update.risk.map(|risk| (risk.2 - risk.1).abs()),
        system_status: update.risk.map(|risk| risk.0.status()),
        kernel_w_r: None,
        kernel_eps: Some(update.eps),
        episode_return_mean: update.return_mean,
        steps_per_second: Some(steps_per_second),
        episodes: update.episodes,
        rollbacks: update.rollbacks.into(),
        nonfinite: update.rollbacks.into(),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
