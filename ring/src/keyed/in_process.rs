//! A ring and its table within one process.

use super::holds::Holds;
use super::publisher::KeyedPublisher;
use super::subscriber::KeyedSubscriber;
use crate::error::CreateError;
use crate::format::payload::Payload;
use crate::in_process::{InProcess, in_process};
use crate::protocol::join::Join;
use crate::subscriber::handle::Subscriber;
use crate::table::{InProcessTable, in_process_table};

/// Makes a ring of `slots` slots and its table of `rows` rows on the heap.
///
/// # Errors
/// As [`in_process`](crate::in_process()) and [`in_process_table`].
#[expect(clippy::type_complexity, reason = "two handles, or an error")]
pub fn in_process_keyed<K: Payload, T: Payload>(
    slots: usize,
    rows: usize,
) -> Result<(KeyedPublisher<K, T>, InProcessKeyed<K, T>), CreateError> {
    let (ring, joins) = in_process(slots)?;
    let (table, reads) = in_process_table(rows)?;
    Ok((KeyedPublisher::new(ring, table), InProcessKeyed { ring: joins, table: reads }))
}

/// A ring and its table within the process.
#[derive(Clone)]
pub struct InProcessKeyed<K, V, T = V> {
    ring: InProcess<T>,
    table: InProcessTable<K, V>,
}

impl<K: Payload, V: Holds<T>, T: Payload> InProcessKeyed<K, V, T> {
    /// Joins the ring at its end. `key` tells a message's key; `None` for one that changes no row.
    pub fn join(&self, key: impl Fn(&T) -> Option<K> + Send + Sync + 'static) -> KeyedSubscriber<K, V, T> {
        KeyedSubscriber::new(self.ring.subscribe(Join::Latest), self.table.read(), key)
    }

    /// Joins the ring alone, at its oldest message.
    pub fn join_oldest(&self) -> Subscriber<T> {
        self.ring.subscribe(Join::Oldest)
    }

    /// Takes both over after their publisher ended. `None` while there is one.
    pub fn take_over(&self) -> Option<KeyedPublisher<K, V, T>> {
        // The table first: while its writer lives, the publisher of both does.
        let table = self.table.take_over()?;
        match self.ring.take_over() {
            Some(ring) => Some(KeyedPublisher::new(ring, table)),
            None => {
                table.leave();
                None
            }
        }
    }
}
