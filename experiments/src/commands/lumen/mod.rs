//! `lumen`: what watches runs, one file for each of its commands.

pub mod ingest;

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
    /// Read logs of events into a store, on from where they were read to
    Ingest(ingest::IngestArgs),
}

pub fn run(args: &LumenArgs, context: Context) -> Result<(), Error> {
    match &args.command {
        LumenCommand::Ingest(args) => ingest::run(args, context),
    }
}
