//! `lumen`: what watches runs, one file for each of its commands.

mod collect;
mod map;
mod runs;
mod validate;

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
    /// Terms of resonance of a metrics.json
    Map(map::MapArgs),
    /// The ledger of runs, made from their folders
    Runs(runs::RunsArgs),
    /// A metrics.json from runs, a ledger or a Prometheus
    Collect(collect::CollectArgs),
    /// Whether a file is what its schema says
    Validate(validate::ValidateArgs),
}

pub fn run(args: &LumenArgs, _context: Context) -> Result<(), Error> {
    match &args.command {
        LumenCommand::Map(args) => map::run(args),
        LumenCommand::Runs(args) => runs::run(args),
        LumenCommand::Collect(args) => collect::run(args),
        LumenCommand::Validate(args) => validate::run(args),
    }
}
