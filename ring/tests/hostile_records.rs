//! Hostile rings of records: opening and reading any bytes whatever ends in a value or an error, as hostile.rs has it for rings of
//! messages. Words, lengths, kinds, numbers, positions and the count are forged, also while they are read. A test fails on a panic
//! (overflow checks are on), a crash, a copy that is longer than the ring's longest record, or a call that does not return.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use feed_ring::raw::RecordRelayPublisher;
use feed_ring::records::RecordsFormat;
use feed_ring::{Join, RecordPublisher, RecordSubscriber, TryRecvError, WaitStrategy, inspect};
use feed_testing::PrivateRoot;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

mod damages;

use damages::number;

const CASES: u32 = 10_000;
const CAPACITY: u64 = 16;
/// A quarter of the ring.
const LONGEST: usize = 48 + 3 * 56;
/// Word indices: the state, the epoch, the first number, the count and the position of the last record.
const HEADER: [u64; 7] = [16, 17, 18, 19, 56, COUNT, PLACE];
const COUNT: u64 = 64;
const PLACE: u64 = 65;
const SLOTS: u64 = 4096 / 8;
const SLOT: u64 = 8;

#[derive(Clone, Debug)]
enum Damage {
    Header(usize, u64),
    /// The word of a slot, by position and state.
    Word(u64, u64, u64),
    /// The head of a slot: number, length, kind.
    Head(u64, u32, u32, u8),
    Anywhere(u64, u64),
    Length(u64),
    /// A slot says that numbers were passed over: of this position, the low half of the first number, slots back, the number behind.
    Gap(u64, u64, u32, u32, u64),
    /// All slots say that a record begins there, at positions of one lap, with the same head.
    All(u64, u32, u32),
}

/// Positions around those of the ring, in it, and far from it.
fn position() -> impl Strategy<Value = u64> {
    prop_oneof![0..100u64, (0..4u64).prop_map(|near| (1 << 61) - 2 + near), number().prop_map(|number| number >> 2)]
}

fn length() -> impl Strategy<Value = u32> {
    prop_oneof![0..300u32, Just(0xff_ffff), any::<u32>().prop_map(|length| length & 0xff_ffff)]
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        4 => (0..HEADER.len(), number()).prop_map(|(field, value)| Damage::Header(field, value)),
        6 => (0..CAPACITY, position(), 0..4u64).prop_map(|(slot, position, state)| Damage::Word(slot, position, state)),
        6 => (0..CAPACITY, prop_oneof![0..60u32, any::<u32>()], length(), any::<u8>())
            .prop_map(|(slot, number, length, kind)| Damage::Head(slot, number, length, kind)),
        3 => (0..CAPACITY, position(), 0..130u32, prop_oneof![0..20u32, any::<u32>()], prop_oneof![0..130u64, number()])
            .prop_map(|(slot, position, first, back, until)| Damage::Gap(slot, position, first, back, until)),
        2 => (0..SLOTS + CAPACITY * SLOT, number()).prop_map(|(word, value)| Damage::Anywhere(word, value)),
        1 => (0..10_000u64).prop_map(Damage::Length),
        2 => (position(), 0..60u32, length()).prop_map(|(first, number, length)| Damage::All(first, number, length)),
    ]
}

fn head(number: u32, length: u32, kind: u8) -> u64 {
    u64::from(number) | u64::from(length) << 32 | u64::from(kind) << 56
}

