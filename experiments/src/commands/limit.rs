//! `limit`: how much drift each agent carries.

use std::path::{Path, PathBuf};

use clap::Args;
use resonetics_analysis::report::counted;
use resonetics_runs::Error;
use resonetics_runs::files::{sha256, text};
use resonetics_runs::limit::{Found, answer, work};
use resonetics_runs::plan::range::{EPISODES, LIFE};
use resonetics_runs::plan::{Limit, Plan};
use resonetics_runs::progress::Progress;
use resonetics_runs::run_dir::{RunDir, RunRecord, exclusive, read_record};

use super::benchmark::named;
use super::context::Context;
use super::kept::{finished, kept, told};
use super::typed::{ActingArgs, OutArgs, SeedArgs, WorldArgs, seed, whole};
use crate::out::say;
use crate::progress::Bar;

#[derive(Debug, Args)]
pub struct LimitArgs {
    /// Resume the run in this directory; only --threads may be given with it
    #[arg(long, value_name = "DIR", conflicts_with_all = ["env", "agents", "sample", "life", "dose", "episodes", "seed", "preset", "config", "sets", "out"])]
    pub resume: Option<PathBuf>,
    /// Environment: k8s, k8s-v4.6 or gardener
    #[arg(long, value_name = "NAME", default_value = "k8s")]
    pub env: String,
    /// Agents, separated by commas, or one for each --agents. prophet:DIR is a trained one; if DIR contains
    /// commas, the longest match that is a run is used
    #[arg(long, value_name = "NAMES", default_value = "heuristic,patrol")]
    pub agents: Vec<String>,
    #[command(flatten)]
    pub acting: ActingArgs,
    /// Steps (generations of a garden) that a system has to live
    #[arg(long, value_name = "N", default_value_t = 2000, allow_negative_numbers = true, value_parser = whole::<u32>(LIFE))]
    pub life: u32,
    /// Setting whose value is the dose, any number of the environment; it is doubled and halved from its present
    /// value until survivors fall [default: mem_drift_mu in the cluster, dirt_growth in the garden]
    #[arg(long, value_name = "KEY")]
    pub dose: Option<String>,
    /// Episodes for each agent at each dose, on the same seeds; a tenth of them chooses the doses
    #[arg(long, value_name = "N", default_value_t = 200, allow_negative_numbers = true, value_parser = whole::<u32>(EPISODES))]
    pub episodes: u32,
    #[command(flatten)]
    pub seed: SeedArgs,
    #[command(flatten)]
    pub world: WorldArgs,
    #[command(flatten)]
    pub out: OutArgs,
}

pub fn run(args: &LimitArgs, context: Context) -> Result<(), Error> {
    if let Some(dir) = &args.resume {
        return resume(dir, context);
    }
    let env = args.world.world(&args.env)?;
    let key = Limit::life_key(&env);
    let sets_life = |set: &&String| set.split('=').next().is_some_and(|typed| typed.trim() == key);
    if let Some(set) = args.world.sets.iter().find(sets_life) {
        return Err(Error::Refused(format!("--set {set}: how long a system has to live is --life N here")));
    }
    let agents = named(&args.agents);
    let plan = Limit::new(env, agents, args.life, args.dose.clone(), args.episodes, args.acting.sample)?;
    let plan = Limit { seed: seed(&args.seed)?, ..plan };
    let all = Plan::Limit(plan.clone());
    kept(&all, args.out.out.as_deref(), context, None, |dir| execute(&plan, dir, context)).map(drop)
}

/// Works in `dir`, from the lives on that are there.
pub fn execute(plan: &Limit, dir: &Path, context: Context) -> Result<(), Error> {
    let shows = |unit: &str, total: u64| Box::new(Bar::new(total, unit, context.quiet)) as Box<dyn Progress>;
    let (responses, found) = work(plan, dir, &shows)?;
    tell(plan, &found)?;
    say(format_args!("{}", answer(plan, &responses)?))
}

fn tell(plan: &Limit, found: &[Found]) -> Result<(), Error> {
    let (env, life, episodes) = (&plan.env.name, plan.life, plan.episodes);
    let doses = found.first().map_or(0, |first| first.curve.doses().len());
    let (episodes, doses) =
        (counted(episodes.into(), "episode", "episodes"), counted(doses as u64, "dose", "doses"));
    let steps = plan.steps();
    say(format_args!("{env}, {life} {steps} to live, {episodes} at each of {doses}"))?;
    for found in found {
        say(format_args!("{}{}", found.line(&plan.dose), plan.checkpoints.told(&found.agent)))?;
    }
    Ok(())
}

fn resume(dir: &Path, context: Context) -> Result<(), Error> {
    let Plan::Limit(_) = Plan::of_stopped(dir)? else {
        return Err(Error::Refused(format!("{} is not a run of limit: nothing to resume", dir.display())));
    };
    refuse_edited(dir)?;
    if finished(dir)? {
        return Ok(());
    }
    // Its trained agents as they were recorded.
    let Plan::Limit(plan) = Plan::of_stopped(dir)?.opened()? else { return Ok(()) };
    let lock = exclusive(dir)?;
    let record = RunRecord::new("limit", Some(plan.seed));
    let run = RunDir::resume(dir, record, &|line| say(format_args!("{line}")))?;
    drop(lock);
    let outcome = execute(&plan, dir, context);
    told(run.finish(outcome), dir, context)
}

/// The lives that are there were played with the settings of the beginning.
fn refuse_edited(dir: &Path) -> Result<(), Error> {
    let config = dir.join("config.toml");
    let sum = sha256(text(&config)?.as_bytes());
    let recorded = read_record(dir)?;
    match recorded.get("config_sha256").and_then(serde_json::Value::as_str) {
        Some(recorded) if recorded != sum => Err(Error::Refused(format!(
            "cannot resume: {} has been edited since the run began; put it back as it was, or start anew with another --out",
            config.display()
        ))),
        _ => Ok(()),
    }
}
