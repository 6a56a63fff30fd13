//! A publisher of another ring's records, with that ring's numbers and epochs: the far end of a bridge, or a replay.

use std::io;
use std::path::Path;

use super::error::{TooFar, TooLong};
use super::publisher::RecordPublisher;
use crate::error::{CloseError, CreateError};
use crate::format::layout::MAX_SEQUENCE;
use crate::format::message::MessageFormat;
use crate::format::records::RecordsFormat;
use crate::publisher::options::PublisherOptions;
use crate::publisher::relay::{NotFollowing, check_following};

/// Stands for a ring of records with another ring's numbers in [`PublisherOptions`].
#[derive(Clone, Copy, Debug)]
pub enum RecordRelay {}

/// The one publisher of a ring that has the records of another, under the same numbers and in the same epochs: what a
/// [`RelayPublisher`](crate::raw::RelayPublisher) is for messages. Subscribers open it as any ring of records, and cannot tell the
/// difference.
///
/// ```no_run
/// use feed_ring::records::RecordsFormat;
/// use feed_ring::{Join, RecordSubscriber, raw};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let format = RecordsFormat::encoded("text");
///     let mut relay = raw::RecordRelayPublisher::options("far", format).create_record_relay(7, 1_000, 3)?;
///     let mut subscriber = RecordSubscriber::options("far").join(Join::Oldest).open_records()?;
///     assert_eq!(relay.publish(0, b"one")?, 1_000);
///     relay.pass_over(1_005)?; // 1,001 to 1,004 were lost on the way
///     assert_eq!(relay.publish(0, b"another")?, 1_005);
///     assert_eq!(subscriber.recv()?.bytes, b"one");
///     assert_eq!(subscriber.recv().unwrap_err(), feed_ring::RecvError::Lagged { missed: 4 });
///     Ok(())
/// }
/// ```
///
/// Programs of an earlier version refuse such a ring: its ABI is 3.
pub struct RecordRelayPublisher {
    records: RecordPublisher,
    source: u64,
}

impl RecordRelayPublisher {
    /// Options for a ring of this name with records of this format.
    pub fn options(name: &str, format: RecordsFormat) -> PublisherOptions<RecordRelay> {
        PublisherOptions::for_records(name, MessageFormat::from_parts(1, 1, format.text()))
    }

    /// Publishes a record with the number [`published`](Self::published), and returns that.
    ///
    /// # Errors
    /// [`TooLong`] if it is longer than [`longest`](Self::longest). Nothing is published then.
    #[inline]
    pub fn publish(&mut self, kind: u8, bytes: &[u8]) -> Result<u64, TooLong> {
        self.records.publish(kind, bytes)
    }

    /// Passes over the records up to `until`, which is published next. Subscribers lose them. Takes one slot, and costs as much as the
    /// search for the oldest record: a look at as many slots as a record may have.
    ///
    /// # Errors
    /// [`TooFar`] if the numbers in the ring could not be told apart then: from its oldest record on, less than 2^32 can be. Nothing
    /// changes. A [fresh](PublisherOptions::fresh) ring begins at any number.
    ///
    /// # Panics
    /// If `until` is not above [`published`](Self::published), or is 2^62 - 1 or more.
    pub fn pass_over(&mut self, until: u64) -> Result<(), TooFar> {
        let next = self.published();
        assert!((next + 1..MAX_SEQUENCE - 1).contains(&until), "from record {next} on to {until}");
        self.records.pass_over(until)
    }

    /// Begins this epoch, of which the next record is the first: see
    /// [`RelayPublisher::begin_epoch`](crate::raw::RelayPublisher::begin_epoch).
    ///
    /// # Errors
    /// [`NotFollowing`] if it is not one of the next six. Nothing changes then.
    pub fn begin_epoch(&mut self, epoch: u64) -> Result<(), NotFollowing> {
        check_following(self.epoch(), epoch)?;
        self.records.begin_epoch(epoch);
        Ok(())
    }

    /// The nonce of the ring whose records it has.
    pub fn source(&self) -> u64 {
        self.source
    }

    /// The number of the next record.
    pub fn published(&self) -> u64 {
        self.records.published()
    }

    /// The epoch of the next record.
    pub fn epoch(&self) -> u64 {
        self.records.epoch()
    }

    /// Number of slots.
    pub fn capacity(&self) -> usize {
        self.records.capacity()
    }

    /// The longest record that the ring takes, in bytes: see [`RecordPublisher::longest`](crate::RecordPublisher::longest).
    pub fn longest(&self) -> usize {
        self.records.longest()
    }

    /// How many subscribers are attached: see [`Publisher::subscribers`](crate::Publisher::subscribers).
    ///
    /// # Errors
    /// If the kernel refuses the question, for which it has no reason.
    pub fn subscribers(&self) -> io::Result<usize> {
        self.records.subscribers()
    }

    /// Whether the segment's file was cut short: see [`Publisher::is_cut_off`](crate::Publisher::is_cut_off).
    pub fn is_cut_off(&self) -> bool {
        self.records.is_cut_off()
    }

    /// The directory of the ring, or the socket of a sealed ring.
    pub fn path(&self) -> Option<&Path> {
        self.records.path()
    }

    /// Ends the ring, as its source ended: see [`Publisher::close`](crate::Publisher::close).
    ///
    /// # Errors
    /// If the files cannot be removed. The ring is closed all the same.
    pub fn close(self) -> Result<(), CloseError> {
        self.records.close()
    }

    /// Ends this publisher and leaves the ring open for the next one: see [`Publisher::leave`](crate::Publisher::leave).
    pub fn leave(self) {
        self.records.leave();
    }
}

impl std::fmt::Debug for RecordRelayPublisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordRelayPublisher")
            .field("published", &self.published())
            .field("epoch", &self.epoch())
            .finish()
    }
}

impl PublisherOptions<RecordRelay> {
    /// Bytes of a slot: a power of two from 64, which is the default, to 4,096.
    pub fn slot_size(self, bytes: usize) -> Self {
        self.with_slot_size(bytes)
    }

    /// Takes over the ring of this name if an ended [`RecordRelayPublisher`] of the same source left it, and it has this capacity, these
    /// slots and this format: it goes on at its next number, in its epoch. Otherwise makes a new ring, which begins with record `first`
    /// in `epoch` and supersedes whatever ended publishers left under the name.
    ///
    /// `source` is the nonce of the ring whose records it has, as [`RecordSubscriber::nonce`](crate::RecordSubscriber::nonce) tells it,
    /// or any number that is another for each source.
    ///
    /// # Errors
    /// [`CreateError`], with one variant for each possible cause. Nothing is left behind then.
    ///
    /// # Panics
    /// If `first` is 2^62 - 1 or more, or `epoch` is 0 or 2^63 or more: no ring has them.
    pub fn create_record_relay(
        mut self,
        source: u64,
        first: u64,
        epoch: u64,
    ) -> Result<RecordRelayPublisher, CreateError> {
        self.records_of(source);
        self.begin_at(first, epoch);
        let records = RecordPublisher::new(self.make()?, self.wake_or_default());
        Ok(RecordRelayPublisher { records, source })
    }
}
