//! Accounts for every message over all rings that were followed one after the other.
//!
//! For each ring, `first + received + lost + skipped = next`. This file keeps that sum across rings. A ring that
//! superseded another continues its sequences. A ring that was created after another vanished begins at a sequence of
//! its own; its sequences are counted on from where the ring before was left.

use feed::Message;
use feed::summary::{Received, Sequences};
use feed_ring::Subscriber;

/// A subscriber's counters in its present ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) first: u64,
    pub(crate) next: u64,
    pub(crate) received: u64,
    pub(crate) lost: u64,
    pub(crate) skipped: u64,
}

impl Counters {
    /// The present counters of this subscriber.
    pub(crate) fn of(ring: &Subscriber<Message>) -> Self {
        Counters {
            first: ring.first(),
            next: ring.sequence(),
            received: ring.received(),
            lost: ring.lost(),
            skipped: ring.skipped(),
        }
    }
}

/// How a reopened ring continues the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Continuation {
    /// It continues the sequences; `gap` messages lie between the two rings.
    Continued { gap: u64 },
    /// It has sequences of its own.
    Renumbered,
}

/// The sums over all rings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    first: u64,
    /// Added to a sequence of the present ring, this gives the overall sequence; wraps.
    offset: u64,
    /// Sums over the rings that were left.
    received: u64,
    lost: u64,
    skipped: u64,
    gaps: u64,
    epochs: u64,
    restarts: u64,
    reopened: u64,
    renumbered: u64,
    /// No message of the present epoch has been received.
    epoch_is_empty: bool,
}

impl Account {
    /// Starts with the first ring, joined at sequence `first`.
    pub(crate) fn new(first: u64) -> Self {
        Account {
            first,
            offset: 0,
            received: 0,
            lost: 0,
            skipped: 0,
            gaps: 0,
            epochs: 0,
            restarts: 0,
            reopened: 0,
            renumbered: 0,
            epoch_is_empty: true,
        }
    }

    /// Notes that messages were received.
    pub(crate) fn note_received(&mut self) {
        if self.epoch_is_empty {
            self.epoch_is_empty = false;
            self.epochs += 1;
        }
    }

    /// Notes that another publisher took the ring over.
    pub(crate) fn note_restart(&mut self) {
        self.restarts += 1;
        self.epoch_is_empty = true;
    }

    /// Leaves a ring and goes on with another that is joined at `first`. `vanished`: the new ring was created without
    /// knowledge of the one that was left.
    pub(crate) fn reopen(&mut self, left: Counters, first: u64, vanished: bool) -> Continuation {
        self.received += left.received;
        self.lost += left.lost;
        self.skipped += left.skipped;
        self.reopened += 1;
        self.epoch_is_empty = true;
        match first.checked_sub(left.next) {
            Some(gap) if !vanished => {
                self.lost += gap;
                self.gaps += gap;
                Continuation::Continued { gap }
            }
            // A ring that supersedes another begins at its end. One that begins below is not its successor.
            _ => {
                self.renumbered += 1;
                self.offset = self.overall(left.next).wrapping_sub(first);
                Continuation::Renumbered
            }
        }
    }

    /// The overall sequence for a sequence of the present ring.
    pub(crate) fn overall(&self, sequence: u64) -> u64 {
        sequence.wrapping_add(self.offset)
    }

    /// The number of messages received from all rings; `now` is that of the present one.
    pub(crate) fn received(&self, now: u64) -> u64 {
        self.received + now
    }

    /// The overall sequences, with the present ring's counters.
    pub(crate) fn sequences(&self, now: Counters) -> Sequences {
        Sequences {
            first: self.first,
            next: self.overall(now.next),
            lost: self.lost + now.lost,
            skipped: self.skipped + now.skipped,
        }
    }

    /// Adds the sums to the summary.
    pub(crate) fn add_to(&self, received: Received) -> Received {
        let Account { epochs, restarts, reopened, renumbered, gaps, .. } = *self;
        Received { epochs, restarts, reopened, renumbered, gaps, ..received }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails unless every message is accounted for.
    #[track_caller]
    fn assert_conserved(account: &Account, now: Counters) {
        let Sequences { first, next, lost, skipped } = account.sequences(now);
        assert_eq!(first + account.received(now.received) + lost + skipped, next, "{account:?} {now:?}");
    }

    #[test]
    fn a_superseding_ring_continues_the_sequences() {
        let mut account = Account::new(10);
        let left = Counters { first: 10, next: 100, received: 80, lost: 7, skipped: 3 };
        assert_conserved(&account, left);
        assert_eq!(account.reopen(left, 104, false), Continuation::Continued { gap: 4 });
        let now = Counters { first: 104, next: 110, received: 5, lost: 1, skipped: 0 };
        assert_conserved(&account, now);
        assert_eq!(account.sequences(now), Sequences { first: 10, next: 110, lost: 12, skipped: 3 });
        assert_eq!((account.gaps, account.reopened, account.renumbered), (4, 1, 0));
    }

    #[test]
    fn overall_sequences_continue_in_a_renumbered_ring() {
        let mut account = Account::new(10);
        let left = Counters { first: 10, next: 100, received: 90, lost: 0, skipped: 0 };
        assert_eq!(account.reopen(left, 0, true), Continuation::Renumbered);
        let second = Counters { first: 0, next: 30, received: 20, lost: 10, skipped: 0 };
        assert_conserved(&account, second);
        assert_eq!(account.overall(30), 130);
        // A first sequence above the last ring's; then a ring that claims to follow but begins below.
        assert_eq!(account.reopen(second, 500, true), Continuation::Renumbered);
        let third = Counters { first: 500, next: 501, received: 1, lost: 0, skipped: 0 };
        assert_conserved(&account, third);
        assert_eq!(account.reopen(third, 7, false), Continuation::Renumbered);
        let fourth = Counters { first: 7, next: 9, received: 1, lost: 0, skipped: 1 };
        assert_conserved(&account, fourth);
        assert_eq!(account.sequences(fourth).next, 133);
        assert_eq!((account.gaps, account.reopened, account.renumbered), (0, 3, 3));
    }

    #[test]
    fn an_epoch_counts_with_its_first_message() {
        let mut account = Account::new(0);
        assert_eq!(account.epochs, 0);
        account.note_received();
        account.note_received();
        account.note_restart();
        account.note_restart();
        assert_eq!((account.epochs, account.restarts), (1, 2));
        account.note_received();
        assert_eq!(account.epochs, 2);
    }
}
