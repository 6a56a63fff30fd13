//! Where a ring ends: the sequence number after its last published message.
//!
//! The slots decide, not the count in the header. A publisher stores the count after the slot, so the count is too low
//! if it was killed in between. In a running ring, the search starts at the count and follows the slots. In a stopped
//! ring, nothing changes any more: every slot is read, so even a damaged count does no harm.

use super::slot::{self, Absence};
use super::view::View;
use crate::format::layout::MAX_SEQUENCE;
use crate::sync::on;

/// The next sequence of a ring that may have a running publisher. Reads the cache line of the count, once or twice, and
/// that of the next slot. The publisher writes both for each message and must then fetch them back.
pub(crate) fn next_of_running(view: &View) -> u64 {
    let count = || {
        let count = view.published_count();
        // J2. No publisher can reach a count outside this range, and counting on from 2^64 - 1 would overflow.
        if on("J2") { count.clamp(view.layout().base, MAX_SEQUENCE) } else { count }
    };
    follow(count, |sequence| slot::next_after(view.slot(sequence), sequence), view.capacity())
}

/// The newest message of a ring that may have a running publisher. `None` if it holds none.
pub(crate) fn newest_of_running(view: &View) -> Option<u64> {
    let next = next_of_running(view);
    if !view.layout().relayed {
        return Some(next.saturating_sub(1));
    }
    // N4. The last numbers may have been passed over: the newest message is before them. What is not there yet is passed over, too:
    // the slot that tells of it may be another one.
    let is_message = |&sequence: &u64| {
        let (slot, seen) = (view.slot(sequence), view.first_word(sequence));
        seen == slot::published(sequence)
            || !matches!(
                slot::why_absent(slot, seen, sequence, view.mask()),
                Absence::NotYet | Absence::PassedOver { .. }
            )
    };
    (oldest(view, next)..next).rev().find(|sequence| is_message(sequence) || !on("N4"))
}

/// The oldest sequence that a ring holds when `published` is the next to be published.
pub(crate) fn oldest(view: &View, published: u64) -> u64 {
    // J3. A ring that replaced another does not begin at 0. A join before its base would begin with a false loss.
    published.saturating_sub(view.window()).max(if on("J3") { view.layout().base } else { 0 })
}

/// The first sequence, from the count on, that is not published. If the count moves meanwhile, a publisher is running
/// and its newest count is the answer. Following its slots one by one could take a whole lap, and would take one cache
/// line from the publisher at each step.
fn follow(count: impl Fn() -> u64, next_after: impl Fn(u64) -> Option<u64>, capacity: u64) -> u64 {
    let counted = count();
    let mut next = counted;
    // J1. The publisher stores the count after the slot, and may have died in between. Its last message would be
    // missed.
    while next - counted < capacity
        && let Some(behind) = next_after(next)
        && on("J1")
    {
        let again = count();
        if again > next {
            return again;
        }
        next = behind;
    }
    next
}

/// The next sequence of a ring without a running publisher: one after the last message that any slot holds.
pub(crate) fn next_of_stopped(view: &View) -> u64 {
    let mut next = view.layout().base;
    for index in 0..view.capacity() {
        let seen = view.first_word(index);
        // T4. Only an even word means published. The message of an odd word may be half written, and would be a gap for
        // ever.
        if seen == 0 || !seen.is_multiple_of(2) && on("T4") {
            continue;
        }
        // In any other ring such a word is forged, and a number that none reaches.
        let (number, is_passed_over) = if view.layout().relayed { slot::number(seen) } else { ((seen - 1) / 2, false) };
        // T6. Message n can stand only in slot `n & mask`. No publisher stored any other number; continuing after it
        // would leave a gap.
        if number & view.mask() != index && on("T6") {
            continue;
        }
        // N5. A reader may have been told already that these numbers never come.
        let behind = if is_passed_over && on("N5") { slot::next_after(view.slot(index), number) } else { None };
        next = next.max(behind.unwrap_or(number + 1));
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_killed_publishers_ring_ends_after_its_last_published_slot() {
        for (count, published, expected) in [(20, 20, 20), (19, 20, 20), (17, 20, 20), (20, 19, 20)] {
            assert_eq!(
                follow(|| count, |sequence| (sequence < published).then_some(sequence + 1), 8),
                expected,
                "{count} {published}"
            );
        }
        assert_eq!(
            follow(|| 3, |sequence| Some(sequence + 1), 8),
            11,
            "the search ends after one lap, whatever the slots say"
        );
    }

    #[test]
    fn a_live_publisher_is_not_followed_slot_by_slot() {
        let (count, looks) = (Cell::new(0), Cell::new(0));
        let next = follow(
            || count.replace(count.get() + 10), // ten messages between two looks
            |sequence| (looks.replace(looks.get() + 1) < u64::MAX).then_some(sequence + 1),
            1 << 16,
        );
        assert_eq!((next, looks.get()), (10, 1), "it looks at one slot, not at all of them");
    }
}
