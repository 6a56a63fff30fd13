//! The seqlock protocol of one slot: the whole of what keeps a message from being torn.
//!
//! Message `n` lives in slot `n & mask`. The slot's first word, its sequence, is `2n + 1` while `n` is being written and
//! `2n + 2` once it is published. The marker carries the number, so a lapped subscriber knows where the publisher is,
//! even if it died there. One slot is always marked: the next one. Marking it a message ahead puts its line into the
//! publisher's hands before the next message comes.
//!
//! The names `"P1"`, `"R2"`, … are the sites of docs/protocol.md: each ordering below stands there with its argument, its
//! counterpart and the mutant that fails without it.

use crate::sync::{LINE_WORDS, Ordering, Word, WriteWord, fence, on};

/// The sequence word of a slot in which message `sequence` is being written.
#[inline(always)]
pub(crate) fn marked(sequence: u64) -> u64 {
    numbered(sequence).wrapping_mul(2).wrapping_add(1)
}

/// The sequence word of a slot that holds message `sequence`.
#[inline(always)]
pub(crate) fn published(sequence: u64) -> u64 {
    numbered(sequence).wrapping_mul(2).wrapping_add(2)
}

/// S1: the number itself. Without it a slot on its next lap looks as it did before, and a subscriber that slept through
/// a whole lap accepts a message of two laps.
#[inline(always)]
fn numbered(sequence: u64) -> u64 {
    if on("S1") { sequence } else { 0 }
}

/// Publishes message `sequence` in `slot`, which carries its marker already, and marks `next`, the slot after it. `copy` is
/// given the payload's words and stores the message into them.
#[inline(always)]
pub(crate) fn publish(slot: &[WriteWord], next: &[WriteWord], sequence: u64, copy: impl FnOnce(&[WriteWord])) {
    // P1. Pairs with R2. The marker was stored before this fence and the payload is stored after it: who reads a word of
    // the new payload, and then looks at the sequence again behind its own fence, sees the marker or something newer.
    fence("P1", Ordering::Release);
    copy(&slot[1..]);
    // P2. Pairs with R1. Who sees the message published sees all of its payload.
    slot[0].store_ordered("P2", Ordering::Release, published(sequence));
    mark(next, sequence.wrapping_add(1));
}

/// Marks a slot as the one in which message `sequence` is to be written.
#[inline(always)]
pub(crate) fn mark(slot: &[WriteWord], sequence: u64) {
    // P3. The marker: from here on the message that the slot held is gone, and whoever is copying it will find out.
    if on("P3") {
        slot[0].store(marked(sequence));
    }
    if slot.len() > LINE_WORDS {
        // P4. Pairs with R2, as P1: the stores below are the first into the payload, so the marker must come before them.
        fence("P4", Ordering::Release);
        // A word stored into each further line takes the line over before the message comes. Which word it is and what
        // it says does not matter: the slot is marked.
        for line in slot[LINE_WORDS..].chunks_exact(LINE_WORDS) {
            line[0].store(0);
        }
    }
}

/// Stores each line's present value again, so that this core owns it. `word` must already be the sequence word.
#[inline(always)]
pub(crate) fn own(slot: &[WriteWord], word: u64) {
    // P5. Pairs with R1, as P2: who finds the message through this store sees all of its payload.
    slot[0].store_ordered("P5", Ordering::Release, word);
    for line in slot[LINE_WORDS..].chunks_exact(LINE_WORDS) {
        line[0].store(line[0].load());
    }
}

/// Reads message `sequence` out of `slot`. `copy` is given the payload's words and copies them out; unless its result is
/// returned, what it copied has no meaning. The error is the sequence word that was there instead: [`other`] tells what it
/// means.
#[inline(always)]
pub(crate) fn read<C>(slot: &[Word], sequence: u64, copy: impl FnOnce(&[Word]) -> C) -> Result<C, u64> {
    let seen = slot[0].load();
    // R4. Exactly this message: a newer one in its slot is another message.
    if seen != published(sequence) && (on("R4") || seen < published(sequence) || !seen.is_multiple_of(2)) {
        return Err(seen);
    }
    // R1. Pairs with P2: the payload of the message that the sequence announced, or something newer.
    fence("R1", Ordering::Acquire);
    let copied = copy(&slot[1..]);
    // R2. Pairs with P1 and P4: if any word of the copy is newer than the message, so is the sequence below.
    fence("R2", Ordering::Acquire);
    let again = slot[0].load();
    // R3. Unchanged, so every word of the copy was this message's. Else the copy is thrown away.
    if again == seen || !on("R3") { Ok(copied) } else { Err(again) }
}

/// Whether a slot says something other than that message `sequence` is yet to come.
pub(crate) fn is_there(slot: &[Word], sequence: u64, mask: u64) -> bool {
    let seen = slot[0].load();
    seen == published(sequence) || other(seen, sequence, mask) != Other::NotYet
}

/// What a slot says about a message that it does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Other {
    /// Not published yet.
    NotYet,
    /// Overwritten, or about to be: at least `published` messages have been published, counted from sequence 0.
    Lapped {
        /// The sequence after the last that is known to have been published.
        published: u64,
    },
    /// A sequence word that no publisher can have stored in this slot.
    Corrupt,
}

/// What a sequence word other than `published(sequence)` says about message `sequence`, in a ring of `mask + 1` slots.
#[inline]
pub(crate) fn other(seen: u64, sequence: u64, mask: u64) -> Other {
    if seen == 0 {
        return Other::NotYet; // never written
    }
    // 2k + 1 says that message k is being written, 2k + 2 that it was.
    let number = (seen - 1) / 2;
    // R5. Message n can stand only in slot `n & mask`. No publisher wrote any other number; accepting it would count a
    // false loss.
    if number & mask != sequence & mask && on("R5") {
        return Other::Corrupt;
    }
    // R6. Only a newer lap is a loss; an older one is a message still to come.
    if number <= sequence && on("R6") {
        return Other::NotYet;
    }
    Other::Lapped { published: number.wrapping_add(u64::from(seen.is_multiple_of(2))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: u64 = 3;

    fn said(seen: u64, sequence: u64) -> &'static str {
        match other(seen, sequence, MASK) {
            Other::NotYet => "not yet",
            Other::Lapped { .. } => "lapped",
            Other::Corrupt => "corrupt",
        }
    }

    #[test]
    fn a_sequence_word_says_where_the_publisher_is() {
        assert_eq!(said(0, 6), "not yet");
        assert_eq!(said(marked(6), 6), "not yet");
        assert_eq!(said(published(2), 6), "not yet");
        assert_eq!(said(marked(2), 6), "not yet");
        assert_eq!(said(published(10), 6), "lapped");
        assert_eq!(said(marked(10), 6), "lapped");
        assert_eq!(said(published(7), 6), "corrupt");
        assert_eq!(said(marked(9), 6), "corrupt");
    }

    #[test]
    fn a_lapped_subscriber_learns_what_was_published() {
        let count = |seen| match other(seen, 6, MASK) {
            Other::Lapped { published } => published,
            _ => panic!("not lapped"),
        };
        assert_eq!(count(marked(10)), 10, "10 is being written: 0 to 9 were published");
        assert_eq!(count(published(10)), 11);
        assert_eq!(count(published(10_000_002)), 10_000_003);
    }

    #[test]
    fn no_sequence_word_whatever_panics() {
        for seen in [1, 2, u64::MAX, u64::MAX - 1, u64::MAX / 2, 1 << 63] {
            for sequence in [0, 1, u64::MAX, u64::MAX / 2, 1 << 62] {
                said(seen, sequence);
            }
        }
    }
}
