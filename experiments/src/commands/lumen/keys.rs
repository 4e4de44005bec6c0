//! `lumen keys`: the key that signs.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use resonetics_lumen::proof::key::{PUBLIC, Secret};
use resonetics_runs::Error;

use super::passphrase::{folder, told, typed};
use crate::out::say;

#[derive(Debug, Args)]
pub struct KeysArgs {
    #[command(subcommand)]
    pub command: KeysCommand,
}

#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a key. It never takes the place of another one. With LUMEN_KEY_PASS_FILE or LUMEN_KEY_PASS set it can be read
    /// with that passphrase alone
    Init(InitArgs),
}

#[derive(Debug, Args)]
pub struct InitArgs {
    /// Its folder, which nobody else may look into; made if it is not there [default: resonetics/keys in the configuration
    /// folder of the user]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Ask for a passphrase
    #[arg(long)]
    pub passphrase: bool,
}

pub fn run(args: &KeysArgs) -> Result<(), Error> {
    let KeysCommand::Init(args) = &args.command;
    let dir = folder(args.dir.as_deref())?;
    let passphrase = match told()? {
        None if args.passphrase => {
            let first = typed("passphrase of the new key")?;
            if typed("the same again")? != first {
                return Err(Error::Refused(
                    "the two passphrases differ: no key was made; try again".to_owned(),
                ));
            }
            Some(first)
        }
        told => told,
    };
    let public = Secret::create(&dir, passphrase.as_deref())?;
    say(format_args!("key {}", public.id()))?;
    say(format_args!("whom you sign for needs {}; keep the folder to yourself", dir.join(PUBLIC).display()))
}
