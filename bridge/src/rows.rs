//! The table beside the near ring, as frames carry it: before the messages of a frame, the rows that changed with them.
//!
//! A row is its number, its key, its value. Rows come in the order of their numbers, which are those of their messages, and
//! each row is in a frame before or with its message. What is stored into a row while it is read goes with the next frame.

use std::path::Path;

use feed_ring::inspect::Inspected;
use feed_ring::keyed::table_name;
use feed_ring::raw;
use feed_ring::table::Row;

use crate::wire::{AboutTable, ROW_NUMBER};

/// So often the rows that changed meanwhile are looked for before a frame goes without them. A publisher would have to store at
/// full speed into the same rows all that time.
const LOOKS: usize = 64;

/// The table beside a ring.
pub(crate) struct Rows {
    reader: raw::TableReader,
    /// All rows with a number below this have been sent.
    since: u64,
    changed: Vec<Row>,
    /// The rows that were read, one after the other, and the number and the place of each.
    read: Vec<u8>,
    order: Vec<(u64, usize)>,
}

impl Rows {
    /// Opens the table that keeps the ring with this nonce. `None` if there is none, or not yet.
    pub(crate) fn open(root: &Path, ring: &str, nonce: u64) -> Option<Self> {
        let name = table_name(ring);
        let kept = || {
            let Ok(Inspected::Table(table)) = Inspected::open(root, &name) else { return None };
            (table.ring() == Some(nonce)).then(|| table.facts().nonce)
        };
        kept()?;
        let reader = raw::TableReader::options(&name).root(root).open_raw_table().ok()?;
        let rows = Rows { reader, since: 0, changed: Vec::new(), read: Vec::new(), order: Vec::new() };
        // Still the same: it was opened by its name.
        kept().map(|_| rows)
    }

    /// What others have to know of it.
    pub(crate) fn about(&self) -> AboutTable {
        AboutTable {
            key: self.reader.key_format().schema().to_owned(),
            key_size: self.reader.key_format().size(),
            value: self.reader.value_format().schema().to_owned(),
            value_size: self.reader.value_format().size(),
            rows: self.reader.capacity(),
        }
    }

    /// Bytes of a row with its number.
    pub(crate) fn row_bytes(&self) -> usize {
        ROW_NUMBER + self.reader.key_format().size() + self.reader.value_format().size()
    }

    /// Appends each row that changed since the last call, and returns how many.
    pub(crate) fn take(&mut self, bytes: &mut Vec<u8>) -> u32 {
        let mut count = 0;
        for _ in 0..LOOKS {
            let overtaken = self.look(bytes, &mut count);
            if !overtaken {
                break;
            }
        }
        count
    }

    /// Appends each row with a number from `since` on, and returns how many, and the number up to which that is all.
    pub(crate) fn all_since(&mut self, since: u64, bytes: &mut Vec<u8>) -> (u32, u64) {
        let mut count = 0;
        self.since = since;
        self.look(bytes, &mut count);
        (count, self.since)
    }

    /// One look at what changed. Returns whether a row was stored into while it was read.
    fn look(&mut self, bytes: &mut Vec<u8>, count: &mut u32) -> bool {
        let until = self.reader.changed_since(self.since, &mut self.changed);
        let (key_size, row_bytes) = (self.reader.key_format().size(), self.row_bytes());
        self.read.clear();
        self.order.clear();
        let mut overtaken = false;
        for row in &self.changed {
            let at = self.read.len();
            self.read.resize(at + row_bytes, 0);
            let (head, value) = self.read[at..].split_at_mut(ROW_NUMBER + key_size);
            let number = match self.reader.get_into(*row, value) {
                Ok(Some(number)) if self.reader.key_into(*row, &mut head[ROW_NUMBER..]) => number,
                // Nothing was stored there yet, or it cannot be read: whoever looks here finds the same.
                _ => {
                    self.read.truncate(at);
                    continue;
                }
            };
            overtaken |= number >= until;
            if number >= until || number < self.since {
                self.read.truncate(at);
                continue;
            }
            head[..ROW_NUMBER].copy_from_slice(&number.to_le_bytes());
            self.order.push((number, at));
        }
        self.order.sort_unstable();
        for (_, at) in &self.order {
            bytes.extend_from_slice(&self.read[*at..*at + row_bytes]);
        }
        *count += self.order.len() as u32;
        self.since = until;
        overtaken
    }
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("reader", &self.reader).field("since", &self.since).finish_non_exhaustive()
    }
}
