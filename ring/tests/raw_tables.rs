//! Untyped tables and cells are the typed ones: the same values, numbers, rows and refusals, and each takes over the other's.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use feed_ring::raw::{self, MessageFormat};
use feed_ring::table::{Full, Row, Stored, WaitError};
use feed_ring::{
    CellReader, CellWriter, CreateError, KeyedPublisher, OpenError, Payload, Publisher, TableReader, TableWriter, Text,
    WaitStrategy, Wake,
};
use feed_testing::PrivateRoot;
use proptest::prelude::*;
use zerocopy::{FromBytes, Immutable, IntoBytes};

const ROWS: usize = 5;

/// What types of keys and values need here.
trait Bytes: Payload + FromBytes + IntoBytes + Immutable + PartialEq + std::fmt::Debug {}
impl<T: Payload + FromBytes + IntoBytes + Immutable + PartialEq + std::fmt::Debug> Bytes for T {}

/// Value `number` of some type. Its bytes differ from those of its neighbours.
fn value<T: Bytes>(number: u64) -> T {
    let bytes: Vec<u8> = (0..size_of::<T>()).map(|place| (number * 31 + place as u64 * 7 + 1) as u8).collect();
    read(&bytes)
}

fn read<T: Bytes>(bytes: &[u8]) -> T {
    T::read_from_bytes(bytes).unwrap()
}

fn bytes<T>() -> Vec<u8> {
    vec![0; size_of::<T>()]
}

/// A writer of either kind.
enum Either<K, V> {
    Typed(TableWriter<K, V>),
    Raw(raw::TableWriter),
}

fn typed_writer<K: Bytes, V: Bytes>(root: &PrivateRoot) -> TableWriter<K, V> {
    TableWriter::options("t").root(root).capacity(ROWS).create_table().unwrap()
}

fn raw_writer<K: Bytes, V: Bytes>(root: &PrivateRoot) -> raw::TableWriter {
    let options = raw::TableWriter::options("t", MessageFormat::of::<K>(), MessageFormat::of::<V>());
    options.root(root).capacity(ROWS).create_raw_table().unwrap()
}

impl<K: Bytes, V: Bytes> Either<K, V> {
    fn make(root: &PrivateRoot, raw: bool) -> Self {
        if raw { Either::Raw(raw_writer::<K, V>(root)) } else { Either::Typed(typed_writer(root)) }
    }

    fn row(&mut self, key: &K) -> Result<Row, Full> {
        match self {
            Either::Typed(writer) => writer.row(key),
            Either::Raw(writer) => writer.row(key.as_bytes()),
        }
    }

    fn store(&mut self, row: Row, value: &V) -> u64 {
        match self {
            Either::Typed(writer) => writer.store(row, value),
            Either::Raw(writer) => writer.store(row, value.as_bytes()),
        }
    }

    fn get(&self, row: Row) -> Option<Stored<V>> {
        match self {
            Either::Typed(writer) => writer.get(row),
            Either::Raw(writer) => {
                let mut found = bytes::<V>();
                writer.get_into(row, &mut found).map(|number| Stored { value: read(&found), number })
            }
        }
    }

    fn key(&self, row: Row) -> Option<K> {
        match self {
            Either::Typed(writer) => writer.key(row),
            Either::Raw(writer) => {
                let mut key = bytes::<K>();
                writer.key_into(row, &mut key).then(|| read(&key))
            }
        }
    }

    /// Number of keys, the keys' rows, capacity, stores, epoch, readers.
    fn facts(&self) -> (usize, Vec<Row>, usize, u64, u64, usize) {
        let readers = |readers: std::io::Result<usize>| readers.unwrap();
        match self {
            Either::Typed(w) => {
                (w.len(), w.rows().collect(), w.capacity(), w.stores(), w.epoch(), readers(w.readers()))
            }
            Either::Raw(w) => (w.len(), w.rows().collect(), w.capacity(), w.stores(), w.epoch(), readers(w.readers())),
        }
    }

    fn leave(self) {
        match self {
            Either::Typed(writer) => writer.leave(),
            Either::Raw(writer) => writer.leave(),
        }
    }
}

