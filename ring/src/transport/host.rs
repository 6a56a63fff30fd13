//! A publisher's side of any transport: a ring just made, and what the publisher keeps of it.

use std::io;
use std::path::Path;

use crate::error::CloseError;
use crate::format::layout::Layout;
use crate::memory::{Memory, Pinned};
use crate::protocol::takeover::Next;
use crate::sync::WriteWord;

/// A ring that was just made or taken over, with a new epoch that begins at `next`.
pub(crate) struct Made {
    pub(crate) memory: Memory<WriteWord>,
    pub(crate) layout: Layout,
    /// Where its writer begins.
    pub(crate) next: Next,
    /// The sleepers' flag, which sleeping subscribers set.
    pub(crate) sleepers: Pinned<WriteWord>,
    pub(crate) host: Box<dyn Host>,
}

/// The resources that a publisher keeps while it lives, beside the ring's memory.
pub(crate) trait Host: Send + Sync {
    /// The path of the ring's directory or socket. `None` for a ring within one process.
    fn path(&self) -> Option<&Path>;

    /// Whether this is a forked child's copy of its parent's publisher. The ring then belongs to the parent.
    fn is_inherited(&self) -> bool;

    /// The number of attached subscribers.
    fn subscribers(&self) -> io::Result<usize>;

    /// Ends a ring that was closed. Removes its files or its socket, unless they are to be kept.
    fn end(&mut self) -> Result<(), CloseError>;

    /// Leaves the ring of a publisher that panics or leaves for another publisher to take over. Does nothing for files and
    /// sockets, because they are released when this is dropped.
    fn abandon(&mut self) {}
}
