//! A relay publishes another ring's messages, with that ring's numbers and epochs. Its subscribers cannot tell the difference.

use std::time::Duration;

use feed_ring::inspect::Unread;
use feed_ring::keyed::SnapshotError;
use feed_ring::raw::{MessageFormat, NotFollowing, RelayPublisher};
use feed_ring::{
    Join, KeyedSubscriber, OpenError, Publisher, PublisherOptions, Subscriber, TryRecvError, inspect, raw,
};
use feed_testing::PrivateRoot;

/// The nonce of the ring that is relayed.
const SOURCE: u64 = 0x5eed;

fn options(root: &PrivateRoot) -> PublisherOptions<raw::Relay> {
    RelayPublisher::options("far", MessageFormat::of::<u64>()).root(root).capacity(8)
}

fn subscriber(root: &PrivateRoot, join: Join) -> Subscriber<u64> {
    Subscriber::options("far").root(root).join(join).open().unwrap()
}

/// Everything that a subscriber is told, until it would wait: messages as their number and content, events as they are.
fn told(subscriber: &mut Subscriber<u64>) -> Vec<Result<(u64, u64), TryRecvError>> {
    std::iter::from_fn(|| match subscriber.try_recv() {
        Ok(message) => Some(Ok((subscriber.sequence() - 1, message))),
        Err(TryRecvError::Empty | TryRecvError::PublisherDead) => None,
        Err(error) => Some(Err(error)),
    })
    .collect()
}

fn publish(relay: &mut RelayPublisher, message: u64) -> u64 {
    relay.publish(&message.to_ne_bytes())
}

#[test]
fn a_relay_has_the_numbers_and_epochs_of_its_source() {
    let root = PrivateRoot::new();
    let mut relay = options(&root).create_relay(SOURCE, 1_000, 5).unwrap();
    let mut there = subscriber(&root, Join::Oldest);
    assert_eq!((there.first(), there.epoch()), (1_000, 5));
    assert_eq!(publish(&mut relay, 70), 1_000);
    relay.pass_over(1_004);
    assert_eq!(publish(&mut relay, 74), 1_004);
    assert_eq!(relay.begin_epoch(8), Ok(()));
    assert_eq!(publish(&mut relay, 75), 1_005);
    let all = [
        Ok((1_000, 70)),
        Err(TryRecvError::Lagged { missed: 3 }),
        Ok((1_004, 74)),
        Err(TryRecvError::Restarted { epoch: 8, sequence: 1_005 }),
        Ok((1_005, 75)),
    ];
    assert_eq!(told(&mut there), all);
    assert_eq!((there.received(), there.lost()), (3, 3));
    assert_eq!(told(&mut subscriber(&root, Join::Oldest)), all);
    for (number, missed) in [(1_001, 3), (1_002, 2), (1_003, 1)] {
        let expected = Err(TryRecvError::Lagged { missed });
        assert_eq!(told(&mut subscriber(&root, Join::Sequence(number)))[0], expected, "joined at {number}");
    }
    assert_eq!(
        subscriber(&root, Join::Sequence(1_002)).recv_timeout(Duration::from_secs(60)),
        Err(TryRecvError::Lagged { missed: 2 })
    );
}

#[test]
fn the_newest_is_a_message_and_not_what_was_passed_over_behind_it() {
    let root = PrivateRoot::new();
    let mut relay = options(&root).create_relay(SOURCE, 0, 1).unwrap();
    let mut there = subscriber(&root, Join::Oldest);
    publish(&mut relay, 7);
    publish(&mut relay, 8);
    relay.pass_over(5);
    assert_eq!(there.latest(), Ok(8));
    assert_eq!(there.skipped(), 1);
    assert_eq!(there.latest(), Err(TryRecvError::Empty));
    assert_eq!(
        (there.skipped(), there.sequence()),
        (4, 5),
        "what is overwritten on the way to the newest is skipped, too"
    );
    assert_eq!(subscriber(&root, Join::Latest).first(), 5);
}

