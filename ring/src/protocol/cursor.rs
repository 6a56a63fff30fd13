//! A reader's place in a ring: where it joined, what it reads next, what it lost, what it was told. Untyped, and without a
//! question to the kernel: whoever owns the cursor asks those.
//!
//! | what the slot of the next message says | what a receive says |
//! |---|---|
//! | the message, of the epoch told last | the message |
//! | the message, of a newer epoch | `Restarted`, then the message |
//! | a newer message | `Lagged`, with how many were lost |
//! | a number that belongs into another slot | `Corrupt` |
//! | nothing yet, and the ring is live | nothing; its owner may ask whether the publisher lives |
//! | nothing yet, and the ring ended | how it ended |
//!
//! At every moment `first + received + lost + skipped = next`.

use super::end;
use super::pending::Told;
use super::slot::{self, Other};
use super::view::View;
use crate::error::{Corrupt, TryRecvError};
use crate::format::layout::{EPOCHS, MAX_SEQUENCE, state};
use crate::memory::Pinned;
use crate::sync::tuning::{MARGIN, MARGIN_PART};
use crate::sync::{Ordering, Word, fence, on};

/// Where a subscriber begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Join {
    /// With the oldest message that the ring still holds.
    Oldest,
    /// With the first message that is published after joining.
    #[default]
    Latest,
    /// With the message of this sequence number. One not yet published is waited for. One that is gone counts as lost,
    /// and so do those behind it that are gone too.
    Sequence(u64),
}

/// What stands where the next message is to be.
pub(crate) enum Next {
    /// The message. It is to be read now, whatever the epoch in the header says by then.
    Message,
    /// Nothing yet, in a live ring.
    Nothing,
}

/// A reader's place in a ring.
pub(crate) struct Cursor {
    view: View,
    epoch_word: Pinned<Word>,
    next: u64,
    received: u64,
    epoch: u64,
    lost: u64,
    skipped: u64,
    first: u64,
    /// State and epoch of the ring when its end was told. Live if that was a death, or if no end was told.
    told: (u64, u64),
}

