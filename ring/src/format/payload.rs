//! The types that can be messages: their trait, their schema, and the schema's fingerprint.
//!
//! Every segment's header holds a schema as text: one line for the message, then one for each field. With it a tool
//! decodes any ring without the Rust type, and a person can read it with `strings`:
//!
//! ```text
//! Tick 24 8
//! time u64 0
//! price i64 8
//! symbol [u8;8] 16
//! ```
//!
//! The first line has the message's name, size in bytes and alignment in bytes. Each further line has a field's name,
//! type and offset in bytes. Fields of a nested struct have dotted names (`bid.price`). Message values are in the
//! machine's byte order. The fingerprint is the 64-bit FNV-1a hash of the text
//! (<http://www.isthe.com/chongo/tech/comp/fnv/>). Two programs can share a ring only if their fingerprints are equal.

#![allow(unsafe_code)] // `Field` promises plain data, here for numbers and for arrays

use std::fmt::Write as _;
use std::mem::MaybeUninit;

/// A type that can be a message: plain data with the same bytes in every process. Derive it:
///
/// ```
/// use feed_ring::Payload;
///
/// #[derive(Clone, Copy, Debug, Payload)]
/// #[repr(C)]
/// struct Tick {
///     time: u64,
///     price: i64,
///     symbol: [u8; 8],
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     assert_eq!(Tick::SCHEMA.text::<Tick>(), "Tick 24 8\ntime u64 0\nprice i64 8\nsymbol [u8;8] 16\n");
///     Ok(())
/// }
/// ```
///
/// Every field is a [`Field`]: a number, an array of fields, or a struct that derives `Payload` as well. A type that
/// cannot be shared does not compile, and the compiler's error says what to do:
///
/// ```compile_fail,E0080
/// use feed_ring::Payload;
///
/// #[derive(Clone, Copy, Payload)]
/// #[repr(C)]
/// struct Padded {
///     time: u64,
///     side: u8, // seven bytes of padding follow
/// }
/// ```
///
/// ```compile_fail,E0277
/// use feed_ring::Payload;
///
/// #[derive(Clone, Copy, Payload)]
/// #[repr(C)]
/// struct Flagged {
///     last: bool, // not every byte is a valid bool
/// }
/// ```
///
/// ```compile_fail,E0277
/// use feed_ring::Payload;
///
/// #[derive(Clone, Copy, Payload)]
/// #[repr(C)]
/// struct Named {
///     name: &'static u64, // an address of this process only
/// }
/// ```
///
/// The numeric primitives and arrays of them are payloads too, with one field called `value`. zerocopy's traits are not
/// needed; a struct may derive them as well, for example to write its messages to a file.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a message",
    label = "not a message",
    note = "a message is a number, an array, or a struct with #[derive(Clone, Copy, feed_ring::Payload)] and #[repr(C)]"
)]
pub trait Payload: Field + Copy {
    /// The message's name and fields.
    const SCHEMA: Schema;

    /// A message whose bytes are all zero, for a buffer.
    fn zeroed() -> Self {
        // SAFETY: any bytes are a valid value (`Field`).
        unsafe { MaybeUninit::zeroed().assume_init() }
    }

    /// The same on the heap, for a message that is too large for a stack.
    fn zeroed_box() -> Box<Self> {
        let mut message = Box::new_uninit();
        // SAFETY: the memory of one message, which the box owns.
        unsafe { std::ptr::write_bytes::<Self>(message.as_mut_ptr(), 0, 1) };
        // SAFETY: every byte was written, and any bytes are a valid value (`Field`).
        unsafe { message.assume_init() }
    }
}

