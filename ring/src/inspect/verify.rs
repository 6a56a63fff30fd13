//! Verifying a ring: header, control file, FIFO, epochs, and every slot's sequence word.

use std::fmt::Write as _;

use super::facts::State;
use super::ring::Ring;
use crate::format::layout::{MAX_SEQUENCE, word};
use crate::protocol::{end, slot};

/// Number of findings that are listed. Further findings are only counted.
const LISTED: usize = 100;

/// Number of slots that are read between two readings of the publisher's position.
const CHUNK: u64 = 1024;

/// How often a slot that seems wrong is read again. It may only seem wrong because the publisher laps it meanwhile, but
/// that does not happen every time.
const RECHECKS: u32 = 8;

/// What [`Ring::verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What is wrong: the first 100 findings.
    pub findings: Vec<Finding>,
    /// Number of further findings.
    pub more: u64,
    /// Number of slots that were checked.
    pub slots: u64,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where: a file, a word of the header, or a slot.
    pub place: String,
    /// What was found there.
    pub found: String,
    /// What was expected there.
    pub expected: String,
}

impl Verdict {
    /// Whether nothing is wrong.
    pub fn is_fine(&self) -> bool {
        self.findings.is_empty()
    }

    fn note(&mut self, place: impl Into<String>, found: impl ToString, expected: impl Into<String>) {
        if self.findings.len() < LISTED {
            let (place, expected) = (place.into(), expected.into());
            self.findings.push(Finding { place, found: found.to_string(), expected });
        } else {
            self.more += 1;
        }
    }

    fn count(&self) -> u64 {
        self.findings.len() as u64 + self.more
    }
}

impl Ring {
    /// Compares the ring with what a publisher makes: the header words that change, the files beside the segment, the
    /// schema, and every slot's sequence word.
    ///
    /// It may be run on a live ring. It reads the first line of every slot, and the publisher must fetch that line back
    /// after each reading.
    pub fn verify(&self) -> Verdict {
        let mut verdict = Verdict::default();
        self.verify_header(&mut verdict);
        self.verify_files(&mut verdict);
        if self.has_holes() {
            let (blocks, bytes) = (self.stat.st_blocks.saturating_mul(512), self.stat.st_size);
            verdict.note("segment", format!("{blocks} bytes in memory, the rest holes"), format!("{bytes}, all of it"));
        } else {
            self.verify_slots(&mut verdict);
        }
        if self.is_cut_short() {
            // All other findings come from the zeros that replaced the segment.
            verdict = Verdict::default();
            verdict.note("segment", "a file that was cut short meanwhile", format!("{} bytes", self.stat.st_size));
        }
        verdict
    }

    fn verify_header(&self, verdict: &mut Verdict) {
        if let State::Unknown(found) = self.state() {
            verdict.note("header, the state", found, "1 (live), 2 (closed) or 3 (superseded)");
        }
        // 0 is right if the publisher was killed before it stored how it wakes.
        let wake = self.word(word::WAKE);
        if wake != 0 && self.wake().is_none() {
            verdict.note("header, the wake word", wake, "1 (fence) or 2 (membarrier)");
        }
        let align = self.facts.payload_align;
        if !align.is_power_of_two() {
            verdict.note("header, the payload's alignment", align, "a power of two");
        }
        if let Err(error) = self.message_type() {
            verdict.note("header, the schema", error, "name, size and alignment, then a line for each field");
        }
        let (epochs, published) = (self.epochs(), self.published());
        if self.epoch() == 0 {
            verdict.note("header, the epoch", 0, "at least 1");
        }
        let mut last = self.facts.base;
        for (epoch, begin) in epochs {
            if !(last..=published).contains(&begin) && epoch > 0 {
                let expected = format!("from {last} to {published}");
                verdict.note(format!("header, the beginning of epoch {epoch}"), begin, expected);
            }
            last = last.max(begin);
        }
    }

    fn verify_files(&self, verdict: &mut Verdict) {
        // A ring that replaces this one puts its control file in place before its segment, so a superseded ring may
        // have none that belongs to it.
        if let Some(problem) = self.control_damage()
            && self.state() != State::Superseded
        {
            verdict.note("control", problem, "the control file that belongs to the segment");
        }
        if let Err(problem) = &self.live {
            verdict.note("live", problem, "the FIFO that says whether the publisher lives");
        }
        if let Some(directory) = &self.directory
            && let Ok(directory) = directory.stat()
            && directory.st_uid != self.stat.st_uid
        {
            let found = format!("owned by uid {}", self.stat.st_uid);
            verdict.note("segment", found, format!("uid {}, which owns the directory", directory.st_uid));
        }
        let published = self.published();
        for entry in self.entries().ok().flatten().unwrap_or_default() {
            // A subscriber may wait for a sequence far ahead, but no publisher can reach this one.
            if entry.held && entry.sequence >= MAX_SEQUENCE {
                let place = format!("control, entry {} (pid {})", entry.index, entry.pid);
                verdict.note(place, entry.sequence, format!("a sequence; {published} are published"));
            }
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
            let before = next();
            seen.clear();
            seen.extend((start..self.facts.capacity.min(start + CHUNK)).map(|index| self.view.sequence_word(index)));
            let after = next();
            for (index, &seen) in (start..).zip(&seen) {
                if self.is_possible(index, seen, before, after) {
                    continue;
                }
                let look_again = || {
                    let before = next();
                    let seen = self.view.sequence_word(index);
                    let after = next();
                    (seen, before, after)
                };
                let looks: Option<Vec<_>> = (0..RECHECKS)
                    .map(|_| look_again())
                    .map(|look| (!self.is_possible(index, look.0, look.1, look.2)).then_some(look))
                    .collect();
                if let Some(&(seen, before, _)) = looks.as_ref().and_then(|looks| looks.last()) {
                    verdict.note(format!("slot {index}"), describe(seen), self.expected(index, before));
                }
            }
        }
        verdict
    }

    /// Whether the slot at `index` can hold the sequence word `seen` when the next sequence was between `before` and
    /// `after`.
    fn is_possible(&self, index: u64, seen: u64, before: u64, after: u64) -> bool {
        let (capacity, base) = (self.facts.capacity, self.facts.base);
        if seen == 0 {
            return self.first_sequence(index) >= before; // never written
        }
        let number = (seen - 1) / 2;
        if number & (capacity - 1) != index || number < base {
            return false;
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
            let _ = write!(text, "{}", describe(slot::marked(next)));
        } else if first >= next {
            text.push_str("never written");
        } else {
            let number = next - (next.wrapping_sub(index) & mask);
            let _ = write!(text, "{}", describe(slot::published(number)));
        }
        text
    }
}

/// The meaning of a sequence word, in words.
fn describe(seen: u64) -> String {
    match seen {
        0 => "never written".to_owned(),
        seen if seen.is_multiple_of(2) => format!("message {} ({seen})", (seen - 1) / 2),
        seen => format!("message {} being written ({seen})", seen / 2),
    }
}
