//! The table beside the far ring: the near one's rows, under the same numbers.

use feed_program::say::say;
use feed_ring::CreateError;
use feed_ring::inspect::SchemaError;
use feed_ring::keyed::table_name;
use feed_ring::raw::{MessageFormat, TableWriter};

use crate::far::FarOptions;
use crate::relay::Relay;
use crate::wire::{AboutTable, Frame, ROW_NUMBER};

/// The table beside the far ring.
pub(crate) struct FarTable {
    writer: TableWriter,
    key_size: usize,
    row_bytes: usize,
    /// Whether it has all rows up to its next number. While it has not, it stands still, and nobody can join with it.
    complete: bool,
    full: bool,
}

impl FarTable {
    /// The formats of keys and values.
    pub(crate) fn formats(about: &AboutTable) -> Result<[MessageFormat; 2], SchemaError> {
        Ok([MessageFormat::parse(&about.key)?, MessageFormat::parse(&about.value)?])
    }

    /// Takes the table over, or makes it: a fresh one if it is of another ring than the one before.
    pub(crate) fn create(options: &FarOptions, about: &AboutTable, fresh: bool) -> Result<Self, CreateError> {
        let [key, value] = Self::formats(about).expect("they were parsed before");
        let (key_size, row_bytes) = (key.size(), ROW_NUMBER + key.size() + value.size());
        let table = TableWriter::options(&table_name(&options.name), key, value).root(&options.root).mode(options.mode);
        let writer = table.capacity(about.rows).fresh(fresh).create_raw_table()?;
        Ok(FarTable { writer, key_size, row_bytes, complete: false, full: false })
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    /// The number from which on rows are missing.
    pub(crate) fn next(&self) -> u64 {
        self.writer.stores()
    }

    /// Notes that rows may be missing.
    pub(crate) fn miss(&mut self) {
        self.complete = false;
    }

    /// Notes that all rows below this number are there.
    pub(crate) fn complete(&mut self, until: u64, relay: &Relay) {
        self.complete = true;
        self.go_on_with(until);
        self.keep_for(relay);
    }

    /// Says which ring it is kept for, and in which epoch.
    pub(crate) fn keep_for(&mut self, relay: &Relay) {
        if let (true, Relay::Messages(relay)) = (self.complete, relay) {
            self.writer.keep_for(relay);
        }
    }

    /// Whether the rows of a frame are of this table.
    pub(crate) fn describes(&self, frame: &Frame<'_>) -> bool {
        frame.head.rows.get() == 0 || frame.head.row_bytes.get() as usize == self.row_bytes
    }

    /// Stores the rows of a frame that are newer than what is there.
    pub(crate) fn store(&mut self, frame: &Frame<'_>) {
        for row in frame.rows.chunks_exact(self.row_bytes) {
            let (number, rest) = row.split_first_chunk::<ROW_NUMBER>().expect("a row has a number");
            let (number, (key, value)) = (u64::from_le_bytes(*number), rest.split_at(self.key_size));
            if number < self.writer.stores() || number >= crate::wire::MAX_NUMBER {
                continue;
            }
            match self.writer.row(key) {
                Ok(row) => {
                    self.writer.go_on_with(number);
                    self.writer.store(row, value);
                }
                Err(error) if !std::mem::replace(&mut self.full, true) => say(format_args!("feed-bridge: {error}")),
                Err(_) => {}
            }
        }
    }

    /// Goes on with this number, if it is not further already.
    pub(crate) fn go_on_with(&mut self, number: u64) {
        if self.complete && self.writer.stores() < number {
            self.writer.go_on_with(number);
        }
    }

    pub(crate) fn leave(self) {
        self.writer.leave();
    }

    pub(crate) fn close(self) -> Result<(), feed_ring::CloseError> {
        self.writer.close()
    }
}
