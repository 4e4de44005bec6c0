//! The commands, one file each.

mod analyze;
mod benchmark;
mod check;
mod clock;
mod context;
mod controls;
mod doctor;
mod doctor_learners;
mod drift;
mod eval;
mod experiments;
mod export;
mod gardener;
mod kept;
mod lifespan;
mod limit;
mod list;
mod piped;
mod record;
mod replay;
mod reported;
mod rerun;
mod serve;
mod study;
mod throughput;
mod throughput_train;
mod train;
mod typed;
mod watch;

use resonetics_runs::Error;

use self::context::Context;
use crate::cli::{Cli, Command};

/// Runs what was typed.
pub fn run(cli: Cli) -> Result<(), Error> {
    let cores = std::thread::available_parallelism().map_or(1, Into::into);
    let threads = cli.threads.map_or(cores, Into::into);
    let context = Context { quiet: cli.quiet, threads };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|error| Error::Failed(format!("cannot start {threads} threads: {error}")))?;
    pool.install(|| match cli.command {
        Command::Gardener(args) => gardener::run(&args, context),
        Command::Benchmark(args) => benchmark::run(&args, context),
        Command::Limit(args) => limit::run(&args, context),
        Command::Controls(args) => controls::run(&args, context),
        Command::Drift(args) => drift::run(&args, context),
        Command::Record(args) => record::run(&args, context),
        Command::Study(args) => study::run(&args, context),
        Command::Train(args) => train::run(&args, context),
        Command::Eval(args) => eval::run(&args, context),
        Command::Export(args) => export::run(&args, context),
        Command::Serve(args) => serve::run(&args, context),
        Command::Watch(args) => watch::run(&args, context),
        Command::Analyze(args) => analyze::run("analyze", &args, context),
        Command::Report(args) => analyze::run("report", &args, context),
        Command::Replay(args) => replay::run(&args),
        Command::Throughput(args) => throughput::run(&args, context),
        Command::Check(args) => check::run(&args, context),
        Command::Rerun(args) => rerun::run(&args, context),
        Command::List(args) => list::run(&args),
        Command::Experiments => experiments::run(),
        Command::Doctor(args) => doctor::run(&args, context),
    })
}
