//! Many clusters, stepped together while the interpreter does something else.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use ndarray::Array1;
use numpy::{
    PyArray1, PyArray2, PyArray3, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, PyReadwriteArray2,
    PyUntypedArrayMethods, ToPyArray,
};
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use rayon::ThreadPool;
use resonetics_envs::env::Env;
use resonetics_envs::k8s::{K8sConfig, K8sEnv, K8sInfo, OBSERVATION};
use resonetics_envs::vector::{Autoreset, Batch, VecEnv};
use resonetics_runs::memory::fits;

use crate::cluster::written;
use crate::picture;
use crate::settings;
use crate::threads::pool;
use crate::work::error;

/// Clusters from which on the interpreter is let go while they step: fewer take no longer than that does.
const LET_GO_FROM: usize = 16;

/// N clusters as `gymnasium.vector.VectorEnv` wants them. What may be asked, and when, is checked in Python.
#[pyclass(frozen, module = "resonetics._native")]
pub(crate) struct Clusters {
    config: K8sConfig,
    threads: usize,
    state: Mutex<State>,
}

struct State {
    /// A lane that has ended is begun anew in its next step, unless it was before.
    envs: VecEnv<K8sEnv>,
    /// Its observations are not those of now where a step has written them elsewhere.
    batch: Batch,
    actions: Vec<usize>,
    infos: Vec<K8sInfo>,
    /// Lanes whose episode ended in the last step.
    ended: Vec<bool>,
    /// Arrays that were handed out: one that nobody has any more is written again.
    handed: Vec<Py<PyArray2<f32>>>,
    /// What Python counts of one that nobody has.
    unheld: Option<usize>,
    /// Whether that is so.
    stale: bool,
}

/// Clusters from which on a step writes into arrays that were handed out before: smaller ones are copied sooner.
const RECYCLED_FROM: usize = 128;
/// Arrays that are kept for another step: that of a step, that of the step before, and one more.
const HANDED: usize = 3;

impl State {
    fn note_infos(&mut self) {
        self.envs.write_infos(&mut self.infos);
    }

    /// An array for the observations of a step that nobody else has.
    fn array<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let shape = self.batch.observations.raw_dim();
        let held = py.import(intern!(py, "sys"))?.getattr(intern!(py, "getrefcount"))?;
        let count = |array: &Py<PyArray2<f32>>| held.call1((array,))?.extract::<usize>();
        for array in &self.handed {
            if Some(count(array)?) == self.unheld {
                return Ok(array.bind(py).clone());
            }
        }
        let new = PyArray2::zeros(py, shape, false).unbind();
        // As Python counts where there is this reference alone; versions differ in what they count beside it.
        self.unheld = Some(count(&new)?);
        let bound = new.bind(py).clone();
        if self.handed.len() == HANDED {
            self.handed.remove(0);
        }
        self.handed.push(new);
        Ok(bound)
    }

    /// Makes the batch's observations those of now.
    fn refresh(&mut self) {
        if self.stale {
            for (lane, mut row) in self.batch.observations.rows_mut().into_iter().enumerate() {
                if let Some(row) = row.as_slice_mut() {
                    self.envs.env(lane).observe(row);
                }
            }
            self.stale = false;
        }
    }
}

impl Clusters {
    /// The clusters, for this thread alone; the interpreter goes on while it waits.
    fn state(&self, py: Python<'_>) -> MutexGuard<'_, State> {
        self.state.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }

    /// Works at the clusters, and lets the interpreter go where that takes longer than letting go.
    fn at_work<R: Send>(py: Python<'_>, state: &mut State, work: impl FnOnce(&mut State) -> R + Send) -> R {
        if state.ended.len() < LET_GO_FROM { work(state) } else { py.detach(|| work(state)) }
    }

    /// The threads beside the present one; none where so few are stepped that no other has to wake.
    fn helpers(&self, lanes: usize) -> PyResult<Option<Arc<ThreadPool>>> {
        let alone = self.threads == 1 || lanes <= <K8sEnv as Env>::PARALLEL_FROM;
        if alone { Ok(None) } else { pool(self.threads - 1).map(Some) }
    }
}

#[pymethods]
impl Clusters {
    #[new]
    fn new(
        name: &str,
        preset: &str,
        settings: &Bound<'_, PyDict>,
        num_envs: usize,
        threads: usize,
    ) -> PyResult<Clusters> {
        let config = settings::cluster(name, preset, settings)?;
        let one = K8sEnv::new(config.clone());
        // The environment, what it shows here, and what of that is handed on.
        let each = size_of::<K8sEnv>() + one.heap_bytes() + 2 * (OBSERVATION * size_of::<f32>() + 64);
        fits(&format!("num_envs={num_envs}"), each.saturating_mul(num_envs)).map_err(error)?;
        let envs = VecEnv::new(vec![one; num_envs], Autoreset::NextStep).map_err(PyValueError::new_err)?;
        let batch = envs.batch();
        let actions = vec![0; num_envs];
        let (infos, ended) = (vec![K8sInfo::default(); num_envs], vec![false; num_envs]);
        let (handed, unheld, stale) = (Vec::new(), None, false);
        let state = State { envs, batch, actions, infos, ended, handed, unheld, stale };
        Ok(Clusters { config, threads, state: Mutex::new(state) })
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

    /// Steps after which an episode is cut.
    #[getter]
    fn max_steps(&self) -> u32 {
        self.config.max_steps
    }

    /// As `Cluster.state`, of a lane.
    fn state_of<'py>(&self, py: Python<'py>, lane: usize) -> PyResult<Bound<'py, PyDict>> {
        let guard = self.state(py);
        if lane >= guard.ended.len() {
            return Err(PyValueError::new_err(format!("lane {lane}: there are {}", guard.ended.len())));
        }
        let state = guard.envs.env(lane).state();
        drop(guard);
        written(py, state)
    }

