//! The check whether a publisher is alive.

use std::io;
use std::os::fd::OwnedFd;

use crate::memory::Pinned;
use crate::sync::Word;

/// How a subscriber learns that its publisher is dead.
pub(crate) enum Liveness {
    /// The FIFO of a ring on disk, or the pipe of a sealed one.
    Fifo(OwnedFd),
    /// A word that the publisher of a ring within one process sets when it ends, closed or not.
    Word(Pinned<Word>),
}

impl Liveness {
    /// A copy for another thread.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Liveness::Fifo(fifo) => Liveness::Fifo(fifo.try_clone()?),
            Liveness::Word(word) => Liveness::Word(word.clone()),
        })
    }

    /// Whether no publisher is alive. Costs one system call for a FIFO.
    pub(crate) fn is_dead(&self) -> bool {
        match self {
            // Bytes in the FIFO do not matter. Only end of file tells that no process holds it open for writing.
            Liveness::Fifo(fifo) => matches!(rustix::io::read(fifo, &mut [0u8; 1]), Ok(0)),
            Liveness::Word(dead) => dead.load() != 0,
        }
    }
}
