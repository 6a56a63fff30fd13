//! Verifying a ring of records: the word of every slot, the records from the oldest to the newest, and what the header says of
//! the newest.

use std::ops::Range;

use super::ring::{CHUNK, RECHECKS};
use super::verdict::{Finding, Verdict};
use crate::format::layout::word;
use crate::format::records::{MAX_POSITION, PLACE, slots_of};
use crate::inspect::ring::Ring;
use crate::protocol::record::{self, Head, continued, marked, published};
use crate::protocol::records::{self, Spot};
use crate::protocol::slot::Absence;
use crate::sync::tuning::END_ATTEMPTS;

/// What a look at the slot of a position found.
enum Step {
    /// The record of which the low half of the number is this, or numbers from it on that were passed over. Then the low half of the
    /// number behind it, its position, and a slot where the record should go on and does not.
    Record(Range<u32>, u64, Option<Finding>),
    /// A record whose first slots are overwritten goes on here.
    GoesOn,
    /// It was overwritten.
    Lapped,
    /// What is wrong.
    Fault(Finding),
}

impl Ring {
    pub(super) fn verify_records(&self, verdict: &mut Verdict) {
        let place = steady(|| self.wrong_place());
        // If the header's place is wrong, the slots say where the records end.
        let fixed = place.as_ref().map(|_| self.end_by_slots());
        let end = || fixed.or_else(|| self.end());
        if let Some(found) = place {
            let last = records::last_begun(&self.view);
            let expected = last.map_or("0".to_owned(), |last| format!("{last}, where the last record begins"));
            verdict.note("header, the place of the last record", found, expected);
        }
        if let Some((found, next)) = steady(|| self.wrong_count(end()?)) {
            let expected = match next > self.facts.base {
                true => format!("{} or {next}, where the records end", next - 1),
                false => format!("{next}"),
            };
            verdict.note("header, the published count", found, expected);
        }
        let mut slots = self.impossible_words(|| end().map(|end| end.position));
        if let Some(end) = end() {
            self.follow_records(end, &mut slots);
        }
        for Finding { place, found, expected } in slots.findings {
            verdict.note(place, found, expected);
        }
        verdict.more += slots.more;
        verdict.slots = self.facts.capacity;
    }

    /// Where the records end by the header and the slots. `None` if a publisher is quicker than this look, or if the header is
    /// damaged.
    fn end(&self) -> Option<Spot> {
        let named = self.word(PLACE);
        let mut last = None;
        for _ in 0..END_ATTEMPTS {
            let end = records::next_of_running(&self.view).ok()?;
            let seen = self.view.first_word(end.position);
            if !is_reached(seen, end.position) {
                return Some(end);
            }
            last = Some(end);
        }
        // If nobody publishes, the slot is damaged.
        last.filter(|_| self.word(PLACE) == named)
    }

    /// The position that the header names, if it cannot be. A publisher names each record. It does so behind the record, so it may
    /// have died before: no further record is then of its epoch.
    fn wrong_place(&self) -> Option<u64> {
        let named = self.word(PLACE);
        let begins: Vec<u64> = self.epochs().into_iter().map(|(_, begin)| begin).collect();
        let is_wrong = match records::look(&self.view, named.min(MAX_POSITION - 1)) {
            Ok((_, mut next)) => {
                let limit = named.saturating_add(self.facts.capacity);
                let mut is_owed = false;
                loop {
                    if next.position >= limit {
                        break true;
                    }
                    let Ok((_, further)) = records::look(&self.view, next.position) else { break false };
                    let is_first = begins.contains(&next.number);
                    if is_owed && !is_first {
                        break true;
                    }
                    is_owed = true;
                    // A head's number may be wrong in another ring: that is found elsewhere.
                    let number = if self.view.layout().relayed { further.number } else { next.number + 1 };
                    next = Spot { number, position: further.position };
                }
            }
            // Nothing was published yet.
            Err(seen) if named == 0 => records::why_absent(&self.view, seen, 0) != Absence::NotYet,
            Err(_) => true,
        };
        let is_wrong = is_wrong || named >= MAX_POSITION;
        // If it has moved, a publisher is running, and was quicker than this look.
        (is_wrong && self.word(PLACE) == named).then_some(named)
    }

