//! `lumen prove`: what a finished run's results are and where they come from, signed and logged; or what the files of any
//! folder are.

use std::path::PathBuf;

use clap::Args;
use resonetics_lumen::proof::chain::{Chain, certificates, fingerprint};
use resonetics_lumen::proof::file::{By, beside, prove};
use resonetics_lumen::proof::key::Public;
use resonetics_lumen::proof::statement::{Built, Statement};
use resonetics_lumen::proof::verdict::Weight;
use resonetics_lumen::resonance::timing::seconds_of;
use resonetics_runs::Error;
use resonetics_runs::files::check_new;
use resonetics_runs::run_dir::{commit, seconds};

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
    if args.run.file_name().is_none() {
        return Err(Error::Refused(format!(
            "{} has no name that a proof could have: give the folder from outside of it",
            args.run.display()
        )));
    }
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
    if let (Some(chain), Some(finished)) = (&chain, statement.finished_on().and_then(seconds_of)) {
        holds(chain, &key.public(), finished as u64)?;
    }
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

/// Refuses certificates that no checker would take for this statement.
fn holds(chain: &Chain, key: &Public, finished: u64) -> Result<(), Error> {
    let root = certificates(&chain.certificates).and_then(|all| all.last().map(fingerprint));
    let held = chain.held(&root.unwrap_or_default(), finished, seconds() as u64);
    let wrong: Vec<&str> =
        held.reasons.iter().filter(|(weight, _)| *weight == Weight::Wrong).map(|(_, why)| *why).collect();
    if !wrong.is_empty() {
        return Err(Error::Refused(format!(
            "with these certificates nobody would take the proof: {}; issue a certificate first, and then run",
            wrong.join("; ")
        )));
    }
    match held.signer {
        Some((signer, _)) if signer != *key => Err(Error::Refused(
            "the certificate is of another key than the one that signs: choose that with --keys".to_owned(),
        )),
        _ => Ok(()),
    }
}

/// What this program is.
pub fn built() -> Built<'static> {
    Built { commit: commit(), lock: LOCK }
}
