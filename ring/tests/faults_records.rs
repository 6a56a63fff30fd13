//! A publisher of records that is killed at every store: after its k-th store or change of a file, for k from 0 until it survives
//! its whole task. After each death the next one goes on where the readable records end. A subscriber that was there, and those
//! that join afterwards, find no record torn and account for every one.
//!
//! Only in a build that injects faults: `make faults`.
#![cfg(feed_ring_faults)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use feed_ring::raw::RecordRelayPublisher;
use feed_ring::records::RecordsFormat;
use feed_ring::sync::faults;
use feed_ring::{Join, RecordPublisher, RecordSubscriber, TryRecvError};
use feed_testing::{PrivateRoot, as_child, child};

mod deaths;

use deaths::points_of;

/// What a publisher is killed at.
struct Scenario {
    name: &'static str,
    slot: usize,
    capacity: usize,
    /// Whether it is killed while it takes the ring over as well.
    from_the_start: bool,
    /// Records that were published before, by another publisher.
    before: &'static [usize],
    /// The lengths of its records.
    lengths: &'static [usize],
    closes: bool,
}

const SCENARIOS: [Scenario; 6] = [
    // Of one to four slots, for more than a lap.
    Scenario {
        name: "records",
        slot: 64,
        capacity: 16,
        from_the_start: false,
        before: &[40, 150],
        lengths: &[48, 200, 0, 60, 160, 210, 9],
        closes: false,
    },
    // The slot behind a record is that of the one before.
    Scenario {
        name: "small",
        slot: 64,
        capacity: 2,
        from_the_start: false,
        before: &[3],
        lengths: &[48, 0, 7, 20],
        closes: false,
    },
    // The longest is a quarter of the ring.
    Scenario {
        name: "four",
        slot: 64,
        capacity: 4,
        from_the_start: false,
        before: &[],
        lengths: &[48, 1, 7, 20, 48, 0],
        closes: false,
    },
    // Slots of several lines, into which is stored before the record comes.
    Scenario {
        name: "lines",
        slot: 256,
        capacity: 16,
        from_the_start: false,
        before: &[900, 500],
        lengths: &[240, 700, 984, 10, 980],
        closes: false,
    },
    Scenario {
        name: "takeover",
        slot: 64,
        capacity: 8,
        from_the_start: true,
        before: &[100, 40, 90, 3, 104],
        lengths: &[104, 50],
        closes: false,
    },
    Scenario {
        name: "close",
        slot: 64,
        capacity: 8,
        from_the_start: true,
        before: &[100],
        lengths: &[60],
        closes: true,
    },
];

fn create(root: &Path, scenario: &Scenario) -> RecordPublisher {
    let options = RecordPublisher::options("r", RecordsFormat::encoded("test")).root(root).slot_size(scenario.slot);
    options.capacity(scenario.capacity).keep(true).create_records().unwrap()
}

/// The kind of a record: which publisher's how manieth it is.
fn kind_of(publisher: u8, index: usize) -> u8 {
    publisher << 5 | index as u8
}

fn bytes_of(kind: u8, length: usize) -> Vec<u8> {
    (0..length).map(|index| (index * 7 + length * 3).wrapping_mul(usize::from(kind) + 11) as u8).collect()
}

const AFTERWARDS: &[usize] = &[30, 0, 48];

/// The length of a record of this kind.
fn length_of(scenario: &Scenario, kind: u8) -> Option<usize> {
    let lengths =
        [scenario.before, scenario.lengths, AFTERWARDS].get(usize::from(kind >> 5))?.get(usize::from(kind & 31));
    lengths.copied()
}

fn publish(publisher: &mut RecordPublisher, who: u8, lengths: &[usize]) {
    for (index, &length) in lengths.iter().enumerate() {
        let kind = kind_of(who, index);
        publisher.publish(kind, &bytes_of(kind, length)).unwrap();
    }
}

#[test]
#[ignore = "a child of other tests"]
fn publish_and_die() {
    if !as_child() {
        return;
    }
    let var = |name| std::env::var(name).unwrap();
    let (root, points) = (var("ROOT"), var("POINTS").parse().unwrap());
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == var("SCENARIO")).unwrap();
    if scenario.from_the_start {
        faults::arm(points);
    }
    let mut publisher = create(Path::new(&root), scenario);
    if !scenario.from_the_start {
        faults::arm(points);
    }
    publish(&mut publisher, 1, scenario.lengths);
    if scenario.closes {
        publisher.close().unwrap();
    }
    faults::arm(u64::MAX);
    std::process::exit(0); // as if killed behind its last store
}

/// A subscriber that remembers which record each number stood for.
struct Witness {
    subscriber: RecordSubscriber,
    seen: BTreeMap<u64, u8>,
    lost: u64,
}

impl Witness {
    fn join(root: &Path, join: Join) -> Self {
        let subscriber = RecordSubscriber::options("r").root(root).join(join).open_records().unwrap();
        Witness { subscriber, seen: BTreeMap::new(), lost: 0 }
    }

