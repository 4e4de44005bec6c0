//! `resonetics`: experiments on systems that drift toward collapse.
#![allow(unreachable_pub)] // a binary exports nothing

mod claim;
mod cli;
mod commands;
mod drift;
mod failure;
mod files;
mod findings;
mod garden_csv;
mod inputs;
mod interrupt;
mod memory;
mod monitor;
mod out;
mod progress;
mod rollout;
mod run_dir;
mod serve;
mod setup;
mod tensorboard;
mod trace;
mod training;
mod unfinished;
mod view;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match interrupt::install().and_then(|()| commands::run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Standard error may be closed as well, and eprintln! would panic.
            let _ = writeln!(std::io::stderr(), "error: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}
