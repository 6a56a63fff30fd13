//! The seqlock protocol of one slot. This file alone prevents torn messages.
//!
//! Message `n` is written to slot `n & mask`. The first word of a slot is its sequence word: `2n + 1` (the marker)
//! while `n` is being written, and `2n + 2` once it is published. The marker contains the number, so a lapped
//! subscriber knows where the publisher is, even if it died there. The slot of the next message is always marked.
//! Marking it one message ahead brings its cache line to the publisher's core before the next message comes.
//!
//! A publisher that goes on with another ring's numbers may pass over some of them. A slot then says so in place of a message:
//! its sequence word is that of the published message with the highest bit set, and its first payload word is the number that
//! comes next. Every number in between that would be in this slot is passed over with it.
//!
//! The names `"P1"`, `"R2"`, … are the sites of docs/protocol.md. It lists each ordering with its argument, the site it
//! pairs with, and the mutant that fails without it.

use crate::format::layout::MAX_SEQUENCE;
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

/// The sequence word of a slot that says: message `sequence` never comes, nor do those after it up to the number in the first
/// payload word. `sequence` is below [`MAX_SEQUENCE`] - 1, so the word is none that a publisher stores for a message.
#[inline]
pub(crate) fn passed_over(sequence: u64) -> u64 {
    published(sequence) | PASSED_OVER
}

const PASSED_OVER: u64 = 1 << 63;

/// The number in a sequence word, and whether that number was passed over.
#[inline]
pub(crate) fn number(word: u64) -> (u64, bool) {
    // The words of the last numbers that there are have the bit, too.
    let is_passed_over = word >= PASSED_OVER + 2;
    let word = if is_passed_over { word & !PASSED_OVER } else { word };
    (word.wrapping_sub(1) / 2, is_passed_over)
}

/// S1. The message number in the sequence word. Without it a slot looks the same on every lap, and a subscriber that
/// paused for a whole lap would accept a message mixed from two laps.
#[inline(always)]
fn numbered(sequence: u64) -> u64 {
    if on("S1") { sequence } else { 0 }
}

/// Publishes message `sequence` in `slot`, which is already marked, and marks `next`, the slot after it. `copy` stores
/// the message into the payload words that it is given.
#[inline(always)]
pub(crate) fn publish(slot: &[WriteWord], next: &[WriteWord], sequence: u64, copy: impl FnOnce(&[WriteWord])) {
    write(slot, sequence, copy);
    mark(next, sequence.wrapping_add(1));
}

/// Writes message `sequence` to `slot`, which is already marked, and publishes it.
#[inline(always)]
pub(crate) fn write(slot: &[WriteWord], sequence: u64, copy: impl FnOnce(&[WriteWord])) {
    write_as(published, slot, sequence, copy);
}

/// As [`write`], where `word` gives the sequence word that the slot has afterwards.
#[inline(always)]
fn write_as(word: impl Fn(u64) -> u64, slot: &[WriteWord], sequence: u64, copy: impl FnOnce(&[WriteWord])) {
    // P1. Pairs with R2. The marker was stored before this fence, and the payload is stored after it. A reader that
    // copied a word of the new payload, and then reads the sequence behind its own fence, sees the marker or something
    // newer.
    fence("P1", Ordering::Release);
    copy(&slot[1..]);
    // P2. Pairs with R1. A reader that sees the message published sees all of its payload.
    slot[0].store_ordered("P2", Ordering::Release, word(sequence));
}

/// Says in `slot`, which is already marked, that message `sequence` and those after it up to `until` never come.
pub(crate) fn pass_over(slot: &[WriteWord], sequence: u64, until: u64) {
    write_as(passed_over, slot, sequence, |payload| payload[0].store(until));
}

/// Marks a slot: message `sequence` will be written to it.
#[inline(always)]
pub(crate) fn mark(slot: &[WriteWord], sequence: u64) {
    // P3. The marker. From here on the slot's old message is gone. A reader that is still copying it finds the marker
    // when it checks again.
    if on("P3") {
        slot[0].store(marked(sequence));
    }
    if slot.len() > LINE_WORDS {
        // P4. Pairs with R2, as P1. The stores below are the first into the new payload, so the marker must come before
        // them.
        fence("P4", Ordering::Release);
        // One store into each further line brings that line to this core before the message comes. Which word and what
        // value does not matter: the slot is marked.
        for line in slot[LINE_WORDS..].chunks_exact(LINE_WORDS) {
            line[0].store(0);
        }
    }
}

