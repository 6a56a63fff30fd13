//! What a run publishes, and into which ring.
//!
//! The run is compiled for each outlet, so that messages are published to a ring alone as if there were no tables and no
//! records.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use feed::Message;
use feed::pacing::Moment;
use feed::source::SourceError;
use feed::summary::{Sequences, Summary};
use feed_ring::{CloseError, Placement, Publisher, RecordPublisher, Wake};

use crate::messages::Messages;

/// Takes what an input has, and publishes it.
pub(crate) trait Outlet {
    type Ring: Ring;

    /// The ring's publisher.
    fn ring(&self) -> &Self::Ring;

    /// Takes the next of the input, and returns its capture time, if it has one. `None` at the end of the input.
    fn take(&mut self, source: &mut Messages) -> Result<Option<Option<u64>>, SourceError>;

    /// Publishes what was taken. An error, once, if there is no room for something of it.
    fn publish(&mut self, moment: Moment, source: &Messages) -> Result<(), Refused>;

    /// Publishes that all books are empty. Returns when; `None` if that cannot be said here.
    fn clear(&mut self, _source: &Messages) -> Option<Moment> {
        None
    }

    /// How many were published.
    fn count(&self) -> u64;

    /// The summary of what was published.
    fn summary(&self, sequences: Sequences, seconds: f64) -> Summary;

    /// What was taken and could not be published, by kind.
    fn left_out(&self) -> BTreeMap<String, u64> {
        BTreeMap::new()
    }

    /// Whether a segment's file was cut short.
    fn is_cut_off(&self) -> bool;

    /// Ends the ring.
    fn close(self) -> Result<(), CloseError>;

    /// Leaves it to the next publisher.
    fn leave(self);
}

/// Something had no room in a ring or its table.
pub(crate) struct Refused {
    /// What had no room, and the option that makes some.
    pub(crate) what: String,
    /// What becomes of it and its like.
    pub(crate) consequence: &'static str,
}

/// The publisher of a ring, whatever it publishes.
pub(crate) trait Ring {
    fn published(&self) -> u64;
    fn epoch(&self) -> u64;
    fn capacity(&self) -> usize;
    fn wake(&self) -> Wake;
    fn subscribers(&self) -> io::Result<usize>;
    fn path(&self) -> Option<&Path>;
    fn placement(&self) -> io::Result<Placement>;
}

macro_rules! ring {
    ($publisher:ty) => {
        impl Ring for $publisher {
            fn published(&self) -> u64 {
                <$publisher>::published(self)
            }

            fn epoch(&self) -> u64 {
                <$publisher>::epoch(self)
            }

            fn capacity(&self) -> usize {
                <$publisher>::capacity(self)
            }

            fn wake(&self) -> Wake {
                <$publisher>::wake(self)
            }

            fn subscribers(&self) -> io::Result<usize> {
                <$publisher>::subscribers(self)
            }

            fn path(&self) -> Option<&Path> {
                <$publisher>::path(self)
            }

            fn placement(&self) -> io::Result<Placement> {
                <$publisher>::placement(self)
            }
        }
    };
}

ring!(Publisher<Message>);
ring!(RecordPublisher);
