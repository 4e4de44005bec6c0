//! `replay`: a recorded trace through the production rules.

use super::{Context, Report, described, reported};
use crate::cli::ReplayArgs;
use crate::failure::Failure;
use crate::setup::text;
use crate::trace;

/// The most bytes of a trace.
const TRACE: u64 = 4 << 30;

pub fn run(args: &ReplayArgs, context: Context) -> Result<(), Failure> {
    let name = args.trace.display().to_string();
    let text = text(&args.trace, TRACE)?;
    let config = described("replay", [("trace", name.as_str().into())]);
    reported(&config, args.out.out.as_deref(), context, || {
        let replay = trace::replay(&text)
            .map_err(|problem| Failure::Usage(format!("cannot replay {name}: {problem}")))?;
        let outcome = match replay.problem() {
            None => Ok(()),
            Some(problem) => Err(Failure::Failed(format!("{name} {problem}"))),
        };
        Ok(Report { text: format!("{}\n", replay.json(&name)), file: "replay.json", outcome })
    })
}
