//! Inspecting rings of records: reading them by their numbers, and verifying: each damage is found, and nothing else.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use feed_ring::inspect::{Inspected, Life, Ring, SchemaError, Unread};
use feed_ring::raw::MessageFormat;
use feed_ring::records::RecordsFormat;
use feed_ring::{Publisher, RecordPublisher, SegmentKind};
use feed_testing::PrivateRoot;

/// Words of the header.
const COUNT: u64 = 64;
const PLACE: u64 = 65;

fn bytes_of(number: u64, length: usize) -> Vec<u8> {
    (0..length).map(|i| (number as usize * 31 + i * 7 + length) as u8).collect()
}

/// Slots of 64 bytes hold 48 bytes of a record, then 56.
fn slots_of(length: usize) -> u64 {
    1 + length.saturating_sub(48).div_ceil(56) as u64
}

fn open(root: &PrivateRoot, capacity: usize) -> RecordPublisher {
    let options = RecordPublisher::options("r", RecordsFormat::encoded("test")).root(root);
    options.capacity(capacity).keep(true).create_records().unwrap()
}

fn publish(publisher: &mut RecordPublisher, lengths: impl IntoIterator<Item = usize>) {
    for length in lengths {
        publisher.publish(length as u8, &bytes_of(publisher.published(), length)).unwrap();
    }
}

/// The lengths of the records of most rings here: the last begin at these positions of a ring of 32 slots.
const LENGTHS: [usize; 24] =
    [48, 100, 150, 200, 0, 60, 160, 210, 48, 48, 48, 100, 1, 300, 400, 5, 60, 160, 48, 104, 105, 7, 48, 90];

/// Number, position and length of each record.
fn places() -> Vec<(u64, u64, usize)> {
    let mut position = 0;
    let place = |(number, &length): (usize, &usize)| {
        let begins = position;
        position += slots_of(length);
        (number as u64, begins, length)
    };
    LENGTHS.iter().enumerate().map(place).collect()
}

/// The position of the next record.
fn end() -> u64 {
    LENGTHS.iter().map(|&length| slots_of(length)).sum()
}

const CAPACITY: u64 = 32;

/// Makes a closed and kept ring of 32 slots called `r`, with these records.
fn closed(root: &PrivateRoot) -> PathBuf {
    let mut publisher = open(root, CAPACITY as usize);
    publish(&mut publisher, LENGTHS);
    publisher.close().unwrap();
    root.path().join("r.ring/segment")
}

fn put(file: &Path, word: u64, value: u64) {
    fs::OpenOptions::new().write(true).open(file).unwrap().write_all_at(&value.to_ne_bytes(), word * 8).unwrap();
}

fn get(file: &Path, word: u64) -> u64 {
    let mut bytes = [0; 8];
    fs::File::open(file).unwrap().read_exact_at(&mut bytes, word * 8).unwrap();
    u64::from_ne_bytes(bytes)
}

/// The first word of the slot of a position.
fn slot(position: u64) -> u64 {
    512 + position % CAPACITY * 8
}

fn findings(root: &PrivateRoot) -> Vec<String> {
    let verdict = Ring::open(root, "r").unwrap().verify();
    verdict.findings.iter().map(|f| format!("{}: {}, not {}", f.place, f.found, f.expected)).collect()
}

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
fn verify_accepts_every_state_that_a_publisher_leaves() {
    for count in 0..LENGTHS.len() {
        let root = PrivateRoot::new();
        let mut publisher = open(&root, CAPACITY as usize);
        publish(&mut publisher, LENGTHS[..count].iter().copied());
        publisher.leave();
        assert_eq!(findings(&root), [""; 0], "{count}");
        let (segment, before) = (root.path().join("r.ring/segment"), places());
        let (next, place) = (before[count].1, get(&root.path().join("r.ring/segment"), PLACE));
        let old = |position: u64| match position.checked_sub(CAPACITY) {
            None => 0,
            Some(old) if before.iter().any(|place| place.1 == old) => 4 * old + 2,
            Some(old) => 4 * old + 3,
        };
        // As if killed before marking the next slot, or before storing the place or the count.
        put(&segment, slot(next), old(next));
        assert_eq!(findings(&root), [""; 0], "{count}, not marked");
        put(&segment, slot(next), 4 * next + 1);
        if count > 0 {
            put(&segment, COUNT, count as u64 - 1);
            assert_eq!(findings(&root), [""; 0], "{count}, not counted");
            put(&segment, PLACE, before[count - 1].1.min(before[count.saturating_sub(2)].1));
            assert_eq!(findings(&root), [""; 0], "{count}, not named");
            assert_eq!(Ring::open(&root, "r").unwrap().published(), count as u64);
            put(&segment, PLACE, place);
        }
        // As if killed when the further slots of the next record had their words.
        for further in 1..8 {
            put(&segment, slot(next + further), 4 * (next + further) + 3);
            assert_eq!(findings(&root), [""; 0], "{count}, begun with {further}");
        }
    }
}

