//! The start of a DBN stream: what is checked before the crate `dbn` decodes it.

use ::dbn::Error;

use super::super::error::Reason;

/// The largest metadata in bytes. A real file has a few kilobytes, or some hundred with thousands of symbols.
const LIMIT: u32 = 64 << 20;

/// The length of the fixed start of a DBN stream: `DBN`, version, length of the metadata that follows.
pub(super) const PRELUDE: usize = 8;

/// The first bytes of a DBN stream.
pub(super) const MAGIC: &[u8] = b"DBN";

pub(super) const ENDS_WITHIN: &str = "ends within its DBN metadata";

/// Checks the start of a stream; returns the length of the metadata that follows it.
pub(super) fn check(prelude: &[u8]) -> Result<u32, Reason> {
    if !prelude.starts_with(MAGIC) {
        return Err(Reason::Malformed("does not begin with DBN: is the format right?".to_owned()));
    }
    let Some(&[_, _, _, version, a, b, c, d]) = prelude.first_chunk::<PRELUDE>() else {
        return Err(Reason::Malformed(ENDS_WITHIN.to_owned()));
    };
    if !(1..=3).contains(&version) {
        return Err(Reason::Unsupported(format!("is DBN version {version}: versions 1 to 3 are supported")));
    }
    let length = u32::from_le_bytes([a, b, c, d]);
    if length > LIMIT {
        return Err(Reason::Malformed(format!("claims DBN metadata of {length} bytes: expected at most {LIMIT}")));
    }
    Ok(length)
}

/// The reason for metadata that the crate cannot decode, without the names of its types.
pub(super) fn failed(error: Error) -> Reason {
    let why = match error {
        Error::Decode(why) => why,
        Error::Conversion { input, .. } => format!("it has the value {input}, which no version knows"),
        Error::Utf8 { context, .. } => format!("it has text that is not UTF-8 ({context})"),
        other => other.to_string(),
    };
    Reason::Malformed(format!("DBN metadata cannot be read: {why}: get it again from where it came"))
}
