//! `lumen`: what watches runs, one file for each of its commands.

use clap::{Args, Subcommand};
use resonetics_runs::Error;

use super::context::Context;

#[derive(Debug, Args)]
pub struct LumenArgs {
    #[command(subcommand)]
    pub command: LumenCommand,
}

#[derive(Debug, Subcommand)]
pub enum LumenCommand {}

pub fn run(args: &LumenArgs, _context: Context) -> Result<(), Error> {
    match args.command {}
}
