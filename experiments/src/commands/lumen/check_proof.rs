//! `lumen check-proof`: whether a proof holds, from the file and public keys alone.

use std::path::{Path, PathBuf};

use clap::Args;
use resonetics_lumen::proof::check::{Asked, Ends, check};
use resonetics_lumen::proof::consistency::{self, Consistency};
use resonetics_lumen::proof::detached::{Detached, ENDING};
use resonetics_lumen::proof::digest::digest;
use resonetics_lumen::proof::file::{MOST, Proof};
use resonetics_lumen::proof::heads::Heads;
use resonetics_lumen::proof::key_log::{self, KeyLog};
use resonetics_lumen::proof::log::Log;
use resonetics_lumen::proof::note::Note;
use resonetics_lumen::proof::text::hash_of_hex;
use resonetics_runs::Error;
use resonetics_runs::files::{read, text_within};
use resonetics_runs::run_dir::seconds;

use super::passphrase::{Certificates, public};
use super::root::signed as signed_root;
use crate::out::say;

#[derive(Debug, Args)]
pub struct CheckProofArgs {
    /// RUN.proof.json, or FILE.sig.json
    pub file: PathBuf,
    /// A file that it should be of [default for FILE.sig.json: FILE]
    #[arg(long, value_name = "F")]
    pub artifact: Option<PathBuf>,
    /// A public key that you trust, of who signed or of a log; may be given several times
    #[arg(long, value_name = "PUB")]
    pub key: Vec<PathBuf>,
    /// Root metadata that you trust (`lumen keys root`); later versions are found in the log
    #[arg(long, value_name = "ROOT")]
    pub root: Option<PathBuf>,
    /// Fingerprint (SHA-256) of the root of certificates that you trust
    #[arg(long, value_name = "FINGERPRINT", value_parser = fingerprint)]
    pub chain_root: Option<String>,
    #[command(flatten)]
    pub certificates: Certificates,
    /// What the log said of keys since (`lumen keys log`)
    #[arg(long, value_name = "FILE", conflicts_with = "log")]
    pub revocations: Option<PathBuf>,
    /// The log itself, where you have a copy: what it said of keys since, and that heads of it belong together
    #[arg(long, value_name = "DIR")]
    pub log: Option<PathBuf>,
    /// That heads of the log belong together (`lumen log consistency`); may be given several times
    #[arg(long, value_name = "FILE")]
    pub consistency: Vec<PathBuf>,
    /// Heads of logs that you have seen (`lumen log verify --heads`)
    #[arg(long, value_name = "FILE")]
    pub heads: Option<PathBuf>,
    /// Public key of a witness that must have signed a head of the log; may be given several times
    #[arg(long, value_name = "PUB")]
    pub witness: Vec<PathBuf>,
    /// A head of the log that witnesses signed (`lumen log witness`)
    #[arg(long, value_name = "FILE")]
    pub cosigned: Option<PathBuf>,
    /// A proof that somebody repeated the run; may be given several times
    #[arg(long, value_name = "FILE")]
    pub reproduction: Vec<PathBuf>,
}

