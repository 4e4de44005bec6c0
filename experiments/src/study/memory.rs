//! Whether a memory helps.

use std::path::Path;

use resonetics_runs::Error;

use super::cell::{Cell, Measure, Size, Study, Unit, evaluated, limits, prophet, seconds};

/// The first is what the other is compared with.
const VARIANTS: [(&str, &[&str]); 2] = [("no memory", &[]), ("memory", &["train.network.memory=64"])];

/// Under the reference drift a training has this part of the steps.
const PART: u64 = 25;

/// Under a fast drift lives are as long, and each episode of a training has a drift between these.
const LIFE: u32 = 2000;
const FAST: [&str; 2] = ["max_steps=2000", "train.doses.values=[0.018,0.027]"];

/// A step with a memory costs so much of one without.
const MEMORY: f64 = 2.2;

pub const STUDY: Study = Study {
    name: "memory",
    question: "Does a memory of 64 units help who sees 9 of 16 nodes: does it earn more under the reference drift (a 25th of --steps), does it carry more drift in lives of 2,000 steps (trained over drifts from 0.018 to 0.027), and what does it cost?",
    size: Size { seeds: 10, steps: 10_000_000, episodes: 1000 },
    cells,
    measures: &[
        Measure { name: "return", decimals: 2, more_is_better: true },
        Measure { name: "drift limit", decimals: 5, more_is_better: true },
        Measure { name: "training, seconds", decimals: 1, more_is_better: false },
    ],
    values: Some(values),
    report: None,
};

fn training(drift: &str, variant: usize, seed: u32) -> String {
    format!("train-{drift}-{variant}-seed-{seed}")
}

fn evaluation(variant: usize, seed: u32) -> String {
    format!("eval-{variant}-seed-{seed}")
}

fn limit(seed: u32) -> String {
    format!("limit-seed-{seed}")
}

fn cells(dir: &Path, size: Size) -> Vec<Cell> {
    let mut cells = Vec::new();
    for seed in 1..=size.seeds {
        let mut fast = Vec::new();
        for (variant, (_, sets)) in VARIANTS.into_iter().enumerate() {
            let factor = if variant == 0 { 1.0 } else { MEMORY };
            let mut add = |drift, steps, sets: &[&str]| {
                let name = training(drift, variant, seed);
                let cell = Cell::training(name.clone(), seed, steps, sets);
                cells.push(Cell { seconds: factor * cell.seconds, ..cell });
                name
            };
            fast.push(add("fast", size.steps, &[&FAST, sets].concat()));
            let of = add("reference", (size.steps / PART).max(1), sets);
            cells.push(Cell::evaluation(dir, evaluation(variant, seed), &of, size, "0"));
        }
        let agents: Vec<String> = fast.iter().map(|name| prophet(dir, name)).collect();
        let small = size.episodes.div_ceil(3);
        cells.push(Cell::limit(limit(seed), &agents, &fast, (LIFE, small), &["--env", "k8s"]));
    }
    cells
}

fn values(dir: &Path, size: Size) -> Result<Vec<Unit>, Error> {
    let mut values = Vec::new();
    for seed in 1..=size.seeds {
        let carried = limits(dir, &limit(seed))?;
        for (place, (variant, _)) in VARIANTS.into_iter().enumerate() {
            let mut add = |group: &str, measure, value: Option<f64>| {
                let (group, variant) = (group.to_owned(), variant.to_owned());
                values.extend(value.map(|value| Unit { group, variant, seed: seed.into(), measure, value }));
            };
            add("reference drift", 0, evaluated(dir, &evaluation(place, seed))?.return_mean);
            add("reference drift", 2, seconds(dir, &training("reference", place, seed))?);
            let own = prophet(dir, &training("fast", place, seed));
            add("fast drifts", 1, carried.iter().find(|(agent, _)| *agent == own).and_then(|found| found.1));
            add("fast drifts", 2, seconds(dir, &training("fast", place, seed))?);
        }
    }
    Ok(values)
}
