//! The worlds and their runs for Python: what `resonetics/*.py` is made of. Everything that numpy cannot check for it is
//! checked here, and nothing that Python can hand over panics.

mod cluster;
mod clusters;
mod garden;
mod gardens;
mod picture;
mod policy;
mod runs;
mod settings;
mod simulation;
mod sweep;
mod threads;
mod work;

use pyo3::prelude::*;

/// The compiled part of resonetics.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    resonetics_runs::run_dir::built_from(option_env!("RESONETICS_COMMIT").unwrap_or("unknown"));
    resonetics_runs::run_dir::called_from("Python");
    module.add_class::<cluster::Cluster>()?;
    module.add_class::<garden::Garden>()?;
    module.add_class::<gardens::Gardens>()?;
    module.add_class::<clusters::Clusters>()?;
    module.add_class::<simulation::Simulation>()?;
    module.add_class::<sweep::Sweep>()?;
    module.add_function(wrap_pyfunction!(sweep::train_cell, module)?)?;
    module.add_function(wrap_pyfunction!(sweep::read_text, module)?)?;
    module.add_class::<policy::TrainedPolicy>()?;
    module.add_function(wrap_pyfunction!(runs::train, module)?)?;
    module.add_function(wrap_pyfunction!(runs::resume, module)?)?;
    module.add_function(wrap_pyfunction!(runs::evaluate, module)?)?;
    module.add_function(wrap_pyfunction!(runs::limits, module)?)?;
    module.add_function(wrap_pyfunction!(runs::analyze, module)?)?;
    module.add_function(wrap_pyfunction!(runs::play, module)?)
}
