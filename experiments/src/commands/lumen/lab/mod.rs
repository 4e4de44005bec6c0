//! `lumen lab`: what a change did.

mod fork;
mod futures;
mod tables;

use clap::{Args, Subcommand};
use resonetics_runs::Error;

use crate::commands::context::Context;

#[derive(Debug, Args)]
pub struct LabArgs {
    #[command(subcommand)]
    pub command: LabCommand,
}

#[derive(Debug, Subcommand)]
pub enum LabCommand {
    /// Play what would have come of a run with another setting from some moment on, or without what it was told: with the
    /// same noise, so that the difference is the effect itself
    Fork(fork::ForkArgs),
    /// Say what the lab's verdicts are worth: how often each estimator speaks of noise, how often it finds what is there, and what
    /// it says of plants whose truth forks tell
    Tables(tables::TablesArgs),
}

pub fn run(args: &LabArgs, context: Context) -> Result<(), Error> {
    match &args.command {
        LabCommand::Fork(args) => fork::run(args, context),
        LabCommand::Tables(args) => tables::run(args, context),
    }
}
