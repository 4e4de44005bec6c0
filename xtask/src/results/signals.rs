//! What Lumen's signals were worth on watched runs: `results/signals/output.txt`. The runs, whose logs are long, stay below
//! target.

use std::fs;
use std::process::Command;

use crate::workspace::{answer, root};

/// The name of the result.
pub(super) const NAME: &str = "signals";

/// A name and its command.
const RUNS: [(&str, &str); 9] = [
    ("garden-evolved", "gardener --generations 500 --runs 20 --seed 1 --agent evolved"),
    ("garden-heuristic", "gardener --generations 500 --runs 20 --seed 1 --agent heuristic"),
    ("cluster-random", "benchmark --agents random --episodes 500 --seed 1"),
    ("cluster-storm", "benchmark --agents random,heuristic --preset storm --episodes 500 --seed 1"),
    (
        "cluster-storm-control",
        "benchmark --agents random,heuristic --preset storm --episodes 500 --seed 1 --set control.enabled=true",
    ),
    ("cluster-drift", "benchmark --agents heuristic --episodes 500 --seed 1 --set mem_drift_mu=0.02"),
    ("training", "train --steps 400000 --seed 1 --no-monitor"),
    ("training-prophet", "train --steps 400000 --seed 1 --set train.schedule=\"prophet\" --no-monitor"),
    ("drift", "drift --steps 20000 --seed 1 --centred-risk --no-monitor"),
];

/// Watches the runs and writes what their signals were worth.
pub(super) fn make() -> Result<(), String> {
    println!("\n== {NAME}");
    let program = root().join("target/release/resonetics");
    let place = root().join("target/results-signals");
    if place.exists() {
        fs::remove_dir_all(&place).map_err(|error| format!("cannot remove {}: {error}", place.display()))?;
    }
    fs::create_dir_all(&place).map_err(|error| format!("cannot create {}: {error}", place.display()))?;
    let run = |words: &[&str]| {
        let mut command = Command::new(&program);
        answer(command.args(words).current_dir(&place))
    };
    let mut text = String::new();
    for (name, command) in RUNS {
        let words: Vec<&str> = command.split(' ').chain(["--lumen", "--quiet", "--out", name]).collect();
        run(&words)?;
        let table = run(&["lumen", "signals", "--table", name])?;
        text += &format!(
            "$ resonetics {command} --lumen --out {name}\n$ resonetics lumen signals --table {table}\n"
        );
    }
    print!("{text}");
    let out = root().join("results").join(NAME);
    fs::create_dir_all(&out).map_err(|error| format!("cannot create {}: {error}", out.display()))?;
    fs::write(out.join("output.txt"), text).map_err(|error| format!("cannot write output.txt: {error}"))
}
