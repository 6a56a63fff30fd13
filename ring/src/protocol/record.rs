//! The seqlock protocol of one record, which takes as many slots as it needs. This file alone prevents torn records.
//!
//! Slots have positions, counted from 0 and never used again: position `p` is in slot `p & mask`. A slot's first word names
//! its position and says what is there:
//!
//! ```text
//! 0         never written
//! 4p + 1    a record will begin here, or is being written
//! 4p + 2    a record begins here
//! 4p + 3    a record goes on here
//! 4p + 4    the numbers from here on were passed over, up to one that the slot names
//! ```
//!
//! The slot behind the last record is always marked with `4p + 1`. Positions are written in order. So whoever writes into any
//! slot of an old record has stored a new word in its first slot before, with a release fence between: one second look, at
//! the first slot, tells whether any byte of the record changed.
//!
//! The names `"Q1"`, … are the sites of docs/protocol.md.

use std::ops::Range;

use super::slot::Absence;
use super::slots::{DynamicStride, LineStride, Slots, Stride};
use super::{copy, copy_slots};
use crate::format::layout::MAX_SEQUENCE;
use crate::format::records::{MAX_POSITION, in_first, in_further, slots_of};
use crate::sync::{LINE_WORDS, Ordering, Word, WriteWord, fence, on};

/// The word of a slot where a record will begin.
#[inline(always)]
pub(crate) fn marked(position: u64) -> u64 {
    named(position).wrapping_mul(4).wrapping_add(1)
}

/// The word of a slot where a record begins.
#[inline(always)]
pub(crate) fn published(position: u64) -> u64 {
    named(position).wrapping_mul(4).wrapping_add(2)
}

/// The word of a slot where a record goes on.
#[inline(always)]
pub(crate) fn continued(position: u64) -> u64 {
    named(position).wrapping_mul(4).wrapping_add(3)
}

/// Q1. The position in the word. Without it a slot looks the same on every lap.
#[inline(always)]
fn named(position: u64) -> u64 {
    if on("Q1") { position } else { 0 }
}

/// The word of a slot that says which numbers were passed over. Only a relay stores it.
#[inline]
pub(crate) fn passed_over(position: u64) -> u64 {
    named(position).wrapping_mul(4).wrapping_add(4)
}

/// The position that a word names, if it says that numbers were passed over there.
#[inline]
pub(crate) fn passes_over(word: u64) -> Option<u64> {
    (word.is_multiple_of(4) && word != 0).then(|| word / 4 - 1)
}

/// The position that a word names, if a record begins there.
#[inline(always)]
pub(crate) fn begins(word: u64) -> Option<u64> {
    (word % 4 == 2).then_some(word / 4)
}

/// The second word of a record's first slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The low half of the record's number.
    pub(crate) number: u32,
    /// Bytes of the record: less than 2^24.
    pub(crate) length: usize,
    pub(crate) kind: u8,
}

impl Head {
    #[inline(always)]
    fn word(self) -> u64 {
        u64::from(self.number) | (self.length as u64) << 32 | u64::from(self.kind) << 56
    }

    #[inline(always)]
    fn of(word: u64) -> Self {
        Head { number: word as u32, length: (word >> 32) as usize & 0xff_ffff, kind: (word >> 56) as u8 }
    }
}

/// Numbers that were passed over. They take one slot, as a record does that has no bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// The first of them.
    pub(crate) from: u64,
    /// The first number behind them, less than 2^32 further on.
    pub(crate) until: u64,
    /// So many slots before this one begins the last record before it, or 0 if none is left.
    pub(crate) back: u32,
}

impl Gap {
    /// The second and the third word of its slot.
    fn words(self) -> [u64; 2] {
        [u64::from(self.from as u32) | u64::from(self.back) << 32, self.until]
    }

    /// `None` if no publisher stored these words in a ring that begins with number `base`.
    fn of([head, until]: [u64; 2], base: u64) -> Option<Self> {
        let from = until.wrapping_sub(u64::from((until as u32).wrapping_sub(head as u32)));
        // N7. No publisher goes back, or on to a number that none can reach.
        let possible = (base..until).contains(&from) && until < MAX_SEQUENCE;
        (possible || !on("N7")).then_some(Gap { from, until, back: (head >> 32) as u32 })
    }
}

/// Says at `position`, whose slot is already marked, that numbers were passed over, names the position in the header's word `last`,
/// and marks the slot behind it. Returns that slot's position.
pub(crate) fn pass_over<S: Stride>(slots: &Slots<WriteWord, S>, last: &WriteWord, position: u64, gap: Gap) -> u64 {
    before_the_bytes();
    let slot = slots.at(position);
    slot[1..].iter().zip(gap.words()).for_each(|(word, value)| word.store(value));
    announce(slots, last, position..position + 1, passed_over(position));
    position + 1
}

