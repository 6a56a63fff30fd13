//! The untyped core of a publisher: sequence numbers and the published count.

use super::ahead::Ahead;
use super::life::Life;
use crate::format::layout::Layout;
use crate::memory::Pinned;
use crate::protocol::slot;
use crate::protocol::slots::{Slots, Stride};
use crate::protocol::takeover;
use crate::protocol::view::View;
use crate::protocol::wake::Wake;
use crate::sync::{Word, WriteWord, on};
use crate::transport::host::Made;

/// The one writer of a ring. `S` is the stride between its slots.
pub(super) struct Writer<S> {
    slots: Slots<WriteWord, S>,
    published: Pinned<WriteWord>,
    next: u64,
    layout: Layout,
    pub(super) life: Life,
    pub(super) ahead: Ahead,
}

impl<S: Stride> Writer<S> {
    /// Writes to a ring in which a new epoch has begun.
    pub(super) fn new(made: Made, stride: S, wake: Wake) -> Self {
        let Made { memory, layout, next, sleepers, host } = made;
        let next = next.sequence;
        Writer {
            life: Life::new(&memory, &layout, sleepers, host, wake),
            ahead: Ahead::One,
            published: Pinned::new(&memory, layout.published),
            slots: Slots::new(memory, &layout, stride),
            next,
            layout,
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
        self.life.waker.published();
        sequence
    }

    /// Passes over the numbers up to `until`. Subscribers lose them. Costs a slot for each, and at most a lap.
    #[cold]
    pub(super) fn pass_over(&mut self, until: u64) {
        // Behind a lap each slot says it already. The first of them says all: whoever is killed here has passed over all.
        let end = until.min(self.next.saturating_add(self.slots.capacity()));
        for sequence in self.next..end {
            slot::pass_over(self.slots.at(sequence), sequence, until);
            if sequence + 1 < end {
                slot::mark(self.slots.at(sequence + 1), sequence + 1);
            }
        }
        // Before the mark, which may be in the slot that the count before this one leads to.
        self.published.store(until);
        slot::mark(self.slots.at(until), until);
        self.next = until;
        self.life.waker.published();
    }

    /// Begins an epoch at the next message: one of the next few.
    #[cold]
    pub(super) fn begin_epoch(&mut self, epoch: u64) {
        for named in self.life.epoch() + 1..=epoch {
            takeover::name_epoch(self.slots.memory(), &self.layout, named, self.next);
        }
        self.life.now_in(epoch);
        self.life.waker.published();
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

    pub(super) fn begin(&self, epoch: u64) -> u64 {
        self.slots.memory()[self.layout.begin(epoch)].load()
    }

    /// Reads message `sequence` with `copy`. False if it is overwritten. Nobody else stores, so what is there is whole.
    pub(super) fn read(&self, sequence: u64, copy: impl FnOnce(&[Word])) -> bool {
        let view = View::new(&self.slots.memory().reader(), self.layout);
        slot::read(view.slot(sequence), sequence, copy).is_ok()
    }

    pub(super) fn slots(&self) -> &Slots<WriteWord, S> {
        &self.slots
    }
}
