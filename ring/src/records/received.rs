//! Records as a subscriber reads them: from the slots into its own copy.

use super::enums::{Records, UnknownRecord};
use crate::format::layout::Layout;
use crate::format::records::longest;
use crate::memory::Memory;
use crate::protocol::position::Position;
use crate::protocol::record::{self, Head};
use crate::protocol::slots::RecordSlots;
use crate::subscriber::receiver::Messages;
use crate::sync::Word;

/// A record that was received. Its bytes are in the subscriber's own copy: nobody changes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its number, counted from 0 since the ring began.
    pub number: u64,
    /// The kind that the publisher gave it.
    pub kind: u8,
    /// Its bytes. They begin at an address that is a multiple of 8.
    pub bytes: &'a [u8],
}

impl Record<'_> {
    /// The record as one of an enum's kinds: see [`Records`].
    ///
    /// # Errors
    /// [`UnknownRecord`] if it is none of them. It cannot happen in a ring that was opened with
    /// [`open_records_of`](crate::SubscriberOptions::open_records_of) and this enum's format.
    pub fn read_as<E: Records>(&self) -> Result<E, UnknownRecord> {
        let Record { kind, bytes, .. } = *self;
        let expected = std::any::type_name::<E>();
        E::read(kind, bytes).ok_or(UnknownRecord { kind, length: bytes.len(), expected })
    }
}

/// The records of a ring, for the receiver.
pub(crate) struct Source {
    slots: RecordSlots<Word>,
    longest: usize,
}

impl Source {
    pub(super) fn new(memory: Memory<Word>, layout: &Layout) -> Self {
        let longest = longest(layout.capacity, layout.slot_words);
        Source { slots: RecordSlots::new(memory, layout), longest }
    }
}

impl Messages for Source {
    type Place = Position;
    type Source<'a> = record::Record<'a>;

    #[inline(always)]
    fn memory(&self) -> &Memory<Word> {
        self.slots.memory()
    }

    /// A record that fits into one slot of one line is polled for and read at once, and a longer one is as well: nothing tells
    /// beforehand which it will be.
    #[inline(always)]
    fn is_one_line(&self) -> bool {
        true
    }

    #[inline(always)]
    fn polled(&self, _: u64, place: Position) -> &Word {
        self.slots.word(place.at())
    }

    #[inline(always)]
    fn awaited(_: u64, place: Position) -> u64 {
        record::published(place.at())
    }

    fn is_published(&self, _: u64, place: Position, ahead: u64) -> bool {
        let position = place.at().saturating_add(ahead);
        self.slots.word(position).load() >= record::published(position)
    }

    #[inline(always)]
    fn read<C>(
        &self,
        sequence: u64,
        place: Position,
        copy: impl FnOnce(Self::Source<'_>) -> C,
    ) -> Result<(C, Position), u64> {
        let is_expected = |head: Head| head.number == sequence as u32;
        let (copied, behind) = match &self.slots {
            RecordSlots::Lines(slots) => record::read(slots, place.at(), self.longest, is_expected, copy)?,
            RecordSlots::Larger(slots) => record::read(slots, place.at(), self.longest, is_expected, copy)?,
        };
        Ok((copied, Position::here(behind)))
    }
}
