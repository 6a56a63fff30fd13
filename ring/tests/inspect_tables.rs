//! Inspecting tables and cells: what is read, and that `verify` finds each damage and nothing else.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use feed_ring::inspect::{Inspected, Life, Ring, Table};
use feed_ring::{CellWriter, KeyedPublisher, OpenError, Publisher, SegmentKind, TableWriter, Text};
use feed_testing::PrivateRoot;

type Key = Text<8>;

/// The word at which the keys of these tables begin: on the page behind the header.
const KEYS: u64 = 4096 / 8;
/// Where the log begins: behind four keys of a word each, on a line of its own.
const LOG: u64 = KEYS + 16;

fn table(root: &PrivateRoot) -> TableWriter<Key, [u64; 3]> {
    TableWriter::options("t").root(root).capacity(4).create_table().unwrap()
}

/// Makes a table with the keys A, B and C of four, and 20 stores into them in turn. Its writer left it.
fn left(root: &PrivateRoot) -> PathBuf {
    let mut writer = table(root);
    let rows = ["A", "B", "C"].map(|key| writer.row(&Key::new(key).unwrap()).unwrap());
    for number in 0..20 {
        writer.store(rows[number as usize % 3], &[number; 3]);
    }
    let path = writer.path().unwrap().join("segment");
    writer.leave();
    path
}

fn put(file: &Path, word: u64, value: u64) {
    fs::OpenOptions::new().write(true).open(file).unwrap().write_all_at(&value.to_ne_bytes(), word * 8).unwrap();
}

/// The first word of a copy, from the end of the file on: the rows are its last part.
fn copy(file: &Path, row: u64, copy: u64) -> u64 {
    let words = fs::metadata(file).unwrap().len() / 8;
    words - (4 - row) * 2 * 8 + copy * 8
}

fn findings(root: &PrivateRoot, name: &str) -> Vec<String> {
    let verdict = Table::open(root, name).unwrap().verify();
    verdict.findings.iter().map(|f| format!("{}: {}, not {}", f.place, f.found, f.expected)).collect()
}

#[test]
fn a_table_is_read_without_its_types() {
    let root = PrivateRoot::new();
    left(&root);
    let table = Table::open(&root, "t").unwrap();
    let facts = table.facts();
    assert_eq!((facts.kind, facts.abi, facts.capacity, facts.copies), (SegmentKind::Table, 2, 4, 2));
    assert_eq!((facts.payload_size, facts.key.as_ref().unwrap().size), (24, 8));
    assert_eq!((table.keys(), table.stores(), table.epoch(), table.publisher()), (3, 20, 1, Life::Dead));
    assert_eq!((table.ring(), table.is_cell()), (None, false));
    let (mut key, mut value) = (Vec::new(), vec![1; 100]);
    for (row, name, number) in [(0, "A", 18), (1, "B", 19), (2, "C", 17)] {
        assert!(table.key(row, &mut key));
        assert_eq!(table.key_type().unwrap().unwrap().fields[0].text(&key), format!("\"{name}\""));
        assert_eq!(table.read(row, &mut value), Ok(Some(number)));
        assert_eq!(table.message_type().unwrap().text(&value), format!("value=[{number}, {number}, {number}]"));
    }
    assert!(!table.key(3, &mut key) && !table.key(u64::MAX, &mut key));
    assert_eq!((table.read(3, &mut value), table.read(4, &mut value)), (Ok(None), Ok(None)));
    assert_eq!(table.read(u64::MAX, &mut value), Ok(None));
}

#[test]
fn a_cell_is_a_table_of_one_row_without_a_key() {
    let root = PrivateRoot::new();
    let mut writer = CellWriter::<u64>::options("c").root(&root).copies(3).create_cell().unwrap();
    let cell = Table::open(&root, "c").unwrap();
    let mut value = Vec::new();
    assert_eq!((cell.is_cell(), cell.keys(), cell.read(0, &mut value)), (true, 1, Ok(None)));
    writer.store(&7);
    assert_eq!((cell.read(0, &mut value), value.as_slice()), (Ok(Some(0)), &7u64.to_ne_bytes()[..]));
    assert!(cell.key_type().is_none() && !cell.key(0, &mut value));
    assert_eq!((cell.publisher(), cell.facts().copies), (Life::Alive, 3));
    assert_eq!(findings(&root, "c"), [""; 0]);
}

#[test]
fn a_sealed_table_and_the_table_of_a_ring() {
    let root = PrivateRoot::new();
    let socket = root.path().join("s");
    let mut writer = TableWriter::<u32, u64>::options("t").serve(&socket).create_table().unwrap();
    let row = writer.row(&5).unwrap();
    writer.store(row, &6);
    let sealed = Table::connect(&socket).unwrap();
    assert_eq!((sealed.is_sealed(), sealed.keys(), sealed.stores()), (true, 1, 1));
    assert!(sealed.verify().is_fine(), "{:?}", sealed.verify());
    let _keyed = KeyedPublisher::<u32, u64>::options("k").root(&root).create_keyed().unwrap();
    let nonce = Ring::open(&root, "k").unwrap().facts().nonce;
    assert_eq!(Table::open(&root, "k.table").unwrap().ring(), Some(nonce));
}

