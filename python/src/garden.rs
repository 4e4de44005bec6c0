//! One garden: rows for gardeners that come and go, and what there is to see of it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use numpy::{PyArray1, PyArray2, PyArray3, PyArrayMethods, PyReadonlyArray1, ToPyArray};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyDict};
use resonetics_envs::env::ParallelEnv;
use resonetics_envs::gardener::{ACTIONS, Gardener, GardenerConfig, GardenerEnv, Generation};
use resonetics_envs::risk::Verdict;
use resonetics_envs::vector::{Autoreset, Batch, VecEnv};

use crate::picture;
use crate::settings;

/// A garden as `pettingzoo.ParallelEnv` wants it; what may be asked of it, and when, is checked in Python.
#[pyclass(frozen, module = "resonetics._native")]
pub(crate) struct Garden {
    config: GardenerConfig,
    state: Mutex<State>,
}

struct State {
    /// A vector of one, which is never reset by itself.
    envs: VecEnv<GardenerEnv>,
    batch: Batch,
}

impl State {
    fn env(&self) -> GardenerEnv {
        self.envs.env(0).into_owned()
    }
}

impl Garden {
    /// The garden, for this thread alone; the interpreter goes on while it waits.
    fn state(&self, py: Python<'_>) -> MutexGuard<'_, State> {
        self.state.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Garden {
    #[new]
    fn new(name: &str, preset: &str, settings: &Bound<'_, PyDict>) -> PyResult<Garden> {
        let config = settings::garden(name, preset, settings)?;
        let envs = VecEnv::new(vec![GardenerEnv::new(config.clone())], Autoreset::Disabled)
            .map_err(PyValueError::new_err)?;
        let batch = envs.batch();
        Ok(Garden { config, state: Mutex::new(State { envs, batch }) })
    }

    /// The settings as TOML.
    fn settings(&self) -> PyResult<String> {
        toml::to_string(&self.config).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// The most gardeners at a time, cells of a side, numbers of an observation.
    #[getter]
    fn sizes(&self, py: Python<'_>) -> (usize, usize, usize) {
        let observation = self.state(py).envs.observation_space().len();
        (self.config.max_population, self.config.grid_size, observation)
    }

    /// Generations after which an episode is cut.
    #[getter]
    fn max_generations(&self) -> u32 {
        self.config.max_generations
    }

    /// The highest value of each number of an observation; the lowest is 0.
    fn high<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f32>> {
        PyArray1::from_slice(py, self.state(py).envs.observation_space().high())
    }

    /// Begins episode 0 of `seed`, or the next episode of the seed in use.
    fn reset<'py>(&self, py: Python<'py>, seed: Option<u64>) -> PyResult<Bound<'py, PyDict>> {
        let seed = seed.map(settings::seed).transpose()?;
        let mut guard = self.state(py);
        let State { envs, batch } = &mut *guard;
        match seed {
            Some(seed) => envs.reset_lanes(&[Some(seed)], batch),
            None => envs.next_episodes(&[true], batch),
        }
        shown(py, &guard)
    }

    /// A generation with one action a row; those of rows without a gardener are not looked at.
    fn step<'py>(
        &self,
        py: Python<'py>,
        actions: PyReadonlyArray1<'py, i64>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let actions: Vec<usize> =
            actions.as_array().iter().map(|&action| usize::try_from(action).unwrap_or(usize::MAX)).collect();
        if actions.len() != self.config.max_population {
            return Err(PyValueError::new_err(format!(
                "{} actions for {} rows: one for each is needed",
                actions.len(),
                self.config.max_population
            )));
        }
        let mut guard = self.state(py);
        let State { envs, batch } = &mut *guard;
        py.detach(|| envs.step_on(1, &actions, batch)).map_err(|error| {
            PyValueError::new_err(format!("an action of row {}: allowed are 0 to {}", error.row, ACTIONS - 1))
        })?;
        shown(py, &guard)
    }

    /// Dirt of each cell, `[side, side]`.
    fn grid<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let env = self.state(py).env();
        dirt(py, &env)
    }

