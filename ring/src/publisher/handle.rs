//! The typed publisher: the one handle that writes to a ring. It never waits for a subscriber.

use std::io;
use std::ops::Range;
use std::path::Path;

use super::ahead::Ahead;
use super::writer::Writer;
use crate::error::CloseError;
use crate::format::payload::Payload;
use crate::memory::Memory;
use crate::placement::{Placement, Side, look::look};
use crate::protocol::copy;
use crate::protocol::slots::StrideOf;
use crate::protocol::wake::Wake;
use crate::sync::WriteWord;
use crate::transport::host::Made;

/// The one publisher of a ring.
///
/// Dropping it closes the ring, as [`close`](Self::close) does. The exception is a panic that unwinds through it:
/// subscribers then learn that the publisher died. [`leave`](Self::leave) leaves the ring open for the next publisher.
///
/// A forked child must not publish: the ring's memory is not mapped there. It may drop its copy, or call
/// [`close`](Self::close); neither changes the ring. The child should `exec` or end before the parent does. Until then
/// a parent that died looks alive to subscribers, and its name stays taken.
///
/// ```no_run
/// use feed_ring::{Join, Publisher, Subscriber};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let mut publisher = Publisher::<[u64; 2]>::options("ticks").create()?;
///     let mut subscriber = Subscriber::<[u64; 2]>::options("ticks").join(Join::Oldest).open()?; // in another process
///     assert_eq!(publisher.publish(&[100, 7]), 0); // the first message has sequence 0
///     assert_eq!(subscriber.recv()?, [100, 7]);
///     publisher.close()?;
///     Ok(())
/// }
/// ```
pub struct Publisher<T> {
    pub(super) writer: Writer<StrideOf<T>>,
}

impl<T: Payload> Publisher<T> {
    /// Publishes on a ring in which a new epoch has begun.
    pub(crate) fn new(made: Made, wake: Wake) -> Self {
        Publisher { writer: Writer::new(made, StrideOf::STRIDE, wake) }
    }

    /// Publishes one message and returns its sequence number. Wait-free: it writes the message's cache lines and does
    /// not allocate. It makes a system call only to wake subscribers that sleep: the first message after they went to
    /// sleep wakes them all.
    #[inline]
    pub fn publish(&mut self, message: &T) -> u64 {
        self.writer.publish(|words| copy::store(words, message))
    }

    /// Sets how many messages ahead it brings cache lines to its core. It is for rings within a process; for other rings
    /// there is the option [`PublisherOptions::ahead`](crate::PublisherOptions::ahead).
    pub fn set_ahead(&mut self, ahead: Ahead) {
        self.writer.ahead = ahead;
    }

    /// As [`RelayPublisher::pass_over`](crate::raw::RelayPublisher::pass_over), for a ring within a process.
    #[doc(hidden)]
    pub fn pass_over(&mut self, until: u64) {
        self.writer.pass_over(until);
    }

    /// As [`RelayPublisher::begin_epoch`](crate::raw::RelayPublisher::begin_epoch), for a ring within a process.
    #[doc(hidden)]
    pub fn begin_epoch(&mut self, epoch: u64) {
        self.writer.begin_epoch(epoch);
    }

    /// Publishes messages in order, each as [`publish`](Self::publish) does, and returns their sequence numbers.
    #[inline]
    pub fn publish_batch(&mut self, messages: &[T]) -> Range<u64> {
        let first = self.published();
        for message in messages {
            self.publish(message);
        }
        first..self.published()
    }

    /// Publishes the message that `fill` writes into a zeroed message, and returns its sequence number. `fill` works
    /// outside the ring, so no subscriber sees a partial message.
    #[inline]
    pub fn publish_with(&mut self, fill: impl FnOnce(&mut T)) -> u64 {
        let mut message = T::zeroed();
        fill(&mut message);
        self.publish(&message)
    }

    /// The sequence number of the next message: the number of messages published since the ring began at 0.
    #[inline]
    pub fn published(&self) -> u64 {
        self.writer.next()
    }

    /// The epoch: 1 for a new ring's first publisher, and one more for each publisher that took it over.
    pub fn epoch(&self) -> u64 {
        self.writer.life.epoch()
    }

    /// Number of slots. The ring holds the last `capacity - 1` messages.
    pub fn capacity(&self) -> usize {
        self.writer.slots().capacity() as usize
    }