    /// As `Cluster.picture`, of a lane.
    fn picture_of<'py>(
        &self,
        py: Python<'py>,
        lane: usize,
        ended: Option<(bool, bool)>,
        past: Vec<f64>,
    ) -> PyResult<Bound<'py, PyArray3<u8>>> {
        let guard = self.state(py);
        if lane >= guard.ended.len() {
            return Err(PyValueError::new_err(format!("lane {lane}: there are {}", guard.ended.len())));
        }
        let env = guard.envs.env(lane).into_owned();
        drop(guard);
        picture::of_cluster(py, &env, ended, &past)
    }

    /// The seeds of the lanes of a vector of one seed: no lane of one vector has that of another's.
    #[staticmethod]
    fn lane_seeds(seed: u64, num_envs: u64) -> PyResult<Vec<u64>> {
        let seed = settings::seed(seed)?;
        Ok((0..num_envs).map(|lane| resonetics_envs::stream::lane_seed(seed, lane)).collect())
    }

    /// Begins episodes in the lanes marked in `lanes` `[N]`, each episode 0 of its seed in `seeds` `[N]`, or the next
    /// of the seed in use; the others go on. Yields `(observations, infos)` of all.
    fn reset<'py>(
        &self,
        py: Python<'py>,
        seeds: Option<Vec<u64>>,
        lanes: PyReadonlyArray1<'py, bool>,
        masks: &Bound<'py, PyDict>,
        out: Option<Bound<'py, PyArray2<f32>>>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let lanes: Vec<bool> = lanes.as_array().to_vec();
        let mut guard = self.state(py);
        let state = &mut *guard;
        of_all("lanes", lanes.len(), state.ended.len())?;
        if let Some(seeds) = &seeds {
            of_all("seeds", seeds.len(), state.ended.len())?;
            for &seed in seeds {
                settings::seed(seed)?;
            }
        }
        if lanes.contains(&false) {
            state.refresh();
        }
        state.stale = false;
        Self::at_work(py, state, |state| {
            match seeds {
                Some(seeds) => {
                    let seeds: Vec<Option<u64>> =
                        seeds.into_iter().zip(&lanes).map(|(seed, &marked)| marked.then_some(seed)).collect();
                    state.envs.reset_lanes(&seeds, &mut state.batch);
                }
                None => state.envs.next_episodes(&lanes, &mut state.batch),
            }
            for (ended, marked) in state.ended.iter_mut().zip(&lanes) {
                *ended &= !marked;
            }
            state.note_infos();
        });
        (observations(py, &state.batch, out)?, infos(py, &state.infos, masks)?).into_pyobject(py)
    }

    /// A step of all lanes with `actions` `[N]`: `(observations, rewards, terminated, truncated, infos)`; with
    /// `same_step` the lanes that end begin anew at once, and there is a sixth: `None`, or which lanes they are, and
    /// their last observations and infos. `masks` is what is in every dict of infos.
    fn step<'py>(
        &self,
        py: Python<'py>,
        actions: &Bound<'py, PyArray1<i64>>,
        same_step: bool,
        masks: &Bound<'py, PyDict>,
        out: Option<Bound<'py, PyArray2<f32>>>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let mut guard = self.state(py);
        let state = &mut *guard;
        of_all("actions", PyUntypedArrayMethods::len(actions), state.ended.len())?;
        // What is negative is too large.
        let whole = |action: i64| usize::try_from(action).unwrap_or(usize::MAX);
        if state.actions.len() < RECYCLED_FROM
            && let Ok(few) = actions.to_vec()
        {
            // A copy takes less than to see that nobody writes meanwhile.
            state.actions.iter_mut().zip(few).for_each(|(slot, action)| *slot = whole(action));
        } else {
            let actions = actions.try_readonly()?;
            state
                .actions
                .iter_mut()
                .zip(actions.as_array())
                .for_each(|(slot, &action)| *slot = whole(action));
        }
        // A few are copied sooner than an array is made ready to be written.
        let direct = out.is_some() || state.ended.len() >= RECYCLED_FROM;
        let kept = out.is_some();
        let array = match out {
            Some(out) => Some(out),
            None if direct => Some(state.array(py)?),
            None => None,
        };
        let shape = state.batch.observations.dim();
        let mut writable = array.as_ref().map(|array| writable(array, shape)).transpose()?;
        let seen = writable.as_mut().map(|array| array.as_slice_mut()).transpose()?;
        let helpers = self.helpers(state.ended.len())?;
        let stepped = Self::at_work(py, state, |state| {
            match seen {
                Some(seen) => {
                    state.envs.step_into(helpers.as_deref(), &state.actions, seen, &mut state.batch)?;
                }
                None => state.envs.step_on(1, &state.actions, &mut state.batch)?,
            }
            let flags = state.batch.terminated.iter().zip(&state.batch.truncated);
            for (ended, (terminated, truncated)) in state.ended.iter_mut().zip(flags) {
                *ended = terminated | truncated;
            }
            state.note_infos();
            Ok::<_, resonetics_envs::env::InvalidAction>(())
        });
        stepped.map_err(|error| {
            let action = actions.get_owned(error.row).unwrap_or_default();
            PyValueError::new_err(format!(
                "action {action} of lane {}: allowed are 0 to {}",
                error.row,
                error.n - 1
            ))
        })?;
        state.stale = direct;
        let rewards = array_of(py, state.batch.rewards.iter().map(|&reward| f64::from(reward)).collect());
        let flags = |flags: &Array1<bool>| match flags.as_slice() {
            Some(flags) => PyArray1::from_slice(py, flags),
            None => flags.to_pyarray(py),
        };
        let (terminated, truncated) = (flags(&state.batch.terminated), flags(&state.batch.truncated));
        let last = if same_step && state.ended.contains(&true) {
            let seen = writable.as_mut().map(|array| array.as_slice_mut()).transpose()?;
            Some(Self::begun_anew(py, state, seen)?)
        } else {
            None
        };
        drop(writable);
        let seen = match array {
            Some(array) => (!kept).then_some(array),
            None => Some(state.batch.observations.to_pyarray(py)),
        };
        let infos = infos(py, &state.infos, masks)?;
        if same_step {
            return (seen, rewards, terminated, truncated, infos, last).into_pyobject(py);
        }
        (seen, rewards, terminated, truncated, infos).into_pyobject(py)
    }

    /// For benches: takes `steps` steps with the rows of `actions` `[K, N]` in turn, as a program in Rust does, and yields the seconds.
    fn seconds_of<'py>(
        &self,
        py: Python<'py>,
        actions: PyReadonlyArray2<'py, i64>,
        steps: usize,
    ) -> PyResult<f64> {
        let mut guard = self.state(py);
        let state = &mut *guard;
        let actions = actions.as_array();
        of_all("actions", actions.ncols(), state.ended.len())?;
        let rows: Vec<Vec<usize>> = actions
            .rows()
            .into_iter()
            .map(|row| row.iter().map(|&action| action as usize).collect())
            .collect();
        let (threads, pool) = (self.threads, pool(self.threads)?);
        let took = Self::at_work(py, state, |state| {
            pool.install(|| {
                let start = Instant::now();
                for row in rows.iter().cycle().take(steps) {
                    state.envs.step_on(threads, row, &mut state.batch)?;
                }
                Ok::<_, resonetics_envs::env::InvalidAction>(start.elapsed().as_secs_f64())
            })
        });
        state.stale = false;
        took.map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// For benches: what a call costs that does nothing but to yield three small arrays.
    #[staticmethod]
    fn three_arrays(py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
        let (seen, reward, flag) = ([0.0_f32; OBSERVATION], [0.0_f64], [false]);
        let arrays = (
            PyArray1::from_slice(py, &seen),
            PyArray1::from_slice(py, &reward),
            PyArray1::from_slice(py, &flag),
        );
        arrays.into_pyobject(py)
    }

    /// All that decides how the vector goes on, beside its settings.
    fn save<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let saved = self.state(py).envs.save().map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(PyBytes::new(py, &saved))
    }

    /// Goes back to what `save` saved; yields `(observations, infos)` and which lanes have ended.
    fn restore<'py>(
        &self,
        py: Python<'py>,
        saved: &[u8],
        out: Option<Bound<'py, PyArray2<f32>>>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let mut guard = self.state(py);
        let state = &mut *guard;
        state
            .envs
            .restore(saved, &mut state.batch)
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        let flags = state.batch.terminated.iter().zip(&state.batch.truncated);
        state.ended = flags.map(|(terminated, truncated)| terminated | truncated).collect();
        state.stale = false;
        state.note_infos();
        let ended = state.ended.to_pyarray(py);
        (observations(py, &state.batch, out)?, infos(py, &state.infos, &PyDict::new(py))?, ended)
            .into_pyobject(py)
    }
}

