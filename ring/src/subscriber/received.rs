//! A message together with its number and its epoch.

use crate::protocol::cursor::Cursor;
use crate::protocol::place::Place;

/// A message that was received, with what the ring knows of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received<T> {
    /// Its sequence number.
    pub number: u64,
    /// The epoch that it was published in: 1 for a ring's first publisher, and one more for each that took the ring over. 0 if it is
    /// not known: after [`RestartsUnknown`](crate::TryRecvError::RestartsUnknown), and if the subscriber joined among messages of
    /// unknown epochs.
    pub epoch: u64,
    /// The message.
    pub message: T,
}

impl<T> Received<T> {
    /// The message that was received last.
    #[inline(always)]
    pub(crate) fn last<P: Place>(cursor: &Cursor<P>, message: T) -> Self {
        Received { number: cursor.next() - 1, epoch: cursor.epoch_of_last(), message }
    }

    /// The same with another message.
    #[inline]
    pub fn map<U>(self, message: impl FnOnce(T) -> U) -> Received<U> {
        Received { number: self.number, epoch: self.epoch, message: message(self.message) }
    }
}
