//! `benchmark`: agents over paired seeds, with intervals.

use std::path::Path;

use clap::Args;
use resonetics_analysis::agents::trained_sides;
use resonetics_analysis::read::episodes::Played as Rows;
use resonetics_analysis::stats::compare::paired_counts;
use resonetics_analysis::stats::summary::{interquartile_mean, mean, standard_deviation};
use resonetics_analysis::stats::{FEW, Interval};
use resonetics_lumen::log::{Full, Log};
use resonetics_lumen::source::world::Episodes;
use resonetics_lumen::source::{closed, run_name};
use resonetics_runs::Error;
use resonetics_runs::benchmark::{self, Cards, Played, WatchingAgent, rate, returns};
use resonetics_runs::inputs::trained::agent_identity;
use resonetics_runs::lifespan::{self, titled};
use resonetics_runs::plan::range::EPISODES;
use resonetics_runs::plan::{Benchmark, Plan, check_agents};
use resonetics_runs::rollout::{Episode, Watches};
use resonetics_runs::setup::{Setup, WorldSettings};
use resonetics_runs::trained::{PROPHET, TrainedAgents, named as training};

use super::context::Context;
use super::kept::kept;
use super::typed::{ActingArgs, LumenArgs, OutArgs, SeedArgs, WorldArgs, seed, whole};
use crate::out::say;
use crate::progress::Bar;
use crate::watching::{named as named_for_events, shape, tell as tell_watching, thresholds};

/// What was once published for the cluster: agent, return, steps. The rules do not yield it.
const PUBLISHED: [(&str, f64, f64); 2] = [("random", -12.456, 312.4), ("heuristic", 18.912, 456.8)];

#[derive(Debug, Args)]
pub struct BenchmarkArgs {
    /// Environment: k8s, k8s-v4.6 or gardener
    #[arg(long, value_name = "NAME", default_value = "k8s")]
    pub env: String,
    /// Agents, separated by commas, or one for each --agents. The first is the baseline that the others are
    /// compared with. prophet:DIR is a trained one, prophet:DIR@last and prophet:DIR@STEP are other checkpoints
    /// of it than the best; if DIR contains commas, the longest match that is a run is used
    #[arg(long, value_name = "NAMES", default_value = "random,heuristic")]
    pub agents: Vec<String>,
    #[command(flatten)]
    pub acting: ActingArgs,
    /// Episodes for each agent, on the same seeds
    #[arg(long, value_name = "N", default_value_t = 50, allow_negative_numbers = true, value_parser = whole::<u32>(EPISODES))]
    pub episodes: u32,
    #[command(flatten)]
    pub seed: SeedArgs,
    #[command(flatten)]
    pub world: WorldArgs,
    #[command(flatten)]
    pub lumen: LumenArgs,
    #[command(flatten)]
    pub out: OutArgs,
}

pub fn run(args: &BenchmarkArgs, context: Context) -> Result<(), Error> {
    let (env, lumen) = args.world.watched(&args.env)?;
    let agents = named(&args.agents);
    let names: Vec<&str> = agents.iter().map(String::as_str).collect();
    let checkpoints = TrainedAgents::default().open(&names)?.sampled(args.acting.sample)?;
    check_agents(&agents, &checkpoints, &env)?;
    let (seed, functions, lumen) = (seed(&args.seed)?, Vec::new(), args.lumen.over(lumen));
    let plan = Benchmark { seed, episodes: args.episodes, agents, checkpoints, functions, lumen, env };
    let all = Plan::Benchmark(plan.clone());
    kept(&all, args.out.out.as_deref(), context, None, |dir| execute(&plan, dir, context)).map(drop)
}

/// The agents of what was typed, with each `--agents` one or several between commas. A trained one's folder
/// may have commas in its name: the longest one that is a run's is meant. Where `--agents` is repeated and
/// there is none, all of it is the name of one.
pub(super) fn named(typed: &[String]) -> Vec<String> {
    let is_folder = |name: &str| {
        let dir = name.strip_prefix(PROPHET).map(|typed| training(typed).map_or(typed, |(dir, _)| dir));
        dir.is_some_and(|dir| Path::new(dir).join("config.toml").is_file())
    };
    let is_run = |name: &str| is_folder(name.trim_start()) || is_folder(name.trim());
    let mut agents = Vec::new();
    for list in typed {
        let parts: Vec<&str> = list.split(',').collect();
        let mut at = 0;
        while at < parts.len() {
            let longest = (at + 1..=parts.len()).rev().find(|&end| is_run(&parts[at..end].join(",")));
            let alone = typed.len() > 1 && list.trim_start().starts_with(PROPHET);
            let end = longest.unwrap_or(if alone && at == 0 { parts.len() } else { at + 1 });
            let name = parts[at..end].join(",");
            // A folder may end in a blank.
            let name = if is_folder(name.trim_start()) { name.trim_start() } else { name.trim() };
            agents.push(name.to_owned());
            at = end;
        }
    }
    agents
}

