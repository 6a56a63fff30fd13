//! Inspecting rings: live, closed, dead, damaged and foreign ones; decoding by the schema; verifying; removing dead
//! rings.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use feed_ring::inspect::{self, Kept, Life, Removal, Ring, State, Unread};
use feed_ring::{Join, OpenError, Payload, Publisher, Subscriber};
use feed_testing::{Child, PrivateRoot, as_child, child};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Payload)]
#[repr(C)]
struct Level {
    price: i64,
    size: u64,
}

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Payload)]
#[repr(C)]
struct Book {
    wide: u128,
    best: Level,
    levels: [Level; 2],
    symbol: [u8; 8],
    side: u8,
    flags: [i8; 3],
    ratio: f32,
}

/// Makes a closed and kept ring of 8 slots called `r`, with 20 messages.
fn closed(root: &PrivateRoot) -> PathBuf {
    let mut publisher = Publisher::<u64>::options("r").root(root).capacity(8).keep(true).create().unwrap();
    publisher.publish_batch(&(0..20).collect::<Vec<_>>());
    publisher.close().unwrap();
    root.path().join("r.ring")
}

fn put(file: &Path, word: u64, value: u64) {
    fs::OpenOptions::new().write(true).open(file).unwrap().write_all_at(&value.to_ne_bytes(), word * 8).unwrap();
}

fn slot(index: u64) -> u64 {
    (4096 + index * 64) / 8
}

fn findings(root: &PrivateRoot) -> Vec<String> {
    let verdict = Ring::open(root, "r").unwrap().verify();
    verdict.findings.iter().map(|f| format!("{}: {}, not {}", f.place, f.found, f.expected)).collect()
}

/// Publishes 20 messages, prints that, and waits to be killed.
#[test]
#[ignore = "a child of other tests"]
fn publish_and_wait() {
    if as_child() {
        let root = std::env::var("ROOT").unwrap();
        let mut publisher = Publisher::<u64>::options("r").root(root).capacity(8).create().unwrap();
        publisher.publish_batch(&(0..20).collect::<Vec<_>>());
        println!("\npublished");
        loop {
            std::thread::park();
        }
    }
}

/// Publishes without a pause until killed.
#[test]
#[ignore = "a child of other tests"]
fn publish_at_full_speed() {
    if as_child() {
        let root = std::env::var("ROOT").unwrap();
        let mut publisher = Publisher::<[u64; 16]>::options("r").root(root).capacity(64).create().unwrap();
        publisher.publish(&[0; 16]);
        println!("\npublished");
        for sequence in 1u64.. {
            publisher.publish(&[sequence; 16]);
        }
    }
}

fn start(test: &str, root: &PrivateRoot) -> Child {
    let mut publisher = Child::start(child(test).env("ROOT", root.path()));
    publisher.wait_for("published");
    publisher
}

#[test]
fn inspection_follows_the_life_of_a_ring() {
    let root = PrivateRoot::new();
    let mut publisher = start("publish_and_wait", &root);
    let ring = Ring::open(&root, "r").unwrap();
    assert_eq!((ring.publisher(), ring.state()), (Life::Alive, State::Live));
    assert_eq!((ring.publisher_pid(), ring.epoch(), ring.epochs()), (publisher.id().into(), 1, vec![(1, 0)]));
    assert_eq!((ring.held(), ring.facts().capacity, ring.facts().slot_size), (13..20, 8, 64));
    assert_eq!(ring.entries().unwrap(), Some(vec![]));

    let subscriber = Subscriber::<u64>::options("r").root(&root).join(Join::Oldest).open().unwrap();
    let entries = ring.entries().unwrap().unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!((entries[0].pid, entries[0].sequence, entries[0].lost), (std::process::id().into(), 13, 0));
    assert!(entries[0].held);
    drop(subscriber);
    assert!(!ring.entries().unwrap().unwrap().iter().any(|entry| entry.held));

    publisher.kill();
    assert_eq!(ring.publisher(), Life::Dead);
    assert!(ring.verify().is_fine(), "{:?}", ring.verify());
    assert!(ring.is_current());
    fs::remove_dir_all(ring.path()).unwrap();
    assert!(!ring.is_current());
}

