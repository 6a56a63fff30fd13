//! The layout of a segment of rows: a table, or a cell, which is a table of one row without a key.
//!
//! ```text
//! byte 0        … 512              640                             on a page boundary
//!      │ as a ring's │ count, keys │ schemas: value, key │ keys … │ log … │ rows …                        │
//!                                                                          │ copy 0 │ copy 1 │ copy 0 │ … │
//! ```
//!
//! The header is a ring's up to its schema: layout.rs has it. A copy is a slot: its sequence word, then the value. The
//! log says which row each of the last stores was for.

use std::fmt;

use super::message::MessageFormat;
use crate::sync::{LEAST_LOG, PAD_WORDS};

/// The version of a segment of rows, or of records. A program that knows only rings of messages refuses it by this.
pub(crate) const ABI: u64 = 2;

/// The most rows of a table (16,777,216).
pub(crate) const MAX_ROWS: u64 = 1 << 24;

/// The most copies of a row. The fewest are two.
pub(crate) const MAX_COPIES: usize = 64;

/// The largest key in bytes.
pub(crate) const MAX_KEY: usize = 4096;

/// Word indices of the header that only segments of rows use.
pub(crate) mod row_word {
    /// What kind of segment: see `Kind::number`; 3 for a ring of records.
    pub(crate) const KIND: usize = 58;
    pub(crate) const COPIES: usize = 59;
    pub(crate) const KEY_SIZE: usize = 60;
    pub(crate) const KEY_ALIGN: usize = 61;
    pub(crate) const KEY_SCHEMA_BYTES: usize = 62;
    /// The nonce of the ring that the table belongs to. 0 if it belongs to none.
    pub(crate) const RING: usize = 63;
    /// The number of keys. In the line of the count, because both change with a store.
    pub(crate) const KEYS: usize = 65;
    /// The epoch of that ring whose publisher keeps the table.
    pub(crate) const RING_EPOCH: usize = 66;
}

/// What stands under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SegmentKind {
    /// A ring of messages.
    Ring,
    /// A ring of records: see [`records`](crate::records).
    Records,
    /// A table: see [`table`](crate::table).
    Table,
    /// A cell: see [`CellWriter`](crate::CellWriter).
    Cell,
}

impl fmt::Display for SegmentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SegmentKind::Ring => "a ring of messages",
            SegmentKind::Records => "a ring of records",
            SegmentKind::Table => "a table",
            SegmentKind::Cell => "a cell",
        })
    }
}

/// What a segment of rows is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One row, without a key.
    Cell,
    /// Rows with keys of this format.
    Table(MessageFormat),
}

impl Kind {
    pub(crate) const TABLE: u64 = 1;
    const CELL: u64 = 2;

    pub(crate) fn number(&self) -> u64 {
        match self {
            Kind::Table(_) => Kind::TABLE,
            Kind::Cell => Kind::CELL,
        }
    }

    /// The kind of this number, if there is one. `key` is the format of a table's keys.
    pub(crate) fn of(number: u64, key: MessageFormat) -> Option<Self> {
        match number {
            Kind::TABLE => Some(Kind::Table(key)),
            Kind::CELL => Some(Kind::Cell),
            _ => None,
        }
    }

    /// The format of the keys. `None` for a cell.
    pub(crate) fn key(&self) -> Option<&MessageFormat> {
        match self {
            Kind::Cell => None,
            Kind::Table(key) => Some(key),
        }
    }

    /// What a segment of it is.
    pub(crate) fn of_segment(&self) -> SegmentKind {
        match self {
            Kind::Cell => SegmentKind::Cell,
            Kind::Table(_) => SegmentKind::Table,
        }
    }
}

/// What the geometry of a table or a cell has beside a ring's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowsGeometry {
    pub(crate) kind: Kind,
    pub(crate) copies: usize,
}

/// Where the parts of a segment of rows are. Its rows are where a ring has slots, and a copy is as long as a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowsLayout {
    pub(crate) copies: usize,
    /// Word index of the number of keys.
    pub(crate) key_count: usize,
    /// Word index of the first key.
    pub(crate) keys: usize,
    /// Words of a key; 0 for a cell.
    pub(crate) key_words: usize,
    /// Word index of the log.
    pub(crate) log: usize,
    /// Entries of the log: a power of two, or 0 for a cell.
    pub(crate) log_entries: usize,
}

impl RowsGeometry {
    /// A table with keys of this format, in two copies.
    pub(crate) fn table(key: MessageFormat) -> Self {
        RowsGeometry { kind: Kind::Table(key), copies: 2 }
    }

    /// A cell, in two copies.
    pub(crate) fn cell() -> Self {
        RowsGeometry { kind: Kind::Cell, copies: 2 }
    }

    /// Where the parts of `rows` rows are, if the number of keys is at `key_count` and the keys begin at `keys`; and the word
    /// index of the first row.
    pub(super) fn layout(&self, key_count: usize, keys: usize, rows: u64) -> (RowsLayout, usize) {
        let key_words = self.kind.key().map_or(0, MessageFormat::size).div_ceil(8);
        let log = (keys + rows as usize * key_words).next_multiple_of(PAD_WORDS);
        let log_entries = match self.kind {
            Kind::Cell => 0,
            // A reader that is more stores behind looks at every row, which costs it about as much.
            Kind::Table(_) => rows.next_power_of_two().max(LEAST_LOG) as usize,
        };
        let first = (log + log_entries).next_multiple_of(PAD_WORDS);
        (RowsLayout { copies: self.copies, key_count, keys, key_words, log, log_entries }, first)
    }

    /// The value's schema, followed by the key's.
    pub(crate) fn schemas(&self, value: &str) -> String {
        value.to_owned() + self.kind.key().map_or("", MessageFormat::schema)
    }
}
