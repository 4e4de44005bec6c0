//! `train`: Prophet in a world, from nothing or from where a training stopped.

use std::path::Path;

use resonetics_agents::prophet::config::TrainConfig;
use resonetics_agents::prophet::trainer::Update;

use super::{Context, Plan, seed};
use crate::cli::{Recipe, TrainArgs};
use crate::failure::Failure;
use crate::monitor::{Monitor, Snapshot};
use crate::out::say;
use crate::run_dir::{RunDir, RunRecord, status};
use crate::setup::{Setup, WorldSettings, read};
use crate::training::{self, LearnerKind, Runtime};

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
    let monitor = monitor(args, context)?;
    let all = Plan::Train(plan.clone());
    all.start_with(args.out.out.as_deref(), context, |dir| work(&plan, dir, args, context, monitor.as_ref()))
        .map(drop)
}

/// The settings that a training in this world starts from.
fn defaults(env: &Setup, learner: LearnerKind, recipe: Recipe) -> TrainConfig {
    let config = match &env.settings {
        WorldSettings::K8s(_) => TrainConfig::default(),
        WorldSettings::Gardener(_) if learner == LearnerKind::Torch => {
            TrainConfig::garden().with_convolution()
        }
        WorldSettings::Gardener(_) => TrainConfig::garden(),
    };
    match recipe {
        Recipe::Standard => config,
        Recipe::Large => config.large(),
    }
}

/// Refuses what cannot be trained before anything is written.
fn check(plan: &training::Plan, device: &str) -> Result<(), Failure> {
    training::make(plan.learner, &plan.train.network, plan.spaces(), device).map(drop)
}

fn monitor(args: &TrainArgs, context: Context) -> Result<Option<Monitor>, Failure> {
    let monitor = args.monitor.start()?;
    if let Some(monitor) = monitor.as_ref().filter(|_| !context.quiet) {
        let [metrics, health] = monitor.addresses();
        say(format_args!(
            "metrics at http://{metrics}/metrics, health at http://{health}/healthz and /readyz"
        ))?;
    }
    Ok(monitor)
}

/// Trains in `dir` from its last checkpoint on.
fn work(
    plan: &training::Plan,
    dir: &Path,
    args: &TrainArgs,
    context: Context,
    monitor: Option<&Monitor>,
) -> Result<(), Failure> {
    let mut watch = |update: &Update, steps_per_second: f64| {
        if let Some(monitor) = monitor {
            monitor.publish(snapshot(update, steps_per_second));
        }
    };
    let mut runtime = Runtime { quiet: context.quiet, device: &args.device, watch: &mut watch };
    plan.train(dir, &mut runtime)
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
    let config = dir.join("config.toml");
    let text = read(&config)?;
    let parsed = Plan::parse(&text)
        .and_then(|plan| plan.check().map(|()| plan).map_err(|failure| failure.to_string()));
    let plan = match parsed {
        Ok(Plan::Train(plan)) => plan,
        Ok(_) => return Err(Failure::Usage(format!("{} is no training: nothing to resume", dir.display()))),
        Err(problem) => {
            return Err(Failure::Usage(format!("cannot resume {}: {problem}", config.display())));
        }
    };
    if status(dir)?.as_deref() == Some("finished") {
        return say(format_args!("{} is finished: nothing to do", dir.display()));
    }
    check(&plan, &args.device)?;
    let lock = training::lock(dir)?;
    plan.resumable(dir)?;
    let monitor = monitor(args, context)?;
    let run = RunDir::resume(dir, RunRecord::new("train", Some(plan.seed), context.threads))?;
    drop(lock);
    let outcome = work(&plan, dir, args, context, monitor.as_ref());
    super::told(run.finish(outcome), dir, context)
}

/// Repeats a training for `rerun`: unwatched, on whatever device there is.
pub fn execute(plan: &training::Plan, dir: &Path, context: Context) -> Result<(), Failure> {
    let mut runtime = Runtime { quiet: context.quiet, device: "auto", watch: &mut |_, _| {} };
    plan.train(dir, &mut runtime)
}