#[test]
fn messages_are_read_by_their_numbers() {
    let root = PrivateRoot::new();
    closed(&root);
    let ring = Ring::open(&root, "r").unwrap();
    assert_eq!(ring.publisher(), Life::Closed);
    let mut bytes = vec![9; 100];
    for sequence in 13..20u64 {
        ring.read(sequence, &mut bytes).unwrap();
        assert_eq!(bytes, sequence.to_ne_bytes());
    }
    for (sequence, why) in [(12, Unread::Overwritten), (0, Unread::Overwritten), (20, Unread::NotYet)] {
        assert_eq!(ring.read(sequence, &mut bytes), Err(why));
    }
    // For the last of these, a computed sequence word would wrap and equal that of message 15.
    for sequence in [21, u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) + 15] {
        assert_eq!(ring.read(sequence, &mut bytes), Err(Unread::NotYet));
    }
}

#[test]
fn values_are_decoded_by_the_schema() {
    let root = PrivateRoot::new();
    let mut publisher = Publisher::<Book>::options("r").root(&root).capacity(2).create().unwrap();
    publisher.publish(&Book {
        wide: 1 << 100,
        best: Level { price: -5, size: 7 },
        levels: [Level { price: 1, size: 2 }, Level { price: 3, size: 4 }],
        symbol: *b"BTCUSD\0\0",
        side: b'B',
        flags: [-1, 0, 1],
        ratio: 0.25,
    });
    let ring = Ring::open(&root, "r").unwrap();
    let message = ring.message_type().unwrap();
    let mut bytes = Vec::new();
    ring.read(0, &mut bytes).unwrap();
    assert_eq!(
        message.text(&bytes),
        "wide=1267650600228229401496703205376 best.price=-5 best.size=7 \
         levels=[{price=1, size=2}, {price=3, size=4}] symbol=\"BTCUSD\" side=66'B' flags=[-1, 0, 1] ratio=0.25"
    );
    assert_eq!(
        message.json(&bytes),
        "{\"wide\":\"1267650600228229401496703205376\",\"best.price\":-5,\"best.size\":7,\
         \"levels\":[{\"price\":1,\"size\":2},{\"price\":3,\"size\":4}],\"symbol\":\"BTCUSD\",\"side\":66,\
         \"flags\":[-1,0,1],\"ratio\":0.25}"
    );
}

#[test]
fn a_publisher_at_full_speed_is_read_whole_and_verified() {
    let root = PrivateRoot::new();
    let _publisher = start("publish_at_full_speed", &root);
    let ring = Ring::open(&root, "r").unwrap();
    let (mut bytes, mut read) = (Vec::new(), 0);
    let begun = Instant::now();
    while read < 10_000 && begun.elapsed() < Duration::from_secs(20) {
        let sequence = ring.published() - 1;
        match ring.read(sequence, &mut bytes) {
            Ok(()) => {
                assert_eq!(bytes, sequence.to_ne_bytes().repeat(16));
                read += 1;
            }
            Err(why) => assert_eq!(why, Unread::Overwritten),
        }
    }
    assert!(read > 0, "no message was read before it was overwritten");
    for _ in 0..200 {
        let verdict = ring.verify();
        assert!(verdict.is_fine(), "{verdict:?}");
    }
}

#[test]
fn verify_accepts_every_state_that_a_publisher_leaves() {
    for capacity in [2, 4, 8] {
        for count in 0..20u64 {
            let root = PrivateRoot::new();
            let mut publisher = Publisher::<u64>::options("r").root(&root).capacity(capacity).create().unwrap();
            publisher.publish_batch(&(0..count).collect::<Vec<_>>());
            assert_eq!(findings(&root), [""; 0], "{count} in {capacity}");
            // As if killed between publishing a message and marking the next slot, or before storing the count.
            let segment = root.path().join("r.ring/segment");
            let (next, slots) = (count, capacity as u64);
            put(&segment, slot(next % slots), if next < slots { 0 } else { 2 * (next - slots) + 2 });
            assert_eq!(findings(&root), [""; 0], "{count} in {capacity}, not marked");
            put(&segment, slot(next % slots), 2 * next + 2);
            assert_eq!(findings(&root), [""; 0], "{count} in {capacity}, not counted");
        }
    }
}