pub fn run(args: &CheckProofArgs) -> Result<(), Error> {
    let bytes = read(&args.file, MOST)?;
    let beside = [
        ("--heads", args.heads.is_some()),
        ("--witness", !args.witness.is_empty()),
        ("--cosigned", args.cosigned.is_some()),
        ("--consistency", !args.consistency.is_empty()),
        ("--reproduction", !args.reproduction.is_empty()),
    ];
    if Detached::parse(&bytes).is_ok()
        && let Some((option, _)) = beside.iter().find(|(_, given)| *given)
    {
        return Err(Error::Refused(format!(
            "{option} is about logs, and {} is a signature beside a file, which has no place in one: leave it out",
            args.file.display()
        )));
    }
    let artifact = args.artifact.clone().or_else(|| signed(&args.file));
    let artifact = artifact.map(|path| digest(&path)).transpose()?.map(|(_, sum)| sum);
    let keys = public(&args.key)?;
    let heads = args.heads.as_deref().map(Heads::read).transpose()?;
    let reproductions =
        args.reproduction.iter().map(|path| read(path, MOST)).collect::<Result<Vec<_>, _>>()?;
    let witnesses = public(&args.witness)?;
    let cosigned = args.cosigned.as_deref().map(read_note).transpose()?;
    let chain = args.certificates.read()?;
    if chain.is_some() && args.chain_root.is_none() {
        return Err(Error::Refused(
            "certificates say nothing without the fingerprint of a root that you trust: give --chain-root"
                .to_owned(),
        ));
    }
    let root = args.root.as_deref().map(signed_root).transpose()?;
    let mut consistency =
        args.consistency.iter().map(|path| read_consistency(path)).collect::<Result<Vec<_>, _>>()?;
    let key_log = match (&args.log, &args.revocations) {
        (Some(dir), _) => Some(of_log(dir, &bytes, heads.as_ref(), cosigned.as_ref(), &mut consistency)?),
        (None, Some(path)) => Some(read_keys(path)?),
        (None, None) => None,
    };
    let verdict = check(
        &bytes,
        &Asked {
            keys: &keys,
            root: root.as_ref(),
            chain_root: args.chain_root.as_deref(),
            chain: chain.as_ref(),
            key_log: key_log.as_ref(),
            consistency: &consistency,
            witnesses: &witnesses,
            cosigned: cosigned.as_ref(),
            artifact: artifact.as_deref(),
            heads: heads.as_ref(),
            reproductions: &reproductions,
            now: seconds() as u64,
        },
    );
    say(format_args!("{}", verdict.json()))?;
    let reasons = verdict.reasons().collect::<Vec<_>>().join("; ");
    let shown = args.file.display();
    match verdict.ends() {
        Ends::Good => Ok(()),
        Ends::Bad => Err(Error::Failed(format!("{shown} does not hold: {reasons}"))),
        Ends::Unknown => Err(Error::Unknown(format!(
            "whether {shown} holds is not known: {reasons}; give what is missing"
        ))),
    }
}

/// A fingerprint, with colons or without.
fn fingerprint(text: &str) -> Result<String, String> {
    let plain = text.replace(':', "").to_lowercase();
    hash_of_hex(&plain).map(|_| plain).ok_or_else(|| "64 hexadecimal digits".to_owned())
}

/// The file that a signature lies beside.
fn signed(signature: &Path) -> Option<PathBuf> {
    let name = signature.to_str()?.strip_suffix(ENDING)?;
    Some(PathBuf::from(name)).filter(|path| path.exists())
}

fn read_consistency(path: &Path) -> Result<Consistency, Error> {
    Consistency::parse(&read(path, consistency::MOST)?)
        .map_err(|why| Error::Refused(format!("{} shows nothing: {why}", path.display())))
}

fn read_note(path: &Path) -> Result<Note, Error> {
    let none = || Error::Refused(format!("{} is no head of a log", path.display()));
    Note::parse(&text_within(path, consistency::MOST)?).ok_or_else(none)
}

fn read_keys(path: &Path) -> Result<KeyLog, Error> {
    KeyLog::parse(&read(path, key_log::MOST)?)
        .map_err(|why| Error::Refused(format!("{} says nothing of keys: {why}", path.display())))
}

/// What the log in the folder `dir` says of keys, and that the head of the proof and those that were kept belong together,
/// as far as it was so large. It is believed no more than a file would be.
fn of_log(
    dir: &Path,
    proof: &[u8],
    heads: Option<&Heads>,
    cosigned: Option<&Note>,
    shown: &mut Vec<Consistency>,
) -> Result<KeyLog, Error> {
    let mut log = Log::open(dir, &[])?;
    let (origin, size) = (log.head.origin.clone(), log.head.size);
    let of_proof = Proof::parse(proof).ok().and_then(|proof| Some(Note::parse(&proof.checkpoint)?.head.size));
    let mut sizes: Vec<u64> =
        heads.map(|heads| heads.of(&origin)).unwrap_or_default().iter().map(|it| it.0).collect();
    sizes.push(size);
    sizes.extend(cosigned.map(|note| note.head.size));
    for (one, other) in of_proof.iter().flat_map(|one| sizes.iter().map(move |other| (*one, *other))) {
        let (old, new) = (one.min(other), one.max(other));
        if new <= size && old < new {
            shown.push(Consistency::new(&origin, old, new, &log.consistency(old, new)?));
        }
    }
    KeyLog::of(&mut log)
}
