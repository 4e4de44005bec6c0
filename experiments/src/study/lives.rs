//! Whether one recipe is right for short lives and long ones.

use std::path::Path;

use resonetics_runs::Error;

use super::cell::{Cell, Size, Study, Unit, prophet};
use super::units;

/// The reference, and drifts under which living long is in question: what is typed, and of how many thousandths of
/// [`Size::steps`] the training is.
const DRIFTS: [(&str, &[&str], u64); 4] = [
    ("reference, 500 steps", &[], 40),
    ("0.016, 2000 steps", &["mem_drift_mu=0.016", "max_steps=2000"], 500),
    ("0.02, 2000 steps", &["mem_drift_mu=0.02", "max_steps=2000"], 500),
    ("0.024, 2000 steps", &["mem_drift_mu=0.024", "max_steps=2000"], 1000),
];

/// The first is what the others are compared with.
const AGENTS: [&str; 3] = ["patrol", "planner", "heuristic"];

pub const STUDY: Study = Study {
    name: "lives",
    question: "Is the one recipe of `train` right for short lives and for long ones under a fast drift? (--steps: of the longest training)",
    size: Size { seeds: 10, steps: 10_000_000, episodes: 1000 },
    cells,
    measures: &units::LIVES,
    values: Some(values),
    report: None,
};

fn benchmark(place: usize) -> String {
    format!("benchmark-{place}")
}

fn cells(dir: &Path, size: Size) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (place, (_, sets, thousandths)) in DRIFTS.into_iter().enumerate() {
        let steps = (size.steps * thousandths / 1000).max(1);
        let names: Vec<String> = (1..=size.seeds).map(|seed| format!("train-{place}-seed-{seed}")).collect();
        let trained = (1..).zip(&names).map(|(seed, name)| Cell::training(name.clone(), seed, steps, sets));
        cells.extend(trained);
        let agents = AGENTS.map(str::to_owned).into_iter();
        let agents: Vec<String> = agents.chain(names.iter().map(|name| prophet(dir, name))).collect();
        let words: Vec<&str> = sets.iter().flat_map(|set| ["--set", *set]).collect();
        cells.push(Cell::benchmark(benchmark(place), &agents, &names, size, &words));
    }
    cells
}

fn values(dir: &Path, _: Size) -> Result<Vec<Unit>, Error> {
    let mut values = Vec::new();
    for (place, (group, ..)) in DRIFTS.into_iter().enumerate() {
        let named = |agent: &str| (group.to_owned(), agent.to_owned());
        values.extend(units::units(dir, &benchmark(place), &AGENTS, units::lives, named)?);
    }
    Ok(values)
}
