//! `lumen prove`: what a finished run's results are and where they come from, signed and logged; or what the files of any
//! folder are.

use std::path::PathBuf;

use clap::Args;
use resonetics_lumen::proof::file::{By, beside, prove};
use resonetics_lumen::proof::statement::{Built, Statement};
use resonetics_runs::Error;
use resonetics_runs::files::check_new;
use resonetics_runs::run_dir::commit;

use super::passphrase::{Certificates, Signing};
use crate::commands::rerun::compared_files;
use crate::out::say;

/// What this program was built with.
const LOCK: &[u8] = include_bytes!("../../../../Cargo.lock");

#[derive(Debug, Args)]
pub struct ProveArgs {
    /// Run directory of a run that came to its end
    pub run: PathBuf,
    /// Only say what the files of the folder are: for measurements, which cannot be repeated, and for what is no run
    #[arg(long)]
    pub files: bool,
    #[command(flatten)]
    pub signing: Signing,
    #[command(flatten)]
    pub certificates: Certificates,
}

pub fn run(args: &ProveArgs) -> Result<(), Error> {
    let path = beside(&args.run);
    check_new(&path)?;
    let statement = if args.files {
        Statement::of_files(&args.run)?
    } else {
        Statement::of_run(&args.run, &compared_files(&args.run)?, &built())?
    };
    let key = args.signing.key()?;
    let (log, origin) = (args.signing.log.as_path(), args.signing.origin.as_deref());
    let (formerly, chain) = (args.signing.formerly()?, args.certificates.read()?);
    let by = By { key: &key, log, origin, formerly: formerly.as_ref(), chain: chain.as_ref() };
    let proof = prove(&statement, &by, &path)?;
    say(format_args!(
        "wrote {}: {} files, entry {} of {}, signed by {}",
        path.display(),
        statement.subject.len(),
        proof.index,
        log.display(),
        key.public().id()
    ))
}

/// What this program is.
pub fn built() -> Built<'static> {
    Built { commit: commit(), lock: LOCK }
}
