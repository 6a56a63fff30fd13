//! The subscriber: a handle that reads, at its own pace, and accounts for every message.

use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

use super::notify::Notifier;
use super::receiver::Receiver;
use crate::error::{RecvError, TryRecvError};
use crate::format::payload::Payload;
use crate::placement::{Placement, Side, look::look};
use crate::protocol::copy;
use crate::protocol::cursor::Join;
use crate::protocol::slots::Of;
use crate::protocol::wait::{Interrupter, WaitStrategy};
use crate::sync::Word;
use crate::transport::attachment::Opened;

/// One subscriber of a ring. It reads what the publisher wrote and writes nothing that the publisher waits for.
///
/// At every moment `first() + received() + lost() + skipped() == sequence()`: every message from the one it joined at is
/// accounted for.
///
/// A forked child must not receive with it: the ring's memory is not mapped there, nor does the thread run that
/// [`WaitStrategy::Block`] or a [`Notifier`] started. It may drop its copy, which leaves the parent's subscription as it
/// is, and open one of its own. Until it does, or becomes another program, or ends, a parent that died is still counted
/// among the subscribers.
///
/// ```
/// use feed_ring::{Join, TryRecvError, in_process};
///
/// let (mut publisher, ring) = in_process::<u64>(4)?; // holds 3 messages
/// let mut subscriber = ring.subscribe(Join::Oldest);
/// publisher.publish_batch(&[10, 11, 12, 13, 14]);
/// assert_eq!(subscriber.try_recv(), Err(TryRecvError::Lagged { missed: 2 }));
/// assert_eq!(subscriber.try_recv(), Ok(12));
/// assert_eq!(subscriber.latest(), Ok(14));
/// assert_eq!(subscriber.try_recv(), Err(TryRecvError::Empty));
/// let s = subscriber;
/// assert_eq!((s.first(), s.received(), s.lost(), s.skipped(), s.sequence()), (0, 2, 2, 1, 5));
/// # Ok::<(), feed_ring::CreateError>(())
/// ```
pub struct Subscriber<T> {
    pub(super) receiver: Receiver<Of<T>>,
}

impl<T: Payload> Subscriber<T> {
    /// Joins a ring that was opened.
    pub(crate) fn new(opened: Opened, join: Join, wait: WaitStrategy) -> io::Result<Self> {
        Ok(Subscriber { receiver: Receiver::new(opened, Of::STRIDE, join, wait)? })
    }

