//! `replay`: a recorded trace through the production rules.

use super::{Context, described, report};
use crate::cli::ReplayArgs;
use crate::failure::Failure;
use crate::setup::read;
use crate::trace;

pub fn run(args: &ReplayArgs, context: Context) -> Result<(), Failure> {
    let name = args.trace.display().to_string();
    let text = read(&args.trace)?;
    let replay =
        trace::replay(&text).map_err(|problem| Failure::Usage(format!("cannot replay {name}: {problem}")))?;
    let result = format!("{}\n", replay.json(&name));
    let config = described("replay", [("trace", name.as_str().into())]);
    report(&config, "replay.json", &result, args.out.out.as_deref(), context)?;
    if replay.deviations.within_tolerance() {
        Ok(())
    } else {
        Err(Failure::Failed(format!("{name} deviates by more than the tolerance")))
    }
}
