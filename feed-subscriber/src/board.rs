//! The rows that --snapshot follows, and the symbols that --symbol asks for.

use std::collections::{HashMap, HashSet};

use feed::Message;
use feed::board::{self, Digest, Row, Symbol};
use feed::summary;
use feed_ring::OpenError;
use feed_ring::follow::Follow;
use feed_ring::keyed::SnapshotError;

use crate::options::Options;
use crate::reader::{TableSubscriber, opened};

/// The rows of all instruments seen.
pub(crate) struct Board {
    /// The rows are a snapshot of the table, to which every message since was applied.
    is_snapshot: bool,
    /// The symbols of --symbol; none: all.
    asked: HashSet<Symbol>,
    rows: HashMap<u32, Entry>,
    without_row: u64,
}

struct Entry {
    row: Row,
    /// It is one of the symbols asked for.
    asked: bool,
    /// Its symbol was looked up since the last beginning.
    is_named: bool,
}

/// What is known of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// It is to be received: --symbol asks for it, or for nothing.
    pub(crate) asked: bool,
    /// The symbol of its instrument; empty if there is none.
    pub(crate) symbol: Symbol,
}

impl Board {
    /// A board if the options ask for one.
    pub(crate) fn new(options: &Options) -> Option<Self> {
        options.needs_table().then(|| Board {
            is_snapshot: options.snapshot,
            asked: options.symbol.iter().copied().collect(),
            rows: HashMap::new(),
            without_row: 0,
        })
    }

    /// Opens the ring again where it is, if its publisher has made another table under the same name. Returns whether it did.
    pub(crate) fn open_if_replaced(follow: &mut Follow<TableSubscriber>) -> Result<bool, OpenError> {
        if opened(follow).is_kept() {
            return Ok(false);
        }
        follow.reopen()?;
        // If this one is not kept either, the snapshot says so.
        Ok(opened(follow).is_kept())
    }

    /// Begins anew with what is in the table. Returns the rows of the snapshot to print, each with the sequence of its last
    /// message.
    pub(crate) fn begin(&mut self, table: &mut TableSubscriber) -> Result<Vec<(u64, Row)>, SnapshotError> {
        let mut rows = Vec::new();
        if self.is_snapshot {
            rows = table.snapshot()?.rows;
        } else if !table.is_kept() {
            return Err(SnapshotError::NotKept);
        } else {
            let reader = table.table();
            for row in reader.rows() {
                if let (Some(key), Some(stored)) = (reader.key(row), reader.get(row)?) {
                    rows.push((key, stored));
                }
            }
        }
        self.rows.clear();
        let mut shown = Vec::new();
        for (instrument, stored) in rows {
            let (row, asked) = (stored.value, self.asks_for(&stored.value.symbol));
            if self.is_snapshot && asked {
                shown.push((stored.number, row));
            }
            self.rows.insert(instrument, Entry { row, asked, is_named: false });
        }
        Ok(shown)
    }

    /// Applies a message that was received.
    pub(crate) fn apply(&mut self, message: &Message, table: &mut TableSubscriber) -> Known {
        let none = Symbol::cut(b"");
        let Some(instrument) = board::key(message) else {
            // To clear all books concerns every symbol.
            return Known { asked: self.asked.is_empty() || message.is_clear_all(), symbol: none };
        };
        if self.rows.get(&instrument).is_none_or(|entry| !entry.is_named || board::may_name(message)) {
            self.name(instrument, table);
        }
        let Some(entry) = self.rows.get_mut(&instrument) else {
            self.without_row += 1;
            return Known { asked: self.asked.is_empty(), symbol: none };
        };
        entry.row.apply(message);
        Known { asked: entry.asked, symbol: entry.row.symbol }
    }

    /// Looks up an instrument's symbol in the table. Its row was stored before the message, so it is there, unless the table
    /// was full.
    #[cold]
    fn name(&mut self, instrument: u32, table: &mut TableSubscriber) {
        let Some(place) = table.row(&instrument) else { return };
        // A row that cannot be read now is looked up again with the next message.
        let stored = table.table().get(place);
        let is_named = stored.is_ok();
        let entry = self.rows.entry(instrument);
        let entry = entry.or_insert_with(|| Entry { row: Row::new(Symbol::cut(b"")), asked: false, is_named });
        if let Ok(Some(stored)) = stored {
            entry.row.symbol = stored.value.symbol;
        }
        entry.is_named = is_named;
        entry.asked = self.asked.is_empty() || self.asked.contains(&entry.row.symbol);
    }

    fn asks_for(&self, symbol: &Symbol) -> bool {
        self.asked.is_empty() || self.asked.contains(symbol)
    }

    /// The symbols asked for that no row has.
    pub(crate) fn missing(&self) -> Vec<Symbol> {
        let known: HashSet<Symbol> = self.rows.values().map(|entry| entry.row.symbol).collect();
        let mut missing: Vec<Symbol> = self.asked.difference(&known).copied().collect();
        missing.sort();
        missing
    }

    /// What the summary tells of it.
    pub(crate) fn summary(&self) -> summary::Board {
        let mut digest = Digest::default();
        self.rows.iter().for_each(|(&instrument, entry)| digest.add(instrument, &entry.row));
        let board = summary::Board::new(digest, self.without_row);
        // Without a snapshot, the rows lack the messages before this program came.
        if self.is_snapshot { board } else { summary::Board { table_digest: None, ..board } }
    }
}