#[test]
fn verify_says_what_is_wrong_and_where() {
    type Case<'a> = (&'a [(u64, u64)], &'a [&'a str]);
    let cases: [Case<'_>; 9] = [
        (&[(slot(3), 2 * 4 + 2)], &["slot 3: message 4 (10), not message 19 (40)"]),
        (&[(slot(3), 2 * 11 + 2)], &["slot 3: message 11 (24), not message 19 (40)"]),
        (&[(slot(5), 0)], &["slot 5: never written, not message 13 (28)"]),
        (
            &[(slot(6), u64::MAX)],
            &["slot 6: message 9223372036854775807 being written (18446744073709551615), not message 14 (30)"],
        ),
        (&[(slot(4), 2 * 28 + 1)], &["slot 4: message 28 being written (57), not message 20 being written (41)"]),
        (&[(64, 3)], &["header, the published count: 3, not 20, where the slots end"]),
        (&[(64, u64::MAX)], &["header, the published count: 18446744073709551615, not 20, where the slots end"]),
        (&[(16, 77)], &["header, the state: 77, not 1 (live), 2 (closed) or 3 (superseded)"]),
        (
            &[(19, 55), (52, 3)],
            &[
                "header, the payload's alignment: 3, not a power of two",
                "header, the beginning of epoch 1: 55, not from 0 to 20",
            ],
        ),
    ];
    for (damages, expected) in cases {
        let root = PrivateRoot::new();
        let segment = closed(&root).join("segment");
        for (word, value) in damages {
            put(&segment, *word, *value);
        }
        assert_eq!(findings(&root), expected);
    }
}

#[test]
fn verify_checks_the_files_beside_the_segment() {
    let root = PrivateRoot::new();
    let ring = closed(&root);
    put(&ring.join("control"), 2, 0);
    fs::remove_file(ring.join("live")).unwrap();
    let found = findings(&root).join("\n");
    assert!(found.contains("control: its nonce is 0x0, not 0x"), "{found}");
    assert!(found.contains("live: ") && found.contains("no such"), "{found}");
    let looked = Ring::open(&root, "r").unwrap();
    assert_eq!(looked.entries().unwrap(), Some(Vec::new()), "what is damaged is not what the entries are in");
}

#[test]
fn a_segment_with_holes_is_not_filled() {
    let root = PrivateRoot::new();
    let segment = closed(&root).join("segment");
    let file = fs::OpenOptions::new().write(true).open(&segment).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(4096).unwrap();
    file.set_len(length).unwrap();
    let ring = Ring::open(&root, "r").unwrap();
    assert_eq!(ring.read(13, &mut Vec::new()), Err(Unread::Holes));
    let found = findings(&root).join("\n");
    assert!(found.contains("segment: 4096 bytes in memory, the rest holes"), "{found}");
}

