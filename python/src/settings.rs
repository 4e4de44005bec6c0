//! Settings from Python: the keys and values of the TOML, refused with the words of the command line.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyList, PyString, PyTuple};
use resonetics_envs::config::{ConfigError, Settings, resolve};
use resonetics_envs::gardener::GardenerConfig;
use resonetics_envs::k8s::K8sConfig;
use resonetics_envs::registry::{World, world};
use toml::Value;

/// The largest seed, which a float holds exactly, as do JSON and TOML.
const LAST_SEED: u64 = (1 << 53) - 1;

/// The settings of the cluster `name` under `preset`, with `settings` on top: keys may have dots or be tables.
pub(crate) fn cluster(name: &str, preset: &str, settings: &Bound<'_, PyDict>) -> PyResult<K8sConfig> {
    match world(name, preset).map_err(PyValueError::new_err)? {
        World::K8s(config) => laid_over(name, &config, settings),
        World::Gardener(_) => Err(PyValueError::new_err(format!("`{name}` is no cluster"))),
    }
}

/// The settings of the garden `name`, as [`cluster`].
pub(crate) fn garden(name: &str, preset: &str, settings: &Bound<'_, PyDict>) -> PyResult<GardenerConfig> {
    match world(name, preset).map_err(PyValueError::new_err)? {
        World::Gardener(config) => laid_over(name, &config, settings),
        World::K8s(_) => Err(PyValueError::new_err(format!("`{name}` is no garden"))),
    }
}

/// `base` with `settings` on top.
fn laid_over<T: Settings>(name: &str, base: &T, settings: &Bound<'_, PyDict>) -> PyResult<T> {
    let mut sets = Vec::new();
    flatten("", settings, &mut sets)?;
    resolve(base, None, &sets).map_err(|error| {
        let place = if error.place == "--set" { name.to_owned() } else { error.place.clone() };
        PyValueError::new_err(ConfigError { place, ..error }.to_string())
    })
}

/// Each setting as `key=value`, tables by their keys.
fn flatten(above: &str, settings: &Bound<'_, PyDict>, sets: &mut Vec<String>) -> PyResult<()> {
    for (key, value) in settings {
        let key = format!("{above}{}", key.extract::<String>()?);
        if let Ok(table) = value.cast::<PyDict>() {
            flatten(&format!("{key}."), table, sets)?;
        } else {
            sets.push(format!("{key}={}", plain(&key, &value)?));
        }
    }
    Ok(())
}

/// A value of Python or numpy as one of TOML.
fn plain(key: &str, value: &Bound<'_, PyAny>) -> PyResult<Value> {
    if value.is_instance_of::<PyBool>() {
        return Ok(Value::Boolean(value.extract()?));
    }
    if value.is_instance_of::<PyFloat>() {
        return Ok(Value::Float(value.extract()?));
    }
    if value.is_instance_of::<PyString>() {
        return Ok(Value::String(value.extract()?));
    }
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        let items = value.try_iter()?.map(|item| plain(key, &item?)).collect::<PyResult<_>>()?;
        return Ok(Value::Array(items));
    }
    // Scalars of numpy know what they are in Python.
    if let Ok(scalar) = value.call_method0("item")
        && !scalar.get_type().is(value.get_type())
    {
        return plain(key, &scalar);
    }
    if let Ok(whole) = value.extract::<i64>() {
        return Ok(Value::Integer(whole));
    }
    let kind = value.get_type();
    Err(PyTypeError::new_err(format!(
        "{key}: a {} is no setting: allowed are True and False, whole numbers, numbers, strings, lists and dicts",
        kind.name()?
    )))
}

/// A seed as a world takes it.
pub(crate) fn seed(seed: u64) -> PyResult<u64> {
    if seed <= LAST_SEED {
        return Ok(seed);
    }
    Err(PyValueError::new_err(format!("seed {seed}: allowed are whole numbers from 0 to {LAST_SEED}")))
}
