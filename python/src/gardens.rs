//! Many gardens as arrays: a row for each gardener that can be, and which rows count.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ndarray::{Array1, Array2, Array3};
use numpy::{PyArray1, PyReadonlyArray1, PyReadonlyArray2, ToPyArray};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyDict};
use resonetics_envs::env::InvalidAction;
use resonetics_envs::gardener::{ACTIONS, GardenerConfig, GardenerEnv};
use resonetics_envs::vector::{Autoreset, Batch, VecEnv};
use resonetics_runs::memory::fits;

use crate::garden::row;
use crate::settings;
use crate::threads::pool;
use crate::work::error;

/// N gardens of P rows each. What may be asked, and when, is checked in Python.
#[pyclass(frozen, module = "resonetics._native")]
pub(crate) struct Gardens {
    config: GardenerConfig,
    threads: usize,
    state: Mutex<State>,
}

struct State {
    envs: VecEnv<GardenerEnv>,
    batch: Batch,
    actions: Vec<usize>,
}

impl Gardens {
    /// The gardens, for this thread alone; the interpreter goes on while it waits.
    fn state(&self, py: Python<'_>) -> MutexGuard<'_, State> {
        self.state.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Gardens {
    #[new]
    fn new(
        name: &str,
        preset: &str,
        settings: &Bound<'_, PyDict>,
        num_envs: usize,
        threads: usize,
        mode: &str,
    ) -> PyResult<Gardens> {
        let config = settings::garden(name, preset, settings)?;
        let autoreset = match mode {
            "NextStep" => Autoreset::NextStep,
            "SameStep" => Autoreset::SameStep,
            _ => Autoreset::Disabled,
        };
        let one = GardenerEnv::new(config.clone());
        let seen = (config.view_size * config.view_size + 16) * size_of::<f32>() + ACTIONS;
        let each = size_of::<GardenerEnv>() + one.heap_bytes() + 3 * config.max_population * seen;
        fits(&format!("num_envs={num_envs}"), each.saturating_mul(num_envs)).map_err(error)?;
        let envs = VecEnv::new(vec![one; num_envs], autoreset).map_err(PyValueError::new_err)?;
        let batch = envs.batch();
        let actions = vec![0; num_envs * envs.agents()];
        Ok(Gardens { config, threads, state: Mutex::new(State { envs, batch, actions }) })
    }

    /// The settings as TOML.
    fn settings(&self) -> PyResult<String> {
        toml::to_string(&self.config).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// Rows of a garden, cells of a side, numbers of an observation.
    #[getter]
    fn sizes(&self, py: Python<'_>) -> (usize, usize, usize) {
        let observation = self.state(py).envs.observation_space().len();
        (self.config.max_population, self.config.grid_size, observation)
    }

    /// The highest value of each number of an observation; the lowest is 0.
    fn high<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f32>> {
        PyArray1::from_slice(py, self.state(py).envs.observation_space().high())
    }

    /// Begins episodes in the lanes marked in `lanes` `[N]`, each episode 0 of its seed in `seeds` `[N]`, or the next of the seed in
    /// use; the others go on.
    fn reset<'py>(
        &self,
        py: Python<'py>,
        seeds: Option<Vec<u64>>,
        lanes: PyReadonlyArray1<'py, bool>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let lanes: Vec<bool> = lanes.as_array().to_vec();
        let mut guard = self.state(py);
        let State { envs, batch, .. } = &mut *guard;
        let all = [Some(lanes.len()), seeds.as_ref().map(Vec::len)];
        if all.into_iter().flatten().any(|length| length != envs.len()) {
            return Err(PyValueError::new_err(format!(
                "one seed and one flag for each of {} gardens are needed",
                envs.len()
            )));
        }
        for &seed in seeds.iter().flatten() {
            settings::seed(seed)?;
        }
        py.detach(|| match seeds {
            Some(seeds) => {
                let chosen = seeds.into_iter().zip(&lanes);
                let chosen: Vec<Option<u64>> = chosen.map(|(seed, &marked)| marked.then_some(seed)).collect();
                envs.reset_lanes(&chosen, batch);
            }
            None => envs.next_episodes(&lanes, batch),
        });
        shown(py, &guard)
    }

    /// A generation of all with `actions` `[N, P]`; those of rows that are not asked are not looked at.
    fn step<'py>(
        &self,
        py: Python<'py>,
        actions: PyReadonlyArray2<'py, i64>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let mut guard = self.state(py);
        let State { envs, batch, actions: kept } = &mut *guard;
        let shape = [envs.len(), envs.agents()];
        let actions = actions.as_array();
        if actions.shape() != shape {
            return Err(PyValueError::new_err(format!(
                "actions of the shape {:?}: {shape:?} is needed",
                actions.shape()
            )));
        }
        for ((row, slot), &action) in kept.iter_mut().enumerate().zip(&actions) {
            let asked = batch.action_mask.row(row).iter().any(|&allowed| allowed);
            *slot = if asked { usize::try_from(action).unwrap_or(usize::MAX) } else { 0 };
        }
        let threads = self.threads;
        let stepped: Result<(), InvalidAction> = if threads == 1 || shape[0] == 1 {
            py.detach(|| envs.step_on(1, kept, batch))
        } else {
            let pool = pool(threads)?;
            py.detach(|| pool.install(|| envs.step_on(threads, kept, batch)))
        };
        stepped.map_err(|error| {
            let (lane, row) = (error.row / shape[1], error.row % shape[1]);
            PyValueError::new_err(format!(
                "action {} of row {row} of garden {lane}: allowed are 0 to {}",
                actions[[lane, row]],
                error.n - 1
            ))
        })?;
        shown(py, &guard)
    }

    /// The last generation of a garden by the names of `resonetics_data.csv`.
    fn generation_of<'py>(&self, py: Python<'py>, lane: usize) -> PyResult<Bound<'py, PyDict>> {
        let guard = self.state(py);
        if lane >= guard.envs.len() {
            return Err(PyValueError::new_err(format!("garden {lane}: there are {}", guard.envs.len())));
        }
        let last = resonetics_envs::env::ParallelEnv::info(guard.envs.env(lane).as_ref());
        drop(guard);
        row(py, &last)
    }

