//! The commands, one file each, and what those that compute have in common.

mod analyze;
mod benchmark;
mod check;
mod controls;
mod doctor;
mod drift;
mod episodes;
mod eval;
mod experiments;
mod gardener;
mod lifespan;
mod list;
mod record;
mod replay;
mod rerun;
mod serve;
mod throughput;
mod throughput_train;
mod train;
mod watch;

use std::hash::{BuildHasher, RandomState};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use resonetics_analysis::chart::ChartError;
use resonetics_envs::config::line_of;
use serde::{Deserialize, Serialize};
use toml::de::DeTable;

use crate::cli::{self, Cli, Command, SeedArgs};
use crate::failure::Failure;
use crate::files::write_new;
use crate::monitor::Monitor;
use crate::out::say;
use crate::run_dir::{RunDir, RunRecord, status};
use crate::setup::{Setup, read};
use crate::training::{self, Checkpoints, PROPHET, TrainedAgents};

/// What every command is told.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    pub quiet: bool,
    pub threads: usize,
}

/// Runs what was typed.
pub fn run(cli: Cli) -> Result<(), Failure> {
    let cores = std::thread::available_parallelism().map_or(1, Into::into);
    let threads = cli.threads.map_or(cores, Into::into);
    let context = Context { quiet: cli.quiet, threads };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|error| Failure::Failed(format!("cannot start {threads} threads: {error}")))?;
    pool.install(|| match cli.command {
        Command::Gardener(args) => gardener::run(&args, context),
        Command::Benchmark(args) => benchmark::run(&args, context),
        Command::Controls(args) => controls::run(&args, context),
        Command::Drift(args) => drift::run(&args, context),
        Command::Record(args) => record::run(&args, context),
        Command::Train(args) => train::run(&args, context),
        Command::Eval(args) => eval::run(&args, context),
        Command::Serve(args) => serve::run(&args, context),
        Command::Watch(args) => watch::run(&args, context),
        Command::Analyze(args) => analyze::run("analyze", &args, context),
        Command::Report(args) => analyze::run("report", &args, context),
        Command::Replay(args) => replay::run(&args, context),
        Command::Throughput(args) => throughput::run(&args, context),
        Command::Check(args) => check::run(&args, context),
        Command::Rerun(args) => rerun::run(&args, context),
        Command::List(args) => list::run(&args, context),
        Command::Experiments => experiments::run(),
        Command::Doctor(args) => doctor::run(&args, context),
    })
}

/// An experiment with everything that it depends on; config.toml is this.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "command", rename_all = "lowercase")]
pub enum Plan {
    Gardener(gardener::Plan),
    Benchmark(benchmark::Plan),
    Controls(controls::Plan),
    Drift(drift::Plan),
    Record(record::Plan),
    Eval(eval::Plan),
    Train(Box<training::Plan>),
}

impl Plan {
    /// Reads config.toml.
    ///
    /// # Errors
    /// The line and what is wrong with it.
    pub fn parse(text: &str) -> Result<Plan, String> {
        let at_line = |error: toml::de::Error| {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            let written = text.lines().nth(line - 1).unwrap_or_default().trim();
            format!("line {line}: `{written}`: {}", error.message().trim_end())
        };
        let mut table = DeTable::parse(text).map_err(at_line)?;
        let command = table.get_mut().remove("command");
        let command = command.as_ref().and_then(|command| command.get_ref().as_str()).unwrap_or_default();
        let table = toml::Deserializer::from(table);
        match command {
            "gardener" => gardener::Plan::deserialize(table).map(Plan::Gardener),
            "benchmark" => benchmark::Plan::deserialize(table).map(Plan::Benchmark),
            "controls" => controls::Plan::deserialize(table).map(Plan::Controls),
            "drift" => drift::Plan::deserialize(table).map(Plan::Drift),
            "record" => record::Plan::deserialize(table).map(Plan::Record),
            "eval" => eval::Plan::deserialize(table).map(Plan::Eval),
            "train" => training::Plan::deserialize(table).map(Box::new).map(Plan::Train),
            _ => {
                return Err(format!(
                    "its `command` is `{command}`; what can be repeated is gardener, benchmark, controls, drift, record, eval or train"
                ));
            }
        }
        .map_err(at_line)
    }

    fn name_and_seed(&self) -> (&'static str, u64) {
        match self {
            Plan::Gardener(plan) => ("gardener", plan.seed),
            Plan::Benchmark(plan) => ("benchmark", plan.seed),
            Plan::Controls(plan) => ("controls", plan.seed),
            Plan::Drift(plan) => ("drift", plan.seed),
            Plan::Record(plan) => ("record", plan.seed),
            Plan::Eval(plan) => ("eval", plan.seed),
            Plan::Train(plan) => ("train", plan.seed),
        }
    }

