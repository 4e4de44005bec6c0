//! `check`: does an environment keep its contract?

use resonetics_envs::checker::{Report, check};
use resonetics_envs::gardener::{GardenerConfig, GardenerEnv};
use resonetics_envs::k8s::{K8sConfig, K8sEnv};

use super::{Context, described, report};
use crate::cli::CheckArgs;
use crate::failure::Failure;
use crate::setup::{Setup, WorldSettings};

pub fn run(args: &CheckArgs, context: Context) -> Result<(), Failure> {
    let setup = Setup::new(&args.env, &args.world)?;
    let seed = args.seed.seed.unwrap_or(1);
    // As configured; and, to reach both kinds of end, with a short limit and with a fast drift.
    let variants = match &setup.settings {
        WorldSettings::K8s(settings) => {
            let short = K8sConfig { max_steps: 20, ..settings.env.clone() };
            let fast = K8sConfig { mem_drift_mu: 0.1, ..settings.env.clone() };
            [settings.env.clone(), short, fast]
                .map(|config| check(|| K8sEnv::new(config.clone()), seed, 9, 2_000))
        }
        WorldSettings::Gardener(settings) => {
            let short = GardenerConfig { max_generations: 20, ..settings.env.clone() };
            let mut fast = GardenerConfig { dirt_growth: 0.5, ..settings.env.clone() };
            fast.lost.generations = 5;
            [settings.env.clone(), short, fast]
                .map(|config| check(|| GardenerEnv::new(config.clone()), seed, 3, 1_000))
        }
    };
    let problems: Vec<String> = variants.iter().flat_map(|report| report.problems.clone()).collect();
    let [configured, ..] = &variants;
    let mut text = describe("as configured", configured);
    text += &describe("with a short limit", &variants[1]);
    text += &describe("with a fast drift", &variants[2]);
    for problem in &problems {
        text += &format!("problem: {problem}\n");
    }
    let reached = |end: fn(&Report) -> bool| variants.iter().any(end);
    let ends = reached(|report| report.terminated) && reached(|report| report.truncated);
    if !ends {
        text += "problem: not both kinds of end were reached\n";
    }
    let good = problems.is_empty() && ends;
    text += &format!("{}: {}\n", setup.name, if good { "keeps the contract" } else { "BREAKS the contract" });
    let config = described("check", [("seed", (seed as i64).into()), ("env", setup.table()?)]);
    report(&config, "check.txt", &text, args.out.out.as_deref(), context)?;
    if good {
        Ok(())
    } else {
        Err(Failure::Failed(format!("{} breaks the environment contract", setup.name)))
    }
}

fn describe(variant: &str, report: &Report) -> String {
    let seen = |reached: bool| if reached { "seen" } else { "not seen" };
    format!(
        "{variant}: {} steps, terminated {}, truncated {}, problems {}\n",
        report.steps,
        seen(report.terminated),
        seen(report.truncated),
        report.problems.len()
    )
}
