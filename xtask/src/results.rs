//! The recorded outcomes: each folder of results/ is a run directory with what its command printed.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::{cargo, cargo_program, root};

/// Folder of results/, command, and what it shows.
const RESULTS: [(&str, &str, &str); 11] = [
    (
        "benchmark-k8s",
        "benchmark --env k8s --agents random,heuristic,planner,idle --episodes 50 --seed 1",
        "the agents on rules v4.5",
    ),
    (
        "benchmark-k8s-v4.6",
        "benchmark --env k8s-v4.6 --agents random,heuristic,planner,idle --episodes 200 --seed 1",
        "the agents on rules v4.6",
    ),
    (
        "benchmark-storm",
        "benchmark --env k8s --preset storm --agents random,heuristic,planner --episodes 1000 --seed 1",
        "the agents when memory leaks 1.6 times as fast",
    ),
    (
        "garden-evolved",
        "gardener --generations 2000 --runs 3 --seed 1 --agent evolved",
        "evolved brains lose the garden while the verdict says creative",
    ),
    (
        "garden-heuristic",
        "gardener --generations 2000 --runs 3 --seed 1 --agent heuristic",
        "heuristic gardeners hold it",
    ),
    (
        "garden-heuristic-no-control",
        "gardener --generations 2000 --runs 3 --seed 1 --agent heuristic --no-control",
        "and hold it cleaner without the control layer",
    ),
    (
        "controls",
        "controls --episodes 200 --seed 1",
        "does control help? evolved gardeners; a random agent in the storm",
    ),
    (
        "controls-k8s-heuristic",
        "controls --env k8s --agent heuristic --episodes 200 --seed 1 --set mem_drift_mu=0.02",
        "does it help a competent agent under a drift that overwhelms it?",
    ),
    (
        "controls-gardener-saturation",
        "controls --env gardener --episodes 200 --seed 1 --set risk.w_saturation=1 --set control.stop_breeding=true",
        "a risk that sees saturation, and control that stops breeding",
    ),
    (
        "throughput-k8s",
        "throughput --env k8s --num-envs 4096 --threads 1 --seconds 5",
        "cluster steps a second on one thread",
    ),
    (
        "throughput-gardener",
        "throughput --env gardener --threads 1 --seconds 5",
        "garden generations a second on one thread",
    ),
];

/// Makes all of results/ again, and its table of contents.
pub(crate) fn make() -> Result<(), String> {
    cargo("building", &["build", "--release"])?;
    let folder = root().join("results");
    let problem = |what: &str, error: std::io::Error| format!("cannot {what}: {error}");
    let mut contents = String::from(
        "# Recorded outcomes\n\nEach folder is a run directory: config.toml, run.json (commit, host, threads, times), its CSV files and figures, and in output.txt what the command printed. \
         `cargo xtask results` makes all of them and this page again; `resonetics rerun results/NAME` repeats one and compares its CSV files (not the two of throughput: they measure this machine). [training-speed](training-speed/table.md) is apart: a table made by hand, with Python (CONTRIBUTING).\n",
    );
    for (name, command, what) in RESULTS {
        println!("\n== {name}: resonetics {command}");
        let out = folder.join(name);
        if out.join("run.json").exists() {
            fs::remove_dir_all(&out).map_err(|error| problem("replace a result", error))?;
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
    fs::write(folder.join("README.md"), contents).map_err(|error| problem("write README.md", error))
}
