//! The rows of the keys that a process knows of. It is private memory: in the table there are only the keys, in order.

use std::collections::HashMap;

use super::row::Row;
use crate::protocol::copy;
use crate::protocol::rows::Rows;
use crate::protocol::slots::Stride;
use crate::sync::Word;

/// Keys by their bytes.
pub(super) struct Keys {
    rows: HashMap<Box<[u8]>, Row>,
    key_size: usize,
    /// The keys below this row are known.
    known: u32,
}

impl Keys {
    /// No keys yet, of `key_size` bytes each.
    pub(super) fn new(key_size: usize) -> Self {
        Keys { rows: HashMap::new(), key_size, known: 0 }
    }

    /// The row of a key that is known.
    #[inline]
    pub(super) fn get(&self, key: &[u8]) -> Option<Row> {
        self.rows.get(key).copied()
    }

    /// Learns the keys that were added to `rows` since. A key that stands there twice, which no writer causes, keeps its first
    /// row.
    pub(super) fn learn<S: Stride>(&mut self, rows: &Rows<Word, S>) {
        let count = rows.keys();
        for index in self.known..count {
            let mut key = vec![0; self.key_size].into_boxed_slice();
            copy::load_over_bytes(rows.key(index), &mut key);
            self.rows.entry(key).or_insert(Row(index));
        }
        self.known = self.known.max(count);
    }

    /// The next row, for a key that is not known.
    pub(super) fn next(&self) -> u32 {
        self.known
    }

    /// Adds a key as the next row.
    pub(super) fn add(&mut self, key: &[u8]) -> Row {
        let row = Row(self.known);
        self.rows.insert(key.into(), row);
        self.known += 1;
        row
    }

    /// The number of keys known.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.known as usize
    }
}
