//! Accounts for every message over all rings that were followed one after the other.
//!
//! For each ring, `first + received + lost + skipped = sequence`. This file keeps that sum across rings. A ring that superseded
//! another continues its numbers. A ring that was made after another vanished has numbers of its own; they are counted on
//! from where the ring before was left, beginning with its own first message.

use super::event::Continuation;
use crate::subscriber::raw::Account;

/// What became of every message of every ring that was followed: `first + received + lost + skipped = next`.
///
/// These are overall numbers: those of the first ring, counted on through all others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overall {
    /// The number at which the first ring was joined.
    pub first: u64,
    /// The number of the next message.
    pub next: u64,
    /// Number of messages that were returned.
    pub received: u64,
    /// Number of messages that were published and could not be returned: overwritten, or between two rings.
    pub lost: u64,
    /// Number of messages that were passed over: see [`Subscriber::skipped`](crate::Subscriber::skipped).
    pub skipped: u64,
    /// How many of the lost ones were between two rings: published in the later one before it was joined.
    pub gaps: u64,
    /// Number of epochs of which messages were returned, over all rings.
    pub epochs: u64,
    /// How often another publisher took a ring over, as was told by [`Restarted`](super::Event::Restarted).
    pub restarts: u64,
    /// How often another ring was opened after the first.
    pub reopened: u64,
    /// How often such a ring had numbers of its own.
    pub renumbered: u64,
}

impl Overall {
    /// Counts what was published between two rings.
    fn lose(&mut self, gap: u64) {
        self.lost += gap;
        self.gaps += gap;
    }
}

/// The sums over the rings that were left, and where the present one began.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    left: Overall,
    /// Added to a number of the present ring, this gives the overall number; wraps.
    offset: u64,
    /// What was received of the present ring before its present epoch.
    received_before: u64,
}

impl Sums {
    /// Starts with the first ring, joined at `first`.
    pub(super) fn new(first: u64) -> Self {
        Sums { left: Overall { first, ..Overall::default() }, ..Sums::default() }
    }

    /// Notes that another publisher took the present ring over.
    pub(super) fn note_restart(&mut self, now: Account) {
        self.end_epoch(now);
        self.left.restarts += 1;
    }

    fn end_epoch(&mut self, now: Account) {
        self.left.epochs += u64::from(now.received > self.received_before);
        self.received_before = now.received;
    }

    /// Leaves a ring and goes on with another, which is joined at `first` and whose numbers begin at `base`. `vanished`: it was
    /// made without knowledge of the one that was left.
    pub(super) fn reopen(&mut self, left: Account, (base, first): (u64, u64), vanished: bool) -> Continuation {
        self.end_epoch(left);
        self.received_before = 0;
        let sums = &mut self.left;
        sums.received += left.received;
        sums.lost += left.lost;
        sums.skipped += left.skipped;
        sums.reopened += 1;
        match first.checked_sub(left.sequence) {
            Some(gap) if !vanished => {
                sums.lose(gap);
                Continuation::Continued { gap }
            }
            // A ring that supersedes another begins at its end. One that begins below is not its successor.
            _ => {
                let gap = first.saturating_sub(base);
                sums.renumbered += 1;
                sums.lose(gap);
                self.offset = self.overall(left.sequence).wrapping_add(gap).wrapping_sub(first);
                Continuation::Renumbered { left: left.sequence, gap }
            }
        }
    }

    /// The overall number for a number of the present ring.
    pub(super) fn overall(&self, number: u64) -> u64 {
        number.wrapping_add(self.offset)
    }

    /// The sums with the present ring's counters.
    pub(super) fn with(&self, now: Account) -> Overall {
        let left = &self.left;
        Overall {
            next: self.overall(now.sequence),
            received: left.received + now.received,
            lost: left.lost + now.lost,
            skipped: left.skipped + now.skipped,
            epochs: left.epochs + u64::from(now.received > self.received_before),
            ..*left
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Counters of one ring that are in order.
    fn counters(first: u64, received: u64, lost: u64, skipped: u64) -> Account {
        Account { first, received, lost, skipped, sequence: first + received + lost + skipped, epoch: 1 }
    }

    /// The sums, once they are in order.
    #[track_caller]
    fn conserved(sums: &Sums, now: Account) -> Overall {
        let all = sums.with(now);
        assert_eq!(all.first + all.received + all.lost + all.skipped, all.next, "{sums:?} {now:?}");
        all
    }

    #[test]
    fn a_superseding_ring_continues_the_numbers() {
        let mut sums = Sums::new(10);
        let left = counters(10, 80, 7, 3);
        conserved(&sums, left);
        assert_eq!(sums.reopen(left, (100, 104), false), Continuation::Continued { gap: 4 });
        let all = conserved(&sums, counters(104, 5, 1, 0));
        assert_eq!((all.first, all.next, all.received, all.lost, all.skipped), (10, 110, 85, 12, 3));
        assert_eq!((all.gaps, all.reopened, all.renumbered), (4, 1, 0));
    }

    #[test]
    fn overall_numbers_continue_in_a_renumbered_ring() {
        let mut sums = Sums::new(10);
        assert_eq!(sums.reopen(counters(10, 90, 0, 0), (0, 0), true), Continuation::Renumbered { left: 100, gap: 0 });
        let second = counters(0, 20, 10, 0);
        conserved(&sums, second);
        assert_eq!(sums.overall(30), 130);
        // A first number above the last ring's, which is not that ring's first; then a ring that claims to follow but begins below.
        assert_eq!(sums.reopen(second, (493, 500), true), Continuation::Renumbered { left: 30, gap: 7 });
        let third = counters(500, 1, 0, 0);
        conserved(&sums, third);
        assert_eq!(sums.reopen(third, (7, 7), false), Continuation::Renumbered { left: 501, gap: 0 });
        let all = conserved(&sums, counters(7, 1, 0, 1));
        assert_eq!((all.next, all.lost, all.gaps, all.reopened, all.renumbered), (140, 17, 7, 3, 3));
    }

    #[test]
    fn an_epoch_counts_with_its_first_message() {
        let mut sums = Sums::new(0);
        assert_eq!(sums.with(counters(0, 0, 0, 0)).epochs, 0);
        assert_eq!(sums.with(counters(0, 2, 0, 0)).epochs, 1);
        sums.note_restart(counters(0, 2, 0, 0));
        sums.note_restart(counters(0, 2, 0, 0));
        let all = sums.with(counters(0, 2, 0, 0));
        assert_eq!((all.epochs, all.restarts), (1, 2));
        assert_eq!(sums.with(counters(0, 3, 0, 0)).epochs, 2);
        sums.reopen(counters(0, 3, 0, 0), (3, 3), false);
        assert_eq!(sums.with(counters(3, 0, 0, 0)).epochs, 2);
        assert_eq!(sums.with(counters(3, 1, 0, 0)).epochs, 3);
    }
}