    /// How many subscribers are attached now. A subscriber that died, in whatever way, does not count. At most 1,024
    /// are counted; more may subscribe. Costs one system call for each subscriber.
    ///
    /// # Errors
    /// If the kernel refuses the question, for which it has no reason.
    pub fn subscribers(&self) -> io::Result<usize> {
        self.writer.life.host().subscribers()
    }

    /// Whether the segment's file was cut short under this publisher, and the [`guard`](crate::guard) put private
    /// memory in its place. Messages published since then reach nobody, and subscribers receive
    /// [`CutShort`](crate::TryRecvError::CutShort). End this publisher, find out who may write to the file, and make a
    /// new ring. Without the guard the process would have died of SIGBUS. Costs one load of a word that does not
    /// change: cheap enough to check after every batch.
    pub fn is_cut_off(&self) -> bool {
        self.writer.slots().memory().is_cut_short()
    }

    /// How this publisher finds out that a subscriber sleeps: as the options say, or `Fence` where the kernel refused.
    pub fn wake(&self) -> Wake {
        self.writer.life.wake()
    }

    /// The directory of the ring, or the socket of a sealed ring. `None` for a ring within the process.
    pub fn path(&self) -> Option<&Path> {
        self.writer.life.host().path()
    }

    pub(crate) fn words(&self) -> &Memory<WriteWord> {
        self.writer.slots().memory()
    }

    /// The first sequence of an epoch. Valid only for the last few epochs.
    pub(crate) fn begin(&self, epoch: u64) -> u64 {
        self.writer.begin(epoch)
    }

    /// Whether message `sequence` is in the ring and has the same bytes as this one.
    pub(crate) fn holds(&self, sequence: u64, message: &T) -> bool {
        let mut found = T::zeroed();
        self.writer.read(sequence, |words| copy::load_over(words, &mut found))
            && copy::bytes_of(&found) == copy::bytes_of(message)
    }

    /// Ends the ring. Subscribers read it to its end and then receive `Closed`. Its files are removed, unless the
    /// options say to keep them.
    ///
    /// # Errors
    /// If the files cannot be removed. The ring is closed all the same.
    pub fn close(mut self) -> Result<(), CloseError> {
        self.writer.life.end()
    }

    /// Ends this publisher and leaves the ring open for the next one, for a planned restart. Subscribers stay attached.
    /// They read what was published, and it is to them as if this publisher had died: they receive `PublisherDead`, may
    /// [wait](crate::Subscriber::wait_for_publisher), and receive `Restarted` once the next publisher has taken the ring
    /// over. If that one is quicker than they are, they receive `Restarted` only. No message is lost by it.
    ///
    /// - A ring **on disk** keeps its files. The next [`create`](crate::PublisherOptions::create) of the name takes it
    ///   over, or replaces it if it has another geometry. Nobody else removes the files but `ringctl clean`, and that only
    ///   while no subscriber is attached.
    /// - A **sealed** ring cannot be taken over. Its socket is removed. Subscribers receive `PublisherDead` at its end and
    ///   must connect again; the next publisher's ring is a new one, from sequence 0.
    /// - A ring **within the process** is taken over with [`InProcess::take_over`](crate::InProcess::take_over). After the
    ///   last handle is gone nobody can, and subscribers go on receiving `PublisherDead`.
    ///
    /// ```
    /// use feed_ring::{Join, Publisher, RecvError, Subscriber};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let publisher = || Publisher::<u64>::options("leaving").create();
    ///     let mut first = publisher()?;
    ///     let mut subscriber = Subscriber::<u64>::options("leaving").join(Join::Oldest).open()?;
    ///     first.publish(&7);
    ///     first.leave();
    ///     let mut second = publisher()?;
    ///     second.publish(&8);
    ///     assert_eq!(subscriber.recv()?, 7);
    ///     assert_eq!(subscriber.recv(), Err(RecvError::Restarted { epoch: 2, sequence: 1 }));
    ///     assert_eq!(subscriber.recv()?, 8);
    ///     Ok(())
    /// }
    /// ```
    pub fn leave(mut self) {
        self.writer.life.leave();
    }

    /// Where the kernel has placed the segment. Reads `/proc/self/smaps`, which takes milliseconds in a large process:
    /// call it once the ring is made, not while publishing.
    ///
    /// # Errors
    /// If `/proc` cannot be read, or the ring is within the process and so has no mapping.
    pub fn placement(&self) -> io::Result<Placement> {
        look(self.writer.slots().memory(), Side::Publisher)
    }
}

impl<T> std::fmt::Debug for Publisher<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher")
            .field("published", &self.writer.next())
            .field("capacity", &self.writer.slots().capacity())
            .finish()
    }
}
