//! Where messages come from: one file per format, each streamed, so that memory stays flat whatever the input's size.
//!
//! [`input::open`] opens a file or standard input and recognises compression and format by content.

pub mod csv;
pub mod dbn;
mod error;
pub mod input;
mod interruptible;
pub mod itch;
pub mod synthetic;

pub use error::{Position, Reason, SourceError};
pub use input::{Format, Input};

use crate::Message;

/// A stream of messages.
pub trait Source: Send {
    /// The next message, its publish time still 0; `None` at the end of the input.
    ///
    /// # Errors
    /// An input that cannot be read or is malformed, with file, position and reason, after every message before that
    /// place was yielded. A source that failed has ended.
    fn next_message(&mut self) -> Result<Option<Message>, SourceError>;
}
