//! What a trained Prophet earns and how long it keeps the world alive, in fresh episodes.

use std::path::{Path, PathBuf};

use resonetics_analysis::evaluations;
use resonetics_analysis::stats::student::mean_interval;
use resonetics_analysis::stats::summary::{mean, standard_deviation};
use resonetics_envs::stream::lane_seed;
use serde_json::{Value, json};

use crate::episodes;
use crate::error::Error;
use crate::files::{CsvFile, write_new};
use crate::plan::{Eval, Plan};
use crate::progress::Progress;
use crate::rollout::Episode;
use crate::sensitivity::{Sensitivity, measure};

/// Plays the episodes of `plan` and writes `episodes.csv` and `eval.json` into a new run directory, `out` or the
/// next free one below `runs`; yields the directory and what is in eval.json.
///
/// # Errors
/// Those of [`Plan::begin`], and what stopped the work; the directory says so then.
pub fn evaluate(plan: &Eval, out: Option<&Path>, progress: &dyn Progress) -> Result<(PathBuf, Value), Error> {
    let mut plan = plan.clone();
    let agent = plan.agent();
    plan.checkpoints = plan.checkpoints.open(&[&agent])?;
    let run = Plan::Eval(plan.clone()).begin(out, None)?;
    let dir = run.path().to_path_buf();
    let played = play(&plan, &dir, progress);
    let (found, outcome) = match played {
        Ok(found) => (found, Ok(())),
        Err(error) => (Value::Null, Err(error)),
    };
    run.finish(outcome).map(|()| (dir, found))
}

/// Plays the episodes of `plan` and writes their files into `dir`; yields what is in eval.json.
///
/// # Errors
/// Those of the agent, an interrupt, and that a file cannot be written.
pub fn play(plan: &Eval, dir: &Path, progress: &dyn Progress) -> Result<Value, Error> {
    let seeds: Vec<u64> = (0..u64::from(plan.episodes)).map(|i| lane_seed(plan.seed, i)).collect();
    let mut csv = CsvFile::create(&dir.join(episodes::FILE), &episodes::COLUMNS)?;
    let policy = |envs: usize| plan.policy(envs);
    let played = episodes::play(&mut csv, &plan.agent(), &plan.env, &policy, &seeds, progress, None)?;
    csv.finish()?;
    let found = found(plan, &played, measure(plan, &seeds)?);
    write_new(&dir.join(evaluations::FILE), format!("{found}\n").as_bytes())?;
    Ok(found)
}

fn found(plan: &Eval, episodes: &[Episode], sensitivity: Sensitivity) -> Value {
    let returns: Vec<f64> = episodes.iter().map(|episode| episode.total_reward).collect();
    let steps: Vec<f64> = episodes.iter().map(|episode| f64::from(episode.steps)).collect();
    let terminated = episodes.iter().filter(|episode| episode.terminated).count();
    let interval = mean_interval(&returns);
    let agent = plan.agent();
    json!({
        "run": plan.run,
        "recipe": plan.checkpoints.recipe(&agent),
        "checkpoint": plan.checkpoints.checkpoint(&agent),
        "sample": plan.checkpoints.is_sampled(&agent),
        "env": plan.env.name,
        "seed": plan.seed,
        "episodes": plan.episodes,
        "obs_noise": plan.obs_noise,
        "drift_scale": plan.drift_scale,
        "return_mean": mean(&returns),
        "return_mean_low": interval.map(|interval| interval.low),
        "return_mean_high": interval.map(|interval| interval.high),
        "return_std": standard_deviation(&returns),
        "steps_mean": mean(&steps),
        "terminated": terminated as f64 / returns.len() as f64,
        "action_switches": sensitivity.switches,
        "jacobian_norm": sensitivity.jacobian.map(|jacobian| jacobian.0),
        "jacobian_singular": sensitivity.jacobian.map(|jacobian| jacobian.1),
    })
}
