//! A contender: a way to open one direction of a connection, with a sender and a receiver.
//!
//! The harness opens two connections, one in each direction. Only the ping-pong uses the second.

use super::message::Message;
use super::private_dir::PrivateDir;

/// The direction of a connection. Its name is part of file names, so the two connections do not collide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the publisher to the subscriber.
    Ping,
    /// From the subscriber to the publisher.
    Pong,
}

impl Direction {
    /// The name of the direction, for file names.
    pub fn name(self) -> &'static str {
        match self {
            Direction::Ping => "ping",
            Direction::Pong => "pong",
        }
    }
}

/// A way to move messages of `W` words in one direction.
pub trait Contender<const W: usize> {
    /// What both sides inherit (descriptors, names, memory). It is made before the fork.
    type Link: Sync;
    /// The sending end.
    type Sender: Sender<W>;
    /// The receiving end.
    type Receiver: Receiver<W>;

    /// Whether the sender never waits for the receiver. Only then can publishing be measured without a reader.
    const NEVER_WAITS: bool;

    /// Whether the subscriber shares its core with other processes on purpose. Rounds in which it loses the core then
    /// count.
    fn shares_core(&self) -> bool {
        false
    }

    /// Makes the link. All its files go into `dir`, which is removed even after a crash.
    ///
    /// # Errors
    /// The kernel's or the peer's; [`Unavailable`] if this machine does not offer the mechanism.
    fn link(&self, dir: &PrivateDir, direction: Direction) -> anyhow::Result<Self::Link>;

    /// Opens the sending end. It may wait for the receiver to appear.
    ///
    /// # Errors
    /// The kernel's or the peer's.
    fn sender(&self, link: &Self::Link) -> anyhow::Result<Self::Sender>;

    /// Opens the receiving end. It may wait for the sender to appear.
    ///
    /// # Errors
    /// The kernel's or the peer's.
    fn receiver(&self, link: &Self::Link) -> anyhow::Result<Self::Receiver>;
}

/// The sending end of a connection.
pub trait Sender<const W: usize> {
    /// Sends one whole message.
    ///
    /// # Errors
    /// The receiver is gone; else the kernel's or the peer's.
    fn send(&mut self, message: &Message<W>) -> anyhow::Result<()>;
}

/// The receiving end of a connection.
pub trait Receiver<const W: usize> {
    /// Waits for the next message and passes it to `look` without copying it first.
    ///
    /// A lapped receiver skips the lost messages silently: the harness counts losses by the message numbers.
    ///
    /// # Errors
    /// The sender is gone; else the kernel's or the peer's.
    fn receive<R>(&mut self, look: impl FnOnce(&Message<W>) -> R) -> anyhow::Result<R>;
}

/// This machine does not offer the mechanism. The report lists the row as skipped and continues.
#[derive(Debug)]
pub struct Unavailable(pub String);

impl std::fmt::Display for Unavailable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unavailable {}