impl Clusters {
    /// Begins the next episode in the lanes that have ended, whose observations are in `seen` `[N, 30]`, or in the batch; yields
    /// which they are, and their last observations and infos.
    fn begun_anew<'py>(
        py: Python<'py>,
        state: &mut State,
        seen: Option<&mut [f32]>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let lanes: Vec<usize> = (0..state.ended.len()).filter(|&lane| state.ended[lane]).collect();
        let row = |lane: usize| lane * OBSERVATION..(lane + 1) * OBSERVATION;
        let last: Vec<f32> = match &seen {
            Some(seen) => lanes.iter().flat_map(|&lane| &seen[row(lane)]).copied().collect(),
            None => lanes.iter().flat_map(|&lane| state.batch.observations.row(lane).to_vec()).collect(),
        };
        let known: Vec<K8sInfo> = lanes.iter().map(|&lane| state.infos[lane]).collect();
        Self::at_work(py, state, |state| {
            state.envs.next_episodes(&state.ended, &mut state.batch);
            state.ended.fill(false);
            state.note_infos();
        });
        if let Some(seen) = seen {
            for &lane in &lanes {
                let begun = state.batch.observations.row(lane);
                seen[row(lane)].iter_mut().zip(begun).for_each(|(to, from)| *to = *from);
            }
        }
        let last = PyArray1::from_vec(py, last).reshape([lanes.len(), OBSERVATION])?;
        let lanes: Vec<i64> = lanes.into_iter().map(|lane| lane as i64).collect();
        (PyArray1::from_vec(py, lanes), last, infos(py, &known, &PyDict::new(py))?).into_pyobject(py)
    }
}

