//! `lumen lab fork`: the other future of a run, and its own beside it.

use std::path::{Path, PathBuf};

use clap::Args;
use resonetics_lumen::gate::NAME as GATE;
use resonetics_runs::commands::Reached;
use resonetics_runs::commands::command::Command;
use resonetics_runs::commands::force::Force;
use resonetics_runs::commands::record::{Entry, Record, Request};
use resonetics_runs::plan::{Mode, Plan};
use resonetics_runs::run_dir::{RunDir, ended};
use resonetics_runs::training::branched;
use resonetics_runs::{Error, claim, files};
use serde_json::{Value, json};

use super::futures::{Compared, Difference, Metric, compare, figure};
use crate::commands::context::Context;
use crate::commands::rerun::{execute, planned};
use crate::commands::typed::OutArgs;
use crate::out::say;

/// Who tells the other future what the fork changes.
const NAME: &str = "fork";

#[derive(Debug, Args)]
pub struct ForkArgs {
    /// Run directory of a training or a garden
    pub run: PathBuf,
    /// Moment of the run's clock from which on it is another one: updates of a training, generations of a garden; without it
    /// that of the first command that is left out
    #[arg(long, value_name = "CLOCK")]
    pub at: Option<u64>,
    /// Setting of the other future, named as for `train --set`; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Leave out what the run was told by NAME, such as `gate`, or the command of this number; may be given several times
    #[arg(long, value_name = "NAME|NUMBER")]
    pub without: Vec<String>,
    #[command(flatten)]
    pub out: OutArgs,
}

/// What is played.
struct Fork {
    /// Of the run, and of the other future.
    plans: [Plan; 2],
    at: u64,
    /// Commands up to there, which both futures share.
    shared: u64,
    /// What the run was told.
    told: Vec<Entry>,
    /// What the other one is told.
    changed: Vec<Entry>,
    /// What differs, in words.
    what: Vec<String>,
}

pub fn run(args: &ForkArgs, context: Context) -> Result<(), Error> {
    let fork = Fork::of(args)?;
    let metrics = Metric::of(&fork.plans[0])?;
    let shown = args.run.display();
    let dir = claim::claim(args.out.out.as_deref(), NAME)?;
    if !context.quiet {
        say(format_args!("{shown}, from {} {} on: {}", metrics.unit, fork.at, fork.what.join(", ")))?;
    }
    // A run that came to its end is its own future.
    let finished = ended(&args.run).as_deref() == Some("finished");
    let unchanged = if finished || gave_up(&args.run)? {
        args.run.clone()
    } else {
        fork.play(0, &args.run, &fork.told, &dir.join("unchanged"), context)?
    };
    let changed = fork.play(1, &args.run, &fork.changed, &dir.join("changed"), context)?;
    let Compared { first, differences } =
        compare(&metrics, &unchanged, &changed, fork.at, &dir.join("fork.csv"))?;
    files::write_new(
        &dir.join("fork.svg"),
        figure(&metrics, &unchanged, &changed, fork.at, &fork.what)?.as_bytes(),
    )?;
    let report = json!({
        "run": args.run, "at": fork.at, "unit": metrics.unit, "what": fork.what,
        "first_difference": first,
        "metrics": differences.iter().map(Difference::json).collect::<Vec<Value>>(),
    });
    let mut bytes = serde_json::to_vec_pretty(&report).unwrap_or_default();
    bytes.push(b'\n');
    files::write_new(&dir.join("fork.json"), &bytes)?;
    tell(&metrics, first, &differences, &dir)
}

fn tell(metrics: &Metric, first: Option<u64>, differences: &[Difference], dir: &Path) -> Result<(), Error> {
    let same = match first {
        None => "both futures are the same: the change did nothing in this run".to_owned(),
        Some(first) => format!("the same up to {} {first}, where the first number differs", metrics.unit),
    };
    say(format_args!("{same}"))?;
    for one in differences {
        say(format_args!("{}", one.told()))?;
    }
    say(format_args!(
        "the effect in this run, not an estimate; in another seed it may be another\nwrote {}",
        dir.display()
    ))
}

