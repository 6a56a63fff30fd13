//! What a survey sees under a name: a ring, or a table or cell.

use feed_ring::inspect::{Inspected, Life};

use super::snapshot::Snapshot;
use super::table::TableSnapshot;

/// A ring, a table or a cell as it was at one moment.
#[derive(Clone, Debug)]
pub(super) enum Seen {
    Ring(Snapshot),
    Table(TableSnapshot),
}

impl Seen {
    /// Takes a snapshot of what was opened.
    pub(super) fn of(name: &str, opened: &Inspected) -> anyhow::Result<Self> {
        match opened {
            Inspected::Ring(ring) => Snapshot::of(name, ring).map(Seen::Ring),
            Inspected::Table(table) => TableSnapshot::of(name, table).map(Seen::Table),
        }
    }

    /// The snapshot of one whose publisher or writer is gone: who is attached can no longer be seen.
    pub(super) fn ended(self) -> Self {
        match self {
            Seen::Ring(ring) => Seen::Ring(Snapshot { subscribers: None, slowest_lag: None, ..ring }),
            Seen::Table(table) => Seen::Table(TableSnapshot { readers: None, ..table }),
        }
    }
}

/// Whether its publisher or writer lives.
pub(super) fn is_alive(opened: &Inspected) -> bool {
    opened.segment().publisher() == Life::Alive
}
