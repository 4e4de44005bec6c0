//! Experiments, whose files are kept in a run directory.

use std::path::{Path, PathBuf};

use resonetics_runs::Error;
use resonetics_runs::monitor::Monitor;
use resonetics_runs::plan::Plan;
use resonetics_runs::run_dir::status;

use super::context::Context;
use crate::out::say;

/// Does `work` in a new run directory and yields its path.
pub fn kept(
    plan: &Plan,
    out: Option<&Path>,
    context: Context,
    monitor: Option<&Monitor>,
    work: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<PathBuf, Error> {
    let run = plan.begin(out, monitor.map(Monitor::addresses))?;
    let path = run.path().to_path_buf();
    let outcome = run.finish(work(&path));
    told(outcome, &path, context).map(|()| path)
}

/// Says where the files of a run are, also of one that was interrupted.
pub fn told(outcome: Result<(), Error>, path: &Path, context: Context) -> Result<(), Error> {
    if matches!(outcome, Err(Error::Interrupted(_))) {
        say(format_args!("what was done until then is in {}", path.display()))?;
    }
    outcome?;
    if !context.quiet {
        say(format_args!("wrote {}", path.display()))?;
    }
    Ok(())
}

/// Whether the run in `dir` is finished, which is said.
pub fn finished(dir: &Path) -> Result<bool, Error> {
    let finished = status(dir)?.as_deref() == Some("finished");
    if finished {
        tell_finished(dir)?;
    }
    Ok(finished)
}

/// Says that the run in `dir` is finished.
pub fn tell_finished(dir: &Path) -> Result<(), Error> {
    say(format_args!("{} is finished: nothing to do", dir.display()))
}
