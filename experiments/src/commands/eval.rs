//! `eval`: how a trained Prophet fares, also where it sees badly or the world drifts faster.

use std::path::{Path, PathBuf};

use clap::Args;
use resonetics_runs::plan::range::EPISODES;
use resonetics_runs::plan::{Eval, Plan};
use resonetics_runs::trained::TrainedAgents;
use resonetics_runs::{Error, evaluation};

use super::context::Context;
use super::kept::kept;
use super::typed::{ActingArgs, OutArgs, SeedArgs, seed, whole};
use crate::out::say;
use crate::progress::Bar;

#[derive(Debug, Args)]
pub struct EvalArgs {
    /// Run directory of the training; its best checkpoint acts, or the one behind an @: DIR@last, or DIR@STEP
    /// for that of a step of training
    #[arg(long, value_name = "DIR")]
    pub run: PathBuf,
    #[command(flatten)]
    pub acting: ActingArgs,
    /// Number of episodes
    #[arg(long, value_name = "N", default_value_t = 1000, allow_negative_numbers = true, value_parser = whole::<u32>(EPISODES))]
    pub episodes: u32,
    /// Standard deviation of normal noise added to every observed number
    #[arg(long, value_name = "SIGMA", default_value_t = 0.0, allow_negative_numbers = true)]
    pub obs_noise: f64,
    /// Factor on the speed of the drift (mem_drift_mu, dirt_growth)
    #[arg(long, value_name = "K", default_value_t = 1.0, allow_negative_numbers = true)]
    pub drift_scale: f64,
    #[command(flatten)]
    pub seed: SeedArgs,
    #[command(flatten)]
    pub out: OutArgs,
}

pub fn run(args: &EvalArgs, context: Context) -> Result<(), Error> {
    let plan = Eval::new(&args.run, 0, args.episodes, args.obs_noise, args.drift_scale)?;
    let checkpoints = TrainedAgents::default().open(&[&plan.agent()])?.sampled(args.acting.sample)?;
    let plan = Eval { seed: seed(&args.seed)?, checkpoints, ..plan };
    let out = args.out.out.as_deref();
    kept(&Plan::Eval(plan.clone()), out, context, None, |dir| execute(&plan, dir, context)).map(drop)
}

pub fn execute(plan: &Eval, dir: &Path, context: Context) -> Result<(), Error> {
    let bar = Bar::new(plan.episodes.into(), "episodes", context.quiet);
    let found = evaluation::play(plan, dir, &bar)?;
    bar.finish();
    say(format_args!("{found}"))
}
