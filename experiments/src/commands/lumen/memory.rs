//! `lumen memory`: where the value of a key lies, and whether its bytes are still what they were.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use resonetics_lumen::memory::{State, values};
use resonetics_lumen::store::Reader;
use resonetics_runs::Error;

use crate::out::say;

#[derive(Debug, Args)]
pub struct MemoryArgs {
    #[command(subcommand)]
    pub command: MemoryCommand,
}

#[derive(Debug, Subcommand)]
pub enum MemoryCommand {
    /// Print where the value of a key lies, and whether its bytes still have the hash that was recorded: exit status 1 if
    /// they have not, 3 if nobody knows the key
    Get(GetArgs),
}

#[derive(Debug, Args)]
pub struct GetArgs {
    /// checkpoint:STEP, best or window:NUMBER
    pub key: String,
    /// The run, where not all are meant
    #[arg(long, value_name = "NAME")]
    pub run: Option<String>,
    /// The store that `lumen ingest` made
    #[arg(long, value_name = "FILE", default_value = "lumen.db")]
    pub store: PathBuf,
}

pub fn run(args: &MemoryArgs) -> Result<(), Error> {
    let MemoryCommand::Get(args) = &args.command;
    let found = values(&Reader::open(&args.store)?, &args.key, args.run.as_deref())?;
    if found.is_empty() {
        return Err(Error::Unknown(format!("{} knows no key {}", args.store.display(), args.key)));
    }
    let mut bad = 0;
    for value in &found {
        let row = &value.row;
        let place = value.path.as_ref().map_or_else(|| row.path.clone(), |path| path.display().to_string());
        let state = match &value.state {
            State::Whole => "whole".to_owned(),
            State::Other(hash) => format!("CHANGED: its SHA-256 is {hash}"),
            State::Missing => "MISSING".to_owned(),
            State::Deleted => "deleted".to_owned(),
            State::Unknown => "kept nowhere but in the log".to_owned(),
        };
        bad += u32::from(matches!(value.state, State::Other(_) | State::Missing));
        let superseded = if row.superseded { " (superseded)" } else { "" };
        say(format_args!(
            "{} at {}: slot {}{superseded}, SHA-256 {}, {place}: {state}",
            row.entity_id, row.clock, row.slot, row.value_hash
        ))?;
    }
    if bad > 0 {
        return Err(Error::Failed(format!("{bad} of {} values are not what was recorded", found.len())));
    }
    Ok(())
}
