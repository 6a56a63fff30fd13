//! One look at a table: its rows, and which of them changed since the look before.

use std::path::Path;

use feed_ring::inspect::{Table, Unread};
use serde_json::json;

use super::shape::Shape;
use crate::format::{count, printable, printable_name, rate};
use crate::survey::{Rates, TableSnapshot};

/// The most rows that may be unreadable. Each costs many attempts, and whoever may write to a table can spoil them all.
const MOST_UNREAD: u64 = 16;

/// A table as it was at one look.
pub(super) struct Look {
    pub(super) path: String,
    pub(super) shape: Shape,
    table: TableSnapshot,
    /// The rows to show, in the order in which their keys were added.
    pub(super) rows: Vec<Row>,
    /// All rows count as changed: it is the first look at this table.
    is_first: bool,
    /// The first row that could not be read, and why.
    pub(super) unread: Option<(u64, Unread)>,
    pub(super) unread_rows: u64,
}

/// A row with a value.
pub(super) struct Row {
    index: u64,
    key: Vec<u8>,
    value: Vec<u8>,
    /// The number of the store that the value came with.
    number: u64,
    /// It was stored since the look before.
    pub(super) changed: bool,
}

/// Looks at a table again and again.
pub(super) struct Reader<'a> {
    /// Only the rows of these symbols or keys; all if it is empty.
    symbols: &'a [String],
    rates: Rates,
    /// The nonce of the table at the look before, and the number of its next store then.
    before: Option<(u64, u64)>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(symbols: &'a [String]) -> Self {
        Reader { symbols, rates: Rates::default(), before: None }
    }

    /// Looks at all rows.
    ///
    /// # Errors
    /// If the table was cut short or has holes, or too many of its rows cannot be read.
    pub(super) fn look(&mut self, table: &Table) -> anyhow::Result<Look> {
        let path = table.path().display().to_string();
        let mut snapshot = TableSnapshot::of(&name(table.path(), table.is_sealed()), table)?;
        self.rates.apply(std::slice::from_mut(&mut snapshot));
        let nonce = table.facts().nonce;
        let since = self.before.filter(|before| before.0 == nonce).map(|(_, stores)| stores);
        let shape = Shape::of(table);
        let mut look = Look {
            path,
            shape,
            table: snapshot,
            rows: Vec::new(),
            is_first: since.is_none(),
            unread: None,
            unread_rows: 0,
        };
        // Read before the rows: what is stored meanwhile counts as changed at the next look.
        let stores = table.stores();
        let (mut key, mut value) = (Vec::new(), Vec::new());
        for index in 0..table.keys() {
            match table.read(index, &mut value) {
                Ok(Some(number)) => {
                    table.key(index, &mut key);
                    if self.symbols.is_empty() || self.symbols.contains(&look.shape.name(&key, &value)) {
                        let changed = since.is_none_or(|since| number >= since);
                        look.rows.push(Row { index, key: key.clone(), value: value.clone(), number, changed });
                    }
                }
                Ok(None) => {}
                Err(why @ Unread::Overtaken { .. }) if look.unread_rows < MOST_UNREAD => {
                    look.unread.get_or_insert((index, why));
                    look.unread_rows += 1;
                }
                Err(why) => anyhow::bail!("{}, row {index}: {why}", look.path),
            }
        }
        self.before = Some((nonce, stores));
        Ok(look)
    }
}

/// The name of the table in this directory, or behind this socket.
fn name(path: &Path, is_sealed: bool) -> String {
    let name = if is_sealed { None } else { path.file_stem() };
    printable_name(name.unwrap_or(path.as_os_str()))
}

impl Look {
    /// What is true of the whole table, in a line.
    pub(super) fn heading(&self) -> String {
        let TableSnapshot { name, key, rows, capacity, stores, writer, rate: now, .. } = &self.table;
        let now = now.map_or(String::new(), |now| format!(" ({})", rate(now)));
        let rows = match key {
            Some(_) => format!(" {} of {} rows,", count(*rows), count(*capacity)),
            None => String::new(),
        };
        let plural = if *stores == 1 { "" } else { "s" };
        format!("{}: writer {writer},{rows} {} store{plural}{now}", printable(name), count(*stores))
    }

    /// The first of the symbols that were asked for that no row has.
    pub(super) fn missing<'s>(&self, symbols: &'s [String]) -> Option<&'s String> {
        symbols.iter().find(|symbol| !self.rows.iter().any(|row| self.shape.name(&row.key, &row.value) == **symbol))
    }

    /// The cells of each row, in the shape's columns.
    pub(super) fn cells(&self) -> Vec<Vec<String>> {
        self.rows.iter().map(|row| self.shape.cells(&row.key, &row.value, row.number)).collect()
    }

    /// One JSON object: the table, and its rows; only the changed ones unless `all`.
    pub(super) fn json(&self, all: bool) -> String {
        let TableSnapshot { name, kind, stores, rows, capacity, writer, epoch, rate, nonce, .. } = &self.table;
        let head = json!({
            "name": name, "path": self.table.path, "kind": kind, "nonce": nonce, "writer": writer, "epoch": epoch, "stores": stores,
            "rate": rate, "keys": rows, "capacity": capacity, "first": self.is_first,
        });
        let shown = self.rows.iter().filter(|row| all || row.changed);
        let rows: Vec<_> = shown.map(|row| self.shape.json(row.index, row.number, &row.key, &row.value)).collect();
        let head = head.to_string();
        // A value's schema decides its JSON, which is text already: it takes the place of the last brace.
        format!("{},\"rows\":[{}]}}", &head[..head.len() - 1], rows.join(","))
    }
}
