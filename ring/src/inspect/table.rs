//! One table or cell under inspection: its keys and rows, beside what every segment has.

use std::ops::Deref;

use super::facts::{KeyFacts, Unread};
use super::segment::{Segment, parse};
use crate::format::fields::{MessageType, SchemaError};
use crate::format::layout::MAX_SEQUENCE;
use crate::format::rows::{SegmentKind, row_word};
use crate::protocol::copy;
use crate::protocol::row::{Missed, Overtaken};
use crate::protocol::rows::Rows;
use crate::sync::Word;

/// A table or a cell under inspection, mapped read-only. A cell is a table of one row without a key. [`Segment`] has what it
/// shares with rings.
///
/// ```no_run
/// use feed_ring::{DEFAULT_ROOT, TableWriter, inspect};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let mut quotes = TableWriter::<u32, [i64; 2]>::options("quotes.table").capacity(100).create_table()?;
///     let row = quotes.row(&7)?;
///     quotes.store(row, &[1, 2]);
///
///     let table = inspect::Table::open(DEFAULT_ROOT, "quotes.table")?; // in another process
///     let (mut key, mut value) = (Vec::new(), Vec::new());
///     assert!(table.key(0, &mut key));
///     assert_eq!(table.read(0, &mut value)?, Some(0)); // the first store
///     assert_eq!((table.keys(), table.message_type()?.text(&value)), (1, "value=[1, 2]".to_owned()));
///     Ok(())
/// }
/// ```
pub struct Table {
    segment: Segment,
    pub(super) rows: Rows<Word>,
}

impl Deref for Table {
    type Target = Segment;

    fn deref(&self) -> &Segment {
        &self.segment
    }
}

impl Table {
    /// The table or cell in this segment, which holds one.
    pub(super) fn of(segment: Segment) -> Self {
        let rows = Rows::new(segment.memory().clone(), segment.layout());
        Table { segment, rows }
    }

    /// Whether it is a cell.
    pub fn is_cell(&self) -> bool {
        self.facts.kind == SegmentKind::Cell
    }

    /// The fields of the keys, from their schema. `None` for a cell.
    ///
    /// # Errors
    /// If the schema cannot be parsed, or contradicts the header. The keys are then only bytes.
    pub fn key_type(&self) -> Option<Result<MessageType, SchemaError>> {
        let KeyFacts { size, schema, .. } = self.facts.key.as_ref()?;
        Some(parse(schema, *size))
    }

    /// The number of rows that may hold something: those with a key, or the one of a cell.
    pub fn keys(&self) -> u64 {
        if self.is_cell() { 1 } else { self.rows.keys().into() }
    }

    /// The number of the next store. A table of a ring counts the ring's messages: what has no row has a number all the same.
    pub fn stores(&self) -> u64 {
        self.rows.stores().clamp(self.facts.base, MAX_SEQUENCE)
    }

    /// The nonce of the ring whose messages the table keeps: see [`keyed`](crate::keyed). `None` for any other table.
    pub fn ring(&self) -> Option<u64> {
        Some(self.word(row_word::RING)).filter(|nonce| *nonce != 0)
    }

    /// Reads the bytes of the key of row `row` into `bytes`, replacing its content. False if the row has no key.
    pub fn key(&self, row: u64, bytes: &mut Vec<u8>) -> bool {
        let Some(KeyFacts { size, .. }) = self.facts.key.as_ref().filter(|_| row < self.keys()) else { return false };
        load(self.rows.key(row as u32), *size, bytes);
        true
    }

    /// Reads the newest value of row `row` into `bytes`, replacing its content, and returns the number of its store. `None`
    /// if nothing was stored, or there is no such row.
    ///
    /// # Errors
    /// [`Unread`]. `bytes` then has no meaning.
    pub fn read(&self, row: u64, bytes: &mut Vec<u8>) -> Result<Option<u64>, Unread> {
        if self.has_holes() {
            return Err(Unread::Holes);
        }
        if row >= self.facts.capacity {
            return Ok(None);
        }
        let size = self.facts.payload_size;
        let (result, attempts) = self.rows.read(row as u32, Missed::NotTried, |number, words| {
            load(words, size, bytes);
            number
        });
        match result {
            Ok(Some(number)) => Ok(Some(number)),
            // The guard replaced the segment by zeros, and a zero looks like a copy that was never written.
            _ if self.is_cut_short() => Err(Unread::CutShort),
            Ok(None) => Ok(None),
            Err(Overtaken) => Err(Unread::Overtaken { attempts }),
        }
    }
}

/// Reads `size` bytes from words.
fn load(words: &[Word], size: usize, bytes: &mut Vec<u8>) {
    bytes.resize(size, 0);
    copy::load_over_bytes(words, bytes);
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("segment", &self.segment).field("keys", &self.keys()).finish_non_exhaustive()
    }
}
