//! Pictures of worlds, as the program draws them.

use numpy::{PyArray1, PyArray3, PyArrayMethods};
use pyo3::prelude::*;
use resonetics_envs::env::Ending;
use resonetics_envs::gardener::GardenerEnv;
use resonetics_envs::k8s::K8sEnv;
use resonetics_view::picture::{Past, Picture};
use resonetics_view::scene::Scene;

/// `[height, width, 3]`. `past` is the load after each step so far, the reset's first.
pub(crate) fn of_cluster<'py>(
    py: Python<'py>,
    env: &K8sEnv,
    ended: Option<(bool, bool)>,
    past: &[f64],
) -> PyResult<Bound<'py, PyArray3<u8>>> {
    // What the episode has earned is in no picture.
    let step = past.len().saturating_sub(1) as u32;
    let scene = Scene::cluster(env, step, 0.0, ending(ended));
    drawn(py, &scene, past, env.config().max_steps)
}

/// The same of a garden, with its mean dirt.
pub(crate) fn of_garden<'py>(
    py: Python<'py>,
    env: &GardenerEnv,
    ended: Option<(bool, bool)>,
    past: &[f64],
) -> PyResult<Bound<'py, PyArray3<u8>>> {
    drawn(py, &Scene::garden(env, ending(ended)), past, env.world().config().max_generations)
}

fn ending(ended: Option<(bool, bool)>) -> Option<Ending> {
    ended.map(|(terminated, truncated)| Ending { terminated, truncated })
}

fn drawn<'py>(
    py: Python<'py>,
    scene: &Scene,
    past: &[f64],
    limit: u32,
) -> PyResult<Bound<'py, PyArray3<u8>>> {
    // As long as the episode can be, but for one that is hardly ever played to its end.
    let steps = (limit as usize).min(past.len().next_power_of_two().max(512)) + 1;
    let picture = py.detach(|| Picture::of(scene, Past { values: past, steps }));
    let [height, width] = picture.shape();
    PyArray1::from_vec(py, picture.rgb()).reshape([height, width, 3])
}
