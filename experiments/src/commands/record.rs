//! `record`: a trace of one episode, in the format that `replay` takes.

use std::path::Path;

use clap::Args;
use resonetics_runs::Error;
use resonetics_runs::files::write_new;
use resonetics_runs::plan::range::STEPS;
use resonetics_runs::plan::{Plan, Record};
use resonetics_runs::setup::WorldSettings;
use resonetics_runs::shell::command_line;
use resonetics_runs::trained::TrainedAgents;

use super::context::Context;
use super::kept::kept;
use super::typed::{OutArgs, SeedArgs, WorldArgs, seed, whole};
use crate::out::say;
use crate::progress::Bar;
use crate::trace;

#[derive(Debug, Args)]
pub struct RecordArgs {
    /// Environment: k8s, k8s-v4.6 or gardener
    pub env: String,
    /// Agent
    #[arg(long, value_name = "NAME", default_value = "heuristic")]
    pub agent: String,
    /// Maximum number of steps (or generations)
    #[arg(long, value_name = "N", default_value_t = 200, allow_negative_numbers = true, value_parser = whole::<u32>(STEPS))]
    pub steps: u32,
    #[command(flatten)]
    pub seed: SeedArgs,
    #[command(flatten)]
    pub world: WorldArgs,
    #[command(flatten)]
    pub out: OutArgs,
}

pub fn run(args: &RecordArgs, context: Context) -> Result<(), Error> {
    let env = args.world.world(&args.env)?;
    let agent = args.agent.clone();
    let checkpoints = TrainedAgents::default().open(&[&agent])?;
    checkpoints.policy(&env, &agent, 1)?;
    let plan = Record { seed: seed(&args.seed)?, steps: args.steps, agent, checkpoints, env };
    let all = Plan::Record(plan.clone());
    kept(&all, args.out.out.as_deref(), context, None, |dir| execute(&plan, dir, context)).map(drop)
}

pub fn execute(plan: &Record, dir: &Path, context: Context) -> Result<(), Error> {
    let progress = Bar::new(plan.steps.into(), "steps", context.quiet);
    let text = match &plan.env.settings {
        WorldSettings::K8s(settings) => {
            let trace = trace::k8s::record(
                &plan.env,
                &settings.env,
                plan.policy()?,
                plan.seed,
                plan.steps,
                &progress,
            )?;
            serde_json::to_string(&trace)
        }
        WorldSettings::Gardener(settings) => {
            let trace = trace::gardener::record(
                &plan.env,
                &settings.env,
                plan.policy()?,
                plan.seed,
                plan.steps,
                &progress,
            )?;
            serde_json::to_string(&trace)
        }
    }
    .map_err(|error| Error::Failed(format!("cannot write the trace as JSON: {error}")))?;
    progress.finish();
    let path = dir.join("trace.json");
    write_new(&path, format!("{text}\n").as_bytes())?;
    let replay = command_line(["replay".to_owned(), path.display().to_string()].into_iter());
    say(format_args!("recorded {}: {replay} replays it", path.display()))
}