impl Cursor {
    /// Joins a ring.
    pub(crate) fn join(view: View, join: Join) -> Self {
        let first = match join {
            Join::Sequence(sequence) => sequence,
            Join::Latest => end::of_running(&view),
            Join::Oldest => oldest(&view, end::of_running(&view)),
        };
        let epoch_word = view.epoch_word();
        let mut cursor = Cursor {
            view,
            epoch_word,
            next: first,
            received: 0,
            epoch: 0,
            lost: 0,
            skipped: 0,
            first,
            told: (state::LIVE, 0),
        };
        cursor.epoch = cursor.epoch_at(first);
        cursor.told.1 = cursor.epoch_word.load();
        cursor
    }

    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    /// The sequence number of the next message.
    #[inline(always)]
    pub(crate) fn next(&self) -> u64 {
        self.next
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

    /// The epoch that was told of last.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many messages are published and not yet received.
    pub(crate) fn lag(&self) -> u64 {
        end::of_running(&self.view).saturating_sub(self.next)
    }

    /// What this reader was told, for a sleep until the next message.
    pub(crate) fn told(&self) -> Told {
        Told { sequence: self.next, epoch: self.epoch, state: state::LIVE }
    }

    /// What this reader was told, for a wait until a publisher takes over after an end.
    pub(crate) fn told_of_end(&self) -> Told {
        let (state, epoch) = self.told;
        Told { sequence: self.next, epoch, state }
    }

    /// True if the header's epoch is the last one told, so a message that was just read is of that epoch.
    #[inline(always)]
    pub(crate) fn is_of_this_epoch(&self) -> bool {
        // V2. A message's epoch was stored before it, so whoever has read the message sees the epoch.
        self.epoch_word.load() == self.epoch || !on("V2")
    }

    /// The next message was received.
    #[inline(always)]
    pub(crate) fn advance(&mut self) {
        self.next += 1;
        self.received += 1;
    }

    /// What stands in the way of the next message. `seen` is what its slot says instead. It is `None` if the message is
    /// there and an epoch began since the last one told. `goes_on` tells whether a publisher lives: it is asked only
    /// after a loss.
    ///
    /// # Errors
    /// What is to be told before the message, or instead of it.
    #[inline]
    pub(crate) fn resolve(&mut self, seen: Option<u64>, goes_on: impl Fn() -> bool) -> Result<Next, TryRecvError> {
        let Some(seen) = seen else {
            // The first message since an epoch began elsewhere: the epoch is told before the message.
            return self.tell_of_epoch().map(|()| Next::Message);
        };
        match slot::other(seen, self.next, self.view.mask()) {
            Other::Lapped { published } => Err(self.lapped(published, goes_on)),
            Other::Corrupt => Err(self.corrupt(seen)),
            Other::NotYet => self.not_yet(goes_on),
        }
    }

    /// Why a message was not read that was there a moment before: it may have been overwritten since.
    #[inline]
    pub(crate) fn missed(&mut self, seen: u64, goes_on: impl Fn() -> bool) -> TryRecvError {
        match slot::other(seen, self.next, self.view.mask()) {
            Other::Lapped { published } => self.lapped(published, goes_on),
            Other::Corrupt => self.corrupt(seen),
            Other::NotYet => TryRecvError::Empty,
        }
    }

    /// How the ring ended, now that the kernel says that its publisher is gone.
    ///
    /// # Errors
    /// The end, unless there is a message still to be read.
    #[inline]
    pub(crate) fn publisher_gone(&mut self, goes_on: impl Fn() -> bool) -> Result<(), TryRecvError> {
        // E2. Pairs with C2, and with the kernel's word: all that the publisher stored is seen from here.
        fence("E2", Ordering::Acquire);
        // E4. A publisher that closes is gone as well: the look at the state may have been before that.
        let now = if on("E4") { self.view.state() } else { state::LIVE };
        self.ended(now, goes_on)
    }

    fn corrupt(&self, found: u64) -> TryRecvError {
        Corrupt { what: "a slot", found, sequence: self.next }.into()
    }

    /// Counts what was lost and goes on behind it. `published` is what the slot said.
    fn lapped(&mut self, published: u64, goes_on: impl Fn() -> bool) -> TryRecvError {
        // The count may know of later messages.
        let count = self.view.count();
        // L2. A count that no publisher can have reached is not believed.
        let published = if count < MAX_SEQUENCE || !on("L2") { published.max(count) } else { published };
        let oldest = oldest(&self.view, published);
        // L3. Without it the next message would be overwritten at once.
        let margin = if on("L3") { (self.view.window() / MARGIN_PART).min(MARGIN) } else { 0 };
        // L4. The messages that the ring began with are not about to be overwritten, and none is once nobody publishes.
        let about_to_go = oldest > self.view.layout().base || !on("L4");
        let margin =
            if margin > 0 && about_to_go && self.view.state() == state::LIVE && goes_on() { margin } else { 0 };
        let resume = oldest + margin;
        let missed = resume.saturating_sub(self.next).max(1);
        // L1. Every message that is passed over is counted.
        if on("L1") {
            self.lost = self.lost.wrapping_add(missed);
        }
        self.next = self.next.wrapping_add(missed);
        TryRecvError::Lagged { missed }
    }

    /// Nothing in the slot yet: has the ring ended, has an epoch begun?
    #[inline]
    fn not_yet(&mut self, goes_on: impl Fn() -> bool) -> Result<Next, TryRecvError> {
        // L5. A message from before this ring never comes.
        let base = self.view.layout().base;
        if self.next < base && on("L5") {
            return Err(self.lapped(base, goes_on));
        }
        let now = self.view.state();
        if now != state::LIVE {
            // E1. Pairs with C1 and C3: a message published before the ring ended is seen by the last look.
            fence("E1", Ordering::Acquire);
            return self.ended(now, goes_on).map(|()| Next::Message);
        }
        self.tell_of_epoch().map(|()| Next::Nothing)
    }

    /// A last look, behind the fence that made the end certain. If there is still nothing, how the ring ended.
    #[cold]
    fn ended(&mut self, now: u64, goes_on: impl Fn() -> bool) -> Result<(), TryRecvError> {
        // E3. Without it a message that came between the first look and the end would be kept back.
        if on("E3") {
            match slot::read(self.view.slot(self.next), self.next, |_| ()) {
                // V3. Another publisher may have taken over since, and this may be its first message: its epoch is told
                // first.
                Ok(()) if on("V3") => return self.tell_of_epoch(),
                Ok(()) => return Ok(()),
                Err(seen) => match self.missed(seen, goes_on) {
                    TryRecvError::Empty => {}
                    error => return Err(error),
                },
            }
        }
        self.told = (now, self.epoch_word.load());
        Err(match now {
            state::LIVE => TryRecvError::PublisherDead,
            state::CLOSED => TryRecvError::Closed,
            state::SUPERSEDED => TryRecvError::Superseded,
            _ if self.view.memory().is_cut_short() => TryRecvError::CutShort,
            found => Corrupt { what: "the state", found, sequence: self.next }.into(),
        })
    }

    /// Passes over all messages before the newest, but not over the beginning of an epoch that was not told.
    ///
    /// # Errors
    /// `Restarted`, with the cursor at the epoch's first message.
    pub(crate) fn skip_to_newest(&mut self) -> Result<(), TryRecvError> {
        let newest = end::of_running(&self.view).saturating_sub(1);
        // V7. Pairs with P1 and P2: who knows how far the publisher is sees the epoch that it publishes in, below.
        fence("V7", Ordering::Acquire);
        if newest > self.next {
            // V4. An epoch that began on the way is told where it begins, as it is when reading one by one.
            if let Some((epoch, sequence)) = self.epoch_begun(newest).filter(|_| on("V4")) {
                self.epoch = epoch;
                self.skip_to(sequence.clamp(self.next, newest));
                return Err(TryRecvError::Restarted { epoch, sequence });
            }
            self.skip_to(newest);
        }
        Ok(())
    }

    fn skip_to(&mut self, sequence: u64) {
        self.skipped += sequence - self.next;
        self.next = sequence;
    }

    /// Tells of the last epoch that began at or before the next message, unless it was told.
    #[inline(always)]
    fn tell_of_epoch(&mut self) -> Result<(), TryRecvError> {
        match self.epoch_begun(self.next) {
            Some((epoch, sequence)) => {
                self.epoch = epoch;
                Err(TryRecvError::Restarted { epoch, sequence })
            }
            None => Ok(()),
        }
    }

    /// The last epoch that began at or before `sequence` and was not told.
    #[inline]
    fn epoch_begun(&self, sequence: u64) -> Option<(u64, u64)> {
        let now = self.epoch_word.load();
        if now == self.epoch {
            return None;
        }
        let epoch = self.epoch_at(sequence);
        // V5. The header may say that another epoch begins further on: that one is not to be told yet.
        (epoch > self.epoch || !on("V5")).then(|| (epoch, self.view.begin(epoch)))
    }

    /// The epoch of the message of this sequence number, as far back as the header knows.
    fn epoch_at(&self, sequence: u64) -> u64 {
        let now = self.epoch_word.load();
        // V1. Pairs with T2: the beginnings of the epoch that was seen, or of later ones.
        fence("V1", Ordering::Acquire);
        let oldest = now.saturating_sub(EPOCHS - 2).max(1);
        // V6. Not simply the last that has begun: messages of the one before may be still to be read.
        let begun = |&epoch: &u64| self.view.begin(epoch) <= sequence || !on("V6");
        (oldest..=now).rev().find(begun).unwrap_or(oldest.min(now))
    }
}

/// The oldest sequence that a ring holds of which `published` is the next.
fn oldest(view: &View, published: u64) -> u64 {
    // J3. A ring that took the place of another does not begin at 0.
    published.saturating_sub(view.window()).max(if on("J3") { view.layout().base } else { 0 })
}