    /// The header's count, if it is neither the number of the next record nor that of the last; and that number. It is that of the last
    /// if the publisher died behind a record, or behind numbers that it passed over.
    fn wrong_count(&self, end: Spot) -> Option<(u64, u64)> {
        let count = self.word(word::PUBLISHED);
        let next = end.number;
        let last = || records::look(&self.view, end.position.checked_sub(1)?).ok().filter(|(_, next)| *next == end);
        let is_last = count.checked_add(1) == Some(next)
            || self.view.layout().relayed && last().is_some_and(|(number, _)| number == count);
        let possible = count == next || is_last && count >= self.facts.base;
        // A running publisher has published more since the end was found.
        let is_running = is_reached(self.view.first_word(end.position), end.position);
        (!possible && !is_running).then_some((count, next))
    }

    /// Where the records end by the slots alone.
    fn end_by_slots(&self) -> Spot {
        records::next_of_stopped(&self.view).unwrap_or_else(|| {
            let position = records::last_begun(&self.view).unwrap_or(0);
            Spot { number: self.published(), position }
        })
    }

    /// The slots whose word is impossible if `next` returns the position of the next record. It is not judged by a position that
    /// is not known.
    fn impossible_words(&self, next: impl Fn() -> Option<u64>) -> Verdict {
        let mut verdict = Verdict::default();
        let mut seen = Vec::with_capacity(CHUNK as usize);
        for start in (0..self.facts.capacity).step_by(CHUNK as usize) {
            let before = next();
            seen.clear();
            seen.extend((start..self.facts.capacity.min(start + CHUNK)).map(|index| self.view.first_word(index)));
            let after = next();
            for (index, &seen) in (start..).zip(&seen) {
                if self.can_hold(index, seen, before, after) {
                    continue;
                }
                let again = steady(|| {
                    let before = next();
                    let seen = self.view.first_word(index);
                    let after = next();
                    (!self.can_hold(index, seen, before, after)).then_some((seen, before?))
                });
                if let Some((seen, before)) = again {
                    verdict.note(format!("slot {index}"), describe(seen), self.word_expected(index, before));
                }
            }
        }
        verdict
    }

    /// Whether the slot at `index` can hold the word `seen` when the next record's position was between `before` and `after`.
    fn can_hold(&self, index: u64, seen: u64, before: Option<u64>, after: Option<u64>) -> bool {
        let (Some(before), Some(after)) = (before, after) else { return true };
        let passed_over = record::passes_over(seen).filter(|_| self.view.layout().relayed);
        let position = passed_over.unwrap_or(seen / 4);
        let is_in_place = position & self.view.mask() == index && position < MAX_POSITION;
        // The slot of the next record may not be marked yet.
        let is_not_lapped = position + self.facts.capacity >= before;
        // A publisher that is writing a record, or died then, has begun with the words of its further slots.
        let begun = slots_of(self.facts.payload_size, self.view.slots().words());
        match seen % 4 {
            0 if passed_over.is_some() => is_in_place && is_not_lapped && position < after,
            0 => seen == 0 && index >= before,
            1 => is_in_place && (before..=after).contains(&position),
            2 => is_in_place && is_not_lapped && position < after,
            _ => is_in_place && is_not_lapped && position < after + begun,
        }
    }

    /// What the slot at `index` should hold if the next record's position is `next`.
    fn word_expected(&self, index: u64, next: u64) -> String {
        let back = next.wrapping_sub(index) & self.view.mask();
        match next.checked_sub(back) {
            None => describe(0),
            Some(position) if back == 0 => describe(marked(position)),
            Some(position) => {
                let words = (published(position), continued(position));
                format!("a record that begins or goes on at position {position} ({} or {})", words.0, words.1)
            }
        }
    }

