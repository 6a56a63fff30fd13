//! Hostile tables and cells: opening and reading any bytes whatever ends in a value or an error, as hostile.rs has it for rings.
//! Each is a valid table or cell with some words changed, cut short or made longer; one is rewritten while it is read. A test
//! fails on a panic (overflow checks are on), a crash, or a call that does not return.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use feed_ring::keyed::SnapshotError;
use feed_ring::table::ReadError;
use feed_ring::{CellReader, CellWriter, KeyedPublisher, KeyedSubscriber, TableReader, TableWriter, WaitStrategy};
use feed_testing::PrivateRoot;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

mod damages;
mod row_readers;

use damages::number;
use row_readers::{Book, Key, ROWS, Value, inspect, read_cell, read_raw_cell, read_raw_table, read_table};

const CASES: u32 = 20_000;

/// The words of the header that have a meaning, by name.
const FIELDS: [(&str, u64); 29] = [
    ("magic", 0),
    ("abi", 1),
    ("state", 16),
    ("epoch", 17),
    ("begin 1", 19),
    ("begin 2", 20),
    ("event", 32),
    ("slots at", 48),
    ("slot size", 49),
    ("capacity", 50),
    ("payload size", 51),
    ("payload align", 52),
    ("fingerprint", 53),
    ("schema bytes", 54),
    ("nonce", 55),
    ("base", 56),
    ("created", 57),
    ("kind", 58),
    ("copies", 59),
    ("key size", 60),
    ("key align", 61),
    ("key schema bytes", 62),
    ("ring", 63),
    ("count", 64),
    ("keys", 65),
    ("ring epoch", 66),
    ("after the ring epoch", 67),
    ("schema", 80),
    ("schema, later", 81),
];

/// Where the keys, then the log, then the rows begin: on the page behind the header.
const BEHIND: u64 = 4096 / 8;

#[derive(Clone, Debug)]
enum Damage {
    Field(usize, u64),
    /// A word of the keys, the log, or the rows; it may lie beyond the end.
    Behind(u64, u64),
    /// An entry of the log for a store near 20, for any row.
    Log(u64, u64),
    Length(u64),
    /// All bytes from a word on.
    Random(u64, u64),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        8 => (0..FIELDS.len(), number()).prop_map(|(field, value)| Damage::Field(field, value)),
        6 => (0..160u64, number()).prop_map(|(word, value)| Damage::Behind(word, value)),
        2 => (0..64u64, number()).prop_map(|(number, row)| Damage::Log(number, row)),
        1 => (0..10_000u64).prop_map(Damage::Length),
        1 => (0..BEHIND + 200, any::<u64>()).prop_map(|(from, seed)| Damage::Random(from, seed)),
    ]
}

fn damaged(valid: &[u8], damages: &[Damage]) -> Vec<u8> {
    let mut bytes = valid.to_vec();
    for damage in damages {
        let (word, value) = match *damage {
            Damage::Field(field, value) => (FIELDS[field].1, value),
            Damage::Behind(word, value) => (BEHIND + word, value),
            // The log of so small a table begins one line behind the keys.
            Damage::Log(number, row) => (BEHIND + 16 + number, number << 32 | row & 0xffff_ffff),
            Damage::Length(length) => {
                bytes.resize(length as usize, 0);
                continue;
            }
            Damage::Random(from, mut seed) => {
                for byte in bytes.iter_mut().skip(from as usize * 8) {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    *byte = (seed >> 56) as u8;
                }
                continue;
            }
        };
        let at = word as usize * 8;
        if let Some(bytes) = bytes.get_mut(at..at + 8) {
            bytes.copy_from_slice(&value.to_ne_bytes());
        }
    }
    bytes
}

/// Makes a table, the rows of which were lapped, and a cell. Both are left. Returns their segments.
fn valid(root: &PrivateRoot) -> [(PathBuf, Vec<u8>); 2] {
    let mut table = TableWriter::<Key, Value>::options("t").root(root).capacity(ROWS).create_table().unwrap();
    let rows = [7, 8, 9].map(|key| table.row(&key).unwrap());
    for number in 0..20 {
        table.store(rows[number as usize % 3], &[number; 3]);
    }
    let mut cell = CellWriter::<Book>::options("c").root(root).copies(3).create_cell().unwrap();
    for number in 0..20 {
        cell.store(&[number; 20]);
    }
    let paths = [table.path().unwrap().join("segment"), cell.path().unwrap().join("segment")];
    table.leave();
    cell.leave();
    paths.map(|path| (path.clone(), fs::read(path).unwrap()))
}