    /// Refuses what the command line refuses: config.toml may have been edited.
    fn check(&self) -> Result<(), Failure> {
        let (_, seed) = self.name_and_seed();
        within("seed", seed, &cli::SEED)?;
        match self {
            Plan::Gardener(plan) => plan.check(),
            Plan::Benchmark(plan) => plan.check(),
            Plan::Controls(plan) => plan.check(),
            Plan::Drift(plan) => plan.check(),
            Plan::Record(plan) => plan.check(),
            Plan::Eval(plan) => plan.check(),
            Plan::Train(plan) => plan.check(),
        }
    }

    /// The world that it plays in, where its episodes are of one.
    pub fn played_in(&self) -> Option<&Setup> {
        match self {
            Plan::Benchmark(plan) => Some(&plan.env),
            Plan::Eval(plan) => Some(&plan.env),
            _ => None,
        }
    }

    /// Its agents by name, and what is written down of those that were trained.
    fn cast(&mut self) -> Option<(Vec<String>, &mut TrainedAgents)> {
        match self {
            Plan::Gardener(plan) => Some((vec![plan.agent.clone()], &mut plan.checkpoints)),
            Plan::Benchmark(plan) => Some((plan.agents.clone(), &mut plan.checkpoints)),
            Plan::Controls(plan) => {
                let agents = plan.worlds.iter().map(|world| world.agent.clone());
                Some((agents.collect(), &mut plan.checkpoints))
            }
            Plan::Record(plan) => Some((vec![plan.agent.clone()], &mut plan.checkpoints)),
            Plan::Eval(plan) => Some((vec![format!("{PROPHET}{}", plan.run)], &mut plan.checkpoints)),
            Plan::Drift(_) | Plan::Train(_) => None,
        }
    }

    /// Its trained agents whose checkpoint is not written down: that was not done in the beginning.
    fn unrecorded(&mut self) -> Vec<String> {
        let Some((names, trained)) = self.cast() else { return Vec::new() };
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        trained.unrecorded(&names).into_iter().map(str::to_owned).collect()
    }

    /// The checkpoint of its trained agent `name`, in words.
    fn checkpoint(&self, name: &str) -> Option<String> {
        self.clone().cast().and_then(|(_, trained)| trained.checkpoint(name).map(ToString::to_string))
    }

    /// The same with its trained agents read, so that no other checkpoint acts than the one written down.
    ///
    /// # Errors
    /// [`Failure::Usage`] if one cannot be read, or is not the one that was written down.
    fn opened(mut self) -> Result<Plan, Failure> {
        if let Some((names, trained)) = self.cast() {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            *trained = std::mem::take(trained).open(&names)?;
        }
        Ok(self)
    }

    /// Runs the experiment into a new run directory and yields its path.
    pub fn start(self, out: Option<&Path>, context: Context) -> Result<PathBuf, Failure> {
        let plan = self.opened()?;
        plan.start_with(out, context, None, |path| match &plan {
            Plan::Gardener(plan) => plan.execute(path, context),
            Plan::Benchmark(plan) => plan.execute(path, context),
            Plan::Controls(plan) => plan.execute(path, context),
            Plan::Drift(plan) => plan.execute(path, None),
            Plan::Record(plan) => plan.execute(path, context),
            Plan::Eval(plan) => plan.execute(path, context),
            Plan::Train(plan) => train::execute(plan, path, context),
        })
    }

    /// As [`Plan::start`], with the experiment's `work` given and what watches it.
    fn start_with(
        &self,
        out: Option<&Path>,
        context: Context,
        monitor: Option<&Monitor>,
        work: impl FnOnce(&Path) -> Result<(), Failure>,
    ) -> Result<PathBuf, Failure> {
        self.check()?;
        let (name, seed) = self.name_and_seed();
        let config = toml::to_string(self)
            .map_err(|error| Failure::Failed(format!("cannot write the settings as TOML: {error}")))?;
        let record = RunRecord::new(name, Some(seed), context.threads);
        let record = record.watched_at(monitor.map(Monitor::addresses));
        let run = RunDir::create(out, record, &short_numbers(&config))?;
        let path = run.path().to_path_buf();
        let outcome = run.finish(work(&path));
        told(outcome, &path, context).map(|()| path)
    }
}

