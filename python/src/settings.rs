//! Settings from Python: the keys and values of the TOML, refused with the words of the command line.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyTuple};
use resonetics_envs::config::{ConfigError, Settings, resolve};
use resonetics_envs::gardener::GardenerConfig;
use resonetics_envs::k8s::K8sConfig;
use resonetics_envs::registry::{World, world};
use toml::Value;

/// The largest seed, as in the command line.
const LAST_SEED: u64 = i64::MAX as u64;
/// Tables in tables that are looked into: no settings have more.
const DEPTH: usize = 8;

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

/// `settings` one by one as `key=value`, for the world `name`.
pub(crate) fn sets(name: &str, settings: &Bound<'_, PyDict>) -> PyResult<Vec<String>> {
    let mut sets = Vec::new();
    flatten(name, "", settings, &mut sets, DEPTH)?;
    Ok(sets)
}

/// `base` with `settings` on top.
fn laid_over<T: Settings>(name: &str, base: &T, settings: &Bound<'_, PyDict>) -> PyResult<T> {
    let sets = sets(name, settings)?;
    resolve(base, None, &sets).map_err(|error| {
        let place = if error.place == "--set" { name.to_owned() } else { error.place.clone() };
        PyValueError::new_err(ConfigError { place, ..error }.to_string())
    })
}

/// Each setting as `key=value`, tables by their keys.
fn flatten(
    name: &str,
    above: &str,
    settings: &Bound<'_, PyDict>,
    sets: &mut Vec<String>,
    depth: usize,
) -> PyResult<()> {
    if depth == 0 {
        return Err(PyValueError::new_err(format!("{name}: settings are nested more than {DEPTH} deep")));
    }
    for (key, value) in settings {
        let own = key.extract::<String>().ok();
        // What is in a key must not be read as more of the TOML.
        let allowed = |key: &String| {
            !key.is_empty() && key.chars().all(|letter| letter.is_alphanumeric() || "_-.".contains(letter))
        };
        let Some(own) = own.filter(allowed) else {
            return Err(PyValueError::new_err(format!("{name}: {}: unknown key", key.repr()?)));
        };
        let key = format!("{above}{own}");
        match value.cast::<PyDict>() {
            // Without a key it would be passed over.
            Ok(table) if table.is_empty() => sets.push(format!("{key}={{}}")),
            Ok(table) => flatten(name, &format!("{key}."), table, sets, depth - 1)?,
            Err(_) => sets.push(format!("{key}={}", plain(name, &key, &value, depth)?)),
        }
    }
    Ok(())
}

/// A value of Python or numpy as one of TOML.
fn plain(name: &str, key: &str, value: &Bound<'_, PyAny>, depth: usize) -> PyResult<Value> {
    if depth == 0 {
        return Err(PyValueError::new_err(format!("{name}: {key}: lists are nested more than {DEPTH} deep")));
    }
    if value.is_instance_of::<PyBool>() {
        return Ok(Value::Boolean(value.extract()?));
    }
    if value.is_instance_of::<PyFloat>() {
        return Ok(Value::Float(value.extract()?));
    }
    if let Ok(text) = value.extract::<String>() {
        return Ok(Value::String(text));
    }
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        let items =
            value.try_iter()?.map(|item| plain(name, key, &item?, depth - 1)).collect::<PyResult<_>>()?;
        return Ok(Value::Array(items));
    }
    // Scalars of numpy know what they are in Python.
    if let Ok(scalar) = value.call_method0("item")
        && !scalar.get_type().is(value.get_type())
    {
        return plain(name, key, &scalar, depth - 1);
    }
    if let Ok(whole) = value.extract::<i64>() {
        return Ok(Value::Integer(whole));
    }
    if value.is_instance_of::<PyInt>() {
        // Beyond 64 bits: as text it is refused with what is allowed.
        return Ok(Value::String(value.str()?.extract()?));
    }
    Err(PyValueError::new_err(format!(
        "{name}: {key}: the type {} is no setting's: allowed are True and False, whole numbers, numbers, strings, lists and dicts",
        value.get_type().name()?
    )))
}

/// A seed as a world takes it.
pub(crate) fn seed(seed: u64) -> PyResult<u64> {
    if seed <= LAST_SEED {
        return Ok(seed);
    }
    Err(PyValueError::new_err(format!("seed {seed}: allowed are whole numbers from 0 to {LAST_SEED}")))
}