/// One operation on a table.
#[derive(Clone, Copy, Debug)]
enum Step {
    Row(u8),
    /// Into the row of a number, if it has a key: so many values.
    Store(u8, u8),
    Read,
    Changed,
    /// The writer leaves, and one of the other kind takes over.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..8u8).prop_map(Step::Row),
        4 => (0..ROWS as u8, 1..40u8).prop_map(|(row, count)| Step::Store(row, count)),
        2 => Just(Step::Read),
        2 => Just(Step::Changed),
        1 => Just(Step::Restart),
    ]
}

/// Runs the same operations with writers of either kind, and compares what a typed and an untyped reader return.
fn both_agree<K: Bytes, V: Bytes>(steps: &[Step], mut raw: bool) {
    let root = PrivateRoot::new();
    let mut writer = Either::<K, V>::make(&root, raw);
    let mut typed = TableReader::<K, V>::options("t").root(&root).open_table().unwrap();
    let mut untyped = raw::TableReader::options("t").root(&root).open_raw_table().unwrap();
    assert_eq!(untyped.key_format(), &MessageFormat::of::<K>());
    assert_eq!(untyped.value_format(), &MessageFormat::of::<V>());
    let (mut one, mut other) = (Vec::new(), Vec::new());
    let (mut since, mut stores, mut epoch) = (0, 0, 1);
    let mut keys: Vec<K> = Vec::new();
    let mut last: [Option<Stored<V>>; ROWS] = [None; ROWS];
    for (at, step) in steps.iter().enumerate() {
        match *step {
            Step::Row(key) => {
                let key = value::<K>(key.into());
                let expected = keys.iter().position(|known| *known == key).unwrap_or(keys.len());
                if expected == ROWS {
                    assert_eq!(writer.row(&key), Err(Full { capacity: ROWS }));
                } else {
                    assert_eq!(writer.row(&key), Ok(Row::at(expected)), "step {at}");
                    if expected == keys.len() {
                        keys.push(key);
                    }
                }
            }
            Step::Store(row, count) if usize::from(row) < keys.len() => {
                for _ in 0..count {
                    let stored = Stored { value: value::<V>(stores), number: stores };
                    assert_eq!(writer.store(Row::at(row.into()), &stored.value), stores, "step {at}");
                    last[usize::from(row)] = Some(stored);
                    stores += 1;
                }
            }
            Step::Store(..) => {}
            Step::Read => {
                for (index, last) in last.iter().enumerate() {
                    let (row, mut found) = (Row::at(index), bytes::<V>());
                    let number = untyped.get_into(row, &mut found).unwrap();
                    let stored = number.map(|number| Stored { value: read::<V>(&found), number });
                    assert_eq!((&stored, &writer.get(row)), (last, last), "step {at}");
                    assert_eq!(typed.get(row).unwrap(), stored, "step {at}");
                    let mut key = bytes::<K>();
                    let key = untyped.key_into(row, &mut key).then(|| read::<K>(&key));
                    assert_eq!((key, writer.key(row)), (keys.get(index).copied(), keys.get(index).copied()));
                }
                for number in 0..8 {
                    let key = value::<K>(number);
                    assert_eq!(typed.row(&key), untyped.row(key.as_bytes()), "step {at}");
                }
            }
            Step::Changed => {
                let next = untyped.changed_since(since, &mut other);
                assert_eq!(typed.changed_since(since, &mut one), next);
                assert_eq!(one, other, "step {at}");
                since = next;
            }
            Step::Restart => {
                writer.leave();
                raw = !raw;
                epoch += 1;
                writer = Either::make(&root, raw);
            }
        }
        let rows: Vec<Row> = (0..keys.len()).map(Row::at).collect();
        assert_eq!(writer.facts(), (keys.len(), rows.clone(), ROWS, stores, epoch, 2), "step {at}");
        assert_eq!((untyped.rows().collect(), untyped.capacity(), untyped.stores()), (rows, ROWS, stores), "step {at}");
    }
    assert_eq!((untyped.writer_is_alive(), untyped.without_entry(), untyped.most_retries()), (true, None, 0));
}