/// A TOML text with an exponent in place of a hundred zeros.
fn short_numbers(toml: &str) -> String {
    let line = |line: &str| match line.split_once(" = ") {
        Some((key, value)) if value.len() > 24 => match value.parse::<f64>() {
            Ok(number) if number.is_finite() => format!("{key} = {number:e}\n"),
            _ => format!("{line}\n"),
        },
        _ => format!("{line}\n"),
    };
    toml.lines().map(line).collect()
}

/// The plan of the run in `dir`, which is to go on.
fn stopped(dir: &Path) -> Result<Plan, Failure> {
    let config = dir.join("config.toml");
    let kept = || {
        let kept = Checkpoints::kept_settings(dir);
        kept.map_or_else(String::new, |kept| {
            format!("; as it was when the run began it is kept in {}", kept.display())
        })
    };
    let text = read(&config).map_err(|failure| match failure {
        Failure::Usage(problem) => Failure::Usage(problem + &kept()),
        other => other,
    })?;
    Plan::parse(&text)
        .and_then(|plan| plan.check().map(|()| plan).map_err(|failure| failure.to_string()))
        .map_err(|problem| Failure::Usage(format!("cannot resume {}: {problem}{}", config.display(), kept())))
}

/// Whether the run in `dir` is finished, which is said.
fn finished(dir: &Path) -> Result<bool, Failure> {
    let finished = status(dir)?.as_deref() == Some("finished");
    if finished {
        say(format_args!("{} is finished: nothing to do", dir.display()))?;
    }
    Ok(finished)
}

/// Says where the files of a run are, also of one that was interrupted.
fn told(outcome: Result<(), Failure>, path: &Path, context: Context) -> Result<(), Failure> {
    if matches!(outcome, Err(Failure::Interrupted(_))) {
        say(format_args!("what was done until then is in {}", path.display()))?;
    }
    outcome?;
    if !context.quiet {
        say(format_args!("wrote {}", path.display()))?;
    }
    Ok(())
}

/// `key` must be within `range`.
pub fn within(key: &str, value: u64, range: &RangeInclusive<u64>) -> Result<(), Failure> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(Failure::Usage(format!("`{key} = {value}`: {}", cli::allowed(range))))
}

/// The seed that was typed, or one drawn from the system, which is printed.
fn seed(args: &SeedArgs) -> Result<u64, Failure> {
    if let Some(seed) = args.seed {
        return Ok(seed);
    }
    // The system's randomness, by the standard library's hash keys.
    let seed = RandomState::new().hash_one("seed") >> 32;
    say(format_args!("seed {seed} was drawn: --seed {seed} repeats this"))?;
    Ok(seed)
}

/// What a command that is no experiment found.
struct Report {
    /// What is printed, and written as `file`.
    text: String,
    /// Its name if it is written.
    file: &'static str,
    /// Whether it is good news.
    outcome: Result<(), Failure>,
}

/// Does the work of a command that writes files only if asked to, prints what it found, and
/// writes it if asked. `config` is what the result depends on. A directory that is taken is
/// refused before the work.
fn reported(
    config: &toml::Table,
    out: Option<&Path>,
    context: Context,
    work: impl FnOnce() -> Result<Report, Failure>,
) -> Result<(), Failure> {
    let command = config.get("command").and_then(toml::Value::as_str).unwrap_or_default();
    let seed = config.get("seed").and_then(toml::Value::as_integer).map(|seed| seed as u64);
    let record = RunRecord::new(command, seed, context.threads);
    let run =
        out.map(|out| RunDir::create(Some(out), record, &short_numbers(&config.to_string()))).transpose()?;
    let print = |report: &Report| say(format_args!("{}", report.text.trim_end_matches('\n')));
    let Some(run) = run else {
        let report = work()?;
        print(&report)?;
        return report.outcome;
    };
    let outcome = work().and_then(|report| {
        print(&report)?;
        write_new(&run.path().join(report.file), report.text.as_bytes())?;
        report.outcome
    });
    run.finish(outcome)
}

/// The config.toml of a command that is no experiment.
fn described<const N: usize>(command: &str, values: [(&str, toml::Value); N]) -> toml::Table {
    let values = values.into_iter().map(|(key, value)| (key.to_owned(), value));
    [("command".to_owned(), command.into())].into_iter().chain(values).collect()
}

/// Writes a figure into a new file.
fn write_figure(path: &Path, svg: Result<String, ChartError>) -> Result<(), Failure> {
    let svg = svg.map_err(|error| Failure::Failed(error.to_string()))?;
    write_new(path, svg.as_bytes())
}

/// A number for a CSV cell, six decimals; empty where there is none.
fn cell(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| format!("{value:.6}"))
}
