//! What is received through: a ring of messages, one with its table, or a ring of records.

use std::io;
use std::time::Duration;

use feed::Message;
use feed::board::Row;
use feed::records::Encoding;
use feed_ring::records::RecordsFormat;
use feed_ring::{Interrupter, KeyedSubscriber, Placement, RecordSubscriber, Subscriber, TryRecvError};

use crate::account::Counters;

/// A subscriber of a ring and its table.
pub(crate) type TableSubscriber = KeyedSubscriber<u32, Row, Message>;

/// A subscriber.
#[expect(clippy::large_enum_variant, reason = "there is one of it, and a box would be one more step for each message")]
pub(crate) enum Reader {
    Ring(Subscriber<Message>),
    Table(Box<TableSubscriber>),
    Records(Box<RecordSubscriber>),
}

/// What a ring has to carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Contents {
    /// Whatever it carries.
    Any,
    Messages,
    Records(RecordsFormat),
}

/// Asks the subscriber of a ring of messages or of records.
macro_rules! either {
    ($reader:expr, $ring:ident => $asked:expr) => {
        match $reader {
            Reader::Ring($ring) => $asked,
            Reader::Table(table) => {
                let $ring = table.ring();
                $asked
            }
            Reader::Records($ring) => $asked,
        }
    };
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
            Reader::Records(_) => unreachable!("records are received as records"),
        }
    }

    /// Waits for a message for this long.
    pub(crate) fn recv_timeout(&mut self, timeout: Duration) -> Result<Message, TryRecvError> {
        match self {
            Reader::Ring(ring) => ring.recv_timeout(timeout),
            Reader::Table(table) => Ok(table.recv_timeout(timeout)?.message),
            Reader::Records(_) => unreachable!("records are received as records"),
        }
    }

    /// The ring with its table, if it was opened with it.
    pub(crate) fn table(&mut self) -> Option<&mut TableSubscriber> {
        match self {
            Reader::Table(table) => Some(table),
            Reader::Ring(_) | Reader::Records(_) => None,
        }
    }

    /// The ring of records, if it is one.
    pub(crate) fn records(&mut self) -> Option<&mut RecordSubscriber> {
        match self {
            Reader::Records(records) => Some(records),
            Reader::Ring(_) | Reader::Table(_) => None,
        }
    }

    /// What the ring carries.
    pub(crate) fn contents(&self) -> Contents {
        match self {
            Reader::Ring(_) | Reader::Table(_) => Contents::Messages,
            Reader::Records(records) => Contents::Records(records.format().cloned().unwrap_or_default()),
        }
    }

    /// What its records are; `None` of messages.
    pub(crate) fn encoding(&self) -> Option<Encoding> {
        match self {
            Reader::Ring(_) | Reader::Table(_) => None,
            Reader::Records(records) => Some(Encoding::of(records.format())),
        }
    }

    /// Its position, and what became of every message.
    pub(crate) fn counters(&self) -> Counters {
        match self {
            Reader::Ring(ring) => Counters::of(ring),
            Reader::Table(table) => Counters::of(table.ring()),
            Reader::Records(records) => {
                let account = records.account();
                Counters {
                    first: account.first,
                    next: account.sequence,
                    received: account.received,
                    lost: account.lost,
                    skipped: account.skipped,
                }
            }
        }
    }

    pub(crate) fn first(&self) -> u64 {
        self.counters().first
    }

    pub(crate) fn lost(&self) -> u64 {
        self.counters().lost
    }

    pub(crate) fn epoch(&self) -> u64 {
        match self {
            Reader::Ring(ring) => ring.epoch(),
            Reader::Table(table) => table.ring().epoch(),
            Reader::Records(records) => records.account().epoch,
        }
    }

    /// The sequence of the next message.
    #[inline]
    pub(crate) fn sequence(&self) -> u64 {
        either!(self, ring => ring.sequence())
    }

    #[inline]
    pub(crate) fn received(&self) -> u64 {
        match self {
            Reader::Ring(ring) => ring.received(),
            Reader::Table(table) => table.ring().received(),
            Reader::Records(records) => records.account().received,
        }
    }

    pub(crate) fn lag(&self) -> u64 {
        either!(self, ring => ring.lag())
    }

    pub(crate) fn capacity(&self) -> usize {
        either!(self, ring => ring.capacity())
    }

    pub(crate) fn without_entry(&self) -> Option<&str> {
        either!(self, ring => ring.without_entry())
    }

    pub(crate) fn placement(&self) -> io::Result<Placement> {
        either!(self, ring => ring.placement())
    }

    pub(crate) fn interrupter(&self) -> Interrupter {
        either!(self, ring => ring.interrupter())
    }
}
