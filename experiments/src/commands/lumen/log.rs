//! `lumen log`: a transparency log in a folder.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use resonetics_lumen::proof::append::Writer;
use resonetics_lumen::proof::dsse::Envelope;
use resonetics_lumen::proof::file::{MOST, Proof};
use resonetics_lumen::proof::heads::{Heads, Held, held};
use resonetics_lumen::proof::log::Log;
use resonetics_lumen::proof::verify::verify;
use resonetics_runs::Error;
use resonetics_runs::files::read;
use serde_json::json;

use super::passphrase::{Signing, public};
use crate::out::say;

#[derive(Debug, Args)]
pub struct LogArgs {
    #[command(subcommand)]
    pub command: LogCommand,
}

#[derive(Debug, Subcommand)]
pub enum LogCommand {
    /// Append envelopes (DSSE), or those of proofs; what is in the log already is not appended again
    Append(AppendArgs),
    /// Print the head: origin, size, root
    Head(HeadArgs),
    /// Check each entry, each tile, the head, its signature, and that nothing was taken back
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
pub struct AppendArgs {
    /// Envelopes, or proofs
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub signing: Signing,
}

#[derive(Debug, Args)]
pub struct HeadArgs {
    /// The log
    #[arg(long, value_name = "DIR", default_value = "log")]
    pub log: PathBuf,
    /// Public key of the log; may be given several times
    #[arg(long, value_name = "PUB")]
    pub key: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    pub head: HeadArgs,
    /// Heads that were seen; the log's is added if nothing speaks against it
    #[arg(long, value_name = "FILE")]
    pub heads: Option<PathBuf>,
}

pub fn run(args: &LogArgs) -> Result<(), Error> {
    match &args.command {
        LogCommand::Append(args) => append(args),
        LogCommand::Head(args) => {
            let log = Log::open(&args.log, &public(&args.key)?)?;
            say(format_args!("{}", log.head.json()))
        }
        LogCommand::Verify(args) => verified(args),
    }
}

fn append(args: &AppendArgs) -> Result<(), Error> {
    let envelope = |path: &PathBuf| {
        let bytes = read(path, MOST)?;
        let bytes = Proof::parse(&bytes).map_or(bytes, |proof| proof.envelope.into_bytes());
        Envelope::open(&bytes).map(|_| bytes).map_err(|why| {
            Error::Refused(format!("{} is neither an envelope nor a proof: {why}", path.display()))
        })
    };
    // All are looked at before one is appended.
    let envelopes = args.files.iter().map(envelope).collect::<Result<Vec<_>, _>>()?;
    let key = args.signing.key()?;
    let mut writer = Writer::open(&args.signing.log, &key, args.signing.origin.as_deref())?;
    for (path, bytes) in args.files.iter().zip(&envelopes) {
        let (index, new) = writer.append_once(bytes)?;
        let head = writer.commit()?;
        let file = path.display().to_string();
        say(format_args!("{}", json!({ "file": file, "index": index, "new": new, "size": head.size })))?;
    }
    Ok(())
}

fn verified(args: &VerifyArgs) -> Result<(), Error> {
    let (dir, keys) = (&args.head.log, public(&args.head.key)?);
    let mut heads = args.heads.as_deref().map(Heads::read).transpose()?;
    let log = Log::open(dir, &keys)?;
    let seen = heads.as_ref().map(|heads| heads.of(&log.head.origin)).unwrap_or_default();
    let sizes: Vec<u64> = seen.iter().map(|(size, _)| *size).filter(|size| *size <= log.head.size).collect();
    let roots = verify(&log, dir, &sizes)?;
    let shown = dir.display();
    match held(&seen, log.head.size, &roots) {
        Held::Good => {}
        Held::RolledBack { was } => {
            return Err(Error::Failed(format!(
                "{shown} had {was} entries and has {}: entries were taken back; keep this copy, and ask who runs the log",
                log.head.size
            )));
        }
        Held::Forked { at } => {
            return Err(Error::Failed(format!(
                "{shown} is another log than the one that was seen: its first {at} entries are others; keep both heads, they prove it"
            )));
        }
    }
    let size = log.head.size;
    if keys.is_empty() {
        return Err(Error::Unknown(format!(
            "{shown}: {size} entries, all tiles are what they should be; who signed is not known: give --key"
        )));
    }
    if let (Some(heads), Some(path)) = (&mut heads, &args.heads) {
        heads.keep(&log.head, path)?;
    }
    say(format_args!("{shown}: {size} entries, all tiles and the head are what they should be"))
}
