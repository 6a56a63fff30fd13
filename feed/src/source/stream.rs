//! The trait that every source implements.

use super::error::SourceError;
use super::notes::Notes;
use crate::board::Symbol;
use crate::message::Message;
use crate::record::Record;

/// A message, and when it was captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Captured {
    /// The message, with a publish time of 0.
    pub message: Message,
    /// What paces a replay, in ns: the capture time where the format has one, else the event time. `None` if there is
    /// none that can be.
    ///
    /// The event time is no pace: orders of a DBN snapshot carry the time at which they were entered, days ago.
    pub captured: Option<u64>,
}

/// A stream of messages.
pub trait Source: Send {
    /// The next message and its capture time; `None` at the end of the input.
    ///
    /// What cannot become a message is passed over and noted where the format says where the next record begins.
    ///
    /// # Errors
    /// An input that cannot be read, or in which the next record cannot be found, or, if it is strict, which has a
    /// record that cannot become a message; with file, position and reason. The source has yielded every message before
    /// that position, and yields no other after it.
    fn next_captured(&mut self) -> Result<Option<Captured>, SourceError>;

    /// The next record as the input has it; `None` at the end of the input, and of one that has no records of its own. Every
    /// record is one, whether it could become a message or not. Call either this or [`next_captured`](Self::next_captured).
    ///
    /// # Errors
    /// An input that cannot be read, or in which the next record cannot be found.
    fn next_record(&mut self) -> Result<Option<Record<'_>>, SourceError> {
        Ok(None)
    }

    /// What was noted so far.
    fn notes(&mut self) -> &mut Notes;

    /// The symbol of an instrument, as the input so far tells. `None` if it tells none.
    ///
    /// It may be another one after a message of kind `other`, or where another file begins that was joined behind.
    fn symbol(&self, _instrument: u32) -> Option<Symbol> {
        None
    }

    /// The next message, with a publish time of 0; `None` at the end of the input.
    ///
    /// # Errors
    /// As [`next_captured`](Self::next_captured).
    fn next_message(&mut self) -> Result<Option<Message>, SourceError> {
        Ok(self.next_captured()?.map(|captured| captured.message))
    }
}
