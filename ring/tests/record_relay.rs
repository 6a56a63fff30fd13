//! A relay of records publishes another ring's records, with that ring's numbers and epochs. Its subscribers cannot tell the
//! difference.

use std::time::Duration;

use feed_ring::inspect::{self, Unread};
use feed_ring::raw::{NotFollowing, RecordRelay, RecordRelayPublisher, TooFar};
use feed_ring::records::RecordsFormat;
use feed_ring::{Join, PublisherOptions, RecordPublisher, RecordSubscriber, TryRecvError};
use feed_testing::PrivateRoot;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// The nonce of the ring that is relayed.
const SOURCE: u64 = 0x5eed;
const CAPACITY: u64 = 16;

fn options(root: &PrivateRoot) -> PublisherOptions<RecordRelay> {
    RecordRelayPublisher::options("far", RecordsFormat::encoded("test")).root(root).capacity(CAPACITY as usize)
}

fn subscriber(root: &PrivateRoot, join: Join) -> RecordSubscriber {
    RecordSubscriber::options("far").root(root).join(join).open_records().unwrap()
}

/// The bytes of a record of this number and length.
fn bytes_of(number: u64, length: usize) -> Vec<u8> {
    (0..length).map(|index| (number as usize * 31 + index * 7) as u8).collect()
}

fn publish(relay: &mut RecordRelayPublisher, length: usize) -> u64 {
    let number = relay.published();
    relay.publish(length as u8, &bytes_of(number, length)).unwrap()
}

/// Everything that a subscriber is told, until it would wait: records as their numbers, events as they are.
fn told(subscriber: &mut RecordSubscriber) -> Vec<Result<u64, TryRecvError>> {
    let mut all = Vec::new();
    loop {
        match subscriber.try_recv() {
            Ok(record) => {
                assert_eq!(record.bytes, bytes_of(record.number, record.kind.into()), "torn: {record:?}");
                all.push(Ok(record.number));
            }
            Err(TryRecvError::Empty | TryRecvError::PublisherDead) => return all,
            Err(error) => all.push(Err(error)),
        }
    }
}

fn account_holds(subscriber: &RecordSubscriber) -> bool {
    let account = subscriber.account();
    account.first + account.received + account.lost + account.skipped == account.sequence
}

fn assert_sound(root: &PrivateRoot) {
    let verdict = inspect::Ring::open(root, "far").unwrap().verify();
    assert!(verdict.is_fine(), "{verdict:?}");
}

#[test]
fn a_relay_has_the_numbers_and_epochs_of_its_source() {
    let root = PrivateRoot::new();
    let mut relay = options(&root).create_record_relay(SOURCE, 1_000, 5).unwrap();
    let mut there = subscriber(&root, Join::Oldest);
    assert_eq!((there.account().first, there.account().epoch), (1_000, 5));
    assert_eq!(publish(&mut relay, 70), 1_000);
    relay.pass_over(1_004).unwrap();
    assert_eq!(publish(&mut relay, 0), 1_004);
    assert_eq!(relay.begin_epoch(8), Ok(()));
    assert_eq!(publish(&mut relay, 160), 1_005);
    let all = [
        Ok(1_000),
        Err(TryRecvError::Lagged { missed: 3 }),
        Ok(1_004),
        Err(TryRecvError::Restarted { epoch: 8, sequence: 1_005 }),
        Ok(1_005),
    ];
    assert_eq!(told(&mut there), all);
    assert_eq!(told(&mut subscriber(&root, Join::Oldest)), all);
    for (number, missed) in [(1_001, 3), (1_002, 2), (1_003, 1)] {
        let mut joined = subscriber(&root, Join::Sequence(number));
        let expected = Err(TryRecvError::Lagged { missed });
        assert_eq!(told(&mut joined), [&[expected], &all[2..]].concat(), "joined at {number}");
        assert!(account_holds(&joined));
    }
    assert_eq!(
        subscriber(&root, Join::Sequence(1_002)).recv_timeout(Duration::from_secs(60)).unwrap_err(),
        TryRecvError::Lagged { missed: 2 }
    );
    assert!(account_holds(&there));
}

