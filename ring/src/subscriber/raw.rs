//! The untyped subscriber: it receives messages as bytes, of a size that the ring's header states.

use std::io;
use std::time::Duration;

use super::notify::Notifier;
use super::received::Received;
use super::receiver::Receiver;
use crate::error::{RecvError, TryRecvError};
use crate::format::layout::{Layout, slot_words, word};
use crate::format::message::MessageFormat;
use crate::protocol::copy;
use crate::protocol::cursor::Cursor;
use crate::protocol::join::Join;
use crate::protocol::place::{BySequence, Place};
use crate::protocol::slots::{DynamicStride, Slots};
use crate::protocol::wait::{Interrupter, WaitStrategy};
use crate::sync::Word;
use crate::transport::attachment::Opened;

/// A subscriber of a ring with any messages, received as bytes. [`format`](Self::format) says what they mean.
///
/// It returns the same messages and events, in the same order, as a typed [`Subscriber`](crate::Subscriber) of the same
/// ring.
pub struct RawSubscriber {
    pub(crate) receiver: Receiver<Slots<Word, DynamicStride>, BySequence>,
    format: MessageFormat,
    nonce: u64,
}

/// A subscriber's position, and what became of every message from the first one on: `first + received + lost + skipped
/// = sequence`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// The sequence number at which it joined.
    pub first: u64,
    /// Number of messages that were returned.
    pub received: u64,
    /// Number of messages that were overwritten before they were read.
    pub lost: u64,
    /// Number of messages that [`RawSubscriber::latest_into`] skipped.
    pub skipped: u64,
    /// The sequence number of the next message.
    pub sequence: u64,
    /// The epoch that was reported last: see [`Subscriber::epoch`](crate::Subscriber::epoch).
    pub epoch: u64,
}

impl Account {
    pub(crate) fn of<P: Place>(cursor: &Cursor<P>) -> Self {
        Account {
            first: cursor.first(),
            received: cursor.received(),
            lost: cursor.lost(),
            skipped: cursor.skipped(),
            sequence: cursor.next(),
            epoch: cursor.epoch(),
        }
    }
}

impl RawSubscriber {
    pub(super) fn new(opened: Opened, join: Join, wait: WaitStrategy) -> Self {
        let (geometry, _) = opened.found.as_ref().expect("an untyped subscriber opens rings with a header only");
        let (format, nonce) = (geometry.format(), opened.memory[word::NONCE].load());
        let slots = |memory, layout: &Layout| Slots::new(memory, layout, DynamicStride::of(layout));
        RawSubscriber { receiver: Receiver::new(opened, slots, join, wait), format, nonce }
    }

    /// The format of the ring's messages.
    #[inline]
    pub fn format(&self) -> &MessageFormat {
        &self.format
    }

    /// The random number in the ring's header, which distinguishes two rings of one name. It stays with the ring, whoever publishes.
    pub fn nonce(&self) -> u64 {
        self.nonce
    }

    /// Receives the next message into `message`, if there is one: see [`Subscriber::try_recv`](crate::Subscriber::try_recv).
    /// After an error the bytes have no meaning.
    ///
    /// # Errors
    /// [`TryRecvError`].
    ///
    /// # Panics
    /// If `message` is not as long as the format says.
    #[inline]
    pub fn try_recv_into(&mut self, message: &mut [u8]) -> Result<(), TryRecvError> {
        self.check(message);
        self.receiver.attempt(false, |words| copy::load_over_bytes(words, message))
    }