fn damaged(valid: &[u8], damages: &[Damage]) -> Vec<u8> {
    let mut bytes = valid.to_vec();
    let mut store = |word: u64, value: u64| {
        if let Some(bytes) = bytes.get_mut(word as usize * 8..word as usize * 8 + 8) {
            bytes.copy_from_slice(&value.to_ne_bytes());
        }
    };
    let mut cut = None;
    for damage in damages {
        match *damage {
            Damage::Header(field, value) => store(HEADER[field], value),
            Damage::Word(slot, position, state) => {
                // Mostly one that belongs there.
                let position = if position % 3 == 0 { position } else { position & !(CAPACITY - 1) | slot };
                store(SLOTS + slot * SLOT, position << 2 | state);
            }
            Damage::Head(slot, number, length, kind) => store(SLOTS + slot * SLOT + 1, head(number, length, kind)),
            Damage::Gap(slot, position, first, back, until) => {
                let position = if position % 3 == 0 { position } else { position & !(CAPACITY - 1) | slot };
                let slot = SLOTS + slot * SLOT;
                let words = [position.wrapping_mul(4).wrapping_add(4), u64::from(first) | u64::from(back) << 32, until];
                (slot..).zip(words).for_each(|(word, value)| store(word, value));
            }
            Damage::Anywhere(word, value) => store(word, value),
            Damage::Length(length) => cut = Some(length as usize),
            Damage::All(first, number, length) => {
                for position in (0..CAPACITY).map(|more| first.saturating_add(more)) {
                    let slot = SLOTS + (position & (CAPACITY - 1)) * SLOT;
                    store(slot, position << 2 | 2);
                    store(slot + 1, head(number, length, 1));
                }
            }
        }
    }
    if let Some(length) = cut {
        bytes.resize(length, 0);
    }
    bytes
}

fn ring(root: &Path) -> RecordPublisher {
    let options = RecordPublisher::options("hostile", RecordsFormat::default()).root(root).keep(true);
    options.capacity(CAPACITY as usize).create_records().unwrap()
}

/// Makes a valid ring that was lapped and whose publisher ended. Returns its segment.
fn valid(root: &PrivateRoot) -> (PathBuf, Vec<u8>) {
    let mut publisher = ring(root.path());
    for number in 0..40usize {
        publisher.publish(number as u8, &vec![number as u8; number * 37 % (LONGEST + 1)]).unwrap();
    }
    let path = publisher.path().unwrap().join("segment");
    publisher.leave();
    let segment = fs::read(&path).unwrap();
    (path, segment)
}

const SOURCE: u64 = 7;

fn relay(root: &Path) -> RecordRelayPublisher {
    let options = RecordRelayPublisher::options("hostile", RecordsFormat::default()).root(root).keep(true);
    options.capacity(CAPACITY as usize).create_record_relay(SOURCE, 0, 1).unwrap()
}

/// The same for a relay that passed over numbers, also in the slots that are left.
fn valid_relay(root: &PrivateRoot) -> (PathBuf, Vec<u8>) {
    let mut publisher = relay(root.path());
    for number in 0..40usize {
        publisher.publish(number as u8, &vec![number as u8; number * 37 % 100]).unwrap();
        if number % 4 == 0 {
            publisher.pass_over(publisher.published() + 1 + number as u64 % 7).unwrap();
        }
    }
    let path = publisher.path().unwrap().join("segment");
    publisher.leave();
    let segment = fs::read(&path).unwrap();
    (path, segment)
}

fn join() -> impl Strategy<Value = Join> {
    prop_oneof![
        Just(Join::Oldest),
        Just(Join::Latest),
        (0..50u64).prop_map(Join::Sequence),
        (50..130u64).prop_map(Join::Sequence),
        number().prop_map(Join::Sequence)
    ]
}

fn open(root: &Path, join: Join) -> Option<RecordSubscriber> {
    let options = RecordSubscriber::options("hostile").root(root).join(join).wait(WaitStrategy::Block);
    options.open_records().inspect_err(|error| assert_eq!(error.to_string().lines().count(), 1, "{error}")).ok()
}