/// The same for a cell.
fn cells_agree<V: Bytes>(rounds: u64) {
    let root = PrivateRoot::new();
    let mut readers = None;
    for round in 0..rounds {
        let stored = |number| Some(Stored { value: value::<V>(number), number });
        let mut found = bytes::<V>();
        let (first, second) = (2 * round, 2 * round + 1);
        if round % 2 == 0 {
            let options = raw::CellWriter::options("c", MessageFormat::of::<V>()).copies(3);
            let mut writer = options.root(&root).create_raw_cell().unwrap();
            let before = writer.get_into(&mut found).map(|number| Stored { value: read::<V>(&found), number });
            assert_eq!(before, first.checked_sub(1).and_then(stored));
            assert_eq!(writer.store(value::<V>(first).as_bytes()), first);
            assert_eq!(writer.store(value::<V>(second).as_bytes()), second);
            assert_eq!((writer.epoch(), writer.stores()), (round + 1, second + 1));
            writer.leave();
        } else {
            let mut writer = CellWriter::<V>::options("c").copies(3).root(&root).create_cell().unwrap();
            assert_eq!((writer.epoch(), writer.get()), (round + 1, stored(first - 1)));
            assert_eq!((writer.store(&value(first)), writer.store(&value(second))), (first, second));
            writer.leave();
        }
        let (typed, untyped) = readers.get_or_insert_with(|| {
            let typed = CellReader::<V>::options("c").root(&root).open_cell().unwrap();
            (typed, raw::CellReader::options("c").root(&root).open_raw_cell().unwrap())
        });
        assert_eq!(untyped.format(), &MessageFormat::of::<V>());
        assert_eq!(untyped.get_into(&mut found), Ok(Some(second)));
        assert_eq!(typed.get().unwrap(), Some(Stored { value: read(&found), number: second }));
        assert_eq!((typed.get().unwrap(), untyped.stores()), (stored(second), second + 1));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn typed_and_raw_tables_agree(steps in prop::collection::vec(step(), 1..60), raw: bool) {
        both_agree::<u8, u8>(&steps, raw);
        both_agree::<u32, [u64; 7]>(&steps, raw);
        both_agree::<[u8; 13], [u8; 57]>(&steps, raw);
        both_agree::<[u64; 9], [u64; 127]>(&steps, raw);
    }
}

#[test]
fn typed_and_raw_cells_agree() {
    cells_agree::<u8>(4);
    cells_agree::<[u8; 57]>(4);
    cells_agree::<[u64; 300]>(4);
}

#[test]
fn a_sealed_table_and_a_sealed_cell_are_read_as_bytes() {
    let root = PrivateRoot::new();
    let sockets = ["t.sock", "c.sock"].map(|name| root.path().join(name));
    let (key, format) = (MessageFormat::of::<u32>(), MessageFormat::of::<u64>());
    let options = raw::TableWriter::options("t", key, format.clone()).copies(4).capacity(9);
    let mut table = options.serve(&sockets[0]).wake(Wake::Fence).create_raw_table().unwrap();
    let mut cell = raw::CellWriter::options("c", format).serve(&sockets[1]).create_raw_cell().unwrap();
    let mut rows = raw::TableReader::connect(&sockets[0]).open_raw_table().unwrap();
    let mut value = raw::CellReader::connect(&sockets[1]).open_raw_cell().unwrap();
    let row = table.row(&7u32.to_ne_bytes()).unwrap();
    assert_eq!((table.store(row, &[1; 8]), cell.store(&[2; 8])), (0, 0));
    let mut found = [[0; 8]; 2];
    assert_eq!(rows.get_into(row, &mut found[0]), Ok(Some(0)));
    assert_eq!(value.get_into(&mut found[1]), Ok(Some(0)));
    assert_eq!(found, [[1; 8], [2; 8]]);
    assert_eq!((table.wake(), table.capacity(), table.path().unwrap()), (Wake::Fence, 9, &*sockets[0]));
    assert_eq!((cell.wake(), cell.readers().unwrap(), cell.path().unwrap()), (Wake::Thread, 1, &*sockets[1]));
    assert!(!table.is_cut_off() && !cell.is_cut_off() && !table.is_empty());
    table.close().unwrap();
    cell.close().unwrap();
    assert_eq!(rows.wait(1, Duration::MAX), Err(WaitError::Closed));
    assert_eq!(value.wait(1, Duration::MAX), Err(WaitError::Closed));
    assert!(!rows.writer_is_alive() && !value.writer_is_alive());
}

#[test]
fn a_wait_ends_with_a_store_an_interruption_or_the_writer() {
    for wait in [WaitStrategy::Spin, WaitStrategy::Yield, WaitStrategy::Block] {
        let root = PrivateRoot::new();
        let mut writer = raw_writer::<u32, u64>(&root);
        let mut cell = raw::CellWriter::options("c", MessageFormat::of::<u64>()).root(&root).create_raw_cell().unwrap();
        let mut table = raw::TableReader::options("t").root(&root).wait(wait).open_raw_table().unwrap();
        let mut value = raw::CellReader::options("c").root(&root).wait(wait).open_raw_cell().unwrap();
        table.interrupter().interrupt();
        value.interrupter().interrupt();
        assert_eq!((table.wait(0, Duration::MAX), value.wait(0, Duration::MAX)), (Ok(false), Ok(false)));
        let waiting = std::thread::spawn(move || {
            let stores = (table.wait(0, Duration::MAX), value.wait(0, Duration::MAX));
            (stores, table.wait(1, Duration::MAX), value.wait(1, Duration::MAX))
        });
        let row = writer.row(&[0; 4]).unwrap();
        writer.store(row, &[1; 8]);
        cell.store(&[1; 8]);
        cell.close().unwrap();
        writer.leave();
        let ends = ((Ok(true), Ok(true)), Err(WaitError::WriterDead), Err(WaitError::Closed));
        assert_eq!(waiting.join().unwrap(), ends);
    }
}

/// Each word of a value is the number of its store, so a mixture shows; and a number never goes back.
#[test]
fn a_row_of_bytes_at_full_speed_is_never_torn_and_never_goes_back() {
    const BYTES: usize = 2400;
    let root = PrivateRoot::new();
    let formats = [MessageFormat::of::<u32>(), MessageFormat::of::<[u64; BYTES / 8]>()];
    let [key, format] = formats;
    let mut writer = raw::TableWriter::options("t", key, format).root(&root).copies(4).create_raw_table().unwrap();
    let row = writer.row(&[0; 4]).unwrap();
    let mut reader = raw::TableReader::options("t").root(&root).open_raw_table().unwrap();
    let ended = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for number in 0..200_000u64 {
                writer.store(row, &number.to_ne_bytes().repeat(BYTES / 8));
            }
            ended.store(true, Ordering::Relaxed);
        });
        let (mut last, mut value) = (None, vec![0; BYTES]);
        while !ended.load(Ordering::Relaxed) {
            let Some(number) = reader.get_into(row, &mut value).unwrap() else { continue };
            assert!(value.chunks(8).all(|word| word == number.to_ne_bytes()), "torn");
            assert!(Some(number) >= last, "{number} after {last:?}");
            last = Some(number);
        }
    });
}

