//! A valid table and a valid cell to damage, and every operation of a reader on them.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use feed_ring::{CellReader, CellWriter, OpenError, TableReader, TableWriter};
use feed_testing::PrivateRoot;

type Key = u32;
type Value = [u64; 3];
type Book = [u64; 20];

/// The segments of a table whose rows were lapped and of a cell. Their writers are gone.
pub fn valid(root: &Path) -> [Vec<u8>; 2] {
    let mut table =
        TableWriter::<Key, Value>::options("table").root(root).capacity(4).create_table().expect("make a table");
    let rows = [7, 8, 9].map(|key| table.row(&key).expect("it has room"));
    let mut cell = CellWriter::<Book>::options("cell").root(root).copies(3).create_cell().expect("make a cell");
    for number in 0..20 {
        table.store(rows[number as usize % 3], &[number; 3]);
        cell.store(&[number; 20]);
    }
    table.leave();
    cell.leave();
    ["table", "cell"].map(|name| fs::read(segment(root, name)).expect("read the segment"))
}

fn segment(root: &Path, name: &str) -> std::path::PathBuf {
    root.join(format!("{name}.ring")).join("segment")
}

/// A table and a cell whose segments are rewritten for each input.
pub struct Target {
    root: PrivateRoot,
    files: [fs::File; 2],
}

impl Target {
    /// Makes both.
    pub fn new() -> Self {
        let root = PrivateRoot::new();
        valid(root.path());
        let open = |name: &str| fs::OpenOptions::new().write(true).open(segment(root.path(), name));
        let files = ["table", "cell"].map(|name| open(name).expect("open the segment"));
        Target { root, files }
    }

    /// Replaces the segment by the input and runs every operation of a reader on it. Each call must return. The first byte of
    /// the input chooses the table or the cell, and since when rows are asked for.
    pub fn exercise(&self, input: &[u8]) {
        let Some((&how, segment)) = input.split_first() else { return };
        let file = &self.files[usize::from(how & 1)];
        file.set_len(segment.len() as u64).expect("resize");
        file.write_all_at(segment, 0).expect("write");
        let since = [0, 19, 20, u64::MAX][usize::from(how >> 1 & 3)];
        let read = if how & 1 == 0 { self.table(since) } else { self.cell(since) };
        if let Err(error) = read {
            assert_eq!(error.to_string().lines().count(), 1, "{error}");
        }
    }

    fn table(&self, since: u64) -> Result<(), OpenError> {
        let mut table = TableReader::<Key, Value>::options("table").root(self.root.path()).open_table()?;
        let mut changed = Vec::new();
        for since in [since, table.stores().wrapping_sub(1)] {
            let _ = table.changed_since(since, &mut changed);
            assert!(changed.len() <= table.capacity(), "{changed:?}");
            // A forged capacity may make a table of many rows.
            for row in changed.iter().copied().chain(table.rows()).take(64) {
                let _ = (table.get(row), table.key(row));
            }
            let _ = (table.row(&7), table.row(&0), table.wait(since, Duration::ZERO));
        }
        Ok(())
    }

    fn cell(&self, since: u64) -> Result<(), OpenError> {
        let mut cell = CellReader::<Book>::options("cell").root(self.root.path()).open_cell()?;
        let mut value = [0; 20];
        let _ = (cell.get(), cell.get_into(&mut value), cell.stores(), cell.wait(since, Duration::ZERO));
        Ok(())
    }
}

impl Default for Target {
    fn default() -> Self {
        Self::new()
    }
}
