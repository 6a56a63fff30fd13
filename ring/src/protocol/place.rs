//! Where a numbered message is in a ring, and what is there instead. The cursor asks this; it differs for messages of one
//! size, which are where their numbers say, and for records, whose places depend on all records before them.

use super::end;
use super::join::Join;
use super::slot::{self, Absence};
use super::view::View;
use crate::format::layout::MAX_SEQUENCE;
use crate::sync::on;
use crate::sync::tuning::{MARGIN, MARGIN_PART};

/// The place of a message, whose number the caller keeps beside it.
pub(crate) trait Place: Copy + Send + Sync + 'static {
    /// The number of the next message to be published.
    fn published(view: &View) -> u64;

    /// Where a subscriber begins.
    fn join(view: &View, join: Join) -> (u64, Self);

    /// The newest message. `None` if there is none.
    ///
    /// # Errors
    /// [`Unfound`].
    fn newest(view: &View) -> Result<Option<(u64, Self)>, Unfound>;

    /// Where message `number` is. If it is not there, a look at the place says so.
    fn locate(view: &View, number: u64) -> Self;

    /// Why message `number` was not read here, where its slot's first word was `seen`.
    fn why_absent(&self, view: &View, number: u64, seen: u64) -> Absence;

    /// Where message `until` is, where [`Absence::PassedOver`] said that those before it were passed over here.
    fn behind_passed_over(&self, view: &View, until: u64) -> Self;

    /// What becomes of message `number`, which is not there yet.
    fn settle(&mut self, view: &View, number: u64) -> Settled;

    /// Whether message `number` is here. The error is the word that was there instead.
    fn look(&mut self, view: &View, number: u64) -> Result<(), u64>;

    /// Where a subscriber goes on that was lapped before message `number`. `published` is what [`Absence::Lapped`] said.
    /// `goes_on` tells whether more will be overwritten.
    fn resume(
        &self,
        view: &View,
        number: u64,
        published: u64,
        goes_on: impl Fn() -> bool,
    ) -> Result<(u64, Self), Unfound>;

    /// The position that [`is_decided`] is asked about.
    fn position(&self, number: u64) -> u64;
}

/// What becomes of a message that is not there yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// It is waited for.
    Waiting,
    /// It is there after all: its place has only just been found.
    Here,
    /// It never comes: see [`Absence::Lapped`].
    Lapped { published: u64 },
    /// A slot has this word, which no publisher stored there.
    Corrupt(u64),
}

/// Why no place was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfound {
    /// The publisher was quicker, again and again.
    Overtaken,
    /// A slot has this word, which no publisher stored there.
    Corrupt(u64),
}

/// The place of a message of a fixed size: its number says it.
#[derive(Clone, Copy)]
pub(crate) struct BySequence;

impl Place for BySequence {
    fn published(view: &View) -> u64 {
        end::next_of_running(view)
    }

    fn join(view: &View, join: Join) -> (u64, Self) {
        let first = match join {
            Join::Sequence(sequence) => sequence,
            Join::Latest => end::next_of_running(view),
            Join::Oldest => end::oldest(view, end::next_of_running(view)),
        };
        (first, BySequence)
    }

    fn newest(view: &View) -> Result<Option<(u64, Self)>, Unfound> {
        Ok(end::newest_of_running(view).map(|newest| (newest, BySequence)))
    }

    fn locate(_: &View, _: u64) -> Self {
        BySequence
    }

    #[inline]
    fn why_absent(&self, view: &View, number: u64, seen: u64) -> Absence {
        slot::why_absent(view.slot(number), seen, number, view.mask())
    }

    fn behind_passed_over(&self, _: &View, _: u64) -> Self {
        BySequence
    }

    #[inline]
    fn settle(&mut self, view: &View, number: u64) -> Settled {
        // L5. This ring never gets a message from before its base: waiting for one would never end.
        let base = view.layout().base;
        if number < base && on("L5") { Settled::Lapped { published: base } } else { Settled::Waiting }
    }

    #[inline]
    fn look(&mut self, view: &View, number: u64) -> Result<(), u64> {
        slot::read(view.slot(number), number, |_| ())
    }

    fn resume(&self, view: &View, _: u64, published: u64, goes_on: impl Fn() -> bool) -> Result<(u64, Self), Unfound> {
        // The header's count may be ahead of the slot.
        let count = view.published_count();
        // L2. No publisher can reach such a count; believing it would report a false loss.
        let published = if count < MAX_SEQUENCE || !on("L2") { published.max(count) } else { published };
        let oldest = end::oldest(view, published);
        // L3. The oldest message is overwritten next: without a margin the reader would be lapped again at once.
        let margin = if on("L3") { (view.window() / MARGIN_PART).min(MARGIN) } else { 0 };
        // L4. The first messages of the ring are not about to be overwritten, and once nobody publishes no message is.
        // A margin there would count them as lost.
        let ring_has_wrapped = oldest > view.layout().base || !on("L4");
        let margin = if margin > 0 && ring_has_wrapped && goes_on() { margin } else { 0 };
        Ok((oldest + margin, BySequence))
    }

    #[inline]
    fn position(&self, number: u64) -> u64 {
        number
    }
}