/// Stores each line's present value again, so this core owns it. `word` must already be the sequence word.
#[inline(always)]
pub(crate) fn own(slot: &[WriteWord], word: u64) {
    // P5. Pairs with R1, as P2. A reader that finds the message through this store sees all of its payload.
    slot[0].store_ordered("P5", Ordering::Release, word);
    for line in slot[LINE_WORDS..].chunks_exact(LINE_WORDS) {
        line[0].store(line[0].load());
    }
}

/// Reads message `sequence` from `slot`. `copy` copies the payload words that it is given; its result may be torn and
/// is returned only if the sequence word did not change. The error is the sequence word that was there instead:
/// [`why_absent`] says what it means.
#[inline(always)]
pub(crate) fn read<C>(slot: &[Word], sequence: u64, copy: impl FnOnce(&[Word]) -> C) -> Result<C, u64> {
    read_by_word(slot, published(sequence), copy)
}

/// As [`read`], for the message whose sequence word, once it is published, is `word`.
#[inline(always)]
pub(crate) fn read_by_word<C>(slot: &[Word], word: u64, copy: impl FnOnce(&[Word]) -> C) -> Result<C, u64> {
    let seen = slot[0].load();
    // R4. Exactly this message: a newer number in its slot is another message.
    if seen != word && (on("R4") || seen < word || !seen.is_multiple_of(2)) {
        return Err(seen);
    }
    // R1. Pairs with P2. The copy gets the payload that this sequence word announced, or newer words.
    fence("R1", Ordering::Acquire);
    let copied = copy(&slot[1..]);
    // R2. Pairs with P1 and P4. If any word of the copy is newer than the message, so is the sequence word read below.
    fence("R2", Ordering::Acquire);
    let again = slot[0].load();
    // R3. The sequence is unchanged, so every word of the copy belongs to this message. If not, the copy is torn and
    // thrown away.
    if again == seen || !on("R3") { Ok(copied) } else { Err(again) }
}

/// Up to which number `slot` says that messages from `sequence` on were passed over. The error is the sequence word that was there
/// instead.
fn read_passed_over(slot: &[Word], sequence: u64) -> Result<Option<u64>, u64> {
    let until = read_by_word(slot, passed_over(sequence), |payload| payload[0].load())?;
    // N1. No publisher goes back, or on to a number that none can reach.
    Ok(Some(until).filter(|until| (sequence + 1..MAX_SEQUENCE).contains(until) || !on("N1")))
}

/// The number after what `slot` says of message `sequence` and those behind it: that it was published, or passed over. `None` if it
/// says neither.
pub(crate) fn next_after(slot: &[Word], sequence: u64) -> Option<u64> {
    let seen = slot[0].load();
    if seen == published(sequence) {
        return Some(sequence + 1);
    }
    match number(seen) {
        // N3. Numbers that were passed over are behind the publisher, too.
        (first, true) if first <= sequence && on("N3") => {
            read_passed_over(slot, first).ok().flatten().filter(|&until| until > sequence)
        }
        _ => None,
    }
}

/// Whether the slot decides what becomes of message `sequence`: it is there, never comes, or the slot is corrupt. False while the
/// message is still to come.
pub(crate) fn is_decided(slot: &[Word], sequence: u64, mask: u64) -> bool {
    let seen = slot[0].load();
    seen == published(sequence) || why_absent(slot, seen, sequence, mask) != Absence::NotYet
}

/// Why a slot does not hold a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absence {
    /// Not published yet.
    NotYet,
    /// Overwritten, or about to be.
    Lapped {
        /// The sequence after the last message that is known to be published, counted from sequence 0. Of records: no slot before
        /// this position is left.
        published: u64,
    },
    /// The publisher passed over this number and those behind it.
    PassedOver {
        /// The first number that it did not pass over.
        until: u64,
    },
    /// No publisher can have stored this sequence word in this slot.
    Corrupt,
}

