//! What a bridge needs of a messaging system. zenoh is one; a second needs only this.

use std::time::Duration;

/// Called with each frame.
pub type Inlet = Box<dyn Fn(&[u8]) + Send + Sync>;

/// Called with a question and with what sends a reply.
pub type Answer = Box<dyn Fn(&[u8], &mut dyn FnMut(&[u8]) -> anyhow::Result<()>) + Send + Sync>;

/// A connection to a messaging system.
pub trait Engine: Send + Sync {
    /// Frames put into the outlet reach everyone who subscribes to the key, in order.
    ///
    /// # Errors
    /// What the system refuses.
    fn outlet(&self, key: &str) -> anyhow::Result<Box<dyn Outlet>>;

    /// Calls `inlet` with each frame under the key, in the order of each sender. It may block: its senders then wait.
    ///
    /// # Errors
    /// What the system refuses.
    fn subscribe(&self, key: &str, inlet: Inlet) -> anyhow::Result<Box<dyn Held>>;

    /// Calls `answer` with each question under the key. It gives the replies, in order.
    ///
    /// # Errors
    /// What the system refuses.
    fn answer(&self, key: &str, answer: Answer) -> anyhow::Result<Box<dyn Held>>;

    /// Asks everyone who answers under the key, and calls `reply` with each reply, in the order of each answerer. Returns after the
    /// last one, or after `timeout`. That nobody answers is no error.
    ///
    /// # Errors
    /// What the system refuses.
    fn ask(&self, key: &str, question: &[u8], timeout: Duration, reply: &mut dyn FnMut(&[u8])) -> anyhow::Result<()>;

    /// How many other sessions it is connected to, routers included.
    fn peers(&self) -> usize;
}

/// Where frames are put.
pub trait Outlet: Send {
    /// Sends a frame. Waits while the link is slow.
    ///
    /// # Errors
    /// What the system refuses.
    fn put(&mut self, frame: &[u8]) -> anyhow::Result<()>;

    /// Whether anybody subscribes to the key.
    fn has_subscribers(&self) -> bool;
}

/// Ends what it stands for when it is dropped.
pub trait Held: Send {}
