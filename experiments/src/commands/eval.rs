//! `eval`: how a trained Prophet fares, also where it sees badly or the world drifts faster.

use std::path::Path;

use resonetics_agents::{Noisy, Policy};
use resonetics_analysis::evaluations;
use resonetics_analysis::stats::student::mean_interval;
use resonetics_analysis::stats::summary::{mean, standard_deviation};
use resonetics_envs::config::{ConfigError, short};
use resonetics_envs::stream::lane_seed;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Context, episodes, seed, within};
use crate::cli::{EPISODES, EvalArgs};
use crate::failure::Failure;
use crate::files::{CsvFile, write_new};
use crate::out::say;
use crate::progress::Progress;
use crate::rollout::Episode;
use crate::setup::{Setup, WorldSettings};
use crate::training::{PROPHET, Trained, TrainedAgents};

/// Everything that the run depends on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub seed: u64,
    /// The training's run directory.
    pub run: String,
    pub episodes: u32,
    pub obs_noise: f64,
    /// How many times as fast as in training `env` drifts; it has been made so.
    pub drift_scale: f64,
    #[serde(default, skip_serializing_if = "TrainedAgents::is_empty")]
    pub checkpoints: TrainedAgents,
    pub env: Setup,
}

pub fn run(args: &EvalArgs, context: Context) -> Result<(), Failure> {
    check_factors("--obs-noise ", args.obs_noise, "--drift-scale ", args.drift_scale)?;
    let trained = Trained::open(&args.run)?;
    let env = scaled(&trained.plan.env, args.drift_scale)?;
    trained.policy(&env)?;
    let plan = Plan {
        seed: seed(&args.seed)?,
        run: args.run.display().to_string(),
        episodes: args.episodes,
        obs_noise: args.obs_noise,
        drift_scale: args.drift_scale,
        checkpoints: TrainedAgents::default(),
        env,
    };
    super::Plan::Eval(plan).start(args.out.out.as_deref(), context).map(drop)
}

fn check_factors(noise_key: &str, noise: f64, drift_key: &str, drift: f64) -> Result<(), Failure> {
    for (key, value) in [(noise_key, noise), (drift_key, drift)] {
        if !(0.0..=1000.0).contains(&value) {
            return Err(Failure::Usage(format!("{key}{}: allowed are numbers from 0 to 1000", short(value))));
        }
    }
    Ok(())
}

impl Plan {
    pub fn check(&self) -> Result<(), Failure> {
        within("episodes", self.episodes.into(), &EPISODES)?;
        check_factors("obs_noise = ", self.obs_noise, "drift_scale = ", self.drift_scale)?;
        self.policy(1).map(drop)
    }

    fn agent(&self) -> String {
        format!("{PROPHET}{}", self.run)
    }

    fn policy(&self, envs: usize) -> Result<Box<dyn Policy>, Failure> {
        let prophet = self.checkpoints.policy(&self.env, &self.agent(), envs)?;
        if self.obs_noise > 0.0 {
            return Ok(Box::new(Noisy::new(prophet, envs, self.obs_noise as f32)));
        }
        Ok(prophet)
    }

    pub fn execute(&self, dir: &Path, context: Context) -> Result<(), Failure> {
        let progress = Progress::new(self.episodes.into(), "episodes", context.quiet);
        let seeds: Vec<u64> = (0..u64::from(self.episodes)).map(|i| lane_seed(self.seed, i)).collect();
        let mut csv = CsvFile::create(&dir.join(episodes::FILE), &episodes::COLUMNS)?;
        let policy = |envs: usize| self.policy(envs);
        let played = episodes::play(&mut csv, &self.agent(), &self.env, &policy, &seeds, &progress)?;
        csv.finish()?;
        progress.finish();
        let found = self.found(&played);
        write_new(&dir.join(evaluations::FILE), format!("{found}\n").as_bytes())?;
        say(format_args!("{found}"))
    }

    fn found(&self, episodes: &[Episode]) -> Value {
        let returns: Vec<f64> = episodes.iter().map(|episode| episode.total_reward).collect();
        let steps: Vec<f64> = episodes.iter().map(|episode| f64::from(episode.steps)).collect();
        let terminated = episodes.iter().filter(|episode| episode.terminated).count();
        let interval = mean_interval(&returns);
        json!({
            "run": self.run,
            "checkpoint": self.checkpoints.checkpoint(&self.agent()),
            "env": self.env.name,
            "seed": self.seed,
            "episodes": self.episodes,
            "obs_noise": self.obs_noise,
            "drift_scale": self.drift_scale,
            "return_mean": mean(&returns),
            "return_mean_low": interval.map(|interval| interval.low),
            "return_mean_high": interval.map(|interval| interval.high),
            "return_std": standard_deviation(&returns),
            "steps_mean": mean(&steps),
            "terminated": terminated as f64 / returns.len() as f64,
        })
    }
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
