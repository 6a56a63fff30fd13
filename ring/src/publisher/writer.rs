//! The untyped core of a publisher: sequence numbers, the published count, waking, and the end of a ring.

use super::ahead::Ahead;
use crate::error::CloseError;
use crate::format::layout::{Layout, state};
use crate::memory::Pinned;
use crate::protocol::slot;
use crate::protocol::slots::{Slots, Stride};
use crate::protocol::wake::{Wake, Waker};
use crate::sync::{Ordering, WriteWord, on, panicking};
use crate::transport::host::{Host, Made};

/// The one writer of a ring. `S` is the stride between its slots.
pub(super) struct Writer<S> {
    slots: Slots<WriteWord, S>,
    published: Pinned<WriteWord>,
    next: u64,
    epoch: u64,
    layout: Layout,
    waker: Waker,
    pub(super) ahead: Ahead,
    host: Box<dyn Host>,
    open: bool,
}

impl<S: Stride> Writer<S> {
    /// Writes to a ring in which a new epoch has begun.
    pub(super) fn new(made: Made, stride: S, wake: Wake) -> Self {
        let Made { memory, layout, next, sleepers, host } = made;
        Writer {
            waker: Waker::new(&memory, &layout, sleepers, wake),
            ahead: Ahead::One,
            epoch: memory[layout.epoch()].load(),
            published: Pinned::new(&memory, layout.published),
            slots: Slots::new(memory, &layout, stride),
            next,
            layout,
            host,
            open: true,
        }
    }

    /// Publishes one message and returns its sequence number. `copy` stores the message into the payload words that it
    /// is given.
    #[inline(always)]
    pub(super) fn publish(&mut self, copy: impl FnOnce(&[WriteWord])) -> u64 {
        let sequence = self.next;
        let following = sequence + 1;
        slot::publish(self.slots.at(sequence), self.slots.at(following), sequence, copy);
        if self.ahead == Ahead::Two {
            self.own_slot_after_next(following + 1);
        }
        // Relaxed: joining subscribers and tools only begin their search at the count. The slots tell them the rest.
        self.published.store(following);
        self.next = following;
        self.waker.published();
        sequence
    }

    /// Brings to this core the lines of the slot that message `sequence` will use. Until then the slot holds the
    /// message of the lap before, or was never written.
    #[inline(always)]
    fn own_slot_after_next(&self, sequence: u64) {
        let holds = match sequence.checked_sub(self.slots.capacity()) {
            // P6, P7. The slot's present sequence word: of the message of the lap before if that was in this ring, else
            // 0. Any other word would take back a published message, or announce one that never was.
            Some(holds) if (holds >= self.layout.base || !on("P7")) && on("P6") => slot::published(holds),
            _ => 0,
        };
        slot::own(self.slots.at(sequence), holds);
    }
}

impl<S> Writer<S> {
    #[inline]
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) fn slots(&self) -> &Slots<WriteWord, S> {
        &self.slots
    }

    /// How this publisher finds out that a subscriber sleeps.
    pub(super) fn wake(&self) -> Wake {
        self.waker.mode()
    }

    pub(super) fn host(&self) -> &dyn Host {
        &*self.host
    }

    /// Ends the ring.
    pub(super) fn end(&mut self) -> Result<(), CloseError> {
        self.open = false;
        if self.host.is_inherited() {
            return Ok(());
        }
        self.waker.stop();
        // C1. Pairs with E1. A subscriber that sees the ring closed sees every message that was published before.
        self.slots.memory()[self.layout.state()].store_ordered("C1", Ordering::Release, state::CLOSED);
        self.waker.wake_all();
        self.host.end()
    }

    /// Ends this publisher and leaves the ring open, as it is after a death. It stores nothing after this: the ring may
    /// already have another publisher.
    pub(super) fn leave(&mut self) {
        self.open = false;
        if !self.host.is_inherited() {
            self.waker.stop();
            self.host.abandon();
        }
    }
}

impl<S> Drop for Writer<S> {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        // A panic is not a clean close: the ring stays as it is, and subscribers learn that the publisher is gone.
        if panicking() {
            self.waker.stop(); // it stores nothing once there may be another publisher
            return self.host.abandon();
        }
        // A drop cannot return an error. `close` reports files that cannot be removed.
        let _ = self.end();
    }
}
