//! The schema of a message: read field by field, or made of the fields of a C struct.

use std::ffi::{CString, c_char};
use std::fmt::Write as _;

use feed_ring::inspect::{Field, MessageType, Number, Type};
use feed_ring::raw::MessageFormat;

use crate::border::{Failure, border, border_value};
use crate::code::fr_code;
use crate::pointers::{Out, Text, Values, given, hand_over};

/// The type of a field, or of an array's elements.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum fr_type {
    /// A struct, or an array: `type_text` says which.
    FR_TYPE_OTHER = 0,
    /// `uint8_t`, or a byte of text
    FR_U8 = 1,
    /// `uint16_t`
    FR_U16 = 2,
    /// `uint32_t`
    FR_U32 = 3,
    /// `uint64_t`
    FR_U64 = 4,
    /// 16 bytes without sign
    FR_U128 = 5,
    /// `int8_t`
    FR_I8 = 6,
    /// `int16_t`
    FR_I16 = 7,
    /// `int32_t`
    FR_I32 = 8,
    /// `int64_t`
    FR_I64 = 9,
    /// 16 bytes with sign
    FR_I128 = 10,
    /// `float`
    FR_F32 = 11,
    /// `double`
    FR_F64 = 12,
}

/// The types by number: their names in a schema.
const NUMBERS: [(&str, Number, fr_type); 12] = [
    ("u8", Number::U8, fr_type::FR_U8),
    ("u16", Number::U16, fr_type::FR_U16),
    ("u32", Number::U32, fr_type::FR_U32),
    ("u64", Number::U64, fr_type::FR_U64),
    ("u128", Number::U128, fr_type::FR_U128),
    ("i8", Number::I8, fr_type::FR_I8),
    ("i16", Number::I16, fr_type::FR_I16),
    ("i32", Number::I32, fr_type::FR_I32),
    ("i64", Number::I64, fr_type::FR_I64),
    ("i128", Number::I128, fr_type::FR_I128),
    ("f32", Number::F32, fr_type::FR_F32),
    ("f64", Number::F64, fr_type::FR_F64),
];

/// A field of a message. Values are in the machine's byte order.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct fr_field {
    /// The name. A field of a struct within the message has a dotted one: `bid.price`.
    pub name: Text,
    /// The type as a schema writes it: `u64`, `[u8;16]`, `[{price:i64@0,size:u64@8};10]`. To make a schema it may be NULL if
    /// `type` is not 0.
    pub type_text: Text,
    /// An `fr_type`: of the field, or of the elements of an array.
    pub r#type: i32,
    /// The offset of the first byte in the message.
    pub offset: usize,
    /// The size in bytes, of all elements together. Not looked at to make a schema.
    pub size: usize,
    /// The number of elements of an array. 0 if the field is none.
    pub count: usize,
}

/// The schema of a message: its name, size, alignment and fields. It never changes: any thread may read it.
///
/// One that was made (`fr_schema_parse`, `fr_schema_of`) is freed with `fr_schema_free`. One that a ring has belongs to the
/// handle that it is asked of, and is valid as long as that is.
pub struct fr_schema {
    pub(crate) format: MessageFormat,
    text: CString,
    name: CString,
    /// `Err`: why the text has no fields that can be read.
    fields: Result<Vec<fr_field>, Box<str>>,
    /// What the fields point to. Neither is changed or moved as long as they are.
    _texts: Vec<CString>,
}

impl fr_schema {
    pub(crate) fn new(format: MessageFormat) -> Self {
        let name = format.schema().lines().next().unwrap_or_default();
        let name = name.rsplitn(3, ' ').nth(2).unwrap_or(name).to_owned();
        let (mut texts, mut fields) = (Vec::new(), Vec::new());
        let fields = match MessageType::parse(format.schema()) {
            Ok(message) => {
                fields.extend(message.fields.iter().map(|field| described(field, &mut texts)));
                Ok(fields)
            }
            Err(error) => Err(error.to_string().into()),
        };
        fr_schema { text: c_text(format.schema()), name: c_text(&name), format, fields, _texts: texts }
    }