/// Makes every call that a subscriber has, often enough to take every path. Returns whether the ring could be opened.
fn exercise(root: &Path, join: Join) -> bool {
    let begun = Instant::now();
    let Some(mut subscriber) = open(root, join) else { return false };
    assert!(subscriber.longest() <= LONGEST);
    let mut buffer = Vec::new();
    for _ in 0..12 {
        let _ = subscriber.try_recv().map(|record| assert!(record.bytes.len() <= LONGEST));
        let _ = subscriber.recv_batch(4, |record| assert!(record.bytes.len() <= LONGEST));
        let _ = subscriber.latest().map(|record| assert!(record.bytes.len() <= LONGEST));
        let _ = subscriber.try_recv_into(&mut buffer);
        assert!(buffer.len() <= LONGEST, "{} bytes were copied", buffer.len());
        let _ = subscriber.recv_timeout(Duration::ZERO).map(|record| assert!(record.bytes.len() <= LONGEST));
        let (account, _) = (subscriber.account(), (subscriber.lag(), format!("{subscriber:?}")));
        let parts = [account.received, account.lost, account.skipped];
        let next = parts.iter().fold(account.first, |sum, part| sum.wrapping_add(*part));
        assert_eq!(next, account.sequence, "{account:?}");
    }
    // What a tool asks of every ring.
    if let Ok(ring) = inspect::Ring::open(root, "hostile") {
        let held = ring.held();
        let near = held.start.saturating_add(20).min(held.end);
        for number in (held.start..near).chain([held.end.saturating_sub(1), held.end, 1, 99]) {
            let _ = ring.read(number, &mut buffer);
        }
        let _ = (ring.published(), ring.verify());
    }
    let _ = subscriber.recv_timeout(Duration::from_micros(50));
    let _ = subscriber.wait_for_publisher(Duration::from_micros(50));
    assert!(begun.elapsed() < Duration::from_secs(20), "a call that hardly returns");
    true
}

#[test]
fn damaged_segments_end_in_a_value_or_an_error() {
    damage_and_read(valid);
}

#[test]
fn damaged_relays_end_in_a_value_or_an_error() {
    damage_and_read(valid_relay);
}

