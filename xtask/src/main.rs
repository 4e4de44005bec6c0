//! `cargo xtask demo` shows what the project does, `cargo xtask test` checks all of it,
//! `cargo xtask results` makes the recorded outcomes again, `cargo xtask bench` measures the speed,
//! `cargo xtask libtorch` provides libtorch.
//! The demo and the results need nothing but a Rust toolchain; cargo fetches the rest. libtorch, and
//! the tests with it, need Python's pip and a C++ compiler too.
#![allow(clippy::print_stdout)] // saying what it does is its job

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

mod arrows;
mod bench;
mod browser;
mod checks;
mod libtorch;
mod results;

const USAGE: &str =
    "usage: cargo xtask demo | test [--no-torch] [--no-browser] | arrows | results | bench … | libtorch [--cuda]

  demo      builds, runs two gardens, trains Prophet, benchmarks it, writes into runs/, ends with the path of a report
  test      format, lints with warnings denied, documentation, all tests and examples, with libtorch
            (provided if need be, see below) and without; --no-torch: only without. The page is tested in
            Chromium, which is installed where there is none and apt-get may be used; --no-browser: it is
            not installed and what needs it is skipped. Says what it will do and how long before it begins
  arrows    checks that each crate needs only those below it, and that no files need each other in a circle
  results   makes everything in results/ again
  bench     measures the speed beside other implementations, or one commit's beside another's:
            cargo xtask bench --help
  libtorch  provides libtorch 2.11.0 for `--features torch`: LIBTORCH, the PyTorch of python3, or fetched
            with pip into a cache (545 MB, for the CPU on Linux x86-64); --cuda: with its CUDA part (2.5 GB)
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["demo"] => demo(),
        ["test", ref words @ ..] => {
            let Some(options) = checks::Options::parse(words) else {
                print!("{USAGE}");
                return ExitCode::from(2);
            };
            checks::run(&options)
        }
        ["arrows"] => arrows::check(),
        ["results"] => results::make(),
        ["bench", "--help"] => {
            print!("{}", bench::USAGE);
            return ExitCode::SUCCESS;
        }
        ["bench", ref words @ ..] => {
            match bench::Options::parse(words).and_then(bench::Options::with_commits) {
                Ok(options) => bench::run(&options),
                Err(problem) => {
                    print!("{problem}\n\n{}", bench::USAGE);
                    return ExitCode::from(2);
                }
            }
        }
        ["libtorch"] => libtorch::provide(false),
        ["libtorch", "--cuda"] => libtorch::provide(true),
        _ => {
            print!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            println!("\nfailed: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace, wherever this is called from.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Says what is about to happen and why, runs it, and fails if it fails.
fn cargo(what: &str, arguments: &[&str]) -> Result<(), String> {
    cargo_with(what, arguments, None)
}

/// The same with an environment variable.
fn cargo_with(what: &str, arguments: &[&str], variable: Option<(&str, &str)>) -> Result<(), String> {
    println!("\n== {what}");
    println!("   cargo {}", arguments.join(" "));
    let start = Instant::now();
    let mut command = Command::new(cargo_program());
    command.args(arguments).current_dir(root());
    // A document with a broken link is a broken document.
    command.env("RUSTDOCFLAGS", "-D warnings").envs(variable);
    let status = command.status().map_err(|error| format!("cannot run cargo: {error}"))?;
    if !status.success() {
        return Err(format!("{what} ({status})"));
    }
    println!("   done in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// The cargo that runs this.
fn cargo_program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Runs the binary, wherever cargo has put it.
fn resonetics(what: &str, arguments: &[&str]) -> Result<(), String> {
    cargo(what, &[&["run", "--release", "--quiet", "--"], arguments].concat())
}

fn demo() -> Result<(), String> {
    cargo(
        "building (the first time four to five minutes of processor time, half of that on two idle cores)",
        &["build", "--release"],
    )?;
    let root = root().canonicalize().map_err(|error| format!("where am I? {error}"))?;
    let runs = root.join("runs");
    let number = (1..10_000).find(|number| !runs.join(format!("demo-{number:04}")).exists()).unwrap_or(1);
    let folder = format!("runs/demo-{number:04}");
    let out = |name: &str| format!("{folder}/{name}");
    let [evolved, heuristic, prophet, benchmark] =
        ["garden-evolved", "garden-heuristic", "prophet", "benchmark"].map(out);
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
        "Prophet learns from scratch to keep a cluster whose memory leaks (some seconds)",
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
        "all of it on one page",
        &["report", &benchmark, &prophet, &evolved, &heuristic, "--quiet", "--out", &report],
    )?;
    println!("\nOpen next:");
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