    /// Refuses the messages of a ring if they are not these.
    pub(crate) fn expect_same(&self, ring: &str, found: &fr_schema) -> Result<(), Failure> {
        if self.format.schema() == found.format.schema() {
            return Ok(());
        }
        let describe = |schema: &fr_schema| {
            let (size, align) = (schema.format.size(), schema.format.align());
            format!("{} ({size} bytes, align {align})", schema.name.to_string_lossy().escape_debug())
        };
        let (found_line, expected_line) = first_difference(found.format.schema(), self.format.schema());
        Err(Failure::new(
            fr_code::FR_OTHER_MESSAGE,
            format!(
                "{ring}: carries {}, this program expects {}: the first line of the schema that differs is {found_line} in the \
                 ring and {expected_line} in this program: rebuild the older side, or choose another ring",
                describe(found),
                describe(self),
            ),
        ))
    }
}

/// The first lines of two schemas that differ, printable and of bounded length.
fn first_difference(one: &str, other: &str) -> (String, String) {
    let shown = |line: Option<&str>| match line {
        Some(line) => format!("\"{}\"", line.chars().take(80).collect::<String>().escape_debug()),
        None => "missing".to_owned(),
    };
    let (mut ones, mut others) = (one.lines(), other.lines());
    loop {
        match (ones.next(), others.next()) {
            (None, None) => return (shown(None), shown(None)),
            (one, other) if one == other => {}
            (one, other) => return (shown(one), shown(other)),
        }
    }
}

/// Text for C. Another process may have written zero bytes into it.
fn c_text(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default()
}

/// A field as C sees it. Its texts are kept with the others.
fn described(field: &Field, texts: &mut Vec<CString>) -> fr_field {
    let (element, count) = match &field.ty {
        Type::Array(element, count) => (&**element, *count),
        other => (other, 0),
    };
    let number = match element {
        Type::Number(number) => NUMBERS.iter().find(|(_, known, _)| known == number).map(|(_, _, number)| *number),
        _ => None,
    };
    let mut keep = |text: &str| {
        texts.push(c_text(text));
        Text::of(texts.last())
    };
    fr_field {
        name: keep(&field.name),
        type_text: keep(&type_text(&field.ty)),
        r#type: number.unwrap_or(fr_type::FR_TYPE_OTHER) as i32,
        offset: field.offset,
        size: field.ty.size().unwrap_or(usize::MAX),
        count,
    }
}

/// The type as a schema writes it.
fn type_text(ty: &Type) -> String {
    match ty {
        Type::Number(number) => {
            NUMBERS.iter().find(|(_, known, _)| known == number).map_or("", |(name, ..)| *name).to_owned()
        }
        Type::Array(element, length) => format!("[{};{length}]", type_text(element)),
        Type::Struct(fields) => {
            let field = |field: &Field| format!("{}:{}@{}", field.name, type_text(&field.ty), field.offset);
            format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(","))
        }
    }
}

/// The text of a schema that C describes. Its form is checked by parsing it.
fn composed(name: Text, size: usize, align: usize, fields: &[fr_field]) -> Result<String, Failure> {
    let mut text = String::new();
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(text, "{} {size} {align}", word("name", name)?);
    for field in fields {
        let name = word("the name of a field", field.name)?;
        let ty = if field.type_text.is_null() {
            let number = NUMBERS.iter().find(|(_, _, number)| *number as i32 == field.r#type);
            let number = number.ok_or_else(|| Failure::argument("type", field.r#type, "an fr_type, or a type_text"))?;
            if field.count == 0 { number.0.to_owned() } else { format!("[{};{}]", number.0, field.count) }
        } else {
            word("the type of a field", field.type_text)?.to_owned()
        };
        let _ = writeln!(text, "{name} {ty} {}", field.offset);
    }
    Ok(text)
}

/// A text that a schema can have: not empty, without spaces.
fn word<'a>(what: &'static str, text: Text) -> Result<&'a str, Failure> {
    let word = text.str(what)?;
    let fits = !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || c.is_control());
    if fits { Ok(word) } else { Err(Failure::argument(what, format_args!("{word:?}"), "a word without spaces")) }
}

/// Refuses bytes that belong to no field: what a C compiler leaves there is by chance, and would be published.
fn refuse_padding(text: &str) -> Result<(), Failure> {
    let message = MessageType::parse(text)?;
    refuse_gaps(&message.name, &message.fields, message.size)
}

