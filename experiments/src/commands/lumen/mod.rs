//! `lumen`: what watches runs, one file for each of its commands.

mod signals;

use clap::{Args, Subcommand};
use resonetics_runs::Error;

use super::context::Context;

#[derive(Debug, Args)]
pub struct LumenArgs {
    #[command(subcommand)]
    pub command: LumenCommand,
}

#[derive(Debug, Subcommand)]
pub enum LumenCommand {
    /// Print what the signals of runs say, or what they were worth
    Signals(signals::SignalsArgs),
}

pub fn run(args: &LumenArgs, _: Context) -> Result<(), Error> {
    match &args.command {
        LumenCommand::Signals(args) => signals::run(args),
    }
}
