//! The classes that `TableReader` and `CellReader` build upon.

use feed_ring::table::{ReadError, Row, WaitError};
use feed_ring::{Interrupter, raw};
use numpy::{PyArrayDescr, PyArrayDescrMethods, PyUntypedArray};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::encode::Encoder;
use crate::exclusive::Exclusive;
use crate::options::Open;
use crate::waiting::{Deadline, wait};
use crate::{arrays, errors};

/// Rows from which on a table is copied without Python's lock.
const LARGE: usize = 64;

/// A table, and its rows as pairs.
pub(crate) struct Rows {
    table: raw::TableReader,
    key: Encoder,
    value: Encoder,
    /// A key and, directly behind it, its value.
    pair: Py<PyArrayDescr>,
    bytes: Vec<u8>,
}

/// The native part of a reader of a table.
#[pyclass(subclass, frozen, module = "feed_ring._native")]
pub(crate) struct TableReading {
    inner: Exclusive<Rows>,
    interrupter: Interrupter,
}

#[pymethods]
impl TableReading {
    /// Opens the table that the options name.
    #[new]
    fn new(py: Python<'_>, options: Open) -> PyResult<Self> {
        let named = match &options.path {
            Some(path) => raw::TableReader::connect(path),
            None => raw::TableReader::options(&options.name),
        };
        let opened = options.open(py, named, |options| options.open_raw_table())?;
        let table = opened.map_err(|error| errors::open(py, &error))?;
        let (key, value) = (table.key_format().clone(), table.value_format().clone());
        let bytes = vec![0; value.size()];
        let (key, value) = (Encoder::new(py, key)?, Encoder::new(py, value)?);
        let pair = pair(&key, &value, py)?;
        let interrupter = table.interrupter();
        let inner = Exclusive::new("reader", Rows { table, key, value, pair, bytes });
        Ok(TableReading { inner, interrupter })
    }

    /// The newest value of a key, or `None` if there is none.
    fn _get<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let mut held = self.inner.enter(py)?;
        let Rows { table, key: keys, value, bytes, .. } = &mut *held;
        let Some(row) = keys.with(key, |key| table.row(key))? else { return Ok(None) };
        let stored = table.get_into(row, bytes).map_err(|error| errors::read(py, error))?;
        stored.map(|_| value.show(py, bytes)).transpose()
    }

    /// All rows with a value as an array of pairs, or those that changed since a store. With it the number to ask for next.
    #[pyo3(signature = (since=None))]
    fn _read<'py>(&self, py: Python<'py>, since: Option<u64>) -> PyResult<(Bound<'py, PyAny>, u64)> {
        let mut held = self.inner.enter(py)?;
        let Rows { table, pair, key, .. } = &mut *held;
        let mut rows = Vec::new();
        let next = match since {
            Some(since) => table.changed_since(since, &mut rows),
            None => {
                let next = table.stores();
                rows.extend(table.rows());
                next
            }
        };
        let mut array: Bound<'py, PyUntypedArray> = arrays::empty(pair.bind(py), rows.len())?;
        let (size, key_size) = (pair.bind(py).itemsize(), key.messages.format.size());
        let bytes = arrays::bytes_mut(&mut array)?;
        let mut copied = || copy(table, &rows, bytes.chunks_exact_mut(size), key_size);
        let copied = if rows.len() < LARGE { copied() } else { py.detach(copied) };
        let count = copied.map_err(|error| errors::read(py, error))?;
        Ok((arrays::first(&array, count)?, next))
    }

    /// Waits until the number of the next store is no longer `since`. False if the time is over.
    #[pyo3(signature = (since, timeout=None))]
    fn wait(&self, py: Python<'_>, since: u64, timeout: Option<f64>) -> PyResult<bool> {
        let mut held = self.inner.enter(py)?;
        let table = &mut held.table;
        wait_for_store(py, &self.inner, Deadline::after(timeout)?, |slice| table.wait(since, slice))
    }

    /// The number of the next store.
    #[getter]
    fn stores(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.inner.enter(py)?.table.stores())
    }

    /// Number of keys.
    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.inner.enter(py)?.table.rows().count())
    }

    /// The most keys.
    #[getter]
    fn capacity(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.inner.enter(py)?.table.capacity())
    }

    /// The dtype of the keys.
    #[getter]
    fn key_dtype(&self, py: Python<'_>) -> PyResult<Py<PyArrayDescr>> {
        Ok(self.inner.enter(py)?.key.messages.dtype.clone_ref(py))
    }

    /// The dtype of the values.
    #[getter]
    fn value_dtype(&self, py: Python<'_>) -> PyResult<Py<PyArrayDescr>> {
        Ok(self.inner.enter(py)?.value.messages.dtype.clone_ref(py))
    }

    /// Whether the writer lives. Asks the kernel.
    fn writer_is_alive(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.inner.enter(py)?.table.writer_is_alive())
    }

    /// Whether it was closed.
    #[getter]
    fn closed(&self) -> bool {
        self.inner.is_closing()
    }

    /// Ends the reader, also one in whose call another thread waits.
    fn close(&self, py: Python<'_>) {
        match self.inner.close() {
            Some(rows) => py.detach(|| drop(rows)),
            None => self.interrupter.interrupt(),
        }
    }
}

