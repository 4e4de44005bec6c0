//! `lumen up`, `lumen down`: a training at work is watched from now on, or no more.

use std::path::{Path, PathBuf};

use clap::Args;
use resonetics_runs::Error;
use resonetics_runs::commands::ask;
use resonetics_runs::commands::record::Request;
use resonetics_runs::plan::Mode;
use serde_json::{Map, Value, json};

use crate::commands::typed::GateMode;
use crate::out::say;

#[derive(Debug, Args)]
pub struct UpArgs {
    /// Run directory of a training at work
    pub run: PathBuf,
    /// What its gate may do where windows get worse: off, warn, or act (back to a good checkpoint)
    #[arg(long, value_name = "MODE", value_enum, default_value = "warn")]
    pub gate: GateMode,
}

#[derive(Debug, Args)]
pub struct DownArgs {
    /// Run directory of a training at work
    pub run: PathBuf,
}

pub fn up(args: &UpArgs) -> Result<(), Error> {
    let gate = json!(Mode::from(args.gate));
    tell(&args.run, "lumen.up", Map::from_iter([("gate".to_owned(), gate)]))
}

pub fn down(args: &DownArgs) -> Result<(), Error> {
    tell(&args.run, "lumen.down", Map::new())
}

fn tell(run: &Path, cmd: &str, args: Map<String, Value>) -> Result<(), Error> {
    let (by, note) = ("ctl".to_owned(), String::new());
    let answer = ask(run, &Request { cmd: cmd.to_owned(), args, by, note, approval: None })?;
    if !answer.done {
        return Err(Error::Refused(answer.result));
    }
    let what = if cmd == "lumen.up" { "is watched" } else { "is watched no more" };
    say(format_args!("{} {what} {}", run.display(), answer.result))
}