    /// As [`try_recv_into`](Self::try_recv_into), and tells the message's number and epoch. The message returned is `message`.
    ///
    /// # Errors
    /// [`TryRecvError`].
    ///
    /// # Panics
    /// If `message` is not as long as the format says.
    #[inline]
    pub fn try_recv_numbered<'a>(&mut self, message: &'a mut [u8]) -> Result<Received<&'a [u8]>, TryRecvError> {
        self.try_recv_into(message)?;
        Ok(self.numbered(message))
    }

    /// Receives the next message into an array of a length that the compiler knows, if the message is there and there is nothing to do
    /// or to tell before it. False says nothing, not even that `N` is another size than the format's:
    /// [`try_recv_into`](Self::try_recv_into) then receives the message after all, or tells why not. A message that is there costs as
    /// much as with the typed subscriber, and no call of a function.
    #[inline(always)]
    pub fn take_array<const N: usize>(&mut self, message: &mut [u8; N]) -> bool {
        // The stride follows from the size. The compiler learns it here, and finds slots by shifts and without checks.
        let is_known = self.format.size() == N && self.receiver.messages().words() == const { slot_words(N) };
        is_known && self.receiver.take(|words| copy::load_over_bytes(words, message)).is_some()
    }

    /// Waits for the next message and receives it: see [`Subscriber::recv`](crate::Subscriber::recv).
    ///
    /// # Errors
    /// [`RecvError`].
    ///
    /// # Panics
    /// If `message` is not as long as the format says.
    #[inline]
    pub fn recv_into(&mut self, message: &mut [u8]) -> Result<(), RecvError> {
        self.check(message);
        self.receiver.receive(|words| copy::load_over_bytes(words, message))
    }

    /// As [`recv_into`](Self::recv_into), and tells the message's number and epoch. The message returned is `message`.
    ///
    /// # Errors
    /// [`RecvError`].
    ///
    /// # Panics
    /// If `message` is not as long as the format says.
    #[inline]
    pub fn recv_numbered<'a>(&mut self, message: &'a mut [u8]) -> Result<Received<&'a [u8]>, RecvError> {
        self.recv_into(message)?;
        Ok(self.numbered(message))
    }

    /// Waits for the next message for at most `timeout` and receives it: see
    /// [`Subscriber::recv_timeout`](crate::Subscriber::recv_timeout).
    ///
    /// # Errors
    /// [`TryRecvError`]; `Empty` if no message came in time.
    ///
    /// # Panics
    /// If `message` is not as long as the format says.
    pub fn recv_timeout_into(&mut self, message: &mut [u8], timeout: Duration) -> Result<(), TryRecvError> {
        self.check(message);
        self.receiver.receive_within(timeout, |words| copy::load_over_bytes(words, message))
    }

    /// As [`recv_timeout_into`](Self::recv_timeout_into), and tells the message's number and epoch. The message returned is
    /// `message`.
    ///
    /// # Errors
    /// [`TryRecvError`]; `Empty` if no message came in time.
    ///
    /// # Panics
    /// If `message` is not as long as the format says.
    pub fn recv_timeout_numbered<'a>(
        &mut self,
        message: &'a mut [u8],
        timeout: Duration,
    ) -> Result<Received<&'a [u8]>, TryRecvError> {
        self.recv_timeout_into(message, timeout)?;
        Ok(self.numbered(message))
    }

    /// Receives as many of the next messages as there are and fit into `messages`, one after the other. Returns how
    /// many: see [`Subscriber::recv_batch`](crate::Subscriber::recv_batch).
    ///
    /// # Errors
    /// [`TryRecvError`], if there was no message at all.
    ///
    /// # Panics
    /// If the length of `messages` is not a multiple of the format's size.
    pub fn recv_batch_into(&mut self, messages: &mut [u8]) -> Result<usize, TryRecvError> {
        let (found, size) = (messages.len(), self.format.size());
        assert!(found.is_multiple_of(size), "room for {found} bytes, a multiple of {size} expected");
        let each = messages.chunks_exact_mut(size);
        self.receiver.receive_batch(each.map(|message| |words: &[Word]| copy::load_over_bytes(words, message)))
    }

    /// As [`recv_batch_into`](Self::recv_batch_into), for messages of a length that the compiler knows.
    ///
    /// # Errors
    /// [`TryRecvError`], if there was no message at all.
    ///
    /// # Panics
    /// If `N` is not the format's size.
    #[inline]
    pub fn recv_batch_arrays<const N: usize>(&mut self, messages: &mut [[u8; N]]) -> Result<usize, TryRecvError> {
        self.format.expect_arrays::<N>();
        let each = messages.iter_mut();
        self.receiver.receive_batch(each.map(|message| |words: &[Word]| copy::load_over_bytes(words, message)))
    }

    /// Receives the newest message: see [`Subscriber::latest`](crate::Subscriber::latest).
    ///
    /// # Errors
    /// [`TryRecvError`].
    ///
    /// # Panics
    /// If `message` is not as long as the format says.
    pub fn latest_into(&mut self, message: &mut [u8]) -> Result<(), TryRecvError> {
        self.check(message);
        self.receiver.latest(|words| copy::load_over_bytes(words, message))
    }

    /// As [`latest_into`](Self::latest_into), and tells the message's number and epoch. The message returned is `message`.
    ///
    /// # Errors
    /// [`TryRecvError`].
    ///
    /// # Panics
    /// If `message` is not as long as the format says.
    pub fn latest_numbered<'a>(&mut self, message: &'a mut [u8]) -> Result<Received<&'a [u8]>, TryRecvError> {
        self.latest_into(message)?;
        Ok(self.numbered(message))
    }

    /// The message that was received last, with its number and epoch.
    #[inline(always)]
    fn numbered<'a>(&self, message: &'a [u8]) -> Received<&'a [u8]> {
        Received::last(self.receiver.cursor(), message)
    }

    fn check(&self, message: &[u8]) {
        let (found, expected) = (message.len(), self.format.size());
        assert!(found == expected, "room for {found} bytes, {expected} expected");
    }

    /// Its position, and what became of every message.
    pub fn account(&self) -> Account {
        Account::of(self.receiver.cursor())
    }

    /// Number of messages that are published and not yet received: see [`Subscriber::lag`](crate::Subscriber::lag).
    pub fn lag(&self) -> u64 {
        self.receiver.cursor().lag()
    }

    /// Number of slots. The ring holds the last `capacity - 1` messages.
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

    /// Why this subscriber has no entry in the ring's control file: see
    /// [`Subscriber::without_entry`](crate::Subscriber::without_entry).
    pub fn without_entry(&self) -> Option<&str> {
        self.receiver.without_entry()
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

impl Notifier {
    /// As [`arm`](Self::arm), for a subscriber of bytes.
    pub fn arm_raw(&self, subscriber: &RawSubscriber) {
        self.arm_for_receiver(&subscriber.receiver);
    }

    /// As [`arm_for_publisher`](Self::arm_for_publisher), for a subscriber of bytes.
    pub fn arm_raw_for_publisher(&self, subscriber: &RawSubscriber) {
        self.arm_receiver_for_publisher(&subscriber.receiver);
    }
}

impl std::fmt::Debug for RawSubscriber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawSubscriber").field("account", &self.account()).field("format", &self.format).finish()
    }
}