pub fn execute(plan: &Benchmark, dir: &Path, context: Context) -> Result<(), Error> {
    let Benchmark { seed, episodes, agents, checkpoints, env, .. } = plan;
    let total = u64::from(*episodes) * agents.len() as u64;
    let progress = Bar::new(total, "episodes", context.quiet);
    let cast = |agent: &str, envs: usize| plan.policy(agent, envs);
    let log = plan.lumen.enabled.then(|| Log::create(dir, Full::Wait)).transpose()?;
    let run = run_name(dir);
    let watching = log.as_ref().map(|log| {
        let run = &run;
        move |agent: &str, first: usize, lanes: usize| {
            let watched = Episodes {
                log,
                entity: format!("{run}/{}", named_for_events(agent)),
                loop_id: format!("benchmark.{}", env.name),
                shape: shape(env),
                thresholds: thresholds(plan.lumen),
                gate: plan.lumen.gate,
                tell: |_| {},
            };
            Box::new(watched.lanes(first, lanes, *episodes as usize)) as Box<dyn Watches>
        }
    });
    let watching = watching.as_ref().map(|watching| watching as &WatchingAgent<'_>);
    let cards = Cards { env, agents, episodes: *episodes, seed: *seed, checkpoints, cast: &cast, watching };
    let played = benchmark::work(&cards, dir, &progress);
    if let Some(log) = log {
        closed(log, &tell_watching);
    }
    let Played { episodes: all, intervals } = played?;
    progress.finish();
    tell(plan, &all, &intervals)
}

fn tell(plan: &Benchmark, all: &[Vec<Episode>], intervals: &[Option<Interval>]) -> Result<(), Error> {
    for (agent, episodes) in plan.agents.iter().zip(all) {
        say(format_args!("{agent} | {}{}", line(plan, episodes), plan.checkpoints.told(agent)))?;
    }
    let first = (plan.agents[0].as_str(), all[0].as_slice());
    for (agent, episodes) in plan.agents.iter().zip(all).skip(1) {
        let among = all.len() - 1;
        say(format_args!("{}", lifespan::compared((agent, episodes), first, &plan.env, among).sentence))?;
    }
    for (agent, episodes) in plan.agents.iter().zip(all).skip(1) {
        if let Some(counts) = paired_counts(&returns(episodes), &returns(first.1)) {
            let n = episodes.len();
            let (wins, ties) = (counts.wins, counts.ties);
            say(format_args!("{} win-rate against {}: {wins}/{n} (ties: {ties})", titled(agent), first.0))?;
        }
    }
    for ((agent, episodes), interval) in plan.agents.iter().zip(all).zip(intervals) {
        if let (Some(iqm), Some(interval)) = (interquartile_mean(&returns(episodes)), interval) {
            say(format_args!(
                "{} interquartile mean: {iqm:+.3} (95% {:+.3} to {:+.3})",
                titled(agent),
                interval.low,
                interval.high
            ))?;
        } else if (2..FEW).contains(&episodes.len()) {
            say(format_args!(
                "{} interquartile mean: {} episodes are too few for a 95% interval of it",
                titled(agent),
                episodes.len()
            ))?;
        }
    }
    tell_trained(plan, all)?;
    tell_published(plan, all)
}

/// Trained agents by their trainings: intervals above are of episodes, and a training is one of many that
/// could have been.
fn tell_trained(plan: &Benchmark, all: &[Vec<Episode>]) -> Result<(), Error> {
    // A copy of a training is the same training: it is told alone.
    let sum = |agent: &str| plan.checkpoints.checkpoint(agent).map(|checkpoint| &checkpoint.sha256);
    let is_copy = |agent: &String| {
        let before = plan.agents.iter().take_while(|other| *other != agent);
        sum(agent).is_some() && before.into_iter().any(|other| sum(other) == sum(agent))
    };
    let played = |(agent, episodes): (&String, &Vec<Episode>)| {
        let training = agent
            .strip_prefix(PROPHET)
            .map(|typed| agent_identity(typed).filter(|_| !is_copy(agent)).unwrap_or_else(|| agent.clone()));
        Rows {
            agent: agent.clone(),
            training,
            episodes: episodes.len() as u64,
            seeds: episodes.iter().map(|episode| episode.seed).collect(),
            returns: returns(episodes),
            ..Rows::default()
        }
    };
    let played: Vec<Rows> = plan.agents.iter().zip(all).map(played).collect();
    for side in trained_sides(&played, &plan.agents[0]) {
        let [_, _, ..] = &side.members[..] else {
            say(format_args!("{}: one training; another training seed may do better or worse", side.name))?;
            continue;
        };
        let text = |value: Option<f64>, interval: Option<Interval>| {
            let ends = interval.map_or_else(
                || "no interval".to_owned(),
                |ends| format!("95% over trainings {:+.3} to {:+.3}", ends.low, ends.high),
            );
            format!("{:+.3} ({ends})", value.unwrap_or(f64::NAN))
        };
        let beside = side.against_baseline.as_ref().map_or_else(String::new, |beside| {
            let difference = text(beside.difference, beside.difference_interval);
            format!("; mean difference from {}: {difference}", plan.agents[0])
        });
        say(format_args!("{}: mean {}{beside}", side.name, text(side.mean, side.mean_interval)))?;
    }
    Ok(())
}

/// The published figures beside the measured ones.
fn tell_published(plan: &Benchmark, all: &[Vec<Episode>]) -> Result<(), Error> {
    if Setup::preset("k8s", "reference").ok().as_ref() != Some(&plan.env) {
        return Ok(());
    }
    for (name, reward, steps) in PUBLISHED {
        let Some(at) = plan.agents.iter().position(|agent| agent == name) else { continue };
        let measured = mean(&returns(&all[at])).unwrap_or(f64::NAN);
        let lengths: Vec<f64> = all[at].iter().map(|episode| f64::from(episode.steps)).collect();
        let length = mean(&lengths).unwrap_or(f64::NAN);
        say(format_args!(
            "once published for {name}: {reward:+.3} in {steps} steps; measured: {measured:+.3} in {length:.1} (guide, \"Published figures\")"
        ))?;
    }
    Ok(())
}

/// The terminal's line for one agent, behind its name.
fn line(plan: &Benchmark, episodes: &[Episode]) -> String {
    let of = |value: fn(&Episode) -> f64| {
        mean(&episodes.iter().map(value).collect::<Vec<_>>()).unwrap_or(f64::NAN)
    };
    // One episode has none; 0 would say that all were alike.
    let std =
        standard_deviation(&returns(episodes)).map_or_else(|| "-".to_owned(), |std| format!("{std:.3}"));
    let reward = of(|episode| episode.total_reward);
    let steps = of(|episode| f64::from(episode.steps));
    let load = of(|episode| episode.avg_load);
    let front = format!("reward μ={reward:+.3} σ={std} | steps μ={steps:.1}");
    if matches!(plan.env.settings, WorldSettings::Gardener(_)) {
        let lost = of(|episode| f64::from(u8::from(episode.terminated)));
        return format!("{front} | lost_rate={lost:.3} | dirt μ={load:.3}");
    }
    let oom = rate(episodes, |(oom, _)| oom).unwrap_or(f64::NAN);
    let critical = rate(episodes, |(_, critical)| critical).unwrap_or(f64::NAN);
    format!("{front} | oom_rate={oom:.3} | crit_rate={critical:.3} | avg_load μ={load:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_commas_is_one_agent() {
        let dir = tempfile::tempdir().unwrap();
        let run = |name: &str| {
            std::fs::create_dir_all(dir.path().join(name)).unwrap();
            std::fs::write(dir.path().join(name).join("config.toml"), "").unwrap();
            format!("prophet:{}", dir.path().join(name).display())
        };
        let [a, ab, abc] = ["a", "a,b", "a,b,c"].map(run);
        let gone = format!("prophet:{}", dir.path().join("x,y").display());
        for (typed, expected) in [
            (vec!["random,heuristic".to_owned()], vec!["random", "heuristic"]),
            (vec![" random , heuristic ".to_owned(), "idle".to_owned()], vec!["random", "heuristic", "idle"]),
            (vec![format!("random,{abc},idle,{ab}")], vec!["random", &abc, "idle", &ab]),
            (vec![format!("{ab},idle"), abc.clone()], vec![&ab, "idle", &abc]),
            (vec![format!("{a},{a},idle")], vec![&a, &a, "idle"]),
            // Repeated, it is not split; alone it always was.
            (vec!["random".to_owned(), gone.clone()], vec!["random", &gone]),
            (vec![gone.clone()], vec![gone.strip_suffix(",y").unwrap(), "y"]),
        ] {
            assert_eq!(named(&typed), expected, "{typed:?}");
        }
    }
}
