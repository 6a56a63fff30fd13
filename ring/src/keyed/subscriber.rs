//! A subscriber that comes late: it copies the table, then receives what is not in its copy.

use std::time::Duration;

use super::holds::Holds;
use crate::error::{RecvError, TryRecvError};
use crate::format::layout::word;
use crate::format::payload::Payload;
use crate::format::rows::row_word;
use crate::subscriber::handle::Subscriber;
use crate::subscriber::received::Received;
use crate::sync::{Ordering, fence, on};
use crate::table::{ReadError, Row, Stored, TableReader};

/// A copy of the table, to go on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot<K, V> {
    /// Each key that has a value, in the order in which the keys were added.
    pub rows: Vec<(K, Stored<V>)>,
    /// The rows were copied one after the other, so some are newer than others. Once all messages with numbers below this
    /// were received, the copy with these messages is the state at that position. It is never far: these messages were
    /// published while the table was copied, or are just being published.
    pub complete_at: u64,
}

/// Why there is no snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The ring's publisher does not keep this table: it publishes without it, or the table belongs to an earlier ring.
    #[error("the table is not kept by the ring's present publisher: restart it with its table")]
    NotKept,
    /// A new table has replaced this one.
    #[error("the table was superseded by another of its name: open it again")]
    Superseded,
    /// A row could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

type KeyOf<K, T> = Box<dyn Fn(&T) -> Option<K> + Send + Sync>;

/// A subscriber of a ring and its table: see [`keyed`](crate::keyed).
///
/// Take a [`snapshot`](Self::snapshot) first, and again after [`Lagged`](TryRecvError::Lagged), after
/// [`Restarted`](TryRecvError::Restarted) and after [`RestartsUnknown`](TryRecvError::RestartsUnknown): what was lost is in the
/// table.
pub struct KeyedSubscriber<K, V, T = V> {
    ring: Subscriber<T>,
    table: TableReader<K, V>,
    key: KeyOf<K, T>,
    /// For each row, the number after that of its value in the snapshot. 0 for a row that had none.
    copied: Vec<u64>,
    /// The highest of them: no message from here on is in the snapshot.
    complete_at: u64,
}

impl<K: Payload, V: Holds<T>, T: Payload> KeyedSubscriber<K, V, T> {
    pub(super) fn new(
        ring: Subscriber<T>,
        table: TableReader<K, V>,
        key: impl Fn(&T) -> Option<K> + Send + Sync + 'static,
    ) -> Self {
        KeyedSubscriber { ring, table, key: Box::new(key), copied: Vec::new(), complete_at: 0 }
    }

    /// Copies the table. From here on only messages are received that are not in the copy. Costs a read of every row.
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub fn snapshot(&mut self) -> Result<Snapshot<K, V>, SnapshotError> {
        // K13. Pairs with P1: the row of each message before this position was stored before that message was published.
        fence("K13", Ordering::Acquire);
        // A message without a row is counted after it was published.
        if self.table.stores().saturating_add(1) < self.ring.sequence() || !self.is_kept() {
            self.check_length()?;
            return Err(if self.table.is_superseded() { SnapshotError::Superseded } else { SnapshotError::NotKept });
        }
        let mut rows = Vec::new();
        self.copied.clear();
        for row in self.table.rows() {
            let stored = self.table.get(row)?;
            self.copied.push(stored.map_or(0, |stored| stored.number + 1));
            if let (Some(key), Some(stored)) = (self.table.key(row), stored) {
                rows.push((key, stored));
            }
        }
        self.check_length()?;
        self.complete_at = self.copied.iter().copied().max().unwrap_or(0).max(self.ring.sequence());
        Ok(Snapshot { rows, complete_at: self.complete_at })
    }

    /// Of a table that was cut short, keys, their number and the count may have been read as zero.
    fn check_length(&self) -> Result<(), ReadError> {
        if self.table.is_cut_short() { Err(ReadError::CutShort) } else { Ok(()) }
    }

    /// Whether the ring's present publisher keeps the table. Within a process it always does. While a publisher takes over, this
    /// waits up to 100 ms for it.
    pub fn is_kept(&self) -> bool {
        let Some((table, ring)) = self.table.header().zip(self.ring.header()) else { return true };
        let epoch = || (table[row_word::RING_EPOCH].load(), ring[word::EPOCH].load());
        let nonce = (table[row_word::RING].load(), ring[word::NONCE].load());
        // A publisher that takes over tells the ring first.
        let in_step = || nonce.0 == nonce.1 && epoch().0 == epoch().1;
        in_step()
            || (0..TAKEOVER_LOOKS).any(|_| {
                std::thread::sleep(Duration::from_millis(1));
                in_step()
            })
    }

    /// Receives the next message that is not in the snapshot, if there is one: see
    /// [`Subscriber::try_recv`](crate::Subscriber::try_recv).
    ///
    /// # Errors
    /// [`TryRecvError`].
    pub fn try_recv(&mut self) -> Result<Received<T>, TryRecvError> {
        self.receive(Subscriber::try_recv_numbered)
    }

    /// Waits for the next message that is not in the snapshot: see [`Subscriber::recv`](crate::Subscriber::recv).
    ///
    /// # Errors
    /// [`RecvError`].
    pub fn recv(&mut self) -> Result<Received<T>, RecvError> {
        self.receive(Subscriber::recv_numbered)
    }

    /// Waits for the next message that is not in the snapshot, at most `timeout` for each that is: see
    /// [`Subscriber::recv_timeout`](crate::Subscriber::recv_timeout).
    ///
    /// # Errors
    /// [`TryRecvError`].
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Received<T>, TryRecvError> {
        self.receive(|ring| ring.recv_timeout_numbered(timeout))
    }

    /// Receives with `next` until there is a message that is not in the snapshot.
    #[inline]
    fn receive<E>(
        &mut self,
        mut next: impl FnMut(&mut Subscriber<T>) -> Result<Received<T>, E>,
    ) -> Result<Received<T>, E> {
        loop {
            let received = next(&mut self.ring)?;
            if received.number >= self.complete_at || !self.is_copied(received.number, &received.message) {
                return Ok(received);
            }
        }
    }

    /// Whether the snapshot has the message, or a newer one of its key.
    #[cold]
    fn is_copied(&mut self, number: u64, message: &T) -> bool {
        let Some(row) = (self.key)(message).and_then(|key| self.table.row(&key)) else { return false };
        // K14. A row that was copied before this message was stored has an older number.
        self.copied.get(row.index()).is_some_and(|&copied| number < copied || !on("K14"))
    }

    /// The row of a key, if there is one.
    pub fn row(&mut self, key: &K) -> Option<Row> {
        self.table.row(key)
    }

    /// The ring's subscriber: its position and what became of every message.
    pub fn ring(&self) -> &Subscriber<T> {
        &self.ring
    }

    /// The same, to wait for a publisher or to interrupt a wait. Messages received through it are not dropped, and not
    /// told of here.
    pub fn ring_mut(&mut self) -> &mut Subscriber<T> {
        &mut self.ring
    }

    /// The table's reader.
    pub fn table(&mut self) -> &mut TableReader<K, V> {
        &mut self.table
    }
}

/// Looks, a millisecond apart, while a publisher takes over.
pub(super) const TAKEOVER_LOOKS: u32 = 100;

impl<K, V: 'static, T> std::fmt::Debug for KeyedSubscriber<K, V, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyedSubscriber").field("table", &self.table).finish_non_exhaustive()
    }
}