    /// All that decides how the gardens go on, beside their settings.
    fn save<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let saved = self.state(py).envs.save().map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(PyBytes::new(py, &saved))
    }

    /// Goes back to what `save` saved.
    fn restore<'py>(&self, py: Python<'py>, saved: &[u8]) -> PyResult<Bound<'py, PyDict>> {
        let mut guard = self.state(py);
        let State { envs, batch, .. } = &mut *guard;
        envs.restore(saved, batch).map_err(|error| PyValueError::new_err(error.to_string()))?;
        shown(py, &guard)
    }
}

/// What the gardens show, `[N, P, ...]`, and their flags `[N]`. All are copies.
fn shown<'py>(py: Python<'py>, State { envs, batch, .. }: &State) -> PyResult<Bound<'py, PyDict>> {
    let (lanes, rows) = (envs.len(), envs.agents());
    let wide = |array: &Array2<f32>| -> Option<Array3<f32>> {
        array.to_shape([lanes, rows, array.ncols()]).ok().map(|array| array.to_owned())
    };
    let flags = |array: &Array1<bool>| array.to_shape([lanes, rows]).ok().map(|array| array.to_pyarray(py));
    let dict = PyDict::new(py);
    dict.set_item("observations", wide(&batch.observations).map(|array| array.to_pyarray(py)))?;
    let rewards = batch.rewards.to_shape([lanes, rows]).ok().map(|array| array.to_pyarray(py));
    dict.set_item("rewards", rewards)?;
    let mask = batch.action_mask.to_shape([lanes, rows, ACTIONS]).ok().map(|array| array.to_pyarray(py));
    dict.set_item("action_mask", mask)?;
    dict.set_item("alive", flags(&batch.alive))?;
    dict.set_item("died", flags(&batch.died))?;
    dict.set_item("terminated", batch.terminated.to_pyarray(py))?;
    dict.set_item("truncated", batch.truncated.to_pyarray(py))?;
    if batch.final_observations.nrows() > 0 {
        dict.set_item(
            "final_observations",
            wide(&batch.final_observations).map(|array| array.to_pyarray(py)),
        )?;
    }
    Ok(dict)
}
