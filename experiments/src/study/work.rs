//! The work of a study: its cells, as many at once as there are threads, each a process of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use resonetics_runs::error::io;
use resonetics_runs::files::put_aside;
use resonetics_runs::{Error, interrupt, run_dir};
use rustix::process::{Pid, Signal, kill_process};

use super::cell::Cell;
use super::python;
use crate::progress::Bar;

/// Between two looks at a process.
const LOOK: Duration = Duration::from_millis(50);

/// Commands whose runs go on where they were stopped; of others the run begins anew.
const RESUMED: [&str; 2] = ["train", "limit"];

/// Where the work stands.
struct Board<'a> {
    waiting: Vec<&'a Cell>,
    finished: Vec<&'a str>,
    running: usize,
    failed: Vec<String>,
}

/// What runs a cell.
#[derive(Clone, Copy)]
struct Programs<'a> {
    own: &'a Path,
    python: &'a Path,
}

/// What is there of a cell.
enum State {
    Finished,
    /// A run that goes on.
    Stopped,
    /// Nothing that goes on.
    New,
}

/// Runs the cells below `dir` that are not finished, those for Python with `python`, `threads` at once with one thread each. A cell that fails holds up those that need it alone.
///
/// # Errors
/// [`Error::Failed`] with the cells that failed; an interrupt; that a folder is in use or cannot be made.
pub fn work(dir: &Path, cells: &[Cell], python: &Path, threads: usize, bar: &Bar) -> Result<(), Error> {
    let mut board = Board { waiting: Vec::new(), finished: Vec::new(), running: 0, failed: Vec::new() };
    for cell in cells {
        if matches!(state(dir, cell)?, State::Finished) {
            board.finished.push(&cell.name);
        } else {
            board.waiting.push(cell);
        }
    }
    let done = cells.iter().filter(|cell| board.finished.contains(&cell.name.as_str()));
    bar.begin_at(done.map(weight).sum());
    let board = Mutex::new(board);
    let own = std::env::current_exe().map_err(|error| Error::Failed(format!("this program: {error}")))?;
    let programs = Programs { own: &own, python };
    let outcomes: Vec<Result<(), Error>> = thread::scope(|scope| {
        let one = || worker(dir, programs, &board, bar);
        let workers: Vec<_> = (0..threads.clamp(1, cells.len().max(1))).map(|_| scope.spawn(one)).collect();
        let died = || Err(Error::Failed("a thread of the study died".to_owned()));
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| died())).collect()
    });
    outcomes.into_iter().collect::<Result<(), Error>>()?;
    let board = board.into_inner().unwrap_or_else(PoisonError::into_inner);
    if board.failed.is_empty() { Ok(()) } else { Err(Error::Failed(board.failed.join("; "))) }
}

/// How much of the whole a cell is: seconds of a core, at least 1.
pub fn weight(cell: &Cell) -> u64 {
    cell.seconds.ceil().max(1.0) as u64
}

fn worker(dir: &Path, programs: Programs<'_>, board: &Mutex<Board<'_>>, bar: &Bar) -> Result<(), Error> {
    let locked = || board.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        interrupt::check()?;
        let cell = {
            let mut board = locked();
            let ready = |cell: &&Cell| cell.needs.iter().all(|need| board.finished.contains(&need.as_str()));
            match board.waiting.iter().position(ready) {
                Some(at) => {
                    board.running += 1;
                    Some(board.waiting.remove(at))
                }
                None if board.running == 0 => return Ok(()),
                None => None,
            }
        };
        let Some(cell) = cell else {
            thread::sleep(LOOK);
            continue;
        };
        bar.message(cell.name.clone());
        let outcome = run(dir, programs, cell);
        let mut board = locked();
        board.running -= 1;
        match outcome {
            Ok(true) => board.finished.push(&cell.name),
            Ok(false) => board.failed.push(format!("{} failed: {}", cell.name, log(dir, cell).display())),
            Err(failure) => return Err(failure),
        }
        bar.inc(weight(cell));
    }
}

fn state(dir: &Path, cell: &Cell) -> Result<State, Error> {
    let folder = dir.join(&cell.name);
    if cell.python {
        return Ok(if folder.join(python::RESULT).is_file() { State::Finished } else { State::New });
    }
    if !folder.join("run.json").is_file() {
        return Ok(State::New);
    }
    match run_dir::ended(&folder).as_deref() {
        Some("finished") => Ok(State::Finished),
        Some("running") => Err(Error::Refused(format!(
            "{} is still running: wait for it, or stop it, and try again",
            folder.display()
        ))),
        Some("killed" | "interrupted") if RESUMED.contains(&cell.command()) => Ok(State::Stopped),
        _ => Ok(State::New),
    }
}

/// Where the words of a cell's command go.
fn log(dir: &Path, cell: &Cell) -> PathBuf {
    dir.join(format!("{}.log", cell.name))
}

/// Runs a cell to its end; whether it succeeded.
fn run(dir: &Path, programs: Programs<'_>, cell: &Cell) -> Result<bool, Error> {
    let folder = dir.join(&cell.name);
    let program = if cell.python { programs.python } else { programs.own };
    let mut command = Command::new(program);
    if let State::Stopped = state(dir, cell)? {
        command.arg(cell.command()).arg("--resume").arg(&folder);
        if cell.command() == "train" {
            command.arg("--no-monitor");
        }
    } else {
        put_aside(&folder)?;
        command.args(&cell.words).arg("--out").arg(&folder);
    }
    let path = log(dir, cell);
    let open = || File::options().create(true).append(true).open(&path).map_err(io("open", &path));
    if !cell.python {
        command.args(["--threads", "1", "--quiet"]);
    }
    command.stdin(Stdio::null()).stdout(open()?).stderr(open()?);
    let child = command.spawn().map_err(|error| Error::Failed(format!("{}: {error}", program.display())))?;
    waited_for(child).map(|status| status.success())
}

/// Waits for `child`; where this process is to end, the child is told to first.
fn waited_for(mut child: Child) -> Result<ExitStatus, Error> {
    let lost = |error: std::io::Error| Error::Failed(format!("cannot wait for a cell: {error}"));
    loop {
        if let Some(status) = child.try_wait().map_err(lost)? {
            // A child that was interrupted with this process has not failed.
            interrupt::check()?;
            return Ok(status);
        }
        if let Err(interrupted) = interrupt::check() {
            if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                // One that is gone already needs no signal.
                let _ = kill_process(pid, Signal::TERM);
            }
            child.wait().map_err(lost)?;
            return Err(interrupted);
        }
        thread::sleep(LOOK);
    }
}
