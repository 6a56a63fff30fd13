//! The trait that every source implements.

use super::error::SourceError;
use crate::message::Message;

/// A stream of messages.
pub trait Source: Send {
    /// The next message, with a publish time of 0; `None` at the end of the input.
    ///
    /// # Errors
    /// An input that cannot be read or is malformed, with file, position and reason. The source has yielded every
    /// message before that position, and yields no other after it.
    fn next_message(&mut self) -> Result<Option<Message>, SourceError>;
}