    /// Follows the records from the oldest to `end`: each begins behind the one before, with the next number, and goes on in
    /// every slot that its length takes.
    fn follow_records(&self, end: Spot, verdict: &mut Verdict) {
        let known: Vec<String> = verdict.findings.iter().map(|finding| finding.place.clone()).collect();
        let mut note = |finding: Finding| {
            if !known.contains(&finding.place) {
                verdict.note(finding.place, finding.found, finding.expected);
            }
        };
        let mut position = records::oldest_position(&self.view, end.position);
        // The low half of the number of the record that begins here; not known before the first one.
        let mut number = (position == 0).then_some(self.facts.base as u32);
        // The number that is right if the one before was wrong.
        let mut other = None;
        while position < end.position {
            match self.step(position, number.is_some()) {
                Step::Record(Range { start: found, end: behind }, next, broken) => {
                    if let Some(expected) = number
                        && found != expected
                        && other != Some(found)
                    {
                        let expected = end.number.wrapping_sub((end.number as u32).wrapping_sub(expected).into());
                        let found = expected & !u64::from(u32::MAX) | u64::from(found);
                        let place = format!("slot {}, the head", position & self.view.mask());
                        let (found, expected) = (format!("record {found}"), format!("record {expected}"));
                        note(Finding { place, found, expected });
                    }
                    let follows = number.filter(|_| other != Some(found)).unwrap_or(found);
                    other = (follows != found).then_some(behind);
                    number = Some(follows.wrapping_add(behind.wrapping_sub(found)));
                    broken.into_iter().for_each(&mut note);
                    position = next;
                }
                Step::GoesOn => position += 1,
                Step::Lapped => {
                    let now = records::next_of_running(&self.view).map_or(0, |end| end.position);
                    position = records::oldest_position(&self.view, now).max(position + 1);
                    (number, other) = (None, None);
                }
                Step::Fault(finding) => {
                    note(finding);
                    position += 1;
                    (number, other) = (None, None);
                }
            }
        }
    }

    /// Looks at the slot of a position until it is not wrong, or is so at each look.
    fn step(&self, position: u64, begins: bool) -> Step {
        let mut step = self.look_at(position, begins);
        for _ in 0..RECHECKS {
            if !matches!(step, Step::Fault(_) | Step::Record(_, _, Some(_))) {
                break;
            }
            step = self.look_at(position, begins);
        }
        step
    }

    /// Looks at the slot of a position. A record must begin there, or may go on there unless `begins`.
    fn look_at(&self, position: u64, begins: bool) -> Step {
        let (view, words) = (&self.view, self.view.slots().words());
        let fault = |position: u64, found: String, expected: String| {
            let place = format!("slot {}", position & view.mask());
            Finding { place, found, expected }
        };
        let mut long = 0;
        let read = record::read(
            view.slots(),
            position,
            self.facts.payload_size,
            |head: Head| {
                long = head.length;
                true
            },
            |record| {
                let further = position + 1..position + slots_of(record.head.length, words);
                let words = further.map(|position| (position, view.first_word(position)));
                let broken = words.into_iter().find(|&(position, word)| word != continued(position));
                (record.head.number, broken)
            },
        );
        match read {
            Ok(((number, broken), next)) => {
                let broken = broken.map(|(at, word)| fault(at, describe(word), describe(continued(at))));
                Step::Record(number..number.wrapping_add(1), next, broken)
            }
            Err(seen) if seen == published(position) => {
                let most = format!("at most {} bytes", self.facts.payload_size);
                Step::Fault(Finding {
                    place: format!("slot {}, the head", position & view.mask()),
                    found: format!("a record of {long} bytes"),
                    expected: most,
                })
            }
            Err(seen) if seen == continued(position) && !begins => Step::GoesOn,
            Err(seen) => match (records::why_absent(view, seen, position), records::look(view, position)) {
                (Absence::Lapped { .. }, _) => Step::Lapped,
                (Absence::PassedOver { .. }, Ok((number, next))) => {
                    Step::Record(number as u32..next.number as u32, next.position, None)
                }
                (Absence::NotYet | Absence::PassedOver { .. } | Absence::Corrupt, _) => {
                    Step::Fault(fault(position, describe(seen), describe(published(position))))
                }
            },
        }
    }
}

/// Whether the slot's word says that a record was published at this position, or behind it.
fn is_reached(seen: u64, position: u64) -> bool {
    record::begins(seen) == Some(position) || seen / 4 > position
}

/// What `look` finds wrong, if it does so at each look: a single one may be disturbed by a running publisher.
fn steady<T>(look: impl Fn() -> Option<T>) -> Option<T> {
    let mut found = look()?;
    for _ in 0..RECHECKS {
        found = look()?;
    }
    Some(found)
}

/// The meaning of a slot's word, in words.
fn describe(seen: u64) -> String {
    let position = seen / 4;
    match seen % 4 {
        0 if seen == 0 => "never written".to_owned(),
        1 => format!("the next record, at position {position} ({seen})"),
        2 => format!("a record that begins at position {position} ({seen})"),
        3 => format!("a record that goes on at position {position} ({seen})"),
        _ => format!("{seen}, which no publisher stores"),
    }
}