#[test]
fn the_table_of_a_live_ring_is_read_as_bytes() {
    let root = PrivateRoot::new();
    let mut feed = KeyedPublisher::<Text<8>, [u64; 2]>::options("q").root(&root).rows(10).create_keyed().unwrap();
    let mut table = raw::TableReader::options("q.table").root(&root).open_raw_table().unwrap();
    let mut changed = Vec::new();
    let mut since = table.changed_since(0, &mut changed);
    for (number, symbol) in ["ESH4", "NQH4", "ESH4"].into_iter().enumerate() {
        let row = feed.row(&Text::new(symbol).unwrap()).unwrap();
        assert_eq!(feed.publish(row, &[number as u64, 7]), number as u64);
        since = table.changed_since(since, &mut changed);
        let (mut key, mut value) = ([0; 8], [0; 16]);
        assert_eq!(changed, [row]);
        assert!(table.key_into(row, &mut key));
        assert_eq!(str::from_utf8(&key).unwrap().trim_end_matches('\0'), symbol);
        assert_eq!(table.row(&key), Some(row));
        assert_eq!(table.get_into(row, &mut value), Ok(Some(number as u64)));
        assert_eq!(read::<[u64; 2]>(&value), [number as u64, 7]);
    }
    assert_eq!((table.key_format().size(), table.value_format().schema()), (8, "array 16 8\nvalue [u64;2] 0\n"));
}

