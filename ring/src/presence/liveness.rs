//! Whether a publisher lives.

use std::io;
use std::os::fd::OwnedFd;

use crate::memory::Pinned;
use crate::sync::Word;

/// How a subscriber learns that its publisher is dead.
pub(crate) enum Liveness {
    /// The FIFO of a ring on disk, or the pipe of a sealed one.
    Fifo(OwnedFd),
    /// A word that the publisher of a ring within the process sets when it goes, closed or not.
    Word(Pinned<Word>),
}

impl Liveness {
    /// The same for another thread.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Liveness::Fifo(fifo) => Liveness::Fifo(fifo.try_clone()?),
            Liveness::Word(word) => Liveness::Word(word.clone()),
        })
    }

    /// Whether no publisher lives: one system call.
    pub(crate) fn is_dead(&self) -> bool {
        match self {
            // Bytes in the FIFO mean nothing to us: whoever wrote them holds it open, like a publisher.
            Liveness::Fifo(fifo) => matches!(rustix::io::read(fifo, &mut [0u8; 1]), Ok(0)),
            Liveness::Word(dead) => dead.load() != 0,
        }
    }
}
