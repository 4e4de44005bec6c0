//! `lumen log`: a transparency log in a folder.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use resonetics_lumen::proof::append::Writer;
use resonetics_lumen::proof::consistency::Consistency;
use resonetics_lumen::proof::dsse::Envelope;
use resonetics_lumen::proof::file::{MOST, Proof};
use resonetics_lumen::proof::heads::{Heads, Held, held};
use resonetics_lumen::proof::key::Secret;
use resonetics_lumen::proof::log::Log;
use resonetics_lumen::proof::publish::publish;
use resonetics_lumen::proof::text::hex;
use resonetics_lumen::proof::verify::verify;
use resonetics_lumen::proof::witness::witness;
use resonetics_runs::files::read;
use resonetics_runs::run_dir::seconds;
use resonetics_runs::{Error, error};
use serde_json::json;

use super::passphrase::{Signing, asked, folder, public};
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
    /// Print the proof that the log at one size is the beginning of what it was at another, for `check-proof --consistency`
    Consistency(ConsistencyArgs),
    /// Keep the head elsewhere and sign that it follows those that were seen
    Witness(WitnessArgs),
    /// Print whether all is well, the root, the entries and the bytes
    Stats(HeadArgs),
    /// Write the log as static files for any web server, in place of what was published of it
    Publish(PublishArgs),
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

#[derive(Debug, Args)]
pub struct WitnessArgs {
    /// Folder of the witness: the heads that it has seen, and the last that it signed
    pub dir: PathBuf,
    #[command(flatten)]
    pub head: HeadArgs,
    /// Folder of the witness's key [default: resonetics/keys in the configuration folder of the user]
    #[arg(long, value_name = "DIR")]
    pub keys: Option<PathBuf>,
    /// What the witness is called [default: after its key]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
}

#[derive(Debug, Args)]
pub struct PublishArgs {
    /// The folder: a new one, or what was published of this log
    pub to: PathBuf,
    /// The log
    #[arg(long, value_name = "DIR", default_value = "log")]
    pub log: PathBuf,
}

#[derive(Debug, Args)]
pub struct ConsistencyArgs {
    /// The entries that it had
    pub old: u64,
    /// The entries that it had later [default: those that it has]
    pub new: Option<u64>,
    /// The log
    #[arg(long, value_name = "DIR", default_value = "log")]
    pub log: PathBuf,
}

pub fn run(args: &LogArgs) -> Result<(), Error> {
    match &args.command {
        LogCommand::Append(args) => append(args),
        LogCommand::Head(args) => {
            let log = Log::open(&args.log, &public(&args.key)?)?;
            say(format_args!("{}", log.head.json()))
        }
        LogCommand::Verify(args) => verified(args),
        LogCommand::Witness(args) => witnessed(args),
        LogCommand::Stats(args) => stats(args),
        LogCommand::Publish(args) => {
            let size = publish(&args.log, &args.to)?;
            say(format_args!("wrote {}: {size} entries", args.to.display()))
        }
        LogCommand::Consistency(args) => {
            let mut log = Log::open(&args.log, &[])?;
            let (origin, new) = (log.head.origin.clone(), args.new.unwrap_or(log.head.size));
            let proof = log.consistency(args.old, new)?;
            say(format_args!("{}", Consistency::new(&origin, args.old, new, &proof).text().trim_end()))
        }
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
    let (formerly, origin) = (args.signing.formerly()?, args.signing.origin.as_deref());
    let mut writer = Writer::open_after(&args.signing.log, &key, formerly.as_ref(), origin)?;
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

fn witnessed(args: &WitnessArgs) -> Result<(), Error> {
    let keys = public(&args.head.key)?;
    if keys.is_empty() {
        return Err(Error::Refused(
            "a witness signs heads of a log that it knows: give its --key".to_owned(),
        ));
    }
    let key = Secret::open(&folder(args.keys.as_deref())?, &asked)?;
    let name = args.name.clone();
    let name = name.unwrap_or_else(|| format!("resonetics.witness/{}", &key.public().id()[..16]));
    let (head, path) = witness(&args.head.log, &keys, &args.dir, &key, &name, seconds() as u64)?;
    let file = path.display().to_string();
    say(format_args!("{}", json!({ "origin": head.origin, "size": head.size, "cosigned": file })))
}

fn stats(args: &HeadArgs) -> Result<(), Error> {
    let log = Log::open(&args.log, &public(&args.key)?)?;
    let checked = verify(&log, &args.log, &[]);
    if let Err(Error::Interrupted(signal)) = checked {
        return Err(Error::Interrupted(signal));
    }
    let bytes = folder_bytes(&args.log)?;
    let told = json!({
        "ok": checked.is_ok(), "head": hex(&log.head.root), "height": log.head.size, "bytes": bytes,
    });
    say(format_args!("{told}"))?;
    checked.map(drop)
}

/// The bytes of all files below a folder.
fn folder_bytes(folder: &Path) -> Result<u64, Error> {
    let mut total = 0;
    for entry in fs::read_dir(folder).map_err(error::io("read", folder))? {
        let entry = entry.map_err(error::io("read", folder))?;
        let about = entry.metadata().map_err(error::io("read", folder))?;
        total += if about.is_dir() { folder_bytes(&entry.path())? } else { about.len() };
    }
    Ok(total)
}
