//! `lumen archive`: which archives there are, and whether the index says so.

use std::path::PathBuf;

use clap::Args;
use resonetics_lumen::archive::Archive;
use resonetics_lumen::archive::index::{Index, differences, reindex};
use resonetics_runs::{Error, run_dir};

use crate::out::say;

#[derive(Debug, Args)]
pub struct ArchiveArgs {
    /// The folder of archives
    #[arg(value_name = "DIR", default_value = "archive")]
    pub dir: PathBuf,
    /// Make the index say what is there, and print how it differed
    #[arg(long)]
    pub reindex: bool,
}

pub fn run(args: &ArchiveArgs) -> Result<(), Error> {
    let archive = Archive::at(&args.dir).known()?;
    if args.reindex {
        let told = reindex(&archive, run_dir::seconds())?;
        for difference in &told {
            say(format_args!("{difference}"))?;
        }
        let archives = Index::read(&archive)?.live().len();
        return say(format_args!("{archives} archives in the index, {} differences", told.len()));
    }
    let (found, index) = (archive.found()?, Index::read(&archive)?);
    for found in &found {
        let Ok(said) = &found.said else { continue };
        let step = said.manifest.run.step.map_or_else(String::new, |step| format!(", step {step}"));
        let label = said.manifest.label.as_ref().map_or_else(String::new, |label| format!(", {label}"));
        let files = if said.manifest.is_outer() {
            "encrypted".to_owned()
        } else {
            format!("{} files", said.manifest.files.len())
        };
        let dir = archive.path(&found.dir);
        say(format_args!("{}  {files}, {} bytes{step}{label}", dir.display(), said.bytes))?;
    }
    let told = differences(&index, &found);
    for difference in &told {
        say(format_args!("{difference}"))?;
    }
    match told.len() {
        0 => say(format_args!("{} archives, as the index says", found.len())),
        count => Err(Error::Failed(format!(
            "the index of {} differs in {count} places; look into them, then use --reindex",
            args.dir.display()
        ))),
    }
}
