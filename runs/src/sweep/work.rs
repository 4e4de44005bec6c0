//! A sweep in its directory, cell by cell.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::cell::CELLS;
use super::plan::Sweep;
use super::table::write;
use crate::error::Error;
use crate::files::text;
use crate::interrupt::{self, Stop};
use crate::progress::Progress;
use crate::run_dir::{RunDir, RunRecord, ended, exclusive, status};

/// Creates the sweep's directory, `out` or the next free one below `runs`.
///
/// # Errors
/// Those of [`RunDir::create`].
pub fn begin(plan: &Sweep, out: Option<&Path>) -> Result<RunDir, Error> {
    RunDir::create(out, RunRecord::new("sweep", None), &plan.text()?)
}

/// The plan of the sweep in `dir`, and its directory to go on in; none if it is finished.
///
/// # Errors
/// [`Error::Refused`] if there is no sweep, or another process is at work in it.
pub fn stopped(dir: &Path) -> Result<(Sweep, Option<RunDir>), Error> {
    let path = dir.join("config.toml");
    let plan = Sweep::parse(&text(&path)?)
        .map_err(|problem| Error::Refused(format!("cannot resume {}: {problem}", path.display())))?;
    if status(dir)?.as_deref() == Some("finished") {
        return Ok((plan, None));
    }
    // The lock of a run that is at work would be waited for.
    if ended(dir).as_deref() == Some("running") {
        return Err(Error::Refused(format!(
            "another process is at work in {}: wait for it, or stop it, and try again",
            dir.display()
        )));
    }
    let run = RunDir::resume(dir, RunRecord::new("sweep", None), &|_| Ok(()))?;
    Ok((plan, Some(run)))
}

/// Trains all cells below `dir` that are not finished there, `jobs` at a time with a thread each, and writes the tables.
///
/// # Errors
/// [`Error::Failed`] with the cells that failed, after all others; an interrupt; [`Error::Refused`] if another process works there.
pub fn work(plan: &Sweep, dir: &Path, jobs: usize, progress: &dyn Progress) -> Result<(), Error> {
    let _lock = exclusive(dir)?;
    let cells = plan.cells()?;
    let (waiting, failed) = (Mutex::new(cells.iter().rev().collect::<Vec<_>>()), Mutex::new(Vec::new()));
    let stop = Stop::here();
    let worker = || -> Result<(), Error> {
        loop {
            interrupt::check()?;
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(cell) = next else { return Ok(()) };
            progress.message(&cell.name());
            match cell.work(plan.episodes(), &dir.join(CELLS), progress) {
                Ok(()) => {}
                Err(stopped @ Error::Interrupted(_)) => return Err(stopped),
                Err(problem) => {
                    let problem = format!("{} ({}): {problem}", cell.name(), cell.key);
                    failed.lock().unwrap_or_else(PoisonError::into_inner).push(problem);
                }
            }
        }
    };
    let died = || Err(Error::Failed("a thread of the sweep died".to_owned()));
    let outcomes: Vec<Result<(), Error>> = thread::scope(|scope| {
        let one = || stop.on_threads(1, worker).and_then(|outcome| outcome);
        let workers: Vec<_> = (0..jobs.clamp(1, cells.len().max(1))).map(|_| scope.spawn(one)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| died())).collect()
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    // What is there is told, also where not all of it is.
    write(plan, &cells, dir)?;
    outcomes.into_iter().collect::<Result<(), Error>>()?;
    if failed.is_empty() { Ok(()) } else { Err(Error::Failed(failed.join("; "))) }
}
