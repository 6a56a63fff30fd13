//! A publisher of another ring's messages, with that ring's numbers and epochs: the far end of a bridge, or a replay.

use std::io;
use std::path::Path;

use super::writer::Writer;
use crate::error::CloseError;
use crate::format::layout::{MAX_SEQUENCE, word};
use crate::format::message::MessageFormat;
use crate::protocol::copy;
use crate::protocol::epochs::KNOWN;
use crate::protocol::slots::DynamicStride;
use crate::protocol::wake::Wake;
use crate::transport::host::Made;

/// Stands for a ring with another ring's numbers in [`PublisherOptions`](crate::PublisherOptions).
#[derive(Clone, Copy, Debug)]
pub enum Relay {}

/// The one publisher of a ring that has the messages of another, its source, under the same numbers and in the same epochs. It may be
/// on another machine, or a replay. Subscribers open it as any ring, and cannot tell the difference:
///
/// - a message that was lost before it came here is [passed over](Self::pass_over): subscribers receive
///   [`Lagged`](crate::TryRecvError::Lagged) in its place;
/// - where the source's publisher restarted, an [epoch begins](Self::begin_epoch): subscribers receive
///   [`Restarted`](crate::TryRecvError::Restarted);
/// - whoever takes the ring over goes on in the same epoch: nothing restarted but the relay. Only a relay of the same source can.
///
/// ```no_run
/// use feed_ring::{Join, raw};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let format = raw::MessageFormat::of::<u64>();
///     let mut relay = raw::RelayPublisher::options("far", format).create_relay(7, 1_000, 3)?;
///     let mut subscriber = raw::Subscriber::options("far").join(Join::Oldest).open_raw()?;
///     assert_eq!(relay.publish(&7u64.to_ne_bytes()), 1_000);
///     relay.pass_over(1_005); // 1,001 to 1,004 were lost on the way
///     assert_eq!(relay.publish(&8u64.to_ne_bytes()), 1_005);
///     let mut message = [0; 8];
///     subscriber.recv_into(&mut message)?;
///     assert_eq!(subscriber.recv_into(&mut message), Err(feed_ring::RecvError::Lagged { missed: 4 }));
///     Ok(())
/// }
/// ```
///
/// Programs of an earlier version refuse such a ring: its ABI is 3.
pub struct RelayPublisher {
    writer: Writer<DynamicStride>,
    format: MessageFormat,
    source: u64,
}

/// Why an [epoch](RelayPublisher::begin_epoch) was not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("epoch {found} cannot follow epoch {newest} in this ring, which knows the last few: expected {} to {}: go on in a fresh ring", newest + 1, newest + KNOWN as u64 - 1)]
pub struct NotFollowing {
    /// The ring's newest epoch.
    pub newest: u64,
    /// The one that was to begin.
    pub found: u64,
}

/// Checks that this epoch is one of the next few: the beginnings of those that subscribers were not told of yet are kept.
pub(crate) fn check_following(newest: u64, epoch: u64) -> Result<(), NotFollowing> {
    let follows = epoch > newest && epoch - newest < KNOWN as u64;
    if follows { Ok(()) } else { Err(NotFollowing { newest, found: epoch }) }
}

impl RelayPublisher {
    pub(super) fn new(made: Made, wake: Wake, format: MessageFormat, source: u64) -> Self {
        let stride = DynamicStride::of(&made.layout);
        RelayPublisher { writer: Writer::new(made, stride, wake), format, source }
    }

    /// Publishes the message with the number [`published`](Self::published), and returns that.
    ///
    /// # Panics
    /// If `message` is not as long as the format says.
    #[inline]
    pub fn publish(&mut self, message: &[u8]) -> u64 {
        self.format.expect("a message", message);
        self.writer.publish(|words| copy::store_bytes(words, message))
    }

    /// Passes over the messages up to `until`, which is published next. Subscribers lose them. Costs a few stores for each, and at
    /// most as many as the ring has slots. As many messages as are passed over leave the ring, as if others had been published.
    ///
    /// # Panics
    /// If `until` is not above [`published`](Self::published), or is 2^62 - 1 or more.
    pub fn pass_over(&mut self, until: u64) {
        let next = self.writer.next();
        assert!((next + 1..MAX_SEQUENCE - 1).contains(&until), "from message {next} on to {until}");
        self.writer.pass_over(until);
    }

    /// Begins this epoch, of which the next message is the first. Epochs in between had no message. A subscriber that sleeps may learn
    /// of it with the next message only.
    ///
    /// # Errors
    /// [`NotFollowing`] if it is not one of the next six. Nothing changes then.
    pub fn begin_epoch(&mut self, epoch: u64) -> Result<(), NotFollowing> {
        check_following(self.epoch(), epoch)?;
        self.writer.begin_epoch(epoch);
        Ok(())
    }

    /// The format of the messages.
    pub fn format(&self) -> &MessageFormat {
        &self.format
    }

    /// This ring's own nonce, and its epoch.
    pub(crate) fn nonce_and_epoch(&self) -> (u64, u64) {
        (self.writer.slots().memory()[word::NONCE].load(), self.epoch())
    }

    /// The nonce of the ring whose messages it has.
    pub fn source(&self) -> u64 {
        self.source
    }

    /// The number of the next message.
    pub fn published(&self) -> u64 {
        self.writer.next()
    }

    /// The epoch of the next message.
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

    /// The directory of the ring, or the socket of a sealed ring.
    pub fn path(&self) -> Option<&Path> {
        self.writer.life.host().path()
    }

    /// Ends the ring, as its source ended: see [`Publisher::close`](crate::Publisher::close).
    ///
    /// # Errors
    /// If the files cannot be removed. The ring is closed all the same.
    pub fn close(mut self) -> Result<(), CloseError> {
        self.writer.life.end()
    }

    /// Ends this publisher and leaves the ring open for the next one: see [`Publisher::leave`](crate::Publisher::leave).
    pub fn leave(mut self) {
        self.writer.life.leave();
    }
}

impl std::fmt::Debug for RelayPublisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RelayPublisher").field("published", &self.published()).field("epoch", &self.epoch()).finish()
    }
}
