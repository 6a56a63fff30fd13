//! The untyped publisher: its messages are bytes, of a size known only at run time.

use std::io;
use std::ops::Range;
use std::path::Path;

use super::ahead::Ahead;
use super::writer::Writer;
use crate::error::CloseError;
use crate::format::layout::slot_words;
use crate::format::message::MessageFormat;
use crate::placement::{Placement, Side, look::look};
use crate::protocol::copy;
use crate::protocol::slots::DynamicStride;
use crate::protocol::wake::Wake;
use crate::transport::host::Made;

/// The one publisher of a ring whose messages are bytes. A typed [`Publisher`](crate::Publisher) with the same schema
/// makes the same ring, and each can take over the other's ring.
///
/// A message costs a few nanoseconds more than with the typed publisher, because the compiler does not know the copy's
/// length. Where the program knows it, [`publish_array`](Self::publish_array) costs three instructions more.
///
/// ```no_run
/// use feed_ring::{Join, raw};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let format = raw::MessageFormat::parse("Tick 16 8\ntime u64 0\nprice i64 8\n")?;
///     let mut publisher = raw::Publisher::options("ticks", format).create_raw()?;
///     let mut subscriber = raw::Subscriber::options("ticks").join(Join::Oldest).open_raw()?; // in another process
///     publisher.publish(&[7; 16]);
///     let mut message = [0; 16];
///     subscriber.recv_into(&mut message)?;
///     assert_eq!(message, [7; 16]);
///     Ok(())
/// }
/// ```
pub struct RawPublisher {
    pub(super) writer: Writer<DynamicStride>,
    format: MessageFormat,
}

impl RawPublisher {
    pub(super) fn new(made: Made, wake: Wake, format: MessageFormat) -> Self {
        let stride = DynamicStride::of(&made.layout);
        RawPublisher { writer: Writer::new(made, stride, wake), format }
    }

    /// Publishes one message and returns its sequence number.
    ///
    /// # Panics
    /// If `message` is not as long as the format says.
    #[inline]
    pub fn publish(&mut self, message: &[u8]) -> u64 {
        self.format.expect("a message", message);
        self.writer.publish(|words| copy::store_bytes(words, message))
    }

    /// Publishes messages that lie one after the other, in order, each as [`publish`](Self::publish) does. Returns their
    /// sequence numbers.
    ///
    /// # Panics
    /// If the length of `messages` is not a multiple of the format's size. Nothing is published then.
    #[inline]
    pub fn publish_batch(&mut self, messages: &[u8]) -> Range<u64> {
        let (found, size) = (messages.len(), self.format.size());
        assert!(found.is_multiple_of(size), "messages of {found} bytes, a multiple of {size} expected");
        let first = self.published();
        for message in messages.chunks_exact(size) {
            self.writer.publish(|words| copy::store_bytes(words, message));
        }
        first..self.published()
    }

    /// As [`publish`](Self::publish), for a message of a length that the compiler knows.
    ///
    /// # Panics
    /// If `N` is not the format's size.
    #[inline(always)]
    pub fn publish_array<const N: usize>(&mut self, message: &[u8; N]) -> u64 {
        self.format.expect_arrays::<N>();
        // It follows from the size. The compiler learns it here, and finds slots by shifts and without checks.
        assert!(self.writer.slots().words() == const { slot_words(N) }, "slots of another size");
        self.writer.publish(|words| copy::store_bytes(words, message))
    }

    /// As [`publish_batch`](Self::publish_batch), for messages of a length that the compiler knows.
    ///
    /// # Panics
    /// If `N` is not the format's size. Nothing is published then.
    #[inline]
    pub fn publish_arrays<const N: usize>(&mut self, messages: &[[u8; N]]) -> Range<u64> {
        self.format.expect_arrays::<N>();
        let first = self.published();
        for message in messages {
            self.publish_array(message);
        }
        first..self.published()
    }

    /// The format of the messages.
    #[inline]
    pub fn format(&self) -> &MessageFormat {
        &self.format
    }

    /// Sets how many messages ahead it brings cache lines to its core, as the option
    /// [`PublisherOptions::ahead`](crate::PublisherOptions::ahead) does.
    pub fn set_ahead(&mut self, ahead: Ahead) {
        self.writer.ahead = ahead;
    }

    /// The sequence number of the next message: the number of messages published since the ring began at 0.
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

    /// How many subscribers are attached: see [`Publisher::subscribers`](crate::Publisher::subscribers).
    ///
    /// # Errors
    /// If the kernel refuses the question, for which it has no reason.
    pub fn subscribers(&self) -> io::Result<usize> {
        self.writer.life.host().subscribers()
    }

    /// Whether the segment's file was cut short: see [`Publisher::is_cut_off`](crate::Publisher::is_cut_off).
    pub fn is_cut_off(&self) -> bool {
        self.writer.slots().memory().is_cut_short()
    }

    /// How this publisher finds out that a subscriber sleeps: see [`Publisher::wake`](crate::Publisher::wake).
    pub fn wake(&self) -> Wake {
        self.writer.life.wake()
    }

    /// The directory of the ring, or the socket of a sealed ring.
    pub fn path(&self) -> Option<&Path> {
        self.writer.life.host().path()
    }

    /// Ends the ring: see [`Publisher::close`](crate::Publisher::close).
    ///
    /// # Errors
    /// If the files cannot be removed. The ring is closed all the same.
    pub fn close(mut self) -> Result<(), CloseError> {
        self.writer.life.end()
    }

    /// Ends this publisher and leaves the ring open for the next one: see
    /// [`Publisher::leave`](crate::Publisher::leave).
    pub fn leave(mut self) {
        self.writer.life.leave();
    }

    /// Where the kernel has placed the segment: see [`Publisher::placement`](crate::Publisher::placement).
    ///
    /// # Errors
    /// If `/proc` cannot be read.
    pub fn placement(&self) -> io::Result<Placement> {
        look(self.writer.slots().memory(), Side::Publisher)
    }
}

impl std::fmt::Debug for RawPublisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawPublisher").field("published", &self.published()).field("format", &self.format).finish()
    }
}
