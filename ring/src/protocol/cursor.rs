//! A reader's position in a ring: where it joined, what it reads next, what it lost, what its caller was told.
//!
//! It knows neither the message type nor the kernel. Its owner asks the kernel whether the publisher lives.
//!
//! | the slot of the next message holds | a receive returns |
//! |---|---|
//! | the message, of the epoch reported last | the message |
//! | the message, of a newer epoch | `Restarted`, then the message |
//! | the message, of an epoch that the header no longer knows | `RestartsUnknown`, then the message |
//! | a newer message, or that the publisher passed it over | `Lagged`, with the number of lost messages |
//! | a number that belongs in another slot | `Corrupt` |
//! | nothing yet, and the ring is live | nothing, or `PublisherDead` if the owner finds the publisher dead |
//! | nothing yet, and the ring ended | how it ended |
//!
//! At every moment `first + received + lost + skipped = next`.

use super::epochs::{EpochOf, Epochs};
use super::join::Join;
use super::pending::Told;
use super::place::{Place, Settled, Unfound};
use super::slot::Absence;
use super::view::View;
use crate::error::{Corrupt, TryRecvError};
use crate::format::layout::state;
use crate::memory::Pinned;
use crate::sync::{Ordering, Word, fence, on};

/// What [`Cursor::resolve`] found in place of an error.
pub(crate) enum Resolution {
    /// The message. Its epoch was reported; read it now without comparing epochs again.
    Message,
    /// Nothing yet, in a live ring.
    Nothing,
}

/// A reader's position in a ring. `P` is the place of its next message.
pub(crate) struct Cursor<P> {
    view: View,
    epoch_word: Pinned<Word>,
    next: u64,
    place: P,
    received: u64,
    epoch: u64,
    /// The epoch of the messages that come now: that reported last, or 0 while it is not known.
    present_epoch: u64,
    lost: u64,
    skipped: u64,
    first: u64,
    /// The header's epoch when it was last compared with what was reported. The two differ where the header names an epoch
    /// of which nothing is to be reported yet.
    seen_epoch: u64,
    /// It was reported that the epochs of messages before this one are unknown.
    unknown_before: u64,
    /// State of the ring when its end was reported: `LIVE` if the publisher died, or if no end was reported.
    reported_state: u64,
    /// Whether only the newest message is wanted, so that overwritten ones are skipped and not lost.
    wants_newest: bool,
}

impl<P: Place> Cursor<P> {
    /// Joins a ring.
    pub(crate) fn join(view: View, join: Join) -> Self {
        let (first, place) = P::join(&view, join);
        let epoch_word = view.epoch_word();
        let mut cursor = Cursor {
            view,
            epoch_word,
            next: first,
            place,
            received: 0,
            epoch: 0,
            present_epoch: 0,
            lost: 0,
            skipped: 0,
            first,
            seen_epoch: 0,
            unknown_before: 0,
            reported_state: state::LIVE,
            wants_newest: false,
        };
        // The fences of this read order it after the look at how far the publisher is: it sees the epoch that the
        // publisher publishes in.
        let epochs = Epochs::read(&cursor.view);
        cursor.seen_epoch = epochs.newest();
        cursor.epoch = match epochs.of(first) {
            EpochOf::Known { epoch, .. } => epoch,
            // Only the first epoch can lie before the second.
            EpochOf::Before { oldest: 2, .. } => 1,
            EpochOf::Before { .. } => 0,
        };
        cursor.present_epoch = cursor.epoch;
        cursor
    }

    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    /// Sequence number of the next message.
    #[inline(always)]
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Its place.
    #[inline(always)]
    pub(crate) fn place(&self) -> P {
        self.place
    }

    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    pub(crate) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The epoch that was reported last. 0 if that of the first message was not known.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The epoch of the message that was received last. 0 if it is not known.
    #[inline(always)]
    pub(crate) fn epoch_of_last(&self) -> u64 {
        self.present_epoch
    }

    /// Number of messages that are published and not yet received.
    pub(crate) fn lag(&self) -> u64 {
        P::published(&self.view).saturating_sub(self.next)
    }

    /// What the caller was told so far. Used to sleep until the next message.
    pub(crate) fn told(&self) -> Told {
        self.told_with(state::LIVE)
    }

    /// What the caller was told so far. Used to wait, after an end, until a publisher takes over.
    pub(crate) fn told_of_end(&self) -> Told {
        self.told_with(self.reported_state)
    }

    fn told_with(&self, state: u64) -> Told {
        let position = self.place.position(self.next);
        Told { sequence: self.next, position, epoch: self.seen_epoch, state }
    }

    /// True if the header's epoch is the one reported last. Then a message that was just read is of that epoch.
    #[inline(always)]
    pub(crate) fn is_of_this_epoch(&self) -> bool {
        // V2. The epoch was stored before its first message, so a reader of the message sees the epoch.
        self.epoch_word.load() == self.epoch || !on("V2")
    }

