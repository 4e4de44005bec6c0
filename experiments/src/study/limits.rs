//! How much drift each agent carries.

use std::path::Path;

use super::cell::{Cell, GENERATION, Size, Study, below, prophet};

/// Without the control layer and with it: how a folder ends, and what is typed.
const SIDES: [(&str, &str); 2] = [("", "control.enabled=false"), ("-control", "control.enabled=true")];

const CLUSTER: [&str; 3] = ["heuristic", "planner", "patrol"];
const GARDEN: [&str; 3] = ["heuristic", "patrol", "evolved"];

/// Steps of a life, and those that Prophet trains for: each episode has a drift between these two.
const LIFE: u32 = 2000;
const TRAINED: [&str; 2] = ["max_steps=2000", "train.doses.values=[0.018,0.027]"];

/// A patrol that never scales, a setting of the whole run: the plain closed tour.
const TOUR: &str = "agent.patrol.scale_hotspots=10";

/// Generations of a life; and a garden's training has this part of the steps, a limit this part of the episodes.
const GENERATIONS: u32 = 1000;
const PARTS: (u64, u32) = (200, 15);

pub const STUDY: Study = Study {
    name: "limits",
    question: "Which agent carries the most drift in the cluster and in the garden, with the control layer and without? (Prophet in the cluster: trained once over drifts from 0.018 to 0.027; gardens: a 200th of --steps, a 15th of --episodes)",
    size: Size { seeds: 10, steps: 10_000_000, episodes: 300 },
    cells,
    measures: &[],
    values: None,
    report: Some("report"),
};

fn cells(dir: &Path, size: Size) -> Vec<Cell> {
    let mut cells = Vec::new();
    let trainings: Vec<String> = (1..=size.seeds).map(|seed| format!("train-seed-{seed}")).collect();
    for (seed, name) in (1..).zip(&trainings) {
        cells.push(Cell::training(name.clone(), seed, size.steps, &TRAINED));
    }
    let mut limits = Vec::new();
    for (side, control) in SIDES {
        let plain = ["--env", "k8s", "--set", control];
        let mut add = |name: &str, agents: &[String], needs: &[String], words: &[&str]| {
            let name = format!("limit{name}{side}");
            limits.push(name.clone());
            cells.push(Cell::limit(name, agents, needs, (LIFE, size.episodes), words));
        };
        add("", &with(&CLUSTER, dir, &trainings), &trainings, &plain);
        add("-tour", &["patrol".to_owned()], &[], &[&plain[..], &["--set", TOUR]].concat());
        cells.extend(of_gardens(dir, size, side, control, &mut limits));
    }
    let paths: Vec<String> = limits.iter().map(|name| below(dir, name)).collect();
    let words: Vec<&str> = std::iter::once("analyze").chain(paths.iter().map(String::as_str)).collect();
    cells.push(Cell::other("report", &words, limits, 0));
    cells
}

/// Trainings in the garden, each with the control layer that it is then measured with, and their limits.
fn of_gardens(dir: &Path, size: Size, side: &str, control: &str, limits: &mut Vec<String>) -> Vec<Cell> {
    let (steps, episodes) = ((size.steps / PARTS.0).max(1), size.episodes.div_ceil(PARTS.1));
    let names: Vec<String> = (1..=size.seeds).map(|seed| format!("train-garden{side}-seed-{seed}")).collect();
    let training =
        |(seed, name): (u32, &String)| Cell::training_in("gardener", name.clone(), seed, steps, &[control]);
    let mut cells: Vec<Cell> = (1..).zip(&names).map(training).collect();
    let (name, agents) = (format!("limit-garden{side}"), with(&GARDEN, dir, &names));
    limits.push(name.clone());
    let words = ["--env", "gardener", "--set", control];
    let cell = Cell::limit(name, &agents, &names, (GENERATIONS, episodes), &words);
    let generations = cell.steps;
    cells.push(cell.of(generations, GENERATION));
    cells
}

/// Agents that are not trained, and those of the cells `trainings`.
fn with(agents: &[&str], dir: &Path, trainings: &[String]) -> Vec<String> {
    let named = agents.iter().map(|agent| (*agent).to_owned());
    named.chain(trainings.iter().map(|name| prophet(dir, name))).collect()
}
