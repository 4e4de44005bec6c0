//! `check`: does an environment keep its contract?

use clap::Args;
use resonetics_envs::checker::{self, check_while};
use resonetics_envs::gardener::{GardenerConfig, GardenerEnv};
use resonetics_envs::k8s::{K8sConfig, K8sEnv};
use resonetics_runs::Error;
use resonetics_runs::interrupt;
use resonetics_runs::setup::{Setup, WorldSettings};

use super::context::Context;
use super::reported::{Report, described, reported};
use super::typed::{FixedSeedArgs, OutArgs, WorldArgs};
use crate::progress::Bar;

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Environment: k8s, k8s-v4.6 or gardener
    pub env: String,
    #[command(flatten)]
    pub seed: FixedSeedArgs,
    #[command(flatten)]
    pub world: WorldArgs,
    #[command(flatten)]
    pub out: OutArgs,
}

pub fn run(args: &CheckArgs, context: Context) -> Result<(), Error> {
    let setup = args.world.world(&args.env)?;
    let seed = args.seed.seed;
    let config = described("check", [("seed", (seed as i64).into()), ("env", setup.table()?)]);
    reported(&config, args.out.out.as_deref(), || checked(&setup, seed, context))
}

/// As configured; and, to reach both kinds of end, with a short limit and with a fast drift.
fn checked(setup: &Setup, seed: u64, context: Context) -> Result<Report, Error> {
    let mut found = Vec::new();
    let progress = Bar::new(0, "episodes", context.quiet);
    let mut proceed = || {
        progress.inc(1);
        interrupt::check().is_ok()
    };
    match &setup.settings {
        WorldSettings::K8s(settings) => {
            let short = K8sConfig { max_steps: settings.env.max_steps.min(20), ..settings.env.clone() };
            let fast = K8sConfig { mem_drift_mu: 0.1, ..settings.env.clone() };
            for config in [settings.env.clone(), short, fast] {
                found.push(check_while(|| K8sEnv::new(config.clone()), seed, 9, 2_000, &mut proceed));
            }
        }
        WorldSettings::Gardener(settings) => {
            let limit = settings.env.max_generations.min(20);
            let short = GardenerConfig { max_generations: limit, ..settings.env.clone() };
            let mut fast = GardenerConfig { dirt_growth: 0.5, ..settings.env.clone() };
            fast.lost.generations = 5;
            for config in [settings.env.clone(), short, fast] {
                found.push(check_while(|| GardenerEnv::new(config.clone()), seed, 3, 1_000, &mut proceed));
            }
        }
    }
    progress.finish();
    interrupt::check()?;
    let variants = ["as configured", "with a short limit", "with a fast drift"];
    let mut text: String =
        variants.iter().zip(&found).map(|(variant, found)| describe(variant, found)).collect();
    let problems = found.iter().flat_map(|found| &found.problems);
    text.extend(problems.map(|problem| format!("problem: {problem}\n")));
    let reached = |end: fn(&checker::Report) -> bool| found.iter().any(end);
    let ends =
        [("terminated", reached(|found| found.terminated)), ("truncated", reached(|found| found.truncated))];
    let missing: Vec<&str> = ends.iter().filter(|(_, reached)| !reached).map(|(end, _)| *end).collect();
    let seed_used = found.iter().any(|found| found.seed_used) || without_chance(setup);
    if !seed_used {
        text += "problem: ten seeds in a row led to the same beginning\n";
    }
    let good = seed_used && found.iter().all(|found| found.problems.is_empty());
    // What these settings do not lead to says nothing against the environment.
    let unseen = if missing.is_empty() {
        String::new()
    } else {
        let which = missing.join(" or ");
        format!(
            " as far as it was seen: under these settings no episode was {which}, so that end was not reached"
        )
    };
    let verdict = if good { format!("keeps the contract{unseen}") } else { "BREAKS the contract".to_owned() };
    text += &format!("{}: {verdict}\n", setup.name);
    let broken = || Error::Failed(format!("{} breaks the environment contract", setup.name));
    Ok(Report { text, file: "check.txt", outcome: if good { Ok(()) } else { Err(broken()) } })
}

/// Whether these settings leave no chance to the beginning of an episode.
fn without_chance(setup: &Setup) -> bool {
    match &setup.settings {
        WorldSettings::K8s(_) => false,
        WorldSettings::Gardener(settings) => settings.env.init_agents == 0,
    }
}

fn describe(variant: &str, report: &checker::Report) -> String {
    let seen = |reached: bool| if reached { "seen" } else { "not seen" };
    format!(
        "{variant}: {} steps, terminated {}, truncated {}, problems {}\n",
        report.steps,
        seen(report.terminated),
        seen(report.truncated),
        report.problems.len()
    )
}
