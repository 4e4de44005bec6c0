//! Who lives and earns how much under which drift.

use std::path::Path;

use resonetics_analysis::stats::summary::mean;
use resonetics_runs::Error;

use super::cell::{Cell, Measure, Size, Study, Unit, played, prophet};

/// Presets and schedules of the drift, with what is typed for them.
const DRIFTS: [(&str, &[&str]); 7] = [
    ("calm", &["--preset", "calm"]),
    ("reference", &[]),
    ("storm", &["--preset", "storm"]),
    ("ramp", &["--set", "drift.schedule=ramp"]),
    ("seasonal", &["--set", "drift.schedule=seasonal"]),
    ("regime", &["--set", "drift.schedule=regime"]),
    ("shocks", &["--set", "drift.schedule=shocks"]),
];

const AGENTS: [&str; 4] = ["heuristic", "patrol", "planner", "random"];

pub const STUDY: Study = Study {
    name: "drifts",
    question: "How long does each agent live, and what does it earn, under each drift? Prophet was trained under the reference drift.",
    size: Size { seeds: 10, steps: 400_000, episodes: 1000 },
    cells,
    measures: &[
        Measure { name: "steps lived", decimals: 1, more_is_better: true },
        Measure { name: "return", decimals: 2, more_is_better: true },
    ],
    values: Some(values),
    report: None,
};

fn training(seed: u32) -> String {
    format!("train-seed-{seed}")
}

fn cells(dir: &Path, size: Size) -> Vec<Cell> {
    let trainings: Vec<String> = (1..=size.seeds).map(training).collect();
    let agents = AGENTS.map(str::to_owned).into_iter();
    let agents: Vec<String> = agents.chain(trainings.iter().map(|name| prophet(dir, name))).collect();
    let trained = (1..=size.seeds).map(|seed| Cell::training(training(seed), seed, size.steps, &[]));
    let under = |(name, words): (&str, &[&str])| {
        Cell::benchmark(format!("benchmark-{name}"), &agents, &trainings, size, words)
    };
    trained.chain(DRIFTS.into_iter().map(under)).collect()
}

fn values(dir: &Path, _: Size) -> Result<Vec<Unit>, Error> {
    let mut values = Vec::new();
    for (group, _) in DRIFTS {
        let mut trainings = 0;
        for agent in played(dir, &format!("benchmark-{group}"))? {
            let trained = !AGENTS.contains(&agent.agent.as_str());
            let variant = if trained { "prophet".to_owned() } else { agent.agent.clone() };
            for (measure, all) in [&agent.steps, &agent.returns].into_iter().enumerate() {
                let of = |seed, value| Unit {
                    group: group.to_owned(),
                    variant: variant.clone(),
                    seed,
                    measure,
                    value,
                };
                if trained {
                    // A training is one unit, whatever it played.
                    values.extend(mean(all).map(|value| of(trainings, value)));
                } else {
                    values.extend(agent.seeds.iter().zip(all).map(|(seed, value)| of(*seed, *value)));
                }
            }
            trainings += u64::from(trained);
        }
    }
    Ok(values)
}
