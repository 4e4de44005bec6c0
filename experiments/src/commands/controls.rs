//! `controls`: does the system live longer with the control layer under the same drift?

use std::path::{Path, PathBuf};

use clap::Args;
use resonetics_analysis::chart::{self, Labels, Size};
use resonetics_analysis::lives::survival_curves;
use resonetics_analysis::stats::Interval;
use resonetics_analysis::stats::log_rank::{LogRank, log_rank_test};
use resonetics_analysis::stats::restricted_mean::{paired_restricted_mean_interval, restricted_mean};
use resonetics_analysis::stats::survival::{Lifetime, kaplan_meier, median_survival};
use resonetics_envs::stream::lane_seed;
use resonetics_lumen::log::{Full, Log};
use resonetics_lumen::source::world::Episodes;
use resonetics_lumen::source::{closed, run_name};
use resonetics_runs::Error;
use resonetics_runs::files::{CsvFile, cell, write_new};
use resonetics_runs::overlay::Overlay;
use resonetics_runs::plan::range::PAIRS;
use resonetics_runs::plan::{Controls, Plan, WorldPlan};
use resonetics_runs::rollout::{Episode, Watches, play_watched, play_with};
use resonetics_runs::setup::Setup;
use resonetics_runs::trained::{TrainedAgents, policy};

use super::context::Context;
use super::kept::kept;
use super::typed::{LumenArgs, OutArgs, SeedArgs, seed, whole};
use crate::out::{note, say};
use crate::progress::Bar;
use crate::watching::{shape, tell as tell_watching, thresholds};

const LIFETIMES: [&str; 7] = ["world", "agent", "control", "episode", "seed", "lifetime", "lost"];

const SURVIVAL: [&str; 9] =
    ["world", "control", "time", "at_risk", "lost", "censored", "survival", "survival_low", "survival_high"];

const SUMMARY: [&str; 18] = [
    "world",
    "agent",
    "episodes",
    "horizon",
    "lost_without",
    "lost_with",
    "median_without",
    "median_with",
    "restricted_mean_without",
    "restricted_mean_with",
    "difference",
    "difference_low",
    "difference_high",
    "log_rank_chi_square",
    "log_rank_p",
    "load_without",
    "load_with",
    "answer",
];

/// The longest life, unless settings say otherwise: in the storm few lives reach the rules' 500
/// steps, and the difference shows beyond them.
const LIMIT: u32 = 2000;

/// The lives in one world without and with control.
struct Lives {
    without: Vec<Episode>,
    with: Vec<Episode>,
}

/// What the lives say.
struct Finding {
    horizon: f64,
    means: Option<(f64, f64)>,
    interval: Option<Interval>,
    log_rank: Option<LogRank>,
    answer: &'static str,
}

#[derive(Debug, Args)]
pub struct ControlsArgs {
    /// Environment: gardener, k8s or k8s-v4.6 [default: gardener and k8s]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Pairs of episodes in each environment, of at most 2000 steps or generations unless max_steps or
    /// max_generations is set
    #[arg(long, value_name = "N", default_value_t = 200, allow_negative_numbers = true, value_parser = whole::<u32>(PAIRS))]
    pub episodes: u32,
    /// Agent [default: evolved in the garden, random in the cluster]
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// Preset of the drift: calm, reference or storm [default: reference for the garden, storm for the cluster]
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// TOML file with settings of the environment (requires --env): in the form that `list --env NAME`
    /// prints, or the config.toml of a run
    #[arg(long, value_name = "FILE", requires = "env")]
    pub config: Option<PathBuf>,
    /// Set a value of the environment (requires --env); can be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "env")]
    pub sets: Vec<String>,
    #[command(flatten)]
    pub seed: SeedArgs,
    #[command(flatten)]
    pub lumen: LumenArgs,
    #[command(flatten)]
    pub out: OutArgs,
}

pub fn run(args: &ControlsArgs, context: Context) -> Result<(), Error> {
    let names = args.env.as_deref().map_or(vec!["gardener", "k8s"], |name| vec![name]);
    let (file, sets) = (args.config.clone(), args.sets.clone());
    let (lumen, overlay) = Overlay { file, sets, ..Overlay::default() }.watched()?;
    let lumen = args.lumen.over(lumen);
    let worlds = names.into_iter().map(|name| world(name, args, &overlay));
    let worlds = worlds.collect::<Result<Vec<WorldPlan>, Error>>()?;
    let agents: Vec<&str> = worlds.iter().map(|world| world.agent.as_str()).collect();
    let checkpoints = TrainedAgents::default().open(&agents)?;
    let plan = Controls { seed: seed(&args.seed)?, episodes: args.episodes, checkpoints, lumen, worlds };
    let all = Plan::Controls(plan.clone());
    kept(&all, args.out.out.as_deref(), context, None, |dir| execute(&plan, dir, context)).map(drop)
}

