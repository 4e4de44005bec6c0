//! `lumen validate`: whether a file is what its schema says.

use std::path::PathBuf;

use clap::Args;
use resonetics_lumen::validate::validate;
use resonetics_runs::Error;

use crate::out::say;

#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// Events, metrics.json, resonance.json, runs.jsonl or observer_field.yaml
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

pub fn run(args: &ValidateArgs) -> Result<(), Error> {
    let checked = validate(&args.file)?;
    let shown = args.file.display();
    for fault in &checked.first {
        say(format_args!("{shown}:{}:{}: {}", fault.line, fault.column, fault.reason))?;
    }
    let (kind, records, faults) = (checked.kind.name(), checked.records, checked.faults);
    if faults == 0 {
        return say(format_args!("{shown}: {kind}, {records} records, no errors"));
    }
    let more = faults - checked.first.len() as u64;
    let more = if more == 0 { String::new() } else { format!(", {more} of them not shown") };
    Err(Error::Failed(format!("{shown}: {kind}, {records} records, {faults} errors{more}")))
}