fn refused<T>(result: Result<T, OpenError>) -> String {
    let error = result.err().unwrap().to_string();
    error.rsplit_once("segment: ").map(|(_, text)| text.to_owned()).unwrap()
}

#[test]
fn segments_of_another_kind_are_refused_as_by_typed_readers() {
    let root = PrivateRoot::new();
    let _ring = Publisher::<u64>::options("r").root(&root).capacity(4).create().unwrap();
    let _cell = CellWriter::<u64>::options("c").root(&root).create_cell().unwrap();
    let _table = typed_writer::<u32, u64>(&root);
    for name in ["r", "c"] {
        let typed = refused(TableReader::<u32, u64>::options(name).root(&root).open_table());
        assert_eq!(refused(raw::TableReader::options(name).root(&root).open_raw_table()), typed);
        assert!(typed.contains("this program expects a table"), "{typed}");
    }
    for name in ["r", "t"] {
        let typed = refused(CellReader::<u64>::options(name).root(&root).open_cell());
        assert_eq!(refused(raw::CellReader::options(name).root(&root).open_raw_cell()), typed);
        assert!(typed.contains("this program expects a cell"), "{typed}");
    }
    assert!(refused(raw::Subscriber::options("t").root(&root).open_raw()).contains("expects a ring of messages"));
    let missing = raw::TableReader::options("none").root(&root).open_raw_table();
    assert!(matches!(missing, Err(OpenError::NotFound { .. })), "{missing:?}");
    let second = raw::TableWriter::options("t", MessageFormat::of::<u32>(), MessageFormat::of::<u64>());
    let second = second.root(&root).create_raw_table();
    assert!(matches!(second, Err(CreateError::AlreadyPublished { .. })), "{second:?}");
}