/// An array of its own; a small one is copied sooner than its vector is given a keeper.
fn array_of<T: numpy::Element + Copy>(py: Python<'_>, values: Vec<T>) -> Bound<'_, PyArray1<T>> {
    if values.len() < RECYCLED_FROM {
        PyArray1::from_slice(py, &values)
    } else {
        PyArray1::from_vec(py, values)
    }
}

fn of_all(what: &str, found: usize, lanes: usize) -> PyResult<()> {
    if found == lanes {
        return Ok(());
    }
    Err(PyValueError::new_err(format!("{found} {what} for {lanes} environments: one for each is needed")))
}

/// The observations in an array of their own, or in the one that is to be written again and again.
fn observations<'py>(
    py: Python<'py>,
    batch: &Batch,
    out: Option<Bound<'py, PyArray2<f32>>>,
) -> PyResult<Option<Bound<'py, PyArray2<f32>>>> {
    let Some(out) = out else { return Ok(Some(batch.observations.to_pyarray(py))) };
    writable(&out, batch.observations.dim())?.as_array_mut().assign(&batch.observations);
    Ok(None)
}

/// An array of observations, to be written. Behind the lock: whoever steps the vector too waits there.
fn writable<'py>(
    array: &Bound<'py, PyArray2<f32>>,
    shape: (usize, usize),
) -> PyResult<PyReadwriteArray2<'py, f32>> {
    let writable = array.try_readwrite().map_err(|error| {
        PyValueError::new_err(format!("the array of the observations cannot be written: {error}"))
    })?;
    if writable.as_array().dim() != shape {
        return Err(PyValueError::new_err("the array for the observations has another shape"));
    }
    Ok(writable)
}

/// What there is to know of each lane, an array a key, beside the `masks`: a copy of a dict with all keys is sooner filled than a
/// new one grows.
fn infos<'py>(
    py: Python<'py>,
    infos: &[K8sInfo],
    masks: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyDict>> {
    // Vectors of known length, one after the other: pushing into four at once takes twice as long.
    let of = |field: fn(&K8sInfo) -> f64| array_of(py, infos.iter().map(field).collect());
    let count =
        |field: fn(&K8sInfo) -> u32| array_of(py, infos.iter().map(|info| i64::from(field(info))).collect());
    let dict = masks.copy()?;
    dict.set_item(intern!(py, "avg_load"), of(|info| info.avg_load.into()))?;
    dict.set_item(intern!(py, "oom_nodes"), count(|info| info.oom_nodes))?;
    dict.set_item(intern!(py, "critical_oom"), count(|info| info.critical_oom))?;
    dict.set_item(intern!(py, "budget"), of(|info| info.budget))?;
    Ok(dict)
}