#[test]
fn any_number_of_messages_is_passed_over() {
    for first in 0..9 {
        for count in 1..40 {
            let root = PrivateRoot::new();
            let mut relay = options(&root).create_relay(SOURCE, 0, 1).unwrap();
            let mut there = subscriber(&root, Join::Oldest);
            (0..first).for_each(|number| assert_eq!(publish(&mut relay, number), number));
            let mut behind = subscriber(&root, Join::Sequence(first));
            relay.pass_over(first + count);
            let next = publish(&mut relay, 99);
            assert_eq!(next, first + count);
            // Once, unless the message behind it has already marked the slot.
            assert_eq!(told(&mut behind).last(), Some(&Ok((next, 99))), "{first} {count}");
            assert_eq!((behind.received(), behind.lost()), (1, count), "{first} {count}");
            for join in (0..=next).map(Join::Sequence).chain([Join::Oldest]) {
                let mut joined = subscriber(&root, join);
                assert_eq!(told(&mut joined).last(), Some(&Ok((next, 99))), "{first} {count} {join:?}");
                assert_eq!(joined.first() + joined.received() + joined.lost(), next + 1);
            }
            told(&mut there);
            assert_eq!(there.received() + there.lost(), next + 1);
            let ring = inspect::Ring::open(&root, "far").unwrap();
            assert!(ring.verify().is_fine(), "{first} {count}: {:?}", ring.verify());
            let mut bytes = Vec::new();
            assert_eq!(ring.read(next - 1, &mut bytes), Err(Unread::PassedOver { until: next }));
            assert_eq!(ring.read(next, &mut bytes), Ok(()));
        }
    }
}

#[test]
fn whoever_takes_a_relay_over_goes_on_in_its_epoch() {
    let root = PrivateRoot::new();
    let mut relay = options(&root).create_relay(SOURCE, 10, 3).unwrap();
    let mut there = subscriber(&root, Join::Oldest);
    publish(&mut relay, 1);
    relay.pass_over(30);
    relay.leave();
    assert_eq!(told(&mut there).len(), 2);
    let mut relay = options(&root).create_relay(SOURCE, 500, 9).unwrap();
    assert_eq!((relay.published(), relay.epoch()), (30, 3), "what the ring says, not what a new one would begin with");
    assert!(there.wait_for_publisher(Duration::ZERO));
    publish(&mut relay, 2);
    assert_eq!(told(&mut there), [Ok((30, 2))], "no restart");
    relay.close().unwrap();
    assert_eq!(there.try_recv(), Err(TryRecvError::Closed));
}

/// Leaves a relay of eight slots as it is if it published 0 to 3 and was killed after it said in the first slot that all up to `until`
/// are passed over.
fn killed_while_it_passed_over(root: &PrivateRoot, until: u64) {
    let mut relay = options(root).create_relay(SOURCE, 0, 1).unwrap();
    (0..4).for_each(|number| assert_eq!(publish(&mut relay, number), number));
    let segment = relay.path().unwrap().join("segment");
    let before = std::fs::read(&segment).unwrap();
    relay.leave();
    let mut killed = std::fs::read(&segment).unwrap();
    let slot = before.chunks_exact(16).position(|words| words[..8] == (2 * 4 + 1u64).to_ne_bytes()).unwrap() * 16;
    killed[slot..slot + 8].copy_from_slice(&((1u64 << 63) | (2 * 4 + 2)).to_ne_bytes());
    killed[slot + 8..slot + 16].copy_from_slice(&until.to_ne_bytes());
    std::fs::write(&segment, killed).unwrap();
}

/// Leaves a relay of eight slots as it is if it published so many messages and was killed while it passed over `count` more, when it had
/// said so in the slots of the first `done`. Returns the segment.
fn killed_within(root: &PrivateRoot, published: u64, count: u64, done: u64) -> std::path::PathBuf {
    let mut relay = options(root).create_relay(SOURCE, 0, 1).unwrap();
    (0..published).for_each(|number| assert_eq!(publish(&mut relay, number), number));
    let segment = relay.path().unwrap().join("segment");
    let mut words: Vec<u64> =
        std::fs::read(&segment).unwrap().as_chunks().0.iter().map(|word| u64::from_ne_bytes(*word)).collect();
    relay.leave();
    let slots = words.len() - 8 * 8;
    let until = published + count;
    for number in published..published + done {
        let slot = slots + (number % 8 * 8) as usize;
        (words[slot], words[slot + 1]) = (1 << 63 | (2 * number + 2), until);
        if number + 1 < published + count.min(8) {
            words[slots + ((number + 1) % 8 * 8) as usize] = 2 * (number + 1) + 1;
        }
    }
    std::fs::write(&segment, words.into_iter().flat_map(u64::to_ne_bytes).collect::<Vec<u8>>()).unwrap();
    segment
}