fn write(path: &Path, bytes: &[u8]) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
    file.write_all_at(bytes, 0).unwrap();
}

fn run<S: Strategy>(cases: u32, strategy: S, test: impl Fn(S::Value)) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let result = runner.run(&strategy, |case| {
        test(case);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn damaged_tables_and_cells_end_in_a_value_or_an_error() {
    let root = PrivateRoot::new();
    let valid = valid(&root);
    let counts = std::cell::RefCell::new(BTreeMap::<&str, u32>::new());
    let opened = std::cell::Cell::new([0u32; 2]);
    run(CASES, (prop::collection::vec(damage(), 1..4), any::<bool>()), |(damages, of_table)| {
        for damage in &damages {
            if let Damage::Field(field, _) = damage {
                *counts.borrow_mut().entry(FIELDS[*field].0).or_default() += 1;
            }
        }
        let kind = usize::from(!of_table);
        write(&valid[kind].0, &damaged(&valid[kind].1, &damages));
        let read = [read_table, read_cell][kind](root.path(), WaitStrategy::Block);
        // A third of the cases for each: a row of which no copy is whole costs every reader milliseconds.
        match damages.len() {
            1 => inspect(root.path(), ["t", "c"][kind]),
            2 => {
                let raw = [read_raw_table, read_raw_cell][kind](root.path(), WaitStrategy::Block);
                assert!(raw || !read, "refused as bytes, and not by its types: {damages:?}");
            }
            _ => {}
        }
        let mut both = opened.get();
        both[kind] += u32::from(read);
        opened.set(both);
    });
    for (name, _) in FIELDS {
        let count = counts.borrow().get(name).copied().unwrap_or(0);
        assert!(count >= 100, "{name} was damaged only {count} times");
    }
    assert!(opened.get().into_iter().min() > Some(CASES / 40), "{:?}: reading was hardly tried", opened.get());
    println!("{CASES} damaged tables and cells, of which {:?} were opened", opened.get());
}

#[test]
fn a_writer_takes_over_a_damaged_table_or_cell_or_refuses() {
    let root = PrivateRoot::new();
    let [table, cell] = valid(&root);
    let rooms = std::cell::Cell::new(0);
    run(1_000, prop::collection::vec(damage(), 1..4), |damages| {
        for (path, valid) in [&table, &cell] {
            fs::write(path, damaged(valid, &damages)).unwrap();
        }
        match TableWriter::<Key, Value>::options("t").root(&root).capacity(ROWS).create_table() {
            Err(error) => assert_eq!(error.to_string().lines().count(), 1, "{error}"),
            Ok(mut writer) => {
                let mut reader = TableReader::<Key, Value>::options("t").root(&root).open_table().unwrap();
                // Forged keys may have left no room.
                if let Ok(row) = writer.row(&70) {
                    let number = writer.stores();
                    assert_eq!(writer.store(row, &[number; 3]), number);
                    assert_eq!(reader.row(&70), Some(row));
                    let stored = reader.get(row).unwrap().unwrap();
                    assert_eq!((stored.number, stored.value), (number, [number; 3]));
                    rooms.set(rooms.get() + 1);
                }
                writer.leave();
            }
        }
        match CellWriter::<Book>::options("c").root(&root).copies(3).create_cell() {
            Err(error) => assert_eq!(error.to_string().lines().count(), 1, "{error}"),
            Ok(mut writer) => {
                let number = writer.store(&[7; 20]);
                let mut reader = CellReader::<Book>::options("c").root(&root).open_cell().unwrap();
                assert_eq!(reader.get().unwrap().map(|stored| (stored.number, stored.value)), Some((number, [7; 20])));
                writer.leave();
            }
        }
    });
    assert!(rooms.get() > 100, "{}: a takeover was hardly tried", rooms.get());
}

#[test]
fn a_damaged_table_of_a_ring_is_copied_and_taken_over_or_refused() {
    type Feed = KeyedPublisher<Key, Value>;
    let root = PrivateRoot::new();
    let publisher = || Feed::options("k").root(&root).capacity(8).rows(ROWS).create_keyed();
    let mut feed = publisher().unwrap();
    for number in 0..20u64 {
        let row = feed.row(&(7 + number as u32 % 3)).unwrap();
        feed.publish(row, &[7 + number % 3, number, 0]);
    }
    let path = feed.table().path().unwrap().join("segment");
    feed.leave();
    let valid = fs::read(&path).unwrap();
    let taken = std::cell::Cell::new(0);
    run(500, prop::collection::vec(damage(), 1..4), |damages| {
        // Not one that belongs to another ring: a joiner looks for a while whether it comes to belong to this one.
        let told = damages.iter().all(|damage| match damage {
            Damage::Field(field, _) => !["ring", "ring epoch"].contains(&FIELDS[*field].0),
            Damage::Random(..) => false,
            _ => true,
        });
        let now = fs::read(&path).unwrap();
        let mut bytes = damaged(if now.len() == valid.len() { &now } else { &valid }, &damages);
        if told && let (Some(to), Some(from)) = (bytes.get_mut(66 * 8..67 * 8), now.get(66 * 8..67 * 8)) {
            to.copy_from_slice(from);
        }
        fs::write(&path, bytes).unwrap();
        let join = || KeyedSubscriber::<Key, Value>::options("k").root(&root).open_keyed(|v| Some(v[0] as u32));
        if told && let Ok(mut late) = join() {
            let _ = late.snapshot();
            let _ = late.try_recv();
        }
        match publisher() {
            Err(error) => assert_eq!(error.to_string().lines().count(), 1, "{error}"),
            Ok(mut feed) => {
                let mut late = join().unwrap();
                let number = feed.ring().published();
                // A row of which every copy is marked has no whole value, and is no empty one either.
                let snapshot = match late.snapshot() {
                    Err(SnapshotError::Read(ReadError::Overtaken { .. })) => None,
                    snapshot => Some(snapshot.unwrap()),
                };
                if let (Some(snapshot), Ok(row)) = (snapshot, feed.row(&7)) {
                    assert_eq!(feed.publish(row, &[7, number, 0]), number);
                    // A row that claims a number that was never given away hides its key's messages.
                    if snapshot.complete_at <= number {
                        assert_eq!(late.try_recv().unwrap().number, number);
                        taken.set(taken.get() + 1);
                    }
                }
                feed.leave();
            }
        }
        let ring = root.path().join("k.ring/segment");
        assert!(ring.exists(), "an error with the table removed the ring");
    });
    assert!(taken.get() > 50, "{}: a takeover was hardly tried", taken.get());
}

#[test]
fn a_table_or_cell_rewritten_while_it_is_read_ends_in_a_value_or_an_error() {
    let root = PrivateRoot::new();
    let valid = valid(&root);
    let files = [0, 1].map(|kind: usize| OpenOptions::new().write(true).open(&valid[kind].0).unwrap());
    let stop = AtomicBool::new(false);
    let mut opened = [0u32; 4];
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let mut random = 0x9e37_79b9_7f4a_7c15u64;
            while !stop.load(Ordering::Relaxed) {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let value = [0, random, random >> 56, u64::MAX, 1, 42][(random >> 13) as usize % 6];
                let word = match random % 8 {
                    0 => FIELDS[(random >> 33) as usize % FIELDS.len()].1,
                    1 => [16, 64, 65, 66][(random >> 33) as usize % 4],
                    // Keys, log, rows.
                    _ => BEHIND + (random >> 33) % 140,
                };
                for (file, (_, valid)) in files.iter().zip(&valid) {
                    if (word + 1) * 8 <= valid.len() as u64 {
                        rewrite(file, &value.to_ne_bytes(), word * 8);
                    }
                    if random.is_multiple_of(64) {
                        rewrite(file, valid, 0);
                    }
                }
            }
        });
        // At least this often, and until enough could be opened: how often that takes depends on the machine's other work.
        let mut rounds = 0;
        while rounds < 2_000 || opened.into_iter().min() < Some(200) && rounds < 200_000 {
            let wait = [WaitStrategy::Spin, WaitStrategy::Block][rounds % 2];
            for (opened, read) in opened.iter_mut().zip([read_table, read_cell, read_raw_table, read_raw_cell]) {
                *opened += u32::from(read(root.path(), wait));
            }
            rounds += 1;
        }
        stop.store(true, Ordering::Relaxed);
    });
    println!("{opened:?} opened while they were rewritten");
    assert!(opened.into_iter().min() >= Some(200), "{opened:?}");
}

fn rewrite(file: &File, bytes: &[u8], at: u64) {
    let _ = file.write_all_at(bytes, at);
}