    /// Each gardener: id, row and column, energy, age.
    fn gardeners<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let env = self.state(py).env();
        people(py, &env)
    }

    /// A picture of the garden, `[height, width, 3]` of uint8; `past` is the mean dirt after each generation.
    fn picture<'py>(
        &self,
        py: Python<'py>,
        ended: Option<(bool, bool)>,
        past: Vec<f64>,
    ) -> PyResult<Bound<'py, PyArray3<u8>>> {
        let env = self.state(py).env();
        picture::of_garden(py, &env, ended, &past)
    }

    /// All that decides how the garden goes on, beside its settings.
    fn save<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let saved = self.state(py).envs.save().map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(PyBytes::new(py, &saved))
    }

    /// Goes back to what `save` saved.
    fn restore<'py>(&self, py: Python<'py>, saved: &[u8]) -> PyResult<Bound<'py, PyDict>> {
        let mut guard = self.state(py);
        let State { envs, batch } = &mut *guard;
        envs.restore(saved, batch).map_err(|error| PyValueError::new_err(error.to_string()))?;
        shown(py, &guard)
    }
}

/// What the garden shows: arrays with a row for each gardener that can be, the ids of who lives in them (-1: nobody),
/// the flags of the garden and its last generation.
fn shown<'py>(py: Python<'py>, state: &State) -> PyResult<Bound<'py, PyDict>> {
    let State { envs, batch } = state;
    let env = envs.env(0);
    let mut ids = vec![-1_i64; envs.agents()];
    for gardener in env.world().gardeners() {
        ids[gardener.slot] = gardener.id as i64;
    }
    let dict = PyDict::new(py);
    dict.set_item("observations", batch.observations.to_pyarray(py))?;
    let rewards: Vec<f64> = batch.rewards.iter().map(|&reward| reward.into()).collect();
    dict.set_item("rewards", PyArray1::from_vec(py, rewards))?;
    dict.set_item("action_mask", batch.action_mask.to_pyarray(py))?;
    dict.set_item("died", batch.died.to_pyarray(py))?;
    dict.set_item("ids", PyArray1::from_vec(py, ids))?;
    dict.set_item("terminated", batch.terminated[0])?;
    dict.set_item("truncated", batch.truncated[0])?;
    dict.set_item("generation", row(py, &env.info())?)?;
    Ok(dict)
}

/// Dirt of each cell, `[side, side]`.
pub(crate) fn dirt<'py>(py: Python<'py>, env: &GardenerEnv) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let side = env.world().config().grid_size;
    PyArray1::from_slice(py, env.world().grid()).reshape([side, side])
}

/// Each gardener: id, row and column, energy, age.
pub(crate) fn people<'py>(py: Python<'py>, env: &GardenerEnv) -> PyResult<Vec<Bound<'py, PyDict>>> {
    let one = |gardener: &Gardener| {
        let dict = PyDict::new(py);
        dict.set_item("id", gardener.id)?;
        dict.set_item("row", gardener.cell[0])?;
        dict.set_item("column", gardener.cell[1])?;
        dict.set_item("energy", gardener.energy)?;
        dict.set_item("age", gardener.age)?;
        Ok(dict)
    };
    env.world().gardeners().iter().map(one).collect()
}

/// A generation by the names of `resonetics_data.csv`, in full.
pub(crate) fn row<'py>(py: Python<'py>, last: &Generation) -> PyResult<Bound<'py, PyDict>> {
    let verdict = match last.verdict {
        Verdict::Creative => "creative",
        Verdict::Bubble => "bubble",
        Verdict::Collapse => "collapse",
    };
    let dict = PyDict::new(py);
    dict.set_item("Gen", last.generation)?;
    dict.set_item("Population", last.population)?;
    dict.set_item("Avg_Energy", last.avg_energy)?;
    dict.set_item("Total_Entropy", last.total_entropy)?;
    dict.set_item("Emergency_Moves", last.emergency_moves)?;
    dict.set_item("Isolation_Saves", last.isolation_saves)?;
    dict.set_item("Entropy_Gradient", last.entropy_gradient)?;
    dict.set_item("Population_Volatility", last.population_volatility)?;
    dict.set_item("Emergency_Ratio", last.emergency_ratio)?;
    dict.set_item("Collapse_Risk", last.collapse_risk)?;
    dict.set_item("Flow", last.flow)?;
    dict.set_item("Verdict", verdict)?;
    Ok(dict)
}
