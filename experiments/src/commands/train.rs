//! `train`: Prophet in a world, from nothing or from where a training stopped.

use std::path::Path;

use resonetics_agents::prophet::config::TrainConfig;
use resonetics_runs::Error;
use resonetics_runs::monitor::Monitor;
use resonetics_runs::shell::command_line;
use resonetics_runs::training::{self, Runtime, Stopped, Train, Training};

use super::context::Context;
use super::kept::{tell_finished, told};
use super::typed::seed;
use crate::cli::TrainArgs;
use crate::out::say;
use crate::progress::Bar;

pub fn run(args: &TrainArgs, context: Context) -> Result<(), Error> {
    if let Some(dir) = &args.resume {
        return resume(dir, args, context);
    }
    let (env, train) = args.world.training(&args.env, args.learner, args.recipe, args.steps)?;
    let learner = args.learner.into();
    let plan = Train { seed: seed(&args.seed)?, steps: args.steps, learner, train, env };
    training::check(&plan, &args.device)?;
    tell_whole_rollouts(&plan, context)?;
    let monitor = args.monitor.start(context.quiet)?;
    let bar = bar(&plan, context);
    let runtime = runtime(args, monitor.as_ref(), &bar);
    let training = Training::begin(&plan, args.out.out.as_deref(), &runtime)?;
    trained(training, &plan, &runtime, context)
}

fn resume(dir: &Path, args: &TrainArgs, context: Context) -> Result<(), Error> {
    let Some(stopped) = Stopped::open(dir, &args.device)? else { return tell_finished(dir) };
    let plan = stopped.plan().clone();
    let monitor = args.monitor.start(context.quiet)?;
    let bar = bar(&plan, context);
    let runtime = runtime(args, monitor.as_ref(), &bar);
    trained(stopped.resume(&runtime)?, &plan, &runtime, context)
}

fn bar(plan: &Train, context: Context) -> Bar {
    Bar::new(plan.train.updates(plan.steps), "updates", context.quiet)
}

fn runtime<'a>(args: &'a TrainArgs, monitor: Option<&'a Monitor>, bar: &'a Bar) -> Runtime<'a> {
    Runtime {
        device: &args.device,
        progress: bar,
        tell: &|line| say(format_args!("{line}")),
        monitor,
        tensorboard: args.tensorboard,
        ..Runtime::default()
    }
}

/// Trains to the end and says what came out.
fn trained(training: Training, plan: &Train, runtime: &Runtime<'_>, context: Context) -> Result<(), Error> {
    let dir = training.dir().to_path_buf();
    let outcome = training.run(runtime);
    runtime.progress.finish();
    let interrupted = matches!(outcome, Err(Error::Interrupted(_)));
    // What cannot be read back is no reason to call the training failed.
    if !context.quiet
        && (outcome.is_ok() || interrupted)
        && let Ok(text) = came_out(plan, &dir, interrupted)
    {
        // Who cannot be told this is told the same of the run's last line.
        let _ = say(format_args!("{text}"));
    }
    told(outcome, &dir, context)
}

/// Says how many steps `plan` will take where they are others than were asked for.
fn tell_whole_rollouts(plan: &Train, context: Context) -> Result<(), Error> {
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

/// What the training in `dir` has led to, and the commands that come next.
fn came_out(plan: &Train, dir: &Path, interrupted: bool) -> Result<String, Error> {
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
        return Ok(format!("{returns}\nto resume: {resume}"));
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

/// Repeats a training for `rerun`: unwatched, on whatever device there is.
pub fn execute(plan: &Train, dir: &Path, context: Context) -> Result<(), Error> {
    let bar = bar(plan, context);
    let runtime = Runtime { progress: &bar, tell: &|line| say(format_args!("{line}")), ..Runtime::default() };
    training::train_in(plan, dir, &runtime)
}
