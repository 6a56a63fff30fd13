//! The trait that every source implements.

use super::error::SourceError;
use crate::message::Message;

/// A stream of messages.
pub trait Source: Send {
    /// The next message, its publish time still 0; `None` at the end of the input.
    ///
    /// # Errors
    /// An input that cannot be read or is malformed, with file, position and reason, after every message before that
    /// place was yielded. A source that failed has ended.
    fn next_message(&mut self) -> Result<Option<Message>, SourceError>;
}
