//! The native half of the Python package `feed_ring`, over the ring's untyped handles. What a program imports, and its
//! documentation, is in `python/feed_ring`.
//!
//! Each class is frozen and locks what it has for one call at a time (`exclusive.rs`), so it is sound with and without Python's
//! global lock.

mod arrays;
mod batch;
mod dtype;
mod encode;
mod errors;
mod exclusive;
mod following;
mod options;
mod publication;
mod reading;
mod ring;
mod subscription;
mod waiting;
mod writing;

/// The module `feed_ring._native`.
#[pyo3::pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use crate::exclusive::forked;
    #[pymodule_export]
    use crate::publication::Publication;
    #[pymodule_export]
    use crate::subscription::{Batches, Subscription};

    #[pymodule_export]
    use crate::reading::{CellReading, TableReading};
    #[pymodule_export]
    use crate::writing::{CellWriting, TableWriting};

    use numpy::PyArrayDescr;
    use pyo3::prelude::*;

    /// The dtype that a schema's text describes.
    #[pyfunction]
    fn dtype_of<'py>(py: Python<'py>, schema: &str) -> PyResult<Bound<'py, PyArrayDescr>> {
        let format = feed_ring::raw::MessageFormat::parse(schema)
            .map_err(|error| crate::errors::plain(py, "WrongDtype", &error.to_string()))?;
        crate::dtype::of_format(py, &format)
    }

    /// The schema's text of messages of a dtype, under a name.
    #[pyfunction]
    #[pyo3(signature = (dtype, message=None))]
    fn schema_of(dtype: &Bound<'_, PyAny>, message: Option<&str>) -> PyResult<String> {
        Ok(crate::dtype::to_format(&PyArrayDescr::new(dtype.py(), dtype)?, message)?.schema().to_owned())
    }

    /// Installs the guard against SIGBUS.
    #[pyfunction]
    fn install_guard() -> PyResult<()> {
        Ok(feed_ring::guard::install()?)
    }
}