#[test]
fn formats_that_no_table_can_have_are_refused() {
    let root = PrivateRoot::new();
    let format = |schema: &str| MessageFormat::parse(schema).unwrap();
    let table = |key: &str, value: &str| {
        let made = raw::TableWriter::options("t", format(key), format(value)).root(&root).create_raw_table();
        match made {
            Err(CreateError::Message { name, what, found, .. }) => (name, what, found),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(table("None 0 1\n", "Value 8 8\n"), ("None".to_owned(), "data", 0));
    assert_eq!(table("Key 8 8\n", "None 0 1\n"), ("None".to_owned(), "data", 0));
    assert_eq!(table("Long 4097 1\n", "Value 8 8\n"), ("Long".to_owned(), "a key", 4097));
    let cell = raw::CellWriter::options("c", format("None 0 1\n")).root(&root).create_raw_cell();
    assert!(matches!(cell, Err(CreateError::Message { what: "data", .. })), "{cell:?}");
    let copies = raw::CellWriter::options("c", format("Value 8 8\n")).copies(65).root(&root).create_raw_cell();
    assert!(matches!(copies, Err(CreateError::Copies { found: 65 })), "{copies:?}");
    let rows = raw::TableWriter::options("t", format("Key 8 8\n"), format("Value 8 8\n")).capacity(0).root(&root);
    assert!(matches!(rows.create_raw_table(), Err(CreateError::Rows { found: 0, .. })));
    assert!(root.names().is_empty(), "nothing is left");
}

#[test]
fn bytes_of_another_length_and_rows_that_are_not_there_panic_and_store_nothing() {
    let root = PrivateRoot::new();
    let mut table = raw_writer::<u32, [u64; 2]>(&root);
    let mut cell = raw::CellWriter::options("c", MessageFormat::of::<u64>()).root(&root).create_raw_cell().unwrap();
    let mut rows = raw::TableReader::options("t").root(&root).open_raw_table().unwrap();
    let mut value = raw::CellReader::options("c").root(&root).open_raw_cell().unwrap();
    let row = table.row(&[0; 4]).unwrap();
    let panics = |call: &mut dyn FnMut()| {
        let panic = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
        panic.downcast::<String>().map(|text| *text).unwrap()
    };
    for (wrong, mut bytes) in [3, 5, 0].map(|length| (length, vec![0; length])) {
        assert_eq!(panics(&mut || _ = table.row(&bytes)), format!("a key of {wrong} bytes, 4 expected"));
        let store = panics(&mut || _ = table.store(row, &bytes));
        assert_eq!(store, format!("a value of {wrong} bytes, 16 expected"));
        let get = panics(&mut || _ = table.get_into(row, &mut bytes));
        assert_eq!(get, format!("room for a value of {wrong} bytes, 16 expected"));
        let key = panics(&mut || _ = table.key_into(row, &mut bytes));
        assert_eq!(key, format!("room for a key of {wrong} bytes, 4 expected"));
        assert_eq!(panics(&mut || _ = rows.row(&bytes)), format!("a key of {wrong} bytes, 4 expected"));
        assert_eq!(panics(&mut || _ = rows.get_into(row, &mut bytes)), get);
        assert_eq!(panics(&mut || _ = rows.key_into(row, &mut bytes)), key);
        assert_eq!(panics(&mut || _ = cell.store(&bytes)), format!("a value of {wrong} bytes, 8 expected"));
        panics(&mut || _ = cell.get_into(&mut bytes));
        panics(&mut || _ = value.get_into(&mut bytes));
    }
    // The table has this row, and no key for it yet.
    assert_eq!(panics(&mut || _ = table.store(Row::at(1), &[0; 16])), "row 1 of a table with 1 keys");
    assert_eq!(rows.get_into(Row::at(1), &mut [0; 16]), Ok(None));
    for beyond in [ROWS, 1 << 24, u32::MAX as usize, usize::MAX].map(Row::at) {
        panics(&mut || _ = table.store(beyond, &[0; 16]));
        panics(&mut || _ = table.get_into(beyond, &mut [0; 16]));
        panics(&mut || _ = rows.get_into(beyond, &mut [0; 16]));
        assert!(!table.key_into(beyond, &mut [0; 4]) && !rows.key_into(beyond, &mut [0; 4]));
    }
    assert_eq!((table.stores(), cell.stores(), rows.stores(), table.len()), (0, 0, 0, 1), "nothing was done");
}

/// Headers that contradict their schemas: the formats could be handed on to other segments. And keys of no bytes.
#[test]
fn a_header_that_contradicts_its_schemas_is_refused() {
    let root = PrivateRoot::new();
    let table = typed_writer::<u32, u64>(&root);
    let cell = CellWriter::<u64>::options("c").root(&root).create_cell().unwrap();
    let paths = [table.path(), cell.path()].map(|path| path.unwrap().join("segment"));
    let open = |which: usize| match which {
        0 => raw::TableReader::options("t").root(&root).open_raw_table().map(|_| ()),
        _ => raw::CellReader::options("c").root(&root).open_raw_cell().map(|_| ()),
    };
    for (which, word, lie, expected) in [
        (0, 52, 3, Some(("the payload's alignment", 8))),
        (0, 60, 3, Some(("the key's size", 4))),
        (0, 60, 0, Some(("the key's size", 1))),
        (0, 60, 4097, Some(("the key's size", 4096))),
        (0, 61, 8, Some(("the key's alignment", 4))),
        (0, 61, u64::MAX, Some(("the key's alignment", 4))),
        (1, 51, 16, Some(("the payload's size", 8))),
        (1, 52, 3, Some(("the payload's alignment", 8))),
        // A cell has no key, and nobody looks at the size of one.
        (1, 60, 7, None),
    ] {
        let valid = fs::read(&paths[which]).unwrap();
        let segment = OpenOptions::new().write(true).open(&paths[which]).unwrap();
        segment.write_all_at(&u64::to_ne_bytes(lie), word * 8).unwrap();
        match (open(which), expected) {
            (Ok(()), None) => {}
            (Err(OpenError::Geometry { what, found, expected, .. }), Some(told)) => {
                assert_eq!((what, expected, found), (told.0, told.1, lie));
            }
            (other, _) => panic!("word {word} of {which}: {other:?}"),
        }
        segment.write_all_at(&valid, 0).unwrap();
        open(which).unwrap();
    }
}
