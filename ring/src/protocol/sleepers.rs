//! Waking all subscribers that sleep.

use crate::memory::Pinned;
use crate::sync::{Ordering, WriteWord, on, wake};

/// The words by which sleepers are found and woken.
#[derive(Clone)]
pub(super) struct Sleepers {
    pub(super) event: Pinned<WriteWord>,
    pub(super) flag: Pinned<WriteWord>,
}

impl Sleepers {
    /// Wakes all sleepers.
    #[cold]
    pub(super) fn wake_all(&self) {
        // W3. The flag is cleared before the event changes. Cleared afterwards, it could erase the flag of a sleeper
        // that already sleeps on the new event.
        let first = on("W3");
        if first {
            self.flag.store(0);
        }
        // W2. Pairs with B1. A sleeper that sees the event changed sets its flag after it was cleared here, and sees
        // why it is woken. The kernel compares only the low half; it may wrap.
        self.event.store_ordered("W2", Ordering::Release, self.event.load().wrapping_add(1) & u64::from(u32::MAX));
        wake(&self.event);
        if !first {
            self.flag.store(0);
        }
    }
}