    /// Reads what there is. Returns the number of the next record.
    fn read(&mut self, scenario: &Scenario, context: &str) -> u64 {
        loop {
            match self.subscriber.try_recv() {
                Ok(record) => {
                    let kind = record.kind;
                    let Some(length) = length_of(scenario, kind) else { panic!("{context}: a record of kind {kind}") };
                    assert_eq!(record.bytes, bytes_of(kind, length), "{context}: {record:?} is torn");
                    self.seen.insert(record.number, kind);
                }
                Err(TryRecvError::Lagged { missed }) => self.lost += missed,
                Err(TryRecvError::Restarted { .. }) => {}
                Err(TryRecvError::Empty | TryRecvError::PublisherDead | TryRecvError::Closed) => break,
                Err(error) => panic!("{context}: {error}"),
            }
        }
        let account = self.subscriber.account();
        assert_eq!((account.lost, account.received), (self.lost, self.seen.len() as u64), "{context}");
        assert_eq!(account.first + account.received + account.lost, account.sequence, "{context}");
        account.sequence
    }
}

/// Numbers stand for one record each, and those of one publisher follow each other.
fn agree(witnesses: &[Witness], context: &str) {
    let mut all = BTreeMap::new();
    for (&number, &kind) in witnesses.iter().flat_map(|witness| &witness.seen) {
        let before = *all.entry(number).or_insert(kind);
        assert_eq!(before, kind, "{context}: number {number} stood for another record");
    }
    for ((number, kind), (next, next_kind)) in all.iter().zip(all.iter().skip(1)) {
        if next == &(number + 1) {
            assert!(*next_kind == kind + 1 || next_kind & 31 == 0 && next_kind >> 5 > kind >> 5, "{context}: {all:?}");
        }
    }
}

#[test]
fn killed_at_every_store() {
    for scenario in &SCENARIOS {
        points_of(scenario.name, |points| {
            let context = &*format!("{}, killed at {points}", scenario.name);
            let root = PrivateRoot::new();
            let mut publisher = create(root.path(), scenario);
            publish(&mut publisher, 0, scenario.before);
            publisher.leave();
            let mut there = Witness::join(root.path(), Join::Oldest);
            let mut command = child("publish_and_die");
            command.env("ROOT", root.path()).env("POINTS", points.to_string()).env("SCENARIO", scenario.name);
            let status = command.stdout(Stdio::null()).spawn().unwrap().wait().unwrap();

            let end = there.read(scenario, context);
            let mut witnesses = vec![there];
            for join in [Join::Oldest, Join::Sequence(1), Join::Latest, Join::Sequence(end + 1)] {
                let mut witness = Witness::join(root.path(), join);
                let sequence = witness.read(scenario, context);
                let expected =
                    if join == Join::Sequence(end + 1) { end + 1 } else { end.max(witness.subscriber.account().first) };
                assert_eq!(sequence, expected, "{context}: {join:?} ends elsewhere than one that was there");
                witnesses.push(witness);
            }
            assert_eq!(witnesses[3].subscriber.account().first, end, "{context}: Latest is elsewhere");
            // The oldest that was there can still be read, or was overwritten up to the end of a ring that is full.
            let held = end - witnesses[1].subscriber.account().first;
            assert!(held > 0 || end == 0 || scenario.capacity == 2, "{context}: nothing is left of {end} records");

            let mut publisher = create(root.path(), scenario);
            if publisher.epoch() == 1 {
                // It was closed: another ring goes on with the numbers.
                assert!(
                    scenario.closes && publisher.published() == end,
                    "{context}: a new ring at {}",
                    publisher.published()
                );
                return status;
            }
            assert_eq!(publisher.published(), end, "{context}: it goes on elsewhere");
            // It has published nothing yet: what its predecessors left is found all the same.
            if let Some(last) = end.checked_sub(1) {
                let mut witness = Witness::join(root.path(), Join::Sequence(last));
                assert_eq!(witness.read(scenario, context), end, "{context}: before the next record");
                assert!(
                    witness.seen.contains_key(&last),
                    "{context}: the last record is not found: {:?}",
                    witness.seen
                );
            }
            publish(&mut publisher, 2, AFTERWARDS);
            for witness in &mut witnesses {
                assert_eq!(witness.read(scenario, context), end + 3, "{context}");
            }
            agree(&witnesses, context);
            status
        });
    }
}

/// What a relay does: a record of so many bytes, numbers passed over, or epochs that begin.
#[derive(Clone, Copy)]
enum Do {
    Publish(usize),
    PassOver(u64),
    Begin(u64),
}

const BEFORE: &[Do] = &[Do::Publish(40), Do::PassOver(3)];
const RELAYED: &[Do] = &[
    Do::Publish(40),
    Do::PassOver(5),
    Do::PassOver(1),
    Do::Publish(9),
    Do::Begin(2),
    Do::PassOver(1 << 20),
    Do::Publish(0),
];
const BEHIND: &[Do] = &[Do::Publish(20), Do::PassOver(2), Do::Publish(48)];