fn world(name: &str, args: &ControlsArgs, overlay: &Overlay) -> Result<WorldPlan, Error> {
    let garden = name == "gardener";
    let preset = args.preset.as_deref().unwrap_or(if garden { "reference" } else { "storm" });
    let base = Setup::preset(name, preset)?.with_limit(LIMIT);
    let env = overlay.over(base, &|text| note(format_args!("{text}")))?;
    let agent = args.agent.as_deref().unwrap_or(if garden { "evolved" } else { "random" });
    policy(&env, agent, 1)?;
    Ok(WorldPlan { agent: agent.to_owned(), env })
}

pub fn execute(plan: &Controls, dir: &Path, context: Context) -> Result<(), Error> {
    let seeds: Vec<u64> = (0..u64::from(plan.episodes)).map(|i| lane_seed(plan.seed, i)).collect();
    let total = 2 * u64::from(plan.episodes) * plan.worlds.len() as u64;
    let progress = Bar::new(total, "lives", context.quiet);
    let log = plan.lumen.enabled.then(|| Log::create(dir, Full::Wait)).transpose()?;
    let run = run_name(dir);
    let mut lifetimes_csv = CsvFile::create(&dir.join("lifetimes.csv"), &LIFETIMES)?;
    let mut all = Vec::new();
    for world in &plan.worlds {
        progress.message(&world.env.name);
        let mut side = |enabled: bool, control: &str| {
            let env = world.env.with_control(enabled);
            let policy = |envs: usize| plan.checkpoints.policy(&env, &world.agent, envs);
            let episodes = match &log {
                None => play_with(&env, &policy, &seeds, &progress)?,
                Some(log) => {
                    let watched = Episodes {
                        log,
                        entity: format!("{run}/{}-{control}", world.env.name),
                        loop_id: format!("controls.{}", world.env.name),
                        shape: shape(&env),
                        thresholds: thresholds(plan.lumen),
                        gate: plan.lumen.gate,
                        tell: |_| {},
                    };
                    let watching = |first: usize, lanes: usize| {
                        Box::new(watched.lanes(first, lanes, seeds.len())) as Box<dyn Watches>
                    };
                    play_watched(&env, &policy, &seeds, &progress, Some(&watching))?
                }
            };
            write_lifetimes(&mut lifetimes_csv, world, control, &episodes)?;
            Ok::<_, Error>(episodes)
        };
        all.push(Lives { without: side(false, "off")?, with: side(true, "on")? });
    }
    lifetimes_csv.finish()?;
    progress.finish();
    if let Some(log) = log {
        closed(log, &tell_watching);
    }
    write_survival(plan, dir, &all)?;
    for (plan, lives) in plan.worlds.iter().zip(&all) {
        draw_survival(dir, plan, lives)?;
    }
    let checkpoints = &plan.checkpoints;
    let mut csv = CsvFile::create(&dir.join("summary.csv"), &[&SUMMARY[..], checkpoints.columns()].concat())?;
    for (plan, lives) in plan.worlds.iter().zip(&all) {
        let finding = lives.finding(plan.env.limit().into());
        let row = summary_row(plan, lives, &finding);
        csv.row(row.into_iter().chain(checkpoints.cells(&plan.agent)))?;
        tell(plan, lives, &finding)?;
    }
    csv.finish()
}

fn write_survival(plan: &Controls, dir: &Path, all: &[Lives]) -> Result<(), Error> {
    let mut csv = CsvFile::create(&dir.join("survival.csv"), &SURVIVAL)?;
    for (plan, lives) in plan.worlds.iter().zip(all) {
        for (control, episodes) in lives.sides() {
            for row in kaplan_meier(&lifetimes(episodes)).unwrap_or_default() {
                csv.row([
                    plan.env.name.clone(),
                    control.to_owned(),
                    row.time.to_string(),
                    row.at_risk.to_string(),
                    row.lost.to_string(),
                    row.censored.to_string(),
                    cell(Some(row.survival)),
                    cell(row.interval.map(|interval| interval.low)),
                    cell(row.interval.map(|interval| interval.high)),
                ])?;
            }
        }
    }
    csv.finish()
}

