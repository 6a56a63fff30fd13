//! The class that `Publisher` and `RecordPublisher` build upon.

use std::collections::HashMap;

use feed_ring::records::RecordsFormat;
use feed_ring::{CloseError, RecordPublisher, raw};
use numpy::{PyArrayDescr, PyUntypedArray};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::batch::LARGE;
use crate::encode::Encoder;
use crate::exclusive::Exclusive;
use crate::options::Make;
use crate::{arrays, dtype, errors};

/// What a ring is made for.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Contents<'py> {
    /// Of a ring of messages: their dtype and its name, or a schema's text.
    dtype: Option<Bound<'py, PyArrayDescr>>,
    message: Option<String>,
    schema: Option<String>,
    /// Of a ring of records: their encoding, the kinds that are structs, the bytes of a slot.
    records: bool,
    encoding: Option<String>,
    kinds: Vec<(u8, String, Bound<'py, PyArrayDescr>)>,
    slot_size: usize,
}

impl Contents<'_> {
    fn format(&self, py: Python<'_>) -> PyResult<raw::MessageFormat> {
        match (&self.dtype, &self.schema) {
            (Some(dtype), None) => dtype::to_format(dtype, self.message.as_deref()),
            (None, Some(schema)) => {
                raw::MessageFormat::parse(schema).map_err(|error| errors::plain(py, "WrongDtype", &error.to_string()))
            }
            _ => Err(errors::value("dtype and schema", "one of them")),
        }
    }

    fn records_format(&self, py: Python<'_>) -> PyResult<RecordsFormat> {
        if !self.kinds.is_empty() && self.encoding.is_none() {
            let kinds: PyResult<Vec<_>> = self
                .kinds
                .iter()
                .map(|(kind, name, dtype)| Ok((*kind, dtype::to_format(dtype, Some(name))?)))
                .collect();
            return Ok(RecordsFormat::structs(kinds?));
        }
        if !self.kinds.is_empty() {
            return Err(errors::value("kinds and encoding", "one of them"));
        }
        let text =
            self.encoding.as_ref().map_or_else(|| "Records\n".to_owned(), |encoding| format!("Records {encoding}\n"));
        RecordsFormat::parse(&text).map_err(|error| errors::plain(py, "InvalidOption", &error.to_string()))
    }
}

/// A publisher, whatever it publishes.
pub(crate) enum Outlet {
    Messages(raw::Publisher, Encoder),
    Records(RecordPublisher, RecordsFormat, HashMap<u8, Encoder>),
}

/// Asks the publisher of either.
macro_rules! either {
    ($outlet:expr, $publisher:ident => $asked:expr) => {
        match $outlet {
            Outlet::Messages($publisher, _) => $asked,
            Outlet::Records($publisher, ..) => $asked,
        }
    };
}

impl Outlet {
    fn close(self) -> Result<(), CloseError> {
        either!(self, publisher => publisher.close())
    }
}

/// The native part of a publisher: of messages or of records.
#[pyclass(subclass, frozen, module = "feed_ring._native")]
pub(crate) struct Publication {
    inner: Exclusive<Outlet>,
}

#[pymethods]
impl Publication {
    /// Makes a ring, or takes one over.
    #[new]
    fn new(py: Python<'_>, options: Make, contents: Contents<'_>) -> PyResult<Self> {
        let outlet = if contents.records {
            let format = contents.records_format(py)?;
            let encoders: PyResult<HashMap<_, _>> =
                format.kinds().map(|(kind, format)| Ok((kind, Encoder::new(py, format.clone())?))).collect();
            let encoders = encoders?;
            let named = RecordPublisher::options(&options.name, format.clone()).slot_size(contents.slot_size);
            let named = options.apply(named)?;
            let publisher = py.detach(|| named.create_records()).map_err(|error| errors::create(py, &error))?;
            Outlet::Records(publisher, format, encoders)
        } else {
            let format = contents.format(py)?;
            let encoder = Encoder::new(py, format.clone())?;
            let named = options.apply(raw::Publisher::options(&options.name, format))?;
            let publisher = py.detach(|| named.create_raw()).map_err(|error| errors::create(py, &error))?;
            Outlet::Messages(publisher, encoder)
        };
        Ok(Publication { inner: Exclusive::new("publisher", outlet) })
    }

    /// Publishes one message and returns its sequence number.
    fn _publish(&self, py: Python<'_>, message: &Bound<'_, PyAny>) -> PyResult<u64> {
        match &mut *self.inner.enter(py)? {
            Outlet::Messages(publisher, encoder) => encoder.with(message, |bytes| publisher.publish(bytes)),
            Outlet::Records(..) => Err(errors::value("a ring of records", "of messages")),
        }
    }