fn relay(root: &Path, capacity: usize) -> RecordRelayPublisher {
    let options = RecordRelayPublisher::options("r", RecordsFormat::encoded("test")).root(root).capacity(capacity);
    options.create_record_relay(7, 10, 3).unwrap()
}

/// The bytes of a record say its number.
fn relayed_bytes(number: u64, length: usize) -> Vec<u8> {
    (0..length).map(|index| (number as usize * 31 + index * 7) as u8).collect()
}

fn act(relay: &mut RecordRelayPublisher, doings: &[Do]) {
    for doing in doings {
        let next = relay.published();
        match *doing {
            Do::Publish(length) => _ = relay.publish(length as u8, &relayed_bytes(next, length)).unwrap(),
            Do::PassOver(count) => relay.pass_over(next + count).unwrap(),
            Do::Begin(ahead) => relay.begin_epoch(relay.epoch() + ahead).unwrap(),
        }
    }
}

#[test]
#[ignore = "a child of other tests"]
fn relay_and_die() {
    if !as_child() {
        return;
    }
    let var = |name| std::env::var(name).unwrap();
    let (root, points, capacity) = (var("ROOT"), var("POINTS").parse().unwrap(), var("CAPACITY").parse().unwrap());
    let from_the_start = var("FROM") == "start";
    if from_the_start {
        faults::arm(points);
    }
    let mut publisher = relay(Path::new(&root), capacity);
    if !from_the_start {
        faults::arm(points);
    }
    act(&mut publisher, RELAYED);
    faults::arm(u64::MAX);
    std::process::exit(0); // as if killed behind its last store
}

/// Reads what there is. Returns the number of the next record, and the epochs that it was told of.
fn read_relayed(subscriber: &mut RecordSubscriber, context: &str) -> (u64, Vec<u64>) {
    let mut epochs = Vec::new();
    loop {
        match subscriber.try_recv() {
            Ok(record) => {
                let expected = relayed_bytes(record.number, record.kind.into());
                assert_eq!(record.bytes, expected, "{context}: {record:?} is torn");
            }
            Err(TryRecvError::Lagged { .. }) => {}
            Err(TryRecvError::Restarted { epoch, .. }) => epochs.push(epoch),
            Err(TryRecvError::Empty | TryRecvError::PublisherDead) => break,
            Err(error) => panic!("{context}: {error}"),
        }
    }
    let account = subscriber.account();
    assert_eq!(account.first + account.received + account.lost + account.skipped, account.sequence, "{context}");
    (account.sequence, epochs)
}

#[test]
fn a_relay_killed_at_every_store() {
    for (capacity, from) in [(2, "ring"), (4, "start"), (8, "ring"), (16, "start")] {
        points_of(&format!("relay of {capacity} slots from the {from}"), |points| {
            let context = &*format!("{capacity} slots from the {from}, killed at {points}");
            let root = PrivateRoot::new();
            let join = |join| RecordSubscriber::options("r").root(&root).join(join).open_records().unwrap();
            let mut first = relay(root.path(), capacity);
            act(&mut first, BEFORE);
            first.leave();
            let mut there = join(Join::Oldest);
            let mut command = child("relay_and_die");
            command.env("ROOT", root.path()).env("POINTS", points.to_string());
            command.env("CAPACITY", capacity.to_string()).env("FROM", from);
            let status = command.stdout(Stdio::null()).spawn().unwrap().wait().unwrap();

            let (end, told) = read_relayed(&mut there, context);
            assert!(end >= 14, "{context}: it goes back to {end}");
            let mut late = [Join::Oldest, Join::Sequence(12), Join::Sequence(15), Join::Latest].map(join);
            for subscriber in &mut late {
                let first = subscriber.account().first;
                let (sequence, _) = read_relayed(subscriber, context);
                assert_eq!(sequence, end.max(first), "{context}: one that joined at {first}");
            }
            assert_eq!(late[3].account().first, end, "{context}: Latest is elsewhere");

            // Twice: the first leaves what the second finds.
            let mut epochs = Vec::new();
            for _ in 0..2 {
                let again = relay(root.path(), capacity);
                assert_eq!(again.published(), end, "{context}: it goes on elsewhere");
                epochs.push(again.epoch());
                again.leave();
            }
            let mut last = relay(root.path(), capacity);
            let began = (3..=5).contains(&last.epoch()) && told.iter().all(|told| *told <= last.epoch());
            assert!(began && epochs == [last.epoch(); 2], "{context}: epochs {epochs:?}, told of {told:?}");
            act(&mut last, BEHIND);
            for subscriber in [&mut there].into_iter().chain(&mut late) {
                assert_eq!(read_relayed(subscriber, context).0, end + 4, "{context}");
            }
            let verdict = feed_ring::inspect::Ring::open(&root, "r").unwrap().verify();
            assert!(verdict.is_fine(), "{context}: {verdict:?}");
            status
        });
    }
}
