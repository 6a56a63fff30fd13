//! Read access to the words of a ring, whatever its message type.

use super::slots::{DynamicStride, Slots};
use crate::format::layout::{Layout, Parts};
use crate::format::records::MAX_POSITION;
use crate::memory::{Memory, Pinned};
use crate::sync::Word;

/// Read access to a ring.
#[derive(Clone)]
pub(crate) struct View {
    slots: Slots<Word, DynamicStride>,
    layout: Layout,
}

impl View {
    /// The ring in `memory`.
    ///
    /// # Panics
    /// As [`Slots::new`].
    pub(crate) fn new(memory: &Memory<Word>, layout: Layout) -> Self {
        View { slots: Slots::new(memory.clone(), &layout, DynamicStride::of(&layout)), layout }
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

    /// The slot of message `n` is `n & mask()`.
    #[inline]
    pub(crate) fn mask(&self) -> u64 {
        self.slots.capacity() - 1
    }

    /// Number of messages that the ring holds: one slot is always marked for the next message.
    #[inline]
    pub(crate) fn window(&self) -> u64 {
        self.slots.capacity() - 1
    }

    /// The slot of message `sequence`.
    #[inline]
    pub(crate) fn slot(&self, sequence: u64) -> &[Word] {
        self.slots.at(sequence)
    }

    #[inline]
    pub(crate) fn slots(&self) -> &Slots<Word, DynamicStride> {
        &self.slots
    }

    /// The position of the record that was published last, as the header says. In another ring it is 0.
    pub(crate) fn last_position(&self) -> u64 {
        match self.layout.parts {
            Parts::Records { place } => self.memory()[place].load().min(MAX_POSITION - 1),
            Parts::Messages | Parts::Rows(_) => 0,
        }
    }

    /// The first word of the slot of message `position`, or at this position of a ring of records.
    #[inline]
    pub(crate) fn first_word(&self, position: u64) -> u64 {
        self.slots.at(position)[0].load()
    }

    /// The state word: live, closed or superseded.
    #[inline]
    pub(crate) fn state(&self) -> u64 {
        self.memory()[self.layout.state()].load()
    }

    #[inline]
    pub(crate) fn epoch(&self) -> u64 {
        self.memory()[self.layout.epoch()].load()
    }

    /// The epoch word, located once for fast access.
    pub(crate) fn epoch_word(&self) -> Pinned<Word> {
        Pinned::new(self.memory(), self.layout.epoch())
    }

    /// The first sequence of an epoch. Valid only for the last few epochs.
    #[inline]
    pub(crate) fn begin(&self, epoch: u64) -> u64 {
        self.memory()[self.layout.begin(epoch)].load()
    }

    /// The published count in the header. The slots may be ahead of it.
    #[inline]
    pub(crate) fn published_count(&self) -> u64 {
        self.memory()[self.layout.published].load()
    }
}
