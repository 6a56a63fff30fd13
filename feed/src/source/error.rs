//! What can be wrong with an input: file, position, reason.

use std::fmt;
use std::io;

/// An input that cannot be read, with the place where that showed.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {position}{reason}")]
pub struct SourceError {
    /// The file's name, or `standard input`.
    pub file: String,
    /// Where in it.
    pub position: Position,
    /// What is wrong.
    #[source]
    pub reason: Reason,
}

/// A place in an input. Bytes are counted after decompression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// The input as a whole: it could not be opened, or is empty.
    Whole,
    /// A byte before the first record, from 0.
    Byte(u64),
    /// A record of a binary format.
    Record {
        /// Its number, from 1.
        number: u64,
        /// The offset of its first byte, from 0.
        byte: u64,
    },
    /// A line of a text, from 1.
    Line(u64),
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Position::Whole => Ok(()),
            Position::Byte(byte) => write!(f, "byte {byte}: "),
            Position::Record { number, byte } => write!(f, "record {number} (byte {byte}): "),
            Position::Line(line) => write!(f, "line {line}: "),
        }
    }
}

/// What is wrong with an input.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// It cannot be opened.
    #[error("cannot be opened: {0}: {remedy}", remedy = remedy(.0))]
    Open(io::Error),
    /// The kernel failed to read it.
    #[error("cannot be read: {0}: see to the file and what it lies on, or name another")]
    Read(io::Error),
    /// The reader was told to stop while it waited for the input.
    #[error("was waited for when told to stop")]
    Stopped,
    /// Its first bytes belong to no known format.
    #[error("{0}")]
    Unrecognised(String),
    /// It is of a known format, but a part of it that is not supported.
    #[error("{0}")]
    Unsupported(String),
    /// It breaks the rules of its format.
    #[error("{0}")]
    Malformed(String),
    /// A value is larger than the message's field.
    #[error("{field} {value} does not fit: the message holds at most {limit}")]
    DoesNotFit {
        /// The value's name in the format.
        field: &'static str,
        /// The value, as the format has it.
        value: String,
        /// The largest that fits, in the format's unit.
        limit: String,
    },
}

impl Reason {
    /// At this place in this file.
    pub(crate) fn at(self, file: &str, position: Position) -> SourceError {
        SourceError { file: file.to_owned(), position, reason: self }
    }
}

/// The end of an input within a record is a malformed input, whatever the reader below calls it.
pub(crate) fn read_failed(error: io::Error) -> Reason {
    match error.kind() {
        _ if super::interruptible::is_stop(&error) => Reason::Stopped,
        io::ErrorKind::UnexpectedEof => Reason::Malformed(format!("the compressed input ends early: {error}")),
        // Not from the kernel, so from a decompressor.
        _ if error.raw_os_error().is_none() => {
            Reason::Malformed(format!("the compressed input is damaged: {error}: get it again from where it came"))
        }
        _ => Reason::Read(error),
    }
}

/// What to do about an input that cannot be opened.
fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::PermissionDenied => "run as a user who may read it, or have its owner admit this one",
        io::ErrorKind::IsADirectory => "name a file in it",
        _ => "see to the file and what it lies on, or name another",
    }
}
