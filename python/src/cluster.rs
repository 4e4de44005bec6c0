//! One cluster.

use std::sync::{Mutex, MutexGuard, PoisonError};

use numpy::{PyArray1, PyArray3, PyReadonlyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use resonetics_envs::env::{Env, Step};
use resonetics_envs::k8s::{K8sConfig, K8sEnv, K8sInfo, K8sState, OBSERVATION};

use crate::picture;
use crate::settings;

/// A cluster as `gymnasium.Env` wants it; what may be asked of it, and when, is checked in Python.
#[pyclass(frozen, module = "resonetics._native")]
pub(crate) struct Cluster {
    config: K8sConfig,
    env: Mutex<K8sEnv>,
}

impl Cluster {
    /// The cluster, for this thread alone; the interpreter goes on while it waits.
    fn env(&self, py: Python<'_>) -> MutexGuard<'_, K8sEnv> {
        self.env.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Cluster {
    #[new]
    fn new(name: &str, preset: &str, settings: &Bound<'_, PyDict>) -> PyResult<Cluster> {
        let config = settings::cluster(name, preset, settings)?;
        Ok(Cluster { env: Mutex::new(K8sEnv::new(config.clone())), config })
    }

    /// The settings as TOML.
    fn settings(&self) -> PyResult<String> {
        toml::to_string(&self.config).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// Height and width.
    #[getter]
    fn grid(&self) -> (usize, usize) {
        (self.config.height, self.config.width)
    }

    /// Begins episode 0 of `seed`, or the next episode of the seed in use: `(observation, info)`.
    #[pyo3(signature = (seed=None))]
    fn reset<'py>(
        &self,
        py: Python<'py>,
        seed: Option<u64>,
    ) -> PyResult<(Bound<'py, PyArray1<f32>>, Bound<'py, PyDict>)> {
        let seed = seed.map(settings::seed).transpose()?;
        let (mut env, mut observation) = (self.env(py), [0.0; OBSERVATION]);
        env.reset(seed, &mut observation);
        Ok((PyArray1::from_slice(py, &observation), info(py, env.info())?))
    }

    /// `(observation, reward, terminated, truncated, info)`.
    fn step<'py>(&self, py: Python<'py>, action: usize) -> PyResult<Bound<'py, PyTuple>> {
        let (mut env, mut observation) = (self.env(py), [0.0; OBSERVATION]);
        let step = env.step(action, &mut observation);
        stepped(py, step.map_err(refused)?, &observation, env.info())
    }

    /// The rules alone, with a noise for cpu and memory of each node, `[nodes]`, in place of the seed's.
    fn step_with_noise<'py>(
        &self,
        py: Python<'py>,
        action: usize,
        cpu: PyReadonlyArray1<'py, f32>,
        memory: PyReadonlyArray1<'py, f32>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let nodes = self.config.nodes();
        let (cpu, memory) = (cpu.as_slice()?, memory.as_slice()?);
        if cpu.len() != nodes || memory.len() != nodes {
            return Err(PyValueError::new_err(format!(
                "noise of {} and {} nodes: the cluster has {nodes}",
                cpu.len(),
                memory.len()
            )));
        }
        let (mut env, mut observation) = (self.env(py), [0.0; OBSERVATION]);
        let step = env.step_with_noise(action, cpu, memory).map_err(refused)?;
        env.observe(&mut observation);
        stepped(py, step, &observation, env.info())
    }

    /// Cpu, memory and priority of every node, where the agent stands, and the budget.
    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let state = self.env(py).state();
        written(py, state)
    }

    /// Puts the cluster into a state, at step 0 of its episode; yields the observation.
    fn set_state<'py>(
        &self,
        py: Python<'py>,
        cpu: Vec<f32>,
        memory: Vec<f32>,
        priority: Vec<f32>,
        agent: [usize; 2],
        budget: f64,
    ) -> PyResult<Bound<'py, PyArray1<f32>>> {
        let state = K8sState { cpu, memory, priority, agent, budget };
        let (mut env, mut observation) = (self.env(py), [0.0; OBSERVATION]);
        env.set_state(&state).map_err(PyValueError::new_err)?;
        env.observe(&mut observation);
        Ok(PyArray1::from_slice(py, &observation))
    }

    /// A picture of the cluster, `[height, width, 3]` of uint8; `past` is the load after each step, that at the reset first.
    fn picture<'py>(
        &self,
        py: Python<'py>,
        ended: Option<(bool, bool)>,
        past: Vec<f64>,
    ) -> PyResult<Bound<'py, PyArray3<u8>>> {
        let env = self.env(py).clone();
        picture::of_cluster(py, &env, ended, &past)
    }

    /// All that decides how the cluster goes on, beside its settings.
    fn save<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let saved = self.env(py).save().map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(PyBytes::new(py, &saved))
    }

    /// Goes back to what `save` saved; yields the observation.
    fn restore<'py>(&self, py: Python<'py>, saved: &[u8]) -> PyResult<Bound<'py, PyArray1<f32>>> {
        let (mut env, mut observation) = (self.env(py), [0.0; OBSERVATION]);
        env.restore(saved, &mut observation).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(PyArray1::from_slice(py, &observation))
    }
}

fn refused(error: resonetics_envs::env::InvalidAction) -> PyErr {
    PyValueError::new_err(format!("action {}: allowed are 0 to {}", error.action, error.n - 1))
}

fn stepped<'py>(
    py: Python<'py>,
    step: Step,
    observation: &[f32],
    known: K8sInfo,
) -> PyResult<Bound<'py, PyTuple>> {
    let Step { reward, terminated, truncated } = step;
    let observation = PyArray1::from_slice(py, observation);
    (observation, f64::from(reward), terminated, truncated, info(py, known)?).into_pyobject(py)
}

/// A state as a dict.
pub(crate) fn written(py: Python<'_>, state: K8sState) -> PyResult<Bound<'_, PyDict>> {
    let K8sState { cpu, memory, priority, agent: [row, column], budget } = state;
    let dict = PyDict::new(py);
    for (name, values) in [("cpu", cpu), ("memory", memory), ("priority", priority)] {
        dict.set_item(name, PyArray1::from_vec(py, values))?;
    }
    dict.set_item("agent", (row, column))?;
    dict.set_item("budget", budget)?;
    Ok(dict)
}

fn info(py: Python<'_>, info: K8sInfo) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("avg_load", f64::from(info.avg_load))?;
    dict.set_item("oom_nodes", info.oom_nodes)?;
    dict.set_item("critical_oom", info.critical_oom)?;
    dict.set_item("budget", info.budget)?;
    Ok(dict)
}
