//! A row that holds the message it came with.

use crate::format::payload::Payload;

/// A table's value that holds the message it came with, so that a publisher that takes over can publish a message that the
/// one before it stored and did not publish.
///
/// Every message holds itself. Implement it for a row that keeps more, such as the last quote and the last trade of a symbol.
pub trait Holds<T>: Payload {
    /// The message of the last store.
    fn message(&self) -> &T;
}

impl<T: Payload> Holds<T> for T {
    fn message(&self) -> &T {
        self
    }
}
