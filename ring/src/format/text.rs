//! Short text as a key or as a field: its bytes, then zeros.
#![allow(unsafe_code)] // `Text` is plain data

use std::fmt;

use super::payload::{Field, FieldType, Payload, Schema, SchemaField};

/// Text of at most `N` bytes of UTF-8, such as a symbol. It is a key of a table, or a field of a message.
///
/// A schema describes it as `[u8;N]`: its bytes, and zeros up to `N`. So a message whose field was an array of bytes may have
/// this in its place, and the other way round.
///
/// ```
/// use feed_ring::Text;
///
/// fn main() -> Result<(), feed_ring::TextError> {
///     let symbol = Text::<16>::new("ESH4")?;
///     assert_eq!(symbol.as_str(), "ESH4");
///     assert!(Text::<4>::new("BTCUSDT").is_err());
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Text<const N: usize>([u8; N]);

/// Why a string cannot be a [`Text`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// It has more bytes than there is room for.
    #[error("{text:?}: {found} bytes, at most {most} expected: shorten it, or make room for longer ones")]
    TooLong {
        /// The beginning of the string.
        text: String,
        /// Its bytes.
        found: usize,
        /// The bytes that there is room for.
        most: usize,
    },
    /// It has a zero byte, which would end it.
    #[error("{text:?}: has a zero byte, which a text cannot have: leave it out")]
    Zero {
        /// The beginning of the string.
        text: String,
    },
}

impl<const N: usize> Text<N> {
    /// The text of a string.
    ///
    /// # Errors
    /// [`TextError`] if the string has more than `N` bytes, or a zero byte.
    pub fn new(text: &str) -> Result<Self, TextError> {
        let start = || text.chars().take(64).collect();
        if text.len() > N {
            return Err(TextError::TooLong { text: start(), found: text.len(), most: N });
        }
        if text.contains('\0') {
            return Err(TextError::Zero { text: start() });
        }
        let mut bytes = [0; N];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Text(bytes))
    }

    /// The text of any bytes. It ends after the last whole character within `N` bytes, at the first zero byte, and where they
    /// are no UTF-8.
    pub fn cut(bytes: &[u8]) -> Self {
        let text = prefix(&bytes[..bytes.len().min(N)]).as_bytes();
        let mut bytes = [0; N];
        bytes[..text.len()].copy_from_slice(text);
        Text(bytes)
    }

    /// The string, up to the first zero byte or the first that is no UTF-8: another process may have written any bytes.
    pub fn as_str(&self) -> &str {
        prefix(&self.0)
    }
}

/// The bytes up to the first zero or the first that is no UTF-8.
fn prefix(bytes: &[u8]) -> &str {
    let text = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
    match std::str::from_utf8(text) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&text[..error.valid_up_to()]).unwrap_or_default(),
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl<const N: usize> std::str::FromStr for Text<N> {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Text::new(text)
    }
}

// SAFETY: the bytes of an array of bytes, any of which are valid here too (`as_str` checks them).
unsafe impl<const N: usize> Field for Text<N> {
    const TYPE: FieldType = <[u8; N]>::TYPE;
}

impl<const N: usize> Payload for Text<N> {
    const SCHEMA: Schema = Schema { name: "text", fields: &[SchemaField { name: "value", ty: Self::TYPE, offset: 0 }] };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_where_it_is_no_text() {
        assert_eq!(Text::<4>([0xe2, 0x82, 0xac, 0]).as_str(), "€");
        assert_eq!(Text::<4>([b'a', 0xe2, 0x82, 0]).as_str(), "a");
        assert_eq!(Text::<4>(*b"ESH4").as_str(), "ESH4");
        assert_eq!(Text::<4>([b'a', 0, b'b', 0]).as_str(), "a");
    }

    #[test]
    fn any_bytes_can_be_cut_to_a_text() {
        for (bytes, text) in
            [(&b"ESH4"[..], "ESH4"), (b"BTCUSDT", "BTCU"), (b"a\0b", "a"), (b"ab\xe2\x82\xac", "ab"), (b"", "")]
        {
            assert_eq!(Text::<4>::cut(bytes).as_str(), text);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_size() {
        let error = Text::<4>::new("BTCUSDT").unwrap_err();
        assert_eq!(error, TextError::TooLong { text: "BTCUSDT".into(), found: 7, most: 4 });
        assert_eq!(Text::<4>::new("a\0").unwrap_err(), TextError::Zero { text: "a\0".into() });
    }
}
