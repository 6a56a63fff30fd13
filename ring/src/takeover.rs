//! Takeover in place: a new publisher goes on with the ring of one that ended, under the next sequence number.
//!
//! Where to go on is worked out from the slots. The published count may be behind them: a publisher can die between the
//! two. What a subscriber may have seen is what a slot says is published, and that number is never given to another
//! message; what was only marked nobody can have seen, and that number is used.
//!
//! A takeover may itself be cut off after any of its stores. Each is therefore such that another takeover, which begins
//! anew, comes to the same next sequence.

use crate::layout::{Layout, MAX_SEQUENCE, state};
use crate::slot;
use crate::sync::{Ordering, Word, WriteWord, fence, on};

/// The sequence that the next message of a ring has, as its slots tell; `None` if they tell of one that no publisher can
/// have reached. The caller has learned that the last publisher is gone: from the kernel's lock, or from the word that
/// stands for it.
pub(crate) fn next_sequence(words: &[Word], layout: &Layout, slot_words: usize) -> Option<u64> {
    // T1. Pairs with C2: all that the last publisher stored is seen below, and comes before all that this one stores. The
    // kernel's lock does the same for a ring on disk.
    fence("T1", Ordering::Acquire);
    if !on("T5") {
        // The mistake that the models are to catch: the count is stored after the slot.
        return Some(words[layout.published].load());
    }
    let mut next = layout.base;
    for index in 0..layout.capacity {
        let seen = words[layout.slots + index as usize * slot_words].load();
        // T4. Even, so published: a marker alone promises nothing, its message may be half written.
        if seen == 0 || !seen.is_multiple_of(2) && on("T4") {
            continue;
        }
        let number = (seen - 1) / 2;
        // T6. A message lives in one slot only: no publisher stored anything else, and verify tells.
        if number & (layout.capacity - 1) != index && on("T6") {
            continue;
        }
        next = next.max(number + 1);
    }
    // T7. Nor can one have come so far: going on there, numbers would run out.
    (next < MAX_SEQUENCE || !on("T7")).then_some(next)
}

/// Begins a new epoch at sequence `next`: the ring is this publisher's from here on. Returns the epoch.
pub(crate) fn begin_epoch(words: &[WriteWord], layout: &Layout, slot_words: usize, next: u64) -> u64 {
    // T3. The slot is marked whether it was or not: the last publisher may have died between publishing a message and
    // marking the slot after it.
    if on("T3") {
        let slot = layout.slots + (next & (layout.capacity - 1)) as usize * slot_words;
        slot::mark(&words[slot..][..slot_words], next);
    }
    let epoch = words[layout.epoch()].load().wrapping_add(1).max(1);
    words[layout.begin(epoch)].store(next);
    // T2. Pairs with V1: who sees the epoch sees where it begins.
    words[layout.epoch()].store_ordered("T2", Ordering::Release, epoch);
    words[layout.published].store(next);
    words[layout.state()].store(state::LIVE);
    epoch
}
