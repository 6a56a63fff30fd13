//! The roles around a table and a cell of their own: a writer that is killed in the middle of a store, and a reader.

use std::path::Path;
use std::time::{Duration, Instant};

use feed_ring::table::{ReadError, Stored};
use feed_ring::{CellReader, CellWriter, TableReader, TableWriter};
use serde::{Deserialize, Serialize};

use crate::child::Result;
use crate::message::{Message, is_whole, message};
use crate::roles::print_line;

/// The names of the table and of the cell.
pub(crate) const TABLE: &str = "rows";
pub(crate) const CELL: &str = "cell";

const KEYS: u64 = 8;

/// Takes table and cell over and stores at full rate until killed. Word 0 of each value is the number of its store.
pub(crate) fn store(root: &Path, writer: u64) -> Result<()> {
    let table = TableWriter::<u64, Message>::options(TABLE).root(root).capacity(KEYS as usize);
    let mut table = table.keep(true).create_table()?;
    let mut cell = CellWriter::<Message>::options(CELL).root(root).keep(true).create_cell()?;
    let rows = (0..KEYS).map(|key| table.row(&key)).collect::<std::result::Result<Vec<_>, _>>()?;
    print_line("ready");
    loop {
        for row in &rows {
            let number = table.stores();
            table.store(*row, &message(number, writer));
        }
        let number = cell.stores();
        cell.store(&message(number, writer));
    }
}

/// What a reader of the table and the cell has seen so far.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct RowCounts {
    /// Values read.
    pub(crate) reads: u64,
    /// Reads that the writer overtook each time they began again.
    pub(crate) overtaken: u64,
    /// Values whose words did not belong together, or not to the number that they were read with.
    pub(crate) torn: u64,
    /// Values older than one that was read before, counts that fell, and values that were gone again.
    pub(crate) back: u64,
}

impl RowCounts {
    /// Adds the counts of another reader.
    pub(crate) fn add(&mut self, other: &RowCounts) {
        self.reads += other.reads;
        self.overtaken += other.overtaken;
        self.torn += other.torn;
        self.back += other.back;
    }

    /// Checks what was read from a row of which `last` is the number after that of the newest value so far.
    fn check(&mut self, read: std::result::Result<Option<Stored<Message>>, ReadError>, last: &mut u64) -> Result<()> {
        match read {
            Ok(Some(Stored { value, number })) => {
                self.reads += 1;
                self.torn += u64::from(!is_whole(&value) || value[0] != number);
                self.back += u64::from(number + 1 < *last);
                *last = number + 1;
            }
            Ok(None) => self.back += u64::from(*last > 0),
            Err(ReadError::Overtaken { .. }) => self.overtaken += 1,
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Checks the number of the next store, of which `last` is the newest so far.
    fn check_stores(&mut self, stores: u64, last: &mut u64) {
        self.back += u64::from(stores < *last);
        *last = stores;
    }
}

/// Reads every row and the cell until killed. Prints the counts every few milliseconds, and at once if they are bad.
pub(crate) fn read(root: &Path) -> Result<()> {
    let open = Duration::from_secs(10);
    let mut table = TableReader::<u64, Message>::options(TABLE).root(root).open_timeout(open).open_table()?;
    let mut cell = CellReader::<Message>::options(CELL).root(root).open_timeout(open).open_cell()?;
    let (mut counts, mut printed, mut bad) = (RowCounts::default(), Instant::now(), 0);
    let (mut last, mut last_of_cell, mut stores) = ([0; KEYS as usize], 0, [0; 2]);
    loop {
        for (key, last) in (0..).zip(&mut last) {
            if let Some(row) = table.row(&key) {
                counts.check(table.get(row), last)?;
            }
        }
        counts.check(cell.get(), &mut last_of_cell)?;
        for (now, last) in [table.stores(), cell.stores()].into_iter().zip(&mut stores) {
            counts.check_stores(now, last);
        }
        if counts.torn + counts.back > bad || printed.elapsed() > Duration::from_millis(5) {
            (printed, bad) = (Instant::now(), counts.torn + counts.back);
            print_line(&serde_json::to_string(&counts)?);
        }
        std::thread::yield_now();
    }
}
