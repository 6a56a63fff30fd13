//! A row, by its number, and what is read from it.

use crate::format::payload::Payload;
use crate::protocol::copy;
use crate::sync::Word;

/// The row of a key. It stays the same as long as the table exists, whoever writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row(pub(super) u32);

impl Row {
    /// The row of this number: for programs that keep numbers, such as bindings for other languages. It asks no table. A row
    /// that a table does not have is refused when it is used: each call says how.
    #[inline]
    pub fn at(index: usize) -> Self {
        // No table has so many rows.
        Row(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// The row's number: rows are counted from 0, in the order in which their keys were added.
    #[inline]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A value, and the number of the store that it came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored<V> {
    /// The value.
    pub value: V,
    /// The number of the store. It counts the stores into a cell, or into all rows of a table, from 0 on.
    pub number: u64,
}

impl<V: Payload> Stored<V> {
    /// What words hold, with its number.
    #[inline(always)]
    pub(super) fn load(number: u64, words: &[Word]) -> Self {
        Stored { value: copy::load_value(words), number }
    }
}
