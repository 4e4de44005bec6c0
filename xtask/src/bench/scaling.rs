//! How the cluster's speed goes with the number of environments and of threads.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use super::options::Options;
use super::outside::json_rate;
use super::stats::{Pairs, grouped, median, ratio};
use super::tools::Tools;
use crate::workspace::answer;

/// Numbers of clusters of the curve.
const CLUSTERS: [usize; 6] = [1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20];
/// Steps of a slice in a rollout.
const STEPS: &str = "64";
/// Bytes of the buffers that the bandwidth is measured with: far beyond any cache.
const BUFFER: usize = 256 << 20;

/// Measures both curves, the bandwidth, and two threads beside two processes; writes the tables.
pub(super) fn measure(tools: &Tools, options: &Options) -> Result<(), String> {
    let mut text = curve(tools, options)?;
    text += &threads(tools, options)?;
    text += &format!("\n`{}`\n\n{}", options.shown(), tools.about());
    tools.record("scaling.md", &text)
}

/// One run of `throughput`: steps a second.
fn speed(binary: &Path, threads: &str, clusters: usize, more: &[&str], seconds: f64) -> Result<f64, String> {
    json_rate(&answer(&mut program(binary, threads, clusters, more, seconds))?, "steps_per_second")
}

fn program(binary: &Path, threads: &str, clusters: usize, more: &[&str], seconds: f64) -> Command {
    let mut command = Command::new(binary);
    command.args(["--threads", threads, "throughput", "--num-envs", &clusters.to_string()]);
    command.args(["--seconds", &seconds.to_string()]).args(more);
    command
}

/// Bytes a second of one core that copies from memory to memory, each byte read and written.
fn bandwidth(from: &[u8], to: &mut [u8]) -> f64 {
    let start = Instant::now();
    to.copy_from_slice(std::hint::black_box(from));
    std::hint::black_box(&to);
    2.0 * from.len() as f64 / start.elapsed().as_secs_f64()
}

/// Lockstep and slices, from small vectors to large ones, in turns.
fn curve(tools: &Tools, options: &Options) -> Result<String, String> {
    let (from, mut to) = (vec![1_u8; BUFFER], vec![2_u8; BUFFER]);
    let mut found = vec![(Vec::new(), Vec::new()); CLUSTERS.len()];
    let mut copied = Vec::new();
    for round in 0..options.pairs {
        for (&clusters, (lockstep, slices)) in CLUSTERS.iter().zip(&mut found) {
            lockstep.push(speed(&tools.binary, "1", clusters, &[], options.seconds)?);
            slices.push(speed(&tools.binary, "1", clusters, &["--rollout", STEPS], options.seconds)?);
        }
        copied.push(bandwidth(&from, &mut to));
        println!("   curve: round {} of {}", round + 1, options.pairs);
    }
    let bytes = answer(&mut program(&tools.binary, "1", CLUSTERS[0], &[], 0.01))
        .and_then(|text| json_rate(&text, "bytes_per_env"))?;
    // Each step of lockstep reads a cluster and what belongs to it, and writes nearly all of it.
    let traffic = |rate: f64| 2.0 * bytes * rate / 1e9;
    let mut text = format!(
        "# Cluster speed by number of clusters\n\nSteps a second on one thread, random actions, medians of {} rounds. Lockstep: one step of all, then the next. Slices: {STEPS} steps of as many as fit the second \
         cache, then of the next ones. A cluster with its observation, reward, flags and action has {bytes} bytes. The traffic is that of lockstep if every byte comes from memory and goes back; a core that \
         copies 256 MiB moves {:.1} GB a second here.\n\n| clusters | lockstep | slices | traffic of lockstep, GB/s |\n|---|---|---|---|\n",
        options.pairs,
        median(&copied) / 1e9,
    );
    for (clusters, (lockstep, slices)) in CLUSTERS.iter().zip(&found) {
        let (lockstep, slices) = (median(lockstep), median(slices));
        text += &format!(
            "| {} | {} | {} | {:.1} |\n",
            grouped(*clusters as f64),
            grouped(lockstep),
            grouped(slices),
            traffic(lockstep)
        );
    }
    for (name, of) in [("lockstep", 0), ("slices", 1)] {
        let medians: Vec<f64> =
            found.iter().map(|(lockstep, slices)| median(if of == 0 { lockstep } else { slices })).collect();
        let (low, high) =
            medians.iter().fold((f64::MAX, 0.0_f64), |(low, high), &rate| (low.min(rate), high.max(rate)));
        text += &format!("\nThe slowest size of {name} is at {} of the fastest.", ratio(low / high));
    }
    Ok(text + "\n")
}

/// Two threads beside two processes of one thread each that run at the same time.
fn threads(tools: &Tools, options: &Options) -> Result<String, String> {
    let mut text = String::from(
        "\n# Two threads compared with two processes\n\nOne process with two threads, and two with one thread and half of the clusters each, at the same time.\n\n\
         | | two threads, steps/s | two processes together, steps/s | ratio | 95% | pairs |\n|---|---|---|---|---|---|\n",
    );
    for (what, clusters, more) in [
        ("lockstep, 4,096", 1 << 12, &[][..]),
        ("lockstep, 65,536", 1 << 16, &[]),
        ("slices, 65,536", 1 << 16, &["--rollout", STEPS]),
    ] {
        let mut pairs = Pairs::default();
        for _ in 0..options.pairs {
            let together = speed(&tools.binary, "2", clusters, more, options.seconds)?;
            let apart = std::thread::scope(|scope| {
                let one = || speed(&tools.binary, "1", clusters / 2, more, options.seconds);
                let other = scope.spawn(one);
                let first = one()?;
                let second = other.join().map_err(|_| "a run next to another failed".to_owned())??;
                Ok::<f64, String>(first + second)
            })?;
            pairs.rates.push((together, apart));
        }
        println!("   {what}: {}", pairs.listed());
        text += &format!("| {what} | {} |\n", pairs.cells());
    }
    Ok(text)
}
