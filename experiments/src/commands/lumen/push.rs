//! `lumen push`: a copy of an archive in a store elsewhere.

use std::path::PathBuf;

use clap::Args;
use resonetics_lumen::archive::remote::Pushed;
use resonetics_lumen::archive::remote::record::Outcome;
use resonetics_runs::Error;

use super::remote::RemoteArgs;
use crate::out::{note, say};

#[derive(Debug, Args)]
pub struct PushArgs {
    /// The folder of an archive, archive/RUN/TIME-ID
    #[arg(value_name = "ARCHIVE")]
    pub dir: PathBuf,
    /// Copy it although it is not encrypted: whoever can read the store can read the run
    #[arg(long)]
    pub plain: bool,
    #[command(flatten)]
    pub remote: RemoteArgs,
}

pub fn run(args: &PushArgs) -> Result<(), Error> {
    let remote = args.remote.open()?;
    if args.plain {
        note(format_args!("--plain: whoever can read the store can read the run"));
    }
    match remote.push(&args.dir, args.plain) {
        Ok(pushed) => {
            let results = [(pushed.id.as_str(), pushed.outcome.name())];
            args.remote.told("lumen push", &results, shown(&pushed))
        }
        Err(failure @ Error::Failed(_)) => {
            // Its folder is called after it.
            let name = args.dir.file_name().unwrap_or_default().to_string_lossy();
            let id8 = name.rsplit('-').next().unwrap_or_default();
            args.remote.told("lumen push", &[(id8, "FAILED")], Err(failure))
        }
        Err(failure) => Err(failure),
    }
}

fn shown(pushed: &Pushed) -> Result<(), Error> {
    let Pushed { key, bytes, is_new, outcome, why, .. } = pushed;
    if !is_new {
        return say(format_args!("nothing new: {key}"));
    }
    if *outcome != Outcome::Ok {
        return Err(Error::Failed(format!(
            "{}: {key}: read back, it is not what was uploaded: {why}",
            outcome.name()
        )));
    }
    say(format_args!("{bytes} bytes, read back and compared"))?;
    say(format_args!("wrote {key}"))
}
