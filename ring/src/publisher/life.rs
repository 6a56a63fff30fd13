//! The life of a writer: it begins with a new epoch, wakes sleepers, and ends the segment or leaves it to another.

use crate::error::CloseError;
use crate::format::layout::{Layout, state};
use crate::memory::{Memory, Pinned};
use crate::protocol::wake::{Wake, Waker};
use crate::sync::{Ordering, WriteWord, panicking};
use crate::transport::host::Host;

/// What the one writer of a ring, a table or a cell holds while it lives. Dropping it ends the segment, or leaves it if a
/// panic unwinds.
pub(crate) struct Life {
    state: Pinned<WriteWord>,
    epoch: u64,
    pub(crate) waker: Waker,
    host: Box<dyn Host>,
    open: bool,
}

impl Life {
    /// The life of the writer whose epoch has just begun.
    pub(crate) fn new(
        memory: &Memory<WriteWord>,
        layout: &Layout,
        sleepers: Pinned<WriteWord>,
        host: Box<dyn Host>,
        wake: Wake,
    ) -> Self {
        Life {
            state: Pinned::new(memory, layout.state()),
            epoch: memory[layout.epoch()].load(),
            waker: Waker::new(memory, layout, sleepers, wake),
            host,
            open: true,
        }
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// This writer has named further epochs, the last of which is this.
    pub(crate) fn now_in(&mut self, epoch: u64) {
        self.epoch = epoch;
    }

    /// How this writer finds out that a subscriber sleeps.
    pub(crate) fn wake(&self) -> Wake {
        self.waker.mode()
    }

    pub(crate) fn host(&self) -> &dyn Host {
        &*self.host
    }

    /// Ends the segment.
    pub(crate) fn end(&mut self) -> Result<(), CloseError> {
        self.open = false;
        if self.host.is_inherited() {
            return Ok(());
        }
        self.waker.stop();
        // C1. Pairs with E1. A subscriber that sees the ring closed sees every message that was published before.
        self.state.store_ordered("C1", Ordering::Release, state::CLOSED);
        self.waker.wake_all();
        self.host.end()
    }

    /// Ends this writer and leaves the segment open, as it is after a death. It stores nothing after this: there may
    /// already be another writer.
    pub(crate) fn leave(&mut self) {
        self.open = false;
        if !self.host.is_inherited() {
            self.waker.stop();
            self.host.abandon();
        }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        // A forked child has neither the mappings nor the thread.
        if !self.open || self.host.is_inherited() {
            return;
        }
        // A panic is not a clean close: the segment stays as it is, and subscribers learn that the writer is gone.
        if panicking() {
            self.waker.stop(); // it stores nothing once there may be another writer
            return self.host.abandon();
        }
        // A drop cannot return an error. `close` reports files that cannot be removed.
        let _ = self.end();
    }
}
