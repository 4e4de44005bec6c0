//! What the control layer saves, and what it costs where nothing threatens.

use std::path::Path;

use resonetics_runs::Error;

use super::cell::{Cell, Size, Study, Unit, prophet};
use super::units;

/// What is typed for each drift; the last overwhelms the rule of thumb.
const DRIFTS: [(&str, &[&str]); 4] = [
    ("calm", &["--preset", "calm"]),
    ("reference", &[]),
    ("storm", &["--preset", "storm"]),
    ("0.02, 2000 steps", &["--set", "mem_drift_mu=0.02", "--set", "max_steps=2000"]),
];
const AGENTS: [&str; 4] = ["random", "heuristic", "patrol", "planner"];
/// What is typed without control, with it, and with one that replaces wasted actions alone; the first is what the others are
/// compared with.
const SIDES: [(&str, &[&str]); 3] = [
    ("off", &[]),
    ("on", &["--set", "control.enabled=true"]),
    ("wasted only", &["--set", "control.enabled=true", "--set", "control.wasted_only=true"]),
];

pub const STUDY: Study = Study {
    name: "controls",
    question: "For each agent, how much life and return does the control layer of the cluster save, and what does it cost where nothing threatens? And one that replaces wasted actions alone?",
    size: Size { seeds: 10, steps: 400_000, episodes: 1000 },
    cells,
    measures: &units::LIVES,
    values: Some(values),
    report: None,
};

fn training(seed: u32) -> String {
    format!("train-seed-{seed}")
}

fn benchmark(drift: &str, side: &str) -> String {
    format!("benchmark-{drift}-{side}").replace(", ", "-").replace(' ', "-")
}

fn cells(dir: &Path, size: Size) -> Vec<Cell> {
    let trainings: Vec<String> = (1..=size.seeds).map(training).collect();
    let agents = AGENTS.map(str::to_owned).into_iter();
    let agents: Vec<String> = agents.chain(trainings.iter().map(|name| prophet(dir, name))).collect();
    let mut cells: Vec<Cell> =
        (1..=size.seeds).map(|seed| Cell::training(training(seed), seed, size.steps, &[])).collect();
    for (drift, typed) in DRIFTS {
        for (side, set) in SIDES {
            let words = [typed, set].concat();
            cells.push(Cell::benchmark(benchmark(drift, side), &agents, &trainings, size, &words));
        }
    }
    cells
}

fn values(dir: &Path, _: Size) -> Result<Vec<Unit>, Error> {
    let mut values = Vec::new();
    for (drift, _) in DRIFTS {
        for (side, _) in SIDES {
            let named = |agent: &str| (format!("{drift}, {agent}"), format!("control {side}"));
            values.extend(units::units(dir, &benchmark(drift, side), &AGENTS, units::lives, named)?);
        }
    }
    Ok(values)
}