impl Lives {
    fn sides(&self) -> [(&'static str, &[Episode]); 2] {
        [("off", &self.without), ("on", &self.with)]
    }

    fn finding(&self, horizon: f64) -> Finding {
        let (without, with) = (lifetimes(&self.without), lifetimes(&self.with));
        let mean = |lives: &[Lifetime]| restricted_mean(lives, horizon).map(|mean| mean.mean);
        // Every life ends by loss or at the limit, so both curves are known up to it.
        let interval = paired_restricted_mean_interval(&with, &without, horizon);
        let nobody = self.sides().iter().all(|(_, lives)| lost(lives) == 0);
        let answer = match interval {
            _ if nobody => "nobody was lost",
            Some(interval) if interval.low > 0.0 => "yes: it lives longer",
            Some(interval) if interval.high < 0.0 => "no: it lives shorter",
            Some(_) => "no difference shown",
            None => "cannot be said",
        };
        Finding {
            horizon,
            means: mean(&without).zip(mean(&with)),
            interval,
            // The test takes the groups as independent. Pairs share their seed, which makes it
            // conservative; the answer rests on the pairs.
            log_rank: log_rank_test(&with, &without).filter(LogRank::is_told),
            answer,
        }
    }
}

fn write_lifetimes(
    csv: &mut CsvFile,
    plan: &WorldPlan,
    control: &str,
    episodes: &[Episode],
) -> Result<(), Error> {
    for (number, episode) in episodes.iter().enumerate() {
        csv.row([
            plan.env.name.clone(),
            plan.agent.clone(),
            control.to_owned(),
            (number + 1).to_string(),
            episode.seed.to_string(),
            episode.steps.to_string(),
            episode.terminated.to_string(),
        ])?;
    }
    Ok(())
}

/// Kaplan-Meier curves with their 95% bands, as `survival-WORLD.svg`.
fn draw_survival(dir: &Path, plan: &WorldPlan, lives: &Lives) -> Result<(), Error> {
    let (curves, end) = survival_curves(&lifetimes(&lives.without), &lifetimes(&lives.with));
    let labels = Labels {
        title: &format!("{} ({}), {} agent: share still alive", plan.env.name, plan.env.preset, plan.agent),
        x: unit(plan),
        y: "share",
    };
    let path = dir.join(format!("survival-{}.svg", plan.env.name));
    write_new(&path, chart::lines(&labels, 0.0..end, 0.0..1.0, &curves, Size::Wide)?.as_bytes())
}

fn unit(plan: &WorldPlan) -> &'static str {
    if plan.env.name == "gardener" { "generations" } else { "steps" }
}

fn lifetimes(episodes: &[Episode]) -> Vec<Lifetime> {
    episodes
        .iter()
        .map(|episode| Lifetime { time: f64::from(episode.steps), lost: episode.terminated })
        .collect()
}

fn lost(episodes: &[Episode]) -> usize {
    episodes.iter().filter(|episode| episode.terminated).count()
}

fn load(episodes: &[Episode]) -> Option<f64> {
    resonetics_analysis::stats::summary::mean(
        &episodes.iter().map(|episode| episode.avg_load).collect::<Vec<_>>(),
    )
}

fn median(episodes: &[Episode]) -> Option<f64> {
    kaplan_meier(&lifetimes(episodes)).and_then(|rows| median_survival(&rows))
}

fn summary_row(plan: &WorldPlan, lives: &Lives, finding: &Finding) -> [String; 18] {
    [
        plan.env.name.clone(),
        plan.agent.clone(),
        lives.with.len().to_string(),
        cell(Some(finding.horizon)),
        lost(&lives.without).to_string(),
        lost(&lives.with).to_string(),
        cell(median(&lives.without)),
        cell(median(&lives.with)),
        cell(finding.means.map(|means| means.0)),
        cell(finding.means.map(|means| means.1)),
        cell(finding.means.map(|means| means.1 - means.0)),
        cell(finding.interval.map(|interval| interval.low)),
        cell(finding.interval.map(|interval| interval.high)),
        cell(finding.log_rank.map(|test| test.chi_square)),
        finding.log_rank.map_or_else(String::new, |test| format!("{:.6e}", test.p_value)),
        cell(load(&lives.without)),
        cell(load(&lives.with)),
        finding.answer.to_owned(),
    ]
}

fn tell(plan: &WorldPlan, lives: &Lives, finding: &Finding) -> Result<(), Error> {
    let unit = unit(plan);
    let number =
        |value: Option<f64>| value.map_or_else(|| "not reached".to_owned(), |value| format!("{value:.0}"));
    say(format_args!(
        "{} ({}, {} agent), {} pairs:",
        plan.env.name,
        plan.env.preset,
        plan.agent,
        lives.with.len()
    ))?;
    for ((control, episodes), mean) in lives
        .sides()
        .into_iter()
        .zip([finding.means.map(|means| means.0), finding.means.map(|means| means.1)])
    {
        say(format_args!(
            "  control {control}: lost {}/{} | median life {} | mean life up to {:.0} {unit}: {} | mean load {:.3}",
            lost(episodes),
            episodes.len(),
            number(median(episodes)),
            finding.horizon,
            number(mean),
            load(episodes).unwrap_or(f64::NAN),
        ))?;
    }
    if finding.answer == "nobody was lost" {
        return say(format_args!(
            "  did control help? it cannot be seen here: nobody was lost, with control or without, up to the limit of {:.0} {unit}",
            finding.horizon
        ));
    }
    let p = finding.log_rank.map(|test| format!("log-rank p={:.2e}", test.p_value));
    let answer = finding.answer;
    match (finding.means, finding.interval) {
        (Some((without, with)), Some(Interval { low, high })) => say(format_args!(
            "  did control help? {answer}: {:+.1} {unit} (95% {low:+.1} to {high:+.1}{})",
            with - without,
            p.map_or_else(String::new, |p| format!("; {p}"))
        )),
        _ => say(format_args!(
            "  did control help? {answer}{}",
            p.map_or_else(String::new, |p| format!(" ({p})"))
        )),
    }
}
