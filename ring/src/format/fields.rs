//! Decodes messages without their Rust type: reads a schema's text, and shows a message's bytes as text or JSON.

use std::fmt::Write as _;

/// The deepest nesting of types. It bounds the parser's recursion.
const MAX_DEPTH: usize = 32;

/// Why a schema was rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// A line does not have the expected form.
    #[error("schema, line {line}: {found:?} is no {expected}")]
    Line {
        /// The line's number, from 1.
        line: usize,
        /// The line, at most 80 characters of it.
        found: String,
        /// The expected form.
        expected: &'static str,
    },
    /// A field overlaps the field before it, or ends beyond the message.
    #[error(
        "schema, field {field:?}: ends at byte {end} of {limit}, begins at {begin} behind a field that ends at {last}"
    )]
    Place {
        /// The field's name, at most 80 characters of it.
        field: String,
        /// The offset of its first byte.
        begin: usize,
        /// The offset after its last byte.
        end: usize,
        /// The end of the field before it.
        last: usize,
        /// The size of the message in bytes.
        limit: usize,
    },
    /// The text is that of a ring of records: see [`RecordsFormat`](crate::records::RecordsFormat).
    #[error(
        "schema: of records, each of a kind of its own, and of no one message type: look at the format of each kind"
    )]
    Records,
    /// The schema and the header disagree on the message's size.
    #[error("schema: a message of {found} bytes; the header says {expected}")]
    Size {
        /// The schema's size in bytes.
        found: usize,
        /// The header's size in bytes.
        expected: usize,
    },
}

impl SchemaError {
    /// The same error, where the schema begins so many lines further down in a text.
    pub(super) fn further_down(self, lines: usize) -> Self {
        match self {
            SchemaError::Line { line, found, expected } => SchemaError::Line { line: line + lines, found, expected },
            error => error,
        }
    }
}

/// A message as its schema describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageType {
    /// The name of the Rust type.
    pub name: String,
    /// Size in bytes.
    pub size: usize,
    /// Alignment in bytes.
    pub align: usize,
    /// The fields, in the order of their offsets.
    pub fields: Vec<Field>,
}

/// One field. A field of a nested struct has a dotted name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name.
    pub name: String,
    /// The type.
    pub ty: Type,
    /// Offset in bytes from the start of the message, or of the struct within an array.
    pub offset: usize,
}

/// The type of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// A number.
    Number(Number),
    /// An array: the element's type, and the number of elements.
    Array(Box<Type>, usize),
    /// A struct within an array.
    Struct(Vec<Field>),
}

/// The numeric types, under Rust's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the Rust type of its name")]
pub enum Number {
    U8,
    U16,
    U32,
    U64,
    U128,
    I8,
    I16,
    I32,
    I64,
    I128,
    F32,
    F64,
}

impl MessageType {
    /// Reads a schema's text.
    ///
    /// # Errors
    /// [`SchemaError`] for the first line or field that is wrong.
    pub fn parse(text: &str) -> Result<Self, SchemaError> {
        let mut lines = text.lines().enumerate();
        let (_, first) = lines.next().unwrap_or_default();
        let head = || {
            let mut words = first.rsplitn(3, ' ');
            let (align, size) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            Some(MessageType { name: words.next()?.to_owned(), size, align, fields: Vec::new() })
        };
        let mut message = head().ok_or_else(|| line_error(0, first, "name, size and alignment"))?;
        let mut last = 0;
        for (number, line) in lines {
            let field = || {
                let mut words = line.split(' ');
                let (name, ty, offset) = (words.next()?, words.next()?, words.next()?.parse().ok()?);
                let ty = parse_whole_type(ty)?;
                words.next().is_none().then_some(Field { name: name.to_owned(), ty, offset })
            };
            let field = field().ok_or_else(|| line_error(number, line, "name, type and offset of a field"))?;
            last = field_end(&field, last, message.size)?;
            message.fields.push(field);
        }
        Ok(message)
    }

