//! The publisher of a ring that keeps its table: the row first, then the message.

use std::marker::PhantomData;

use super::holds::Holds;
use crate::error::CloseError;
use crate::format::payload::Payload;
use crate::publisher::handle::Publisher;
use crate::sync::on;
use crate::table::{Full, Row, Stored, TableWriter};

/// The one publisher of a ring and its table: see [`keyed`](crate::keyed). `K` is the key, `V` the value of a row, and `T` the
/// message, which is the value itself unless another is named.
pub struct KeyedPublisher<K, V, T = V> {
    /// Dropped before the ring: whoever takes over takes the ring first, and must find both.
    pub(super) table: TableWriter<K, V>,
    pub(super) ring: Publisher<T>,
    pub(super) types: PhantomData<fn(K, V, T)>,
}

impl<K: Payload, V: Holds<T>, T: Payload> KeyedPublisher<K, V, T> {
    /// Goes on with a ring and its table, which are in step: see [`complete`].
    pub(super) fn new(mut ring: Publisher<T>, mut table: TableWriter<K, V>) -> Self {
        complete(&mut ring, &mut table);
        KeyedPublisher { ring, table, types: PhantomData }
    }

    /// The row of a key. A new key is added: see [`TableWriter::row`].
    ///
    /// # Errors
    /// [`Full`] if the key is new and every row has another key. Nothing is stored then. The message can still be published
    /// [without a row](Self::publish_without_row).
    #[inline]
    pub fn row(&mut self, key: &K) -> Result<Row, Full> {
        self.table.row(key)
    }

    /// Stores a value into a row and publishes the message in it, both under the number that it returns. Wait-free, as
    /// [`Publisher::publish`] is.
    ///
    /// # Panics
    /// If the row is of another table, and this one has no such row.
    #[inline]
    pub fn publish(&mut self, row: Row, value: &V) -> u64 {
        // K11. The table first. A subscriber that joins behind a message must find its row, and a message that was
        // published without a row could not be made up for.
        if !on("K11") {
            self.ring.publish(value.message());
            return self.table.store(row, value);
        }
        self.table.store(row, value);
        self.ring.publish(value.message())
    }

    /// Publishes a message that changes no row, and returns its number.
    #[inline]
    pub fn publish_without_row(&mut self, message: &T) -> u64 {
        // The message first: no row is missing from a copy for it. A count that named it before could not be kept if this
        // publisher died in between, and readers of the table may have seen that count.
        let number = self.ring.publish(message);
        self.table.pass_over();
        number
    }

    /// The value that was stored last into a row, by this publisher or by the one before it.
    ///
    /// # Panics
    /// As [`publish`](Self::publish).
    pub fn get(&self, row: Row) -> Option<Stored<V>> {
        self.table.get(row)
    }

    /// The ring's publisher, for what only tells about it. Publishing goes through the table.
    pub fn ring(&self) -> &Publisher<T> {
        &self.ring
    }

    /// The table's writer, for what only tells about it.
    pub fn table(&self) -> &TableWriter<K, V> {
        &self.table
    }

    /// Ends the table, then the ring.
    ///
    /// # Errors
    /// If files of either cannot be removed. Both are closed all the same.
    pub fn close(self) -> Result<(), CloseError> {
        let table = self.table.close();
        self.ring.close().and(table)
    }

    /// Ends this publisher and leaves both for the next one: see [`Publisher::leave`].
    pub fn leave(self) {
        self.table.leave();
        self.ring.leave();
    }
}

impl<K, V: 'static, T> std::fmt::Debug for KeyedPublisher<K, V, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyedPublisher").field("ring", &self.ring).field("table", &self.table).finish()
    }
}

/// Publishes the message that the publisher before this one stored into its row and was killed before it published it. A
/// reader of the table may have seen its number, so no other message may get it. Afterwards both go on with one number.
fn complete<K: Payload, V: Holds<T>, T: Payload>(ring: &mut Publisher<T>, table: &mut TableWriter<K, V>) {
    let next = ring.published();
    // K12. The row is found by its number: it is one more than the last message's.
    if table.stores() > next
        && on("K12")
        && let Some(value) = table.rows().filter_map(|row| table.get(row)).find(|stored| stored.number == next)
    {
        ring.publish(value.value.message());
    }
    table.go_on_with(ring.published());
}
