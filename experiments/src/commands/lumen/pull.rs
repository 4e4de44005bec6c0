//! `lumen pull`: an archive, brought back from a store.

use std::path::PathBuf;

use clap::Args;
use resonetics_lumen::archive::Archive;
use resonetics_runs::Error;

use super::remote::RemoteArgs;
use crate::out::say;

#[derive(Debug, Args)]
pub struct PullArgs {
    /// The key that lumen push printed, or a run or an archive's id, of which the newest copy is taken
    #[arg(value_name = "KEY|RUN|ID")]
    pub what: String,
    /// The folder of archives; made if it is not there
    #[arg(long, value_name = "DIR", default_value = "archive")]
    pub to: PathBuf,
    #[command(flatten)]
    pub remote: RemoteArgs,
}

pub fn run(args: &PullArgs) -> Result<(), Error> {
    let (dir, is_new) = args.remote.open()?.pull(&Archive::at(&args.to), &args.what)?;
    let dir = dir.display();
    if is_new {
        say(format_args!("wrote {dir}"))
    } else {
        say(format_args!("nothing new: the same is in {dir}"))
    }
}
