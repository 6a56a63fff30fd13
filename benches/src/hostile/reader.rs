//! What joins a ring or a table beside its publisher.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use feed_ring::table::Row;
use feed_ring::{RecvError, Subscriber, TableReader, WaitStrategy};

use super::case::{Case, KEY, Message, Target};

/// How long a reader of a table waits before it asks again.
const NAP: Duration = Duration::from_secs(1);

/// A subscriber of the ring, or a reader of the table's row.
pub(super) enum Reader {
    /// Of a ring.
    Ring(Subscriber<Message>),
    /// Of a table.
    Table(TableReader<u64, Message>, Row),
}

impl Reader {
    /// Joins.
    pub(super) fn open(case: &Case, directory: &Path, wait: WaitStrategy) -> anyhow::Result<Self> {
        match case.target {
            Target::Ring => Ok(Reader::Ring(case.place.subscriber(directory, wait).open()?)),
            Target::Table => {
                let mut table = case.place.reader(directory, wait).open_table()?;
                let row = table.row(&KEY).context("no such key")?;
                Ok(Reader::Table(table, row))
            }
        }
    }

    /// Receives or reads until the ring or the table ends.
    pub(super) fn follow(self) {
        match self {
            Reader::Ring(mut subscriber) => while matches!(subscriber.recv(), Ok(_) | Err(RecvError::Lagged { .. })) {},
            Reader::Table(mut table, row) => {
                let mut since = table.stores();
                while table.wait(since, NAP).is_ok() {
                    since = table.stores();
                    let _ = std::hint::black_box(table.get(row));
                }
            }
        }
    }
}
