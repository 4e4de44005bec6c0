//! `eval`: how a trained Prophet fares, also where it sees badly or the world drifts faster.

use std::path::Path;

use resonetics_runs::plan::{Eval, Plan};
use resonetics_runs::trained::TrainedAgents;
use resonetics_runs::{Error, evaluation};

use super::context::Context;
use super::kept::kept;
use super::typed::seed;
use crate::cli::EvalArgs;
use crate::out::say;
use crate::progress::Bar;

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
