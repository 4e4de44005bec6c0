//! The command line: what can be typed, one file for each command.
#![allow(clippy::doc_markdown)] // help is read in a terminal

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
mod limit;
mod list;
mod lumen;
mod piped;
mod record;
mod replay;
mod reported;
mod rerun;
mod serve;
mod study;
mod sweep;
mod throughput;
mod throughput_train;
mod train;
mod typed;
mod watch;

use clap::{CommandFactory, Parser, Subcommand};
use resonetics_runs::Error;

use self::context::Context;
use self::typed::whole;

/// Reinforcement learning for systems that drift toward collapse: two fast, exactly reproducible
/// worlds, agents that must keep them alive, and experiments that show whether it helped.
#[derive(Debug, Parser)]
#[command(name = "resonetics", version, arg_required_else_help = true)]
pub struct Cli {
    /// Number of threads; results do not depend on it [default: one per core]
    #[arg(long, global = true, help_heading = "Global options", value_name = "N", allow_negative_numbers = true, value_parser = whole::<u16>(1..=1024))]
    pub threads: Option<u16>,
    /// No progress bars and no closing remarks
    #[arg(long, short, global = true, help_heading = "Global options")]
    pub quiet: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Simulate gardens and log each generation into resonetics_data.csv
    Gardener(gardener::GardenerArgs),
    /// Compare agents on paired seeds
    Benchmark(benchmark::BenchmarkArgs),
    /// Find how much drift each agent carries: the dose at which half of the systems are lost
    Limit(limit::LimitArgs),
    /// Compare survival with and without the control layer, on paired seeds
    Controls(controls::ControlsArgs),
    /// Track a drifting target with a learning rate that follows a predicted risk
    Drift(drift::DriftArgs),
    /// Record a trace of one episode
    Record(record::RecordArgs),
    /// Train Prophet, or resume a training that was stopped
    Train(Box<train::TrainArgs>),
    /// Evaluate a trained Prophet, optionally with observation noise or a faster drift
    Eval(eval::EvalArgs),
    /// Answer a question with many runs, or list the questions; a study that was stopped goes on
    Study(study::StudyArgs),
    /// Train many times over settings and seeds, with one table of all; a sweep that was stopped goes on
    Sweep(sweep::SweepArgs),
    /// Export a trained policy as an ONNX file
    Export(export::ExportArgs),
    /// Analyze runs, folders of runs or CSV files: statistics, figures, one HTML page
    Analyze(analyze::AnalyzeArgs),
    /// The same as analyze for whole runs, side by side
    Report(analyze::AnalyzeArgs),
    /// Replay a recorded trace and print the largest deviations
    Replay(replay::ReplayArgs),
    /// Watch an episode in the terminal, or write it as a GIF or PNG file
    Watch(watch::WatchArgs),
    /// Serve a web page on this machine: live worlds, runs, their reports and charts
    Serve(serve::ServeArgs),
    /// Measure how fast a world steps
    Throughput(throughput::ThroughputArgs),
    /// Check that an environment keeps its contract
    Check(check::CheckArgs),
    /// Repeat a run from its config.toml and compare the CSV files
    Rerun(rerun::RerunArgs),
    /// Watch runs: signals, events, levels, their store, what Prometheus is shown; archive them
    Lumen(lumen::LumenArgs),
    /// List environments, presets, agents and settings
    List(list::ListArgs),
    /// List experiments and the commands that run them
    Experiments,
    /// Show versions, CPU features in use and threads, or compare the learners
    Doctor(doctor::DoctorArgs),
}

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
        Command::Sweep(args) => sweep::run(&args, context),
        Command::Export(args) => export::run(&args, context),
        Command::Serve(args) => serve::run(&args, context),
        Command::Watch(args) => watch::run(&args, context),
        Command::Analyze(args) => analyze::run("analyze", &args, context),
        Command::Report(args) => analyze::run("report", &args, context),
        Command::Replay(args) => replay::run(&args),
        Command::Throughput(args) if args.train => throughput_train::run(&args, context),
        Command::Throughput(args) => throughput::run(&args, context),
        Command::Check(args) => check::run(&args, context),
        Command::Rerun(args) => rerun::run(&args, context),
        Command::Lumen(args) => lumen::run(&args, context),
        Command::List(args) => list::run(&args, &Cli::command()),
        Command::Experiments => experiments::run(),
        Command::Doctor(args) if args.learners => doctor_learners::run(&args),
        Command::Doctor(args) => doctor::run(&args, context),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A heading applies to every option that follows it: nothing but the monitoring options may come last.
    #[test]
    fn only_monitoring_options_stand_below_their_heading() {
        for command in Cli::command().get_subcommands() {
            let monitoring = command
                .get_arguments()
                .filter(|option| option.get_help_heading() == Some("Monitoring") && !option.is_global_set());
            let mut names: Vec<&str> = monitoring.map(|option| option.get_id().as_str()).collect();
            names.sort_unstable();
            let mut expected = vec!["health_port", "metrics_port", "monitor_host", "no_monitor"];
            match command.get_name() {
                "train" => expected.push("tensorboard"),
                "drift" => {}
                _ => expected.clear(),
            }
            assert_eq!(names, expected, "{}", command.get_name());
            let seed = command.get_arguments().find(|option| option.get_id() == "seed");
            assert!(seed.is_none_or(|seed| seed.get_help_heading().is_none()), "{}", command.get_name());
        }
    }
}
