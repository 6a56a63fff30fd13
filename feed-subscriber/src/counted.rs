//! What was received, counted as messages or as records.

use feed::Message;
use feed::records::tally::Tally as Records;
use feed::summary::{Sequences, Summary, Tally};

use crate::reader::Reader;

/// Counts and digest of what was received.
pub(crate) enum Counted {
    Messages(Box<Tally>),
    Records(Box<Records>),
}

impl Counted {
    /// Of nothing yet from this ring.
    pub(crate) fn of(ring: &Reader) -> Self {
        match ring.encoding() {
            None => Counted::Messages(Box::default()),
            Some(encoding) => Counted::Records(Box::new(Records::new(encoding))),
        }
    }

    /// How many were received.
    pub(crate) fn count(&self) -> u64 {
        match self {
            Counted::Messages(tally) => tally.messages(),
            Counted::Records(tally) => tally.records(),
        }
    }

    /// Adds a message, if messages are counted.
    #[inline]
    pub(crate) fn add(&mut self, message: &Message) {
        if let Counted::Messages(tally) = self {
            tally.add(message);
        }
    }

    /// Adds a record, if records are counted.
    #[inline]
    pub(crate) fn add_record(&mut self, kind: u8, bytes: &[u8]) {
        if let Counted::Records(tally) = self {
            tally.add(kind, bytes);
        }
    }

    /// The summary.
    pub(crate) fn summary(&self, sequences: Sequences, seconds: f64) -> Summary {
        match self {
            Counted::Messages(tally) => Summary::new(tally, sequences, seconds),
            Counted::Records(tally) => Summary::of_records(tally, sequences, seconds),
        }
    }
}
