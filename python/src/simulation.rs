//! A garden with gardeners who act by themselves: what `resonetics gardener` simulates.

use std::sync::{Mutex, MutexGuard, PoisonError};

use numpy::{PyArray2, PyArray3};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::PyDict;
use resonetics_envs::env::ParallelEnv;
use resonetics_envs::gardener::GardenerEnv;
use resonetics_runs::rollout::Rollout;
use resonetics_runs::setup::{Setup, WorldSettings};
use resonetics_runs::trained::policy;

use crate::garden::{dirt, people, row};
use crate::picture;
use crate::runs::World;
use crate::settings;
use crate::work::error;

/// A garden and who acts in it. It goes on after its loss, as the program's log does.
#[pyclass(frozen, module = "resonetics._native")]
pub(crate) struct Simulation {
    /// Generations of dirt after which a garden is lost.
    patience: u32,
    settings: String,
    rollout: Mutex<Rollout<GardenerEnv>>,
}

impl Simulation {
    /// The garden, for this thread alone; the interpreter goes on while it waits.
    fn rollout(&self, py: Python<'_>) -> MutexGuard<'_, Rollout<GardenerEnv>> {
        self.rollout.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }

    fn env(&self, py: Python<'_>) -> GardenerEnv {
        self.rollout(py).envs.env(0).into_owned()
    }
}

#[pymethods]
impl Simulation {
    #[new]
    fn new(world: World<'_>, agent: &str, seed: u64) -> PyResult<Simulation> {
        let seed = settings::seed(seed)?;
        let (env, preset, overlay) = world.plain()?;
        let setup = Setup::preset(&env, &preset).and_then(|env| overlay.over(env, &|_| ())).map_err(error)?;
        let WorldSettings::Gardener(garden) = &setup.settings else {
            return Err(PyValueError::new_err(format!("`{env}` is no garden")));
        };
        let (config, settings) = (&garden.env, toml::to_string(&garden.env));
        let settings = settings.map_err(|error| PyValueError::new_err(error.to_string()))?;
        let policy = policy(&setup, agent, 1).map_err(error)?;
        let envs = vec![GardenerEnv::new(config.unending())];
        let mut rollout = Rollout::new(envs, policy).map_err(error)?;
        rollout.reset(&[seed]);
        Ok(Simulation { patience: config.lost.generations, settings, rollout: Mutex::new(rollout) })
    }

    /// The settings as TOML.
    fn settings(&self) -> &str {
        &self.settings
    }

    /// A generation; yields its row.
    fn step<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let mut guard = self.rollout(py);
        let rollout = &mut *guard;
        py.detach(|| rollout.step()).map_err(error)?;
        row(py, &ParallelEnv::info(&*rollout.envs.env(0)))
    }

    /// Whether it is lost: so many generations in a row full of dirt.
    fn lost(&self, py: Python<'_>) -> bool {
        self.rollout(py).envs.env(0).saturated() >= self.patience
    }

    /// Dirt of each cell, `[side, side]`.
    fn grid<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f32>>> {
        dirt(py, &self.env(py))
    }

    /// Each gardener: id, row and column, energy, age.
    fn gardeners<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        people(py, &self.env(py))
    }

    /// As `Garden.picture`.
    fn picture<'py>(&self, py: Python<'py>, past: Vec<f64>) -> PyResult<Bound<'py, PyArray3<u8>>> {
        picture::of_garden(py, &self.env(py), None, &past)
    }
}