#[test]
fn inspecting_garbage_does_not_panic() {
    // Sets each word of the header and of the slots in turn to values that break arithmetic.
    for word in (0..90).chain((0..8).map(slot)) {
        for value in
            [0, 1, 2, 3, 1 << 31, 1 << 61, (1 << 62) - 1, 1 << 63, u64::MAX - 1, u64::MAX, 0x2020_2020_2020_2020]
        {
            let root = PrivateRoot::new();
            put(&closed(&root).join("segment"), word, value);
            match Ring::open(&root, "r") {
                Err(error) => assert!(!error.to_string().is_empty()),
                Ok(ring) => {
                    ring.verify();
                    ring.publisher();
                    ring.entries().unwrap();
                    let mut bytes = Vec::new();
                    for sequence in ring.held().take(20).chain([0, u64::MAX]) {
                        if ring.read(sequence, &mut bytes).is_ok()
                            && let Ok(message) = ring.message_type()
                        {
                            message.text(&bytes);
                            message.json(&bytes);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn inspection_takes_no_lock_and_maps_nothing_for_writing() {
    let root = PrivateRoot::new();
    closed(&root);
    let ring = Ring::open(&root, "r").unwrap();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let ours: Vec<_> = maps.lines().filter(|line| line.contains(&*ring.path().to_string_lossy())).collect();
    assert_eq!(ours.len(), 2, "{maps}");
    assert!(ours.iter().all(|line| line.contains(" r--s ")), "{ours:?}");
    assert_eq!(ring.entries().unwrap(), Some(vec![]));
}

#[test]
fn only_a_dead_ring_is_removed() {
    let root = PrivateRoot::new();
    let remove = |removal| inspect::remove_dead(&root, "r", removal);
    let removed = |dry_run| remove(Removal { dry_run, closed: true });
    assert!(matches!(removed(false), Err(Kept::NotFound { .. })));

    let mut publisher = start("publish_and_wait", &root);
    for dry_run in [true, false] {
        assert!(matches!(removed(dry_run), Err(Kept::Alive { holds: "the lock", .. })));
    }
    let subscriber = Subscriber::<u64>::options("r").root(&root).open().unwrap();
    publisher.kill();
    for dry_run in [true, false] {
        assert!(matches!(removed(dry_run), Err(Kept::Attached { count: 1, .. })));
    }
    let late = Ring::open(&root, "r").unwrap();
    drop(subscriber);
    // Holds the FIFO but not the lock, as only a forked child of the publisher would.
    let fifo = fs::OpenOptions::new().read(true).write(true).open(root.path().join("r.ring/live")).unwrap();
    for dry_run in [true, false] {
        assert!(matches!(removed(dry_run), Err(Kept::Alive { holds: "its FIFO, but not the lock", .. })));
    }
    drop(fifo);
    let bytes = removed(true).unwrap();
    assert_eq!((root.names(), late.state()), (vec!["r.ring".to_owned()], State::Live));
    assert_eq!(removed(false).unwrap(), bytes);
    assert!(bytes >= 4096 + 8 * 64, "{bytes}");
    assert_eq!(root.names(), [""; 0]);
    assert_eq!(late.state(), State::Superseded, "a subscriber that attached at the last moment learns of it");

    closed(&root);
    for dry_run in [true, false] {
        assert!(matches!(remove(Removal { dry_run, closed: false }), Err(Kept::Closed { .. })));
    }
    assert_eq!(root.names(), ["r.ring"]);
    removed(true).unwrap();
    removed(false).unwrap();
    assert_eq!(root.names(), [""; 0]);

    // After a takeover the ring belongs to the new publisher, which was not told to keep it.
    closed(&root);
    start("publish_and_wait", &root).kill();
    remove(Removal::default()).unwrap();
    assert_eq!(root.names(), [""; 0]);
}

/// A publisher that is killed between making its directory and taking the lock leaves an empty directory.
#[test]
fn an_empty_directory_is_removed() {
    let root = PrivateRoot::new();
    fs::create_dir(root.path().join("r.ring")).unwrap();
    let removal = |dry_run| Removal { dry_run, closed: false };
    assert_eq!(inspect::remove_dead(&root, "r", removal(true)).unwrap(), 0);
    assert_eq!(root.names(), ["r.ring"], "it would be removed");
    assert_eq!(inspect::remove_dead(&root, "r", removal(false)).unwrap(), 0);
    assert_eq!(root.names(), [""; 0]);
}

#[test]
fn a_directory_that_may_not_be_a_ring_is_kept() {
    let root = PrivateRoot::new();
    let kept = |what: &str| {
        for dry_run in [true, false] {
            let error = inspect::remove_dead(&root, "r", Removal { dry_run, closed: true })
                .expect_err("it should be kept")
                .to_string();
            assert!(error.contains(what), "{error}");
        }
        assert_eq!(root.names(), ["r.ring"]);
    };
    let path = root.path().join("r.ring");
    fs::write(&path, "mine").unwrap();
    kept("not a ring");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    fs::write(path.join("control"), "").unwrap();
    kept("no lock");
    fs::write(path.join("lock"), "").unwrap();
    fs::write(path.join("thesis.tex"), "").unwrap();
    kept("it holds thesis.tex");
    fs::remove_file(path.join("thesis.tex")).unwrap();
    fs::write(path.join("segment"), vec![7; 8192]).unwrap();
    kept("begins with 0x0707070707070707");
    fs::remove_file(path.join("segment")).unwrap();
    // These are the remains of a publisher that was killed while it made its ring.
    inspect::remove_dead(&root, "r", Removal::default()).unwrap();
    assert_eq!(root.names(), [""; 0]);
}

#[test]
fn names_lists_everything_that_may_be_a_ring() {
    let root = PrivateRoot::new();
    closed(&root);
    fs::write(root.path().join("file.ring"), "").unwrap();
    fs::create_dir(root.path().join("a b.ring")).unwrap();
    fs::write(root.path().join("elsewhere"), "").unwrap();
    let names = inspect::names(&root).unwrap();
    assert_eq!(names, ["a b", "file", "r"]);
    assert!(matches!(Ring::open(&root, "a b"), Err(OpenError::Name(_))));
    assert!(matches!(Ring::open(&root, "file"), Err(OpenError::NotARing { .. })));
    assert!(matches!(Ring::open(&root, "none"), Err(OpenError::NotFound { .. })));
    assert_eq!(inspect::FileFacts::of_candidate(&root, "file").unwrap().bytes, 0);
}