    /// The next message, if there is one.
    ///
    /// After [`TryRecvError::Lagged`] the next call goes on with a message that the ring still holds: not the oldest, which
    /// would be overwritten at once, but an eighth of the ring or 1,024 messages after it, whichever is less. These count
    /// as lost, too. Once the ring has ended or its publisher is dead, it is the oldest.
    ///
    /// That the publisher died is noticed by asking the kernel, on the first empty call, then after 16 empty calls and
    /// half a millisecond: who calls seldom can ask with [`publisher_is_alive`](Self::publisher_is_alive).
    ///
    /// # Errors
    /// [`TryRecvError`]: `Empty` if there is none yet. Only after `Corrupt` and `CutShort` is there no point in
    /// calling again.
    #[inline]
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.receiver.attempt(false, by_value)
    }

    /// As [`try_recv`](Self::try_recv), into a message that is there already: for messages of several cache lines, which
    /// are then copied once and not moved again. After an error the message is a message still, but of no meaning: words
    /// of several may be mixed in it.
    ///
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    #[inline]
    pub fn try_recv_into(&mut self, message: &mut T) -> Result<(), TryRecvError> {
        self.receiver.attempt(false, |words| copy::load_over(words, message))
    }

    /// The next message, as soon as there is one. Nothing interrupts it: a program that must be able to end waits with
    /// [`recv_timeout`](Self::recv_timeout), whose timeout may be [`Duration::MAX`].
    ///
    /// # Errors
    /// [`RecvError`], as [`try_recv`](Self::try_recv). `Closed`, `PublisherDead` and `Superseded` come again at once when it
    /// is called again: see [`wait_for_publisher`](Self::wait_for_publisher).
    #[inline]
    pub fn recv(&mut self) -> Result<T, RecvError> {
        self.receiver.receive(by_value)
    }

    /// As [`recv`](Self::recv), into a message that is there already: see [`try_recv_into`](Self::try_recv_into).
    ///
    /// # Errors
    /// [`RecvError`], as [`try_recv`](Self::try_recv).
    #[inline]
    pub fn recv_into(&mut self, message: &mut T) -> Result<(), RecvError> {
        self.receiver.receive(|words| copy::load_over(words, message))
    }

    /// The next message, if one comes within `timeout`, which may be [`Duration::MAX`], and before this subscriber is
    /// [interrupted](Self::interrupter).
    ///
    /// # Errors
    /// [`TryRecvError`], `Empty` if none came in time. That the ring ended or its publisher died is told at once, and again
    /// at once when it is called again: see [`wait_for_publisher`](Self::wait_for_publisher).
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<T, TryRecvError> {
        self.receiver.receive_within(timeout, by_value)
    }

    /// After [`PublisherDead`](TryRecvError::PublisherDead), or [`Closed`](TryRecvError::Closed) where rings are kept when
    /// they are closed: waits until a publisher takes the ring over, for at most `timeout`, which may be
    /// [`Duration::MAX`]. True means that it is worth receiving again: there is a publisher, or something else that the
    /// next receive will tell of, such as another ring that took the name. False means that nothing came in time, or that
    /// this subscriber was [interrupted](Self::interrupter).
    ///
    /// It sleeps, whatever the [`WaitStrategy`]; a takeover wakes it. Not every ring comes back: one that was closed and
    /// removed, and a sealed one, never do. Bound the wait then, and [open](SubscriberOptions::open) the name again.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use feed_ring::{Join, TryRecvError, in_process};
    ///
    /// let (publisher, ring) = in_process::<u64>(64)?;
    /// let mut subscriber = ring.subscribe(Join::Oldest);
    /// publisher.close()?;
    /// assert_eq!(subscriber.try_recv(), Err(TryRecvError::Closed));
    /// assert!(!subscriber.wait_for_publisher(Duration::from_millis(1)));
    /// let _publisher = ring.take_over();
    /// assert!(subscriber.wait_for_publisher(Duration::MAX));
    /// assert_eq!(subscriber.try_recv(), Err(TryRecvError::Restarted { epoch: 2, sequence: 0 }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_for_publisher(&mut self, timeout: Duration) -> bool {
        self.receiver.wait_for_publisher(timeout)
    }

    /// What calls this subscriber back from another thread when it waits in [`recv_timeout`](Self::recv_timeout), so that a
    /// program can end on Ctrl-C without looking up every few milliseconds.
    pub fn interrupter(&self) -> Interrupter {
        self.receiver.interrupter()
    }

    /// As many of the next messages as there are and as `messages` has room for; returns how many. What the elements
    /// behind them hold afterwards has no meaning.
    ///
    /// # Errors
    /// [`TryRecvError`], if there was not a single message; what ends a batch is reported by the next call.
    pub fn recv_batch(&mut self, messages: &mut [T]) -> Result<usize, TryRecvError> {
        self.receiver.receive_batch(messages.iter_mut().map(|message| |words: &[Word]| copy::load_over(words, message)))
    }

    /// A file descriptor that becomes readable when there is something to receive: see [`Notifier`]. It starts a thread.
    ///
    /// # Errors
    /// If the descriptor or the thread cannot be made.
    pub fn notifier(&self) -> io::Result<Notifier> {
        self.receiver.notifier()
    }

    /// The newest message, if there is one that was not received. The messages before it are passed over and count as
    /// skipped, whether the ring still held them or not.
    ///
    /// # Errors
    /// [`TryRecvError`], as [`try_recv`](Self::try_recv). In a ring so small that the publisher overtakes every attempt,
    /// `Lagged` after some.
    pub fn latest(&mut self) -> Result<T, TryRecvError> {
        self.receiver.latest(by_value)
    }

    /// The sequence number of the next message that [`try_recv`](Self::try_recv) will return if nothing is lost; that of
    /// the last one returned is one less.
    #[inline]
    pub fn sequence(&self) -> u64 {
        self.receiver.cursor().next()
    }

    /// The sequence number that this subscriber joined at.
    pub fn first(&self) -> u64 {
        self.receiver.cursor().first()
    }

    /// How many messages were returned.
    pub fn received(&self) -> u64 {
        self.receiver.cursor().received()
    }

    /// How many messages were overwritten before they were read.
    pub fn lost(&self) -> u64 {
        self.receiver.cursor().lost()
    }

    /// How many messages [`latest`](Self::latest) passed over.
    pub fn skipped(&self) -> u64 {
        self.receiver.cursor().skipped()
    }

    /// How many messages are published and not yet received. Reads a line that the publisher writes with each message:
    /// asking often slows the publisher down.
    pub fn lag(&self) -> u64 {
        self.receiver.cursor().lag()
    }

    /// Slots of the ring; it holds the last `capacity - 1` messages.
    pub fn capacity(&self) -> usize {
        self.receiver.cursor().view().capacity() as usize
    }

    /// The epoch of the last message returned: 1 for a ring's first publisher, one more for each that took over.
    pub fn epoch(&self) -> u64 {
        self.receiver.cursor().epoch()
    }

    /// Whether a publisher lives; asks the kernel.
    pub fn publisher_is_alive(&self) -> bool {
        self.receiver.publisher_is_alive()
    }

    /// Whether it lets the publisher get ahead in a stream at full speed, as it does until told otherwise, if the ring is of
    /// 2,048 slots and 1 MiB at least.
    ///
    /// On some processors a subscriber that is faster than its publisher follows on its heels and takes from it each line
    /// that it is about to write: both go at a fraction of their speed (docs/performance.md has the measurements). So
    /// [`recv`](Self::recv), [`recv_into`](Self::recv_into) and [`recv_timeout`](Self::recv_timeout) pause for 1.5
    /// microseconds at most when they found 64 messages in a row without waiting for one, in less than four microseconds,
    /// the publisher goes on publishing and is not 256 messages ahead. Whatever is slower than that is never held back, nor
    /// are [`try_recv`](Self::try_recv) and [`recv_batch`](Self::recv_batch), which do not wait.
    /// [`held_back`](Self::held_back) counts how often it happened.
    ///
    /// `false` if a message in the middle of such a stream must not wait so long, whatever it costs the publisher.
    pub fn set_hold_back(&mut self, hold_back: bool) {
        self.receiver.hold_back.wanted = hold_back;
    }

    /// How often it let the publisher get ahead: see [`set_hold_back`](Self::set_hold_back).
    pub fn held_back(&self) -> u64 {
        self.receiver.hold_back.times
    }

    /// Where the kernel has the segment now, as this subscriber sees it: what came of the options. It reads
    /// `/proc/self/smaps`, which takes milliseconds in a large process: to be called once the ring is open, not while
    /// receiving.
    ///
    /// # Errors
    /// If `/proc` cannot be read, or for a ring within the process, which has no mapping of its own.
    pub fn placement(&self) -> io::Result<Placement> {
        look(self.receiver.memory(), Side::Subscriber)
    }
}

impl Notifier {
    /// Lets the descriptor become readable when `subscriber`, which is the one that this notifier was made by, has
    /// something to receive. To be called after it has said [`Empty`](TryRecvError::Empty). It also writes down for
    /// tools how far the subscriber is.
    pub fn arm<T: Payload>(&self, subscriber: &Subscriber<T>) {
        self.arm_for_receiver(&subscriber.receiver);
    }

    /// Lets the descriptor become readable when a publisher takes the ring over, or there is something else that is new to
    /// `subscriber`: what [`wait_for_publisher`](Subscriber::wait_for_publisher) waits for. To be called after it
    /// has said [`PublisherDead`](TryRecvError::PublisherDead) or [`Closed`](TryRecvError::Closed).
    pub fn arm_for_publisher<T: Payload>(&self, subscriber: &Subscriber<T>) {
        self.arm_receiver_for_publisher(&subscriber.receiver);
    }
}

/// A copy of a payload that is returned, rather than put where the caller says.
#[inline(always)]
fn by_value<T: Payload>(words: &[Word]) -> T {
    *copy::load(words, &mut MaybeUninit::uninit())
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