#[test]
fn a_place_is_further_back_only_for_publishers_of_one_record() {
    let root = PrivateRoot::new();
    let mut publisher = open(&root, CAPACITY as usize);
    let segment = root.path().join("r.ring/segment");
    publish(&mut publisher, [10, 10, 10]);
    let named = get(&segment, PLACE);
    for _ in 0..3 {
        // It is killed before it stores the place of its only record.
        publish(&mut publisher, [10]);
        publisher.leave();
        put(&segment, PLACE, named);
        assert_eq!(findings(&root), [""; 0]);
        publisher = open(&root, CAPACITY as usize);
        assert_eq!(findings(&root), [""; 0]);
    }
    publish(&mut publisher, [10, 10]);
    put(&segment, PLACE, named);
    assert_eq!(findings(&root), ["header, the place of the last record: 2, not 7, where the last record begins"]);
}

#[test]
fn verify_says_what_is_wrong_and_where() {
    let (all, end) = (places(), end());
    let held: Vec<_> = all.iter().copied().filter(|place| place.1 > end - CAPACITY).collect();
    let last = *held.last().unwrap();
    let oldest = held[0];
    // A record in the middle that has further slots.
    let (number, position, length) =
        *held.iter().find(|place| slots_of(place.2) > 2 && place.0 > oldest.0 + 1).unwrap();
    let index = |position: u64| position % CAPACITY;
    let begins = |position: u64| format!("a record that begins at position {position} ({})", 4 * position + 2);
    let goes_on = |position: u64| format!("a record that goes on at position {position} ({})", 4 * position + 3);
    let either = |position: u64| {
        let (one, other) = (4 * position + 2, 4 * position + 3);
        format!("a record that begins or goes on at position {position} ({one} or {other})")
    };
    let head = |number: u64, length: u64, kind: u64| number | length << 32 | kind << 56;
    let (at, of) = (index(position), slot(position));
    type Case = (Vec<(u64, u64)>, Vec<String>);
    let cases: Vec<Case> = vec![
        // The slots' words.
        (vec![(of, 0)], vec![format!("slot {at}: never written, not {}", either(position))]),
        (
            vec![(of, 4 * (position + 1) + 2)],
            vec![format!("slot {at}: {}, not {}", begins(position + 1), either(position))],
        ),
        (
            vec![(of, 4 * (position - CAPACITY) + 2)],
            vec![format!("slot {at}: {}, not {}", begins(position - CAPACITY), either(position))],
        ),
        (
            vec![(of, 4 * (position + CAPACITY) + 2)],
            vec![format!("slot {at}: {}, not {}", begins(position + CAPACITY), either(position))],
        ),
        (
            vec![(of, 4 * position + 1)],
            vec![format!(
                "slot {at}: the next record, at position {position} ({}), not {}",
                4 * position + 1,
                either(position)
            )],
        ),
        (
            vec![(of, 4 * position)],
            vec![format!("slot {at}: {}, which no publisher stores, not {}", 4 * position, either(position))],
        ),
        (vec![(of, u64::MAX)], vec![format!("slot {at}: {}, not {}", goes_on(u64::MAX / 4), either(position))]),
        (vec![(of, 4 * position + 3)], vec![format!("slot {at}: {}, not {}", goes_on(position), begins(position))]),
        (
            vec![(slot(position + 1), 4 * (position + 1) + 2)],
            vec![format!("slot {}: {}, not {}", index(position + 1), begins(position + 1), goes_on(position + 1))],
        ),
        (
            vec![(slot(end), 4 * end + 5)],
            vec![format!(
                "slot {}: the next record, at position {} ({}), not the next record, at position {end} ({})",
                index(end),
                end + 1,
                4 * end + 5,
                4 * end + 1
            )],
        ),
        // The heads.
        (
            vec![(of + 1, head(77, length as u64, 1))],
            vec![format!("slot {at}, the head: record 77, not record {number}")],
        ),
        (
            vec![(of + 1, head(number, 441, 1))],
            vec![format!("slot {at}, the head: a record of 441 bytes, not at most 440 bytes")],
        ),
        (
            vec![(of + 1, head(number, 1, 1))],
            vec![format!("slot {}: {}, not {}", index(position + 1), goes_on(position + 1), begins(position + 1))],
        ),
        // The header.
        (
            vec![(PLACE, all[all.len() - 3].1)],
            vec![format!(
                "header, the place of the last record: {}, not {}, where the last record begins",
                all[all.len() - 3].1,
                last.1
            )],
        ),
        (
            vec![(PLACE, u64::MAX)],
            vec![format!(
                "header, the place of the last record: {}, not {}, where the last record begins",
                u64::MAX,
                last.1
            )],
        ),
        (
            vec![(PLACE, 0)],
            vec![format!("header, the place of the last record: 0, not {}, where the last record begins", last.1)],
        ),
        (
            vec![(PLACE, end)],
            vec![format!("header, the place of the last record: {end}, not {}, where the last record begins", last.1)],
        ),
        (vec![(COUNT, 3)], vec!["header, the published count: 3, not 23 or 24, where the records end".to_owned()]),
        (vec![(COUNT, 25)], vec!["header, the published count: 25, not 23 or 24, where the records end".to_owned()]),
        (
            vec![(COUNT, u64::MAX)],
            vec![format!("header, the published count: {}, not 23 or 24, where the records end", u64::MAX)],
        ),
        (vec![(19, 55)], vec!["header, the beginning of epoch 1: 55, not from 0 to 24".to_owned()]),
        (vec![(16, 77)], vec!["header, the state: 77, not 1 (live), 2 (closed) or 3 (superseded)".to_owned()]),
    ];
    for (damages, expected) in cases {
        let root = PrivateRoot::new();
        let segment = closed(&root);
        for (word, value) in &damages {
            put(&segment, *word, *value);
        }
        assert_eq!(findings(&root), expected, "{damages:?}");
    }
}

