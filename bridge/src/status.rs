//! How an end of a bridge does, in a cell beside its ring: `ringctl` shows and exports it, and it can be read after a death.

use std::time::{Duration, Instant};

use feed_program::say::say;
use feed_ring::{CellWriter, Payload};

/// The time between two stores.
const EVERY: Duration = Duration::from_millis(100);

/// The cell. As long as it is held, no other process is this end of this ring on this machine.
pub(crate) struct Status<T> {
    cell: CellWriter<T>,
    stored: Option<Instant>,
}

impl<T: Payload> Status<T> {
    pub(crate) fn new(cell: CellWriter<T>) -> Self {
        Status { cell, stored: None }
    }

    /// Whether it is time for another store.
    pub(crate) fn is_due(&self) -> bool {
        self.stored.is_none_or(|stored| stored.elapsed() >= EVERY)
    }

    /// Stores what is told.
    pub(crate) fn store(&mut self, status: &T) {
        self.cell.store(status);
        self.stored = Some(Instant::now());
    }

    /// Ends it: whoever looks finds that there is no such end any more.
    pub(crate) fn close(self) {
        if let Err(error) = self.cell.close() {
            say(format_args!("feed-bridge: {error}"));
        }
    }
}
