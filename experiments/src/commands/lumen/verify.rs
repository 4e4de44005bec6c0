//! `lumen verify`: whether an archive is what was written.

use std::path::PathBuf;

use clap::Args;
use resonetics_lumen::archive::{Verified, check_deep, verify, verify_opened};
use resonetics_runs::Error;

use super::sealing::Opening;
use crate::out::say;

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The folder of an archive, archive/RUN/TIME-ID
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Also restore it into a temporary folder, and look whether a training there can go on and a report can be made
    #[arg(long)]
    pub deep: bool,
    #[command(flatten)]
    pub opening: Opening,
}

pub fn run(args: &VerifyArgs) -> Result<(), Error> {
    let key = args.opening.key()?;
    let verified = match &key {
        Some(key) => verify_opened(&args.dir, key)?,
        None => verify(&args.dir)?,
    };
    refuse_bad(&args.dir, &verified)?;
    let Some(manifest) = &verified.manifest else { return Ok(()) };
    if verified.is_unread {
        if args.deep {
            return Err(Error::Refused(
                "--deep: it is encrypted: give --identity FILE, or --passphrase".to_owned(),
            ));
        }
        return say(format_args!(
            "{}: the encrypted bytes are what was written; what is inside was not read (--identity FILE, or --passphrase, does), id {}",
            args.dir.display(),
            manifest.id
        ));
    }
    if args.deep {
        check_deep(&args.dir, manifest, key.as_ref())?;
    }
    let deep = if args.deep { ", and of use when it is restored" } else { "" };
    say(format_args!(
        "{}: good{deep}: {} files, {} bytes, id {}",
        args.dir.display(),
        manifest.files.len(),
        manifest.total_bytes,
        manifest.id
    ))
}

/// Prints each fault of an archive, and fails if there are any.
pub fn refuse_bad(dir: &std::path::Path, verified: &Verified) -> Result<(), Error> {
    for fault in &verified.faults {
        say(format_args!("{fault}"))?;
    }
    let faults = verified.faults.len();
    if faults == 0 {
        return Ok(());
    }
    let noun = if faults == 1 { "fault" } else { "faults" };
    Err(Error::Failed(format!(
        "{}: {faults} {noun}: take another copy of it, or freeze the run again",
        dir.display()
    )))
}
