//! A publisher of messages that are bytes, of a size known when the program runs.

use std::io;
use std::path::Path;

use super::ahead::Ahead;
use super::writer::Writer;
use crate::error::CloseError;
use crate::format::message::MessageFormat;
use crate::protocol::copy;
use crate::protocol::slots::Dynamic;
use crate::protocol::wait::Wake;
use crate::transport::host::Made;

/// The one publisher of a ring whose messages are bytes. A typed [`Publisher`](crate::Publisher) of the same schema makes
/// the same ring, and each may take over what the other left.
///
/// It costs a few nanoseconds a message more than the typed one: the copy's length is not known to the compiler.
///
/// ```
/// # let root = tempfile::tempdir()?;
/// use feed_ring::{Join, raw};
///
/// let format = raw::MessageFormat::parse("Tick 16 8\ntime u64 0\nprice i64 8\n")?;
/// let mut publisher = raw::Publisher::options("ticks", format).root(root.path()).create_raw()?;
/// let mut subscriber = raw::Subscriber::options("ticks").root(root.path()).join(Join::Oldest).open_raw()?;
/// publisher.publish(&[7; 16]);
/// let mut message = [0; 16];
/// subscriber.recv_into(&mut message)?;
/// assert_eq!(message, [7; 16]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RawPublisher {
    writer: Writer<Dynamic>,
    format: MessageFormat,
}

impl RawPublisher {
    pub(super) fn new(made: Made, wake: Wake, format: MessageFormat) -> Self {
        let stride = Dynamic::of(&made.layout);
        RawPublisher { writer: Writer::new(made, stride, wake), format }
    }

    /// Publishes one message and returns its sequence number.
    ///
    /// # Panics
    /// If it is not as long as the format says.
    #[inline]
    pub fn publish(&mut self, message: &[u8]) -> u64 {
        let (found, expected) = (message.len(), self.format.size());
        assert!(found == expected, "a message of {found} bytes, {expected} expected");
        self.writer.publish(|words| copy::store_bytes(words, message))
    }

    /// What its messages are.
    pub fn format(&self) -> &MessageFormat {
        &self.format
    }

    /// From now on takes cache lines over so far ahead; [`Ahead::One`] until then.
    pub fn set_ahead(&mut self, ahead: Ahead) {
        self.writer.ahead = ahead;
    }

    /// The sequence number that the next message will have: so many were published since the ring began at 0.
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

    /// How many subscribers are attached: see [`Publisher::subscribers`](crate::Publisher::subscribers).
    ///
    /// # Errors
    /// What the kernel says, which it has no reason to.
    pub fn subscribers(&self) -> io::Result<usize> {
        self.writer.host().subscribers()
    }

    /// Whether the segment's file was cut short: see [`Publisher::is_cut_off`](crate::Publisher::is_cut_off).
    pub fn is_cut_off(&self) -> bool {
        self.writer.slots().memory().is_cut_short()
    }

    /// Where the ring's files are, or the socket of a sealed ring.
    pub fn path(&self) -> Option<&Path> {
        self.writer.host().path()
    }

    /// Ends the ring: see [`Publisher::close`](crate::Publisher::close).
    ///
    /// # Errors
    /// If its files cannot be removed. The ring is closed all the same.
    pub fn close(mut self) -> Result<(), CloseError> {
        self.writer.end()
    }
}

impl std::fmt::Debug for RawPublisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawPublisher").field("published", &self.published()).field("format", &self.format).finish()
    }
}
