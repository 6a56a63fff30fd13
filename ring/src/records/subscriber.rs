//! The subscriber of records.

use std::io;
use std::time::Duration;

use super::received::{Record, Source};
use crate::error::{RecvError, TryRecvError};
use crate::format::layout::word;
use crate::format::records::{RecordsFormat, longest};
use crate::placement::{Placement, Side, look::look};
use crate::protocol::copy::bytes_of_words;
use crate::protocol::join::Join;
use crate::protocol::position::Position;
use crate::protocol::record;
use crate::protocol::wait::{Interrupter, WaitStrategy};
use crate::subscriber::notify::Notifier;
use crate::subscriber::raw::Account;
use crate::subscriber::received::Received;
use crate::subscriber::receiver::Receiver;
use crate::transport::attachment::Opened;

/// One subscriber of a ring of [records](crate::records). It returns the same events, in the same order, as a
/// [`Subscriber`](crate::Subscriber) of messages, and counts in records: at every moment
/// `first + received + lost + skipped = sequence`.
///
/// A record is received into the subscriber's own copy, which the next receive overwrites. The copy grows to the longest record
/// received so far, and never beyond [`longest`](Self::longest); nothing else is allocated.
///
/// ```
/// use feed_ring::{Join, TryRecvError, in_process_records};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let (mut publisher, ring) = in_process_records(8)?; // eight slots of 64 bytes
///     let mut subscriber = ring.subscribe(Join::Oldest);
///     for number in 0..10u8 {
///         publisher.publish(number, &vec![number; 10 * usize::from(number)])?;
///     }
///     assert_eq!(subscriber.try_recv(), Err(TryRecvError::Lagged { missed: 7 }));
///     assert_eq!(subscriber.try_recv()?.bytes, [7; 70]); // in two slots
///     assert_eq!(subscriber.try_recv()?.number, 8);
///     Ok(())
/// }
/// ```
pub struct RecordSubscriber {
    pub(crate) receiver: Receiver<Source, Position>,
    format: Option<RecordsFormat>,
    longest: usize,
    nonce: Option<u64>,
    /// The copy, in words: whoever reads structs in it finds them aligned.
    words: Vec<u64>,
}

/// What is copied beside the bytes: the kind and the length.
type Copied = (u8, usize);

impl RecordSubscriber {
    /// Joins an opened ring.
    pub(super) fn new(opened: Opened, join: Join, wait: WaitStrategy) -> Self {
        let format = opened.found.as_ref().and_then(|(geometry, _)| RecordsFormat::parse(&geometry.schema).ok());
        let longest = longest(opened.layout.capacity, opened.layout.slot_words);
        let nonce = opened.found.as_ref().map(|_| opened.memory[word::NONCE].load());
        RecordSubscriber {
            receiver: Receiver::new(opened, Source::new, join, wait),
            format,
            longest,
            nonce,
            words: Vec::new(),
        }
    }

