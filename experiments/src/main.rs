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
mod listen;
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

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(refusal) => return refused(&refusal),
    };
    match interrupt::install().and_then(|()| commands::run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            out::complain(&format!("error: {failure}"));
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Says what clap has to say: help, or why it refuses. It breaks the lines of help, not those of messages.
fn refused(refusal: &clap::Error) -> ExitCode {
    let text = refusal.render().to_string();
    let narrow =
        out::terminal_width().is_some_and(|width| text.lines().any(|line| line.chars().count() > width));
    if refusal.use_stderr() && narrow {
        out::complain(text.trim_end());
    } else {
        // A reader that has gone away has no use for it.
        let _ = refusal.print();
    }
    ExitCode::from(u8::try_from(refusal.exit_code()).unwrap_or(2))
}
