//! Batches: messages into the memory of an array, records into a list.

use feed_ring::TryRecvError;
use numpy::{PyArrayDescr, PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::exclusive::Exclusive;
use crate::following::Following;
use crate::ring::Ring;
use crate::waiting::Deadline;
use crate::{arrays, errors, ring};

/// Bytes from which on a batch is copied without Python's lock: to release and take it takes as long as copying some
/// hundred bytes.
pub(crate) const LARGE: usize = 16 << 10;

/// Receives at most `most` records into a list.
pub(crate) fn append(ring: &mut Ring, most: usize, list: &Bound<'_, PyList>) -> Result<PyResult<()>, TryRecvError> {
    let Ring::Records(ring) = ring else { unreachable!("its caller looked") };
    let mut made = Ok(());
    ring.records.recv_batch(most, |record| {
        if made.is_ok() {
            let record = ring::record(list.py(), record.kind, record.bytes, record.number);
            made = record.and_then(|record| list.append(record));
        }
    })?;
    Ok(made)
}

/// A batch of messages into an array's own memory. Returns how many.
pub(crate) fn messages(
    py: Python<'_>,
    following: &mut Following,
    handle: &Exclusive<Following>,
    array: &mut Bound<'_, PyUntypedArray>,
    deadline: Deadline,
) -> PyResult<Result<usize, TryRecvError>> {
    fn batch(ring: &mut Ring, bytes: &mut [u8]) -> Result<usize, TryRecvError> {
        let Ring::Messages(ring) = ring else { unreachable!("its caller looked") };
        ring.raw.recv_batch_into(bytes)
    }
    let size = array.dtype().itemsize();
    let bytes = arrays::bytes_mut(array)?;
    let large = bytes.len() >= LARGE;
    let mut at_once = || following.attempt(|ring| batch(ring, bytes));
    let result = if large { py.detach(at_once) } else { at_once() };
    if result != Err(TryRecvError::Empty) {
        return Ok(result);
    }
    let (first, rest) = bytes.split_at_mut(size);
    let came = following.wait(handle, py, deadline, |ring, slice| {
        let Ring::Messages(ring) = ring else { unreachable!("its caller looked") };
        ring.raw.recv_timeout_into(first, slice)
    })?;
    match came {
        Ok(()) => Ok(following.put_off(|ring| batch(ring, rest), 0).map(|more| 1 + more)),
        Err(error) => Ok(Err(error)),
    }
}

/// The caller's own array, if it is one for messages of this dtype.
pub(crate) fn fitting<'py>(dtype: &Py<PyArrayDescr>, out: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyUntypedArray>> {
    let (py, expected) = (out.py(), dtype.bind(out.py()));
    let found = || format!("out={}", out.get_type());
    let array =
        out.cast::<PyUntypedArray>().map_err(|_| errors::wrong_type(format!("{}: an array expected", found())))?;
    if !array.dtype().is_equiv_to(expected) {
        let text = format!(
            "out: an array of dtype {}: this ring's is {expected}: make it with numpy.empty(n, subscriber.dtype)",
            array.dtype()
        );
        return Err(errors::plain(py, "WrongDtype", &text));
    }
    if array.is_empty() {
        return Err(errors::value("out: an empty array", "room for 1 message or more"));
    }
    Ok(array.clone())
}
