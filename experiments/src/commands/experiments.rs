//! `experiments`: what there is to run, and how.

use resonetics_runs::Error;

use crate::out::say;

const EXPERIMENTS: [(&str, &str); 21] = [
    ("cargo xtask demo", "two gardens, a training, a benchmark, and a report of all"),
    (
        "cargo run --release -- benchmark --env k8s --agents random,heuristic,planner --episodes 50 --seed 1",
        "agents on paired seeds, with intervals",
    ),
    (
        "cargo run --release -- benchmark --agents patrol,planner,heuristic --set mem_drift_mu=0.02 --set max_steps=2000",
        "who keeps a cluster alive whose memory leaks four times as fast?",
    ),
    (
        "cargo run --release -- limit --env k8s --agents heuristic,planner,patrol --life 2000 --seed 1",
        "how much drift does each agent carry? the dose at which half of the systems are lost",
    ),
    (
        "cargo run --release -- gardener --generations 2000 --seed 1 --agent heuristic",
        "a garden, logged generation by generation",
    ),
    (
        "cargo run --release -- gardener --generations 2000 --seed 1 --runs 20",
        "twenty gardens of evolved brains: how long do they last?",
    ),
    (
        "cargo run --release -- controls --episodes 200 --seed 1",
        "does the control layer help? survival with and without it",
    ),
    (
        "cargo run --release -- train --env k8s --steps 400000 --seed 1 --out runs/prophet",
        "Prophet learns from scratch to keep the cluster",
    ),
    (
        "cargo run --release -- eval --run runs/prophet --episodes 1000 --seed 2",
        "what it has learned, on fresh clusters; --obs-noise 0.1 and --drift-scale 3 make it harder",
    ),
    (
        "cargo run --release -- benchmark --agents random,heuristic,planner,prophet:runs/prophet --episodes 1000 --seed 3",
        "Prophet among the other agents",
    ),
    (
        "cargo run --release -- drift --steps 2000 --seed 1",
        "does a learning rate driven by predicted risk track a drifting target?",
    ),
    (
        "cargo run --release -- benchmark --preset storm --agents random,heuristic --episodes 1000 --seed 1",
        "the same agents when memory leaks faster",
    ),
    (
        "cargo run --release -- record k8s --agent planner --steps 100 --seed 1",
        "a trace that `replay` replays",
    ),
    (
        "cargo run --release -- watch gardener --seed 1 --gif garden.gif",
        "a garden to look at; in the terminal without --gif",
    ),
    (
        "cargo run --release -- watch k8s --agent prophet:runs/prophet --seed 1 --gif prophet.gif",
        "a trained Prophet at work; in the terminal without --gif",
    ),
    ("cargo run --release -- serve", "a page with live worlds, the runs and their charts"),
    ("cargo run --release -- analyze runs", "everything below runs/: statistics, figures, one page to read"),
    ("cargo run --release -- report runs/prophet", "the same for single runs, side by side"),
    (
        "cargo run --release -- rerun runs/benchmark-0001",
        "the same run again from its config.toml: are its files the same?",
    ),
    ("cargo run --release -- study --list", "questions that many runs answer together, with what each costs"),
    ("cargo run --release -- throughput --env k8s --threads 1", "steps a second"),
];

pub fn run() -> Result<(), Error> {
    for (command, what) in EXPERIMENTS {
        say(format_args!("{what}\n    {command}"))?;
    }
    Ok(())
}