    /// The values as one line of `name=value`, for people. A `[u8;N]` of printable text is shown in quotes. A single
    /// byte that is a letter is shown as number and letter (`81'Q'`). Missing bytes count as zero.
    pub fn text(&self, bytes: &[u8]) -> String {
        let mut text = String::new();
        for field in &self.fields {
            if !text.is_empty() {
                text.push(' ');
            }
            push_printable(&mut text, &field.name);
            text.push('=');
            text.push_str(&field.text(bytes));
        }
        text
    }

    /// The values as a JSON object, for programs. A type always has the same form, whatever its value. Numbers are JSON
    /// numbers; 128-bit numbers are strings; infinite and NaN floats are `null`. A `[u8;N]` is a string of one
    /// character (U+0000 to U+00FF) per byte, without trailing zeros. Missing bytes count as zero.
    pub fn json(&self, bytes: &[u8]) -> String {
        let mut json = String::new();
        write_object(&self.fields, bytes, &mut json);
        json
    }
}

impl Field {
    /// The field's value in a message, for people: as in [`MessageType::text`].
    pub fn text(&self, bytes: &[u8]) -> String {
        let mut text = String::new();
        self.ty.write_text(bytes.get(self.offset..).unwrap_or_default(), &mut text);
        text
    }

    /// The field's value in a message as JSON: as in [`MessageType::json`].
    pub fn json(&self, bytes: &[u8]) -> String {
        let mut json = String::new();
        self.ty.write_json(bytes.get(self.offset..).unwrap_or_default(), &mut json);
        json
    }
}

fn line_error(line: usize, found: &str, expected: &'static str) -> SchemaError {
    SchemaError::Line { line: line + 1, found: shorten(found), expected }
}

fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}

/// The offset after a field. An error if the field begins before `last`, the end of the field before it, or ends after
/// `limit`.
fn field_end(field: &Field, last: usize, limit: usize) -> Result<usize, SchemaError> {
    let begin = field.offset;
    let end = field.ty.size().and_then(|size| size.checked_add(begin)).unwrap_or(usize::MAX);
    if begin < last || end > limit {
        return Err(SchemaError::Place { field: shorten(&field.name), begin, end, last, limit });
    }
    Ok(end)
}

/// Parses a type. `None` if the text is no type or has more after it.
fn parse_whole_type(text: &str) -> Option<Type> {
    let (ty, rest) = parse_type(text, MAX_DEPTH)?;
    rest.is_empty().then_some(ty)
}