/// The same for the fields of a message or of a struct within one.
fn refuse_gaps(of: &str, fields: &[Field], size: usize) -> Result<(), Failure> {
    let mut end = 0;
    let gap = |before: &str, gap: usize| {
        Err(Failure::new(
            fr_code::FR_SCHEMA,
            format!("{of}: {gap} bytes before {before} are padding: make them a field"),
        ))
    };
    for field in fields {
        if field.offset != end {
            return gap(&field.name, field.offset - end);
        }
        let mut ty = &field.ty;
        while let Type::Array(element, _) = ty {
            ty = element;
        }
        if let Type::Struct(fields) = ty {
            refuse_gaps(&format!("{of}.{}", field.name), fields, ty.size().unwrap_or(usize::MAX))?;
        }
        end += field.ty.size().unwrap_or(usize::MAX);
    }
    if end == size { Ok(()) } else { gap("the end of the message", size - end) }
}

/// Makes a schema of its text: a line of the message's name, size and alignment, and a line of name, type and offset for each
/// field, as `fr_schema_text` returns it. On failure `*schema` is NULL.
///
/// Returns `FR_OK`, `FR_SCHEMA`, `FR_NULL` or `FR_ARGUMENT`. Free the schema with `fr_schema_free`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_schema_parse(text: Text, schema: Out<'_, *mut fr_schema>) -> fr_code {
    border(|| {
        hand_over(schema, "schema", || {
            let text = text.str("text")?;
            MessageType::parse(text)?;
            Ok(fr_schema::new(MessageFormat::parse(text)?))
        })
    })
}

/// Makes the schema of a C struct: its name, `sizeof`, `_Alignof`, and its fields in the order of their offsets. `FR_FIELD` and
/// `FR_ARRAY` describe a field. Every byte must belong to a field: the struct may have no padding. On failure `*schema` is NULL.
///
/// Programs can share a ring only if the texts of their schemas are equal, the name included.
///
/// Returns `FR_OK`, `FR_SCHEMA`, `FR_NULL`, `FR_SIZE` or `FR_ARGUMENT`. Free the schema with `fr_schema_free`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_schema_of(
    name: Text,
    size: usize,
    align: usize,
    fields: Values<fr_field>,
    count: usize,
    schema: Out<'_, *mut fr_schema>,
) -> fr_code {
    border(|| {
        hand_over(schema, "schema", || {
            let text = composed(name, size, align, fields.slice("fields", count)?)?;
            refuse_padding(&text)?;
            Ok(fr_schema::new(MessageFormat::parse(&text)?))
        })
    })
}

/// Frees a schema that `fr_schema_parse` or `fr_schema_of` made. Publishers and subscribers keep a copy of it. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn fr_schema_free(schema: Option<Box<fr_schema>>) {
    border_value((), || drop(schema));
}

/// The schema's text, or NULL for NULL. It belongs to the schema.
#[unsafe(no_mangle)]
pub extern "C" fn fr_schema_text(schema: Option<&fr_schema>) -> *const c_char {
    border_value(std::ptr::null(), || schema.map_or(std::ptr::null(), |schema| schema.text.as_ptr()))
}

/// The message's name, or NULL for NULL. It belongs to the schema.
#[unsafe(no_mangle)]
pub extern "C" fn fr_schema_name(schema: Option<&fr_schema>) -> *const c_char {
    border_value(std::ptr::null(), || schema.map_or(std::ptr::null(), |schema| schema.name.as_ptr()))
}

/// The size of a message in bytes. 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn fr_schema_size(schema: Option<&fr_schema>) -> usize {
    border_value(0, || schema.map_or(0, |schema| schema.format.size()))
}

/// The alignment of a message in bytes. 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn fr_schema_align(schema: Option<&fr_schema>) -> usize {
    border_value(0, || schema.map_or(0, |schema| schema.format.align()))
}

/// The fields, in the order of their offsets, and in `*count` how many they are. They belong to the schema.
///
/// Returns `FR_OK`, `FR_NULL`, or `FR_SCHEMA` if the ring's header has a text that describes no fields. On failure `*fields` is
/// NULL and `*count` is 0.
#[unsafe(no_mangle)]
pub extern "C" fn fr_schema_fields(
    schema: Option<&fr_schema>,
    fields: Out<'_, *const fr_field>,
    count: Out<'_, usize>,
) -> fr_code {
    border(|| {
        let count = given(count, "count")?.write(0);
        let fields = given(fields, "fields")?.write(std::ptr::null());
        match &given(schema, "schema")?.fields {
            Ok(found) => {
                (*fields, *count) = (found.as_ptr(), found.len());
                Ok(())
            }
            Err(error) => Err(Failure::new(fr_code::FR_SCHEMA, error.clone())),
        }
    })
}
