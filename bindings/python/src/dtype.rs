//! A schema as a numpy dtype, and a dtype as a schema: the same names, types, offsets and size.

use feed_ring::inspect::{Field, MessageType, Number, Type};
use feed_ring::raw::MessageFormat;
use numpy::{PyArrayDescr, PyArrayDescrMethods};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::errors;

/// The structured dtype of messages of this format. Fields of a nested struct keep their dotted names. `[u8; N]` is `S{N}`:
/// bytes without the zeros at their end. Numbers of 128 bits are `V16`: their bytes.
pub(crate) fn of_format<'py>(py: Python<'py>, format: &MessageFormat) -> PyResult<Bound<'py, PyArrayDescr>> {
    let message = MessageType::parse(format.schema()).map_err(|error| wrong(py, &error.to_string()))?;
    // numpy has rules that a schema has not: on names, sizes, dimensions.
    let made = structure(py, &message.fields, message.size).and_then(|fields| PyArrayDescr::new(py, fields));
    let dtype =
        made.map_err(|error| wrong(py, &format!("numpy has no dtype for messages {}: {error}", message.name)))?;
    let (found, expected) = (dtype.itemsize(), format.size());
    if found == expected {
        Ok(dtype)
    } else {
        Err(wrong(py, &format!("a dtype of {found} bytes, {expected} expected")))
    }
}

/// Fields as the dictionary that numpy makes a dtype of.
fn structure<'py>(py: Python<'py>, fields: &[Field], size: usize) -> PyResult<Bound<'py, PyDict>> {
    let formats: PyResult<Vec<_>> = fields.iter().map(|field| of_type(py, &field.ty)).collect();
    let dictionary = PyDict::new(py);
    dictionary.set_item("names", PyList::new(py, fields.iter().map(|field| &field.name))?)?;
    dictionary.set_item("formats", formats?)?;
    dictionary.set_item("offsets", PyList::new(py, fields.iter().map(|field| field.offset))?)?;
    dictionary.set_item("itemsize", size)?;
    Ok(dictionary)
}

fn of_type<'py>(py: Python<'py>, ty: &Type) -> PyResult<Bound<'py, PyArrayDescr>> {
    match ty {
        Type::Number(number) => PyArrayDescr::new(py, numpy_name(*number)),
        Type::Array(element, length) if **element == Type::Number(Number::U8) && *length > 0 => {
            PyArrayDescr::new(py, format!("S{length}"))
        }
        Type::Array(element, length) => PyArrayDescr::new(py, (of_type(py, element)?, (*length,))),
        Type::Struct(fields) => PyArrayDescr::new(py, structure(py, fields, ty.size().unwrap_or(0))?),
    }
}

fn numpy_name(number: Number) -> &'static str {
    match number {
        Number::U8 => "u1",
        Number::U16 => "u2",
        Number::U32 => "u4",
        Number::U64 => "u8",
        Number::I8 => "i1",
        Number::I16 => "i2",
        Number::I32 => "i4",
        Number::I64 => "i8",
        Number::F32 => "f4",
        Number::F64 => "f8",
        Number::U128 | Number::I128 => "V16",
    }
}

/// The format of messages of this dtype, under this name. A dtype without fields becomes one field called `value`; its name is
/// Rust's, such as `u64`, unless another is given. That of a dtype with fields is `Message`.
pub(crate) fn to_format(dtype: &Bound<'_, PyArrayDescr>, name: Option<&str>) -> PyResult<MessageFormat> {
    let py = dtype.py();
    let own = match (dtype.has_fields(), dtype.has_subarray(), dtype.kind()) {
        (true, ..) => "Message".to_owned(),
        (_, true, _) => "array".to_owned(),
        (.., b'S') => "text".to_owned(),
        (.., kind) => format!("{}{}", kind as char, dtype.itemsize() * 8),
    };
    let name = name.unwrap_or(&own);
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(wrong(py, &format!("a message called {name:?}: one word expected")));
    }
    let mut writer = Writer { lines: String::new(), end: 0, last: String::new(), align: 1, unaligned: false };
    if dtype.has_fields() {
        writer.fields(dtype, "", 0)?;
    } else {
        writer.field("value", dtype, 0)?;
    }
    writer.fill(py, dtype.itemsize())?;
    let size = dtype.itemsize();
    // A packed dtype whose fields are where Rust would not put them.
    let align = if writer.unaligned || !size.is_multiple_of(writer.align) { 1 } else { writer.align };
    MessageFormat::parse(&format!("{name} {size} {align}\n{}", writer.lines))
        .map_err(|error| wrong(py, &error.to_string()))
}

