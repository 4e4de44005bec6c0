//! How much drift each agent carries.

use std::path::Path;

use super::cell::{Cell, Size, Study, below, prophet};

const AGENTS: [&str; 3] = ["heuristic", "planner", "patrol"];

/// Steps of a life.
const LIFE: u64 = 2000;

pub const STUDY: Study = Study {
    name: "limits",
    question: "Which agent carries the most drift in the cluster, with the control layer and without?",
    size: Size { seeds: 10, steps: 5_000_000, episodes: 300 },
    cells,
    measures: &[],
    values: None,
    report: Some("report"),
};

fn cells(dir: &Path, size: Size) -> Vec<Cell> {
    let names: Vec<String> = (1..=size.seeds).map(|seed| format!("train-seed-{seed}")).collect();
    let life = format!("max_steps={LIFE}");
    let mut cells: Vec<Cell> = (1..)
        .zip(&names)
        .map(|(seed, name)| Cell::training(name.clone(), seed, size.steps, &["mem_drift_mu=0.02", &life]))
        .collect();
    let agents = AGENTS.map(str::to_owned).into_iter();
    let agents: Vec<String> = agents.chain(names.iter().map(|name| prophet(dir, name))).collect();
    let (life, episodes) = (LIFE.to_string(), size.episodes.to_string());
    for (name, control) in [("limit", "control.enabled=false"), ("limit-control", "control.enabled=true")] {
        let mut words = vec!["limit", "--env", "k8s", "--seed", "1000001", "--life", &life];
        words.extend(["--episodes", &episodes, "--set", control]);
        for agent in &agents {
            words.extend(["--agents", agent]);
        }
        // Some ten doses, at which half of the lives are short.
        let steps = 5 * LIFE * u64::from(size.episodes) * agents.len() as u64;
        cells.push(Cell::other(name, &words, names.clone(), steps));
    }
    let needs = vec!["limit".to_owned(), "limit-control".to_owned()];
    let paths = [below(dir, &needs[0]), below(dir, &needs[1])];
    cells.push(Cell::other("report", &["analyze", &paths[0], &paths[1]], needs, 0));
    cells
}