/// Parses the type at the start of a text. Returns it with the rest of the text.
fn parse_type(text: &str, depth: usize) -> Option<(Type, &str)> {
    let depth = depth.checked_sub(1)?;
    if let Some(inner) = text.strip_prefix('[') {
        let (element, rest) = parse_type(inner, depth)?;
        let (length, rest) = rest.strip_prefix(';')?.split_once(']')?;
        let length = length.parse().ok()?;
        // An array of elements of size 0 could be as long as its text says: printing it would not end.
        let fits = length == 0 || element.size()? > 0;
        return fits.then_some((Type::Array(Box::new(element), length), rest));
    }
    if let Some(mut rest) = text.strip_prefix('{') {
        let (mut fields, mut last) = (Vec::new(), 0);
        loop {
            let (name, after) = rest.split_once(':')?;
            let (ty, after) = parse_type(after, depth)?;
            let after = after.strip_prefix('@')?;
            let end = after.find([',', '}'])?;
            let field = Field { name: name.to_owned(), ty, offset: after[..end].parse().ok()? };
            last = field_end(&field, last, usize::MAX - 1).ok()?;
            fields.push(field);
            rest = &after[end + 1..];
            if after[end..].starts_with('}') {
                return Some((Type::Struct(fields), rest));
            }
        }
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    Some((Type::Number(Number::named(&text[..end])?), &text[end..]))
}

impl Type {
    /// Size in bytes. `None` if it exceeds `usize::MAX`.
    pub fn size(&self) -> Option<usize> {
        match self {
            Type::Number(number) => Some(number.size()),
            Type::Array(element, length) => element.size()?.checked_mul(*length),
            // A message has no padding, so a struct ends with its last field.
            Type::Struct(fields) => fields.last().map_or(Some(0), |last| last.ty.size()?.checked_add(last.offset)),
        }
    }

    /// For each element of an array, the bytes from its start on.
    fn elements<'a>(&self, length: usize, bytes: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let size = self.size().unwrap_or(0);
        (0..length).map(move |index| bytes.get(index.saturating_mul(size)..).unwrap_or_default())
    }

    fn write_text(&self, bytes: &[u8], text: &mut String) {
        // Writing to a String cannot fail, here and below.
        match self {
            Type::Number(Number::U8) => {
                let byte = bytes.first().copied().unwrap_or(0);
                let _ = write!(text, "{byte}");
                if byte.is_ascii_alphabetic() {
                    let _ = write!(text, "'{}'", byte as char);
                }
            }
            Type::Number(number) => text.push_str(&number.value(bytes)),
            Type::Array(element, length) => {
                if let Some(quotable) = quotable(element, *length, bytes) {
                    let _ = write!(text, "\"{quotable}\"");
                    return;
                }
                text.push('[');
                for (index, bytes) in element.elements(*length, bytes).enumerate() {
                    text.push_str(if index > 0 { ", " } else { "" });
                    match &**element {
                        Type::Number(number) => text.push_str(&number.value(bytes)),
                        element => element.write_text(bytes, text),
                    }
                }
                text.push(']');
            }
            Type::Struct(fields) => {
                text.push('{');
                for (index, field) in fields.iter().enumerate() {
                    text.push_str(if index > 0 { ", " } else { "" });
                    push_printable(text, &field.name);
                    text.push('=');
                    field.ty.write_text(bytes.get(field.offset..).unwrap_or_default(), text);
                }
                text.push('}');
            }
        }
    }

    fn write_json(&self, bytes: &[u8], json: &mut String) {
        match self {
            Type::Number(number) => {
                let value = number.value(bytes);
                match number {
                    Number::U128 | Number::I128 => write_string(value.chars(), json),
                    Number::F32 | Number::F64 if !value.ends_with(|c: char| c.is_ascii_digit()) => {
                        json.push_str("null");
                    }
                    _ => json.push_str(&value),
                }
            }
            Type::Array(element, length) if **element == Type::Number(Number::U8) => {
                let bytes = &bytes[..bytes.len().min(*length)];
                let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
                write_string(bytes[..end].iter().map(|byte| char::from(*byte)), json);
            }
            Type::Array(element, length) => {
                json.push('[');
                for (index, bytes) in element.elements(*length, bytes).enumerate() {
                    json.push_str(if index > 0 { "," } else { "" });
                    element.write_json(bytes, json);
                }
                json.push(']');
            }
            Type::Struct(fields) => write_object(fields, bytes, json),
        }
    }
}

fn write_object(fields: &[Field], bytes: &[u8], json: &mut String) {
    json.push('{');
    for (index, field) in fields.iter().enumerate() {
        json.push_str(if index > 0 { "," } else { "" });
        write_string(field.name.chars(), json);
        json.push(':');
        field.ty.write_json(bytes.get(field.offset..).unwrap_or_default(), json);
    }
    json.push('}');
}

fn write_string(characters: impl Iterator<Item = char>, json: &mut String) {
    json.push('"');
    for c in characters {
        match c {
            '"' | '\\' => {
                json.push('\\');
                json.push(c);
            }
            // Terminals also interpret DEL (0x7f) and the C1 control characters (0x80 to 0x9f).
            c if c < ' ' || ('\u{7f}'..'\u{a0}').contains(&c) => {
                let _ = write!(json, "\\u{:04x}", u32::from(c));
            }
            c => json.push(c),
        }
    }
    json.push('"');
}