#[test]
fn a_ring_is_no_table_and_a_table_no_ring() {
    let root = PrivateRoot::new();
    left(&root);
    let _ring = Publisher::<u64>::options("r").root(&root).create().unwrap();
    let kind = |error| match error {
        OpenError::Kind { found, expected, .. } => (found, expected),
        error => panic!("{error}"),
    };
    assert_eq!(kind(Ring::open(&root, "t").unwrap_err()), (SegmentKind::Table, SegmentKind::Ring));
    assert_eq!(kind(Table::open(&root, "r").unwrap_err()), (SegmentKind::Ring, SegmentKind::Table));
    assert!(matches!(Inspected::open(&root, "r").unwrap(), Inspected::Ring(_)));
    assert!(matches!(Inspected::open(&root, "t").unwrap(), Inspected::Table(_)));
    assert!(matches!(Table::open(&root, "none").unwrap_err(), OpenError::NotFound { .. }));
}

#[test]
fn verify_finds_what_no_writer_stores() {
    let root = PrivateRoot::new();
    let path = left(&root);
    assert_eq!(findings(&root, "t"), [""; 0]);
    let valid = fs::read(&path).unwrap();
    let cases: [(&[(u64, u64)], &str); 9] = [
        (&[(16, 9)], "header, the state: 9, not 1 (live), 2 (closed) or 3 (superseded)"),
        (&[(17, 0)], "header, the epoch: 0, not at least 1"),
        (&[(65, 9)], "header, the number of keys: 9, not from 0 to 4"),
        (&[(64, 1 << 63)], "header, the count of stores: 9223372036854775808, not from 0 to 2^62"),
        (&[(61, 3)], "header, the key's alignment: 3, not a power of two"),
        (&[(KEYS + 2, 0x41)], "row 2, the key: that of row 0, not another key for each row"),
        (&[(copy(&path, 1, 0), 2 * 99 + 2)], "row 1, copy 0: store 99 (200), not from store 0 to store 20"),
        (&[(copy(&path, 3, 1), 2)], "row 3, copy 1: store 0 (2), not never written: the row has no key"),
        (&[(LOG + 19, 19 << 32 | 3)], "log, store 19: row 3, not a row below 3, or none"),
    ];
    for (damages, expected) in cases {
        fs::write(&path, &valid).unwrap();
        damages.iter().for_each(|&(word, value)| put(&path, word, value));
        assert!(
            findings(&root, "t").iter().any(|finding| finding == expected),
            "{expected}: {:?}",
            findings(&root, "t")
        );
    }
    for (words, expected) in [
        ([2 * 18 + 2, 2 * 18 + 2], "row 0, copy 0: store 18 (38), not another store in each copy"),
        ([2 * 15 + 1, 2 * 18 + 1], "row 0, copy 0: store 15 being written (31), not one whole copy"),
    ] {
        fs::write(&path, &valid).unwrap();
        (0..2).for_each(|index| put(&path, copy(&path, 0, index), words[index as usize]));
        assert_eq!(findings(&root, "t"), [expected]);
    }
    // A writer that was killed in the middle of a store leaves this.
    fs::write(&path, &valid).unwrap();
    put(&path, copy(&path, 0, 0), 2 * 20 + 1);
    assert_eq!(findings(&root, "t"), [""; 0]);
    let verdict = Table::open(&root, "t").unwrap().verify();
    assert_eq!((verdict.slots, verdict.more), (4, 0));
}

#[test]
fn verify_beside_a_writer_at_full_speed_finds_nothing() {
    let root = PrivateRoot::new();
    let mut writer = table(&root);
    let over = AtomicBool::new(false);
    thread::scope(|threads| {
        threads.spawn(|| {
            let row = writer.row(&Key::new("A").unwrap()).unwrap();
            for number in 0.. {
                writer.store(row, &[number; 3]);
                if over.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        let table = Table::open(&root, "t").unwrap();
        let (mut value, mut last) = (Vec::new(), 0);
        let mut rounds = 0;
        // On a busy machine the writer may begin late.
        while rounds < 2_000 || last == 0 {
            rounds += 1;
            let verdict = table.verify();
            assert!(verdict.is_fine(), "{verdict:?}");
            if let Some(number) = table.read(0, &mut value).unwrap() {
                assert_eq!(value, [number; 3].map(u64::to_ne_bytes).concat());
                assert!(number >= last && number < table.stores() + 1, "{number} after {last}");
                last = number;
            }
        }
        over.store(true, Ordering::Relaxed);
    });
}
