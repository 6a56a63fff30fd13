//! A ring of records whose every position is known, to read, to damage and to verify.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use feed_ring::RecordPublisher;
use feed_ring::inspect::Ring;
use feed_ring::records::RecordsFormat;
use feed_testing::PrivateRoot;

pub(crate) fn bytes_of(number: u64, length: usize) -> Vec<u8> {
    (0..length).map(|i| (number as usize * 31 + i * 7 + length) as u8).collect()
}

/// Slots of 64 bytes hold 48 bytes of a record, then 56.
pub(crate) fn slots_of(length: usize) -> u64 {
    1 + length.saturating_sub(48).div_ceil(56) as u64
}

pub(crate) fn open(root: &PrivateRoot, capacity: usize) -> RecordPublisher {
    let options = RecordPublisher::options("r", RecordsFormat::encoded("test")).root(root);
    options.capacity(capacity).keep(true).create_records().unwrap()
}

pub(crate) fn publish(publisher: &mut RecordPublisher, lengths: impl IntoIterator<Item = usize>) {
    for length in lengths {
        publisher.publish(length as u8, &bytes_of(publisher.published(), length)).unwrap();
    }
}

/// The lengths of the records of most rings here: the last begin at these positions of a ring of 32 slots.
pub(crate) const LENGTHS: [usize; 24] =
    [48, 100, 150, 200, 0, 60, 160, 210, 48, 48, 48, 100, 1, 300, 400, 5, 60, 160, 48, 104, 105, 7, 48, 90];

/// Number, position and length of each record.
pub(crate) fn places() -> Vec<(u64, u64, usize)> {
    let mut position = 0;
    let place = |(number, &length): (usize, &usize)| {
        let begins = position;
        position += slots_of(length);
        (number as u64, begins, length)
    };
    LENGTHS.iter().enumerate().map(place).collect()
}

/// The position of the next record.
pub(crate) fn end() -> u64 {
    LENGTHS.iter().map(|&length| slots_of(length)).sum()
}

pub(crate) const CAPACITY: u64 = 32;

/// Makes a closed and kept ring of 32 slots called `r`, with these records.
pub(crate) fn closed(root: &PrivateRoot) -> PathBuf {
    let mut publisher = open(root, CAPACITY as usize);
    publish(&mut publisher, LENGTHS);
    publisher.close().unwrap();
    root.path().join("r.ring/segment")
}

pub(crate) fn put(file: &Path, word: u64, value: u64) {
    fs::OpenOptions::new().write(true).open(file).unwrap().write_all_at(&value.to_ne_bytes(), word * 8).unwrap();
}

/// The first word of the slot of a position.
pub(crate) fn slot(position: u64) -> u64 {
    512 + position % CAPACITY * 8
}

pub(crate) fn findings(root: &PrivateRoot) -> Vec<String> {
    let verdict = Ring::open(root, "r").unwrap().verify();
    verdict.findings.iter().map(|f| format!("{}: {}, not {}", f.place, f.found, f.expected)).collect()
}
