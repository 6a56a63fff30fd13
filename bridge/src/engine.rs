//! What a bridge needs of a messaging system. zenoh is one; a second needs only this.

use std::time::Duration;

/// What is called with each frame that arrives.
pub type Inlet = Box<dyn Fn(&[u8]) + Send + Sync>;

/// What is called with each question, and with where its replies go, in order.
pub type Answer = Box<dyn Fn(&[u8], &mut dyn FnMut(&[u8]) -> anyhow::Result<()>) + Send + Sync>;

/// One session of a messaging system.
pub trait Engine: Send + Sync {
    /// Frames put into the outlet reach everyone who subscribes to the key, in order.
    ///
    /// # Errors
    /// If the key is none, or the session is closed.
    fn outlet(&self, key: &str) -> anyhow::Result<Box<dyn Outlet>>;

    /// Calls `inlet` with each frame under the key, in the order of each sender. It may block: its senders then wait.
    ///
    /// # Errors
    /// If the key is none, or the session is closed.
    fn subscribe(&self, key: &str, inlet: Inlet) -> anyhow::Result<Box<dyn Held>>;

    /// Calls `answer` with each question under the key; it gives the replies, in order. Ends when the returned value
    /// is dropped.
    ///
    /// # Errors
    /// If the key is none, or the session is closed.
    fn answer(&self, key: &str, answer: Answer) -> anyhow::Result<Box<dyn Held>>;

    /// Asks everyone who answers under the key and calls `reply` with each reply, in the order of each answerer.
    /// Returns after the last, or after `timeout`: also if nobody answered.
    ///
    /// # Errors
    /// If the key is none, or the session is closed.
    fn ask(&self, key: &str, question: &[u8], timeout: Duration, reply: &mut dyn FnMut(&[u8])) -> anyhow::Result<()>;

    /// How many other sessions it is connected to, routers included.
    fn peers(&self) -> usize;
}

/// Where frames of one key go in.
pub trait Outlet: Send {
    /// Sends a frame. Blocks while the network, or a subscriber, is slow.
    ///
    /// # Errors
    /// If the session is closed.
    fn put(&mut self, frame: &[u8]) -> anyhow::Result<()>;

    /// Whether anybody subscribes to the key.
    fn has_subscribers(&self) -> bool;
}

/// Ends what it stands for when it is dropped.
pub trait Held: Send {}
