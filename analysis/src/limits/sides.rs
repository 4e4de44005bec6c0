//! What is compared: agents, and trainings that differ in the seed alone as one.

use std::collections::HashMap;

use super::world::World;
use crate::read::doses::Doses;
use crate::read::episodes::Recipe;
use crate::report::of_seeds;
use crate::stats::dose::{DoseCurve, Estimate, Limits, Method, difference, mean_difference, mean_limit};

/// An agent, or trainings of one kind.
pub(super) struct Side {
    /// What it is called.
    pub name: String,
    /// Names of its agents.
    pub members: Vec<String>,
    /// Its limit, the mean of several.
    pub limit: Estimate,
    /// Of several trainings, how many have a limit.
    pub known: usize,
    agents: Vec<usize>,
    /// Its limit or, where there is none, its bound; the mean of several.
    rank: f64,
}

impl Side {
    /// How its trainings came about.
    pub(super) fn recipes<'a>(&self, world: &'a World) -> Vec<&'a Recipe> {
        self.agents.iter().filter_map(|&agent| world.agents[agent].recipe.as_ref()).collect()
    }
}

/// How the first side, the best, compares with another.
pub(super) struct Beside {
    /// Its place among the sides.
    pub side: usize,
    /// Episodes with the same seeds.
    pub pairs: usize,
    /// By how much the best is above it.
    pub by: Estimate,
}

impl Beside {
    /// Whether the best is above it.
    pub(super) fn is_told(&self) -> bool {
        self.by.low.is_some_and(|low| low > 0.0)
    }
}

/// The sides of `world`, whose agents have the limits `found`, the one with the highest limit first; and how that one
/// compares with each other.
pub(super) fn sides(world: &World, found: &[Limits]) -> (Vec<Side>, Vec<Beside>) {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (i, agent) in world.agents.iter().enumerate() {
        let next = groups.len();
        let place =
            agent.training.as_deref().map_or(next, |training| *places.entry(training).or_insert(next));
        if place == next {
            groups.push(Vec::new());
        }
        groups[place].push(i);
    }
    let mut sides: Vec<Side> = groups.into_iter().map(|agents| side(world, found, agents)).collect();
    sides.sort_by(|a, b| b.rank.total_cmp(&a.rank));
    let among = sides.len().saturating_sub(1);
    let beside = (1..sides.len()).map(|other| beside(world, &sides, other, among)).collect();
    (sides, beside)
}

fn side(world: &World, found: &[Limits], agents: Vec<usize>) -> Side {
    let members: Vec<String> = agents.iter().map(|&i| world.agents[i].agent.clone()).collect();
    let known = agents.iter().filter(|&&i| found[i].spearman_karber.limit.is_some()).count();
    let limit = if let [one] = agents[..] {
        found[one].spearman_karber
    } else {
        let curves = in_common(world, &agents).map_or_else(Vec::new, |(curves, _)| curves);
        let curves: Vec<&DoseCurve> = curves.iter().collect();
        let (limit, interval) = mean_limit(&curves, Method::SpearmanKarber);
        let ends = interval.map(|ends| (ends.low, ends.high)).unzip();
        Estimate { limit, low: ends.0, high: ends.1 }
    };
    let rank = |&i: &usize| {
        let Estimate { limit, low, high } = found[i].spearman_karber;
        limit.or(low).or(high).unwrap_or(f64::NEG_INFINITY)
    };
    let rank = agents.iter().map(rank).sum::<f64>() / agents.len() as f64;
    Side { name: of_seeds(&members), members, limit, known, agents, rank }
}

fn beside(world: &World, sides: &[Side], other: usize, among: usize) -> Beside {
    let (best, second) = (&sides[0].agents, &sides[other].agents);
    let both: Vec<usize> = best.iter().chain(second).copied().collect();
    let Some((curves, pairs)) = in_common(world, &both) else {
        return Beside { side: other, pairs: 0, by: Estimate::default() };
    };
    // Of a curve that rises nothing may be known.
    let unknown = [&sides[0], &sides[other]].iter().any(|side| side.limit == Estimate::default());
    let by = if unknown {
        Estimate::default()
    } else if let [one, two] = &curves[..] {
        difference(one, two, Method::SpearmanKarber, among).unwrap_or_default()
    } else {
        let curves: Vec<&DoseCurve> = curves.iter().collect();
        let (x, y) = curves.split_at(best.len());
        let found = mean_difference(x, y, Method::SpearmanKarber, among);
        found.map_or_else(Estimate::default, |(limit, ends)| Estimate {
            limit: Some(limit),
            low: Some(ends.low),
            high: Some(ends.high),
        })
    };
    Beside { side: other, pairs, by }
}

/// The curves of `agents` with the episodes whose seeds all of them lived through, in one order, and how many those
/// are. `None` if there is none.
fn in_common(world: &World, agents: &[usize]) -> Option<(Vec<DoseCurve>, usize)> {
    let places = |agent: &Doses| -> HashMap<u64, usize> {
        agent.seeds.iter().enumerate().map(|(place, seed)| (*seed, place)).collect()
    };
    let all: Vec<HashMap<u64, usize>> = agents.iter().map(|&i| places(&world.agents[i])).collect();
    let first = &world.agents[*agents.first()?].seeds;
    let shared: Vec<u64> =
        first.iter().copied().filter(|seed| all.iter().all(|places| places.contains_key(seed))).collect();
    let only = |(&i, places): (&usize, &HashMap<u64, usize>)| {
        let kept: Vec<usize> = shared.iter().filter_map(|seed| places.get(seed).copied()).collect();
        world.agents[i].curve.only(&kept)
    };
    let curves: Option<Vec<DoseCurve>> = agents.iter().zip(&all).map(only).collect();
    Some((curves?, shared.len()))
}
