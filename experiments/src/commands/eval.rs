//! `eval`: how a trained Prophet fares, also where it sees badly or the world drifts faster.

use resonetics_agents::{Noisy, Policy};
use resonetics_analysis::stats::student::mean_interval;
use resonetics_analysis::stats::summary::{mean, standard_deviation};
use resonetics_envs::config::{ConfigError, short};
use resonetics_envs::stream::lane_seed;
use serde_json::json;

use super::{Context, Report, described, reported, seed};
use crate::cli::EvalArgs;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::rollout::play_with;
use crate::setup::{Setup, WorldSettings};
use crate::training::Trained;

pub fn run(args: &EvalArgs, context: Context) -> Result<(), Failure> {
    for (name, value) in [("--obs-noise", args.obs_noise), ("--drift-scale", args.drift_scale)] {
        if !(0.0..=1000.0).contains(&value) {
            return Err(Failure::Usage(format!(
                "{name} {}: allowed are numbers from 0 to 1000",
                short(value)
            )));
        }
    }
    let trained = Trained::open(&args.run)?;
    let env = scaled(&trained.plan.env, args.drift_scale)?;
    trained.policy(&env)?;
    let seed = seed(&args.seed)?;
    let config = described(
        "eval",
        [
            ("seed", (seed as i64).into()),
            ("run", args.run.display().to_string().into()),
            ("episodes", i64::from(args.episodes).into()),
            ("obs_noise", args.obs_noise.into()),
            ("drift_scale", args.drift_scale.into()),
            ("env", env.table()?),
        ],
    );
    reported(&config, args.out.out.as_deref(), context, || {
        let progress = Progress::new(args.episodes.into(), "episodes", context.quiet);
        let seeds: Vec<u64> = (0..u64::from(args.episodes)).map(|i| lane_seed(seed, i)).collect();
        let policy = |envs: usize| -> Result<Box<dyn Policy>, Failure> {
            let prophet: Box<dyn Policy> = Box::new(trained.policy(&env)?);
            if args.obs_noise > 0.0 {
                return Ok(Box::new(Noisy::new(prophet, envs, args.obs_noise as f32)));
            }
            Ok(prophet)
        };
        let episodes = play_with(&env, &policy, &seeds, &progress)?;
        progress.finish();
        let returns: Vec<f64> = episodes.iter().map(|episode| episode.total_reward).collect();
        let steps: Vec<f64> = episodes.iter().map(|episode| f64::from(episode.steps)).collect();
        let terminated = episodes.iter().filter(|episode| episode.terminated).count();
        let interval = mean_interval(&returns);
        let found = json!({
            "run": args.run.display().to_string(),
            "env": env.name,
            "seed": seed,
            "episodes": args.episodes,
            "obs_noise": args.obs_noise,
            "drift_scale": args.drift_scale,
            "return_mean": mean(&returns),
            "return_mean_low": interval.map(|interval| interval.low),
            "return_mean_high": interval.map(|interval| interval.high),
            "return_std": standard_deviation(&returns),
            "steps_mean": mean(&steps),
            "terminated": terminated as f64 / returns.len() as f64,
        });
        Ok(Report { text: format!("{found}\n"), file: "eval.json", outcome: Ok(()) })
    })
}

/// The world with its drift `scale` times as fast: the memory leak of a cluster, the growth of dirt.
fn scaled(env: &Setup, scale: f64) -> Result<Setup, Failure> {
    let set = match &env.settings {
        WorldSettings::K8s(settings) => format!("mem_drift_mu={:?}", settings.env.mem_drift_mu * scale),
        WorldSettings::Gardener(settings) => format!("dirt_growth={:?}", settings.env.dirt_growth * scale),
    };
    let place = format!("--drift-scale {scale}");
    env.clone().with(None, &[set]).map_err(|error| Failure::Usage(ConfigError { place, ..error }.to_string()))
}