    /// Receives the next record, if there is one: see [`Subscriber::try_recv`](crate::Subscriber::try_recv).
    ///
    /// After [`TryRecvError::Lagged`] the next call continues with a record that the ring still holds: an eighth of the ring
    /// behind the oldest, as with messages.
    ///
    /// # Errors
    /// [`TryRecvError`]; `Empty` if there is no record yet.
    #[inline]
    pub fn try_recv(&mut self) -> Result<Record<'_>, TryRecvError> {
        let words = &mut self.words;
        let copied = self.receiver.attempt(false, |record| copy_words(record, words))?;
        Ok(self.last(copied))
    }

    /// As [`try_recv`](Self::try_recv), and tells the record's epoch beside it: three instructions more.
    ///
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    #[inline]
    pub fn try_recv_numbered(&mut self) -> Result<Received<Record<'_>>, TryRecvError> {
        let words = &mut self.words;
        let copied = self.receiver.attempt(false, |record| copy_words(record, words))?;
        Ok(self.last_numbered(copied))
    }

    /// Waits for the next record and receives it: see [`Subscriber::recv`](crate::Subscriber::recv).
    ///
    /// # Errors
    /// [`RecvError`].
    #[inline]
    pub fn recv(&mut self) -> Result<Record<'_>, RecvError> {
        let words = &mut self.words;
        let copied = self.receiver.receive(|record| copy_words(record, words))?;
        Ok(self.last(copied))
    }

    /// As [`recv`](Self::recv), and tells the record's epoch beside it.
    ///
    /// # Errors
    /// [`RecvError`].
    #[inline]
    pub fn recv_numbered(&mut self) -> Result<Received<Record<'_>>, RecvError> {
        let words = &mut self.words;
        let copied = self.receiver.receive(|record| copy_words(record, words))?;
        Ok(self.last_numbered(copied))
    }

    /// Waits for the next record for at most `timeout`: see [`Subscriber::recv_timeout`](crate::Subscriber::recv_timeout).
    ///
    /// # Errors
    /// [`TryRecvError`]; `Empty` if no record came in time.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Record<'_>, TryRecvError> {
        let words = &mut self.words;
        let copied = self.receiver.receive_within(timeout, |record| copy_words(record, words))?;
        Ok(self.last(copied))
    }

    /// As [`recv_timeout`](Self::recv_timeout), and tells the record's epoch beside it.
    ///
    /// # Errors
    /// [`TryRecvError`]; `Empty` if no record came in time.
    pub fn recv_timeout_numbered(&mut self, timeout: Duration) -> Result<Received<Record<'_>>, TryRecvError> {
        let words = &mut self.words;
        let copied = self.receiver.receive_within(timeout, |record| copy_words(record, words))?;
        Ok(self.last_numbered(copied))
    }

    /// Receives the next record into a buffer of the caller's, whose bytes it replaces, if there is one. Returns its number and
    /// its kind. The buffer grows if it is too small. After an error its bytes have no meaning.
    ///
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    pub fn try_recv_into(&mut self, bytes: &mut Vec<u8>) -> Result<(u64, u8), TryRecvError> {
        let copy = |record: record::Record<'_>| {
            record.copy_to(bytes);
            (record.head.kind, record.head.length)
        };
        let (kind, length) = self.receiver.attempt(false, copy)?;
        bytes.truncate(length);
        Ok((self.sequence() - 1, kind))
    }

    /// Receives as many of the next records as there are, and at most `most`, and calls `each` with each. Returns how many.
    ///
    /// # Errors
    /// [`TryRecvError`], if there was no record at all. An event that ends a batch is returned by the next call.
    pub fn recv_batch(&mut self, most: usize, mut each: impl FnMut(Record<'_>)) -> Result<usize, TryRecvError> {
        for count in 0..most {
            let words = &mut self.words;
            match self.receiver.receive_one_of_a_batch(count == 0, |record| copy_words(record, words))? {
                Some(copied) => each(self.last(copied)),
                None => return Ok(count),
            }
        }
        Ok(most)
    }

    /// Receives the newest record, if it was not received yet: see [`Subscriber::latest`](crate::Subscriber::latest).
    ///
    /// # Errors
    /// [`TryRecvError`].
    pub fn latest(&mut self) -> Result<Record<'_>, TryRecvError> {
        let words = &mut self.words;
        let copied = self.receiver.latest(|record| copy_words(record, words))?;
        Ok(self.last(copied))
    }

    /// As [`latest`](Self::latest), and tells the record's epoch beside it.
    ///
    /// # Errors
    /// [`TryRecvError`].
    pub fn latest_numbered(&mut self) -> Result<Received<Record<'_>>, TryRecvError> {
        let words = &mut self.words;
        let copied = self.receiver.latest(|record| copy_words(record, words))?;
        Ok(self.last_numbered(copied))
    }

    /// The record that was just received, with its epoch.
    #[inline(always)]
    fn last_numbered(&self, copied: Copied) -> Received<Record<'_>> {
        Received::last(self.receiver.cursor(), self.last(copied))
    }

    /// The record that was just received.
    #[inline(always)]
    pub(crate) fn last(&self, (kind, length): Copied) -> Record<'_> {
        Record { number: self.sequence() - 1, kind, bytes: &bytes_of_words(&self.words)[..length] }
    }

    /// What the ring's records are, as its header says. `None` within a process, and if the header says something else.
    pub fn format(&self) -> Option<&RecordsFormat> {
        self.format.as_ref()
    }

    /// The random number in the ring's header, which distinguishes two rings of one name. `None` within a process.
    pub fn nonce(&self) -> Option<u64> {
        self.nonce
    }

    /// The longest record that the ring can have, in bytes.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// The number of the next record that is received if none is lost. The record received last has the number before it.
    #[inline]
    pub fn sequence(&self) -> u64 {
        self.receiver.cursor().next()
    }

    /// Its position, and what became of every record.
    pub fn account(&self) -> Account {
        Account::of(self.receiver.cursor())
    }

    /// Number of records that are published and not yet received: see [`Subscriber::lag`](crate::Subscriber::lag).
    pub fn lag(&self) -> u64 {
        self.receiver.cursor().lag()
    }

    /// Number of slots.
    pub fn capacity(&self) -> usize {
        self.receiver.cursor().view().capacity() as usize
    }

    /// Waits until a publisher takes the ring over: see
    /// [`Subscriber::wait_for_publisher`](crate::Subscriber::wait_for_publisher).
    pub fn wait_for_publisher(&mut self, timeout: Duration) -> bool {
        self.receiver.wait_for_publisher(timeout)
    }

    /// Whether a publisher lives. Asks the kernel.
    pub fn publisher_is_alive(&self) -> bool {
        self.receiver.publisher_is_alive()
    }

    /// A handle with which another thread ends this subscriber's wait: see
    /// [`Subscriber::interrupter`](crate::Subscriber::interrupter).
    pub fn interrupter(&self) -> Interrupter {
        self.receiver.interrupter()
    }

    /// Sets whether to let the publisher get ahead in a stream at full speed: see
    /// [`SubscriberOptions::hold_back`](crate::SubscriberOptions::hold_back).
    pub fn set_hold_back(&mut self, hold_back: bool) {
        self.receiver.hold_back.wanted = hold_back;
    }

    /// Why this subscriber has no entry in the ring's control file: see
    /// [`Subscriber::without_entry`](crate::Subscriber::without_entry).
    pub fn without_entry(&self) -> Option<&str> {
        self.receiver.without_entry()
    }

    /// Where the kernel has placed the segment: see [`Subscriber::placement`](crate::Subscriber::placement).
    ///
    /// # Errors
    /// If `/proc` cannot be read, or the ring is within the process and so has no mapping.
    pub fn placement(&self) -> io::Result<Placement> {
        look(self.receiver.memory(), Side::Subscriber)
    }

    /// Returns a file descriptor that becomes readable when there is something to receive: see
    /// [`Subscriber::notifier`](crate::Subscriber::notifier). Starts a thread.
    ///
    /// # Errors
    /// If the descriptor or the thread cannot be made.
    pub fn notifier(&self) -> io::Result<Notifier> {
        self.receiver.notifier()
    }
}

/// Copies a record. What it returns has a meaning only if the record was whole.
#[inline(always)]
fn copy_words(record: record::Record<'_>, words: &mut Vec<u64>) -> Copied {
    record.copy_to_words(words);
    (record.head.kind, record.head.length)
}

impl Notifier {
    /// As [`arm`](Self::arm), for a subscriber of records.
    pub fn arm_records(&self, subscriber: &RecordSubscriber) {
        self.arm_for_receiver(&subscriber.receiver);
    }

    /// As [`arm_for_publisher`](Self::arm_for_publisher), for a subscriber of records.
    pub fn arm_records_for_publisher(&self, subscriber: &RecordSubscriber) {
        self.arm_receiver_for_publisher(&subscriber.receiver);
    }
}

impl std::fmt::Debug for RecordSubscriber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordSubscriber").field("account", &self.account()).field("format", &self.format).finish()
    }
}