#[test]
fn a_relay_that_was_killed_while_it_passed_over_messages_is_fine() {
    use std::os::unix::fs::FileExt as _;
    for published in [0, 3, 8, 21] {
        for count in 1..20 {
            for done in 1..=count.min(8) {
                let root = PrivateRoot::new();
                let segment = killed_within(&root, published, count, done);
                let verdict = || inspect::Ring::open(&root, "far").unwrap().verify();
                let context = format!("{published} published, {done} of {count}");
                assert!(verdict().is_fine(), "{context}: {:?}", verdict());
                // What is wrong in any ring is wrong in this one.
                let file = std::fs::File::options().write(true).open(&segment).unwrap();
                let slots = file.metadata().unwrap().len() - 8 * 64;
                let slot = (published + count.min(8) - 1) % 8;
                for wrong in [2 * slot + 3, 2 * (slot + 8 * 1000) + 1, 2 * (slot + 8 * 1000) + 2] {
                    let before = std::fs::read(&segment).unwrap();
                    file.write_at(&wrong.to_ne_bytes(), slots + slot * 64).unwrap();
                    assert!(!verdict().is_fine(), "{context}: {wrong} in slot {slot}");
                    file.write_at(&before, 0).unwrap();
                }
                let relay = options(&root).create_relay(SOURCE, 0, 1).unwrap();
                assert_eq!(relay.published(), published + count);
                assert!(verdict().is_fine(), "{context}, taken over: {:?}", verdict());
            }
        }
    }
}

#[test]
fn what_a_killed_relay_began_to_pass_over_is_passed_over() {
    for until in 5..40 {
        let root = PrivateRoot::new();
        killed_while_it_passed_over(&root, until);
        for _ in 0..2 {
            let relay = options(&root).create_relay(SOURCE, 0, 1).unwrap();
            assert_eq!(relay.published(), until, "no takeover goes back");
            relay.leave();
        }
        let mut relay = options(&root).create_relay(SOURCE, 0, 1).unwrap();
        publish(&mut relay, 99);
        for number in 4..until {
            let mut joined = subscriber(&root, Join::Sequence(number));
            assert_eq!(told(&mut joined).last(), Some(&Ok((until, 99))), "{number} of those up to {until}");
        }
    }
}

#[test]
fn a_fresh_relay_begins_where_it_is_told() {
    let root = PrivateRoot::new();
    let mut relay = options(&root).create_relay(SOURCE, 100, 3).unwrap();
    let mut there = subscriber(&root, Join::Oldest);
    publish(&mut relay, 1);
    relay.leave();
    let relay = options(&root).fresh(true).create_relay(SOURCE, 7, 20).unwrap();
    assert_eq!((relay.published(), relay.epoch()), (7, 20));
    assert_eq!(there.try_recv(), Ok(1));
    assert_eq!(there.try_recv(), Err(TryRecvError::Superseded));
}

#[test]
fn a_relay_of_another_source_supersedes() {
    let root = PrivateRoot::new();
    let mut near = Publisher::<u64>::options("near").root(&root).capacity(8).create().unwrap();
    near.publish(&1);
    let source = raw::Subscriber::options("near").root(&root).open_raw().unwrap().nonce();
    assert_eq!(inspect::Ring::open(&root, "near").unwrap().facts().nonce, source);
    let mut relay = options(&root).create_relay(source, 100, 3).unwrap();
    assert_eq!(relay.source(), source);
    let mut there = subscriber(&root, Join::Oldest);
    publish(&mut relay, 1);
    relay.leave();
    assert_eq!(inspect::Ring::open(&root, "far").unwrap().facts().source, Some(source));
    let relay = options(&root).create_relay(source ^ 1, 101, 3).unwrap();
    assert_eq!(there.try_recv(), Ok(1));
    assert_eq!(there.try_recv(), Err(TryRecvError::Superseded), "the same numbers of another ring");
    drop(relay);
    assert_eq!(inspect::Ring::open(&root, "near").unwrap().facts().source, None);
}

#[test]
fn only_the_next_epochs_can_begin() {
    let root = PrivateRoot::new();
    let mut relay = options(&root).create_relay(SOURCE, 0, 4).unwrap();
    for found in [0, 4, 11, u64::MAX] {
        assert_eq!(relay.begin_epoch(found), Err(NotFollowing { newest: 4, found }));
    }
    assert_eq!(relay.begin_epoch(10), Ok(()));
    assert_eq!(relay.epoch(), 10);
}