/// Reads which numbers the slot at `position` says were passed over. The error is the word that was there instead, or that word if no
/// publisher stored what the slot says.
pub(crate) fn read_passed_over<S: Stride>(slots: &Slots<Word, S>, position: u64, base: u64) -> Result<Gap, u64> {
    let slot = slots.at(position);
    let seen = slot[0].load();
    if seen != passed_over(position) {
        return Err(seen);
    }
    let words = between_two_looks(slot, seen, || [slot[1].load(), slot[2].load()])?;
    Gap::of(words, base).ok_or(seen)
}

/// Publishes a record at `position`, whose slot is already marked, names the position in the header's word `last`, and marks the
/// slot behind the record. Returns that slot's position.
#[inline(always)]
pub(crate) fn publish<S: Stride>(
    slots: &Slots<WriteWord, S>,
    last: &WriteWord,
    position: u64,
    name: (u64, u8),
    bytes: &[u8],
) -> u64 {
    let (head, rest) = bytes.split_at(bytes.len().min(in_first(slots.words())));
    let end = position + slots_of(bytes.len(), slots.words());
    for further in position + 1..end {
        begin_to_overwrite(slots, further);
    }
    before_the_bytes();
    if !rest.is_empty() {
        // Further slots first, so that the line which a waiting subscriber polls is touched once.
        copy_slots::store(slots, position + 1, rest);
    }
    let first = slots.at(position);
    if slots.words() == LINE_WORDS {
        copy_slots::store_short(&first[2..], head);
    } else {
        copy_slots::store_one(&first[2..], head);
    }
    end_with(slots, last, position..end, name, bytes.len());
    // The next record may be as long.
    if !rest.is_empty() {
        copy_slots::own(slots, end + 1, (end - position - 1).min(OWN_AHEAD));
    }
    end
}

/// The same for a record that takes two slots of one line. Most records of market data take one or two.
#[inline(always)]
pub(crate) fn publish_in_two(
    slots: &Slots<WriteWord, LineStride>,
    last: &WriteWord,
    position: u64,
    name: (u64, u8),
    (head, rest): (&[u8; FIRST_WORDS * 8], &[u8]),
) -> u64 {
    let (further, end) = (position + 1, position + 2);
    begin_to_overwrite(slots, further);
    before_the_bytes();
    copy_slots::store_short(&slots.at(further)[1..], rest);
    copy_slots::store_short(&slots.at(position)[2..], head);
    end_with(slots, last, position..end, name, head.len() + rest.len());
    copy_slots::own(slots, end + 1, 1);
    end
}

/// Q2. The old record that began in this slot is gone from now on. A reader that is still copying it finds this word when it looks
/// again.
#[inline(always)]
fn begin_to_overwrite<S: Stride>(slots: &Slots<WriteWord, S>, position: u64) {
    if on("Q2") {
        slots.at(position)[0].store(continued(position));
    }
}

/// Q3. Pairs with Q9. The words of further slots and the marker were stored before this fence, and the record's bytes are stored
/// after it. A reader that copied a byte of this record, and then looks again behind its own fence, sees those words.
#[inline(always)]
fn before_the_bytes() {
    fence("Q3", Ordering::Release);
}

/// Publishes the record whose bytes were stored at these positions, and names it in the header's word `last`.
#[inline(always)]
fn end_with<S: Stride>(
    slots: &Slots<WriteWord, S>,
    last: &WriteWord,
    positions: Range<u64>,
    (number, kind): (u64, u8),
    length: usize,
) {
    slots.at(positions.start)[1].store(Head { number: number as u32, length, kind }.word());
    let word = published(positions.start);
    announce(slots, last, positions, word);
}

/// Stores the word of the first slot, whose content was stored before, names it in the header's word `last`, and marks the slot behind
/// these positions.
#[inline(always)]
fn announce<S: Stride>(slots: &Slots<WriteWord, S>, last: &WriteWord, positions: Range<u64>, word: u64) {
    // Q4. Pairs with Q8. A reader that sees the record published sees all of it.
    slots.at(positions.start)[0].store_ordered("Q4", Ordering::Release, word);
    // Q16. Pairs with Q15. Whoever sees where the last record begins sees that record. The slot behind it is marked after that: in
    // a small ring it may be that of the record before, which the header must not name any more if the publisher dies here.
    last.store_ordered("Q16", Ordering::Release, positions.start);
    mark(slots.at(positions.end), positions.end);
}

/// Slots behind the marked one whose lines a publisher asks for, at most. The processor forgets more than so many requests.
const OWN_AHEAD: u64 = 8;

