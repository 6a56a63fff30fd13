//! The typed subscriber: a handle that reads at its own pace and accounts for every message.

use std::io;
use std::time::Duration;

use super::notify::Notifier;
use super::received::Received;
use super::receiver::Receiver;
use crate::error::{RecvError, TryRecvError};
use crate::format::payload::Payload;
use crate::memory::Memory;
use crate::placement::{Placement, Side, look::look};
use crate::protocol::copy;
use crate::protocol::join::Join;
use crate::protocol::place::BySequence;
use crate::protocol::slots::{Slots, StrideOf};
use crate::protocol::wait::{Interrupter, WaitStrategy};
use crate::sync::Word;
use crate::transport::attachment::Opened;

/// One subscriber of a ring. It reads what the publisher wrote, and never makes the publisher wait.
///
/// At every moment `first() + received() + lost() + skipped() == sequence()`: every message from the first one on is
/// accounted for.
///
/// A forked child must not receive: the ring's memory is not mapped there, and the thread of [`WaitStrategy::Block`] or
/// of a [`Notifier`] does not run there. The child may drop its copy, which leaves the parent's subscription as it is,
/// and open a subscriber of its own. If the parent dies, it still counts as a subscriber until the child drops its
/// copy, calls `exec`, or ends.
///
/// ```
/// use feed_ring::{Join, TryRecvError, in_process};
///
/// fn main() -> Result<(), feed_ring::CreateError> {
///     let (mut publisher, ring) = in_process::<u64>(4)?; // holds 3 messages
///     let mut subscriber = ring.subscribe(Join::Oldest);
///     publisher.publish_batch(&[10, 11, 12, 13, 14]);
///     assert_eq!(subscriber.try_recv(), Err(TryRecvError::Lagged { missed: 2 }));
///     assert_eq!(subscriber.try_recv(), Ok(12));
///     assert_eq!(subscriber.latest(), Ok(14));
///     assert_eq!(subscriber.try_recv(), Err(TryRecvError::Empty));
///     let s = subscriber;
///     assert_eq!((s.first(), s.received(), s.lost(), s.skipped(), s.sequence()), (0, 2, 2, 1, 5));
///     Ok(())
/// }
/// ```
///
/// A [`Follow`](crate::Follow) is the loop that handles everything that can happen: `ring/examples/subscriber.rs`.
pub struct Subscriber<T> {
    pub(crate) receiver: Receiver<Slots<Word, StrideOf<T>>, BySequence>,
}

impl<T: Payload> Subscriber<T> {
    /// Joins an opened ring.
    pub(crate) fn new(opened: Opened, join: Join, wait: WaitStrategy) -> Self {
        Subscriber {
            receiver: Receiver::new(opened, |memory, layout| Slots::new(memory, layout, StrideOf::STRIDE), join, wait),
        }
    }

