//! `lumen sign`: a signature beside a file.

use std::path::PathBuf;

use clap::Args;
use resonetics_lumen::proof::detached::sign;
use resonetics_lumen::proof::key::Secret;
use resonetics_runs::Error;

use super::passphrase::{asked, folder};
use crate::out::say;

#[derive(Debug, Args)]
pub struct SignArgs {
    /// The file
    pub file: PathBuf,
    /// Folder of the key that signs [default: resonetics/keys in the configuration folder of the user]
    #[arg(long, value_name = "DIR")]
    pub keys: Option<PathBuf>,
}

pub fn run(args: &SignArgs) -> Result<(), Error> {
    let key = Secret::open(&folder(args.keys.as_deref())?, &asked)?;
    let path = sign(&args.file, &key)?;
    say(format_args!("wrote {}, signed by {}", path.display(), key.public().id()))
}
