//! Errors of an input: file, position, reason.

use std::fmt;
use std::io;

/// An error of an input, and where it was found.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {position}{reason}")]
pub struct SourceError {
    /// The file's name, or `standard input`.
    pub file: String,
    /// The position in the file.
    pub position: Position,
    /// The reason.
    #[source]
    pub reason: Reason,
}

/// A position in an input. Bytes are counted after decompression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// The whole input: it could not be opened, or is empty.
    Whole,
    /// A byte before the first record, counted from 0.
    Byte(u64),
    /// A record of a binary format.
    Record {
        /// The number of the record, from 1.
        number: u64,
        /// The offset of its first byte, from 0.
        byte: u64,
    },
    /// A line of text, from 1.
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

/// The reason of an error.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// The input cannot be opened.
    #[error("cannot be opened: {0}: {remedy}", remedy = remedy(.0))]
    Open(io::Error),
    /// The kernel failed to read the input.
    #[error("cannot be read: {0}: see to the file and what it lies on, or name another")]
    Read(io::Error),
    /// The stop flag was set while the reader waited for input.
    #[error("was waited for when told to stop")]
    Stopped,
    /// The first bytes match no known format.
    #[error("{0}")]
    Unrecognised(String),
    /// The format is known, but this part of it is not supported.
    #[error("{0}")]
    Unsupported(String),
    /// The input breaks the rules of its format.
    #[error("{0}")]
    Malformed(String),
    /// A value does not fit into its field of the message.
    #[error("{field} {value} does not fit: the message holds at most {limit}")]
    DoesNotFit {
        /// The name of the value in the format.
        field: &'static str,
        /// The value as written in the input.
        value: String,
        /// The largest value that fits, in the unit of the format.
        limit: String,
    },
}

impl Reason {
    /// The error at this position of this file.
    pub(crate) fn at(self, file: &str, position: Position) -> SourceError {
        SourceError { file: file.to_owned(), position, reason: self }
    }

    /// The error of a file whose framing is lost. If a record of an unknown type came before whose length nothing has proved,
    /// the error stands there: the length is what is wrong. `follows` is what was to follow it.
    pub(crate) fn after(
        self,
        unproven: Option<(Position, String)>,
        follows: &str,
        file: &str,
        position: Position,
    ) -> SourceError {
        match (self, unproven) {
            (Reason::Malformed(why), Some((position, what))) => {
                let why = format!("{what}, and no {follows} follows where it ends: {why}");
                Reason::Malformed(why).at(file, position)
            }
            (reason, _) => reason.at(file, position),
        }
    }
}

/// The error of a reader that can say in its own words what is wrong with the bytes below it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unreadable(pub(crate) String);

impl Unreadable {
    /// The error as a reader returns it.
    pub(crate) fn error(what: String) -> io::Error {
        io::Error::other(Unreadable(what))
    }
}

/// The reason for a read error. An input that ends within a record is malformed, whatever kind of error the reader
/// reports.
pub(crate) fn read_failed(error: io::Error) -> Reason {
    match error.kind() {
        _ if super::interruptible::is_stop(&error) => Reason::Stopped,
        _ if error.get_ref().is_some_and(|inner| inner.is::<Unreadable>()) => Reason::Malformed(error.to_string()),
        io::ErrorKind::UnexpectedEof => Reason::Malformed(format!("the compressed input ends early: {error}")),
        // An error that is not the kernel's is the decompressor's.
        _ if error.raw_os_error().is_none() => {
            Reason::Malformed(format!("the compressed input is damaged: {error}: get it again from where it came"))
        }
        _ => Reason::Read(error),
    }
}

/// The remedy for an input that cannot be opened.
fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::PermissionDenied => "run as a user who may read it, or have its owner admit this one",
        io::ErrorKind::IsADirectory => "name a file in it",
        _ => "see to the file and what it lies on, or name another",
    }
}
