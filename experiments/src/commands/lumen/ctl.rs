//! `lumen ctl`: tells a run at work something, or prints what it was told.

use std::path::PathBuf;

use clap::Args;
use resonetics_runs::Error;
use resonetics_runs::commands::ask;
use resonetics_runs::commands::command::{ALL, Command};
use resonetics_runs::commands::inbox::Answer;
use resonetics_runs::commands::record::{Entry, Record, Request};
use resonetics_runs::run_dir::read_record;
use serde_json::{Value, json};

use crate::out::say;

#[derive(Debug, Args)]
#[command(after_help = commands())]
pub struct CtlArgs {
    /// Run directory
    pub run: PathBuf,
    /// What it is told, see below; without it, what it was told so far is printed
    #[arg(allow_negative_numbers = true)]
    pub command: Vec<String>,
    /// Who tells it, for the record
    #[arg(long, value_name = "NAME", default_value = "ctl")]
    pub by: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub note: String,
    /// Print the answer, or the record, as JSON
    #[arg(long)]
    pub json: bool,
}

fn commands() -> String {
    let width = ALL.iter().map(|(typed, _)| typed.len()).max().unwrap_or(0);
    let lines = ALL.iter().map(|(typed, what)| format!("  {typed:width$}  {what}"));
    format!(
        "Commands:\n{}\n\nA command takes effect between two updates of a training or two generations of a garden. It is recorded in \
         RUN/commands.jsonl first: `train --resume` and `rerun` do the same at the same moment.",
        lines.collect::<Vec<_>>().join("\n")
    )
}

pub fn run(args: &CtlArgs) -> Result<(), Error> {
    if args.command.is_empty() {
        read_record(&args.run)?;
        return Record::read(&args.run)?.entries.iter().try_for_each(|entry| told(entry, args.json));
    }
    let (cmd, told) = Command::typed(&args.command).map_err(Error::Refused)?;
    let request = Request { cmd, args: told, by: args.by.clone(), note: args.note.clone(), approval: None };
    let answer = ask(&args.run, &request)?;
    if args.json {
        say(format_args!("{}", json!(answer)))?;
    }
    match answer {
        Answer { done: false, result, .. } => Err(Error::Refused(result)),
        Answer { id: Some(id), clock: Some(clock), result, .. } if !args.json => {
            say(format_args!("command {id}, at {clock}: {result}"))
        }
        _ => Ok(()),
    }
}

/// Prints a command of the record.
fn told(entry: &Entry, as_json: bool) -> Result<(), Error> {
    let Entry { id, ts, request, clock, result, .. } = entry;
    let Request { cmd, args, by, note, .. } = request;
    if as_json {
        let line = json!({
            "id": id, "ts": ts, "clock": clock, "cmd": cmd, "args": args, "by": by, "note": note, "result": result,
        });
        return say(format_args!("{line}"));
    }
    let args: Vec<String> = args.iter().map(|(key, value)| format!(" {key}={}", plain(value))).collect();
    let args = args.concat();
    let result = result.as_deref().unwrap_or("the run was killed as it took effect");
    let note = if note.is_empty() { String::new() } else { format!(" ({note})") };
    say(format_args!("{id} | at {clock} | {cmd}{args} | {by}{note} | {result}"))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