/// Why `slot`, which is that of message `sequence`, does not hold it. `seen` is its sequence word, which is not
/// `published(sequence)`, in a ring of `mask + 1` slots.
#[inline]
pub(crate) fn why_absent(slot: &[Word], seen: u64, sequence: u64, mask: u64) -> Absence {
    if seen == 0 {
        return Absence::NotYet; // never written
    }
    // 2k + 1: message k is being written. 2k + 2: message k is published.
    let number = (seen - 1) / 2;
    // R5. Message n can stand only in slot `n & mask`. No publisher wrote any other number; accepting it would count a
    // false loss.
    if number & mask != sequence & mask && on("R5") {
        return Absence::Corrupt;
    }
    // R6. Only a newer number is a loss. After an older one the message is still to come.
    if number <= sequence && on("R6") {
        return Absence::NotYet;
    }
    if seen >= PASSED_OVER + 2 {
        return passed_over_by(slot, seen, sequence);
    }
    Absence::Lapped { published: number.wrapping_add(u64::from(seen.is_multiple_of(2))) }
}

/// What a slot with the word `seen` of numbers that were passed over says of message `sequence`.
#[cold]
fn passed_over_by(slot: &[Word], seen: u64, sequence: u64) -> Absence {
    let (first, _) = number(seen);
    if first > sequence {
        return Absence::Lapped { published: first + 1 };
    }
    match read_passed_over(slot, first) {
        // N2. A number that was passed over is lost; nobody waits for it.
        Ok(Some(until)) if until > sequence && on("N2") => Absence::PassedOver { until },
        Ok(Some(_)) => Absence::NotYet,
        Ok(None) => Absence::Corrupt,
        // Overwritten meanwhile. Whoever looks again sees by what.
        Err(_) => Absence::NotYet,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: u64 = 3;

    /// What a slot with this sequence word says of message `sequence`. Its payload says that all numbers below 7 were passed over.
    fn absence(seen: u64, sequence: u64) -> Absence {
        why_absent(&[seen, 7].map(Word::holding), seen, sequence, MASK)
    }

    fn said(seen: u64, sequence: u64) -> &'static str {
        match absence(seen, sequence) {
            Absence::NotYet => "not yet",
            Absence::Lapped { .. } => "lapped",
            Absence::PassedOver { .. } => "passed over",
            Absence::Corrupt => "corrupt",
        }
    }

    #[test]
    fn a_sequence_word_tells_not_yet_from_lapped_and_corrupt() {
        assert_eq!(said(0, 6), "not yet");
        assert_eq!(said(marked(6), 6), "not yet");
        assert_eq!(said(published(2), 6), "not yet");
        assert_eq!(said(marked(2), 6), "not yet");
        assert_eq!(said(published(10), 6), "lapped");
        assert_eq!(said(marked(10), 6), "lapped");
        assert_eq!(said(passed_over(6), 6), "passed over");
        assert_eq!(said(passed_over(2), 6), "passed over");
        assert_eq!(said(passed_over(6), 10), "not yet");
        assert_eq!(said(passed_over(10), 10), "corrupt");
        assert_eq!(said(passed_over(10), 6), "lapped");
        assert_eq!(said(passed_over(7), 6), "corrupt");
        assert_eq!(said(published(7), 6), "corrupt");
        assert_eq!(said(marked(9), 6), "corrupt");
    }

    #[test]
    fn a_lapped_subscriber_learns_how_many_messages_were_published() {
        let count = |seen| match absence(seen, 6) {
            Absence::Lapped { published } => published,
            _ => panic!("not lapped"),
        };
        assert_eq!(count(marked(10)), 10, "10 is being written: 0 to 9 were published");
        assert_eq!(count(published(10)), 11);
        assert_eq!(count(published(10_000_002)), 10_000_003);
        assert_eq!(count(passed_over(10)), 11);
    }

    #[test]
    fn no_message_looks_passed_over() {
        for last in [MAX_SEQUENCE - 2, MAX_SEQUENCE - 1] {
            assert_eq!(number(published(last)), (last, false));
            assert_eq!(number(marked(last)), (last, false));
        }
        assert_eq!(number(marked(MAX_SEQUENCE)), (MAX_SEQUENCE, false));
        assert_eq!(number(passed_over(0)), (0, true));
        assert_eq!(number(passed_over(MAX_SEQUENCE - 2)), (MAX_SEQUENCE - 2, true));
    }

    #[test]
    fn no_sequence_word_causes_a_panic() {
        for seen in [1, 2, u64::MAX, u64::MAX - 1, u64::MAX / 2, 1 << 63] {
            for sequence in [0, 1, u64::MAX, u64::MAX / 2, 1 << 62] {
                said(seen, sequence);
            }
        }
    }
}
