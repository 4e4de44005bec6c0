//! `rerun`: a run repeated from its config.toml, and whether the CSV files are the same.

use std::path::{Path, PathBuf};

use clap::Args;
use resonetics_analysis::evaluations;
use resonetics_lumen::log::METRICS;
use resonetics_runs::commands::record::{Entry, Record};
use resonetics_runs::episodes;
use resonetics_runs::error::{self, Error};
use resonetics_runs::files::text;
use resonetics_runs::files::{self, sha256};
use resonetics_runs::plan::Plan;
use resonetics_runs::run_dir::{commit, ended, held, read_record};
use resonetics_runs::trained::folder;
use resonetics_runs::training;
use serde_json::{Map, Value};

use super::context::Context;
use super::kept::kept;
use super::typed::OutArgs;
use super::{benchmark, controls, drift, eval, gardener, limit, record, train};
use crate::drift::make as drift_learner;
use crate::out::say;

#[derive(Debug, Args)]
pub struct RerunArgs {
    /// Run directory
    pub run: PathBuf,
    #[command(flatten)]
    pub out: OutArgs,
}

pub fn run(args: &RerunArgs, context: Context) -> Result<(), Error> {
    let config = args.run.join("config.toml");
    let text = text(&config)?;
    let (plan, unrecorded) = planned(&text, &config.display().to_string(), Some(&args.run))?;
    let before = compared_files(&args.run)?;
    if before.is_empty() {
        return Err(Error::Failed(format!("{} holds no CSV file to compare", args.run.display())));
    }
    for agent in &unrecorded {
        say(format_args!(
            "{} does not say which checkpoint of {agent} acted: the best one there is now does",
            config.display()
        ))?;
    }
    let seed = plan.name_and_seed().1;
    let now: Vec<(String, String)> = unrecorded
        .iter()
        .map(|agent| (agent.clone(), plan.checkpoint(agent).unwrap_or_else(|| "unknown".to_owned())))
        .collect();
    let told = Record::read(&args.run)?.entries;
    if !told.is_empty() {
        say(format_args!("replays what {} was told: {} commands", args.run.display(), told.len()))?;
    }
    let again = again(&plan, &told, args.out.out.as_deref(), context)?;
    let differing = compare(&args.run, &before, &again)?;
    if differing.is_empty() {
        return Ok(());
    }
    let mut changed = changed(&args.run, &text, seed);
    changed.extend(now.iter().map(|(agent, checkpoint)| {
        let since = if trained_since(&args.run, agent) { "has been" } else { "may have been" };
        format!("which checkpoint of {agent} acted was not recorded; it {since} trained on since, and is {checkpoint} now")
    }));
    if changed.is_empty() {
        changed.push(
            "version, commit and settings are those that were recorded: a file was edited or cut".to_owned(),
        );
    }
    Err(Error::Failed(format!("the runs differ in {}: {}", differing.join(", "), changed.join("; "))))
}

/// What the text of a config.toml asks for, if it can be repeated here, and the trained agents whose checkpoint it does
/// not name; `run` is the folder that it lies in, where there is one. `shown` is what it is called.
pub fn planned(text: &str, shown: &str, run: Option<&Path>) -> Result<(Plan, Vec<String>), Error> {
    let refused = |problem: String| Error::Refused(format!("cannot repeat {shown}: {problem}"));
    let mut unrecorded = Vec::new();
    // A trained agent has to be the one that was recorded, or there is nothing to compare: before any work.
    let plan = Plan::parse(text)
        .and_then(|mut plan| {
            unrecorded = plan.unrecorded();
            plan.opened().map_err(|failure| failure.to_string())
        })
        .and_then(|plan| plan.check().map(|()| plan).map_err(|failure| failure.to_string()))
        .map_err(refused)?;
    let possible = match &plan {
        Plan::Train(plan) => training::check(plan, "auto")
            .and_then(|()| training::check_start(plan))
            .and_then(|()| run.map_or(Ok(()), |run| plan.of_this_world(run))),
        Plan::Drift(plan) => drift_learner(plan.learner, plan.seed, "auto").map(drop),
        _ => Ok(()),
    };
    possible.map_err(|problem| refused(problem.to_string()))?;
    Ok((plan, unrecorded))
}

/// Does what was planned once more, and what the run was `told` at the same moments; yields the new run's folder.
pub fn again(plan: &Plan, told: &[Entry], out: Option<&Path>, context: Context) -> Result<PathBuf, Error> {
    kept(plan, out, context, None, |dir| {
        Record::read(dir)?.copied(told)?;
        execute(plan, dir, context)
    })
}

/// Does what was planned in `dir`.
pub fn execute(plan: &Plan, dir: &Path, context: Context) -> Result<(), Error> {
    match plan {
        Plan::Gardener(plan) => gardener::execute(plan, dir, context),
        Plan::Benchmark(plan) => benchmark::execute(plan, dir, context),
        Plan::Controls(plan) => controls::execute(plan, dir, context),
        Plan::Drift(plan) => drift::execute(plan, dir, "auto", None),
        Plan::Record(plan) => record::execute(plan, dir, context),
        Plan::Eval(plan) => eval::execute(plan, dir, context),
        Plan::Limit(plan) => limit::execute(plan, dir, context),
        Plan::Train(plan) => train::execute(plan, dir, context),
    }
}

/// Whether the training of `agent` went on after `run`, by what both say of themselves.
fn trained_since(run: &Path, agent: &str) -> bool {
    let at = |run: &Path, key: &str| Some(read_record(run).ok()?.get(key)?.as_str()?.to_owned());
    let training = folder(agent).map(Path::new);
    let trained = training.and_then(|training| at(training, "finished_at"));
    trained.zip(at(run, "started_at")).is_some_and(|(trained, ran)| trained > ran)
}

