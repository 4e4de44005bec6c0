//! Policies: a training's for Python, and Python's for the worlds.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use numpy::{PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, ToPyArray};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use resonetics_agents::prophet::policy::Prophet;
use resonetics_agents::{Observations, Policy};
use resonetics_runs::setup::WorldSettings;
use resonetics_runs::trained::Trained;

use crate::work::{Told, error};

/// The policy of a checkpoint. Shapes are checked here, what they mean in Python.
#[pyclass(frozen, module = "resonetics._native")]
pub(crate) struct TrainedPolicy {
    trained: Trained,
    /// Numbers of an observation, actions, numbers that a row remembers.
    sizes: (usize, usize, usize),
    prophet: Mutex<Prophet>,
}

#[pymethods]
impl TrainedPolicy {
    /// The checkpoint that `run` names: a training's folder, with `@last` or `@STEP` behind it if it is not the best one.
    #[new]
    fn new(run: PathBuf) -> PyResult<TrainedPolicy> {
        let trained = Trained::named(&run.display().to_string()).map_err(error)?;
        let prophet = trained.policy(&trained.plan.env).map_err(error)?;
        let spaces = trained.plan.spaces();
        let sizes = (spaces.observation, spaces.actions, prophet.remembered());
        Ok(TrainedPolicy { trained, sizes, prophet: Mutex::new(prophet) })
    }

    #[getter]
    fn sizes(&self) -> (usize, usize, usize) {
        self.sizes
    }

    /// The name of the world it was trained in.
    #[getter]
    fn env(&self) -> &str {
        &self.trained.plan.env.name
    }

    /// Its preset.
    #[getter]
    fn preset(&self) -> &str {
        &self.trained.plan.env.preset
    }

    /// All settings of its world, as JSON.
    fn settings(&self) -> PyResult<String> {
        let json = match &self.trained.plan.env.settings {
            WorldSettings::K8s(settings) => serde_json::to_string(&settings.env),
            WorldSettings::Gardener(settings) => serde_json::to_string(&settings.env),
        };
        json.map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// Steps of single environments behind the checkpoint.
    #[getter]
    fn step(&self) -> u64 {
        self.trained.checkpoint.step
    }

    /// Its SHA-256.
    #[getter]
    fn sha256(&self) -> &str {
        &self.trained.checkpoint.sha256
    }

    /// Probabilities `[B, A]` for observations `[B, D]`, with masks `[B, A]` if there are some; writes into `memory` `[B, M]`.
    fn probabilities<'py>(
        &self,
        py: Python<'py>,
        observations: PyReadonlyArray2<'py, f32>,
        masks: Option<PyReadonlyArray2<'py, bool>>,
        memory: Option<Bound<'py, PyArray2<f32>>>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let (width, actions, remembered) = self.sizes;
        let rows = observations.as_array().nrows();
        let fits = |what: &str, found: (usize, usize), wanted: (usize, usize)| {
            if found == wanted {
                return Ok(());
            }
            Err(PyValueError::new_err(format!("{what} of the shape {found:?}: {wanted:?} is needed")))
        };
        fits("observations", observations.as_array().dim(), (rows, width))?;
        if let Some(masks) = &masks {
            fits("masks", masks.as_array().dim(), (rows, actions))?;
        }
        let mut kept = match &memory {
            Some(memory) => {
                let memory = memory.try_readonly()?;
                fits("memory", memory.as_array().dim(), (rows, remembered))?;
                memory.as_array().iter().copied().collect()
            }
            None => vec![0.0; rows * remembered],
        };
        let seen: Vec<f32> = observations.as_array().iter().copied().collect();
        let masks: Vec<bool> =
            masks.map_or_else(Vec::new, |masks| masks.as_array().iter().copied().collect());
        let mut found = vec![0.0; rows * actions];
        let mut guard = self.prophet.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        let prophet = &mut *guard;
        py.detach(|| prophet.probabilities(&seen, &masks, &mut kept, &mut found));
        drop(guard);
        if let Some(memory) = memory {
            let mut memory = memory
                .try_readwrite()
                .map_err(|error| PyValueError::new_err(format!("memory cannot be written: {error}")))?;
            memory.as_array_mut().iter_mut().zip(kept).for_each(|(slot, value)| *slot = value);
        }
        numpy::PyArray1::from_vec(py, found).reshape([rows, actions])
    }
}

/// A function of Python as a policy: `function(observations [rows, D], masks [rows, A] or None)` gives int64 `[rows]`, which it has
/// checked.
pub(crate) struct Function {
    function: Py<PyAny>,
    told: Told,
}

impl Function {
    pub(crate) fn new(function: &Py<PyAny>, told: &Told) -> Function {
        Function { function: Python::attach(|py| function.clone_ref(py)), told: told.clone() }
    }

    fn asked(&self, py: Python<'_>, seen: &Observations<'_>, actions: &mut [usize]) -> PyResult<()> {
        let masks = (seen.action_mask.nrows() > 0).then(|| seen.action_mask.to_pyarray(py));
        let chosen = self.function.bind(py).call1((seen.observations.to_pyarray(py), masks))?;
        let chosen: PyReadonlyArray1<'_, i64> = chosen.extract()?;
        let chosen = chosen.as_array();
        if chosen.len() != actions.len() {
            return Err(PyValueError::new_err(format!(
                "{} actions for {} rows",
                chosen.len(),
                actions.len()
            )));
        }
        for (row, action) in actions.iter_mut().enumerate() {
            if seen.asked(row) {
                *action = chosen[row] as usize;
            }
        }
        Ok(())
    }
}

impl Policy for Function {
    fn act(&mut self, seen: &Observations<'_>, actions: &mut [usize]) {
        // Once it has raised, nothing counts any more.
        if self.told.stops() {
            return;
        }
        if let Err(raised) = Python::attach(|py| self.asked(py, seen, actions)) {
            self.told.fail(raised);
        }
    }
}
