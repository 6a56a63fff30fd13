//! A ring's words as a reader sees them, whatever its messages are.

use super::slots::{Dynamic, Slots};
use crate::format::layout::Layout;
use crate::memory::{Memory, Pinned};
use crate::sync::Word;

/// A ring that may be read.
#[derive(Clone)]
pub(crate) struct View {
    slots: Slots<Word, Dynamic>,
    layout: Layout,
}

impl View {
    /// The ring in `memory`.
    ///
    /// # Panics
    /// As [`Slots::new`].
    pub(crate) fn new(memory: &Memory<Word>, layout: Layout) -> Self {
        View { slots: Slots::new(memory.clone(), &layout, Dynamic::of(&layout)), layout }
    }

    #[inline]
    pub(crate) fn memory(&self) -> &Memory<Word> {
        self.slots.memory()
    }

    #[inline]
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Number of slots.
    #[inline]
    pub(crate) fn capacity(&self) -> u64 {
        self.slots.capacity()
    }

    /// What a sequence number is masked with to find its slot.
    #[inline]
    pub(crate) fn mask(&self) -> u64 {
        self.slots.capacity() - 1
    }

    /// Messages that the ring holds: one slot is always marked for the next.
    #[inline]
    pub(crate) fn window(&self) -> u64 {
        self.slots.capacity() - 1
    }

    /// The slot of message `sequence`.
    #[inline]
    pub(crate) fn slot(&self, sequence: u64) -> &[Word] {
        self.slots.at(sequence)
    }

    /// The sequence word of the slot of message `sequence`.
    #[inline]
    pub(crate) fn seen(&self, sequence: u64) -> u64 {
        self.slots.at(sequence)[0].load()
    }

    /// The word that says whether the ring is live.
    #[inline]
    pub(crate) fn state(&self) -> u64 {
        self.memory()[self.layout.state()].load()
    }

    #[inline]
    pub(crate) fn epoch(&self) -> u64 {
        self.memory()[self.layout.epoch()].load()
    }

    /// The epoch's word, found once.
    pub(crate) fn epoch_word(&self) -> Pinned<Word> {
        Pinned::new(self.memory(), self.layout.epoch())
    }

    /// The sequence that an epoch began with, if it is one of the last few.
    #[inline]
    pub(crate) fn begin(&self, epoch: u64) -> u64 {
        self.memory()[self.layout.begin(epoch)].load()
    }

    /// How many messages the publisher says that it published. The slots may be ahead of it.
    #[inline]
    pub(crate) fn count(&self) -> u64 {
        self.memory()[self.layout.published].load()
    }
}
