//! `benchmark`: agents on paired seeds, and the files that sum them up.

use std::path::Path;

use resonetics_agents::Policy;
use resonetics_analysis::stats::Interval;
use resonetics_analysis::stats::aggregate::{interquartile_mean_of_tasks, stratified_bootstrap_interval};
use resonetics_analysis::stats::bootstrap::Resampled;
use resonetics_analysis::stats::compare::{paired_counts, probability_of_improvement};
use resonetics_analysis::stats::summary::{interquartile_mean, mean, standard_deviation};
use resonetics_envs::stream::lane_seed;

use crate::episodes;
use crate::error::Error;
use crate::files::{CsvFile, cell};
use crate::interrupt;
use crate::progress::Progress;
use crate::rollout::{Episode, Watches, Watching};
use crate::setup::Setup;
use crate::trained::TrainedAgents;

const SUMMARY_COLUMNS: [&str; 13] = [
    "agent",
    "episodes",
    "return_mean",
    "return_std",
    "return_iqm",
    "return_iqm_low",
    "return_iqm_high",
    "steps_mean",
    "oom_rate",
    "crit_rate",
    "avg_load_mean",
    "win_rate",
    "probability_of_improvement",
];

/// Makes the policy of an agent, by its name, for so many environments.
pub type Cast<'a> = dyn Fn(&str, usize) -> Result<Box<dyn Policy>, Error> + Sync + 'a;

/// Makes what watches so many lanes of the agent of this name, of which the first plays the episode of this number.
pub type WatchingAgent<'a> = dyn Fn(&str, usize, usize) -> Box<dyn Watches + 'a> + Sync + 'a;

/// What is played.
pub struct Cards<'a> {
    /// The world.
    pub env: &'a Setup,
    /// The agents' names; the others are compared with the first.
    pub agents: &'a [String],
    /// Episodes of each, on the same seeds.
    pub episodes: u32,
    /// Episode i has the seed `lane_seed(seed, i)`.
    pub seed: u64,
    /// What is written down of trained ones.
    pub checkpoints: &'a TrainedAgents,
    /// Makes their policies.
    pub cast: &'a Cast<'a>,
    /// Watches the episodes of an agent.
    pub watching: Option<&'a WatchingAgent<'a>>,
}

/// What came of it, agent by agent.
pub struct Played {
    /// Their episodes.
    pub episodes: Vec<Vec<Episode>>,
    /// 95% intervals of the interquartile means of their returns, where there are enough.
    pub intervals: Vec<Option<Interval>>,
}

/// Plays the episodes and writes `episodes.csv` and `benchmark.csv` into `dir`.
///
/// # Errors
/// Those of the agents, an interrupt, and that a file cannot be written.
pub fn work(cards: &Cards<'_>, dir: &Path, progress: &dyn Progress) -> Result<Played, Error> {
    let Cards { env, agents, checkpoints, cast, watching, .. } = *cards;
    let seeds: Vec<u64> = (0..u64::from(cards.episodes)).map(|i| lane_seed(cards.seed, i)).collect();
    let mut episodes_csv = CsvFile::create(&dir.join(episodes::FILE), &episodes::COLUMNS)?;
    let mut all: Vec<Vec<Episode>> = Vec::new();
    for agent in agents {
        progress.message(agent);
        let policy = |envs: usize| cast(agent, envs);
        let of_it = watching.map(|watching| move |first: usize, lanes: usize| watching(agent, first, lanes));
        let of_it = of_it.as_ref().map(|of_it| of_it as &Watching<'_>);
        all.push(episodes::play(&mut episodes_csv, agent, env, &policy, &seeds, progress, of_it)?);
    }
    episodes_csv.finish()?;
    progress.message("resampling");
    let columns = [&SUMMARY_COLUMNS[..], checkpoints.columns()].concat();
    let mut csv = CsvFile::create(&dir.join("benchmark.csv"), &columns)?;
    let mut intervals = Vec::new();
    for (i, (agent, episodes)) in agents.iter().zip(&all).enumerate() {
        let first = (i > 0).then_some(all[0].as_slice());
        let interval = interval(episodes, progress);
        interrupt::check()?;
        let mut row = summary_row(agent, episodes, first, interval).to_vec();
        row.extend(checkpoints.cells(agent));
        csv.row(row)?;
        intervals.push(interval);
    }
    csv.finish()?;
    Ok(Played { episodes: all, intervals })
}

/// 95% interval of the interquartile mean of the returns.
fn interval(episodes: &[Episode], progress: &dyn Progress) -> Option<Interval> {
    // An interrupt ends the resampling; the caller sees it.
    let statistic = |sample: &[Vec<f64>]| {
        progress.tick();
        interrupt::check().ok().and_then(|()| interquartile_mean_of_tasks(sample))
    };
    let mut stream = Resampled::InterquartileMean.stream();
    stratified_bootstrap_interval(&[returns(episodes)], statistic, &mut stream)
}

fn summary_row(
    agent: &str,
    episodes: &[Episode],
    first: Option<&[Episode]>,
    interval: Option<Interval>,
) -> [String; 13] {
    let returns = returns(episodes);
    let of = |value: fn(&Episode) -> f64| mean(&episodes.iter().map(value).collect::<Vec<_>>());
    let first = first.map(self::returns);
    let wins = first.as_ref().and_then(|first| paired_counts(&returns, first));
    [
        agent.to_owned(),
        episodes.len().to_string(),
        cell(mean(&returns)),
        cell(standard_deviation(&returns)),
        cell(interquartile_mean(&returns)),
        cell(interval.map(|interval| interval.low)),
        cell(interval.map(|interval| interval.high)),
        cell(of(|episode| f64::from(episode.steps))),
        cell(rate(episodes, |(oom, _)| oom)),
        cell(rate(episodes, |(_, critical)| critical)),
        cell(of(|episode| episode.avg_load)),
        cell(wins.map(|counts| counts.wins as f64 / episodes.len() as f64)),
        cell(first.and_then(|first| probability_of_improvement(&returns, &first))),
    ]
}

/// Their returns.
pub fn returns(episodes: &[Episode]) -> Vec<f64> {
    episodes.iter().map(|episode| episode.total_reward).collect()
}

/// Share of the episodes in which at least one node was (critically) out of memory; none in a
/// garden.
pub fn rate(episodes: &[Episode], count: fn((u32, u32)) -> u32) -> Option<f64> {
    let counts: Option<Vec<f64>> =
        episodes.iter().map(|episode| episode.oom.map(|oom| f64::from(u8::from(count(oom) > 0)))).collect();
    counts.and_then(|counts| mean(&counts))
}
