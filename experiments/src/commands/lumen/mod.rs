//! `lumen`: what watches runs, one file for each of its commands.

mod collect;
mod export;
mod ingest;
mod map;
mod memory;
mod notify;
mod runs;
mod serve;
mod signals;
mod status;
mod validate;
mod watch;

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
    /// Print state, level and losses of runs; exit status 1 if one needs attention
    Status(status::StatusArgs),
    /// Print the windows of a run as they come, with their level
    Watch(watch::WatchArgs),
    /// Print the events of a run, a line each, for another program
    Tail(watch::TailArgs),
    /// Read logs of events into a store, on from where they were read to
    Ingest(ingest::IngestArgs),
    /// Serve what is known of all runs: questions, metrics for Prometheus, its targets
    Serve(serve::ServeArgs),
    /// Write what Prometheus would be shown into a file, or push it
    Export(export::ExportArgs),
    /// List runs and how they ended, as the ledger runs.jsonl
    Runs(runs::RunsArgs),
    /// Make a metrics.json from runs, a ledger or a Prometheus
    Collect(collect::CollectArgs),
    /// Print the six resonance coordinates of a metrics.json
    Map(map::MapArgs),
    /// Look up a key of memory: checkpoints, the best one, windows
    Memory(memory::MemoryArgs),
    /// Send a message to a webhook, a chat or an Alertmanager
    Notify(notify::NotifyArgs),
    /// Check a file that Lumen wrote or reads against its schema
    Validate(validate::ValidateArgs),
}

pub fn run(args: &LumenArgs, context: Context) -> Result<(), Error> {
    match &args.command {
        LumenCommand::Signals(args) => signals::run(args),
        LumenCommand::Status(args) => status::run(args),
        LumenCommand::Watch(args) => watch::run(args, context),
        LumenCommand::Tail(args) => watch::tail(args),
        LumenCommand::Ingest(args) => ingest::run(args, context),
        LumenCommand::Serve(args) => serve::run(args, context),
        LumenCommand::Export(args) => export::run(args),
        LumenCommand::Runs(args) => runs::run(args),
        LumenCommand::Collect(args) => collect::run(args),
        LumenCommand::Map(args) => map::run(args),
        LumenCommand::Memory(args) => memory::run(args),
        LumenCommand::Notify(args) => notify::run(args),
        LumenCommand::Validate(args) => validate::run(args),
    }
}
