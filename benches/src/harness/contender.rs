//! What a contender is: a way to open one direction of a connection, a sender and a receiver.
//!
//! The harness opens two of them, one to each side, for the ping-pong; all else goes over the first.

use super::message::Message;
use super::private_dir::PrivateDir;

/// Which of the two connections: it gives files and names on both sides of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the publisher to the subscriber.
    Ping,
    /// Back.
    Pong,
}

impl Direction {
    /// A name to put into a file's name.
    pub fn name(self) -> &'static str {
        match self {
            Direction::Ping => "ping",
            Direction::Pong => "pong",
        }
    }
}

/// A way to move messages of `W` words in one direction.
pub trait Contender<const W: usize> {
    /// What both sides begin with: made before they part, inherited by both (descriptors, names, memory).
    type Link: Sync;
    /// The sending end.
    type Sender: Sender<W>;
    /// The receiving end.
    type Receiver: Receiver<W>;

    /// Whether the sender never waits for the receiver, so that publishing without a reader means something.
    const NEVER_WAITS: bool;

    /// Whether the subscriber shares its core with others on purpose, so that losing the core is part of what is measured.
    fn shares_core(&self) -> bool {
        false
    }

    /// Makes what both sides inherit. All files go into `dir`, whose removal is certain.
    ///
    /// # Errors
    /// What the kernel or the peer says; [`Unavailable`] where this machine does not offer the mechanism.
    fn link(&self, dir: &PrivateDir, direction: Direction) -> anyhow::Result<Self::Link>;

    /// Opens the sending end; may wait for the receiver to appear.
    ///
    /// # Errors
    /// What the kernel or the peer says.
    fn sender(&self, link: &Self::Link) -> anyhow::Result<Self::Sender>;

    /// Opens the receiving end; may wait for the sender to appear.
    ///
    /// # Errors
    /// What the kernel or the peer says.
    fn receiver(&self, link: &Self::Link) -> anyhow::Result<Self::Receiver>;
}

/// The sending end of a connection.
pub trait Sender<const W: usize> {
    /// Sends one message, whole.
    ///
    /// # Errors
    /// The receiver is gone, or what the kernel or the peer says.
    fn send(&mut self, message: &Message<W>) -> anyhow::Result<()>;
}

/// The receiving end of a connection.
pub trait Receiver<const W: usize> {
    /// Waits for the next message and shows it to `look`, where it lies.
    ///
    /// What was overwritten before it was read is passed over in silence: the harness counts by the messages' numbers.
    ///
    /// # Errors
    /// The sender is gone, or what the kernel or the peer says.
    fn receive<R>(&mut self, look: impl FnOnce(&Message<W>) -> R) -> anyhow::Result<R>;
}

/// This machine does not offer the mechanism; the report says so and goes on.
#[derive(Debug)]
pub struct Unavailable(pub String);

impl std::fmt::Display for Unavailable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unavailable {}