    /// Receives the next message, if there is one.
    ///
    /// After [`TryRecvError::Lagged`] the next call continues with a message that the ring still holds. That is not the
    /// oldest, which is overwritten next, but a message further on: by an eighth of the ring or 1,024 messages,
    /// whichever is less. The messages in between count as lost too. If the ring has ended or its publisher is dead, it
    /// continues with the oldest.
    ///
    /// To notice a publisher's death it asks the kernel: on the first empty call, and then again after 16 empty calls
    /// and half a millisecond. A program that calls seldom can ask with
    /// [`publisher_is_alive`](Self::publisher_is_alive).
    ///
    /// # Errors
    /// [`TryRecvError`]; `Empty` if there is no message yet. After `Corrupt` and `CutShort` it is pointless to call
    /// again; after all others it is not.
    #[inline]
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.receiver.attempt(false, copy::load_value)
    }

    /// As [`try_recv`](Self::try_recv), but overwrites an existing message. A message of several cache lines is then
    /// copied only once. After an error the message is still a valid `T`, but it may mix words of several messages.
    ///
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    #[inline]
    pub fn try_recv_into(&mut self, message: &mut T) -> Result<(), TryRecvError> {
        self.receiver.attempt(false, |words| copy::load_over(words, message))
    }

    /// As [`try_recv`](Self::try_recv), and tells the message's number and epoch.
    ///
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    #[inline]
    pub fn try_recv_numbered(&mut self) -> Result<Received<T>, TryRecvError> {
        let message = self.try_recv()?;
        Ok(self.numbered(message))
    }

    /// Waits for the next message and receives it. Nothing can interrupt it: a program that must be able to stop waits
    /// with [`recv_timeout`](Self::recv_timeout), whose timeout may be [`Duration::MAX`].
    ///
    /// # Errors
    /// [`RecvError`], as [`try_recv`](Self::try_recv). After `Closed`, `PublisherDead` or `Superseded` the next call
    /// returns the same at once: see [`wait_for_publisher`](Self::wait_for_publisher).
    #[inline]
    pub fn recv(&mut self) -> Result<T, RecvError> {
        self.receiver.receive(copy::load_value)
    }

    /// As [`recv`](Self::recv), but overwrites an existing message: see [`try_recv_into`](Self::try_recv_into).
    ///
    /// # Errors
    /// [`RecvError`], as [`try_recv`](Self::try_recv).
    #[inline]
    pub fn recv_into(&mut self, message: &mut T) -> Result<(), RecvError> {
        self.receiver.receive(|words| copy::load_over(words, message))
    }

    /// As [`recv`](Self::recv), and tells the message's number and epoch.
    ///
    /// # Errors
    /// [`RecvError`], as [`recv`](Self::recv).
    #[inline]
    pub fn recv_numbered(&mut self) -> Result<Received<T>, RecvError> {
        let message = self.recv()?;
        Ok(self.numbered(message))
    }

    /// Waits for the next message and receives it, unless `timeout` passes first or this subscriber is
    /// [interrupted](Self::interrupter). `timeout` may be [`Duration::MAX`].
    ///
    /// # Errors
    /// [`TryRecvError`]; `Empty` if no message came in time. It reports the end of the ring or the publisher's death at
    /// once, and the next call does so again: see [`wait_for_publisher`](Self::wait_for_publisher).
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<T, TryRecvError> {
        self.receiver.receive_within(timeout, copy::load_value)
    }

    /// As [`recv_timeout`](Self::recv_timeout), and tells the message's number and epoch.
    ///
    /// # Errors
    /// As [`recv_timeout`](Self::recv_timeout).
    pub fn recv_timeout_numbered(&mut self, timeout: Duration) -> Result<Received<T>, TryRecvError> {
        let message = self.recv_timeout(timeout)?;
        Ok(self.numbered(message))
    }

    /// Waits until a publisher takes the ring over, for at most `timeout`, which may be [`Duration::MAX`]. Call it
    /// after [`PublisherDead`](TryRecvError::PublisherDead), or after [`Closed`](TryRecvError::Closed) where closed
    /// rings are kept. True means that it is worth receiving again: there is a publisher, or another event such as a
    /// new ring under the same name. False means that `timeout` passed, or that this subscriber was
    /// [interrupted](Self::interrupter).
    ///
    /// It sleeps, whatever the [`WaitStrategy`]; a takeover wakes it. Some rings never come back: a ring that was
    /// closed and removed, and a sealed ring. For these, set a timeout and then [open](crate::SubscriberOptions::open) the
    /// name again.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use feed_ring::{Join, TryRecvError, in_process};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let (publisher, ring) = in_process::<u64>(64)?;
    ///     let mut subscriber = ring.subscribe(Join::Oldest);
    ///     publisher.close()?;
    ///     assert_eq!(subscriber.try_recv(), Err(TryRecvError::Closed));
    ///     assert!(!subscriber.wait_for_publisher(Duration::from_millis(1)));
    ///     let _publisher = ring.take_over();
    ///     assert!(subscriber.wait_for_publisher(Duration::MAX));
    ///     assert_eq!(subscriber.try_recv(), Err(TryRecvError::Restarted { epoch: 2, sequence: 0 }));
    ///     Ok(())
    /// }
    /// ```
    pub fn wait_for_publisher(&mut self, timeout: Duration) -> bool {
        self.receiver.wait_for_publisher(timeout)
    }

    /// A handle with which another thread ends this subscriber's wait in [`recv_timeout`](Self::recv_timeout). It lets
    /// a program stop on Ctrl-C without waking up every few milliseconds: `ring/examples/blocking.rs`.
    pub fn interrupter(&self) -> Interrupter {
        self.receiver.interrupter()
    }

    /// Receives as many of the next messages as there are, up to the length of `messages`. Returns how many. The
    /// elements after these have no meaning.
    ///
    /// The messages of a batch are of one epoch, and their numbers follow each other: the last one's is
    /// [`sequence() - 1`](Self::sequence).
    ///
    /// # Errors
    /// [`TryRecvError`], if there was no message at all. An event that ends a batch is returned by the next call.
    pub fn recv_batch(&mut self, messages: &mut [T]) -> Result<usize, TryRecvError> {
        self.receiver.receive_batch(messages.iter_mut().map(|message| |words: &[Word]| copy::load_over(words, message)))
    }

    /// Returns a file descriptor that becomes readable when there is something to receive, so that an event loop (`poll`,
    /// `epoll`, an asynchronous runtime) waits for this ring and for other sources at once: see [`Notifier`] and
    /// `ring/examples/event_loop.rs`. Starts a thread, which sleeps on the ring; the publisher wakes it with one system
    /// call, as it wakes a subscriber of [`WaitStrategy::Block`].
    ///
    /// # Errors
    /// If the descriptor or the thread cannot be made.
    pub fn notifier(&self) -> io::Result<Notifier> {
        self.receiver.notifier()
    }

    /// Receives the newest message, if it was not received yet. The messages before it count as skipped, whether the
    /// ring still held them or not.
    ///
    /// # Errors
    /// [`TryRecvError`], as [`try_recv`](Self::try_recv). `Lagged` in a ring so small that the publisher overtakes
    /// several attempts in a row.
    pub fn latest(&mut self) -> Result<T, TryRecvError> {
        self.receiver.latest(copy::load_value)
    }

    /// As [`latest`](Self::latest), and tells the message's number and epoch.
    ///
    /// # Errors
    /// As [`latest`](Self::latest).
    pub fn latest_numbered(&mut self) -> Result<Received<T>, TryRecvError> {
        let message = self.latest()?;
        Ok(self.numbered(message))
    }

    /// The message that was received last, with its number and epoch.
    #[inline(always)]
    fn numbered(&self, message: T) -> Received<T> {
        Received::last(self.receiver.cursor(), message)
    }

    /// The sequence number of the next message that [`try_recv`](Self::try_recv) will return if none is lost. The
    /// message returned last has the number before it.
    #[inline]
    pub fn sequence(&self) -> u64 {
        self.receiver.cursor().next()
    }

    /// The sequence number at which this subscriber joined.
    pub fn first(&self) -> u64 {
        self.receiver.cursor().first()
    }

    /// Number of messages that were returned.
    pub fn received(&self) -> u64 {
        self.receiver.cursor().received()
    }

    /// Number of messages that were overwritten before they were read.
    pub fn lost(&self) -> u64 {
        self.receiver.cursor().lost()
    }

    /// Number of messages that [`latest`](Self::latest) skipped.
    pub fn skipped(&self) -> u64 {
        self.receiver.cursor().skipped()
    }

    /// Number of messages that are published and not yet received. Reads a cache line that the publisher writes with
    /// each message, so frequent calls slow the publisher down.
    pub fn lag(&self) -> u64 {
        self.receiver.cursor().lag()
    }

    /// Number of slots. The ring holds the last `capacity - 1` messages.
    pub fn capacity(&self) -> usize {
        self.receiver.cursor().view().capacity() as usize
    }

    /// The epoch that was reported last: 1 for a ring's first publisher, and one more for each publisher that took it
    /// over. The last message returned is of this epoch, except after
    /// [`RestartsUnknown`](TryRecvError::RestartsUnknown). 0 if the subscriber joined among messages of unknown epochs.
    pub fn epoch(&self) -> u64 {
        self.receiver.cursor().epoch()
    }

    /// Whether a publisher lives. Asks the kernel.
    pub fn publisher_is_alive(&self) -> bool {
        self.receiver.publisher_is_alive()
    }

    /// Sets whether to let the publisher get ahead in a stream at full speed. It is for rings within a process; for other
    /// rings there is the option [`SubscriberOptions::hold_back`](crate::SubscriberOptions::hold_back), which says what
    /// it does.
    pub fn set_hold_back(&mut self, hold_back: bool) {
        self.receiver.hold_back.wanted = hold_back;
    }

    /// How often it paused to let the publisher get ahead: see
    /// [`SubscriberOptions::hold_back`](crate::SubscriberOptions::hold_back).
    pub fn held_back(&self) -> u64 {
        self.receiver.hold_back.times
    }

    /// Why this subscriber has no entry in the ring's control file. `None` if it has one.
    ///
    /// Without an entry it receives all the same, but neither the publisher nor a tool counts it. All 1,024 entries may be
    /// taken; and where `control` cannot be written (a file system that is mounted read-only, a file that somebody cut
    /// short), a publisher does not see either that this subscriber sleeps: with
    /// [`WaitStrategy::Block`](crate::WaitStrategy::Block) it looks for a message every 5 ms. A ring within the process
    /// has no entries.
    pub fn without_entry(&self) -> Option<&str> {
        self.receiver.without_entry()
    }

    /// Where the kernel has placed the segment, as this subscriber sees it: the outcome of the options. Reads
    /// `/proc/self/smaps`, which takes milliseconds in a large process: call it once the ring is open, not while
    /// receiving.
    ///
    /// # Errors
    /// If `/proc` cannot be read, or the ring is within the process and so has no mapping.
    pub fn placement(&self) -> io::Result<Placement> {
        look(self.receiver.memory(), Side::Subscriber)
    }
}