/// Says of each file whether it is the same in both runs; yields those that are not.
fn compare(run: &Path, before: &[PathBuf], again: &Path) -> Result<Vec<String>, Error> {
    let after = compared_files(again)?;
    // Evaluations once kept no episodes.
    let new = |name: &Path| before == [Path::new(evaluations::FILE)] && name.ends_with(episodes::FILE);
    let added = after.iter().filter(|name| !before.contains(name) && !new(name));
    let mut differing = Vec::new();
    for name in before.iter().chain(added) {
        let difference = if !before.contains(name) {
            Some("it was missing".to_owned())
        } else if !after.contains(name) {
            Some("it is missing now".to_owned())
        } else {
            difference(&run.join(name), &again.join(name))?
        };
        match difference {
            None => say(format_args!("{}: identical", name.display()))?,
            Some(difference) => {
                say(format_args!("{}: DIFFERENT ({difference})", name.display()))?;
                differing.push(name.display().to_string());
            }
        }
    }
    Ok(differing)
}

/// The CSV files of a run, relative to it, sorted; trace.json, which a recording consists of, and eval.json. What Lumen
/// wrote holds wall time.
pub fn compared_files(run: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let here = run.join(&folder);
        for entry in std::fs::read_dir(&here).map_err(error::io("read", &here))? {
            let entry = entry.map_err(error::io("read", &here))?;
            let name = folder.join(entry.file_name());
            if entry.path().is_dir() {
                folders.push(name);
            } else if name.extension().is_some_and(|extension| extension == "csv") && !name.ends_with(METRICS)
                || name.ends_with("trace.json")
                || name.ends_with(evaluations::FILE)
            {
                found.push(name);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// How the file `again` differs from the `recorded` one.
pub fn difference(recorded: &Path, again: &Path) -> Result<Option<String>, Error> {
    if files::same(recorded, again)? {
        return Ok(None);
    }
    let bytes = |path: &Path| files::read(path, u64::MAX);
    let (then, now) = (bytes(recorded)?, bytes(again)?);
    let same = if recorded.ends_with(evaluations::FILE) { says_the_same } else { has_the_same_columns };
    if same(&then, &now) {
        return Ok(None);
    }
    let same = then.iter().zip(&now).take_while(|(then, now)| then == now).count();
    let line = then[..same].split(|&byte| byte == b'\n').count();
    Ok(Some(match (same == then.len(), same == now.len()) {
        (true, _) => format!("the recorded file ends at {same} of {} bytes, in line {line}", now.len()),
        (_, true) => format!("the recorded file continues after line {line}, where this one ends"),
        _ => format!("from line {line} on"),
    }))
}

/// Whether an eval.json says now what it said then; newer ones say more.
fn says_the_same(then: &[u8], now: &[u8]) -> bool {
    let parsed = |bytes: &[u8]| serde_json::from_slice::<Map<String, Value>>(bytes);
    let (Ok(then), Ok(now)) = (parsed(then), parsed(now)) else { return false };
    then.iter().all(|(key, value)| now.get(key) == Some(value))
}

/// Whether a table has now what it had then, before columns that newer versions add to its lines.
fn has_the_same_columns(then: &[u8], now: &[u8]) -> bool {
    let begins = |(then, now): (&[u8], &[u8])| {
        now.strip_prefix(then).is_some_and(|added| then.is_empty() || added.first() == Some(&b','))
    };
    let lines = |bytes: &[u8]| bytes.split(|&byte| byte == b'\n').count();
    let each = then.split(|&byte| byte == b'\n').zip(now.split(|&byte| byte == b'\n'));
    lines(then) == lines(now) && then.ends_with(b"\n") && each.into_iter().all(begins)
}

/// What is not as it was when `run` was made, of what its result depends on. Threads and machine are not
/// among it.
fn changed(run: &Path, config: &str, seed: u64) -> Vec<String> {
    let mut changed = Vec::new();
    let record = match read_record(run) {
        Ok(record) => record,
        Err(problem) => {
            changed.push(format!("what made it is unknown: {problem}"));
            return changed;
        }
    };
    let word = |key: &str| record.get(key).and_then(Value::as_str).unwrap_or("unknown");
    match (word("status"), ended(run).as_deref()) {
        ("finished", _) => {}
        ("running", Some("running")) if held(run) == Some(true) => {
            changed.push("the recorded run is still running".to_owned());
        }
        ("running", _) => changed.push("the recorded run was killed before its end".to_owned()),
        (status, _) => changed.push(format!("the recorded run did not finish: it is `{status}`")),
    }
    let (version, made_by, this) = (word("version"), word("commit"), commit());
    if (version, made_by) != (env!("CARGO_PKG_VERSION"), this) {
        changed.push(format!(
            "it was made by version {version}, commit {made_by}, and this is version {}, commit {this}",
            env!("CARGO_PKG_VERSION")
        ));
    } else if this == "unknown" || this.ends_with("-dirty") {
        changed.push(format!("both programs are of commit {this}, which need not be the same one"));
    }
    let earlier = record.get("earlier_commits").and_then(Value::as_array).into_iter().flatten();
    let earlier: Vec<&str> = earlier.filter_map(Value::as_str).collect();
    if !earlier.is_empty() {
        changed.push(format!("it was made in part by commit {}", earlier.join(" and ")));
    }
    let edited = match record.get("config_sha256").and_then(Value::as_str) {
        Some(sum) => sum != sha256(config.as_bytes()),
        // Of older runs only the seed stands elsewhere too.
        None => record.get("seed").and_then(Value::as_u64).is_some_and(|recorded| recorded != seed),
    };
    if edited {
        changed.push("config.toml has been edited since it was written".to_owned());
    }
    changed
}