#[test]
fn the_newest_is_a_record_and_not_what_was_passed_over_behind_it() {
    let root = PrivateRoot::new();
    let mut relay = options(&root).create_record_relay(SOURCE, 0, 1).unwrap();
    let mut there = subscriber(&root, Join::Oldest);
    publish(&mut relay, 60);
    publish(&mut relay, 7);
    relay.pass_over(5).unwrap();
    relay.pass_over(9).unwrap();
    assert_eq!(there.latest().unwrap().number, 1);
    assert_eq!(there.latest(), Err(TryRecvError::Empty));
    assert_eq!((there.account().skipped, there.sequence()), (8, 9), "what is passed over on the way is skipped, too");
    assert_eq!(subscriber(&root, Join::Latest).sequence(), 9);
    publish(&mut relay, 8);
    assert_eq!(there.latest().unwrap().number, 9);
    // Nothing but what was passed over is left.
    for further in 0..CAPACITY + 3 {
        relay.pass_over(11 + further).unwrap();
    }
    assert_eq!(told(&mut subscriber(&root, Join::Oldest)), []);
    let mut there = subscriber(&root, Join::Sequence(3));
    let lost = told(&mut there).len();
    assert!(lost > 0 && there.sequence() == relay.published() && account_holds(&there), "{there:?}");
    assert_sound(&root);
}

#[test]
fn whoever_takes_over_goes_on_behind_what_was_passed_over_in_the_same_epoch() {
    let root = PrivateRoot::new();
    let mut relay = options(&root).create_record_relay(SOURCE, 10, 4).unwrap();
    let mut there = subscriber(&root, Join::Oldest);
    publish(&mut relay, 100);
    relay.pass_over(90).unwrap();
    relay.leave();
    for _ in 0..2 {
        let relay = options(&root).create_record_relay(SOURCE, 7, 1).unwrap();
        assert_eq!((relay.published(), relay.epoch(), relay.source()), (90, 4, SOURCE));
        relay.leave();
    }
    let mut relay = options(&root).create_record_relay(SOURCE, 7, 1).unwrap();
    publish(&mut relay, 100);
    assert_eq!(told(&mut there), [Ok(10), Err(TryRecvError::Lagged { missed: 79 }), Ok(90)]);
    relay.leave();
    assert_eq!(inspect::Ring::open(&root, "far").unwrap().facts().source, Some(SOURCE));
    let relay = options(&root).create_record_relay(SOURCE ^ 1, 91, 4).unwrap();
    assert_eq!(there.try_recv(), Err(TryRecvError::Superseded), "the same numbers of another ring");
    assert_eq!(relay.source(), SOURCE ^ 1);
}

#[test]
fn an_ordinary_publisher_and_a_relay_do_not_take_over_each_others_rings() {
    let root = PrivateRoot::new();
    let ordinary = || {
        let options = RecordPublisher::options("far", RecordsFormat::encoded("test")).root(&root);
        options.capacity(CAPACITY as usize).create_records().unwrap()
    };
    let mut publisher = ordinary();
    publisher.publish(0, b"").unwrap();
    publisher.leave();
    let mut relay = options(&root).create_record_relay(SOURCE, 50, 2).unwrap();
    assert_eq!(publish(&mut relay, 1), 50, "a new ring");
    relay.leave();
    assert_eq!(ordinary().published(), 51, "a new ring");
}

#[test]
fn no_more_numbers_are_passed_over_than_can_be_told_apart() {
    let root = PrivateRoot::new();
    let mut relay = options(&root).create_record_relay(SOURCE, 0, 1).unwrap();
    let mut there = subscriber(&root, Join::Oldest);
    publish(&mut relay, 3);
    let most = (1 << 32) - CAPACITY - 1;
    assert_eq!(relay.pass_over(most + 1), Err(TooFar { oldest: 0, until: most + 1, most }));
    assert_eq!(relay.published(), 1, "nothing was passed over");
    relay.pass_over(most - 1).unwrap();
    publish(&mut relay, 3);
    assert_eq!(relay.pass_over(most + 1), Err(TooFar { oldest: 0, until: most + 1, most }));
    let numbers: Vec<u64> = (0..CAPACITY - 4).map(|_| publish(&mut relay, 3)).collect();
    let first = [Ok(0), Err(TryRecvError::Lagged { missed: most - 2 }), Ok(most - 1)];
    let all: Vec<_> = first.into_iter().chain(numbers.into_iter().map(Ok)).collect();
    assert_eq!(told(&mut there), all);
    assert_eq!(told(&mut subscriber(&root, Join::Oldest)), all, "the oldest is before what was passed over");
}

