//! One table or cell as it was at one moment: the JSON of `list`, `stat` and `top`.

use anyhow::Context;
use feed_ring::inspect::{Table, Unread};
use feed_ring::{SegmentKind, Wake};
use serde::Serialize;

use super::bridge::Bridge;
use super::owner::{octal, user};
use super::snapshot::{life, time, type_name};
use crate::format::printable;

/// A table or a cell as it was at one moment. Its JSON is that of `list`, `stat` and `top`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TableSnapshot {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) uid: u32,
    /// The owner's name, or the uid if it has none.
    pub(crate) owner: String,
    pub(crate) gid: u32,
    /// True for one in sealed memory files that came through a socket. Then `path` is that socket.
    pub(crate) sealed: bool,
    /// The permissions of the segment, in octal.
    pub(crate) mode: String,
    /// The size of the segment.
    pub(crate) bytes: u64,
    pub(crate) abi: u64,
    /// `table` or `cell`.
    pub(crate) kind: &'static str,
    /// The name of the keys' type. `None` for a cell.
    pub(crate) key: Option<String>,
    pub(crate) key_bytes: usize,
    /// The name of the values' type.
    pub(crate) value: String,
    pub(crate) value_bytes: usize,
    pub(crate) value_align: u64,
    /// The hash of both schemas, in hexadecimal.
    pub(crate) fingerprint: String,
    /// The rows that have a key; 1 for a cell.
    pub(crate) rows: u64,
    /// The most rows.
    pub(crate) capacity: u64,
    /// The copies of each row.
    pub(crate) copies: usize,
    /// The number that distinguishes tables of the same name, in hexadecimal.
    pub(crate) nonce: String,
    /// The nonce of the ring whose messages it keeps, in hexadecimal. `None` for any other table.
    pub(crate) ring: Option<String>,
    /// The time of creation, UTC.
    pub(crate) created: String,
    /// `alive`, `dead`, `closed`, `superseded` or `unknown`.
    pub(crate) writer: &'static str,
    pub(crate) writer_pid: u64,
    /// How the writer learns that a reader sleeps, as for a ring.
    pub(crate) wake: Option<&'static str>,
    /// The number of changes of the event word, as for a ring.
    pub(crate) wakes: u64,
    pub(crate) epoch: u64,
    /// The number of the next store.
    pub(crate) stores: u64,
    /// Stores per second since the survey before; `None` at the first one.
    pub(crate) rate: Option<f64>,
    /// The process ids of the readers. `None` if the control file cannot be read.
    pub(crate) readers: Option<Vec<u64>>,
    /// The end of a bridge that tells in this cell how it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bridge: Option<Bridge>,
}

impl TableSnapshot {
    /// Takes a snapshot of a table or a cell.
    pub(crate) fn of(name: &str, table: &Table) -> anyhow::Result<Self> {
        let (facts, file) = (table.facts(), table.file());
        let entries = table.entries().with_context(|| table.path().display().to_string())?;
        let readers = entries.map(|entries| entries.iter().filter(|entry| entry.held).map(|entry| entry.pid).collect());
        let (rows, stores) = (table.keys(), table.stores());
        let bridge = Bridge::of(name, table);
        anyhow::ensure!(!table.is_cut_short(), "{}: {}", table.path().display(), Unread::CutShort);
        Ok(TableSnapshot {
            name: name.to_owned(),
            path: table.path().display().to_string(),
            uid: file.uid,
            owner: user(file.uid),
            gid: file.gid,
            sealed: table.is_sealed(),
            mode: octal(file),
            bytes: file.bytes,
            abi: facts.abi,
            kind: if facts.kind == SegmentKind::Cell { "cell" } else { "table" },
            key: facts.key.as_ref().map(|key| type_name(&key.schema)),
            key_bytes: facts.key.as_ref().map_or(0, |key| key.size),
            value: type_name(&facts.schema),
            value_bytes: facts.payload_size,
            value_align: facts.payload_align,
            fingerprint: format!("{:016x}", facts.fingerprint),
            rows,
            capacity: facts.capacity,
            copies: facts.copies,
            nonce: format!("{:016x}", facts.nonce),
            ring: table.ring().map(|nonce| format!("{nonce:016x}")),
            created: time(facts.created),
            writer: life(table.publisher()),
            writer_pid: table.publisher_pid(),
            wake: table.wake().map(Wake::name),
            wakes: table.wakes(),
            epoch: table.epoch(),
            stores,
            rate: None,
            readers,
            bridge,
        })
    }

    /// Name and size of the value, for a terminal.
    pub(crate) fn value(&self) -> String {
        format!("{} ({} B)", printable(&self.value), self.value_bytes)
    }

    /// Name and size of the key, for a terminal. A dash for a cell.
    pub(crate) fn key(&self) -> String {
        self.key.as_ref().map_or("-".to_owned(), |key| format!("{} ({} B)", printable(key), self.key_bytes))
    }
}
