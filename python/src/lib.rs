//! The worlds for Python: what `resonetics/*.py` is made of. Everything that numpy cannot check for it is checked
//! here, and nothing that Python can hand over panics.

mod cluster;
mod clusters;
mod garden;
mod settings;

use pyo3::prelude::*;

/// The compiled part of resonetics.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<cluster::Cluster>()?;
    module.add_class::<garden::Garden>()?;
    module.add_class::<clusters::Clusters>()
}