/// Marks a slot: a record will begin there.
#[inline(always)]
pub(crate) fn mark(slot: &[WriteWord], position: u64) {
    // Q5. The old record that began here is gone from now on, as by Q2.
    if on("Q5") {
        slot[0].store(marked(position));
    }
    if slot.len() > LINE_WORDS {
        // Q6. Pairs with Q9, as Q3. The stores below are the first into the next record.
        fence("Q6", Ordering::Release);
        // They bring each further line to this core before the record comes. What they store does not matter.
        for line in slot[LINE_WORDS..].chunks_exact(LINE_WORDS) {
            line[0].store(0);
        }
    }
}

/// A record that is being read. What it says may be torn until the second look.
#[derive(Clone, Copy)]
pub(crate) struct Record<'a> {
    slots: AnySlots<'a>,
    position: u64,
    pub(crate) head: Head,
}

/// The slots of a ring of records. Those of one line have a size that the compiler knows.
#[derive(Clone, Copy)]
pub(crate) enum AnySlots<'a> {
    Lines(&'a Slots<Word, LineStride>),
    Larger(&'a Slots<Word, DynamicStride>),
}

impl<'a> From<&'a Slots<Word, LineStride>> for AnySlots<'a> {
    #[inline(always)]
    fn from(slots: &'a Slots<Word, LineStride>) -> Self {
        AnySlots::Lines(slots)
    }
}

impl<'a> From<&'a Slots<Word, DynamicStride>> for AnySlots<'a> {
    #[inline(always)]
    fn from(slots: &'a Slots<Word, DynamicStride>) -> Self {
        AnySlots::Larger(slots)
    }
}

impl Record<'_> {
    /// Copies the bytes to the beginning of `words`, which grows if it is too short. Words behind the record may be changed.
    #[inline(always)]
    pub(crate) fn copy_to_words(&self, words: &mut Vec<u64>) {
        let length = self.head.length;
        match self.slots {
            AnySlots::Lines(slots) => {
                if let Some(first) = words.first_chunk_mut::<FIRST_WORDS>()
                    && length <= FIRST_WORDS * 8
                {
                    // Always as much as the slot holds: a copy of a length that is known is three loads.
                    copy::load_over_bytes(&slots.at(self.position)[2..], copy::bytes_of_mut(first));
                } else {
                    load_lines(slots, self.position, length, words);
                }
            }
            AnySlots::Larger(slots) => load_larger(slots, self.position, length, words),
        }
    }

    /// Copies the bytes to the beginning of `bytes`, which grows if it is too short.
    #[inline(always)]
    pub(crate) fn copy_to(&self, bytes: &mut Vec<u8>) {
        let length = self.head.length;
        if bytes.len() < length {
            grow(bytes, length);
        }
        match self.slots {
            AnySlots::Lines(slots) => load(slots, self.position, &mut bytes[..length]),
            AnySlots::Larger(slots) => load(slots, self.position, &mut bytes[..length]),
        }
    }
}

#[cold]
fn grow<T: Copy + Default>(buffer: &mut Vec<T>, length: usize) {
    buffer.resize(length, T::default());
}

/// Words of a record in its first slot, and in each further one, if a slot is one line.
pub(crate) const FIRST_WORDS: usize = in_first(LINE_WORDS) / 8;
const FURTHER_WORDS: usize = in_further(LINE_WORDS) / 8;

/// Copies a record of several slots of one line each to the beginning of `words`. It always copies as much as a slot holds.
#[inline(never)]
fn load_lines(slots: &Slots<Word, LineStride>, position: u64, length: usize, words: &mut Vec<u64>) {
    let further = slots_of(length, LINE_WORDS) as usize - 1;
    let needed = FIRST_WORDS + further * FURTHER_WORDS;
    if words.len() < needed {
        grow(words, needed);
    }
    let (first, rest) = words.split_at_mut(FIRST_WORDS);
    copy::load_over_bytes(&slots.at(position)[2..], copy::bytes_of_mut(first));
    copy_slots::load(slots, position + 1, &mut copy::bytes_of_mut(rest)[..further * copy_slots::ONE_LINE]);
}

/// Copies a record of larger slots to the beginning of `words`.
#[inline(never)]
fn load_larger(slots: &Slots<Word, DynamicStride>, position: u64, length: usize, words: &mut Vec<u64>) {
    if words.len() * 8 < length {
        grow(words, length.div_ceil(8));
    }
    load(slots, position, &mut copy::bytes_of_mut(words)[..length]);
}

/// Copies the bytes of a record out.
#[inline(always)]
fn load<S: Stride>(slots: &Slots<Word, S>, position: u64, bytes: &mut [u8]) {
    let (head, rest) = bytes.split_at_mut(bytes.len().min(in_first(slots.words())));
    copy_slots::load_one(&slots.at(position)[2..], head);
    copy_slots::load(slots, position + 1, rest);
}

