//! Verifying a ring: its epochs, and every slot's sequence word.

use std::fmt::Write as _;

use super::verdict::{Finding, Verdict, describe};
use crate::format::layout::{MAX_SEQUENCE, word};
use crate::inspect::ring::Ring;
use crate::protocol::{end, slot};

/// Number of slots that are read between two readings of the publisher's position.
pub(super) const CHUNK: u64 = 1024;

/// How often a slot that seems wrong is read again. It may only seem wrong because the publisher laps it meanwhile, but
/// that does not happen every time.
pub(super) const RECHECKS: u32 = 8;

impl Ring {
    /// Compares the ring with what a publisher makes: the header words that change, the files beside the segment, the
    /// schema, and every slot's sequence word; of records, also that each begins behind the one before it, with the next number.
    ///
    /// It may be run on a live ring. It reads the first line of every slot, and the publisher must fetch that line back
    /// after each reading.
    pub fn verify(&self) -> Verdict {
        let slots = |verdict: &mut Verdict| match self.is_records() {
            true => self.verify_records(verdict),
            false => self.verify_slots(verdict),
        };
        self.verdict(|verdict| self.verify_epochs(verdict), slots)
    }

    fn verify_epochs(&self, verdict: &mut Verdict) {
        let (epochs, published) = (self.epochs(), self.published());
        let mut last = self.facts.base;
        for (epoch, begin) in epochs {
            if !(last..=published).contains(&begin) && epoch > 0 {
                let expected = format!("from {last} to {published}");
                verdict.note(format!("header, the beginning of epoch {epoch}"), begin, expected);
            }
            last = last.max(begin);
        }
    }

    fn verify_slots(&self, verdict: &mut Verdict) {
        let mut slots = self.impossible_slots(|| self.published());
        let count = self.word(word::PUBLISHED);
        // If most slots seem wrong, the count is wrong and not the slots.
        let (end, before) = (end::next_of_stopped(&self.view), self.published());
        if count > MAX_SEQUENCE || count < self.facts.base || slots.count() > self.facts.capacity / 2 {
            let again = self.impossible_slots(|| end);
            if again.count() < slots.count() && before == self.published() {
                verdict.note("header, the published count", count, format!("{end}, where the slots end"));
                slots = again;
            } else if count != before {
                verdict.note("header, the published count", count, format!("from {} to 2^62", self.facts.base));
            }
        }
        for Finding { place, found, expected } in slots.findings {
            verdict.note(place, found, expected);
        }
        verdict.more += slots.more;
        verdict.slots = self.facts.capacity;
    }

    /// The slots whose sequence word is impossible if `next` returns the next sequence to be published.
    fn impossible_slots(&self, next: impl Fn() -> u64) -> Verdict {
        let mut verdict = Verdict::default();
        let mut seen = Vec::with_capacity(CHUNK as usize);
        for start in (0..self.facts.capacity).step_by(CHUNK as usize) {
            let before = self.least(next());
            seen.clear();
            seen.extend((start..self.facts.capacity.min(start + CHUNK)).map(|index| self.view.first_word(index)));
            let after = next();
            for (index, &seen) in (start..).zip(&seen) {
                if self.is_possible(index, seen, before, after) {
                    continue;
                }
                let look_again = || {
                    let before = self.least(next());
                    let seen = self.view.first_word(index);
                    let after = next();
                    (seen, before, after)
                };
                let looks: Option<Vec<_>> = (0..RECHECKS)
                    .map(|_| look_again())
                    .map(|look| (!self.is_possible(index, look.0, look.1, look.2)).then_some(look))
                    .collect();
                if let Some(&(seen, before, _)) = looks.as_ref().and_then(|looks| looks.last()) {
                    verdict.note(format!("slot {index}"), describe("message", seen), self.expected(index, before));
                }
            }
        }
        verdict
    }

    /// The least sequence by which a slot is judged when `next` is the next. A relay that passes over messages, or was killed then, says
    /// in the first of their slots that all are passed over: the others may still be as they were. It counts them last.
    fn least(&self, next: u64) -> u64 {
        let count = self.word(word::PUBLISHED);
        let is_half_done = self.view.layout().relayed
            && (self.facts.base..next).contains(&count)
            && slot::next_after(self.view.slot(count), count) == Some(next);
        if is_half_done { count } else { next }
    }

    /// Whether the slot at `index` can hold the sequence word `seen` when the next sequence was between `before` and
    /// `after`.
    fn is_possible(&self, index: u64, seen: u64, before: u64, after: u64) -> bool {
        let (capacity, base) = (self.facts.capacity, self.facts.base);
        if seen == 0 {
            return self.first_sequence(index) >= before; // never written
        }
        let (number, is_passed_over) = slot::number(seen);
        if number & (capacity - 1) != index || number < base {
            return false;
        }
        // Where more than a lap was passed over, what says so stays until its slot's next message.
        if is_passed_over {
            return number < after;
        }
        match seen.is_multiple_of(2) {
            // Published: the publisher has reached it, and has not lapped it.
            true => number < after && number.saturating_add(capacity) >= before,
            // Marked: only the next message is.
            false => (before..=after).contains(&number),
        }
    }

    /// The first sequence that the slot at `index` ever holds.
    fn first_sequence(&self, index: u64) -> u64 {
        let (base, mask) = (self.facts.base, self.facts.capacity - 1);
        base + (index.wrapping_sub(base) & mask)
    }

    /// What the slot at `index` should hold if `next` is the next sequence.
    fn expected(&self, index: u64, next: u64) -> String {
        let (mask, first) = (self.facts.capacity - 1, self.first_sequence(index));
        let mut text = String::new();
        if next & mask == index {
            let _ = write!(text, "{}", describe("message", slot::marked(next)));
        } else if first >= next {
            text.push_str("never written");
        } else {
            let number = next - (next.wrapping_sub(index) & mask);
            let _ = write!(text, "{}", describe("message", slot::published(number)));
        }
        text
    }
}
