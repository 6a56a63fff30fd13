//! Verifying rings of records: each damage is found, and nothing that a publisher leaves.

mod recorded;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use feed_ring::inspect::Ring;
use feed_testing::PrivateRoot;

use self::recorded::{CAPACITY, LENGTHS, closed, end, findings, open, places, publish, put, slot, slots_of};

/// Words of the header.
const COUNT: u64 = 64;
const PLACE: u64 = 65;

fn get(file: &Path, word: u64) -> u64 {
    let mut bytes = [0; 8];
    fs::File::open(file).unwrap().read_exact_at(&mut bytes, word * 8).unwrap();
    u64::from_ne_bytes(bytes)
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
    assert_eq!(
        findings(&root),
        [format!("header, the place of the last record: {named}, not 7, where the last record begins")]
    );
}

#[test]
fn verify_says_what_is_wrong_and_where() {
    let (all, end) = (places(), end());
    let held: Vec<_> = all.iter().copied().filter(|place| place.1 > end - CAPACITY).collect();
    let last = *held.last().unwrap();
    let oldest = held[0];
    // A publisher of so small a ring names a record every four slots.
    let far_back = held.iter().rev().find(|place| place.1 + 12 < last.1).unwrap().1;
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
            vec![(PLACE, far_back)],
            vec![format!(
                "header, the place of the last record: {}, not {}, where the last record begins",
                far_back, last.1
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
        assert!(!found.is_empty() && found.len() <= 4, "{word} {value}: {found:?}");
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

/// The oldest slots may be the last ones of a record whose first are overwritten.
#[test]
fn records_behind_a_part_of_one_are_verified() {
    let mut parts = 0;
    for more in 2..12 {
        let root = PrivateRoot::new();
        let mut publisher = open(&root, CAPACITY as usize);
        publish(&mut publisher, LENGTHS.into_iter().chain([48; 12].into_iter().take(more)));
        publisher.leave();
        let (segment, end) = (root.path().join("r.ring/segment"), end() + more as u64);
        let (oldest, last) = (end + 1 - CAPACITY, end - 2);
        parts += u64::from(get(&segment, slot(oldest)) % 4 == 3);
        assert_eq!(findings(&root), [""; 0], "{more}");
        let head = get(&segment, slot(last) + 1);
        put(&segment, slot(last) + 1, head ^ 64);
        let found = findings(&root);
        assert!(!found.is_empty() && found.len() <= 4, "{more}: {found:?}");
    }
    assert!(parts > 3, "{parts}");
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
