//! What messages are received through: a ring, or a ring with its table.

use std::ops::Deref;
use std::time::Duration;

use feed::Message;
use feed::board::Row;
use feed_ring::{KeyedSubscriber, Subscriber, TryRecvError};

/// A subscriber of a ring and its table.
pub(crate) type TableSubscriber = KeyedSubscriber<u32, Row, Message>;

/// A subscriber. What only tells about the ring goes to the ring's own one.
#[expect(clippy::large_enum_variant, reason = "there is one of it, and a box would be one more step for each message")]
pub(crate) enum Reader {
    Ring(Subscriber<Message>),
    Table(Box<TableSubscriber>),
}

impl Deref for Reader {
    type Target = Subscriber<Message>;

    fn deref(&self) -> &Subscriber<Message> {
        match self {
            Reader::Ring(ring) => ring,
            Reader::Table(table) => table.ring(),
        }
    }
}

impl Reader {
    /// Receives messages into the beginning of `batch`; returns how many. With a table it is one that is not in the
    /// snapshot.
    #[inline]
    pub(crate) fn recv_batch(&mut self, batch: &mut [Message]) -> Result<usize, TryRecvError> {
        match self {
            Reader::Ring(ring) => ring.recv_batch(batch),
            Reader::Table(table) => {
                let Some(first) = batch.first_mut() else { return Ok(0) };
                *first = table.try_recv()?.message;
                Ok(1)
            }
        }
    }

    /// Waits for a message for this long.
    pub(crate) fn recv_timeout(&mut self, timeout: Duration) -> Result<Message, TryRecvError> {
        match self {
            Reader::Ring(ring) => ring.recv_timeout(timeout),
            Reader::Table(table) => Ok(table.recv_timeout(timeout)?.message),
        }
    }

    /// The ring with its table, if it was opened with it.
    pub(crate) fn table(&mut self) -> Option<&mut TableSubscriber> {
        match self {
            Reader::Ring(_) => None,
            Reader::Table(table) => Some(table),
        }
    }
}
