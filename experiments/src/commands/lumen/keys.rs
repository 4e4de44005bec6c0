//! `lumen keys`: the key that signs, the one that takes its place, and that one is not to be trusted any more.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use resonetics_lumen::proof::key::{PUBLIC, Public, SECRET, Secret};
use resonetics_lumen::proof::key_change::{Log, revoke, rotate};
use resonetics_lumen::proof::key_log::KeyLog;
use resonetics_lumen::proof::log;
use resonetics_runs::Error;
use serde_json::json;

use super::issue::{CrlArgs, IssueArgs, crl, issue};
use super::passphrase::{asked, folder, told, typed};
use super::root::{self, RootArgs};
use super::since::{Index, Since};
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
    /// Say in a log that another key signs from now on, signed by the old one
    Rotate(RotateArgs),
    /// Say in a log that a key is not to be trusted any more, signed by itself
    Revoke(RevokeArgs),
    /// Write what a log says of keys into a file, for who has not the log
    Log(KeyLogArgs),
    /// Issue a certificate: of a root, or of a signer by a root
    Issue(IssueArgs),
    /// Issue the list of certificates that were revoked
    Crl(CrlArgs),
    /// Root metadata: which keys are trusted for what, by several custodians
    Root(RootArgs),
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

#[derive(Debug, Args)]
pub struct RotateArgs {
    /// Folder of the key that signed so far [default: resonetics/keys in the configuration folder of the user]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Folder of the key that takes its place; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub new: PathBuf,
    #[command(flatten)]
    pub heads: Heads,
}

#[derive(Debug, Args)]
pub struct RevokeArgs {
    /// The id of the key, which has to be the one in --dir
    #[arg(value_name = "KEYID")]
    pub keyid: String,
    /// Its folder [default: resonetics/keys in the configuration folder of the user]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    #[command(flatten)]
    pub since: Since,
    #[command(flatten)]
    pub heads: Heads,
}

/// The log, and who signs its heads.
#[derive(Debug, Args)]
pub struct Heads {
    /// The log
    #[arg(long, value_name = "DIR", default_value = "log")]
    pub log: PathBuf,
    /// Folder of the key that signs the heads of the log [default: that of the key]
    #[arg(long, value_name = "DIR")]
    pub log_keys: Option<PathBuf>,
    /// Public key of the log's heads until now, where the one in --log-keys takes its place
    #[arg(long, value_name = "PUB", requires = "log_keys")]
    pub formerly: Option<PathBuf>,
}

impl Heads {
    /// Does `what` with the log, whose heads `key` signs if no other one was named.
    pub fn with<T>(&self, key: &Secret, what: impl FnOnce(&Log<'_>) -> Result<T, Error>) -> Result<T, Error> {
        // Without a log there is nobody who could have seen the key.
        log::read_note(&self.log)?;
        let other = self.log_keys.as_deref().map(|dir| Secret::open(dir, &asked)).transpose()?;
        let formerly = self.formerly.as_deref().map(Public::read).transpose()?;
        what(&Log { dir: &self.log, key: other.as_ref().unwrap_or(key), formerly: formerly.as_ref() })
    }
}

#[derive(Debug, Args)]
pub struct KeyLogArgs {
    /// The log
    #[arg(long, value_name = "DIR", default_value = "log")]
    pub log: PathBuf,
    /// The file; an older one is replaced
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

pub fn run(args: &KeysArgs) -> Result<(), Error> {
    match &args.command {
        KeysCommand::Init(args) => init(args),
        KeysCommand::Rotate(args) => rotated(args),
        KeysCommand::Revoke(args) => revoked(args),
        KeysCommand::Log(args) => {
            let keys = KeyLog::of(&mut log::Log::open(&args.log, &[])?)?;
            keys.write(&args.out)?;
            say(format_args!("wrote {}: {} entries about keys", args.out.display(), keys.entries.len()))
        }
        KeysCommand::Issue(args) => issue(args),
        KeysCommand::Crl(args) => crl(args),
        KeysCommand::Root(args) => root::run(args),
    }
}

fn init(args: &InitArgs) -> Result<(), Error> {
    let dir = folder(args.dir.as_deref())?;
    let public = made(&dir, args.passphrase)?;
    say(format_args!("key {}", public.id()))?;
    say(format_args!("whom you sign for needs {}; keep the folder to yourself", dir.join(PUBLIC).display()))
}

fn made(dir: &Path, ask: bool) -> Result<Public, Error> {
    let passphrase = match told()? {
        None if ask => {
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
    Secret::create(dir, passphrase.as_deref())
}

fn rotated(args: &RotateArgs) -> Result<(), Error> {
    let old = Secret::open(&folder(args.dir.as_deref())?, &asked)?;
    log::read_note(&args.heads.log)?;
    if !args.new.join(SECRET).exists() {
        made(&args.new, false)?;
    }
    let new = Secret::open(&args.new, &asked)?;
    let (index, head) = args.heads.with(&old, |log| rotate(log, &old, &new))?;
    let (old, new) = (old.public().id(), new.public().id());
    say(format_args!("{}", json!({ "index": index, "size": head.size, "old": old, "new": new })))
}

fn revoked(args: &RevokeArgs) -> Result<(), Error> {
    let key = Secret::open(&folder(args.dir.as_deref())?, &asked)?;
    let is = key.public().id();
    if is != args.keyid {
        return Err(Error::Refused(format!(
            "the key in that folder is {is}: a key is revoked by itself, or by custodians (`resonetics lumen keys root request revoke`)"
        )));
    }
    let Index(since) = args.since.since;
    let (index, head) = args.heads.with(&key, |log| revoke(log, &key, &args.since.reason, since))?;
    let since = since.unwrap_or(index);
    say(format_args!("{}", json!({ "index": index, "size": head.size, "key": is, "since": since })))
}