/// Appends a name with its control characters replaced, so that a name cannot control the terminal.
fn push_printable(text: &mut String, name: &str) {
    text.extend(name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }));
}

/// The text of a byte array. `None` unless it is printable ASCII without quotes, followed by zeros only.
fn quotable(element: &Type, length: usize, bytes: &[u8]) -> Option<String> {
    if *element != Type::Number(Number::U8) {
        return None;
    }
    let bytes = &bytes[..bytes.len().min(length)];
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (text, rest) = bytes.split_at(end);
    let printable = !text.is_empty()
        && text.iter().all(|byte| (b' '..=b'~').contains(byte) && *byte != b'"')
        && rest.iter().all(|byte| *byte == 0);
    printable.then(|| text.iter().map(|byte| char::from(*byte)).collect())
}

impl Number {
    const ALL: [(&str, Number, usize); 12] = [
        ("u8", Number::U8, 1),
        ("u16", Number::U16, 2),
        ("u32", Number::U32, 4),
        ("u64", Number::U64, 8),
        ("u128", Number::U128, 16),
        ("i8", Number::I8, 1),
        ("i16", Number::I16, 2),
        ("i32", Number::I32, 4),
        ("i64", Number::I64, 8),
        ("i128", Number::I128, 16),
        ("f32", Number::F32, 4),
        ("f64", Number::F64, 8),
    ];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, ..)| *known == name).map(|(_, number, _)| *number)
    }

    fn size(self) -> usize {
        Self::ALL.iter().find(|(_, number, _)| *number == self).map_or(0, |(.., size)| *size)
    }

    /// The number at the start of `bytes`, as text.
    fn value(self, bytes: &[u8]) -> String {
        fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
            std::array::from_fn(|index| bytes.get(index).copied().unwrap_or(0))
        }
        match self {
            Number::U8 => u8::from_ne_bytes(first(bytes)).to_string(),
            Number::U16 => u16::from_ne_bytes(first(bytes)).to_string(),
            Number::U32 => u32::from_ne_bytes(first(bytes)).to_string(),
            Number::U64 => u64::from_ne_bytes(first(bytes)).to_string(),
            Number::U128 => u128::from_ne_bytes(first(bytes)).to_string(),
            Number::I8 => i8::from_ne_bytes(first(bytes)).to_string(),
            Number::I16 => i16::from_ne_bytes(first(bytes)).to_string(),
            Number::I32 => i32::from_ne_bytes(first(bytes)).to_string(),
            Number::I64 => i64::from_ne_bytes(first(bytes)).to_string(),
            Number::I128 => i128::from_ne_bytes(first(bytes)).to_string(),
            // Debug prints 1e300; Display would print 301 digits.
            Number::F32 => format!("{:?}", f32::from_ne_bytes(first(bytes))),
            Number::F64 => format!("{:?}", f64::from_ne_bytes(first(bytes))),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_kind() {
        let text = "All 62 2\na u8 0\nb i16 2\nc f32 4\nd i128 8\ne u128 24\nf f64 40\ng [u8;6] 48\nh [i16;4] 54\n";
        let message = MessageType::parse(text).unwrap();
        let mut bytes = vec![b'Q', 0];
        bytes.extend((-2i16).to_ne_bytes());
        bytes.extend(0.5f32.to_ne_bytes());
        bytes.extend(i128::MIN.to_ne_bytes());
        bytes.extend(u128::MAX.to_ne_bytes());
        bytes.extend(f64::INFINITY.to_ne_bytes());
        bytes.extend(*b"A\"\x1b\xe9\0\0");
        bytes.extend([1i16, -2, 3, -4].iter().flat_map(|n| n.to_ne_bytes()));
        assert_eq!(
            message.text(&bytes),
            "a=81'Q' b=-2 c=0.5 d=-170141183460469231731687303715884105728 \
             e=340282366920938463463374607431768211455 f=inf g=[65, 34, 27, 233, 0, 0] h=[1, -2, 3, -4]"
        );
        assert_eq!(
            message.json(&bytes),
            "{\"a\":81,\"b\":-2,\"c\":0.5,\"d\":\"-170141183460469231731687303715884105728\",\
             \"e\":\"340282366920938463463374607431768211455\",\"f\":null,\
             \"g\":\"A\\\"\\u001b\u{e9}\",\"h\":[1,-2,3,-4]}"
        );
    }

    #[test]
    fn structs_in_arrays_and_dotted_names() {
        let text = "Book 40 8\nbid.price i32 0\nbid.size u32 4\nlevels [{price:i64@0,sizes:[u16;4]@8};2] 8\n";
        let message = MessageType::parse(text).unwrap();
        let mut bytes = Vec::new();
        bytes.extend((-7i32).to_ne_bytes());
        bytes.extend(9u32.to_ne_bytes());
        for (price, sizes) in [(100i64, [1u16, 2, 3, 4]), (-1, [5, 6, 7, 8])] {
            bytes.extend(price.to_ne_bytes());
            bytes.extend(sizes.iter().flat_map(|size| size.to_ne_bytes()));
        }
        assert_eq!(
            message.text(&bytes),
            "bid.price=-7 bid.size=9 levels=[{price=100, sizes=[1, 2, 3, 4]}, {price=-1, sizes=[5, 6, 7, 8]}]"
        );
        assert_eq!(
            message.json(&bytes),
            "{\"bid.price\":-7,\"bid.size\":9,\
             \"levels\":[{\"price\":100,\"sizes\":[1,2,3,4]},{\"price\":-1,\"sizes\":[5,6,7,8]}]}"
        );
        assert_eq!(
            message.text(&bytes[..8]),
            message.text(&[&bytes[..8], &[0; 32]].concat()),
            "missing bytes are zero"
        );
    }

    #[test]
    fn bad_schemas_are_refused() {
        let refused = |text: &str| MessageType::parse(text).expect_err(text).to_string();
        for (text, said) in [
            ("", "line 1"),
            ("Tick 8", "line 1"),
            ("Tick x 8", "line 1"),
            ("T 8 8\nprice i64", "line 2"),
            ("T 8 8\nprice i65 0", "line 2"),
            ("T 8 8\nprice i64 0 0", "line 2"),
            ("T 8 8\nprice [u8;8]x 0", "line 2"),
            ("T 8 8\nprice [u8;-1] 0", "line 2"),
            ("T 8 8\nprice [[u8;0];99999999999] 0", "line 2"),
            ("T 8 8\nprice {a:u8@0 0", "line 2"),
            ("T 8 8\nprice {} 0", "line 2"),
            ("T 8 8\nprice [{a:u8@0,b:u8@0};1] 0", "line 2"),
            ("T 8 8\nprice i64 1", "ends at byte 9 of 8"),
            ("T 8 8\na u32 0\nb u32 2", "begins at 2 behind a field that ends at 4"),
            ("T 8 8\na [u64;2305843009213693952] 0", "ends at byte 18446744073709551615 of 8"),
            ("T 8 8\na u64 18446744073709551615", "ends at byte 18446744073709551615 of 8"),
        ] {
            assert!(refused(text).contains(said), "{text:?}: {}", refused(text));
        }
        refused(&format!("T 8 8\na {}u8{} 0", "[".repeat(10_000), ";1]".repeat(10_000)));
        refused(&format!("T 8 8\na {} 0", "{a:".repeat(10_000)));
    }

    #[test]
    fn control_characters_in_names_are_replaced() {
        let message = MessageType::parse("T 1 1\n\x1b[2Jx u8 0").unwrap();
        assert_eq!(message.text(&[5]), "\u{fffd}[2Jx=5");
        assert_eq!(message.json(&[5]), "{\"\\u001b[2Jx\":5}");
    }
}
