//! `train`: Prophet in a world, from nothing or from where a training stopped.

use std::fs;
use std::path::{Path, PathBuf};

use resonetics_agents::prophet::config::TrainConfig;
use resonetics_agents::prophet::trainer::Update;

use super::{Context, Plan, seed};
use crate::cli::{Recipe, TrainArgs};
use crate::failure::{self, Failure};
use crate::inputs::command_line;
use crate::monitor::{Monitor, Snapshot};
use crate::out::say;
use crate::run_dir::{self, RunDir, RunRecord};
use crate::setup::{Setup, WorldSettings};
use crate::tensorboard::EventFile;
use crate::training::{self, Begun, LearnerKind, Runtime, Watched};

pub fn run(args: &TrainArgs, context: Context) -> Result<(), Failure> {
    if let Some(dir) = &args.resume {
        return resume(dir, args, context);
    }
    let base = Setup::preset(&args.env, &args.world.preset).map_err(Failure::Usage)?;
    let defaults = defaults(&base, args.learner, args.recipe);
    let (env, train) = base.typed_with(&args.world, defaults)?;
    let plan =
        training::Plan { seed: seed(&args.seed)?, steps: args.steps, learner: args.learner, train, env };
    check(&plan, &args.device)?;
    tell_whole_rollouts(&plan, context)?;
    let monitor = args.monitor.start(context.quiet)?;
    let all = Plan::Train(Box::new(plan.clone()));
    all.start_with(args.out.out.as_deref(), context, monitor.as_ref(), |dir| {
        work(&plan, dir, args, context, monitor.as_ref())
    })
    .map(drop)
}

/// The settings that a training in this world starts from.
pub fn defaults(env: &Setup, learner: LearnerKind, recipe: Recipe) -> TrainConfig {
    let config = match &env.settings {
        WorldSettings::Gardener(_) if learner == LearnerKind::Torch => env.training().with_convolution(),
        WorldSettings::K8s(_) | WorldSettings::Gardener(_) => env.training(),
    };
    match recipe {
        Recipe::Standard => config,
        Recipe::Large => config.large(),
    }
}

/// Says how many steps `plan` will take where they are others than were asked for.
fn tell_whole_rollouts(plan: &training::Plan, context: Context) -> Result<(), Failure> {
    let (asked, rollout) = (plan.steps, plan.steps_per_update());
    let updates = plan.train.updates(asked);
    let steps = updates * rollout;
    if steps == asked || context.quiet {
        return Ok(());
    }
    let TrainConfig { num_envs, horizon, .. } = plan.train;
    let rollout = format!("{rollout} steps (train.num_envs {num_envs} x train.horizon {horizon})");
    if steps > asked {
        say(format_args!("--steps {asked} is less than one rollout of {rollout}: trains for one"))
    } else {
        let noun = if updates == 1 { "rollout" } else { "rollouts" };
        say(format_args!("trains for {steps} steps: --steps {asked} is {updates} whole {noun} of {rollout}"))
    }
}

/// Refuses what cannot be trained before anything is written.
fn check(plan: &training::Plan, device: &str) -> Result<(), Failure> {
    plan.fits()?;
    training::make(plan.learner, &plan.train.network, plan.spaces(), device).map(drop)
}

/// Trains in `dir` from its last checkpoint on.
fn work(
    plan: &training::Plan,
    dir: &Path,
    args: &TrainArgs,
    context: Context,
    monitor: Option<&Monitor>,
) -> Result<(), Failure> {
    let mut board = Board::of(dir, args.tensorboard);
    let mut watch = |watched: &Watched<'_>| {
        if let Some(monitor) = monitor.filter(|_| watched.update.update > 0) {
            monitor.publish(snapshot(watched.update, watched.steps_per_second));
        }
        board.as_mut().map_or(Ok(()), |board| board.add(watched))
    };
    let begun = |begun: Begun| {
        if let Some(monitor) = monitor {
            monitor.begin(at(begun));
        }
    };
    let mut runtime =
        Runtime { quiet: context.quiet, device: &args.device, begun: &begun, watch: &mut watch };
    let outcome = plan.train(dir, &mut runtime);
    let outcome = outcome.and(board.map_or(Ok(()), Board::finish));
    let interrupted = matches!(outcome, Err(Failure::Interrupted(_)));
    // What cannot be read back is no reason to call the training failed.
    if !context.quiet
        && (outcome.is_ok() || interrupted)
        && let Ok(text) = came_out(plan, dir, interrupted)
    {
        // Who cannot be told this is told the same of the run's last line, once it is recorded as what it is.
        let _ = say(format_args!("{text}"));
    }
    outcome
}

