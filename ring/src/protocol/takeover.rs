//! Takeover in place: a new publisher goes on with the ring of one that ended, under the next sequence number.
//!
//! Where to go on is worked out from the slots. The published count may be behind them: a publisher can die between the
//! two. What a subscriber may have seen is what a slot says is published, and that number is never given to another
//! message; what was only marked nobody can have seen, and that number is used.
//!
//! A takeover may itself be cut off after any of its stores. Each is therefore such that another takeover, which begins
//! anew, comes to the same next sequence.

use super::slot;
use super::slots::{Dynamic, Slots};
use super::{end, view::View};
use crate::format::layout::{Layout, MAX_SEQUENCE, state};
use crate::memory::Memory;
use crate::sync::{Ordering, WriteWord, fence, on};

/// The sequence that the next message of a ring has, as its slots tell; `None` if they tell of one that no publisher can
/// have reached. The caller has learned that the last publisher is gone: from the kernel's lock, or from the word that
/// stands for it.
pub(crate) fn next_sequence(view: &View) -> Option<u64> {
    // T1. Pairs with C2: all that the last publisher stored is seen below, and comes before all that this one stores. The
    // kernel's lock does the same for a ring on disk.
    fence("T1", Ordering::Acquire);
    if !on("T5") {
        // The mistake that the models are to catch: the count is stored after the slot.
        return Some(view.count());
    }
    let next = end::of_stopped(view);
    // T7. Sequence numbers would run out from there on.
    (next < MAX_SEQUENCE || !on("T7")).then_some(next)
}

/// Begins a new epoch at sequence `next`: the ring is this publisher's from here on.
pub(crate) fn begin_epoch(memory: &Memory<WriteWord>, layout: &Layout, next: u64) {
    // T3. The slot is marked whether it was or not: the last publisher may have died between publishing a message and
    // marking the slot after it.
    if on("T3") {
        slot::mark(Slots::new(memory.clone(), layout, Dynamic::of(layout)).at(next), next);
    }
    let epoch = memory[layout.epoch()].load().wrapping_add(1).max(1);
    memory[layout.begin(epoch)].store(next);
    // T2. Pairs with V1: who sees the epoch sees where it begins.
    memory[layout.epoch()].store_ordered("T2", Ordering::Release, epoch);
    memory[layout.published].store(next);
    memory[layout.state()].store(state::LIVE);
}
