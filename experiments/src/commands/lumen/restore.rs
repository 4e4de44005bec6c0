//! `lumen restore`: the run of an archive into a new folder.

use std::path::PathBuf;

use clap::Args;
use resonetics_lumen::archive::{restore, restore_opened};
use resonetics_runs::Error;

use super::sealing::Opening;
use super::verify::refuse_bad;
use crate::out::say;

#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The folder of an archive, archive/RUN/TIME-ID
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Where to: a folder that is new or empty
    #[arg(long, value_name = "NEW")]
    pub out: PathBuf,
    #[command(flatten)]
    pub opening: Opening,
}

pub fn run(args: &RestoreArgs) -> Result<(), Error> {
    let restored = match args.opening.key()? {
        Some(key) => restore_opened(&args.dir, &args.out, &key)?,
        None => restore(&args.dir, &args.out)?,
    };
    refuse_bad(&args.dir, &restored)?;
    let Some(manifest) = &restored.manifest else { return Ok(()) };
    say(format_args!(
        "wrote {}: {} files, {} bytes",
        args.out.display(),
        manifest.files.len(),
        manifest.total_bytes
    ))
}
