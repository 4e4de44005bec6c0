//! The recorded outcomes: each folder of results/ is a run directory with what its command printed.

mod lab;
mod proofs;
mod signals;

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::workspace::{cargo, cargo_program, root};

/// Folder of results/, command, and what it shows.
const RESULTS: [(&str, &str, &str); 25] = [
    (
        "train-k8s-drifts",
        "train --env k8s --steps 10000000 --seed 1 --set max_steps=2000 --set train.doses.values=[0.018,0.027] --no-monitor",
        "Prophet learns from scratch to live long: each episode has a drift of its own, 3.6 to 5.4 times the reference's",
    ),
    (
        "limit-k8s",
        "limit --env k8s --agents random,heuristic,planner,patrol,prophet:results/train-k8s-drifts --life 2000 --episodes 100 --seed 1",
        "how much drift each agent carries in the cluster; the planner sees all nodes, Prophet and patrol nine of them",
    ),
    (
        "limit-k8s-control",
        "limit --env k8s --agents random,heuristic,planner,patrol,prophet:results/train-k8s-drifts --life 2000 --episodes 100 --seed 1 --set control.enabled=true",
        "the same with the control layer",
    ),
    (
        "benchmark-k8s",
        "benchmark --env k8s --agents random,heuristic,planner,idle --episodes 50 --seed 1",
        "random, heuristic, planner and idle agents on rules v4.5",
    ),
    (
        "benchmark-k8s-v4.6",
        "benchmark --env k8s-v4.6 --agents random,heuristic,planner,idle --episodes 200 --seed 1",
        "random, heuristic, planner and idle agents on rules v4.6",
    ),
    (
        "benchmark-storm",
        "benchmark --env k8s --preset storm --agents random,heuristic,planner --episodes 1000 --seed 1",
        "random, heuristic and planner agents on rules v4.5, with memory that leaks 1.6 times as fast",
    ),
    (
        "garden-evolved",
        "gardener --generations 2000 --runs 3 --seed 1 --agent evolved",
        "evolved brains lose the garden while the verdict still says creative",
    ),
    (
        "garden-heuristic",
        "gardener --generations 2000 --runs 3 --seed 1 --agent heuristic",
        "heuristic gardeners keep the garden alive",
    ),
    (
        "garden-heuristic-no-control",
        "gardener --generations 2000 --runs 3 --seed 1 --agent heuristic --no-control",
        "without the control layer they keep it cleaner",
    ),
    (
        "controls",
        "controls --episodes 200 --seed 1",
        "does control help? evolved gardeners; a random agent in the storm",
    ),
    (
        "controls-k8s-heuristic",
        "controls --env k8s --agent heuristic --episodes 200 --seed 1 --set mem_drift_mu=0.02",
        "does control help the rule of thumb under a drift that overwhelms it?",
    ),
    (
        "controls-gardener-saturation",
        "controls --env gardener --episodes 200 --seed 1 --set risk.w_saturation=1 --set control.stop_breeding=true",
        "does control help with a risk that includes saturation, and with breeding stopped?",
    ),
    (
        "train-k8s",
        "train --env k8s --steps 400000 --seed 1 --no-monitor",
        "Prophet learns the cluster from scratch: native learner, default settings",
    ),
    (
        "eval-k8s",
        "eval --run results/train-k8s --episodes 1000 --seed 2",
        "the trained Prophet on 1,000 fresh clusters, deterministic actions",
    ),
    (
        "eval-k8s-noise",
        "eval --run results/train-k8s --episodes 1000 --seed 2 --obs-noise 0.1",
        "the same with noise on every observed number",
    ),
    (
        "eval-k8s-drift",
        "eval --run results/train-k8s --episodes 1000 --seed 2 --drift-scale 3",
        "the same with memory that leaks three times as fast as in training",
    ),
    (
        "benchmark-prophet",
        "benchmark --env k8s --agents random,heuristic,planner,prophet:results/train-k8s --episodes 1000 --seed 3",
        "Prophet compared with the other agents; the planner sees all nodes, Prophet nine of them",
    ),
    (
        "train-gardener",
        "train --env gardener --steps 50000 --seed 1 --no-monitor",
        "one policy for all gardeners, learned from scratch",
    ),
    (
        "limit-gardener",
        "limit --env gardener --agents evolved,heuristic,patrol,prophet:results/train-gardener --life 1000 --episodes 20 --seed 1",
        "how fast dirt may grow for each kind of gardener",
    ),
    (
        "benchmark-prophet-gardener",
        "benchmark --env gardener --agents heuristic,prophet:results/train-gardener --episodes 50 --seed 3",
        "Prophet beside the heuristic: what both earn, and how much dirt they leave",
    ),
    (
        "throughput-train",
        "throughput --train --threads 1 --seconds 5 --set train.num_envs=8 --set train.horizon=256 --set train.epochs=10 --set train.minibatch=64",
        "training steps per second at the sizes of common PPO examples, on one thread",
    ),
    (
        "throughput-train-large",
        "throughput --train --recipe large --threads 2 --seconds 5",
        "training steps per second with large vectors, on two threads",
    ),
    (
        "throughput-k8s",
        "throughput --env k8s --num-envs 4096 --threads 1 --seconds 5",
        "cluster steps per second on one thread",
    ),
    (
        "throughput-gardener",
        "throughput --env gardener --threads 1 --seconds 5",
        "garden generations per second on one thread",
    ),
    (
        "throughput-gardener-80",
        "throughput --env gardener --agent heuristic --set init_agents=80 --set min_population=80 --threads 1 --seconds 5",
        "garden generations per second with 80 heuristic gardeners",
    ),
];

