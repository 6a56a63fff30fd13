//! Where a ring ends: the sequence number after its last published message.
//!
//! The slots decide. The count in the header may be behind them, because a publisher stores it after the slot and may be
//! killed in between. A running ring is followed from the count on. In one that nobody publishes in any more every slot is
//! asked: nothing moves meanwhile, and a count that was damaged does no harm.

use super::slot;
use super::view::View;
use crate::format::layout::MAX_SEQUENCE;
use crate::sync::on;

/// The next sequence of a ring that somebody may be publishing in. Reads the line of the count, once or twice, and that of
/// the next slot. The publisher writes to both with each message and then has to fetch them back.
pub(crate) fn of_running(view: &View) -> u64 {
    let count = || {
        let count = view.count();
        // J2. Only a count that a publisher can have reached can be counted on from.
        if on("J2") { count.clamp(view.layout().base, MAX_SEQUENCE) } else { count }
    };
    follow(count, |sequence| view.seen(sequence) == slot::published(sequence), view.capacity())
}

/// The first sequence from the count on that is not published. A count that moves meanwhile is that of a live publisher and
/// as good as any: following its slots one by one would run behind it for a whole ring, and take a line from it each time.
fn follow(count: impl Fn() -> u64, is_published: impl Fn(u64) -> bool, capacity: u64) -> u64 {
    let counted = count();
    let mut next = counted;
    // J1. The count is stored after the slot. A publisher may have died between the two.
    while next - counted < capacity && is_published(next) && on("J1") {
        let again = count();
        if again > next {
            return again;
        }
        next += 1;
    }
    next
}

/// The next sequence of a ring that nobody publishes in: after the last message that any slot holds.
pub(crate) fn of_stopped(view: &View) -> u64 {
    let mut next = view.layout().base;
    for index in 0..view.capacity() {
        let seen = view.seen(index);
        // T4. Even, so published. A marker promises nothing: its message may be half written.
        if seen == 0 || !seen.is_multiple_of(2) && on("T4") {
            continue;
        }
        let number = (seen - 1) / 2;
        // T6. Message n can stand only in slot `n & mask`: no publisher stored any other number there.
        if number & view.mask() != index && on("T6") {
            continue;
        }
        next = next.max(number + 1);
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn the_end_of_a_ring_whose_publisher_was_killed_is_after_its_last_slot() {
        for (count, published, expected) in [(20, 20, 20), (19, 20, 20), (17, 20, 20), (20, 19, 20)] {
            assert_eq!(follow(|| count, |sequence| sequence < published, 8), expected, "{count} {published}");
        }
        assert_eq!(follow(|| 3, |_| true, 8), 11, "it ends, whatever the slots say");
    }

    #[test]
    fn a_live_publisher_is_not_followed_slot_by_slot() {
        let (count, looks) = (Cell::new(0), Cell::new(0));
        let next = follow(
            || count.replace(count.get() + 10), // ten messages between two looks
            |_| looks.replace(looks.get() + 1) < u64::MAX,
            1 << 16,
        );
        assert_eq!((next, looks.get()), (10, 1), "one slot, not all of them");
    }
}
