//! The bytes of numpy's arrays and scalars.
#![allow(unsafe_code)] // an array's memory is behind a pointer that numpy gives

use numpy::npyffi::PY_ARRAY_API;
use numpy::{PyArrayDescr, PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PySlice, PyType};

use crate::errors;

/// A new array of `length` elements. What is in them is left to numpy.
pub(crate) fn empty<'py>(dtype: &Bound<'py, PyArrayDescr>, length: usize) -> PyResult<Bound<'py, PyUntypedArray>> {
    static EMPTY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = dtype.py();
    let empty = EMPTY.get_or_try_init(py, || py.import("numpy")?.getattr("empty").map(Bound::unbind))?;
    Ok(empty.bind(py).call1((length, dtype))?.cast_into::<PyUntypedArray>()?)
}

/// The first `length` elements of an array, in the same memory.
pub(crate) fn first<'py>(array: &Bound<'py, PyUntypedArray>, length: usize) -> PyResult<Bound<'py, PyAny>> {
    if array.len() == length {
        return Ok(array.clone().into_any());
    }
    array.as_any().get_item(PySlice::new(array.py(), 0, length as isize, 1))
}

/// The bytes of an array of one dimension, to be read.
pub(crate) fn bytes<'a>(array: &'a Bound<'_, PyUntypedArray>) -> PyResult<&'a [u8]> {
    let (data, length) = memory(array)?;
    if length == 0 {
        return Ok(&[]);
    }
    // SAFETY: numpy keeps that many bytes there as long as the array lives, which is borrowed. The documentation forbids other
    // threads to change it during a call.
    Ok(unsafe { std::slice::from_raw_parts(data, length) })
}

/// The bytes of an array of one dimension, to be written.
pub(crate) fn bytes_mut<'a>(array: &'a mut Bound<'_, PyUntypedArray>) -> PyResult<&'a mut [u8]> {
    let (data, length) = memory(array)?;
    if length == 0 {
        return Ok(&mut []);
    }
    if !array.getattr("flags")?.getattr("writeable")?.is_truthy()? {
        return Err(errors::value("a read-only array", "a writable one"));
    }
    // SAFETY: numpy keeps that many bytes there as long as the array lives, and may write to them. A new array is nobody
    // else's; of one that the caller gave, the documentation forbids other threads the use during a call.
    Ok(unsafe { std::slice::from_raw_parts_mut(data, length) })
}

/// Where the elements of an array are, and how many bytes they take.
fn memory(array: &Bound<'_, PyUntypedArray>) -> PyResult<(*mut u8, usize)> {
    if array.ndim() != 1 || !array.is_c_contiguous() {
        let found = format!("an array of {} dimensions, contiguous: {}", array.ndim(), array.is_c_contiguous());
        return Err(errors::value(found, "a contiguous array of one dimension (numpy.ascontiguousarray)"));
    }
    // SAFETY: the object is an array, so it has numpy's fields, and they do not change while it is borrowed.
    let data = unsafe { (*array.as_array_ptr()).fields.data };
    Ok((data.cast(), array.len() * array.dtype().itemsize()))
}

/// A scalar of a structured dtype (`numpy.void`) with a copy of these bytes.
pub(crate) fn scalar<'py>(dtype: &Bound<'py, PyArrayDescr>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let py = dtype.py();
    assert_eq!(bytes.len(), dtype.itemsize(), "the bytes of one element");
    let (data, descriptor) = (bytes.as_ptr().cast_mut().cast(), dtype.as_dtype_ptr());
    // SAFETY: numpy copies one element's bytes, of which there are as many, and keeps its own reference to the dtype.
    let made = unsafe { PY_ARRAY_API.PyArray_Scalar(py, data, descriptor, std::ptr::null_mut()) };
    // SAFETY: a new reference, or null and an exception.
    unsafe { Bound::from_owned_ptr_or_err(py, made) }
}

/// Whether something is a structured scalar, such as an element of a structured array.
pub(crate) fn is_scalar(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    static VOID: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let void = VOID.import(value.py(), "numpy", "void")?;
    value.is_instance(void)
}
