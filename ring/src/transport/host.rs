//! A ring as its publisher has it, whatever the transport.

use std::io;
use std::path::Path;

use crate::error::CloseError;
use crate::format::layout::Layout;
use crate::memory::{Memory, Pinned};
use crate::sync::WriteWord;

/// A ring that was just made or taken over. An epoch was begun in it, at `next`.
pub(crate) struct Made {
    pub(crate) memory: Memory<WriteWord>,
    pub(crate) layout: Layout,
    /// The sequence of the next message.
    pub(crate) next: u64,
    /// The word that sleeping subscribers set.
    pub(crate) sleepers: Pinned<WriteWord>,
    pub(crate) host: Box<dyn Host>,
}

/// What a publisher keeps for as long as it lives, beside the ring's memory.
pub(crate) trait Host: Send + Sync {
    /// Where the ring's files are, or its socket. None for a ring within the process.
    fn path(&self) -> Option<&Path>;

    /// Whether a fork gave this process a copy of what is its parent's. The ring goes on in the parent then.
    fn is_inherited(&self) -> bool;

    /// How many subscribers are attached.
    fn subscribers(&self) -> io::Result<usize>;

    /// Ends a ring that was closed: what new subscribers would find is removed, unless it is to be kept.
    fn end(&mut self) -> Result<(), CloseError>;

    /// Leaves a ring whose publisher panics as it is, so that another publisher can take it over. The kernel says of files
    /// and sockets that nobody is there.
    fn abandon(&mut self) {}
}
