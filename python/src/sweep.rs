//! Sweeps: the cells of a plan, one by one, for whoever trains them somewhere.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use resonetics_runs::Error;
use resonetics_runs::files::text;
use resonetics_runs::run_dir::RunDir;
use resonetics_runs::sweep::{self, CELLS, Cell};

use crate::runs::Call;
use crate::work::{at_work, error};

/// A sweep at work in its directory, which it holds until it is finished.
#[pyclass(frozen, module = "resonetics._native")]
pub(crate) struct Sweep {
    plan: sweep::Sweep,
    cells: Vec<Cell>,
    dir: PathBuf,
    run: Mutex<Option<RunDir>>,
}

/// The plan in a text.
fn parsed(plan: &str) -> PyResult<sweep::Sweep> {
    sweep::Sweep::parse(plan).map_err(|problem| PyValueError::new_err(format!("the plan: {problem}")))
}

#[pymethods]
impl Sweep {
    /// Begins the sweep of a plan, a TOML text.
    #[new]
    fn new(plan: &str, out: Option<PathBuf>) -> PyResult<Sweep> {
        let plan = parsed(plan)?;
        let cells = plan.cells().map_err(error)?;
        let run = sweep::begin(&plan, out.as_deref()).map_err(error)?;
        Ok(Sweep { plan, cells, dir: run.path().to_path_buf(), run: Mutex::new(Some(run)) })
    }

    /// Goes on with the one in a folder; `None` if it is finished.
    #[staticmethod]
    fn stopped(dir: PathBuf) -> PyResult<Option<Sweep>> {
        let (plan, run) = sweep::stopped(&dir).map_err(error)?;
        let Some(run) = run else { return Ok(None) };
        let cells = plan.cells().map_err(error)?;
        Ok(Some(Sweep { plan, cells, dir, run: Mutex::new(Some(run)) }))
    }

    #[getter]
    fn dir(&self) -> PathBuf {
        self.dir.clone()
    }

    /// The text of the plan, for [`train_cell`].
    fn plan(&self) -> PyResult<String> {
        self.plan.text().map_err(error)
    }

    /// Key, name, updates, and whether it is done, of each cell.
    fn cells(&self) -> PyResult<Vec<(String, String, u64, bool)>> {
        let place = self.dir.join(CELLS);
        let of = |cell: &Cell| {
            let done = cell.is_done(self.plan.episodes(), &place).map_err(error)?;
            Ok((cell.key.clone(), cell.name(), cell.updates(), done))
        };
        self.cells.iter().map(of).collect()
    }

    /// Takes in a cell that was trained in the folder `origin`; whether it is new. One that is there is compared with it.
    fn deliver(&self, key: &str, origin: PathBuf) -> PyResult<bool> {
        sweep::deliver(&self.dir, key, &origin).map_err(error)
    }

    /// Trains all that is left here, `jobs` at a time, writes the tables and ends it.
    fn work(&self, py: Python<'_>, jobs: usize, call: Call<'_>) -> PyResult<()> {
        let run = self.run.lock().unwrap_or_else(PoisonError::into_inner).take();
        let run = run.ok_or_else(|| PyValueError::new_err("the sweep is over"))?;
        at_work(py, call.threads, &call.show, |told| {
            told.of(self.cells.iter().map(Cell::updates).sum());
            run.finish(sweep::work(&self.plan, &self.dir, jobs, told))
        })
    }

    /// Writes the tables and ends it: well, or as `interrupted` or failed for the reason that is given.
    fn finish(&self, interrupted: bool, failed: Option<String>) -> PyResult<()> {
        let run = self.run.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(run) = run else { return Ok(()) };
        let outcome = match failed {
            Some(reason) => Err(Error::Failed(reason)),
            None if interrupted => Err(Error::Interrupted(2)),
            None => Ok(()),
        };
        let written = sweep::write(&self.plan, &self.cells, &self.dir);
        match run.finish(written.and(outcome)) {
            Err(Error::Interrupted(_)) => Ok(()),
            ended => ended.map_err(error),
        }
    }
}

/// Trains the cell `key` of a plan into the folder `into`/`key`, which may be anywhere.
#[pyfunction]
pub(crate) fn train_cell(
    py: Python<'_>,
    plan: &str,
    key: &str,
    into: PathBuf,
    call: Call<'_>,
) -> PyResult<()> {
    let plan = parsed(plan)?;
    let cells = plan.cells().map_err(error)?;
    let Some(cell) = cells.into_iter().find(|cell| cell.key == key) else {
        return Err(PyValueError::new_err(format!(
            "the plan has no cell {key} here: is the same version of resonetics on all machines?"
        )));
    };
    at_work(py, call.threads, &call.show, |told| {
        told.of(cell.updates());
        cell.work(plan.episodes(), &into, told)
    })
}

/// The text of a file, with the errors of the program.
#[pyfunction]
pub(crate) fn read_text(path: PathBuf) -> PyResult<String> {
    text(&path).map_err(error)
}