/// Writes the lines of a schema, field by field in the order of their offsets.
struct Writer {
    lines: String,
    /// The end of the fields so far.
    end: usize,
    /// The name of the field that ends there.
    last: String,
    /// The largest alignment of a field in bytes.
    align: usize,
    /// Whether a field is where its type would not be aligned.
    unaligned: bool,
}

impl Writer {
    /// The fields of a structured dtype that begins at `base`.
    fn fields(&mut self, dtype: &Bound<'_, PyArrayDescr>, prefix: &str, base: usize) -> PyResult<()> {
        for (name, inner, offset) in fields_of(dtype)? {
            let name = format!("{prefix}{name}");
            if inner.has_fields() {
                self.fields(&inner, &format!("{name}."), base + offset)?;
            } else {
                self.field(&name, &inner, base + offset)?;
            }
        }
        Ok(())
    }

    fn field(&mut self, name: &str, dtype: &Bound<'_, PyArrayDescr>, offset: usize) -> PyResult<()> {
        let py = dtype.py();
        if name.contains(char::is_whitespace) || name.is_empty() {
            return Err(wrong(py, &format!("field {name:?}: a name without spaces expected")));
        }
        self.fill(py, offset)?;
        let ty = self.type_text(name, dtype)?;
        self.unaligned |= !offset.is_multiple_of(self.align_of(dtype));
        self.lines += &format!("{name} {ty} {offset}\n");
        (self.end, self.last) = (offset + dtype.itemsize(), name.to_owned());
        Ok(())
    }

    /// Refuses a gap, or an overlap, before `offset`.
    fn fill(&self, py: Python<'_>, offset: usize) -> PyResult<()> {
        let (end, last) = (self.end, &self.last);
        match offset.checked_sub(end) {
            Some(0) => Ok(()),
            Some(gap) => Err(wrong(
                py,
                &format!(
                    "{gap} bytes of padding after field `{last}`, at byte {end}: nobody would know what is in them; add a field there, \
                     such as (\"_padding\", \"u1\", ({gap},)), or put the larger fields first"
                ),
            )),
            None => Err(wrong(py, &format!("a field at byte {offset} overlaps `{last}`, which ends at byte {end}"))),
        }
    }

    /// The alignment of a type in Rust, which is at least that of each number in it.
    fn align_of(&mut self, dtype: &Bound<'_, PyArrayDescr>) -> usize {
        if dtype.has_subarray() {
            return self.align_of(&dtype.base());
        }
        let inner = fields_of(dtype).unwrap_or_default();
        let align = match dtype.kind() {
            b'S' => 1,
            b'V' => inner.iter().map(|(_, inner, _)| self.align_of(inner)).max().unwrap_or(1),
            _ => dtype.itemsize(),
        };
        self.align = self.align.max(align);
        align
    }