/// Reads the record at `position`. `copy` copies what it needs; its result may be torn and is returned only if the word did
/// not change. The position behind the record comes with it. The error is the word that was there instead: [`why_absent`]
/// says what it means. `longest` is the longest record that the ring can have.
#[inline(always)]
pub(crate) fn read<'a, S: Stride, C>(
    slots: &'a Slots<Word, S>,
    position: u64,
    longest: usize,
    is_expected: impl FnOnce(Head) -> bool,
    copy: impl FnOnce(Record<'a>) -> C,
) -> Result<(C, u64), u64>
where
    AnySlots<'a>: From<&'a Slots<Word, S>>,
{
    let first = slots.at(position);
    let seen = first[0].load();
    // Q7. A record that begins exactly here. Any other word says that it is still to come, or is gone.
    if seen != published(position) && (on("Q7") || begins(seen).is_none()) {
        return Err(seen);
    }
    let (head, length, copied) = between_two_looks(first, seen, || {
        let head = Head::of(first[1].load());
        // Q10. A length is bounded before it is used. Whoever writes to the file can forge one.
        let length = if on("Q10") { head.length.min(longest) } else { head.length };
        (head, length, copy(Record { slots: slots.into(), position, head: Head { length, ..head } }))
    })?;
    // Q12. Another number, or a length that no publisher wrote: the slot is corrupt, which its word then says.
    if (!is_expected(head) || head.length > longest) && on("Q12") {
        return Err(seen);
    }
    Ok((copied, behind(position, length, slots.words())))
}

/// Copies what a slot announces with its word, which was `seen`. The error is the word that is there now, if it is another.
#[inline(always)]
fn between_two_looks<C>(first: &[Word], seen: u64, copy: impl FnOnce() -> C) -> Result<C, u64> {
    // Q8. Pairs with Q4. The copy gets the record that this word announced, or newer words.
    fence("Q8", Ordering::Acquire);
    let copied = copy();
    // Q9. Pairs with Q3 and Q6. If any word of the copy is newer than the record, so is the word read below.
    fence("Q9", Ordering::Acquire);
    let again = first[0].load();
    // Q11. The word is unchanged, so every word of the copy belongs to this record. If not, the copy is thrown away.
    if again != seen && on("Q11") { Err(again) } else { Ok(copied) }
}

/// The position behind a record of `length` bytes. A branch, so that the processor goes on to the next record before it knows
/// this one's length.
#[inline(always)]
fn behind(position: u64, length: usize, words: usize) -> u64 {
    #[inline(never)]
    fn behind_several(position: u64, length: usize, words: usize) -> u64 {
        position + slots_of(length, words)
    }
    if length <= in_first(words) { position + 1 } else { behind_several(position, length, words) }
}

/// Why no record was read at `position`, where the word `seen` was found instead.
#[inline]
pub(crate) fn why_absent(seen: u64, position: u64, mask: u64) -> Absence {
    let (found, what) = (seen / 4, seen % 4);
    if seen == 0 {
        return Absence::NotYet;
    }
    // Q13. A position can be only in its slot, and no publisher reaches the last of them.
    if (found & mask != position & mask || found >= MAX_POSITION || what == 0) && on("Q13") {
        return Absence::Corrupt;
    }
    if found > position {
        // This slot is written at each lap, so the one behind it is the oldest that can be left.
        return Absence::Lapped { published: found.saturating_sub(mask).max(position + 1) };
    }
    // A record that is there was refused. Else the slot is of an older lap, is marked, or was left by a publisher that died when it
    // had begun a longer record before this one.
    if found == position && what == 2 { Absence::Corrupt } else { Absence::NotYet }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_back() {
        for head in [
            Head { number: 0, length: 0, kind: 0 },
            Head { number: u32::MAX, length: 0xff_ffff, kind: 255 },
            Head { number: 7, length: 1 << 23, kind: 1 },
        ] {
            assert_eq!(Head::of(head.word()), head);
        }
    }

    #[test]
    fn a_word_tells_not_yet_from_lapped_and_corrupt() {
        let said = |seen| why_absent(seen, 6, 3);
        assert_eq!([0, marked(6), continued(6), published(2), continued(2)].map(said), [Absence::NotYet; 5]);
        let lapped = |published| Absence::Lapped { published };
        assert_eq!([marked(10), published(10), continued(10)].map(said), [lapped(7); 3]);
        assert_eq!(said(marked(18)), lapped(15));
        let wrong = [published(7), published(6), 4 * 6, marked(MAX_POSITION + 2), u64::MAX];
        assert_eq!(wrong.map(said), [Absence::Corrupt; 5]);
    }
}
