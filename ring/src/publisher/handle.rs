//! The publisher: the one handle that writes. It never waits for anybody.

use std::io;
use std::ops::Range;
use std::path::Path;

use super::ahead::Ahead;
use super::writer::Writer;
use crate::error::CloseError;
use crate::format::payload::Payload;
use crate::placement::{Placement, Side, look::look};
use crate::protocol::copy;
use crate::protocol::slots::Of;
use crate::protocol::wait::Wake;
use crate::transport::host::Made;

/// The one publisher of a ring.
///
/// Dropping it closes the ring, as [`close`](Self::close) does; only a panic that unwinds through it does not: then its
/// subscribers learn that it died.
///
/// A forked child must not publish: the ring's memory is not mapped there. It may drop its copy, or call
/// [`close`](Self::close), which do nothing to the ring. It should `exec` or end before the parent does: until then a
/// parent that died looks alive to subscribers, and keeps the name taken.
///
/// ```
/// # let root = tempfile::tempdir()?;
/// use feed_ring::{Join, Publisher, Subscriber};
///
/// let mut publisher = Publisher::<[u64; 2]>::options("ticks").root(root.path()).create()?;
/// let mut subscriber = Subscriber::<[u64; 2]>::options("ticks").root(root.path()).join(Join::Oldest).open()?;
/// assert_eq!(publisher.publish(&[100, 7]), 0); // the first message has sequence 0
/// assert_eq!(subscriber.recv()?, [100, 7]);
/// publisher.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Publisher<T> {
    writer: Writer<Of<T>>,
}

impl<T: Payload> Publisher<T> {
    /// Goes on with a ring in which an epoch was begun.
    pub(crate) fn new(made: Made, wake: Wake) -> Self {
        Publisher { writer: Writer::new(made, Of::STRIDE, wake) }
    }

    /// Publishes one message and returns its sequence number. Wait-free: it writes the message's cache lines, and no
    /// allocation is made; nor a system call, but for the one that wakes subscribers if some sleep: the first message after
    /// they went to sleep wakes them all.
    #[inline]
    pub fn publish(&mut self, message: &T) -> u64 {
        self.writer.publish(|words| copy::store(words, message))
    }

    /// From now on takes cache lines over so far ahead; [`Ahead::One`] until then.
    pub fn set_ahead(&mut self, ahead: Ahead) {
        self.writer.ahead = ahead;
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

    /// Publishes the message that `fill` makes out of one of all zero bytes, and returns its sequence number. The message
    /// is made outside the ring and then published: nobody sees it half made.
    #[inline]
    pub fn publish_with(&mut self, fill: impl FnOnce(&mut T)) -> u64 {
        let mut message = T::new_zeroed();
        fill(&mut message);
        self.publish(&message)
    }

    /// The sequence number that the next message will have: so many were published since the ring began at 0.
    #[inline]
    pub fn published(&self) -> u64 {
        self.writer.next()
    }

    /// The epoch: 1 for a new ring's first publisher, one more for each that took it over.
    pub fn epoch(&self) -> u64 {
        self.writer.epoch()
    }

    /// Slots of the ring; it holds the last `capacity - 1` messages.
    pub fn capacity(&self) -> usize {
        self.writer.slots().capacity() as usize
    }

    /// How many subscribers are attached now. Those that died do not count, however they died. Up to 1,024 of them are
    /// counted; more may subscribe. One system call for each subscriber.
    ///
    /// # Errors
    /// What the kernel says, which it has no reason to.
    pub fn subscribers(&self) -> io::Result<usize> {
        self.writer.host().subscribers()
    }

    /// Whether the segment's file was cut short under this publisher, and the [`guard`](crate::guard) put private memory
    /// in its place: what is published since then reaches nobody, and its subscribers meet
    /// [`CutShort`](crate::TryRecvError::CutShort). End it, find out who may write to the file, and make a new ring. Without
    /// the guard the process would have died of SIGBUS. One load of a word that does not change: cheap enough to ask
    /// after every batch.
    pub fn is_cut_off(&self) -> bool {
        self.writer.slots().memory().is_cut_short()
    }

    /// How this publisher finds out that a subscriber sleeps: as was asked for, or `Fence` where the kernel refused.
    pub fn wake(&self) -> Wake {
        self.writer.wake()
    }

    /// Where the ring's files are, or the socket of a sealed ring; `None` for a ring within the process.
    pub fn path(&self) -> Option<&Path> {
        self.writer.host().path()
    }

    /// Ends the ring: subscribers read it to its end and then meet `Closed`. Its files are removed, unless they are to be
    /// kept.
    ///
    /// # Errors
    /// If they cannot be removed. The ring is closed all the same.
    pub fn close(mut self) -> Result<(), CloseError> {
        self.writer.end()
    }

    /// Where the kernel has the segment now. It reads `/proc/self/smaps`, which takes milliseconds in a large process: to be
    /// called once the ring is there, not while publishing.
    ///
    /// # Errors
    /// If `/proc` cannot be read, or for a ring within the process, which has no mapping of its own.
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