/// What of the newest record is damaged is found, though the ring then seems to end elsewhere.
#[test]
fn verify_finds_what_is_wrong_with_the_newest_record() {
    let (number, position, length) = *places().last().unwrap();
    let head = |number: u64, length: u64| number | length << 32;
    let of = slot(position);
    for (word, value) in [
        (of, 0),
        (of, 4 * position + 1),
        (of, 4 * position + 3),
        (of + 1, head(number, 441)),
        (of + 1, head(number, 200)),
        (of + 1, head(number, 1)),
        (of + 1, head(number + 1, length as u64)),
        (slot(position + 1), 0),
        (slot(end()), 0),
        (slot(end()), 4 * end() + 2),
    ] {
        let root = PrivateRoot::new();
        put(&closed(&root), word, value);
        let found = findings(&root);
        assert!(!found.is_empty() && found.len() <= 3, "{word} {value}: {found:?}");
    }
}

#[test]
fn every_word_of_a_held_slot_that_is_changed_is_found() {
    let end = end();
    let (oldest, places) = (end + 1 - CAPACITY, places());
    let first = places.iter().find(|place| place.1 >= oldest).unwrap();
    for position in first.1..=end {
        for change in [1 << 0, 1 << 1, 1 << 2, 1 << 5, 1 << 7, 1 << 40, 1 << 62, 1 << 63] {
            let root = PrivateRoot::new();
            let segment = closed(&root);
            let word = get(&segment, slot(position));
            put(&segment, slot(position), word ^ change);
            // A publisher that was killed in a longer record leaves such a word, and the oldest record may have been part of one.
            let is_possible = [(end, 4 * end + 3), (first.1, 4 * first.1 + 3)].contains(&(position, word ^ change));
            assert_eq!(findings(&root).is_empty(), is_possible, "{position} {word} {change}");
        }
    }
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
fn a_schema_that_is_none_is_found() {
    let root = PrivateRoot::new();
    let segment = closed(&root);
    let mut bytes = fs::read(&segment).unwrap();
    bytes[640] = b'X';
    let length = u64::from_ne_bytes(bytes[54 * 8..55 * 8].try_into().unwrap()) as usize;
    let hash = bytes[640..640 + length]
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    bytes[53 * 8..54 * 8].copy_from_slice(&hash.to_ne_bytes());
    fs::write(&segment, bytes).unwrap();
    let found = findings(&root).join("\n");
    assert!(found.contains("header, the schema") && found.contains("\"Xecords test\""), "{found}");
    let ring = Ring::open(&root, "r").unwrap();
    assert!(matches!(ring.records_format(), Some(Err(_))));
    ring.read(23, &mut Vec::new()).unwrap();
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
