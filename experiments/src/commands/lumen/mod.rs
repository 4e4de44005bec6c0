//! `lumen`: what watches runs, one file for each of its commands.

use clap::{Args, Subcommand};
use resonetics_runs::Error;

use super::context::Context;

mod serve;

#[derive(Debug, Args)]
pub struct LumenArgs {
    #[command(subcommand)]
    pub command: LumenCommand,
}

#[derive(Debug, Subcommand)]
pub enum LumenCommand {
    /// Serve what is known of all runs: questions, metrics for Prometheus, its targets
    Serve(serve::ServeArgs),
}

pub fn run(args: &LumenArgs, context: Context) -> Result<(), Error> {
    match &args.command {
        LumenCommand::Serve(args) => serve::run(args, context),
    }
}