fn damage_and_read(valid: fn(&PrivateRoot) -> (PathBuf, Vec<u8>)) {
    let root = PrivateRoot::new();
    let (path, segment) = valid(&root);
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let opened = std::cell::Cell::new(0u32);
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let cases = (prop::collection::vec(damage(), 1..5), join());
    let result = runner.run(&cases, |(damages, join)| {
        let bytes = damaged(&segment, &damages);
        file.set_len(bytes.len() as u64)?;
        file.write_all_at(&bytes, 0)?;
        opened.set(opened.get() + u32::from(exercise(root.path(), join)));
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    assert!(opened.get() > CASES / 2, "only {} of {CASES} could be opened: reading was hardly tried", opened.get());
}

/// Q10. The subscriber's buffer grows to the longest record of the ring, whatever a head says.
#[test]
fn a_forged_length_is_not_copied() {
    let root = PrivateRoot::new();
    let mut publisher = ring(root.path());
    let file = OpenOptions::new().write(true).open(publisher.path().unwrap().join("segment")).unwrap();
    let mut subscriber = open(root.path(), Join::Oldest).unwrap();
    publisher.publish(1, b"a record").unwrap();
    for length in [LONGEST as u32 + 1, 1 << 20, 0xff_ffff] {
        file.write_all_at(&head(0, length, 1).to_ne_bytes(), (SLOTS + 1) * 8).unwrap();
        let mut buffer = Vec::new();
        assert!(matches!(subscriber.try_recv_into(&mut buffer), Err(TryRecvError::Corrupt(_))));
        assert!(buffer.len() <= LONGEST, "{} bytes were copied", buffer.len());
    }
    file.write_all_at(&head(0, 8, 1).to_ne_bytes(), (SLOTS + 1) * 8).unwrap();
    assert_eq!(subscriber.try_recv().unwrap().bytes, b"a record");
}

#[test]
fn a_publisher_takes_over_a_damaged_ring_or_makes_a_new_one() {
    let root = PrivateRoot::new();
    let (path, segment) = valid(&root);
    let mut runner = TestRunner::new(Config { cases: 1_000, failure_persistence: None, ..Config::default() });
    let result = runner.run(&prop::collection::vec(damage(), 1..5), |damages| {
        fs::create_dir_all(path.parent().unwrap())?;
        fs::write(&path, damaged(&segment, &damages))?;
        let options = RecordPublisher::options("hostile", RecordsFormat::default()).root(&root);
        match options.capacity(CAPACITY as usize).create_records() {
            Err(error) => assert_eq!(error.to_string().lines().count(), 1),
            Ok(mut publisher) => {
                let next = publisher.published();
                let mut subscriber = open(root.path(), Join::Sequence(next)).unwrap();
                for number in next..next + 5 {
                    prop_assert_eq!(publisher.publish(7, &[number as u8; 100]), Ok(number));
                    let record = subscriber.try_recv();
                    let record = record.map(|record| (record.number, record.kind, record.bytes.to_owned()));
                    prop_assert_eq!(record, Ok((number, 7, vec![number as u8; 100])));
                }
            }
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_relay_takes_over_a_damaged_ring_or_makes_a_new_one() {
    let root = PrivateRoot::new();
    let (path, segment) = valid_relay(&root);
    let mut runner = TestRunner::new(Config { cases: 1_000, failure_persistence: None, ..Config::default() });
    let result = runner.run(&prop::collection::vec(damage(), 1..5), |damages| {
        fs::create_dir_all(path.parent().unwrap())?;
        fs::write(&path, damaged(&segment, &damages))?;
        let options = RecordRelayPublisher::options("hostile", RecordsFormat::default()).root(&root);
        match options.capacity(CAPACITY as usize).create_record_relay(SOURCE, 500, 3) {
            Err(error) => assert_eq!(error.to_string().lines().count(), 1),
            Ok(mut publisher) => {
                let next = publisher.published();
                let mut subscriber = open(root.path(), Join::Sequence(next)).unwrap();
                for number in next..next + 5 {
                    prop_assert_eq!(publisher.publish(7, &[number as u8; 100]), Ok(number));
                    let record = subscriber.try_recv();
                    let record = record.map(|record| (record.number, record.kind, record.bytes.to_owned()));
                    prop_assert_eq!(record, Ok((number, 7, vec![number as u8; 100])));
                }
                // Numbers that are near the last ones are refused only where the oldest record seems to be far.
                if publisher.published() < 1 << 61 && publisher.pass_over(next + 9).is_ok() {
                    prop_assert_eq!(subscriber.try_recv(), Err(TryRecvError::Lagged { missed: 4 }));
                }
            }
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_segment_rewritten_while_it_is_read_ends_in_a_value_or_an_error() {
    rewrite_and_read(valid);
}

#[test]
fn a_relay_rewritten_while_it_is_read_ends_in_a_value_or_an_error() {
    rewrite_and_read(valid_relay);
}

/// What a slot that no publisher writes makes of a subscriber that waits for a record there: corrupt, and it stays where it was.
#[test]
fn forged_numbers_that_were_passed_over_are_corrupt() {
    let root = PrivateRoot::new();
    let mut publisher = relay(root.path());
    publisher.publish(1, b"a record").unwrap();
    let file = OpenOptions::new().write(true).open(publisher.path().unwrap().join("segment")).unwrap();
    let forge = |first: u32, until: u64| {
        for (word, value) in [(1, u64::from(first) | 1 << 32), (2, until), (0, 4 + 4)] {
            file.write_all_at(&u64::to_ne_bytes(value), (SLOTS + SLOT + word) * 8).unwrap();
        }
    };
    for (first, until) in [(1, 0), (1, 1), (5, 1), (1, 1 << 62), (1, u64::MAX), (2, (1 << 62) + 1)] {
        forge(first, until);
        let mut subscriber = open(root.path(), Join::Sequence(0)).unwrap();
        assert_eq!(subscriber.try_recv().unwrap().number, 0);
        for _ in 0..3 {
            assert!(matches!(subscriber.try_recv(), Err(TryRecvError::Corrupt(_))), "{first} to {until}");
        }
        assert_eq!(subscriber.sequence(), 1);
        assert!(!inspect::Ring::open(&root, "hostile").unwrap().verify().is_fine(), "{first} to {until}");
    }
    forge(1, 9);
    let mut subscriber = open(root.path(), Join::Sequence(1)).unwrap();
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Lagged { missed: 8 }), "as its publisher would have said it");
}

fn rewrite_and_read(valid: fn(&PrivateRoot) -> (PathBuf, Vec<u8>)) {
    let root = PrivateRoot::new();
    let (path, segment) = valid(&root);
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let stop = AtomicBool::new(false);
    let mut opened = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = 0x9e37_79b9_7f4a_7c15u64;
            while !stop.load(Ordering::Relaxed) {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let slot = (random >> 33) % CAPACITY;
                let near = 4 * ((random >> 20) % 8 * CAPACITY + slot) + (random >> 50) % 5;
                let value = [near, random, random >> 56, u64::MAX, near, near][(random >> 13) as usize % 6];
                let word = match random % 8 {
                    0 => HEADER[(random >> 40) as usize % HEADER.len()],
                    1 => SLOTS + slot * SLOT + 1,
                    _ => SLOTS + slot * SLOT,
                };
                let _ = file.write_all_at(&value.to_ne_bytes(), word * 8);
                if random.is_multiple_of(64) {
                    let _ = file.write_all_at(&segment, 0);
                }
            }
        });
        for round in 0..2_000u64 {
            let join = [Join::Oldest, Join::Latest, Join::Sequence(round % 50)][round as usize % 3];
            opened += u32::from(exercise(root.path(), join));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(opened > 200, "only {opened} were opened");
}

/// A head has 32 bits of a number. The others come from the count.
#[test]
fn numbers_and_positions_go_on_beyond_32_bits() {
    for (number, position) in
        [(3 << 32, 5 << 32), ((3 << 32) - 2, 7 << 32), ((1 << 32) - 9, (1 << 32) - 2), (7, (1 << 32) - 3), (7, 1 << 60)]
    {
        let root = PrivateRoot::new();
        let (path, mut segment) = valid(&root);
        // As if it had been published for a long time: the last record has this number and position.
        let mut store = |word: u64, value: u64| {
            segment[word as usize * 8..][..8].copy_from_slice(&value.to_ne_bytes());
        };
        (0..CAPACITY).for_each(|slot| store(SLOTS + slot * SLOT, 0));
        let slot = SLOTS + position % CAPACITY * SLOT;
        store(slot, 4 * position + 2);
        store(slot + 1, head(number as u32, 8, 9));
        store(PLACE, position);
        store(COUNT, number + 1);
        fs::write(&path, &segment).unwrap();

        let mut publisher = ring(root.path());
        assert_eq!((publisher.published(), publisher.epoch()), (number + 1, 2), "at {position}");
        let mut subscriber = open(root.path(), Join::Oldest).unwrap();
        let mut late = open(root.path(), Join::Sequence(number)).unwrap();
        assert_eq!((subscriber.sequence(), subscriber.try_recv().unwrap().number), (number, number));
        for next in number + 1..number + 40 {
            let length = next as usize % 150;
            assert_eq!(publisher.publish(0, &vec![next as u8; length]), Ok(next));
            if next == number + 1 {
                assert!(matches!(subscriber.try_recv(), Err(TryRecvError::Restarted { epoch: 2, .. })));
            }
            let record = subscriber.try_recv().unwrap();
            assert_eq!((record.number, record.bytes), (next, &vec![next as u8; length][..]));
            let mut at = open(root.path(), Join::Sequence(next)).unwrap();
            assert_eq!((at.lag(), at.try_recv().map(|record| record.bytes.len())), (1, Ok(length)));
            assert_eq!(open(root.path(), Join::Latest).unwrap().sequence(), next + 1);
            assert!(open(root.path(), Join::Oldest).unwrap().sequence() > next.saturating_sub(CAPACITY));
        }
        let Err(TryRecvError::Lagged { missed }) = late.try_recv() else { panic!("it is overwritten") };
        assert!(missed > 20 && missed < 40, "{missed}");
    }
}