impl Notifier {
    /// Makes the descriptor readable once `subscriber` has something to receive. Call it after the subscriber returned
    /// [`Empty`](TryRecvError::Empty), and with the subscriber that made this notifier. It also records the
    /// subscriber's position for tools.
    pub fn arm<T: Payload>(&self, subscriber: &Subscriber<T>) {
        self.arm_for_receiver(&subscriber.receiver);
    }

    /// Makes the descriptor readable once a publisher takes the ring over, or there is another event that `subscriber`
    /// has not returned: what [`wait_for_publisher`](Subscriber::wait_for_publisher) waits for. Call it after the
    /// subscriber returned [`PublisherDead`](TryRecvError::PublisherDead) or [`Closed`](TryRecvError::Closed).
    pub fn arm_for_publisher<T: Payload>(&self, subscriber: &Subscriber<T>) {
        self.arm_receiver_for_publisher(&subscriber.receiver);
    }
}

impl<T> Subscriber<T> {
    /// The header's words. `None` within a process, where there is no header.
    pub(crate) fn header(&self) -> Option<&Memory<Word>> {
        let view = self.receiver.cursor().view();
        view.layout().has_header().then(|| view.memory())
    }
}

impl<T> std::fmt::Debug for Subscriber<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cursor = self.receiver.cursor();
        f.debug_struct("Subscriber")
            .field("sequence", &cursor.next())
            .field("received", &cursor.received())
            .field("lost", &cursor.lost())
            .field("skipped", &cursor.skipped())
            .finish()
    }
}