    /// Publishes one record and returns its number.
    fn _publish_record(&self, py: Python<'_>, kind: u8, record: &Bound<'_, PyAny>) -> PyResult<u64> {
        let mut held = self.inner.enter(py)?;
        let Outlet::Records(publisher, format, encoders) = &mut *held else {
            return Err(errors::value("a ring of messages", "of records"));
        };
        let published = match encoders.get_mut(&kind) {
            Some(encoder) => encoder.with(record, |bytes| publisher.publish(kind, bytes))?,
            None if format.kinds().next().is_some() => {
                let kinds: Vec<String> = format.kinds().map(|(kind, _)| kind.to_string()).collect();
                return Err(errors::value(format!("kind {kind}"), &kinds.join(", ")));
            }
            None => publisher.publish(kind, bytes_of(record)?.as_bytes()),
        };
        published.map_err(|error| errors::plain(py, "TooLong", &error.to_string()))
    }

    /// Publishes an array's messages and returns the number of the first and the one after the last.
    fn _publish_batch(&self, py: Python<'_>, array: &Bound<'_, PyAny>) -> PyResult<(u64, u64)> {
        let mut held = self.inner.enter(py)?;
        let Outlet::Messages(publisher, encoder) = &mut *held else {
            return Err(errors::value("a ring of records", "of messages"));
        };
        let found = || errors::wrong_type(format!("{}: a structured array expected", array.get_type()));
        let array = array.cast::<PyUntypedArray>().map_err(|_| found())?;
        encoder.accept_array(array)?;
        let bytes = arrays::bytes(array)?;
        let published = if bytes.len() < LARGE {
            publisher.publish_batch(bytes)
        } else {
            py.detach(|| publisher.publish_batch(bytes))
        };
        Ok((published.start, published.end))
    }

    /// The number of the next message: how many were published since the ring began.
    #[getter]
    fn published(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(either!(&*self.inner.enter(py)?, publisher => publisher.published()))
    }

    /// The epoch: 1 for a new ring's first publisher.
    #[getter]
    fn epoch(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(either!(&*self.inner.enter(py)?, publisher => publisher.epoch()))
    }

    /// Number of slots.
    #[getter]
    fn capacity(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(either!(&*self.inner.enter(py)?, publisher => publisher.capacity()))
    }

    /// The ring's directory, or the socket of a sealed ring.
    #[getter]
    fn path(&self, py: Python<'_>) -> PyResult<Option<std::path::PathBuf>> {
        Ok(either!(&*self.inner.enter(py)?, publisher => publisher.path().map(Into::into)))
    }

    /// The schema in the ring's header.
    #[getter]
    fn schema(&self, py: Python<'_>) -> PyResult<String> {
        Ok(match &*self.inner.enter(py)? {
            Outlet::Messages(publisher, _) => publisher.format().schema().to_owned(),
            Outlet::Records(_, format, _) => format.text(),
        })
    }

    /// How it finds out that a subscriber sleeps.
    #[getter]
    fn wake(&self, py: Python<'_>) -> PyResult<&'static str> {
        Ok(either!(&*self.inner.enter(py)?, publisher => publisher.wake().name()))
    }

    /// Whether somebody cut the segment's file short.
    #[getter]
    fn is_cut_off(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(either!(&*self.inner.enter(py)?, publisher => publisher.is_cut_off()))
    }

    /// How many subscribers are attached now.
    fn subscribers(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(either!(&*self.inner.enter(py)?, publisher => publisher.subscribers())?)
    }

    /// Whether it was closed, or left.
    #[getter]
    fn closed(&self) -> bool {
        self.inner.is_closing()
    }

    /// Ends the ring. Closing twice is no error.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        match self.inner.close() {
            Some(outlet) => py.detach(|| outlet.close()).map_err(|error| errors::close(py, &error)),
            None => Ok(()),
        }
    }

    /// Ends this publisher and leaves the ring open for the next one.
    fn leave(&self, py: Python<'_>) -> PyResult<()> {
        let outlet = self.inner.take(py)?;
        py.detach(|| either!(outlet, publisher => publisher.leave()));
        Ok(())
    }

    /// The longest record in bytes.
    fn _longest(&self, py: Python<'_>) -> PyResult<usize> {
        match &*self.inner.enter(py)? {
            Outlet::Records(publisher, ..) => Ok(publisher.longest()),
            Outlet::Messages(..) => Err(errors::value("a ring of messages", "of records")),
        }
    }

    /// The dtype of the messages.
    fn _dtype(&self, py: Python<'_>) -> PyResult<Py<PyArrayDescr>> {
        match &*self.inner.enter(py)? {
            Outlet::Messages(_, encoder) => Ok(encoder.messages.dtype.clone_ref(py)),
            Outlet::Records(..) => Err(errors::value("a ring of records", "of messages")),
        }
    }
}

/// The bytes of something that has some.
fn bytes_of<'py>(record: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    if let Ok(bytes) = record.cast::<PyBytes>() {
        return Ok(bytes.clone());
    }
    if let Ok(bytes) = record.cast::<pyo3::types::PyByteArray>() {
        return Ok(PyBytes::new(record.py(), &bytes.to_vec()));
    }
    let refused =
        || errors::wrong_type(format!("{}: bytes, a bytearray, a memoryview or an array expected", record.get_type()));
    let bytes = record.call_method0("tobytes").map_err(|_| refused())?;
    bytes.cast_into::<PyBytes>().map_err(|_| refused())
}
