//! The format of a ring's messages: size, alignment and schema text.

use super::fields::{MessageType, SchemaError};
use super::payload::Payload;

/// The size in bytes, the alignment in bytes and the schema of a ring's messages, as values at run time.
///
/// A typed publisher takes them from its type. A [raw](crate::raw) publisher is given them, for example from another
/// ring's header, from a file, or from a program in another language.
///
/// ```
/// use feed_ring::raw::MessageFormat;
///
/// fn main() -> Result<(), feed_ring::inspect::SchemaError> {
///     let format = MessageFormat::parse("Tick 16 8\ntime u64 0\nprice i64 8\n")?;
///     assert_eq!((format.size(), format.align()), (16, 8));
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageFormat {
    size: usize,
    align: usize,
    schema: String,
}

impl MessageFormat {
    /// The format of messages `T`.
    pub fn of<T: Payload>() -> Self {
        MessageFormat { size: size_of::<T>(), align: align_of::<T>(), schema: T::SCHEMA.text::<T>() }
    }

    /// The format that a schema text describes. [`payload`](crate::payload) defines the text's form.
    ///
    /// # Errors
    /// [`SchemaError`] if the text is no schema.
    pub fn parse(schema: &str) -> Result<Self, SchemaError> {
        let message = MessageType::parse(schema)?;
        if !message.align.is_power_of_two() {
            let found = format!("an alignment of {}", message.align);
            return Err(SchemaError::Line { line: 1, found, expected: "power of two" });
        }
        Ok(MessageFormat { size: message.size, align: message.align, schema: schema.to_owned() })
    }

    /// The format in a header that was already checked.
    pub(crate) fn from_parts(size: usize, align: usize, schema: String) -> Self {
        MessageFormat { size, align, schema }
    }

    /// The size of a message in bytes.
    #[inline]
    pub fn size(&self) -> usize {
        self.size
    }

    /// The alignment of a message in bytes.
    pub fn align(&self) -> usize {
        self.align
    }

    /// The schema's text.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// Checks the length of bytes that a caller gave.
    ///
    /// # Panics
    /// If they are not as long as a message.
    #[inline(always)]
    pub(crate) fn expect(&self, what: &str, bytes: &[u8]) {
        let (found, expected) = (bytes.len(), self.size);
        assert!(found == expected, "{what} of {found} bytes, {expected} expected");
    }

    /// Checks the length of arrays that a caller gave.
    ///
    /// # Panics
    /// If they are not as long as a message.
    #[inline(always)]
    pub(crate) fn expect_arrays<const N: usize>(&self) {
        if self.size != N {
            self.wrong_array(N);
        }
    }

    #[cold]
    #[inline(never)]
    fn wrong_array(&self, found: usize) -> ! {
        panic!("an array of {found} bytes, {} expected", self.size)
    }

    /// The message's name, size and alignment, for error texts.
    pub(crate) fn describe(&self) -> String {
        format!("{} ({} bytes, align {})", self.name().escape_debug(), self.size, self.align)
    }

    /// The message's name, at most 64 characters of it.
    pub(crate) fn name(&self) -> String {
        name_in(&self.schema)
    }
}

/// The message's name in a schema's text, at most 64 characters of it.
pub(super) fn name_in(schema: &str) -> String {
    schema.split(' ').next().unwrap_or_default().chars().take(64).collect()
}
