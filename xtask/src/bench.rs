//! Speed: criterion's benches, instruction counts, other implementations beside ours, and one commit
//! beside another. Whatever is timed is a ratio of interleaved runs: noise falls on both sides alike.

use std::process::Command;

use crate::venv;
use crate::workspace::{cargo, root};

mod compare;
mod git;
pub(crate) mod gpu;
mod instructions;
mod options;
mod outside;
mod peers;
mod python;
mod scaling;
mod stats;
mod sure;
mod tools;

pub(crate) use self::options::{Options, USAGE};
use self::tools::Tools;

/// Does what the options say.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let tools = Tools::find()?;
    if let Some(revisions) = &options.compare {
        return compare::run(&tools, options, revisions);
    }
    if options.from_python {
        return from_python(&tools, options);
    }
    cargo("building", &["build", "--release"])?;
    if !options.no_criterion {
        let bench = ["bench", "--package", "resonetics-benches", "--bench", "k8s", "--bench", "gardener"];
        cargo("criterion's benches", &[&bench[..], &["--", "--quick"]].concat())?;
    }
    println!("\n== instructions of each part");
    instructions::count(&tools)?;
    println!("\n== the cluster by size and threads");
    scaling::measure(&tools, options)?;
    println!("\n== training with a sure policy");
    let sure = sure::measure(&tools, options);
    println!("\n== the cluster compared with other implementations");
    let beside = peers::measure(&tools, options);
    println!("\n== training compared with Stable-Baselines3");
    let trained = training(&tools, options);
    let problems: Vec<String> = [sure, beside, trained].into_iter().filter_map(Result::err).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

/// What Python costs, which Python measures.
fn from_python(tools: &Tools, options: &Options) -> Result<(), String> {
    cargo("building", &["build", "--release", "--workspace"])?;
    let (_, wheel) = crate::python::built()?;
    let program = venv::provide(&tools.venv(), &[&python::VECTORS[..], &python::FROM_PYTHON].concat())?;
    crate::python::install(&program, &wheel)?;
    let table = "results/performance/python.md";
    let mut command = Command::new(program);
    command.arg("benches/peers/from_python.py").arg(&tools.binary).arg(table);
    command.args(["--pairs", &options.pairs.to_string(), "--seconds", &options.seconds.to_string()]);
    let status = command.current_dir(root()).status();
    let status = status.map_err(|error| format!("cannot run Python: {error}"))?;
    if !status.success() {
        return Err(format!("the measurement failed ({status}); what it said is above"));
    }
    println!("   into {table}");
    Ok(())
}

/// The comparison of trainings, which Python makes; skipped with a note where it cannot be installed.
fn training(tools: &Tools, options: &Options) -> Result<(), String> {
    if options.no_python {
        println!("   skipped: training (--no-python)");
        return Ok(());
    }
    let packages = [&python::VECTORS[..], &python::TRAINING].concat();
    let program = match venv::provide(&tools.venv(), &packages) {
        Ok(program) => program,
        Err(problem) => {
            println!("   skipped: training ({problem})");
            return Ok(());
        }
    };
    let table = "results/performance/training.md";
    let mut command = Command::new(program);
    command.arg("benches/peers/compare_training.py").arg(&tools.binary).arg(table);
    command.args(["--pairs", &options.pairs.to_string(), "--seconds", &options.seconds.to_string()]);
    let status =
        command.current_dir(root()).status().map_err(|error| format!("cannot run Python: {error}"))?;
    if !status.success() {
        return Err(format!("the comparison of trainings failed ({status}); what it said is above"));
    }
    println!("   into {table}");
    Ok(())
}
