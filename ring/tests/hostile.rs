//! Hostile segments: opening and reading any bytes whatever ends in a value or an error. The tests use twenty thousand
//! damaged rings. Each is a valid ring with some words changed, cut short or made longer; some are rewritten while they
//! are read. A test fails on a panic (overflow checks are on), a crash, or a call that does not return.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use feed_ring::{Join, OpenError, Publisher, Subscriber, TryRecvError, WaitStrategy};
use feed_testing::PrivateRoot;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

mod damages;

use damages::number;

const CASES: u32 = 20_000;

/// The words of a header that have a meaning, by name.
const FIELDS: [(&str, u64); 27] = [
    ("magic", 0),
    ("abi", 1),
    ("state", 16),
    ("epoch", 17),
    ("begin 0", 18),
    ("begin 1", 19),
    ("begin 2", 20),
    ("begin 3", 21),
    ("begin 4", 22),
    ("begin 5", 23),
    ("begin 6", 24),
    ("begin 7", 25),
    ("publisher pid", 26),
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
    ("published", 64),
    ("schema", 80),
    ("schema, later", 81),
];

const CAPACITY: u64 = 8;
const SLOTS: u64 = 4096 / 8;

#[derive(Clone, Debug)]
enum Damage {
    Field(usize, u64),
    Sequence(u64, u64),
    Anywhere(u64, u64),
    Control(u64, u64),
    Length(u64),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        8 => (0..FIELDS.len(), number()).prop_map(|(field, value)| Damage::Field(field, value)),
        3 => (0..CAPACITY, number()).prop_map(|(slot, value)| Damage::Sequence(slot, value)),
        2 => (0..SLOTS + CAPACITY * 8, number()).prop_map(|(word, value)| Damage::Anywhere(word, value)),
        1 => (0..64u64, number()).prop_map(|(word, value)| Damage::Control(word, value)),
        1 => (0..10_000u64).prop_map(Damage::Length),
    ]
}

fn join() -> impl Strategy<Value = Join> {
    prop_oneof![Just(Join::Oldest), Just(Join::Latest), number().prop_map(Join::Sequence)]
}

/// Makes every call that a subscriber has, often enough to take every path. Returns whether the ring could be opened.
fn exercise(root: &Path, join: Join) -> bool {
    let mut subscriber = match Subscriber::<[u64; 3]>::options("hostile").root(root).join(join).open() {
        Ok(subscriber) => subscriber,
        Err(error) => {
            assert!(error.to_string().lines().count() == 1, "{error}");
            return false;
        }
    };
    let mut batch = [[0; 3]; 4];
    for _ in 0..20 {
        let _ = subscriber.try_recv();
        let _ = subscriber.recv_batch(&mut batch);
        let _ = subscriber.latest();
        let _ = subscriber.recv_timeout(Duration::ZERO);
        let _ = (subscriber.lag(), subscriber.epoch(), format!("{subscriber:?}"));
        let sum = [subscriber.received(), subscriber.lost(), subscriber.skipped()];
        let next = sum.iter().fold(subscriber.first(), |sum, part| sum.wrapping_add(*part));
        assert_eq!(next, subscriber.sequence(), "{subscriber:?}");
    }
    true
}

/// Makes a valid ring that was lapped and whose publisher ended. Returns its directory, segment and control file.
fn valid(root: &PrivateRoot) -> (std::path::PathBuf, Vec<u8>, Vec<u8>) {
    let options = Publisher::<[u64; 3]>::options("hostile").root(root).capacity(CAPACITY as usize).keep(true);
    let mut publisher = options.create().unwrap();
    for number in 0..20u64 {
        publisher.publish(&[number; 3]);
    }
    let ring = publisher.path().unwrap().to_owned();
    drop(publisher);
    let segment = fs::read(ring.join("segment")).unwrap();
    let control = fs::read(ring.join("control")).unwrap();
    (ring, segment, control)
}

