//! `gardener`: gardens over many generations, logged as `resonetics_data.csv` (RULES section 2.3).

mod told;

use std::cell::RefCell;
use std::path::Path;

use clap::Args;
use rayon::prelude::*;
use resonetics_analysis::chart::{self, Curve, Labels, Size};
use resonetics_analysis::stats::summary::mean;
use resonetics_envs::gardener::{
    GardenerConfig, GardenerEnv, Generation, REFERENCE_CELLS, REFERENCE_POPULATION,
};
use resonetics_envs::risk::Verdict;
use resonetics_lumen::log::{Full, Log};
use resonetics_lumen::source::world::Episodes;
use resonetics_lumen::source::{closed, run_name};
use resonetics_runs::commands::Told;
use resonetics_runs::error::{self, Error};
use resonetics_runs::files::{CsvFile, cell, write_new};
use resonetics_runs::garden_csv;
use resonetics_runs::interrupt;
use resonetics_runs::plan::range::{GENERATIONS, RUNS};
use resonetics_runs::plan::{Gardener, Plan};
use resonetics_runs::rollout::{Playable, Rollout, Watches};
use resonetics_runs::trained::TrainedAgents;

use self::told::Garden;
use super::context::Context;
use super::kept::kept;
use super::typed::{ActingArgs, LumenArgs, OutArgs, SeedArgs, WorldArgs, seed, whole};
use crate::out::{note, say};
use crate::progress::Bar;
use crate::telling::{asked, inbox};
use crate::watching::{shape, tell as tell_watching, thresholds};

/// The columns of `summary.csv`, a row a run.
const SUMMARY: [&str; 12] = [
    "run",
    "seed",
    "generations",
    "lost_at",
    "dirt_mean",
    "dirt_max",
    "dirt_end",
    "population_mean",
    "population_end",
    "creative_share",
    "bubble_share",
    "collapse_share",
];

/// What is left of a run for the summary.
#[derive(Clone, Debug, Default, PartialEq)]
struct Summary {
    seed: u64,
    generations: u32,
    /// The generation at which the garden was lost (`lost.dirt_share`, `lost.generations`).
    lost_at: Option<u32>,
    dirt_sum: f64,
    dirt_max: f64,
    dirt_end: f64,
    population_sum: usize,
    population_end: usize,
    verdicts: [u32; 3],
    /// (generation, mean dirt) for the figure, at most some 500 of them.
    curve: Vec<(f64, f64)>,
}

#[derive(Debug, Args)]
pub struct GardenerArgs {
    /// Generations in each run
    #[arg(long, value_name = "N", default_value_t = 2000, allow_negative_numbers = true, value_parser = whole::<u32>(GENERATIONS))]
    pub generations: u32,
    /// Agent: evolved, heuristic, patrol, random, idle, or prophet:DIR for a trained one, prophet:DIR@last or
    /// prophet:DIR@STEP for another checkpoint of it than the best
    #[arg(long, value_name = "NAME", default_value = "evolved")]
    pub agent: String,
    #[command(flatten)]
    pub acting: ActingArgs,
    /// Number of runs, each with its own seed
    #[arg(long, value_name = "K", default_value_t = 1, allow_negative_numbers = true, value_parser = whole::<u32>(RUNS))]
    pub runs: u32,
    /// Turn the control layer off
    #[arg(long)]
    pub no_control: bool,
    #[command(flatten)]
    pub seed: SeedArgs,
    #[command(flatten)]
    pub world: WorldArgs,
    #[command(flatten)]
    pub lumen: LumenArgs,
    #[command(flatten)]
    pub out: OutArgs,
}

pub fn run(args: &GardenerArgs, context: Context) -> Result<(), Error> {
    let (mut env, lumen) = args.world.watched("gardener")?;
    let checkpoints = TrainedAgents::default().open(&[&args.agent])?.sampled(args.acting.sample)?;
    checkpoints.policy(&env, &args.agent, 1)?;
    if args.no_control {
        env = env.with_control(false);
    }
    let plan = Gardener {
        seed: seed(&args.seed)?,
        generations: args.generations,
        agent: args.agent.clone(),
        runs: args.runs,
        checkpoints,
        lumen: args.lumen.over(lumen),
        env,
    };
    let all = Plan::Gardener(plan.clone());
    kept(&all, args.out.out.as_deref(), context, None, |dir| execute(&plan, dir, context)).map(drop)
}