impl Fork {
    fn of(args: &ForkArgs) -> Result<Fork, Error> {
        if args.sets.is_empty() && args.without.is_empty() {
            return Err(Error::Refused(
                "a fork needs a difference: --set KEY=VALUE or --without NAME".to_owned(),
            ));
        }
        let config = args.run.join("config.toml");
        let text = files::text(&config)?;
        let (plan, _) = planned(&text, &config.display().to_string(), Some(&args.run))?;
        let begun = begun(&plan, &args.run)?;
        let told = Record::read(&args.run)?.entries;
        let left_out = |entry: &Entry| {
            args.without.iter().any(|name| *name == entry.request.by || *name == entry.id.to_string())
        };
        for name in &args.without {
            if !told.iter().any(|entry| *name == entry.request.by || *name == entry.id.to_string()) {
                return Err(Error::Refused(format!(
                    "--without {name}: {} was told nothing by that name or number; `lumen ctl {}` lists what it was told",
                    args.run.display(),
                    args.run.display()
                )));
            }
        }
        let first_left_out = told.iter().find(|entry| left_out(entry)).map(|entry| entry.clock);
        let at = args.at.or(first_left_out).ok_or_else(|| {
            Error::Refused("--set needs --at CLOCK: the moment from which on it holds".to_owned())
        })?;
        let last = told.last().map_or(0, |entry| entry.clock).max(moments(&plan));
        if at >= last {
            return Err(Error::Refused(format!("--at {at}: the run ends at {last}; name an earlier moment")));
        }
        let shared = told.iter().take_while(|entry| entry.clock <= at && !left_out(entry)).count();
        let mut what: Vec<String> =
            args.without.iter().map(|name| format!("without what was told by {name}")).collect();
        // What others told it later still comes; the gate's decisions were about another run, and so were ways back.
        let stays_out = |entry: &Entry| {
            entry.request.by == GATE || matches!(entry.command, Command::RollBack(_) | Command::GiveUp(_))
        };
        let out = told[shared..].iter().filter(|entry| !left_out(entry) && stays_out(entry)).count();
        if out > 0 {
            what.push(format!("without {out} later commands of the gate and ways back"));
        }
        let mut changed = told[..shared].to_vec();
        changed.extend(told[shared..].iter().filter(|entry| !left_out(entry) && !stays_out(entry)).cloned());
        let place = changed.iter().take_while(|entry| entry.clock <= at).count();
        let behind = changed[..place].iter().try_fold(begun, |force, entry| force.after(&entry.command));
        let mut force = behind.map_err(Error::Refused)?;
        let mut new = Vec::new();
        for set in &args.sets {
            let words = ["knob.set".to_owned(), set.clone()];
            let (cmd, told) = Command::typed(&words).map_err(Error::Refused)?;
            let command = Command::parse(&cmd, &told).map_err(Error::Refused)?;
            let (before, after) = (force.clone(), force.after(&command).map_err(Error::Refused)?);
            if let Command::Knob { key, .. } = &command {
                let value = |force: &Force| {
                    force.value(key).map_or_else(|| "unknown".to_owned(), |value| value.to_string())
                };
                what.push(format!("{key} {} instead of {}", value(&after), value(&before)));
            }
            force = after;
            new.push(told_by_fork(&cmd, told, at)?);
        }
        let mut without_gate = plan.clone();
        if args.without.iter().any(|name| name == GATE) {
            // It would decide the same again.
            if let Plan::Gardener(plan) = &mut without_gate {
                plan.lumen.gate.mode = Mode::Warn;
            } else {
                let args = serde_json::Map::from_iter([("gate".to_owned(), "warn".into())]);
                new.push(told_by_fork("lumen.up", args, at)?);
            }
        }
        changed.splice(place..place, new);
        for (id, entry) in (1..).zip(&mut changed) {
            entry.id = id;
        }
        let plans = [plan, without_gate];
        Ok(Fork { plans, at, shared: shared as u64, told, changed, what })
    }

    /// Plays the run in `run` in the new folder `dir`, told so much, from its last checkpoint that both futures share.
    fn play(
        &self,
        plan: usize,
        run: &Path,
        told: &[Entry],
        dir: &Path,
        context: Context,
    ) -> Result<PathBuf, Error> {
        let plan = &self.plans[plan];
        let begun: RunDir = plan.begin(Some(dir), None)?;
        let path = begun.path().to_path_buf();
        let outcome = Record::read(dir).and_then(|record| record.copied(told)).and_then(|()| {
            if let Plan::Train(plan) = plan {
                branched(plan, run, dir, Reached { clock: self.at, commands: self.shared })?;
            }
            execute(plan, dir, context)
        });
        match begun.finish(outcome) {
            // A future that gives up is one.
            Err(Error::Failed(_)) if gave_up(dir)? => Ok(path),
            outcome => outcome.map(|()| path),
        }
    }
}

/// Whether the last thing that a run was told was to give up.
fn gave_up(run: &Path) -> Result<bool, Error> {
    let last = Record::read(run)?.entries.pop();
    Ok(last.is_some_and(|entry| matches!(entry.command, Command::GiveUp(_))))
}

/// Moments of a run's clock, unless it goes back.
fn moments(plan: &Plan) -> u64 {
    match plan {
        Plan::Train(plan) => plan.train.updates(plan.total()),
        Plan::Gardener(plan) => plan.generations.into(),
        _ => 0,
    }
}

/// A command of the other future; it is numbered later.
fn told_by_fork(cmd: &str, args: serde_json::Map<String, Value>, clock: u64) -> Result<Entry, Error> {
    let command = Command::parse(cmd, &args).map_err(Error::Refused)?;
    let request =
        Request { cmd: cmd.to_owned(), args, by: NAME.to_owned(), note: String::new(), approval: None };
    Ok(Entry { id: 0, ts: String::new(), request, command, clock, result: None })
}

/// The settings that the run began with.
fn begun(plan: &Plan, run: &Path) -> Result<Force, Error> {
    match plan {
        Plan::Train(plan) => Ok(Force::new(Some(&plan.train), &plan.env)),
        Plan::Gardener(plan) if plan.runs == 1 => Ok(Force::new(None, &plan.env)),
        _ => Err(Error::Refused(format!(
            "{} is neither a training nor a single garden: it has no moment at which it could be forked",
            run.display()
        ))),
    }
}
