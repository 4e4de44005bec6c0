//! `throughput --train`: how many steps a second a training takes, and how many it would take if it
//! only played, or only stepped.

use resonetics_agents::prophet::timings::Timings;
use resonetics_envs::cpu::CpuPath;
use resonetics_envs::env::ParallelEnv;
use resonetics_envs::gardener::GardenerEnv;
use resonetics_envs::k8s::K8sEnv;
use resonetics_envs::stream::{Domain, Key, scale};
use resonetics_envs::vector::{Autoreset, VecEnv};
use resonetics_runs::Error;
use resonetics_runs::setup::{self, WorldSettings};
use resonetics_runs::training::{Train, fresh, make};
use serde_json::{Value, json};

use super::clock::Clock;
use super::context::Context;
use super::reported::{Report, described, reported};
use super::throughput::ThroughputArgs;
use crate::progress::Bar;

/// A training has to have an end; nobody waits for this one.
const STEPS: u64 = 1_000_000_000_000;

pub fn run(args: &ThroughputArgs, context: Context) -> Result<(), Error> {
    let (env, train, _) = args.world.training(&args.env, args.learner, args.recipe, setup::STEPS)?;
    let plan = Train::new(args.seed.seed, STEPS, args.learner.into(), train, env);
    plan.fits()?;
    let table = toml::Table::try_from(&plan).map_err(|error| Error::Failed(error.to_string()))?;
    let seconds = [("seconds", args.seconds.into()), ("training", table.into())];
    reported(&described("throughput", seconds), args.out.out.as_deref(), || {
        let progress = Bar::new((args.seconds * 36.0) as u64, "tenths of a second", context.quiet);
        let clock = Clock { seconds: args.seconds, progress: &progress };
        let measured = match &plan.env.settings {
            WorldSettings::K8s(settings) => {
                measure(&plan, &K8sEnv::new(settings.env.clone()), &args.device, &clock)?
            }
            WorldSettings::Gardener(settings) => {
                measure(&plan, &GardenerEnv::new(settings.env.clone()), &args.device, &clock)?
            }
        };
        progress.finish();
        let text = format!("{}\n", said(&plan, &measured, context));
        Ok(Report { text, file: "throughput.json", outcome: Ok(()) })
    })
}

/// What was measured.
struct Measured {
    /// Steps a second: environments alone, with inference, with training.
    rates: [f64; 3],
    /// Where the training's time went, the warm-up's with it.
    timings: Timings,
}

fn said(plan: &Train, measured: &Measured, context: Context) -> Value {
    let rates = measured.rates;
    // Four digits: what a share is worth on a machine that is not idle.
    let shares =
        measured.timings.shares().map(|(part, share)| (part.to_owned(), json!((share * 1e4).round() / 1e4)));
    let config = &plan.train;
    json!({
        "env": plan.env.name,
        "learner": plan.learner,
        "num_envs": config.num_envs,
        "horizon": config.horizon,
        "epochs": config.epochs,
        "minibatch": config.minibatch,
        "hidden": config.network.hidden,
        "flow": config.kernel.flow,
        "structure": config.kernel.structure,
        "tension": config.kernel.tension,
        "threads": context.threads,
        "environment_steps_per_second": rates[0].round(),
        "inference_steps_per_second": rates[1].round(),
        "training_steps_per_second": rates[2].round(),
        "training_time_shares": Value::Object(shares.into_iter().collect()),
        "cpu": CpuPath::current().to_string(),
    })
}

/// The environments alone with random actions, with the policy's, and the training.
fn measure<E: ParallelEnv + Clone + Sync>(
    plan: &Train,
    prototype: &E,
    device: &str,
    clock: &Clock<'_>,
) -> Result<Measured, Error> {
    let learner = make(plan.learner, &plan.train.network, plan.spaces(), device)?;
    let mut trainer = fresh(plan, prototype, learner)?;
    let per_update = trainer.steps_per_update();
    let rate = |(seconds, steps, _): (f64, u64, u64)| steps as f64 / seconds;
    let alone = rate(step_alone(plan, prototype, clock)?);
    let playing = rate(clock.time(|| {
        trainer.collect()?;
        Ok((per_update, 0))
    })?);
    let training = rate(clock.time(|| {
        trainer.update().map_err(|error| Error::Failed(error.to_string()))?;
        Ok((per_update, 0))
    })?);
    Ok(Measured { rates: [alone, playing, training], timings: trainer.take_timings() })
}

fn step_alone<E: ParallelEnv + Clone>(
    plan: &Train,
    prototype: &E,
    clock: &Clock<'_>,
) -> Result<(f64, u64, u64), Error> {
    let num_envs = plan.train.num_envs;
    let failed = |problem: String| Error::Failed(problem);
    let mut envs = VecEnv::new(vec![prototype.clone(); num_envs], Autoreset::SameStep).map_err(failed)?;
    let mut batch = envs.batch();
    envs.reset(plan.seed, &mut batch);
    let n = prototype.action_space().n as u32;
    let mut actions = vec![0; batch.rewards.len()];
    let key = Key::new(plan.seed, Domain::Policy, 0);
    let mut step = 0;
    clock.time(|| {
        for _ in 0..plan.train.horizon {
            for (row, action) in actions.iter_mut().enumerate() {
                *action = scale(key.words(step, row as u32).0, n) as usize;
            }
            step += 1;
            envs.step(&actions, &mut batch).map_err(|error| Error::Failed(error.to_string()))?;
        }
        Ok(((num_envs * plan.train.horizon) as u64, 0))
    })
}