pub fn execute(plan: &Gardener, dir: &Path, context: Context) -> Result<(), Error> {
    let config = plan.config()?;
    if let Some(remark) = beyond_their_size(config) {
        note(format_args!("{remark}"));
    }
    let total = u64::from(plan.generations) * u64::from(plan.runs);
    let progress = Bar::new(total, "generations", context.quiet);
    let runs: Result<Vec<Summary>, Error> = (1..=plan.runs)
        .into_par_iter()
        .map(|run| {
            let folder = if plan.runs == 1 { dir.to_path_buf() } else { dir.join(format!("run-{run:04}")) };
            if plan.runs > 1 {
                std::fs::create_dir(&folder).map_err(error::io("create", &folder))?;
            }
            simulate(plan, config, run, &folder, &progress)
        })
        .collect();
    let runs = runs?;
    progress.finish();
    let checkpoints = &plan.checkpoints;
    let mut csv = CsvFile::create(&dir.join("summary.csv"), &[&SUMMARY[..], checkpoints.columns()].concat())?;
    for (run, summary) in (1..).zip(&runs) {
        csv.row(summary.row(run).into_iter().chain(checkpoints.cells(&plan.agent)))?;
    }
    csv.finish()?;
    let curves = runs.iter().map(|run| Curve {
        name: format!("{} gardeners", plan.agent),
        points: run.curve.clone(),
        band: Vec::new(),
    });
    let labels = Labels { title: "Dirt in the garden", x: "generation", y: "mean dirt of a cell" };
    let x = 0.0..f64::from(plan.generations);
    let svg = chart::lines(&labels, x, 0.0..1.0, &curves.collect::<Vec<_>>(), Size::Wide);
    write_new(&dir.join("dirt.svg"), svg?.as_bytes())?;
    tell(plan, &runs)
}

fn simulate(
    plan: &Gardener,
    config: &GardenerConfig,
    run: u32,
    folder: &Path,
    progress: &Bar,
) -> Result<Summary, Error> {
    // The log goes on beyond the loss of the garden: an episode here has no end of its own.
    let env = GardenerEnv::new(config.unending());
    let cells = config.cells() as f64;
    let rollout = Rollout::new(vec![env], plan.checkpoints.policy(&plan.env, &plan.agent, 1)?)?;
    let mut garden = Garden::new(rollout, folder, &plan.env)?;
    let mut summary = Summary { seed: plan.seed_of(run), ..Summary::default() };
    garden.rollout.reset(&[summary.seed]);
    // Of several gardens none has a folder that is a run.
    let inbox = if plan.runs == 1 { inbox(folder) } else { None };
    let mut csv = CsvFile::create(&folder.join("resonetics_data.csv"), &garden_csv::COLUMNS)?;
    let log = plan.lumen.enabled.then(|| Log::create(folder, Full::Wait)).transpose()?;
    let lanes = RefCell::new(log.as_ref().map(|log| watched(plan, log, run, folder).lanes(0, 1, 1)));
    let mut acts = Vec::new();
    for _ in 0..plan.generations {
        let (control, survival) = garden.control();
        let asks = |paused: bool| {
            let gate = lanes.borrow_mut().as_mut().map(|lanes| lanes.asks(control, survival));
            gate.into_iter().flatten().chain(asked(inbox.as_ref(), paused)).collect()
        };
        let heard = interrupt::check().and_then(|()| garden.hear(&asks));
        if let Err(interrupted) = heard {
            csv.finish()?;
            return Err(interrupted);
        }
        garden.rollout.step()?;
        garden.generation += 1;
        let lost_after = garden.lost_after();
        let env = garden.rollout.envs.env(0);
        let generation = resonetics_envs::env::ParallelEnv::info(&*env);
        csv.row(garden_csv::row(&generation))?;
        if let Some(lanes) = &mut *lanes.borrow_mut() {
            garden.heard.drain(..).for_each(|entry| lanes.told(&entry));
            acts.clear();
            if let Some(telemetry) = env.telemetry(&[], &mut acts) {
                lanes.step(0, &telemetry, &acts);
            }
        }
        let dirt = generation.total_entropy / cells;
        if env.saturated() == lost_after {
            if let (None, Some(lanes)) = (summary.lost_at, &mut *lanes.borrow_mut()) {
                lanes.ended(0, true);
            }
            summary.lost_at.get_or_insert(generation.generation);
        }
        summary.add(&generation, dirt);
        if generation.generation % plan.generations.div_ceil(500) == 0 {
            summary.curve.push((generation.generation.into(), dirt));
        }
        progress.inc(1);
    }
    csv.finish()?;
    drop(lanes);
    if let Some(log) = log {
        closed(log, &tell_watching);
    }
    Ok(summary)
}