#[test]
fn only_the_next_epochs_can_begin() {
    let root = PrivateRoot::new();
    let mut relay = options(&root).create_record_relay(SOURCE, 0, 4).unwrap();
    for found in [0, 4, 11, u64::MAX] {
        assert_eq!(relay.begin_epoch(found), Err(NotFollowing { newest: 4, found }));
    }
    assert_eq!(relay.begin_epoch(10), Ok(()));
}

#[test]
fn numbers_that_no_ring_reaches_are_refused() {
    let root = PrivateRoot::new();
    let refused = |what: fn(&PrivateRoot)| assert!(std::panic::catch_unwind(|| what(&root)).is_err());
    refused(|root| drop(options(root).create_record_relay(SOURCE, (1 << 62) - 1, 1)));
    refused(|root| drop(options(root).create_record_relay(SOURCE, 0, 0)));
    refused(|root| _ = options(root).create_record_relay(SOURCE, 5, 1).unwrap().pass_over(5));
    refused(|root| _ = options(root).create_record_relay(SOURCE, 5, 1).unwrap().pass_over((1 << 62) - 1));
}

/// What a relay does.
#[derive(Clone, Debug)]
enum Do {
    Publish(usize),
    PassOver(u64),
    TakeOver,
    Epoch(u64),
    /// The subscriber reads so many records or events.
    Read(usize),
    Latest,
}

fn doings() -> impl Strategy<Value = Vec<Do>> {
    let one = prop_oneof![
        8 => prop_oneof![0..50usize, 0..=255usize].prop_map(|length| Do::Publish(length.min(216))),
        4 => prop_oneof![1..5u64, 1..40u64, Just(1 << 29)].prop_map(Do::PassOver),
        1 => Just(Do::TakeOver),
        1 => (1..4u64).prop_map(Do::Epoch),
        3 => (1..12usize).prop_map(Do::Read),
        1 => Just(Do::Latest),
    ];
    proptest::collection::vec(one, 1..60)
}

/// The truth: what became of each number, and where epochs began.
#[derive(Default)]
struct Truth {
    /// Lengths of the records that were published.
    records: std::collections::BTreeMap<u64, usize>,
    epochs: Vec<(u64, u64)>,
    next: u64,
}

impl Truth {
    /// Asks once, and checks what comes. False if there was nothing.
    fn step(&self, subscriber: &mut RecordSubscriber, latest: bool) -> bool {
        let before = subscriber.sequence();
        let told = if latest { subscriber.latest_numbered() } else { subscriber.try_recv_numbered() };
        let told = told.map(|received| {
            let record = received.message;
            (record.number, record.kind, record.bytes.to_vec(), received.epoch)
        });
        assert!(account_holds(subscriber), "{subscriber:?}");
        match told {
            Ok((number, kind, bytes, epoch)) => {
                let length = self.records.get(&number).copied();
                assert_eq!(Some(bytes.len()), length, "record {number}");
                assert_eq!((usize::from(kind), bytes.clone()), (bytes.len(), bytes_of(number, bytes.len())));
                // 0 where the header does not know it any more.
                let (_, expected) = self.epochs.iter().rev().find(|(begin, _)| *begin <= number).unwrap();
                assert!([0, *expected].contains(&epoch), "record {number} of epoch {epoch}: {expected} expected");
                assert!(latest || number == before);
                if latest {
                    assert_eq!(self.records.keys().next_back(), Some(&number), "the newest");
                }
            }
            Err(TryRecvError::Lagged { missed }) => assert_eq!(before + missed, subscriber.sequence()),
            Err(TryRecvError::Restarted { epoch, sequence }) => assert!(self.epochs.contains(&(sequence, epoch))),
            Err(TryRecvError::RestartsUnknown { .. }) => {}
            Err(TryRecvError::Empty | TryRecvError::PublisherDead) => {
                assert_eq!(subscriber.sequence(), self.next, "it waits for a number that never comes");
                return false;
            }
            Err(error) => panic!("{error}"),
        }
        true
    }
}

