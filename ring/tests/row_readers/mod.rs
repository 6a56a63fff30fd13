//! Every call that readers of a table or a cell have, and those of inspection, on whatever bytes the segment has.

use std::path::Path;
use std::time::Duration;

use feed_ring::inspect::Table;
use feed_ring::table::Row;
use feed_ring::{CellReader, OpenError, TableReader, WaitStrategy, raw};

pub(crate) type Key = u32;
pub(crate) type Value = [u64; 3];
pub(crate) type Book = [u64; 20];

pub(crate) const ROWS: usize = 4;

fn refused(error: &OpenError) -> bool {
    assert_eq!(error.to_string().lines().count(), 1, "{error}");
    false
}

/// Makes every call that inspection has.
pub(crate) fn inspect(root: &Path, name: &str) {
    let Ok(table) = Table::open(root, name) else { return };
    let (mut key, mut value) = (Vec::new(), Vec::new());
    for row in 0..table.keys().min(2 * ROWS as u64) {
        let (_, read) = (table.key(row, &mut key), table.read(row, &mut value));
        if let (Ok(Some(_)), Ok(ty)) = (read, table.message_type()) {
            let _ = (ty.text(&value), ty.json(&value));
            ty.fields.iter().for_each(|field| drop((field.text(&value), field.json(&value))));
        }
        let _ = table.key_type().and_then(Result::ok).map(|ty| ty.text(&key));
    }
    let verdict = table.verify();
    assert!(verdict.findings.len() <= 100 && verdict.slots <= ROWS as u64, "{verdict:?}");
    let _ = (table.stores(), table.ring(), table.publisher(), table.entries(), format!("{table:?}"));
}

/// Makes every call that a reader of a table has. Returns whether it could be opened.
pub(crate) fn read_table(root: &Path, wait: WaitStrategy) -> bool {
    let mut table = match TableReader::<Key, Value>::options("t").root(root).wait(wait).open_table() {
        Ok(table) => table,
        Err(error) => return refused(&error),
    };
    let (mut changed, mut value) = (Vec::new(), [0; 3]);
    for since in [0, 19, 20, table.stores(), table.stores().wrapping_sub(1), u64::MAX] {
        let _ = table.changed_since(since, &mut changed);
        assert!(changed.len() <= ROWS, "{changed:?} of {ROWS}");
        for row in &changed {
            let _ = (table.get(*row), table.key(*row));
        }
        for row in table.rows() {
            let _ = (table.get(row), table.get_into(row, &mut value), table.key(row));
        }
        let _ = (table.row(&7), table.row(&0), table.wait(since, Duration::ZERO));
        let _ = (format!("{table:?}"), table.most_retries(), table.writer_is_alive(), table.capacity());
    }
    true
}

/// The same for a cell.
pub(crate) fn read_cell(root: &Path, wait: WaitStrategy) -> bool {
    let mut cell = match CellReader::<Book>::options("c").root(root).wait(wait).open_cell() {
        Ok(cell) => cell,
        Err(error) => return refused(&error),
    };
    let mut value = [0; 20];
    for since in [0, 20, u64::MAX] {
        let _ = (cell.get(), cell.get_into(&mut value), cell.stores(), cell.wait(since, Duration::ZERO));
        let _ = (format!("{cell:?}"), cell.most_retries(), cell.writer_is_alive());
    }
    true
}

/// The same for a reader of bytes. A damaged header may tell other formats than those that were written.
pub(crate) fn read_raw_table(root: &Path, wait: WaitStrategy) -> bool {
    let mut table = match raw::TableReader::options("t").root(root).wait(wait).open_raw_table() {
        Ok(table) => table,
        Err(error) => return refused(&error),
    };
    let mut changed = Vec::new();
    let (mut key, mut value) = (vec![0; table.key_format().size()], vec![0; table.value_format().size()]);
    for since in [0, 19, 20, table.stores(), table.stores().wrapping_sub(1), u64::MAX] {
        let _ = table.changed_since(since, &mut changed);
        assert!(changed.len() <= table.capacity(), "{changed:?} of {}", table.capacity());
        for row in changed.iter().copied().chain(table.rows()) {
            let _ = (table.get_into(row, &mut value), table.key_into(row, &mut key), table.row(&key));
        }
        assert!(!table.key_into(Row::at(table.capacity()), &mut key));
        let _ = (table.wait(since, Duration::ZERO), format!("{table:?}"), table.most_retries());
        let _ = (table.writer_is_alive(), table.without_entry());
    }
    true
}

/// The same for a reader of a cell's bytes.
pub(crate) fn read_raw_cell(root: &Path, wait: WaitStrategy) -> bool {
    let mut cell = match raw::CellReader::options("c").root(root).wait(wait).open_raw_cell() {
        Ok(cell) => cell,
        Err(error) => return refused(&error),
    };
    let mut value = vec![0; cell.format().size()];
    for since in [0, 20, u64::MAX] {
        let _ = (cell.get_into(&mut value), cell.stores(), cell.wait(since, Duration::ZERO));
        let _ = (format!("{cell:?}"), cell.most_retries(), cell.writer_is_alive());
    }
    true
}