/// How a garden is watched.
fn watched<'a>(plan: &Gardener, log: &'a Log, run: u32, folder: &Path) -> Episodes<'a> {
    // Each garden is a run of its own for who reads events.
    let name = match (plan.runs, folder.parent()) {
        (2.., Some(parent)) => format!("{}.run-{run:04}", run_name(parent)),
        _ => run_name(folder),
    };
    Episodes {
        log,
        entity: format!("{name}/garden"),
        loop_id: "gardener.gardener".to_owned(),
        shape: shape(&plan.env),
        thresholds: thresholds(plan.lumen),
        gate: plan.lumen.gate,
        tell: tell_watching,
    }
}

fn tell(plan: &Gardener, runs: &[Summary]) -> Result<(), Error> {
    let of =
        |value: fn(&Summary) -> f64| mean(&runs.iter().map(value).collect::<Vec<_>>()).unwrap_or(f64::NAN);
    let n = f64::from(plan.generations);
    let share = |verdict: usize| {
        let count: u32 = runs.iter().map(|run| run.verdicts[verdict]).sum();
        100.0 * f64::from(count) / (n * runs.len() as f64)
    };
    let lost: Vec<f64> = runs.iter().filter_map(|run| run.lost_at.map(f64::from)).collect();
    let lost_text = match mean(&lost) {
        None => format!("lost 0/{}", runs.len()),
        Some(at) => format!("lost {}/{} at generation μ={at:.0}", lost.len(), runs.len()),
    };
    say(format_args!(
        "{} | generations {} | dirt μ={:.1}% max={:.1}% end={:.1}% | population μ={:.1} | {lost_text} | creative {:.1}% bubble {:.1}% collapse {:.1}%{}",
        plan.agent,
        plan.generations,
        100.0 * of(|run| run.dirt_sum / f64::from(run.generations)),
        100.0 * runs.iter().map(|run| run.dirt_max).fold(0.0, f64::max),
        100.0 * of(|run| run.dirt_end),
        of(|run| run.population_sum as f64 / f64::from(run.generations)),
        share(0),
        share(1),
        share(2),
        plan.checkpoints.told(&plan.agent),
    ))
}

/// That the rules' scales of the risk are used in a larger garden than theirs, where that is so.
fn beyond_their_size(config: &GardenerConfig) -> Option<String> {
    let rules = GardenerConfig::default().risk;
    let (size, most) = (config.grid_size, config.max_population);
    let dirt = config.cells() > REFERENCE_CELLS && config.risk.entropy_grad_scale == rules.entropy_grad_scale;
    let people = most > REFERENCE_POPULATION && config.risk.pop_vol_scale == rules.pop_vol_scale;
    (!config.risk.per_cell && (dirt || people)).then(|| {
        format!(
            "risk and verdict have scales of a garden of 60 x 60 cells and up to {REFERENCE_POPULATION} gardeners: in one \
             of {size} x {size} and up to {most} the changes are larger by its size alone; --set risk.per_cell=true fits the scales to it"
        )
    })
}

impl Summary {
    fn add(&mut self, generation: &Generation, dirt: f64) {
        self.generations += 1;
        self.dirt_sum += dirt;
        self.dirt_max = self.dirt_max.max(dirt);
        self.dirt_end = dirt;
        self.population_sum += generation.population;
        self.population_end = generation.population;
        let verdict = match generation.verdict {
            Verdict::Creative => 0,
            Verdict::Bubble => 1,
            Verdict::Collapse => 2,
        };
        self.verdicts[verdict] += 1;
    }

    fn row(&self, run: u32) -> [String; 12] {
        let n = f64::from(self.generations);
        let [creative, bubble, collapse] = self.verdicts.map(|count| cell(Some(f64::from(count) / n)));
        [
            run.to_string(),
            self.seed.to_string(),
            self.generations.to_string(),
            self.lost_at.map_or_else(String::new, |at| at.to_string()),
            cell(Some(self.dirt_sum / n)),
            cell(Some(self.dirt_max)),
            cell(Some(self.dirt_end)),
            cell(Some(self.population_sum as f64 / n)),
            self.population_end.to_string(),
            creative,
            bubble,
            collapse,
        ]
    }
}
