//! Takeover in place: a new publisher continues the ring of a publisher that ended, with the next sequence number.
//!
//! The slots tell which number is next, because the published count may be too low: a publisher can die between storing
//! the slot and storing the count. A subscriber may have seen any message that a slot says is published, so its number
//! is never used again. Nobody can have seen a message that is only marked, so its number is used.
//!
//! A takeover may itself be killed after any of its stores. Another takeover then starts from the beginning, and must
//! find the same next sequence whatever was already stored.

use super::rows::Rows;
use super::slot;
use super::slots::{DynamicStride, Slots};
use super::{end, view::View};
use crate::format::layout::{Layout, MAX_SEQUENCE, state};
use crate::memory::Memory;
use crate::sync::{Ordering, Word, WriteWord, fence, on};

/// The next sequence of a ring, from its slots, or the next store's number of a table or a cell, from its rows. `None` if it
/// is higher than any publisher can reach. The caller must know that the last publisher is gone: from the kernel's lock or,
/// within a process, from the word that replaces it.
pub(crate) fn next_sequence(memory: &Memory<Word>, layout: &Layout) -> Option<u64> {
    // T1. Pairs with C2. This publisher sees below all that the last publisher stored, and its own stores come after.
    // For a ring on disk the kernel's lock has the same effect.
    fence("T1", Ordering::Acquire);
    if !on("T5") {
        // A wrong answer, for the models to catch: the count is stored after the slot and may be too low.
        return Some(memory[layout.published].load());
    }
    let next = match layout.rows {
        None => end::next_of_stopped(&View::new(memory, *layout)),
        Some(_) => Rows::new(memory.clone(), *layout).next_of_stopped(),
    };
    // T7. Beyond this, sequence numbers would run out.
    (next < MAX_SEQUENCE || !on("T7")).then_some(next)
}

/// Begins a new epoch at sequence `next`. From here on the ring belongs to this publisher.
pub(crate) fn begin_epoch(memory: &Memory<WriteWord>, layout: &Layout, next: u64) {
    // T3. Marks the slot even if it may be marked already: the last publisher may have died between publishing a
    // message and marking the next slot. Without it a reader could accept a torn message.
    // A table has no slot for the next store: its writer marks a copy when it begins to overwrite it.
    if layout.rows.is_none() && on("T3") {
        slot::mark(Slots::new(memory.clone(), layout, DynamicStride::of(layout)).at(next), next);
    }
    let epoch = memory[layout.epoch()].load().wrapping_add(1).max(1);
    // T8. Pairs with V8. A reader that finds this beginning in the place of an older one sees that an epoch began since,
    // because the publisher before this one stored it.
    memory[layout.begin(epoch)].store_ordered("T8", Ordering::Release, next);
    // T2. Pairs with V1. A reader that sees the epoch sees where it begins.
    memory[layout.epoch()].store_ordered("T2", Ordering::Release, epoch);
    memory[layout.published].store(next);
    memory[layout.state()].store(state::LIVE);
}
