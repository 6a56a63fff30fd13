//! What became of every message, over all the rings that were followed one after the other.
//!
//! The ring itself accounts for its messages: `first + received + lost + skipped = next`. Here the rings are put in a row.
//! One that superseded another goes on with its numbers. One that was made after the other had vanished begins them anew;
//! they are counted on from where the ring before was left, so that the sum stays what it is.

use feed::Message;
use feed::summary::{Received, Sequences};
use feed_ring::Subscriber;

/// A subscriber's own numbers, as it stands in its ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) first: u64,
    pub(crate) next: u64,
    pub(crate) received: u64,
    pub(crate) lost: u64,
    pub(crate) skipped: u64,
}

impl Standing {
    /// Of this subscriber, now.
    pub(crate) fn of(ring: &Subscriber<Message>) -> Self {
        Standing {
            first: ring.first(),
            next: ring.sequence(),
            received: ring.received(),
            lost: ring.lost(),
            skipped: ring.skipped(),
        }
    }
}

/// How a ring that was reopened goes on from the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// With its numbers: so many messages lie between the two.
    Continued { gap: u64 },
    /// With numbers of its own.
    Renumbered,
}

/// The account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    first: u64,
    /// What the sequence numbers of the ring now followed are short of those counted on; wraps.
    shift: u64,
    /// Of the rings that were left.
    received: u64,
    lost: u64,
    skipped: u64,
    gaps: u64,
    epochs: u64,
    restarts: u64,
    reopened: u64,
    renumbered: u64,
    /// No message of the present epoch was received yet.
    untouched: bool,
}

impl Account {
    /// Begins with the first ring.
    pub(crate) fn new(first: u64) -> Self {
        Account {
            first,
            shift: 0,
            received: 0,
            lost: 0,
            skipped: 0,
            gaps: 0,
            epochs: 0,
            restarts: 0,
            reopened: 0,
            renumbered: 0,
            untouched: true,
        }
    }

    /// Messages were received.
    pub(crate) fn received_some(&mut self) {
        if self.untouched {
            self.untouched = false;
            self.epochs += 1;
        }
    }

    /// Another publisher took the ring over.
    pub(crate) fn restarted(&mut self) {
        self.restarts += 1;
        self.untouched = true;
    }

    /// Leaves a ring where it stands for another that is joined at `first`. `vanished`: it was made in its place, without
    /// knowing of it.
    pub(crate) fn reopened(&mut self, left: Standing, first: u64, vanished: bool) -> Change {
        self.received += left.received;
        self.lost += left.lost;
        self.skipped += left.skipped;
        self.reopened += 1;
        self.untouched = true;
        match first.checked_sub(left.next) {
            Some(gap) if !vanished => {
                self.lost += gap;
                self.gaps += gap;
                Change::Continued { gap }
            }
            // A ring that supersedes begins where the old one ended: what begins below is not its successor.
            _ => {
                self.renumbered += 1;
                self.shift = self.counted_on(left.next).wrapping_sub(first);
                Change::Renumbered
            }
        }
    }

    /// A sequence number of the present ring, counted on from the first ring's.
    pub(crate) fn counted_on(&self, sequence: u64) -> u64 {
        sequence.wrapping_add(self.shift)
    }

    /// How many messages were received of all rings.
    pub(crate) fn received(&self, now: u64) -> u64 {
        self.received + now
    }

    /// The place in the sequence, with the present ring as it stands now.
    pub(crate) fn sequences(&self, now: Standing) -> Sequences {
        Sequences {
            first: self.first,
            next: self.counted_on(now.next),
            lost: self.lost + now.lost,
            skipped: self.skipped + now.skipped,
        }
    }

    /// Enters what is counted here into the summary.
    pub(crate) fn enter(&self, received: Received) -> Received {
        let Account { epochs, restarts, reopened, renumbered, gaps, .. } = *self;
        Received { epochs, restarts, reopened, renumbered, gaps, ..received }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails unless every message is accounted for.
    #[track_caller]
    fn assert_conserved(account: &Account, now: Standing) {
        let Sequences { first, next, lost, skipped } = account.sequences(now);
        assert_eq!(first + account.received(now.received) + lost + skipped, next, "{account:?} {now:?}");
    }

    #[test]
    fn a_ring_that_supersedes_goes_on_with_the_numbers() {
        let mut account = Account::new(10);
        let left = Standing { first: 10, next: 100, received: 80, lost: 7, skipped: 3 };
        assert_conserved(&account, left);
        assert_eq!(account.reopened(left, 104, false), Change::Continued { gap: 4 });
        let now = Standing { first: 104, next: 110, received: 5, lost: 1, skipped: 0 };
        assert_conserved(&account, now);
        assert_eq!(account.sequences(now), Sequences { first: 10, next: 110, lost: 12, skipped: 3 });
        assert_eq!((account.gaps, account.reopened, account.renumbered), (4, 1, 0));
    }

    #[test]
    fn a_ring_that_begins_anew_is_counted_on() {
        let mut account = Account::new(10);
        let left = Standing { first: 10, next: 100, received: 90, lost: 0, skipped: 0 };
        assert_eq!(account.reopened(left, 0, true), Change::Renumbered);
        let second = Standing { first: 0, next: 30, received: 20, lost: 10, skipped: 0 };
        assert_conserved(&account, second);
        assert_eq!(account.counted_on(30), 130);
        // Further on than the last one was; and one that claims to follow, but begins below.
        assert_eq!(account.reopened(second, 500, true), Change::Renumbered);
        let third = Standing { first: 500, next: 501, received: 1, lost: 0, skipped: 0 };
        assert_conserved(&account, third);
        assert_eq!(account.reopened(third, 7, false), Change::Renumbered);
        let fourth = Standing { first: 7, next: 9, received: 1, lost: 0, skipped: 1 };
        assert_conserved(&account, fourth);
        assert_eq!(account.sequences(fourth).next, 133);
        assert_eq!((account.gaps, account.reopened, account.renumbered), (0, 3, 3));
    }

    #[test]
    fn an_epoch_counts_with_its_first_message() {
        let mut account = Account::new(0);
        assert_eq!(account.epochs, 0);
        account.received_some();
        account.received_some();
        account.restarted();
        account.restarted();
        assert_eq!((account.epochs, account.restarts), (1, 2));
        account.received_some();
        assert_eq!(account.epochs, 2);
    }
}
