//! `episodes.csv`, a row an episode: what `benchmark` and `eval` play.

use crate::error::Error;
use crate::files::{CsvFile, cell};
use crate::progress::Progress;
use crate::rollout::{Episode, MakePolicy, Watching, play_watched};
use crate::setup::Setup;

/// The name of the file.
pub const FILE: &str = "episodes.csv";

/// Its columns.
pub const COLUMNS: [&str; 11] = [
    "agent",
    "episode",
    "seed",
    "return",
    "steps",
    "terminated",
    "truncated",
    "oom_nodes",
    "critical_oom",
    "avg_load",
    "budget",
];

/// Episodes that are played before their rows are written: an interrupted run keeps the others.
const ROWS: usize = 4096;

/// Plays an episode of `agent` for each seed, with the policies that `policy` makes, and writes its row; watched, where
/// somebody does.
///
/// # Errors
/// Those of [`play_watched`], and that a row cannot be written.
pub fn play(
    csv: &mut CsvFile,
    agent: &str,
    env: &Setup,
    policy: &MakePolicy<'_>,
    seeds: &[u64],
    progress: &dyn Progress,
    watching: Option<&Watching<'_>>,
) -> Result<Vec<Episode>, Error> {
    let mut episodes: Vec<Episode> = Vec::with_capacity(seeds.len());
    for seeds in seeds.chunks(ROWS) {
        let before = episodes.len();
        let behind =
            watching.map(|watching| move |first: usize, lanes: usize| watching(before + first, lanes));
        let behind = behind.as_ref().map(|behind| behind as &Watching<'_>);
        let played = play_watched(env, policy, seeds, progress, behind)?;
        for (number, episode) in (1 + episodes.len()..).zip(&played) {
            csv.row(row(agent, number, episode))?;
        }
        episodes.extend(played);
    }
    Ok(episodes)
}

fn row(agent: &str, number: usize, episode: &Episode) -> [String; 11] {
    let oom =
        |count: fn((u32, u32)) -> u32| episode.oom.map_or_else(String::new, |oom| count(oom).to_string());
    [
        agent.to_owned(),
        number.to_string(),
        episode.seed.to_string(),
        cell(Some(episode.total_reward)),
        episode.steps.to_string(),
        episode.terminated.to_string(),
        episode.truncated.to_string(),
        oom(|(oom, _)| oom),
        oom(|(_, critical)| critical),
        cell(Some(episode.avg_load)),
        cell(episode.budget),
    ]
}
