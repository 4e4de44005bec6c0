//! The part of a report that compares agents (Agarwal et al. 2021): aggregates with intervals, probabilities of
//! improvement, paired tests.

mod agent;
mod named;
mod part;
mod trained;

pub use agent::{Agent, Comparison};
pub(crate) use named::Named;
pub use part::part;
pub use trained::{Side, trained_sides};

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use self::agent::{against, correct_for_many};
use crate::read::GoOn;
use crate::read::episodes::{KEPT, Played};
use crate::stats::Interval;
use crate::stats::aggregate::{
    improvement_over_tasks, interquartile_mean_of_tasks, mean_of_tasks, median_of_tasks, optimality_gap,
    stratified_bootstrap_interval, stratified_bootstrap_intervals,
};
use crate::stats::bootstrap::Resampled;
use crate::stats::student::mean_interval;
use crate::stats::summary::{interquartile_mean, mean, quantile};

/// All agents in one world.
#[derive(Clone, Debug, Serialize)]
pub struct World {
    /// Its name.
    pub name: String,
    /// Whom the others are compared with.
    pub baseline: String,
    /// The highest mean return: the target of the optimality gap.
    pub target: Option<f64>,
    /// Whose it is; of several the first.
    pub target_of: Option<String>,
    /// In the order of the files.
    pub agents: Vec<Agent>,
    /// Trained agents whose trainings differ in the seed alone, where there are several.
    pub trained: Vec<Side>,
}

impl World {
    fn agent(&self, name: &str) -> Option<&Agent> {
        self.agents.iter().find(|agent| agent.name == name)
    }
}

/// Scores over several worlds, 0 the baseline's mean and 1 the best mean of each world.
#[derive(Clone, Debug, Serialize)]
pub struct Overall {
    /// The agent.
    pub name: String,
    /// Mean over worlds of the means.
    pub mean: Option<f64>,
    /// Median over worlds of the means.
    pub median: Option<f64>,
    /// Interquartile mean of all episodes.
    pub iqm: Option<f64>,
    /// Its 95% interval, episodes resampled inside each world.
    pub iqm_interval: Option<Interval>,
    /// Mean shortfall from 1.
    pub optimality_gap: Option<f64>,
    /// Mean over worlds of the chance to beat the baseline.
    pub improvement: Option<f64>,
}

/// The episodes of one file.
#[derive(Clone, Debug)]
pub struct Benchmark {
    /// The run's name.
    pub run: String,
    /// The world with its settings; files of one world share it.
    pub world: String,
    /// Agent by agent.
    pub agents: Vec<Played>,
}

/// Brings the agents of each world together and compares them with `baseline`, or with the first. Asks
/// `go_on` before each agent: the intervals of 50,000 episodes take more than a second.
///
/// # Errors
/// That a world has no agent called `baseline`, with those there are; that `go_on` said no.
pub fn worlds(files: &[Benchmark], baseline: Option<&str>, go_on: GoOn<'_>) -> Result<Vec<World>, String> {
    let mut of_worlds: Vec<(&str, Vec<&Benchmark>)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for file in files {
        let place = *places.entry(&file.world).or_insert_with(|| {
            of_worlds.push((&file.world, Vec::new()));
            of_worlds.len() - 1
        });
        of_worlds[place].1.push(file);
    }
    of_worlds
        .into_iter()
        .map(|(world, of_world)| compared(world, together(&of_world), baseline, go_on))
        .collect()
}

/// One [`Played`] an agent. Files that share seeds played the same episodes: their agents are told apart
/// by run; others add to each other.
fn together(files: &[&Benchmark]) -> Vec<Played> {
    let mut agents: Vec<Played> = Vec::new();
    // Where an agent is, and the seeds it has played.
    let mut places: HashMap<&str, (usize, HashSet<u64>)> = HashMap::new();
    for file in files {
        for played in &file.agents {
            let Some((place, seeds)) = places.get_mut(played.agent.as_str()) else {
                let seeds = played.seeds.iter().copied().collect();
                places.insert(&played.agent, (agents.len(), seeds));
                agents.push(played.clone());
                continue;
            };
            if played.seeds.iter().any(|seed| seeds.contains(seed)) {
                agents.push(Played { agent: format!("{} ({})", played.agent, file.run), ..played.clone() });
                continue;
            }
            let known = &mut agents[*place];
            known.episodes += played.episodes;
            if known.returns.len() + played.returns.len() <= KEPT {
                seeds.extend(&played.seeds);
                known.terminated += played.terminated;
                known.seeds.extend(&played.seeds);
                known.returns.extend(&played.returns);
                known.steps.extend(&played.steps);
                known.not_finite = known.not_finite.or(played.not_finite);
            }
        }
    }
    agents
}