#[test]
fn damaged_segments_end_in_a_value_or_an_error() {
    let root = PrivateRoot::new();
    let (ring, segment, control) = valid(&root);
    let open = |name: &str| fs::OpenOptions::new().read(true).write(true).open(ring.join(name)).unwrap();
    let (segment_file, control_file) = (open("segment"), open("control"));
    let counts = std::cell::RefCell::new(BTreeMap::<&str, u32>::new());
    let opened = std::cell::Cell::new(0u32);
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let cases = (prop::collection::vec(damage(), 1..4), join());
    let result = runner.run(&cases, |(damages, join)| {
        segment_file.set_len(segment.len() as u64)?;
        segment_file.write_all_at(&segment, 0)?;
        control_file.write_all_at(&control, 0)?;
        for damage in &damages {
            match *damage {
                Damage::Field(field, value) => {
                    *counts.borrow_mut().entry(FIELDS[field].0).or_default() += 1;
                    segment_file.write_all_at(&value.to_ne_bytes(), FIELDS[field].1 * 8)?;
                }
                Damage::Sequence(slot, value) => {
                    segment_file.write_all_at(&value.to_ne_bytes(), (SLOTS + slot * 8) * 8)?;
                }
                Damage::Anywhere(word, value) => segment_file.write_all_at(&value.to_ne_bytes(), word * 8)?,
                Damage::Control(word, value) => control_file.write_all_at(&value.to_ne_bytes(), word * 8)?,
                Damage::Length(bytes) => segment_file.set_len(bytes)?,
            }
        }
        if exercise(root.path(), join) {
            opened.set(opened.get() + 1);
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    for (name, _) in FIELDS {
        let count = counts.borrow().get(name).copied().unwrap_or(0);
        assert!(count >= 100, "{name} was damaged only {count} times");
    }
    assert!(opened.get() > CASES / 20, "only {} of {CASES} could be opened: reading was hardly tried", opened.get());
    println!("{CASES} damaged segments, of which {} were opened", opened.get());
}

#[test]
fn a_publisher_takes_over_a_damaged_ring_or_refuses() {
    let root = PrivateRoot::new();
    let (ring, segment, control) = valid(&root);
    let mut runner = TestRunner::new(Config { cases: 1_000, failure_persistence: None, ..Config::default() });
    let result = runner.run(&prop::collection::vec(damage(), 1..4), |damages| {
        fs::create_dir_all(&ring)?;
        let mut segment = segment.clone();
        let mut control = control.clone();
        for damage in damages {
            let (bytes, word, value) = match damage {
                Damage::Field(field, value) => (&mut segment, FIELDS[field].1, value),
                Damage::Sequence(slot, value) => (&mut segment, SLOTS + slot * 8, value),
                Damage::Anywhere(word, value) => (&mut segment, word, value),
                Damage::Control(word, value) => (&mut control, word, value),
                Damage::Length(bytes) => {
                    segment.resize(bytes as usize, 0);
                    continue;
                }
            };
            if let Some(bytes) = bytes.get_mut(word as usize * 8..word as usize * 8 + 8) {
                bytes.copy_from_slice(&value.to_ne_bytes());
            }
        }
        fs::write(ring.join("segment"), segment)?;
        fs::write(ring.join("control"), control)?;
        match Publisher::<[u64; 3]>::options("hostile").root(&root).capacity(CAPACITY as usize).create() {
            Err(error) => assert_eq!(error.to_string().lines().count(), 1),
            Ok(mut publisher) => {
                let next = publisher.published();
                let mut subscriber = Subscriber::<[u64; 3]>::options("hostile").root(&root).open().unwrap();
                prop_assert_eq!(publisher.publish(&[7; 3]), next);
                prop_assert_eq!(subscriber.try_recv(), Ok([7; 3]));
            }
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

/// The words that are rewritten while a subscriber reads: some of the header's values, of the geometry, and of slots.
const REWRITTEN: [u64; 29] = [
    0,
    1,
    16,
    17,
    18,
    19,
    26,
    27,
    32,
    48,
    49,
    50,
    51,
    52,
    53,
    54,
    55,
    56,
    57,
    64,
    80,
    81,
    SLOTS,
    SLOTS + 1,
    SLOTS + 8,
    SLOTS + 9,
    SLOTS + 16,
    SLOTS + 24,
    SLOTS + 56,
];

#[test]
fn a_segment_rewritten_while_it_is_read_ends_in_a_value_or_an_error() {
    const KINDS: [&str; 3] = ["NotARing", "Abi", "Geometry"];
    let root = PrivateRoot::new();
    let (ring, segment, control) = valid(&root);
    let open = |name: &str| fs::OpenOptions::new().read(true).write(true).open(ring.join(name)).unwrap();
    let (file, control_file) = (open("segment"), open("control"));
    let stop = AtomicBool::new(false);
    let (mut corrupt, mut opened, mut refused) = (0, 0, BTreeMap::<_, u32>::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = 0x9e37_79b9_7f4a_7c15u64;
            while !stop.load(Ordering::Relaxed) {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let value = [0, random, random >> 56, u64::MAX, 1, 3][(random >> 13) as usize % 6].to_ne_bytes();
                // Mostly words that are read while receiving: if the others are damaged, nothing can be opened.
                let word = match random % 8 {
                    0 => REWRITTEN[(random >> 33) as usize % REWRITTEN.len()],
                    _ => [16, 17, 18, 19, 26, 32, 64, SLOTS, SLOTS + 8, SLOTS + 16][(random >> 33) as usize % 10],
                };
                let _ = file.write_all_at(&value, word * 8);
                if random.is_multiple_of(16) {
                    let _ =
                        control_file.write_all_at(&value, [0, 1, 2, 3, 16, 32, 33][(random >> 40) as usize % 7] * 8);
                }
                if random.is_multiple_of(64) {
                    let _ = file.write_all_at(&segment, 0);
                    let _ = control_file.write_all_at(&control, 0);
                }
            }
        });
        let mut rounds = 0..;
        // At least this often, and until enough rings could be opened and each kind was refused. How often that takes
        // depends on the machine's other work.
        let enough =
            |opened, refused: &BTreeMap<_, u32>| opened >= 300 && KINDS.iter().all(|kind| refused.contains_key(kind));
        while rounds.start < 3_000u64 || !enough(opened, &refused) && rounds.start < 300_000 {
            let round = rounds.next().unwrap();
            let join = [Join::Oldest, Join::Latest, Join::Sequence(round)][round as usize % 3];
            let wait = [WaitStrategy::Spin, WaitStrategy::Block][round as usize % 2];
            match Subscriber::<[u64; 3]>::options("hostile").root(&root).join(join).wait(wait).open() {
                Ok(mut subscriber) => {
                    opened += 1;
                    for _ in 0..50 {
                        corrupt += u32::from(matches!(subscriber.try_recv(), Err(TryRecvError::Corrupt(_))));
                        let _ = subscriber.latest();
                        let _ = subscriber.lag();
                    }
                    let _ = subscriber.recv_timeout(Duration::from_micros(50));
                    let _ = subscriber.wait_for_publisher(Duration::from_micros(50));
                }
                Err(error) => {
                    let which = match &error {
                        OpenError::NotARing { .. } => "NotARing",
                        OpenError::Abi { .. } => "Abi",
                        OpenError::Geometry { .. } => "Geometry",
                        OpenError::Payload { .. } => "Payload",
                        OpenError::Unfinished { .. } => "Unfinished",
                        error => panic!("{error:?}"),
                    };
                    assert_eq!(error.to_string().lines().count(), 1, "{error}");
                    *refused.entry(which).or_default() += 1;
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    println!("{opened} opened while they were rewritten, refused: {refused:?}; {corrupt} words told of as corrupt");
    assert!(corrupt > 0, "nothing was seen to be rewritten");
    for which in KINDS {
        assert!(refused.contains_key(which), "never {which}: {refused:?}");
    }
}
