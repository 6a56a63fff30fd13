//! A value of Python's as the bytes of a message, a key or a value.

use feed_ring::raw::MessageFormat;
use numpy::{PyArrayDescr, PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};

use crate::dtype::Messages;
use crate::{arrays, errors};

/// Makes bytes of values for one format.
pub(crate) struct Encoder {
    pub(crate) messages: Messages,
    names: Vec<String>,
    /// The fields that are text or have some in them: which of the fields, and its type.
    texts: Vec<(usize, Py<PyArrayDescr>)>,
    /// The message of one array element that values are put into.
    scratch: Py<PyUntypedArray>,
}

impl Encoder {
    pub(crate) fn new(py: Python<'_>, format: MessageFormat) -> PyResult<Self> {
        let messages = Messages::new(py, format)?;
        let dtype = messages.dtype.bind(py);
        let (names, mut texts) = (dtype.names().unwrap_or_default(), Vec::new());
        for (index, name) in names.iter().enumerate() {
            let (field, _) = dtype.get_field(name)?;
            if has_text(&field)? {
                texts.push((index, field.unbind()));
            }
        }
        let mut scratch = arrays::empty(dtype, 1)?;
        // No value is put between the fields that a schema's text leaves a gap between.
        arrays::bytes_mut(&mut scratch)?.fill(0);
        Ok(Encoder { messages, names, texts, scratch: scratch.unbind() })
    }

    /// Whether it is one value without a name of its own.
    pub(crate) fn is_plain(&self) -> bool {
        self.names == ["value"]
    }

    /// A message's bytes as a value of Python's: a structured scalar, or, of a format without fields, the number or text.
    pub(crate) fn show<'py>(&self, py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        let scalar = arrays::scalar(self.messages.dtype.bind(py), bytes)?;
        if self.is_plain() { scalar.get_item(0) } else { Ok(scalar) }
    }

    /// Calls `used` with the bytes of a value: a structured scalar, a tuple in the order of the fields, a dictionary with all
    /// fields, the bytes themselves, or, of a format without fields, the number or text.
    pub(crate) fn with<R>(&mut self, value: &Bound<'_, PyAny>, used: impl FnOnce(&[u8]) -> R) -> PyResult<R> {
        let py = value.py();
        let size = self.messages.format.size();
        if arrays::is_scalar(value)?
            || value.cast::<PyUntypedArray>().is_ok_and(|array| array.ndim() == 0 && !self.is_plain())
        {
            self.messages.accept(value.getattr("dtype")?.cast()?)?;
            let bytes = value.call_method0("tobytes")?;
            return Ok(used(bytes.cast::<PyBytes>()?.as_bytes()));
        }
        match value.cast::<PyBytes>() {
            Ok(bytes) if bytes.as_bytes().len() == size => return Ok(used(bytes.as_bytes())),
            Ok(bytes) if !self.is_plain() => {
                return Err(errors::value(
                    format!("{} bytes", bytes.as_bytes().len()),
                    &format!("{size}, a whole message,"),
                ));
            }
            _ => {}
        }
        let tuple = self.tuple_of(value)?;
        self.check_texts(&tuple)?;
        let scratch = self.scratch.bind(py);
        scratch.as_any().set_item(0, tuple)?;
        Ok(used(arrays::bytes(scratch)?))
    }

    /// Refuses an array whose elements are other messages. One of numbers is one of messages of one field.
    pub(crate) fn accept_array(&mut self, array: &Bound<'_, PyUntypedArray>) -> PyResult<()> {
        self.messages.accept(&array.dtype())
    }

    fn tuple_of<'py>(&self, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyTuple>> {
        if let Ok(tuple) = value.cast::<PyTuple>() {
            return Ok(tuple.clone());
        }
        if let Ok(dictionary) = value.cast::<PyDict>() {
            let fields: PyResult<Option<Vec<_>>> = self.names.iter().map(|name| dictionary.get_item(name)).collect();
            return match fields? {
                Some(fields) if dictionary.len() == fields.len() => PyTuple::new(value.py(), fields),
                _ => Err(errors::value(format!("fields {}", dictionary.keys()), &self.names.join(", "))),
            };
        }
        if self.is_plain() {
            return PyTuple::new(value.py(), [value]);
        }
        let found = value.get_type();
        let names = self.names.join(", ");
        Err(errors::wrong_type(format!("{found}: a structured scalar, or a tuple or dictionary with {names} expected")))
    }

    fn check_texts(&self, tuple: &Bound<'_, PyTuple>) -> PyResult<()> {
        for (index, dtype) in &self.texts {
            let Ok(value) = tuple.get_item(*index) else { continue };
            check_text(&self.names[*index], dtype.bind(tuple.py()), &value)?;
        }
        Ok(())
    }
}

/// Whether numpy makes bytes of fixed length of what is put into a field of this type.
fn has_text(dtype: &Bound<'_, PyArrayDescr>) -> PyResult<bool> {
    if dtype.has_subarray() {
        return has_text(&dtype.base());
    }
    for name in dtype.names().unwrap_or_default() {
        if has_text(&dtype.get_field(&name)?.0)? {
            return Ok(true);
        }
    }
    Ok(!dtype.has_fields() && matches!(dtype.kind(), b'S' | b'V'))
}

/// Refuses what numpy would cut without a word: a text that is too long, and a number, whose digits it would write.
fn check_text(name: &str, dtype: &Bound<'_, PyArrayDescr>, value: &Bound<'_, PyAny>) -> PyResult<()> {
    if dtype.has_subarray() {
        return check_text(name, &dtype.base(), value);
    }
    // Of an array: each element, dimension by dimension. A tuple is a struct where one is expected.
    let is_sequence = value.is_instance_of::<PyList>()
        || value.is_instance_of::<PyTuple>() && !dtype.has_fields()
        || value.cast::<PyUntypedArray>().is_ok_and(|array| array.ndim() > 0);
    if is_sequence {
        return value.try_iter()?.try_for_each(|element| check_text(name, dtype, &element?));
    }
    if dtype.has_fields() {
        for (index, field) in dtype.names().unwrap_or_default().iter().enumerate() {
            let (inner, _) = dtype.get_field(field)?;
            // What is no struct, numpy refuses.
            if let (true, Ok(value)) = (has_text(&inner)?, value.get_item(index)) {
                check_text(&format!("{name}.{field}"), &inner, &value)?;
            }
        }
        return Ok(());
    }
    let (length, most) = match value.cast::<PyBytes>() {
        Ok(bytes) => (bytes.as_bytes().len(), dtype.itemsize()),
        // numpy takes ASCII only.
        Err(_) if value.is_instance_of::<PyString>() => (value.len()?, dtype.itemsize()),
        // A number of 128 bits, as another message has it.
        Err(_) if dtype.kind() == b'V' && arrays::is_scalar(value)? => (value.len()?, dtype.itemsize()),
        Err(_) => {
            return Err(errors::wrong_type(format!("{name}: {value}, {}: bytes or a str expected", value.get_type())));
        }
    };
    if length > most {
        return Err(errors::value(format!("{name}: {value}, {length} bytes"), &format!("at most {most}")));
    }
    Ok(())
}