/// Slots of a record.
fn slots_of(length: usize) -> u64 {
    1 + length.saturating_sub(48).div_ceil(56) as u64
}

#[test]
fn whatever_a_relay_does_its_subscribers_are_told_the_truth() {
    let config = Config { cases: 300, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&doings(), |doings| {
            let root = PrivateRoot::new();
            let make = || options(&root).keep(true).create_record_relay(SOURCE, 3, 2).unwrap();
            let mut truth = Truth { epochs: vec![(3, 2)], next: 3, ..Truth::default() };
            let mut relay = make();
            let mut there = subscriber(&root, Join::Oldest);
            // The slots that each record or gap takes, newest last.
            let mut slots: Vec<(u64, u64, bool)> = Vec::new();
            for doing in doings {
                match doing {
                    Do::Publish(length) => {
                        truth.records.insert(truth.next, length);
                        slots.push((truth.next, slots_of(length), true));
                        assert_eq!(publish(&mut relay, length), truth.next);
                    }
                    Do::PassOver(count) => match relay.pass_over(truth.next + count) {
                        Ok(()) => slots.push((truth.next, 1, false)),
                        Err(TooFar { oldest, until, most }) => assert!(until - oldest > most),
                    },
                    Do::TakeOver => {
                        relay.leave();
                        relay = make();
                        assert_eq!(relay.published(), truth.next.max(relay.published()));
                    }
                    Do::Epoch(ahead) => {
                        let epoch = relay.epoch();
                        relay.begin_epoch(epoch + ahead).unwrap();
                        (1..=ahead).for_each(|one| truth.epochs.push((relay.published(), epoch + one)));
                    }
                    Do::Read(count) => (0..count).for_each(|_| _ = truth.step(&mut there, false)),
                    Do::Latest => _ = truth.step(&mut there, true),
                }
                truth.next = relay.published();
            }
            // What is certainly left: everything in the last capacity - 1 slots.
            let mut room = CAPACITY - 1;
            let held = slots.iter().rev().take_while(|(_, slots, _)| {
                let fits = *slots <= room;
                room = room.saturating_sub(if fits { *slots } else { room });
                fits
            });
            let oldest = held.filter(|(_, _, is_record)| *is_record).last().map_or(truth.next, |(number, ..)| *number);
            assert_eq!(subscriber(&root, Join::Oldest).account().first, oldest);
            while truth.step(&mut there, false) {}
            let joins = (truth.next.saturating_sub(60)..truth.next + 2).map(Join::Sequence);
            for join in joins.chain([Join::Oldest, Join::Latest]) {
                let mut joined = subscriber(&root, join);
                let first = joined.sequence();
                if first <= truth.next {
                    while truth.step(&mut joined, false) {}
                }
                let received = truth.records.range(first.max(oldest)..).count() as u64;
                if first <= truth.next && first >= oldest {
                    assert_eq!(joined.account().received, received, "{join:?}");
                }
            }
            let ring = inspect::Ring::open(&root, "far").unwrap();
            let (mut bytes, mut read) = (Vec::new(), 0);
            let mut number = ring.held().start;
            assert_eq!((number, ring.held().end), (oldest, truth.next));
            while number < truth.next {
                match ring.read(number, &mut bytes) {
                    Ok(()) => (read, number) = (read + 1, number + 1),
                    Err(Unread::PassedOver { until }) => number = until,
                    Err(why) => panic!("{number}: {why}"),
                }
            }
            assert_eq!(read, truth.records.range(oldest..).count());
            assert_sound(&root);
            Ok(())
        })
        .unwrap();
}