fn compared(
    name: &str,
    agents: Vec<Played>,
    baseline: Option<&str>,
    go_on: GoOn<'_>,
) -> Result<World, String> {
    let known = || agents.iter().map(|played| played.agent.as_str()).collect::<Vec<_>>().join(", ");
    let first = match baseline {
        None => 0,
        Some(baseline) => agents
            .iter()
            .position(|played| played.agent == baseline)
            .ok_or_else(|| format!("no agent is called `{baseline}` in {name}; there are: {}", known()))?,
    };
    let means = agents.iter().filter_map(|played| Some((mean(&played.returns)?, &played.agent)));
    // Of equal ones the first.
    let best = means.reduce(|best, next| if next.0 > best.0 { next } else { best });
    let best = best.map(|(mean, agent)| (mean, agent.clone()));
    let target = best.as_ref().map(|(mean, _)| *mean);
    let mut compared: Vec<Agent> = Vec::new();
    for (index, played) in agents.iter().enumerate() {
        if !go_on() {
            return Err(format!("stopped before the intervals of {}", played.agent));
        }
        let returns = std::slice::from_ref(&played.returns);
        let aggregates =
            |scores: &[Vec<f64>]| Some([quantile(&scores[0], 0.5)?, interquartile_mean(&scores[0])?]);
        let mut stream = Resampled::InterquartileMean.stream();
        let intervals = stratified_bootstrap_intervals(returns, aggregates, &mut stream);
        let shortfalls =
            |target: f64| played.returns.iter().map(|score| (target - score).max(0.0)).collect::<Vec<_>>();
        compared.push(Agent {
            name: played.agent.clone(),
            recipe: played.recipe.clone(),
            episodes: played.episodes,
            mean: mean(&played.returns),
            mean_interval: mean_interval(&played.returns),
            median: quantile(&played.returns, 0.5),
            median_interval: intervals.map(|intervals| intervals[0]),
            iqm: interquartile_mean(&played.returns),
            iqm_interval: intervals.map(|intervals| intervals[1]),
            optimality_gap: target.and_then(|target| optimality_gap(returns, target)),
            optimality_gap_interval: target
                .and_then(|target| mean_interval(&shortfalls(target)))
                .map(|Interval { low, high }| Interval { low: low.max(0.0), high }),
            steps: mean(&played.steps),
            lost: played.terminated as f64 / played.returns.len().max(1) as f64,
            against_baseline: (index != first).then(|| against(played, &agents[first])),
            played: Played::default(),
        });
    }
    let baseline = agents[first].agent.clone();
    let several = |side: &Side| side.members.len() > 1;
    let trained = trained_sides(&agents, &baseline).into_iter().filter(several).collect();
    for (agent, played) in compared.iter_mut().zip(agents) {
        agent.played = played;
    }
    correct_for_many(&mut compared);
    Ok(World {
        name: name.to_owned(),
        baseline,
        target,
        target_of: best.map(|(_, agent)| agent),
        agents: compared,
        trained,
    })
}

/// The agents that were in all of several worlds, over those worlds; empty for one world, and where in
/// some world no agent is better than the baseline, so that there is no scale.
pub fn overall(worlds: &[World]) -> Vec<Overall> {
    let Some((first, others)) = worlds.split_first().filter(|(_, others)| !others.is_empty()) else {
        return Vec::new();
    };
    let normalised = |name: &str| -> Option<Vec<Vec<f64>>> {
        let scores = |world: &World| {
            let zero = world.agent(&world.baseline)?.mean?;
            let span = world.target? - zero;
            let returns = &world.agent(name)?.played.returns;
            (span > 0.0).then(|| returns.iter().map(|score| (score - zero) / span).collect())
        };
        worlds.iter().map(scores).collect()
    };
    if others.iter().any(|world| world.baseline != first.baseline) {
        return Vec::new();
    }
    let baseline = normalised(&first.baseline);
    let one = |agent: &Agent| {
        let scores = normalised(&agent.name)?;
        let beats = |baseline| improvement_over_tasks(&scores, baseline);
        Some(Overall {
            name: agent.name.clone(),
            mean: mean_of_tasks(&scores),
            median: median_of_tasks(&scores),
            iqm: interquartile_mean_of_tasks(&scores),
            iqm_interval: stratified_bootstrap_interval(
                &scores,
                interquartile_mean_of_tasks,
                &mut Resampled::Overall.stream(),
            ),
            optimality_gap: optimality_gap(&scores, 1.0),
            improvement: baseline.as_deref().filter(|_| agent.name != first.baseline).and_then(beats),
        })
    };
    first.agents.iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests;
