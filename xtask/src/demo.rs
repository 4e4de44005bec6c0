//! `cargo xtask demo`: what the project does, in a few minutes.

use crate::workspace::{cargo, root};

/// Runs the binary, wherever cargo has put it.
fn resonetics(what: &str, arguments: &[&str]) -> Result<(), String> {
    cargo(what, &[&["run", "--release", "--quiet", "--"], arguments].concat())
}

pub(crate) fn run() -> Result<(), String> {
    cargo(
        "building (the first time four to five minutes of processor time, half of that on two idle cores)",
        &["build", "--release"],
    )?;
    let root = root().canonicalize().map_err(|error| format!("cannot find the repository root: {error}"))?;
    let runs = root.join("runs");
    let number = (1..10_000).find(|number| !runs.join(format!("demo-{number:04}")).exists()).unwrap_or(1);
    let folder = format!("runs/demo-{number:04}");
    let out = |name: &str| format!("{folder}/{name}");
    let [drifts, limit, evolved, heuristic, prophet, benchmark] =
        ["prophet-drifts", "limit", "garden-evolved", "garden-heuristic", "prophet", "benchmark"].map(out);
    let over = ["--set", "max_steps=2000", "--set", "train.doses.values=[0.018,0.027]"];
    let training = ["train", "--env", "k8s", "--steps", "2000000", "--seed", "1", "--no-monitor"];
    resonetics(
        "Prophet learns from scratch to keep clusters alive whose memory leaks 3.6 to 5.4 times as fast as the reference's (some 20 seconds)",
        &[&training[..], &over, &["--out", &drifts]].concat(),
    )?;
    let agents = format!("random,heuristic,planner,patrol,prophet:{drifts}");
    let words =
        ["limit", "--env", "k8s", "--agents", &agents, "--life", "2000", "--episodes", "100", "--seed", "1"];
    resonetics(
        "how much drift each agent carries: the leak at which half of 100 clusters are lost within 2,000 steps",
        &[&words[..], &["--out", &limit]].concat(),
    )?;
    let garden = ["gardener", "--generations", "2000", "--seed", "1", "--agent"];
    resonetics(
        "a garden of evolved brains under the reference rules: dirt wins",
        &[&garden[..], &["evolved", "--out", &evolved]].concat(),
    )?;
    resonetics(
        "the same garden with heuristic gardeners: they hold it",
        &[&garden[..], &["heuristic", "--out", &heuristic]].concat(),
    )?;
    resonetics(
        "Prophet learns a cluster under the reference drift, where everybody lives and returns decide (some seconds)",
        &["train", "--env", "k8s", "--steps", "400000", "--seed", "1", "--no-monitor", "--out", &prophet],
    )?;
    let agents = format!("random,heuristic,planner,prophet:{prophet}");
    let run = ["--agents", &agents, "--episodes", "200", "--seed", "1", "--out", &benchmark];
    resonetics(
        "the same clusters, 200 paired seeds: random, heuristic, a planner that sees everything, Prophet",
        &[&["benchmark"], &run[..]].concat(),
    )?;
    let report = out("report");
    resonetics(
        "everything on one page",
        &["report", &limit, &drifts, &benchmark, &prophet, &evolved, &heuristic, "--quiet", "--out", &report],
    )?;
    println!("\nOpen next:");
    println!("  {limit}/limit-k8s.svg            who carries how much drift, with intervals");
    println!("  {evolved}/resonetics_data.csv    2,000 generations: dirt, population, risk, verdict");
    println!("  {heuristic}/resonetics_data.csv  the same where the gardeners win");
    println!("  {prophet}/training.csv            what Prophet learned, update by update");
    println!("  {benchmark}/benchmark.csv        the comparison with its intervals");
    println!("  {benchmark}/episodes.csv         every episode with its seed");
    println!("  {benchmark}/config.toml          all that the run depends on");
    println!("\nThen: cargo run --release -- rerun {benchmark}   repeats it, bit for bit");
    println!("      cargo run --release -- serve {prophet}   these runs and live worlds in a browser");
    println!("      cargo run --release -- watch gardener      a garden, live in the terminal");
    println!("      cargo run --release -- controls            does the control layer help?");
    println!("      cargo run --release -- experiments         everything there is to run");
    println!("\nThe report, for any browser: {}", root.join(&report).join("report.html").display());
    Ok(())
}
