//! `lumen sync-index`: how what is on record of copies differs from what is in the store.

use std::path::PathBuf;

use clap::Args;
use resonetics_lumen::archive::Archive;
use resonetics_runs::Error;

use super::remote::RemoteArgs;
use crate::out::say;

#[derive(Debug, Args)]
pub struct SyncIndexArgs {
    /// The folder of archives, with the record of what was copied
    #[arg(value_name = "DIR", default_value = "archive")]
    pub dir: PathBuf,
    #[command(flatten)]
    pub remote: RemoteArgs,
}

pub fn run(args: &SyncIndexArgs) -> Result<(), Error> {
    let remote = args.remote.open()?;
    let (same, differences) = remote.compare(&Archive::at(&args.dir).known()?)?;
    for one in &differences {
        say(format_args!("{:<10} {} {}", one.what, &one.id[..8], one.key))?;
    }
    let text = format!("{same} copies the same on record and in the store, {} not", differences.len());
    if differences.is_empty() { say(format_args!("{text}")) } else { Err(Error::Failed(text)) }
}