    /// Counts the next message as received. `behind` is the place of the one behind it.
    #[inline(always)]
    pub(crate) fn advance(&mut self, behind: P) {
        self.next += 1;
        self.place = behind;
        self.received += 1;
    }

    /// Decides why the next message was not received. `seen` is the sequence word of its slot, or `None` if the message
    /// was read but the epoch has changed. `goes_on` tells whether a publisher lives; it is called only after a loss.
    ///
    /// # Errors
    /// The event to report before the message, or instead of it.
    #[inline]
    pub(crate) fn resolve(
        &mut self,
        seen: Option<u64>,
        goes_on: impl Fn() -> bool,
    ) -> Result<Resolution, TryRecvError> {
        let Some(seen) = seen else {
            // The first message since another epoch began: report the epoch before the message.
            return self.report_epoch().map(|()| Resolution::Message);
        };
        match self.place.why_absent(&self.view, self.next, seen) {
            Absence::Lapped { published } => Err(self.lapped(published, goes_on)),
            Absence::PassedOver { until } => Err(self.pass_over(until)),
            Absence::Corrupt => Err(self.corrupt(seen)),
            Absence::NotYet => self.not_yet(goes_on),
        }
    }

    /// Why a message could not be read that was there a moment ago. It may have been overwritten since.
    #[inline]
    pub(crate) fn why_missed(&mut self, seen: u64, goes_on: impl Fn() -> bool) -> TryRecvError {
        match self.place.why_absent(&self.view, self.next, seen) {
            Absence::Lapped { published } => self.lapped(published, goes_on),
            Absence::PassedOver { until } => self.pass_over(until),
            Absence::Corrupt => self.corrupt(seen),
            Absence::NotYet => TryRecvError::Empty,
        }
    }

    /// How the ring ended, after the kernel said that the publisher is gone.
    ///
    /// # Errors
    /// The end of the ring, unless a message is still to be read.
    #[inline]
    pub(crate) fn publisher_gone(&mut self, goes_on: impl Fn() -> bool) -> Result<(), TryRecvError> {
        // E2. Pairs with C2, and with the kernel's answer. From here on this reader sees all that the publisher stored.
        fence("E2", Ordering::Acquire);
        // E4. A publisher that closes is gone as well, and may have closed after the first look at the state. Without a
        // second look a clean close would be reported as a death.
        let now = if on("E4") { self.view.state() } else { state::LIVE };
        self.ended(now, goes_on)
    }

    fn corrupt(&self, found: u64) -> TryRecvError {
        if self.view.memory().is_cut_short() {
            return TryRecvError::CutShort;
        }
        Corrupt { what: "a slot", found, sequence: self.next }.into()
    }

    /// Counts the lost messages and moves the cursor past them. `published` is what the slot implies.
    fn lapped(&mut self, published: u64, goes_on: impl Fn() -> bool) -> TryRecvError {
        let goes_on = || self.view.state() == state::LIVE && goes_on();
        let (resume, place) = match self.place.resume(&self.view, self.next, published, goes_on) {
            Ok(found) => found,
            Err(Unfound::Overtaken) => return TryRecvError::Empty, // nothing is counted: the next call looks again
            Err(Unfound::Corrupt(found)) => return self.corrupt(found),
        };
        self.lose_to(resume, place)
    }

    /// Counts the messages that the publisher passed over as lost.
    #[cold]
    fn pass_over(&mut self, until: u64) -> TryRecvError {
        self.lose_to(until, self.place.behind_passed_over(&self.view, until))
    }

    /// Counts all messages up to this number as lost, and goes on there.
    fn lose_to(&mut self, sequence: u64, place: P) -> TryRecvError {
        let missed = sequence.saturating_sub(self.next).max(1);
        // L1. Every message that the cursor passes over counts as lost.
        if on("L1") {
            // L6. Where the newest is asked for, what was overwritten is passed over. Nobody is told of it, so it must not
            // count as a loss.
            let counted = if self.wants_newest && on("L6") { &mut self.skipped } else { &mut self.lost };
            *counted = counted.wrapping_add(missed);
        }
        self.next = self.next.wrapping_add(missed);
        self.place = place;
        TryRecvError::Lagged { missed }
    }

    /// The slot has no message yet. Checks whether the ring ended or an epoch began.
    #[inline]
    fn not_yet(&mut self, goes_on: impl Fn() -> bool) -> Result<Resolution, TryRecvError> {
        match self.place.settle(&self.view, self.next) {
            Settled::Waiting => {}
            Settled::Here => return self.report_epoch().map(|()| Resolution::Message),
            Settled::Lapped { published } => return Err(self.lapped(published, goes_on)),
            Settled::Corrupt(found) => return Err(self.corrupt(found)),
        }
        let now = self.view.state();
        if now != state::LIVE {
            return self.ended(now, goes_on).map(|()| Resolution::Message);
        }
        self.report_epoch().map(|()| Resolution::Nothing)
    }