/// Copies rows that have a value, one behind the other. Returns how many.
fn copy<'a>(
    table: &mut raw::TableReader,
    rows: &[Row],
    mut pairs: impl Iterator<Item = &'a mut [u8]>,
    key_size: usize,
) -> Result<usize, ReadError> {
    let (mut count, mut room) = (0, pairs.next());
    for row in rows {
        let Some(pair) = room.as_deref_mut() else { break };
        let (key, value) = pair.split_at_mut(key_size);
        if table.key_into(*row, key) && table.get_into(*row, value)?.is_some() {
            count += 1;
            room = pairs.next();
        }
    }
    Ok(count)
}

/// The dtype of a key and a value: fields `key` and `value`.
fn pair(key: &Encoder, value: &Encoder, py: Python<'_>) -> PyResult<Py<PyArrayDescr>> {
    let (key, value) = (&key.messages, &value.messages);
    let dictionary = PyDict::new(py);
    dictionary.set_item("names", ("key", "value"))?;
    dictionary.set_item("formats", (&key.dtype, &value.dtype))?;
    dictionary.set_item("offsets", (0, key.format.size()))?;
    dictionary.set_item("itemsize", key.format.size() + value.format.size())?;
    Ok(PyArrayDescr::new(py, dictionary)?.unbind())
}

/// Waits with `attempt` for a store.
fn wait_for_store<T>(
    py: Python<'_>,
    handle: &Exclusive<T>,
    deadline: Deadline,
    mut attempt: impl FnMut(std::time::Duration) -> Result<bool, WaitError> + Send,
) -> PyResult<bool>
where
    T: Send,
{
    // A look at what is there already, however little time there is.
    let mut came = attempt(std::time::Duration::ZERO);
    if came == Ok(false) {
        let waited = wait(py, deadline, |slice| match attempt(slice) {
            Ok(false) if !handle.is_closing() => None,
            result => Some(result),
        })?;
        came = waited.unwrap_or(Ok(false));
    }
    if handle.is_closing() {
        return Err(handle.closed(py));
    }
    came.map_err(|error| errors::end(py, error))
}

/// A cell.
pub(crate) struct Value {
    cell: raw::CellReader,
    value: Encoder,
    bytes: Vec<u8>,
}

/// The native part of a reader of a cell.
#[pyclass(subclass, frozen, module = "feed_ring._native")]
pub(crate) struct CellReading {
    inner: Exclusive<Value>,
    interrupter: Interrupter,
}

#[pymethods]
impl CellReading {
    /// Opens the cell that the options name.
    #[new]
    fn new(py: Python<'_>, options: Open) -> PyResult<Self> {
        let named = match &options.path {
            Some(path) => raw::CellReader::connect(path),
            None => raw::CellReader::options(&options.name),
        };
        let opened = options.open(py, named, |options| options.open_raw_cell())?;
        let cell = opened.map_err(|error| errors::open(py, &error))?;
        let value = Encoder::new(py, cell.format().clone())?;
        let (bytes, interrupter) = (vec![0; cell.format().size()], cell.interrupter());
        Ok(CellReading { inner: Exclusive::new("reader", Value { cell, value, bytes }), interrupter })
    }

    /// The newest value, or `None` if there is none yet.
    fn get<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let mut held = self.inner.enter(py)?;
        let Value { cell, value, bytes } = &mut *held;
        let stored = cell.get_into(bytes).map_err(|error| errors::read(py, error))?;
        stored.map(|_| value.show(py, bytes)).transpose()
    }

    /// Waits until the number of the next store is no longer `since`. False if the time is over.
    #[pyo3(signature = (since, timeout=None))]
    fn wait(&self, py: Python<'_>, since: u64, timeout: Option<f64>) -> PyResult<bool> {
        let mut held = self.inner.enter(py)?;
        let cell = &mut held.cell;
        wait_for_store(py, &self.inner, Deadline::after(timeout)?, |slice| cell.wait(since, slice))
    }

    /// The number of the next store.
    #[getter]
    fn stores(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.inner.enter(py)?.cell.stores())
    }

    /// The dtype of the value.
    #[getter]
    fn dtype(&self, py: Python<'_>) -> PyResult<Py<PyArrayDescr>> {
        Ok(self.inner.enter(py)?.value.messages.dtype.clone_ref(py))
    }

    /// Whether the writer lives. Asks the kernel.
    fn writer_is_alive(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.inner.enter(py)?.cell.writer_is_alive())
    }

    /// Whether it was closed.
    #[getter]
    fn closed(&self) -> bool {
        self.inner.is_closing()
    }

    /// Ends the reader, also one in whose call another thread waits.
    fn close(&self, py: Python<'_>) {
        match self.inner.close() {
            Some(value) => py.detach(|| drop(value)),
            None => self.interrupter.interrupt(),
        }
    }
}
