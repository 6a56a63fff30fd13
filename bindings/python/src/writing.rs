//! The classes that `TableWriter` and `CellWriter` build upon.

use std::path::PathBuf;

use feed_ring::raw;
use numpy::PyArrayDescr;
use pyo3::prelude::*;

use crate::encode::Encoder;
use crate::exclusive::Exclusive;
use crate::options::Make;
use crate::{dtype, errors};

/// A table that is written.
pub(crate) struct Rows {
    table: raw::TableWriter,
    key: Encoder,
    value: Encoder,
}

/// The native part of a writer of a table.
#[pyclass(subclass, frozen, module = "feed_ring._native")]
pub(crate) struct TableWriting {
    inner: Exclusive<Rows>,
}

#[pymethods]
impl TableWriting {
    /// Makes a table, or takes one over. A key and a value are a dtype and its name.
    #[new]
    fn new(
        py: Python<'_>,
        options: Make,
        key: (Bound<'_, PyArrayDescr>, Option<String>),
        value: (Bound<'_, PyArrayDescr>, Option<String>),
        copies: usize,
    ) -> PyResult<Self> {
        let key = dtype::to_format(&key.0, key.1.as_deref())?;
        let value = dtype::to_format(&value.0, value.1.as_deref())?;
        let named = raw::TableWriter::options(&options.name, key.clone(), value.clone()).copies(copies);
        let named = options.apply(named)?;
        let (key, value) = (Encoder::new(py, key)?, Encoder::new(py, value)?);
        let table = py.detach(|| named.create_raw_table()).map_err(|error| errors::create(py, &error))?;
        Ok(TableWriting { inner: Exclusive::new("writer", Rows { table, key, value }) })
    }

    /// Stores a value under a key and returns the number of the store.
    fn store(&self, py: Python<'_>, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<u64> {
        let mut held = self.inner.enter(py)?;
        let Rows { table, key: keys, value: values } = &mut *held;
        // The value first: one that is refused adds no key.
        let stored =
            values.with(value, |value| keys.with(key, |key| table.row(key).map(|row| table.store(row, value))))?;
        stored?.map_err(|full| errors::plain(py, "TableFull", &full.to_string()))
    }

    /// The number of the next store.
    #[getter]
    fn stores(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.inner.enter(py)?.table.stores())
    }

    /// Number of keys.
    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.inner.enter(py)?.table.len())
    }

    /// The most keys.
    #[getter]
    fn capacity(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.inner.enter(py)?.table.capacity())
    }

    /// The epoch: 1 for a new table's first writer.
    #[getter]
    fn epoch(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.inner.enter(py)?.table.epoch())
    }

    /// The table's directory, or the socket of a sealed one.
    #[getter]
    fn path(&self, py: Python<'_>) -> PyResult<Option<PathBuf>> {
        Ok(self.inner.enter(py)?.table.path().map(Into::into))
    }

    /// How many readers are attached now.
    fn readers(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.inner.enter(py)?.table.readers()?)
    }

    /// Whether it was closed, or left.
    #[getter]
    fn closed(&self) -> bool {
        self.inner.is_closing()
    }

    /// Ends the table. Closing twice is no error.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        match self.inner.close() {
            Some(rows) => py.detach(|| rows.table.close()).map_err(|error| errors::close(py, &error)),
            None => Ok(()),
        }
    }

    /// Ends this writer and leaves the table for the next one.
    fn leave(&self, py: Python<'_>) -> PyResult<()> {
        let rows = self.inner.take(py)?;
        py.detach(|| rows.table.leave());
        Ok(())
    }
}

/// A cell that is written.
pub(crate) struct Value {
    cell: raw::CellWriter,
    value: Encoder,
    bytes: Vec<u8>,
}

/// The native part of a writer of a cell.
#[pyclass(subclass, frozen, module = "feed_ring._native")]
pub(crate) struct CellWriting {
    inner: Exclusive<Value>,
}

#[pymethods]
impl CellWriting {
    /// Makes a cell, or takes one over.
    #[new]
    fn new(
        py: Python<'_>,
        options: Make,
        value: (Bound<'_, PyArrayDescr>, Option<String>),
        copies: usize,
    ) -> PyResult<Self> {
        let format = dtype::to_format(&value.0, value.1.as_deref())?;
        let named = options.apply(raw::CellWriter::options(&options.name, format.clone()).copies(copies))?;
        let (bytes, value) = (vec![0; format.size()], Encoder::new(py, format)?);
        let cell = py.detach(|| named.create_raw_cell()).map_err(|error| errors::create(py, &error))?;
        Ok(CellWriting { inner: Exclusive::new("writer", Value { cell, value, bytes }) })
    }

    /// Stores a value and returns the number of the store.
    fn store(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<u64> {
        let mut held = self.inner.enter(py)?;
        let Value { cell, value: values, .. } = &mut *held;
        values.with(value, |value| cell.store(value))
    }

    /// The value that was stored last, or `None`.
    fn get<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let mut held = self.inner.enter(py)?;
        let Value { cell, value, bytes } = &mut *held;
        cell.get_into(bytes).map(|_| value.show(py, bytes)).transpose()
    }

    /// The number of the next store.
    #[getter]
    fn stores(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.inner.enter(py)?.cell.stores())
    }

    /// The epoch: 1 for a new cell's first writer.
    #[getter]
    fn epoch(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.inner.enter(py)?.cell.epoch())
    }

    /// The cell's directory, or the socket of a sealed one.
    #[getter]
    fn path(&self, py: Python<'_>) -> PyResult<Option<PathBuf>> {
        Ok(self.inner.enter(py)?.cell.path().map(Into::into))
    }

    /// How many readers are attached now.
    fn readers(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.inner.enter(py)?.cell.readers()?)
    }

    /// Whether it was closed, or left.
    #[getter]
    fn closed(&self) -> bool {
        self.inner.is_closing()
    }

    /// Ends the cell. Closing twice is no error.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        match self.inner.close() {
            Some(value) => py.detach(|| value.cell.close()).map_err(|error| errors::close(py, &error)),
            None => Ok(()),
        }
    }

    /// Ends this writer and leaves the cell for the next one.
    fn leave(&self, py: Python<'_>) -> PyResult<()> {
        let value = self.inner.take(py)?;
        py.detach(|| value.cell.leave());
        Ok(())
    }
}
