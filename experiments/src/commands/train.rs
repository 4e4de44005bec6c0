//! `train`: Prophet in a world, from nothing or from where a training stopped.

use std::path::{Path, PathBuf};

use clap::Args;
use resonetics_agents::prophet::config::{Schedule, TrainConfig};
use resonetics_envs::config::short;
use resonetics_lumen::source::training::Watch;
use resonetics_runs::Error;
use resonetics_runs::monitor::Monitor;
use resonetics_runs::plan::range::TRAINING_STEPS;
use resonetics_runs::setup::STEPS;
use resonetics_runs::shell::command_line;
use resonetics_runs::training::{self, Extension, Runtime, Seen, Start, Stopped, Train, Training};

use super::context::Context;
use super::kept::{tell_finished, told};
use super::typed::{Learner, LumenArgs, MonitorArgs, OutArgs, Recipe, SeedArgs, WorldArgs, seed, whole};
use crate::out::say;
use crate::progress::Bar;
use crate::telling::{asked, inbox};
use crate::watching::{tell, thresholds};

#[derive(Debug, Args)]
pub struct TrainArgs {
    /// Resume the run in this directory from its last checkpoint; only --steps, --device, --threads,
    /// --tensorboard and the monitoring options may be given with it
    #[arg(long, value_name = "DIR", conflicts_with_all = ["env", "from", "learner", "recipe", "seed", "preset", "config", "sets", "out", "lumen", "gate"])]
    pub resume: Option<PathBuf>,
    /// Start from the networks and normalisers of another training, of its best checkpoint or of DIR@last or
    /// DIR@STEP, with other settings or in another environment; the networks must have the same shapes
    #[arg(long, value_name = "DIR")]
    pub from: Option<PathBuf>,
    /// Environment: k8s, k8s-v4.6 or gardener
    #[arg(long, value_name = "NAME", default_value = "k8s")]
    pub env: String,
    /// Environment steps (generations of a garden), rounded down to whole rollouts (train.num_envs x
    /// train.horizon), but at least one rollout; if that differs from N, a note says so. With --resume the steps
    /// of the whole training, those behind it counted: the learning rate continues on the line of a training of
    /// that many [default: 400000]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u64>(TRAINING_STEPS))]
    pub steps: Option<u64>,
    /// Library that computes the networks
    #[arg(long, value_enum, default_value_t = Learner::Native)]
    pub learner: Learner,
    /// Device of the torch learner: auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: String,
    /// Settings to start from; --config and --set override them
    #[arg(long, value_enum, default_value_t = Recipe::Standard)]
    pub recipe: Recipe,
    /// Write TensorBoard event files into DIR/tensorboard; a resumed training that has some continues
    /// them
    #[arg(long, help_heading = "Monitoring")]
    pub tensorboard: bool,
    #[command(flatten)]
    pub seed: SeedArgs,
    #[command(flatten)]
    pub world: WorldArgs,
    #[command(flatten)]
    pub out: OutArgs,
    #[command(flatten)]
    pub lumen: LumenArgs,
    // Last: its heading would apply to every option that follows.
    #[command(flatten)]
    pub monitor: MonitorArgs,
}

pub fn run(args: &TrainArgs, context: Context) -> Result<(), Error> {
    if let Some(dir) = &args.resume {
        return resume(dir, args, context);
    }
    let steps = args.steps.unwrap_or(STEPS);
    let (env, train, lumen) = args.world.training(&args.env, args.learner, args.recipe, steps)?;
    let learner = args.learner.into();
    let from = args.from.as_ref().map(|run| Start::of(&run.display().to_string())).transpose()?;
    let lumen = args.lumen.over(lumen);
    let plan = Train { from, lumen, ..Train::new(0, steps, learner, train, env) };
    training::check(&plan, &args.device)?;
    training::check_start(&plan)?;
    let plan = Train { seed: seed(&args.seed)?, ..plan };
    tell_whole_rollouts(&plan, context)?;
    let monitor = args.monitor.start(context.quiet)?;
    let bar = bar(&plan, context);
    let runtime = runtime(args, monitor.as_ref(), &bar);
    let training = Training::begin(&plan, args.out.out.as_deref(), &runtime)?;
    trained(training, &plan, &runtime, context)
}

fn resume(dir: &Path, args: &TrainArgs, context: Context) -> Result<(), Error> {
    let stopped = match args.steps {
        Some(steps) => Stopped::extended(dir, steps, &args.device)?,
        None => Stopped::open(dir, &args.device)?,
    };
    let Some(stopped) = stopped else { return tell_finished(dir) };
    let plan = stopped.plan().clone();
    if let Some(extension) = stopped.extension() {
        say(format_args!("{}", extended(&plan, extension)))?;
    }
    let monitor = args.monitor.start(context.quiet)?;
    let bar = bar(&plan, context);
    let runtime = runtime(args, monitor.as_ref(), &bar);
    trained(stopped.resume(&runtime)?, &plan, &runtime, context)
}

/// What more steps mean, and what becomes of the learning rate.
fn extended(plan: &Train, Extension { at_step, steps }: Extension) -> String {
    let before = Train { extended: plan.extended[..plan.extended.len() - 1].to_vec(), ..plan.clone() };
    let (was, whole) = (before.whole(before.total()), plan.whole(steps));
    let rate = match (plan.linear_rate(at_step, steps), before.linear_rate(at_step, before.total())) {
        (Some(now), Some(then)) => format!(
            "the learning rate continues at {}, on the line of a training of {whole} steps, which ends at {}; on that of {was} steps it was {} here",
            short(now),
            short(plan.train.learning_rate_final),
            short(then)
        ),
        _ => format!(
            "the schedule of the learning rate is `{}`: it continues from where it was",
            schedule(plan)
        ),
    };
    format!("trains from step {at_step} to {whole} instead of {was}: {rate}")
}

fn schedule(plan: &Train) -> &'static str {
    match plan.train.schedule {
        Schedule::Fixed => "fixed",
        Schedule::Linear => "linear",
        Schedule::Kl => "kl",
        Schedule::Prophet => "prophet",
    }
}

fn bar(plan: &Train, context: Context) -> Bar {
    Bar::new(plan.train.updates(plan.total()), "updates", context.quiet)
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
    let inbox = inbox(&dir);
    let asks = |paused: bool| asked(inbox.as_ref(), paused);
    let runtime = &Runtime { asks: &asks, ..*runtime };
    let outcome = watched(plan, &dir, runtime, |runtime| training.run(runtime));
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
        let start = if plan.from.is_some() { "at the start" } else { "untrained" };
        returns += &format!("{start} {mean:.2}, ");
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
    watched(plan, dir, &runtime, |runtime| training::train_in(plan, dir, runtime))
}

/// Does `work` in `dir`, watched if `plan` says so or somebody tells it so meanwhile.
fn watched<T>(
    plan: &Train,
    dir: &Path,
    runtime: &Runtime<'_>,
    work: impl FnOnce(&Runtime<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let watch = Watch::new(plan, dir, thresholds(plan.lumen), &tell);
    let see = |seen: &Seen<'_>| watch.see(seen);
    let kept = || watch.kept();
    let asks = |paused: bool| [watch.asks(), (runtime.asks)(paused)].into_iter().flatten().collect();
    let outcome = work(&Runtime { watch: &see, kept: &kept, asks: &asks, ..*runtime });
    watch.finish();
    outcome
}
