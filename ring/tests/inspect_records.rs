//! Inspecting rings of records: what they are, and reading them by their numbers, whole or damaged.

mod recorded;

use std::fs;

use feed_ring::inspect::{Inspected, Life, Ring, SchemaError, Unread};
use feed_ring::raw::MessageFormat;
use feed_ring::records::RecordsFormat;
use feed_ring::{Publisher, RecordPublisher, SegmentKind};
use feed_testing::PrivateRoot;

use self::recorded::{CAPACITY, LENGTHS, bytes_of, closed, end, findings, open, places, publish, put, slot};

#[test]
fn a_ring_of_records_is_described() {
    let root = PrivateRoot::new();
    closed(&root);
    let ring = Ring::open(&root, "r").unwrap();
    assert!(matches!(Inspected::open(&root, "r").unwrap(), Inspected::Ring(_)));
    let facts = ring.facts();
    assert_eq!((facts.kind, facts.abi, facts.capacity, facts.slot_size), (SegmentKind::Records, 2, CAPACITY, 64));
    assert_eq!((facts.payload_size, ring.is_records()), (48 + 7 * 56, true));
    assert_eq!(ring.records_format(), Some(Ok(RecordsFormat::encoded("test"))));
    assert_eq!(ring.message_type(), Err(SchemaError::Records));
    assert_eq!((ring.publisher(), ring.epochs()), (Life::Closed, vec![(1, 0)]));
    assert_eq!(ring.published(), LENGTHS.len() as u64);
    let oldest = places().iter().find(|place| place.1 > end() - CAPACITY).unwrap().0;
    assert_eq!(ring.held(), oldest..LENGTHS.len() as u64);

    let _messages = Publisher::<u64>::options("m").root(&root).capacity(4).create().unwrap();
    let messages = Ring::open(&root, "m").unwrap();
    assert_eq!((messages.is_records(), messages.records_format()), (false, None));
}

#[test]
fn records_are_read_by_their_numbers_in_any_order() {
    let root = PrivateRoot::new();
    closed(&root);
    let ring = Ring::open(&root, "r").unwrap();
    let held = ring.held();
    let orders = [held.clone().collect::<Vec<_>>(), held.clone().rev().collect(), {
        let mut numbers: Vec<_> = held.clone().collect();
        numbers.sort_by_key(|number| number * 7 % 11);
        numbers
    }];
    let mut bytes = vec![9; 1000];
    for number in orders.into_iter().flatten() {
        let length = LENGTHS[number as usize];
        assert_eq!(ring.read_record(number, &mut bytes), Ok(length as u8), "record {number}");
        assert_eq!(bytes, bytes_of(number, length), "record {number}");
    }
    for number in [0, 1, held.start - 1] {
        assert_eq!(ring.read(number, &mut bytes), Err(Unread::Overwritten), "record {number}");
    }
    for number in [held.end, held.end + 1, 1 << 62, (1 << 62) - 1, u64::MAX] {
        assert_eq!(ring.read(number, &mut bytes), Err(Unread::NotYet), "record {number}");
    }
    ring.read(held.end - 1, &mut bytes).unwrap();
}

#[test]
fn an_empty_ring_and_the_records_that_follow() {
    let root = PrivateRoot::new();
    let mut publisher = open(&root, 8);
    let ring = Ring::open(&root, "r").unwrap();
    let mut bytes = Vec::new();
    assert_eq!((ring.held(), ring.published(), ring.read(0, &mut bytes)), (0..0, 0, Err(Unread::NotYet)));
    for number in 0..200 {
        assert_eq!(ring.read(number, &mut bytes), Err(Unread::NotYet));
        publish(&mut publisher, [number as usize * 13 % 105]);
        ring.read(number, &mut bytes).unwrap();
        assert_eq!(bytes, bytes_of(number, number as usize * 13 % 105));
        assert!(ring.verify().is_fine(), "{:?}", ring.verify());
    }
    // The place behind record 199 is remembered, and overwritten.
    publish(&mut publisher, [48; 20]);
    assert_eq!(ring.read(200, &mut bytes), Err(Unread::Overwritten));
    assert_eq!(ring.held(), 213..220);
    // Another ring goes on with the number.
    drop(publisher);
    let mut publisher = open(&root, 16);
    let ring = Ring::open(&root, "r").unwrap();
    assert_eq!((ring.held(), ring.read(219, &mut bytes)), (220..220, Err(Unread::Overwritten)));
    publish(&mut publisher, [3]);
    assert_eq!((ring.read_record(220, &mut bytes), bytes.len()), (Ok(3), 3));
}