/// A type that can be a field of a message: a number, an array of such types, or a struct that derives [`Payload`].
///
/// # Safety
/// The type is plain data. Any bytes are a valid value of it, and every byte of it belongs to a value: it has no padding.
/// It changes only through a mutable reference: it is no atomic and no cell. Publishers read the bytes of a value, and
/// subscribers make values from bytes that another process wrote. `derive(Payload)` checks all of this.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of a message",
    label = "not plain data",
    note = "a field is a number (u8 to u128, i8 to i128, f32, f64), an array of fields, or a struct with #[derive(Clone, Copy, feed_ring::Payload)] and #[repr(C)]",
    note = "write a number for a `bool` or an enum, `[u8; N]` for text, `u64` for a `usize`; a pointer means nothing in another process"
)]
pub unsafe trait Field: Send + Sync + 'static {
    /// The type as a schema describes it.
    const TYPE: FieldType;
}

/// A message's name and its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schema {
    /// The name of the type, without its path.
    pub name: &'static str,
    /// The fields in the order of their definition.
    pub fields: &'static [SchemaField],
}

/// One field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchemaField {
    /// The field's name.
    pub name: &'static str,
    /// The field's type.
    pub ty: FieldType,
    /// Offset in bytes from the start of the message.
    pub offset: usize,
}

/// The type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// A number, under its Rust name (`u64`, `f32`, …).
    Number(&'static str),
    /// An array: the element's type, and the number of elements.
    Array(&'static FieldType, usize),
    /// A nested struct.
    Struct(&'static Schema),
}

impl Schema {
    /// The schema's text, as in a segment's header (see the [module](self)). Allocates.
    pub fn text<T: Payload>(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{} {} {}", self.name, size_of::<T>(), align_of::<T>());
        self.write_fields("", 0, &mut text);
        text
    }

    fn write_fields(&self, prefix: &str, base: usize, text: &mut String) {
        for field in self.fields {
            let offset = base + field.offset;
            match field.ty {
                FieldType::Struct(inner) => inner.write_fields(&format!("{prefix}{}.", field.name), offset, text),
                ty => {
                    let _ = writeln!(text, "{prefix}{} {} {offset}", field.name, ty.text());
                }
            }
        }
    }
}

impl FieldType {
    fn text(&self) -> String {
        match self {
            FieldType::Number(name) => (*name).to_owned(),
            FieldType::Array(element, length) => format!("[{};{length}]", element.text()),
            FieldType::Struct(schema) => {
                // Only for a struct within an array. write_fields writes any other struct field by field.
                let fields: Vec<String> = schema
                    .fields
                    .iter()
                    .map(|field| format!("{}:{}@{}", field.name, field.ty.text(), field.offset))
                    .collect();
                format!("{{{}}}", fields.join(","))
            }
        }
    }
}

/// The 64-bit FNV-1a hash of a schema's text.
pub(crate) fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

macro_rules! numbers {
    ($($number:ident)*) => {$(
        // SAFETY: a number has no invalid value and no padding.
        unsafe impl Field for $number {
            const TYPE: FieldType = FieldType::Number(stringify!($number));
        }
        impl Payload for $number {
            const SCHEMA: Schema =
                Schema { name: stringify!($number), fields: &[SchemaField { name: "value", ty: Self::TYPE, offset: 0 }] };
        }
    )*};
}
numbers!(u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64);

// SAFETY: an array has the bytes of its elements and no others.
unsafe impl<T: Field, const N: usize> Field for [T; N] {
    const TYPE: FieldType = FieldType::Array(&T::TYPE, N);
}

impl<T: Field + Copy, const N: usize> Payload for [T; N] {
    const SCHEMA: Schema =
        Schema { name: "array", fields: &[SchemaField { name: "value", ty: Self::TYPE, offset: 0 }] };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fnv_1a_of_known_texts() {
        assert_eq!(fingerprint(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fingerprint("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fingerprint("foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn arrays_are_payloads() {
        assert_eq!(<[u64; 7]>::SCHEMA.text::<[u64; 7]>(), "array 56 8\nvalue [u64;7] 0\n");
        assert_eq!(u32::SCHEMA.text::<u32>(), "u32 4 4\nvalue u32 0\n");
    }
}
