//! `resonetics`: experiments on systems that drift toward collapse.
#![allow(unreachable_pub)] // a binary exports nothing

mod commands;
mod drift;
mod exit;
mod lab;
mod out;
mod progress;
mod serve;
mod study;
mod telling;
mod trace;
mod view;
mod watching;

use std::process::ExitCode;

use clap::Parser;
use resonetics_runs::{interrupt, run_dir};

/// The commit that this program is built from.
const COMMIT: &str = match option_env!("RESONETICS_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

fn main() -> ExitCode {
    run_dir::built_from(COMMIT);
    let cli = match commands::Cli::try_parse() {
        Ok(cli) => cli,
        Err(refusal) => return refused(&refusal),
    };
    match interrupt::install().and_then(|()| commands::run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            out::complain(&format!("error: {error}"));
            ExitCode::from(exit::status(&error))
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
