//! The epochs that a ring's header knows, and which of them a message is of.
//!
//! The header keeps where the last few epochs began. A publisher that takes over writes its beginning over that of an old
//! epoch, and then names the epoch. Of messages from before the oldest beginning that is kept, the epoch cannot be told.

use super::view::View;
use crate::sync::{EPOCHS, Ordering, fence, on};

/// Beginnings that can be read while one more is being written.
pub(crate) const KNOWN: usize = EPOCHS as usize - 1;

/// Attempts to read the beginnings between two takeovers. A ring is taken over far more seldom: more attempts are needed
/// only where somebody forges the epoch.
const ATTEMPTS: u32 = 16;

/// The last epochs of a ring with their first sequences.
pub(crate) struct Epochs {
    newest: u64,
    /// First sequence of the newest epoch, then of the one before it, and so on.
    begins: [u64; KNOWN],
}

/// What is known of a message's epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EpochOf {
    /// The epoch and its first sequence.
    Known { epoch: u64, begin: u64 },
    /// An epoch before this one, which is the oldest that is known, with its first sequence.
    Before { oldest: u64, begin: u64 },
}

impl EpochOf {
    /// The first sequence of the epoch that is named.
    pub(crate) fn begin(self) -> u64 {
        let (EpochOf::Known { begin, .. } | EpochOf::Before { begin, .. }) = self;
        begin
    }
}

impl Epochs {
    /// Reads them from the header.
    pub(crate) fn read(view: &View) -> Self {
        let mut attempts = 0;
        loop {
            let newest = view.epoch();
            // V1. Pairs with T2. A reader that sees an epoch sees where that epoch began.
            fence("V1", Ordering::Acquire);
            let begins = std::array::from_fn(|back| view.begin(newest.wrapping_sub(back as u64)));
            // V8. Pairs with T8. A reader that saw a beginning of a later epoch sees below that an epoch began meanwhile.
            fence("V8", Ordering::Acquire);
            attempts += 1;
            // V9. A beginning may have been overwritten by that of a later epoch. Without this look the epoch whose
            // beginning it was would seem to begin there.
            if view.epoch() == newest || !on("V9") || attempts == ATTEMPTS {
                return Epochs { newest, begins };
            }
        }
    }

    /// The newest epoch: what the header's word said.
    pub(crate) fn newest(&self) -> u64 {
        self.newest
    }

    /// The oldest epoch whose beginning is known.
    fn oldest(&self) -> u64 {
        self.newest.saturating_sub(KNOWN as u64 - 1).max(1)
    }

    /// The known epochs with their first sequences, oldest first.
    pub(crate) fn known(&self) -> impl DoubleEndedIterator<Item = (u64, u64)> {
        (self.oldest()..=self.newest).map(|epoch| (epoch, self.begins[(self.newest - epoch) as usize]))
    }

    /// The epoch of message `sequence`.
    pub(crate) fn of(&self, sequence: u64) -> EpochOf {
        // V6. The newest epoch may begin after `sequence`: messages of the epoch before may still have to be read.
        let begun = self.known().rev().find(|&(_, begin)| begin <= sequence || !on("V6"));
        if let Some((epoch, begin)) = begun {
            return EpochOf::Known { epoch, begin };
        }
        let (oldest, begin) = self.known().next().unwrap_or((self.newest, 0));
        // Nothing came before the first epoch. A message from before it is one that this ring never had.
        if oldest <= 1 { EpochOf::Known { epoch: oldest, begin } } else { EpochOf::Before { oldest, begin } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_of_the_last_epoch_that_began_before_it() {
        let mut epochs =
            Epochs { newest: KNOWN as u64 + 5, begins: std::array::from_fn(|back| 100 - 10 * back as u64) };
        let (oldest, begin) = (6, 100 - 10 * (KNOWN as u64 - 1));
        assert_eq!(epochs.of(1000), EpochOf::Known { epoch: epochs.newest, begin: 100 });
        assert_eq!(epochs.of(100), EpochOf::Known { epoch: epochs.newest, begin: 100 });
        assert_eq!(epochs.of(99), EpochOf::Known { epoch: epochs.newest - 1, begin: 90 });
        assert_eq!(epochs.of(begin), EpochOf::Known { epoch: oldest, begin });
        assert_eq!(epochs.of(begin - 1), EpochOf::Before { oldest, begin });
        assert_eq!(epochs.known().count(), KNOWN);
        epochs.newest = 1;
        assert_eq!(epochs.known().collect::<Vec<_>>(), [(1, 100)]);
        assert_eq!(epochs.of(5), EpochOf::Known { epoch: 1, begin: 100 }, "there was no epoch before it");
        // A ring that no publisher has begun, or whose epoch was forged.
        for newest in [0, u64::MAX] {
            epochs.newest = newest;
            epochs.of(5);
        }
    }
}
