//! The place of a record, for the cursor.

use super::join::Join;
use super::place::{Place, Settled, Unfound};
use super::record;
use super::records::{self, Located};
use super::slot::Absence;
use super::view::View;
use crate::format::records::{MAX_POSITION, longest};

/// A record's position, or that of another record if its own is not known: with [`ELSEWHERE`], and with [`GONE`] if the record
/// is overwritten.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Position(u64);

/// Added to a position that is not the record's own: no slot's word names such a one, so nothing is read there.
const ELSEWHERE: u64 = MAX_POSITION;

/// Added to that if the other record is a later one, and none before it can be read.
const GONE: u64 = ELSEWHERE << 1;

impl Position {
    /// The position to read at.
    #[inline(always)]
    pub(crate) fn at(self) -> u64 {
        self.0
    }

    /// The place of the record that begins at `position`.
    #[inline(always)]
    pub(crate) fn here(position: u64) -> Self {
        Position(position)
    }

    fn is_elsewhere(self) -> bool {
        self.0 >= ELSEWHERE
    }

    fn is_gone(self) -> bool {
        self.0 & GONE != 0
    }

    fn of(located: Located) -> Self {
        match located {
            Located::Here(spot) => Position::here(spot.position),
            Located::Behind(spot) => Position(spot.position | ELSEWHERE),
            Located::Gone(spot) => Position(spot.position | ELSEWHERE | GONE),
        }
    }

    /// Nothing was found: whoever looks here next looks for it again.
    const UNFOUND: Self = Position(ELSEWHERE);
}

/// Whether the slot at `position` decides what becomes of the record that is waited for.
pub(crate) fn is_decided(view: &View, position: u64) -> bool {
    let own = position & !(ELSEWHERE | GONE);
    let seen = view.first_word(own);
    seen == record::published(own) || records::why_absent(view, seen, own) != Absence::NotYet
}

/// The word of the slot at `position`, if no publisher stored it there.
fn wrong_word(view: &View, position: u64) -> Option<u64> {
    let seen = view.first_word(position);
    let is_wrong = seen != record::published(position) && records::why_absent(view, seen, position) == Absence::Corrupt;
    is_wrong.then_some(seen)
}

impl Place for Position {
    fn published(view: &View) -> u64 {
        records::next_of_running(view).map_or_else(|_| view.published_count(), |next| next.number)
    }

    fn join(view: &View, join: Join) -> (u64, Self) {
        let found = match join {
            Join::Sequence(number) => return (number, Self::locate(view, number)),
            Join::Latest => records::next_of_running(view),
            Join::Oldest => records::oldest(view),
        };
        match found {
            Ok(spot) => (spot.number, Position::here(spot.position)),
            Err(_) => (records::counted(view), Position::UNFOUND),
        }
    }

    fn newest(view: &View) -> Result<Option<(u64, Self)>, Unfound> {
        let (newest, _) = records::newest(view)?;
        Ok(newest.map(|spot| (spot.number, Position::here(spot.position))))
    }

    fn locate(view: &View, number: u64) -> Self {
        records::locate(view, number).map_or(Position::UNFOUND, Position::of)
    }

    fn why_absent(&self, view: &View, number: u64, seen: u64) -> Absence {
        if !self.is_elsewhere() {
            return match records::why_absent(view, seen, self.0) {
                // Nothing that is passed over is behind this number.
                Absence::PassedOver { until } if until <= number => Absence::Corrupt,
                absence => absence,
            };
        }
        if self.is_gone() { Absence::Lapped { published: 0 } } else { Absence::NotYet }
    }

    fn behind_passed_over(&self, _: &View, _: u64) -> Self {
        Position::here(self.0 + 1)
    }

    fn settle(&mut self, view: &View, number: u64) -> Settled {
        if !self.is_elsewhere() || !is_decided(view, self.0) {
            return Settled::Waiting;
        }
        let located = records::locate(view, number);
        *self = located.map_or(Position::UNFOUND, Position::of);
        match located {
            Ok(Located::Here(_)) => Settled::Here,
            Ok(Located::Gone(_)) => Settled::Lapped { published: 0 },
            Ok(Located::Behind(next)) => match wrong_word(view, next.position) {
                Some(found) => Settled::Corrupt(found),
                None => Settled::Waiting,
            },
            Err(Unfound::Overtaken) => Settled::Waiting,
            Err(Unfound::Corrupt(found)) => Settled::Corrupt(found),
        }
    }

    fn look(&mut self, view: &View, number: u64) -> Result<(), u64> {
        if self.is_elsewhere() {
            self.settle(view, number);
        }
        let longest = longest(view.capacity(), view.layout().slot_words);
        let is_expected = |head: record::Head| head.number == number as u32;
        record::read(view.slots(), self.0, longest, is_expected, |_| ()).map(|_| ())
    }

    fn resume(
        &self,
        view: &View,
        number: u64,
        oldest: u64,
        goes_on: impl Fn() -> bool,
    ) -> Result<(u64, Self), Unfound> {
        let least = if self.is_elsewhere() { self.0 & !(ELSEWHERE | GONE) } else { 0 };
        let spot = records::resume(view, oldest, least, goes_on)?;
        // What is behind the record that is gone has a higher number.
        if spot.number > number {
            Ok((spot.number, Position::here(spot.position)))
        } else {
            Err(Unfound::Corrupt(view.first_word(spot.position)))
        }
    }

    fn position(&self, _: u64) -> u64 {
        self.0
    }
}
