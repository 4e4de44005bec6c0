//! `replay`: a recorded trace through the production rules.

use std::path::PathBuf;

use clap::Args;
use resonetics_runs::Error;
use resonetics_runs::files::text_within;

use super::reported::{Report, described, reported};
use super::typed::OutArgs;
use crate::trace;
use crate::trace::kernel::Backend;

/// The most bytes of a trace.
const TRACE: u64 = 4 << 30;

#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Trace file (JSON)
    pub trace: PathBuf,
    /// Device of what libtorch computes: auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub device: String,
    #[command(flatten)]
    pub out: OutArgs,
}

pub fn run(args: &ReplayArgs) -> Result<(), Error> {
    let name = args.trace.display().to_string();
    let backends =
        Backend::all(&args.device).map_err(|problem| Error::Refused(format!("--device: {problem}")))?;
    let text = text_within(&args.trace, TRACE)?;
    let config = described("replay", [("trace", name.as_str().into())]);
    reported(&config, args.out.out.as_deref(), || {
        let replay = trace::replay(&text, &backends)
            .map_err(|problem| Error::Refused(format!("cannot replay {name}: {problem}")))?;
        let outcome = match replay.problem() {
            None => Ok(()),
            Some(problem) => Err(Error::Failed(format!("{name} {problem}"))),
        };
        Ok(Report { text: format!("{}\n", replay.json(&name)), file: "replay.json", outcome })
    })
}