    /// A field's type as a schema has it.
    fn type_text(&self, name: &str, dtype: &Bound<'_, PyArrayDescr>) -> PyResult<String> {
        let py = dtype.py();
        if dtype.has_subarray() {
            let element = self.type_text(name, &dtype.base())?;
            return Ok(dtype.shape().iter().rev().fold(element, |element, length| format!("[{element};{length}]")));
        }
        let (kind, size) = (dtype.kind(), dtype.itemsize());
        if dtype.has_fields() {
            return self.struct_text(name, dtype);
        }
        let refused = |found: &str, remedy: &str| Err(wrong(py, &format!("field `{name}`: {found}: {remedy}")));
        if dtype.is_native_byteorder() == Some(false) {
            return refused("not in this machine's byte order", "convert it (dtype.newbyteorder(\"=\"))");
        }
        match (kind, size) {
            (b'u' | b'i' | b'f', 1 | 2 | 4 | 8) if (kind, size) != (b'f', 2) => {
                Ok(format!("{}{}", kind as char, size * 8))
            }
            (b'S', 1..) => Ok(format!("[u8;{size}]")),
            (b'b', _) => refused("bool", "not every byte is a bool to every reader; write a number (\"u1\")"),
            (b'O', _) => {
                refused("a Python object", "it means nothing in another process; write a number or bytes (\"S8\")")
            }
            (b'U', _) => refused("a str, which numpy keeps as 4 bytes a character", "write bytes (\"S8\")"),
            (b'M' | b'm', _) => refused("a time", "a ring has no unit for it; write a number (\"i8\", nanoseconds)"),
            (b'c', _) => refused("a complex number", "write two numbers"),
            _ => refused(
                &format!("{dtype}"),
                "u1 to u8, i1 to i8, f4, f8, S1 and longer, and arrays and structs of them expected",
            ),
        }
    }

    /// A struct within an array.
    fn struct_text(&self, name: &str, dtype: &Bound<'_, PyArrayDescr>) -> PyResult<String> {
        let mut inner = Writer { lines: String::new(), end: 0, last: String::new(), align: 1, unaligned: false };
        let mut texts = Vec::new();
        for (field, ty, offset) in fields_of(dtype)? {
            inner.fill(dtype.py(), offset)?;
            texts.push(format!("{field}:{}@{offset}", self.type_text(&format!("{name}.{field}"), &ty)?));
            (inner.end, inner.last) = (offset + ty.itemsize(), field);
        }
        inner.fill(dtype.py(), dtype.itemsize())?;
        Ok(format!("{{{}}}", texts.join(",")))
    }
}

/// The fields of a dtype in the order of their offsets: name, type, offset in bytes.
fn fields_of<'py>(dtype: &Bound<'py, PyArrayDescr>) -> PyResult<Vec<(String, Bound<'py, PyArrayDescr>, usize)>> {
    let mut fields = Vec::new();
    for name in dtype.names().unwrap_or_default() {
        let (inner, offset) = dtype.get_field(&name)?;
        fields.push((name, inner, offset));
    }
    fields.sort_by_key(|(_, _, offset)| *offset);
    Ok(fields)
}

fn wrong(py: Python<'_>, text: &str) -> PyErr {
    errors::plain(py, "WrongDtype", text)
}

/// Messages of one format: their dtype, and the other dtype that a caller was found to have them in.
pub(crate) struct Messages {
    pub(crate) format: MessageFormat,
    pub(crate) dtype: Py<PyArrayDescr>,
    /// The dtype that was looked at last and found to be of this format.
    accepted: Py<PyArrayDescr>,
}

impl Messages {
    pub(crate) fn new(py: Python<'_>, format: MessageFormat) -> PyResult<Self> {
        let dtype = of_format(py, &format)?.unbind();
        Ok(Messages { accepted: dtype.clone_ref(py), dtype, format })
    }

    /// Refuses a dtype that describes other messages: other names, types, offsets or another size.
    pub(crate) fn accept(&mut self, dtype: &Bound<'_, PyArrayDescr>) -> PyResult<()> {
        let py = dtype.py();
        if dtype.is(&self.accepted) {
            return Ok(());
        }
        if !dtype.is_equiv_to(self.dtype.bind(py)) {
            let found = to_format(dtype, None)?;
            let lines = |text: &str| text.split_once('\n').map(|(_, lines)| lines.to_owned());
            if (found.size(), lines(found.schema())) != (self.format.size(), lines(self.format.schema())) {
                let (found, expected) = (dtype, self.dtype.bind(py));
                return Err(wrong(
                    py,
                    &format!("messages of dtype {found}: this ring's are {expected}: convert them (array.astype)"),
                ));
            }
        }
        self.accepted = dtype.clone().unbind();
        Ok(())
    }
}