#[test]
fn an_ordinary_publisher_and_a_relay_do_not_take_over_each_others_rings() {
    let root = PrivateRoot::new();
    let ordinary = || Publisher::<u64>::options("far").root(&root).capacity(8);
    let mut publisher = ordinary().create().unwrap();
    publisher.publish(&1);
    publisher.leave();
    let mut relay = options(&root).create_relay(SOURCE, 50, 2).unwrap();
    assert_eq!(publish(&mut relay, 1), 50, "a new ring");
    relay.leave();
    let publisher = ordinary().create().unwrap();
    assert_eq!((publisher.published(), publisher.epoch()), (51, 1), "a new ring, behind the relay's");
}

#[test]
fn a_sealed_relay_begins_where_it_is_told() {
    let root = PrivateRoot::new();
    let socket = root.path().join("far.sock");
    let format = MessageFormat::of::<u64>();
    let mut relay =
        RelayPublisher::options("far", format).capacity(8).serve(&socket).create_relay(SOURCE, 40, 6).unwrap();
    let mut there = Subscriber::<u64>::connect(&socket).join(Join::Oldest).open().unwrap();
    publish(&mut relay, 1);
    relay.pass_over(45);
    assert_eq!(told(&mut there), [Ok((40, 1)), Err(TryRecvError::Lagged { missed: 4 })]);
    assert_eq!((there.first(), there.epoch(), there.sequence()), (40, 6, 45));
}

#[test]
fn numbers_that_no_ring_reaches_are_refused() {
    let root = PrivateRoot::new();
    let refused = |what: fn(&PrivateRoot)| assert!(std::panic::catch_unwind(|| what(&root)).is_err());
    refused(|root| drop(options(root).create_relay(SOURCE, (1 << 62) - 1, 1)));
    refused(|root| drop(options(root).create_relay(SOURCE, 0, 0)));
    refused(|root| drop(options(root).create_relay(SOURCE, 0, 1 << 63)));
    refused(|root| options(root).create_relay(SOURCE, 5, 1).unwrap().pass_over(5));
    refused(|root| options(root).create_relay(SOURCE, 5, 1).unwrap().pass_over((1 << 62) - 1));
}

#[test]
fn an_unknown_version_is_still_refused() {
    let root = PrivateRoot::new();
    let relay = options(&root).create_relay(SOURCE, 0, 1).unwrap();
    let segment = relay.path().unwrap().join("segment");
    use std::os::unix::fs::FileExt as _;
    std::fs::File::options().write(true).open(segment).unwrap().write_at(&4u64.to_ne_bytes(), 8).unwrap();
    let opened = Subscriber::<u64>::options("far").root(&root).open();
    assert!(matches!(opened, Err(OpenError::Abi { found: 4, .. })), "{opened:?}");
}

#[test]
fn a_table_is_kept_for_a_relay() {
    let root = PrivateRoot::new();
    let mut relay = options(&root).create_relay(SOURCE, 100, 3).unwrap();
    let format = MessageFormat::of::<u64>;
    let mut table =
        raw::TableWriter::options("far.table", format(), format()).root(&root).capacity(4).create_raw_table().unwrap();
    let join =
        || KeyedSubscriber::<u64, u64>::options("far").root(&root).open_keyed(|message| Some(message % 10)).unwrap();
    assert_eq!(join().snapshot(), Err(SnapshotError::NotKept));
    table.keep_for(&relay);
    let store = |relay: &mut RelayPublisher, table: &mut raw::TableWriter, message: u64| {
        let row = table.row(&(message % 10).to_ne_bytes()).unwrap();
        table.go_on_with(relay.published());
        assert_eq!(table.store(row, &message.to_ne_bytes()), relay.published());
        publish(relay, message)
    };
    store(&mut relay, &mut table, 41);
    store(&mut relay, &mut table, 52);
    let mut there = join();
    let snapshot = there.snapshot().unwrap();
    assert_eq!(snapshot.complete_at, 102);
    assert_eq!(
        snapshot.rows.iter().map(|(key, stored)| (*key, stored.number, stored.value)).collect::<Vec<_>>(),
        [(1, 100, 41), (2, 101, 52)]
    );
    store(&mut relay, &mut table, 61);
    assert_eq!(there.try_recv().unwrap().message, 61);
    relay.begin_epoch(4).unwrap();
    assert_eq!(join().snapshot(), Err(SnapshotError::NotKept), "not in this epoch");
    table.keep_for(&relay);
    assert!(join().snapshot().is_ok());
}