    /// Looks at the slot once more after the end was seen. If there is still no message, returns how the ring ended.
    #[cold]
    fn ended(&mut self, now: u64, goes_on: impl Fn() -> bool) -> Result<(), TryRecvError> {
        // E1. Pairs with C1 and C3. The last look sees every message that was published before the ring ended, and the
        // epoch of the publisher that ended it.
        fence("E1", Ordering::Acquire);
        // E3. A message may have been published between the first look and the end. Without this look it would never be
        // received.
        if on("E3") {
            match self.place.look(&self.view, self.next) {
                // V3. Another publisher may have taken over since, and this may be its first message. Its epoch is
                // reported first.
                Ok(()) if on("V3") => return self.report_epoch(),
                Ok(()) => return Ok(()),
                Err(seen) => match self.why_missed(seen, goes_on) {
                    TryRecvError::Empty => {}
                    error => return Err(error),
                },
            }
        }
        // E5. A publisher may have taken over, published nothing and ended. Its epoch is reported before its end: a wait for
        // a publisher would otherwise see an epoch that it was not told, and return at once for ever.
        if on("E5") {
            self.report_epoch()?;
        }
        self.reported_state = now;
        Err(match now {
            state::LIVE => TryRecvError::PublisherDead,
            state::CLOSED => TryRecvError::Closed,
            state::SUPERSEDED => TryRecvError::Superseded,
            _ if self.view.memory().is_cut_short() => TryRecvError::CutShort,
            found => Corrupt { what: "the state", found, sequence: self.next }.into(),
        })
    }

    /// Skips all messages before the newest, but stops at the first message of an epoch that was not reported.
    ///
    /// # Errors
    /// `Restarted`, with the cursor at that epoch's first message, or where it was if that is further on.
    pub(crate) fn skip_to_newest(&mut self) -> Result<(), TryRecvError> {
        let (newest, place) = match P::newest(&self.view) {
            Ok(Some(newest)) => newest,
            Ok(None) => return Ok(()),
            Err(Unfound::Overtaken) => return Err(TryRecvError::Empty), // the next call looks again
            Err(Unfound::Corrupt(found)) => return Err(self.corrupt(found)),
        };
        // V7. Pairs with P1 and P2: a reader that sees how far the publisher is also sees, below, the epoch that it
        // publishes in.
        fence("V7", Ordering::Acquire);
        if newest > self.next {
            // V4. The skip stops where an epoch begins, so a caller that then reads one by one gets all its messages.
            if let Some(restart) = self.unreported(newest).filter(|_| on("V4")) {
                let begin = restart.begin().clamp(self.next, newest);
                self.skip_to(begin, if begin == newest { place } else { P::locate(&self.view, begin) });
                return Err(self.report(restart));
            }
            self.skip_to(newest, place);
        }
        Ok(())
    }

    /// Whether overwritten messages are skipped from now on, and not lost.
    pub(crate) fn want_newest(&mut self, wanted: bool) {
        self.wants_newest = wanted;
    }

    fn skip_to(&mut self, sequence: u64, place: P) {
        self.skipped += sequence - self.next;
        self.next = sequence;
        self.place = place;
    }

    /// Reports what was not reported of the epochs up to the next message.
    #[inline(always)]
    fn report_epoch(&mut self) -> Result<(), TryRecvError> {
        match self.unreported(self.next) {
            Some(restart) => Err(self.report(restart)),
            None => Ok(()),
        }
    }

    /// What was not reported of the epochs up to message `sequence`: the last epoch that began there or before, or that
    /// it is not known.
    #[inline]
    fn unreported(&mut self, sequence: u64) -> Option<EpochOf> {
        let now = self.epoch_word.load();
        if now == self.epoch {
            self.seen_epoch = now;
            return None;
        }
        self.unreported_of(sequence)
    }

    #[cold]
    fn unreported_of(&mut self, sequence: u64) -> Option<EpochOf> {
        let epochs = Epochs::read(&self.view);
        self.seen_epoch = epochs.newest();
        let found = epochs.of(sequence);
        let new = match found {
            // V5. The header may already name an epoch that begins after `sequence`. Reporting it now would be too early.
            EpochOf::Known { epoch, .. } => epoch > self.epoch || !on("V5"),
            // V10. No other epoch can lie between the one reported last and the one that is known to begin further on, if
            // they follow each other. Otherwise some may have begun unseen.
            EpochOf::Before { oldest, .. } => {
                oldest > self.epoch.saturating_add(1) && sequence >= self.unknown_before && on("V10")
            }
        };
        new.then_some(found)
    }

    fn report(&mut self, found: EpochOf) -> TryRecvError {
        match found {
            EpochOf::Known { epoch, begin } => {
                (self.epoch, self.present_epoch) = (epoch, epoch);
                TryRecvError::Restarted { epoch, sequence: begin }
            }
            EpochOf::Before { begin, .. } => {
                (self.unknown_before, self.present_epoch) = (begin, 0);
                TryRecvError::RestartsUnknown { until: begin }
            }
        }
    }
}
