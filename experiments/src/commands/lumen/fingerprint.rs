//! `lumen fingerprint`: all files of a folder in one hash.

use std::path::PathBuf;

use clap::Args;
use resonetics_lumen::proof::fingerprint::Fingerprint;
use resonetics_runs::Error;

use crate::out::say;

#[derive(Debug, Args)]
pub struct FingerprintArgs {
    /// Run directory, or any folder
    pub run: PathBuf,
    /// Compare with what was printed before: exit status 1 if a file is missing, added or changed
    #[arg(long, value_name = "FILE")]
    pub check: Option<PathBuf>,
}

pub fn run(args: &FingerprintArgs) -> Result<(), Error> {
    let Some(path) = &args.check else {
        return say(format_args!("{}", Fingerprint::of(&args.run)?.text()?));
    };
    let recorded = Fingerprint::read(path)?;
    let differences = recorded.differences(&Fingerprint::of(&args.run)?);
    for difference in &differences {
        say(format_args!("{difference}"))?;
    }
    let (run, files) = (args.run.display(), recorded.files.len());
    match differences.len() {
        0 => say(format_args!("{run}: {files} files as they were, {}", recorded.root)),
        count => Err(Error::Failed(format!("{run} is not as {} says: {count} files differ", path.display()))),
    }
}