/// Makes those of results/ again that are named, all of them if none is, and the table of contents; and signs them.
pub(crate) fn make(names: &[String]) -> Result<(), String> {
    let known: Vec<&str> =
        RESULTS.iter().map(|(known, ..)| *known).chain([lab::NAME, signals::NAME, proofs::NAME]).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(format!("there is no result `{unknown}`; known are: {}", known.join(", ")));
    }
    cargo("building", &["build", "--release", "--workspace", "--bin", "resonetics"])?;
    if names.is_empty() || names.iter().any(|name| name == signals::NAME) {
        signals::make()?;
    }
    if names.is_empty() || names.iter().any(|name| name == lab::NAME) {
        lab::make()?;
    }
    let folder = root().join("results");
    let problem = |what: &str, error: std::io::Error| format!("cannot {what}: {error}");
    let mut contents = String::from(
        "# Recorded outcomes\n\nEach folder is a run directory: config.toml, run.json (commit, host, threads, times), its CSV files and figures, and output.txt with what the command printed. \
         `cargo xtask results` makes all of them and this page again; `resonetics rerun results/NAME` repeats one and compares its CSV files (throughput has none). The folders study-… hold what studies answered (`resonetics study NAME --out DIR`, read in docs/EVIDENCE.md). [signals](signals/output.txt) says what Lumen's signals were worth on watched runs, and [lab](lab/output.txt) what its estimators of effects say of noise, and of plants whose truth is known (docs/LUMEN.md). [performance](performance) is different: its tables of speed ratios come from `cargo xtask bench`. Beside each folder lies its proof, signed by a key that was made when they were last renewed and then forgotten: the next renewal (`cargo xtask results proofs`, and every other `cargo xtask results`) makes another key, log and set of proofs. docs/VERIFY.md says how to check them.\n",
    );
    for (name, command, what) in RESULTS {
        let out = folder.join(name);
        let printed = if names.is_empty() || names.iter().any(|made| made == name) {
            made(name, command, &out)?
        } else {
            fs::read_to_string(out.join("output.txt")).map_err(|error| problem("read output.txt", error))?
        };
        contents += &format!("\n## {name}\n{what}\n\n```\n$ resonetics {command}\n{printed}```\n");
        let files = fs::read_dir(&out).map_err(|error| problem("read a result", error))?.flatten();
        let mut figures: Vec<String> = files
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|file| Path::new(file).extension().is_some_and(|extension| extension == "svg"))
            .collect();
        figures.sort();
        for file in figures {
            contents += &format!("\n![{name}: {file}]({name}/{file})\n");
        }
    }
    fs::write(folder.join("README.md"), contents).map_err(|error| problem("write README.md", error))?;
    proofs::renew()
}

/// Runs `command` in place of the result `name` in `out`, and keeps and returns what it printed.
fn made(name: &str, command: &str, out: &Path) -> Result<String, String> {
    let problem = |what: &str, error: std::io::Error| format!("cannot {what}: {error}");
    println!("\n== {name}: resonetics {command}");
    if out.join("run.json").exists() {
        fs::remove_dir_all(out).map_err(|error| problem("replace a result", error))?;
    }
    let out_argument = format!("results/{name}");
    let output = Command::new(cargo_program())
        .args(["run", "--release", "--quiet", "--"])
        .args(command.split(' '))
        .args(["--quiet", "--out", &out_argument])
        .current_dir(root())
        .output()
        .map_err(|error| problem("run resonetics", error))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    print!("{printed}{}", String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        return Err(format!("{name} ({})", output.status));
    }
    fs::write(out.join("output.txt"), &printed).map_err(|error| problem("write output.txt", error))?;
    Ok(printed)
}
