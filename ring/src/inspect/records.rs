//! Reading the records of a ring by their numbers. A number does not say where its record is: the place behind the last record
//! that was read is remembered, and all others are looked for.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::facts::Unread;
use crate::format::records::longest;
use crate::protocol::place::Unfound;
use crate::protocol::record;
use crate::protocol::records::{self, Located, Spot};
use crate::protocol::slot::Absence;
use crate::protocol::view::View;
use crate::sync::tuning::END_ATTEMPTS;

/// Reads the records of a ring.
pub(super) struct RecordReader {
    view: View,
    /// The longest record that the ring can have, in bytes.
    longest: usize,
    /// What is remembered from one reading to the next.
    known: Mutex<Known>,
}

#[derive(Clone, Copy)]
struct Known {
    /// The record behind the last one that was read.
    next: Spot,
    damaged: Option<Damaged>,
}

/// Records that cannot be read until they are overwritten: those from this one to number `until`.
#[derive(Clone, Copy)]
struct Damaged {
    from: Spot,
    until: u64,
    /// The word of the first one's slot.
    found: u64,
}

impl RecordReader {
    pub(super) fn new(view: View) -> Self {
        let layout = view.layout();
        // The first record of a ring is at the first position.
        let known = Known { next: Spot { number: layout.base, position: 0 }, damaged: None };
        RecordReader { longest: longest(view.capacity(), layout.slot_words), known: Mutex::new(known), view }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Each change is one store, so it is whole whatever panicked.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the next record. If the header or the newest record is damaged, what the header's count says.
    pub(super) fn next(&self) -> u64 {
        records::next_of_running(&self.view).map_or_else(|_| records::counted(&self.view), |next| next.number)
    }

    /// The numbers of the records that the ring holds. If the header or the newest record is damaged, only the newest one's: it
    /// cannot be read.
    pub(super) fn held(&self) -> Range<u64> {
        match records::held(&self.view) {
            // A ring holds fewer records than it has slots, whatever its slots say.
            Ok((oldest, end)) => {
                let fewest = end.number.saturating_sub(self.view.window());
                let all = oldest.number < fewest && self.follow_each_other(oldest, end);
                if all { oldest.number..end.number } else { oldest.number.max(fewest)..end.number }
            }
            Err(_) => {
                let counted = records::counted(&self.view);
                counted.saturating_sub(1).max(self.view.layout().base)..counted
            }
        }
    }

    /// Whether numbers were passed over among these records, and everything from the one to the other can be read.
    fn follow_each_other(&self, oldest: Spot, end: Spot) -> bool {
        let mut spot = oldest;
        while self.view.layout().relayed && spot.position < end.position {
            match records::look(&self.view, spot.position) {
                Ok((number, next)) if number == spot.number => spot = next,
                _ => return false,
            }
        }
        spot == end
    }

    /// Reads a record. Its number is one that a ring can reach.
    pub(super) fn read(&self, number: u64, bytes: &mut Vec<u8>) -> Result<u8, Unread> {
        let Known { next, damaged } = *self.known();
        if let Some(Damaged { from, until, found }) = damaged
            && (from.number..until).contains(&number)
            && self.view.first_word(from.position) == found
        {
            return Err(Unread::Corrupt { found });
        }
        let mut spot = if next.number == number { next } else { self.find(number)? };
        // A place may be wrong if the ring is damaged: then it is looked for anew.
        let mut ways = [Self::find, Self::search].into_iter();
        loop {
            let seen = match self.read_at(spot, bytes) {
                Ok(kind) => return Ok(kind),
                Err(seen) => seen,
            };
            let why = match records::why_absent(&self.view, seen, spot.position) {
                Absence::Lapped { .. } => return Err(Unread::Overwritten),
                Absence::PassedOver { until } if until > number => {
                    self.known().next = Spot { number: until, position: spot.position + 1 };
                    return Err(Unread::PassedOver { until });
                }
                Absence::NotYet if number >= self.view.published_count() => return Err(Unread::NotYet),
                Absence::NotYet => Unread::NotYet,
                Absence::PassedOver { .. } | Absence::Corrupt => Unread::Corrupt { found: seen },
            };
            spot = match ways.next() {
                Some(way) => way(self, number)?,
                None => return Err(why),
            };
        }
    }

    /// Reads the record at a place, and remembers the place behind it. The error is the word that was there instead.
    fn read_at(&self, spot: Spot, bytes: &mut Vec<u8>) -> Result<u8, u64> {
        let is_expected = |head: record::Head| head.number == spot.number as u32;
        let copy = |record: record::Record<'_>| {
            record.copy_to(bytes);
            (record.head.kind, record.head.length)
        };
        let read = record::read(self.view.slots(), spot.position, self.longest, is_expected, copy);
        let ((kind, length), position) = read?;
        bytes.truncate(length);
        self.known().next = Spot { number: spot.number + 1, position };
        Ok(kind)
    }

    fn find(&self, number: u64) -> Result<Spot, Unread> {
        match records::locate(&self.view, number) {
            Ok(Located::Here(spot)) => Ok(spot),
            Ok(Located::Behind(_)) => Err(Unread::NotYet),
            Ok(Located::Gone(_)) => Err(Unread::Overwritten),
            // The walk to it was overtaken each time, or met a damaged record.
            Err(Unfound::Overtaken) => self.search(number),
            Err(Unfound::Corrupt(found)) => Err(Unread::Corrupt { found }),
        }
    }

    /// Looks for a record in every slot, also behind those that are damaged.
    fn search(&self, number: u64) -> Result<Spot, Unread> {
        let overtaken = Unread::Overtaken { attempts: END_ATTEMPTS };
        let end = records::next_of_running(&self.view).map_err(|unfound| match unfound {
            Unfound::Corrupt(found) => Unread::Corrupt { found },
            Unfound::Overtaken => overtaken,
        })?;
        if number >= end.number {
            return Err(Unread::NotYet);
        }
        let mut from = records::oldest_position(&self.view, end.position);
        // The record that should follow the last one that was found.
        let mut follows: Option<Spot> = None;
        loop {
            let spot = records::first_from(&self.view, from, end).unwrap_or(end);
            if spot.number == number {
                return Ok(spot);
            }
            if spot.number < number {
                let next = records::look(&self.view, spot.position).map(|(_, next)| next);
                if next.is_ok_and(|next| next.number > number) {
                    return Ok(spot); // it was passed over there
                }
                from = next.map_or(spot.position + 1, |next| next.position);
                follows = next.ok().or(follows);
                continue;
            }
            let Some(from) = follows else { return Err(Unread::Overwritten) };
            let found = self.view.first_word(from.position);
            return Err(match records::why_absent(&self.view, found, from.position) {
                Absence::Lapped { .. } => overtaken,
                Absence::NotYet | Absence::PassedOver { .. } | Absence::Corrupt => {
                    // If only its head is damaged, its slots may still lead to the next one.
                    let begins = record::begins(found) == Some(from.position);
                    let until = if begins { from.number + 1 } else { spot.number };
                    self.known().damaged = Some(Damaged { from, until, found });
                    Unread::Corrupt { found }
                }
            });
        }
    }
}