#[test]
fn sealed_records_and_kinds_of_structs() {
    let root = PrivateRoot::new();
    let path = root.as_ref().join("r.sock");
    let format = RecordsFormat::structs([(7, MessageFormat::of::<[u32; 2]>())]);
    let options = RecordPublisher::options("r", format.clone()).capacity(64).serve(&path);
    let mut publisher = options.create_records().unwrap();
    publisher.publish(7, &[1, 0, 0, 0, 2, 0, 0, 0]).unwrap();
    let ring = Ring::connect(&path).unwrap();
    let mut bytes = Vec::new();
    assert_eq!(ring.read_record(0, &mut bytes), Ok(7));
    assert_eq!(ring.records_format(), Some(Ok(format)));
    assert!(ring.verify().is_fine(), "{:?}", ring.verify());
}

#[test]
fn what_is_damaged_is_passed_over_and_what_follows_is_read() {
    let places = places();
    let held = places.iter().find(|place| place.1 > end() - CAPACITY).unwrap().0..LENGTHS.len() as u64;
    for damaged in held.clone() {
        let (_, position, _) = places[damaged as usize];
        for (word, value) in [(slot(position), 4 * position), (slot(position) + 1, damaged | 441 << 32)] {
            let root = PrivateRoot::new();
            put(&closed(&root), word, value);
            let ring = Ring::open(&root, "r").unwrap();
            let mut bytes = Vec::new();
            for _ in 0..2 {
                for number in held.clone() {
                    let (read, is_newest) = (ring.read(number, &mut bytes), damaged == held.end - 1);
                    match read {
                        Ok(()) => assert_eq!(bytes, bytes_of(number, LENGTHS[number as usize])),
                        Err(Unread::Corrupt { .. }) if number == damaged || is_newest => {}
                        // Nothing says that it is not what was overwritten.
                        Err(Unread::Overwritten) if number == damaged && number == held.start => {}
                        Err(why) => panic!("{number} with {damaged} damaged: {why:?}"),
                    }
                }
            }
        }
    }
}

#[test]
fn inspecting_garbage_does_not_panic() {
    let heads = (0..CAPACITY).flat_map(|index| [slot(index), slot(index) + 1]);
    for word in (0..90).chain(heads) {
        for value in [0, 1, 2, 3, 1 << 31, 1 << 61, (1 << 61) - 1, (1 << 62) - 1, 1 << 63, u64::MAX - 1, u64::MAX] {
            let root = PrivateRoot::new();
            put(&closed(&root), word, value);
            match Ring::open(&root, "r") {
                Err(error) => assert!(!error.to_string().is_empty()),
                Ok(ring) => {
                    ring.verify();
                    let mut bytes = Vec::new();
                    let held = ring.held();
                    assert!(held.end - held.start < CAPACITY, "{word} {value}: {held:?}");
                    for number in held.chain([0, 1, u64::MAX]) {
                        let _ = ring.read(number, &mut bytes);
                    }
                }
            }
        }
    }
}

#[test]
fn a_segment_that_is_cut_short_is_noticed() {
    let root = PrivateRoot::new();
    feed_ring::guard::install().unwrap();
    let file = fs::OpenOptions::new().write(true).open(closed(&root)).unwrap();
    let ring = Ring::open(&root, "r").unwrap();
    let mut bytes = Vec::new();
    ring.read(22, &mut bytes).unwrap();
    file.set_len(4096).unwrap();
    for number in [23, 22, 20, 0] {
        assert_eq!(ring.read(number, &mut bytes), Err(Unread::CutShort), "{number}");
    }
    let found = ring.verify().findings;
    assert_eq!((found.len(), &*found[0].found), (1, "a file that was cut short meanwhile"));
}

#[test]
fn a_segment_with_holes_is_not_filled() {
    let root = PrivateRoot::new();
    let file = fs::OpenOptions::new().write(true).open(closed(&root)).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(4096).unwrap();
    file.set_len(length).unwrap();
    let ring = Ring::open(&root, "r").unwrap();
    assert_eq!(ring.read(20, &mut Vec::new()), Err(Unread::Holes));
    assert!(findings(&root).join("\n").contains("the rest holes"));
}