/// What the training in `dir` has led to, and the commands that come next.
fn came_out(plan: &training::Plan, dir: &Path, interrupted: bool) -> Result<String, Failure> {
    let name = dir.display().to_string();
    let words = |words: &[&str]| command_line(words.iter().map(|word| (*word).to_owned()));
    let resume = words(&["train", "--resume", &name]);
    let (untrained, trained): (Vec<_>, Vec<_>) =
        training::greedy_returns(dir)?.into_iter().partition(|&(step, _)| step == 0);
    let mut returns = format!("greedy return, mean of {} episodes: ", plan.train.eval_episodes);
    if let Some((_, mean)) = untrained.first() {
        returns += &format!("untrained {mean:.2}, ");
    }
    // The first of equals, as the best checkpoint is.
    let better = |a: &&(u64, f64), b: &&(u64, f64)| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0));
    match (trained.last(), trained.iter().filter(|(_, mean)| !mean.is_nan()).max_by(better)) {
        (Some((at, last)), Some((best_at, best))) => {
            returns += &format!("last {last:.2} at step {at}, best {best:.2} at step {best_at}");
        }
        _ => returns += "nothing else was measured yet",
    }
    if interrupted {
        return Ok(format!("{returns}\nto go on: {resume}"));
    }
    let prophet = format!("random,heuristic,prophet:{name}");
    let mut benchmark = vec!["benchmark", "--agents", &prophet];
    for (option, value, default) in
        [("--env", &*plan.env.name, "k8s"), ("--preset", &plan.env.preset, "reference")]
    {
        if value != default {
            benchmark.extend([option, value]);
        }
    }
    let next = [
        words(&["eval", "--run", &name]),
        words(&benchmark),
        words(&["report", &name]),
        words(&["serve", &name]),
    ];
    Ok(format!("{returns}\nnext: {}", next.join("\n      ")))
}

/// TensorBoard's event file of a training.
struct Board {
    folder: PathBuf,
    file: Option<EventFile>,
    /// That of the last update in the file.
    step: u64,
}

impl Board {
    /// That of the training in `dir`, if it is wanted or there is one already.
    fn of(dir: &Path, wanted: bool) -> Option<Board> {
        let folder = dir.join("tensorboard");
        (wanted || folder.exists()).then_some(Board { folder, file: None, step: 0 })
    }

    /// Adds an update; all that is there is in the file before a checkpoint is written, or a kill after it
    /// would leave a gap.
    fn add(&mut self, watched: &Watched<'_>) -> Result<(), Failure> {
        let Watched { update, measured, steps_per_second } = *watched;
        // Opened at the first update, which says where the training goes on; and again where it went back.
        let mut file = match self.file.take().filter(|_| update.steps > self.step) {
            Some(file) => file,
            None => self.open(update.steps)?,
        };
        let mut scalars = if update.update == 0 {
            Vec::new()
        } else {
            vec![
                ("loss", update.terms.loss),
                ("policy_loss", update.terms.policy),
                ("value_loss", update.terms.value),
                ("entropy", update.terms.entropy),
                ("learning_rate", update.learning_rate),
                ("approx_kl", update.terms.approx_kl),
                ("explained_variance", update.explained_variance),
                ("steps_per_second", steps_per_second),
            ]
        };
        scalars.extend(update.return_mean.map(|mean| ("return_mean", mean)));
        scalars.extend(measured.greedy.map(|greedy| ("greedy_return", greedy)));
        scalars.extend(measured.sampled.map(|sampled| ("sampled_return", sampled)));
        file.scalars(update.steps, run_dir::seconds(), &scalars)?;
        if measured.greedy.is_some() {
            file.flush()?;
        }
        self.step = update.steps;
        self.file = Some(file);
        Ok(())
    }

    /// The latest file, as it was before `step`, or a new one.
    fn open(&self, step: u64) -> Result<EventFile, Failure> {
        fs::create_dir_all(&self.folder).map_err(failure::io("create", &self.folder))?;
        let entries = fs::read_dir(&self.folder).map_err(failure::io("read", &self.folder))?;
        let files = entries.flatten().map(|entry| entry.path());
        let named =
            |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().contains("tfevents"));
        if let Some(path) = files.filter(named).max() {
            if fs::metadata(&path).is_ok_and(|file| file.len() > 0) {
                return EventFile::append(&path, step);
            }
            // A kill met it before its first record.
            fs::remove_file(&path).map_err(failure::io("remove", &path))?;
        }
        EventFile::create(&self.folder, run_dir::seconds())
    }

    fn finish(self) -> Result<(), Failure> {
        self.file.map_or(Ok(()), EventFile::finish)
    }
}

/// What is known before the first update: the counters.
fn at(begun: Begun) -> Snapshot {
    Snapshot {
        training_step: begun.steps,
        episodes: begun.episodes,
        rollbacks: begun.rollbacks.into(),
        nonfinite: begun.rollbacks.into(),
        ..Snapshot::default()
    }
}

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

fn resume(dir: &Path, args: &TrainArgs, context: Context) -> Result<(), Failure> {
    let Plan::Train(plan) = super::stopped(dir)? else {
        return Err(Failure::Usage(format!("{} is no training: nothing to resume", dir.display())));
    };
    plan.checkpoints(dir)?.refuse_edited()?;
    if super::finished(dir)? {
        return Ok(());
    }
    check(&plan, &args.device)?;
    let lock = training::lock(dir)?;
    plan.resumable(dir)?;
    let monitor = args.monitor.start(context.quiet)?;
    let run = RunDir::resume(dir, {
        let record = RunRecord::new("train", Some(plan.seed), context.threads);
        record.watched_at(monitor.as_ref().map(Monitor::addresses))
    })?;
    drop(lock);
    let outcome = work(&plan, dir, args, context, monitor.as_ref());
    super::told(run.finish(outcome), dir, context)
}

/// Repeats a training for `rerun`: unwatched, on whatever device there is.
pub fn execute(plan: &training::Plan, dir: &Path, context: Context) -> Result<(), Failure> {
    let mut runtime =
        Runtime { quiet: context.quiet, device: "auto", begun: &|_| {}, watch: &mut |_| Ok(()) };
    plan.train(dir, &mut runtime)
}
