//! `lumen check-proof`: whether a proof holds, from the file and public keys alone.

use std::path::{Path, PathBuf};

use clap::Args;
use resonetics_lumen::proof::check::{Asked, Ends, check};
use resonetics_lumen::proof::detached::ENDING;
use resonetics_lumen::proof::digest::digest;
use resonetics_lumen::proof::file::MOST;
use resonetics_lumen::proof::heads::Heads;
use resonetics_runs::Error;
use resonetics_runs::files::read;

use super::passphrase::public;
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
    /// Heads of logs that you have seen (`lumen log verify --heads`)
    #[arg(long, value_name = "FILE")]
    pub heads: Option<PathBuf>,
    /// A proof that somebody repeated the run; may be given several times
    #[arg(long, value_name = "FILE")]
    pub reproduction: Vec<PathBuf>,
}

pub fn run(args: &CheckProofArgs) -> Result<(), Error> {
    let bytes = read(&args.file, MOST)?;
    let artifact = args.artifact.clone().or_else(|| signed(&args.file));
    let artifact = artifact.map(|path| digest(&path)).transpose()?.map(|(_, sum)| sum);
    let keys = public(&args.key)?;
    let heads = args.heads.as_deref().map(Heads::read).transpose()?;
    let reproductions =
        args.reproduction.iter().map(|path| read(path, MOST)).collect::<Result<Vec<_>, _>>()?;
    let verdict = check(
        &bytes,
        &Asked {
            keys: &keys,
            artifact: artifact.as_deref(),
            heads: heads.as_ref(),
            reproductions: &reproductions,
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

/// The file that a signature lies beside.
fn signed(signature: &Path) -> Option<PathBuf> {
    let name = signature.to_str()?.strip_suffix(ENDING)?;
    Some(PathBuf::from(name)).filter(|path| path.exists())
}
