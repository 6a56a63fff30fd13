//! Takeover in place: a new publisher continues the ring of a publisher that ended, with the next sequence number.
//!
//! The slots tell which number is next, because the published count may be too low: a publisher can die between storing
//! the slot and storing the count. A subscriber may have seen any message that a slot says is published, so its number
//! is never used again. Nobody can have seen a message that is only marked, so its number is used.
//!
//! A takeover may itself be killed after any of its stores. Another takeover then starts from the beginning, and must
//! find the same next sequence whatever was already stored.

use super::rows::Rows;
use super::slots::{DynamicStride, Slots};
use super::view::View;
use super::{end, record, records, slot};
use crate::format::layout::{Layout, MAX_SEQUENCE, Parts, state};
use crate::memory::Memory;
use crate::sync::{Ordering, Word, WriteWord, fence, on};

/// What the next writer of a segment begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Next {
    /// The number of its first message, or of its first store.
    pub(crate) sequence: u64,
    /// The position of its first slot: of a record, or, where a message is where its number says, that number.
    pub(crate) position: u64,
    /// Of a ring of records: the position of the last record, if there is one.
    pub(crate) last: Option<u64>,
}

impl Next {
    /// The beginning of a new segment.
    pub(crate) fn of_new(layout: &Layout) -> Self {
        match layout.parts {
            Parts::Records { .. } => Next { sequence: layout.base, position: 0, last: None },
            Parts::Messages | Parts::Rows(_) => Self::of_messages(layout.base),
        }
    }

    fn of_messages(sequence: u64) -> Self {
        Next { sequence, position: sequence, last: None }
    }
}

/// The next sequence of a ring, from its slots, or the next store's number of a table or a cell, from its rows. `None` if it
/// is higher than any publisher can reach. The caller must know that the last publisher is gone: from the kernel's lock or,
/// within a process, from the word that replaces it.
pub(crate) fn next_sequence(memory: &Memory<Word>, layout: &Layout) -> Option<Next> {
    // T1. Pairs with C2. This publisher sees below all that the last publisher stored, and its own stores come after.
    // For a ring on disk the kernel's lock has the same effect.
    fence("T1", Ordering::Acquire);
    if !on("T5") {
        // A wrong answer, for the models to catch: the count is stored after the slot and may be too low.
        return Some(Next::of_messages(memory[layout.published].load()));
    }
    let next = match layout.parts {
        Parts::Messages => Next::of_messages(end::next_of_stopped(&View::new(memory, *layout))),
        Parts::Rows(_) => Next::of_messages(Rows::new(memory.clone(), *layout).next_of_stopped()),
        Parts::Records { .. } => {
            let view = View::new(memory, *layout);
            let next = records::next_of_stopped(&view)?;
            Next { sequence: next.number, position: next.position, last: records::last_begun(&view) }
        }
    };
    // T7. Beyond this, sequence numbers would run out.
    (next.sequence < MAX_SEQUENCE || !on("T7")).then_some(next)
}

/// Begins a new epoch at `next`. From here on the ring belongs to this publisher.
pub(crate) fn begin_epoch(memory: &Memory<WriteWord>, layout: &Layout, next: Next) {
    prepare(memory, layout, next);
    name_epoch(memory, layout, memory[layout.epoch()].load().wrapping_add(1).max(1), next.sequence);
    announce(memory, layout, next);
}

/// Goes on at `next` in the ring's epoch: the publisher publishes another ring's messages, and that ring's publisher is the same
/// as before. From here on the ring belongs to this publisher.
pub(crate) fn go_on(memory: &Memory<WriteWord>, layout: &Layout, next: Next) {
    // N6. Before T3: its marker may take the place of the only slot that says what was passed over.
    // Of records one slot says it.
    if layout.parts == Parts::Messages && on("N6") {
        finish_passing_over(memory, layout, next.sequence);
    }
    // Before T3, as whoever passes over messages: its marker may be in the slot that the count before this one leads to.
    memory[layout.published].store(next.sequence);
    prepare(memory, layout, next);
    announce(memory, layout, next);
}

/// Says in every slot that the numbers up to `until` were passed over. A publisher killed within may have said so in the first slot only.
/// Whoever begins at a number in between would wait for it. And if `until` is in that first slot, its marker would be all that is left:
/// another takeover would go back.
fn finish_passing_over(memory: &Memory<WriteWord>, layout: &Layout, until: u64) {
    let view = View::new(&memory.reader(), *layout);
    let first = (0..view.capacity()).filter_map(|index| match slot::number(view.first_word(index)) {
        (first, true) => (slot::next_after(view.slot(index), first) == Some(until)).then_some(first),
        _ => None,
    });
    let Some(first) = first.min() else { return };
    let slots = Slots::new(memory.clone(), layout, DynamicStride::of(layout));
    for sequence in first..until.min(first.saturating_add(view.capacity())) {
        let seen = view.first_word(sequence);
        // The marker of `until` may be there already: no slot goes back.
        let is_behind = seen != 0 && slot::number(seen).0 > sequence;
        if seen != slot::passed_over(sequence) && !is_behind {
            slot::mark(slots.at(sequence), sequence);
            slot::pass_over(slots.at(sequence), sequence, until);
        }
    }
}

/// Before anything is announced: leaves nothing half done.
fn prepare(memory: &Memory<WriteWord>, layout: &Layout, next: Next) {
    let Next { position, last, .. } = next;
    if let (Parts::Records { place }, Some(last)) = (layout.parts, last) {
        // T9. Pairs with Q15. The publisher before this one may have died before it named its last record. In a small ring the mark
        // below is in the slot of the record that is named: whoever joins would find no record until the next is published.
        memory[place].store_ordered("T9", Ordering::Release, last);
    }
    // T3. Marks the slot even if it may be marked already: the last publisher may have died between publishing a
    // message and marking the next slot. Without it a reader could accept a torn message.
    // A table has no slot for the next store: its writer marks a copy when it begins to overwrite it.
    if on("T3") {
        let slots = || Slots::new(memory.clone(), layout, DynamicStride::of(layout));
        match layout.parts {
            Parts::Messages => slot::mark(slots().at(position), position),
            Parts::Records { .. } => record::mark(slots().at(position), position),
            Parts::Rows(_) => {}
        }
    }
}

/// Names an epoch that begins at `sequence`, the next to be published. It follows the one named last.
pub(crate) fn name_epoch(memory: &Memory<WriteWord>, layout: &Layout, epoch: u64, sequence: u64) {
    // T8. Pairs with V8. A reader that finds this beginning in the place of an older one sees that an epoch began since,
    // because the publisher before this one stored it.
    memory[layout.begin(epoch)].store_ordered("T8", Ordering::Release, sequence);
    // T2. Pairs with V1. A reader that sees the epoch sees where it begins.
    memory[layout.epoch()].store_ordered("T2", Ordering::Release, epoch);
}

fn announce(memory: &Memory<WriteWord>, layout: &Layout, next: Next) {
    memory[layout.published].store(next.sequence);
    memory[layout.state()].store(state::LIVE);
}
