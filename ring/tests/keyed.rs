//! A ring and its table: what a late joiner knows is what one knows that was there from the start.

use std::collections::HashMap;
use std::time::Duration;

use feed_ring::keyed::{Holds, SnapshotError};
use feed_ring::{
    CreateError, Join, KeyedPublisher, KeyedSubscriber, OpenError, Payload, Publisher, RecvError, Subscriber,
    TableReader, TableWriter, TryRecvError, in_process_keyed,
};
use feed_testing::PrivateRoot;

/// Each message says which key it is of, and has its own number in it.
#[derive(Clone, Copy, Debug, PartialEq, Payload)]
#[repr(C)]
struct Quote {
    key: u64,
    number: u64,
    rest: [u64; 3],
}

fn quote(key: u64, number: u64) -> Quote {
    Quote { key, number, rest: [number; 3] }
}

type Feed = KeyedPublisher<u64, Quote>;
type Late = KeyedSubscriber<u64, Quote>;

const SLOTS: usize = 64;

fn publisher(root: &PrivateRoot) -> Feed {
    Feed::options("q").root(root).capacity(SLOTS).rows(100).create_keyed().unwrap()
}

fn join(root: &PrivateRoot) -> Late {
    Late::options("q").root(root).open_keyed(|quote| Some(quote.key)).unwrap()
}

fn publish(feed: &mut Feed, key: u64) -> u64 {
    let row = feed.row(&key).unwrap();
    let number = feed.ring().published();
    assert_eq!(feed.publish(row, &quote(key, number)), number);
    number
}

/// The state after some messages: the number of the last of each key.
type State = HashMap<u64, u64>;

fn state_of(late: &mut Late) -> (State, u64) {
    let snapshot = late.snapshot().unwrap();
    let state = snapshot.rows.iter().map(|(key, stored)| {
        assert_eq!(stored.value, quote(*key, stored.number), "a row is whole, and its message's");
        (*key, stored.number)
    });
    (state.collect(), snapshot.complete_at)
}

#[test]
fn a_late_joiner_knows_the_morning_and_gets_what_comes_after() {
    let root = PrivateRoot::new();
    let mut feed = publisher(&root);
    for n in 0..1000 {
        publish(&mut feed, n % 7);
    }
    feed.publish_without_row(&quote(99, 1000));
    let mut late = join(&root);
    publish(&mut feed, 3); // between the join and the copy
    let (state, complete_at) = state_of(&mut late);
    let expected =
        (0..7).map(|key| (key, if key == 3 { 1001 } else { (0..1000).rev().find(|n| n % 7 == key).unwrap() }));
    assert_eq!((state, complete_at), (expected.collect(), 1002));
    assert_eq!(late.try_recv(), Err(TryRecvError::Empty), "what is in the copy does not come again");
    publish(&mut feed, 3);
    publish(&mut feed, 50);
    assert_eq!(late.try_recv().map(|n| (n.number, n.message.key)), Ok((1002, 3)));
    assert_eq!(late.recv().map(|n| (n.number, n.message.key)), Ok((1003, 50)), "a key that the copy does not have");
    feed.close().unwrap();
    assert_eq!(late.recv(), Err(RecvError::Closed));
    assert!(root.names().is_empty(), "both are removed");
}

#[test]
fn one_that_was_lapped_copies_again_and_misses_nothing() {
    let root = PrivateRoot::new();
    let mut feed = publisher(&root);
    let mut late = join(&root);
    assert_eq!(state_of(&mut late), (State::new(), 0));
    for n in 0..1000 {
        publish(&mut feed, n % 80);
    }
    assert!(matches!(late.try_recv(), Err(TryRecvError::Lagged { .. })));
    let (mut state, complete_at) = state_of(&mut late);
    while let Ok(numbered) = late.try_recv() {
        state.insert(numbered.message.key, numbered.number);
    }
    let expected: State = (0..80).map(|key| (key, (0..1000).rev().find(|n| n % 80 == key).unwrap())).collect();
    assert_eq!((state, complete_at), (expected, 1000));
}

#[test]
fn a_publisher_that_takes_both_over_goes_on_with_rows_and_numbers() {
    let root = PrivateRoot::new();
    let mut feed = publisher(&root);
    let mut late = join(&root);
    state_of(&mut late);
    publish(&mut feed, 1);
    feed.leave();
    let mut feed = publisher(&root);
    assert_eq!((feed.ring().epoch(), feed.table().epoch(), feed.ring().published()), (2, 2, 1));
    let row = feed.row(&1).unwrap();
    assert_eq!(feed.get(row).unwrap().value, quote(1, 0));
    publish(&mut feed, 2);
    let of_the_first = late.try_recv().unwrap();
    assert_eq!((of_the_first.number, of_the_first.epoch), (0, 1));
    assert_eq!(late.try_recv(), Err(TryRecvError::Restarted { epoch: 2, sequence: 1 }));
    assert_eq!(state_of(&mut late).0, State::from([(1, 0), (2, 1)]));
    assert_eq!(state_of(&mut join(&root)).0, State::from([(1, 0), (2, 1)]));
}

#[test]
fn a_publisher_without_the_table_makes_it_worthless_and_that_is_said() {
    let root = PrivateRoot::new();
    let mut feed = publisher(&root);
    publish(&mut feed, 1);
    publish(&mut feed, 2);
    let mut late = join(&root);
    feed.leave();
    let plain = || Publisher::<Quote>::options("q").root(&root).capacity(SLOTS).create().unwrap();
    // One that publishes nothing takes nothing away.
    plain().leave();
    assert_eq!(late.snapshot().unwrap_err(), SnapshotError::NotKept, "while another publisher's epoch is the ring's");
    let feed = publisher(&root);
    assert_eq!((feed.ring().epoch(), feed.table().epoch()), (3, 2));
    assert_eq!(state_of(&mut late).0, State::from([(1, 0), (2, 1)]));
    feed.leave();
    // One that publishes leaves a message without a row.
    let mut other = plain();
    other.publish(&quote(1, 2));
    other.leave();
    let mut feed = publisher(&root);
    assert_eq!((feed.ring().epoch(), feed.table().epoch(), feed.table().len()), (5, 1, 0));
    assert_eq!((feed.ring().published(), feed.table().stores()), (3, 3));
    assert_eq!(late.snapshot().unwrap_err(), SnapshotError::Superseded, "that table was replaced");
    publish(&mut feed, 9);
    assert_eq!(state_of(&mut join(&root)), (State::from([(9, 3)]), 4));
}

/// More takeovers than the ring's header knows beginnings, which publish nothing and leave the table alone: as those do that
/// are killed after they have taken the ring over, and before they have the table.
fn pass_by(root: &PrivateRoot, takeovers: u64) {
    for _ in 0..takeovers {
        Publisher::<Quote>::options("q").root(root).capacity(SLOTS).create().unwrap().leave();
    }
}

/// Stores a row without its message, as a publisher does that is killed between the two.
fn store_alone(root: &PrivateRoot, quote: &Quote) {
    let mut table = TableWriter::<u64, Quote>::options("q.table").root(root).capacity(100).create_table().unwrap();
    let row = table.row(&quote.key).unwrap();
    assert_eq!(table.store(row, quote), quote.number);
    table.leave();
}

fn publish_alone(root: &PrivateRoot, quote: &Quote) {
    let mut other = Publisher::<Quote>::options("q").root(root).capacity(SLOTS).create().unwrap();
    other.publish(quote);
    other.leave();
}

/// What the table's last publisher left, what came after it, and what is to become of the table.
#[test]
fn takeovers_that_never_had_the_table_do_not_lose_it_however_many() {
    type Left = fn(&PrivateRoot, Feed);
    let whole: Left = |_, feed| feed.leave();
    let without_row: Left = |_, mut feed| {
        feed.publish_without_row(&quote(99, 3));
        feed.leave();
    };
    let without_message: Left = |root, feed| {
        feed.leave();
        store_alone(root, &quote(2, 3));
    };
    let another_message: Left = |root, feed| {
        feed.leave();
        publish_alone(root, &quote(2, 3));
    };
    let message_of_another: Left = |root, feed| {
        feed.leave();
        store_alone(root, &quote(2, 3));
        publish_alone(root, &quote(1, 3));
    };
    let the_same_message: Left = |root, feed| {
        feed.leave();
        store_alone(root, &quote(2, 3));
        publish_alone(root, &quote(2, 3));
    };
    let one_more: Left = |root, feed| {
        feed.leave();
        store_alone(root, &quote(2, 3));
        publish_alone(root, &quote(2, 3));
        publish_alone(root, &quote(1, 4));
    };
    let kept = |second: u64| Some(State::from([(1, 2), (2, second)]));
    let cases = [
        ("nothing unfinished", whole, kept(1), kept(1)),
        ("a message without a row", without_row, kept(1), kept(1)),
        ("a row without its message", without_message, kept(3), kept(3)),
        ("another publisher's message", another_message, None, None),
        ("a row, and another's message of its number", message_of_another, None, None),
        // Whether it was another's can be told from where that one began, and without that does not matter.
        ("a row, and the same message of another", the_same_message, None, kept(3)),
        ("a row, its message and one more of another", one_more, None, None),
    ];
    for takeovers in [0, 1, 5, 6, 7, 8, 20] {
        for (name, leave, known, unknown) in &cases {
            let root = PrivateRoot::new();
            let mut feed = publisher(&root);
            for key in [1, 2, 1] {
                publish(&mut feed, key);
            }
            leave(&root, feed);
            pass_by(&root, takeovers);
            let mut feed = publisher(&root);
            // Those of the cases that are another's took over themselves.
            let others = feed.ring().epoch() - 2;
            let expected = if others > 6 { unknown } else { known };
            let context = format!("{name}, {others} takeovers without the table");
            assert_eq!(feed.table().epoch() > 1, expected.is_some(), "{context}");
            assert_eq!(feed.table().stores(), feed.ring().published(), "{context}");
            let state = state_of(&mut join(&root)).0;
            assert_eq!(state, expected.clone().unwrap_or_default(), "{context}");
            publish(&mut feed, 1);
        }
    }
}

#[test]
fn a_ring_that_began_anew_has_a_new_table() {
    let root = PrivateRoot::new();
    let mut feed = Feed::options("q").root(&root).capacity(SLOTS).rows(100).keep(true).create_keyed().unwrap();
    publish(&mut feed, 1);
    feed.close().unwrap();
    std::fs::remove_dir_all(root.path().join("q.ring")).unwrap();
    let mut feed = publisher(&root);
    assert_eq!((feed.ring().published(), feed.table().stores(), feed.table().len()), (0, 0, 0));
    assert_eq!(publish(&mut feed, 5), 0);
    assert_eq!(state_of(&mut join(&root)).0, State::from([(5, 0)]));
}

/// A row with more than the message.
#[derive(Clone, Copy, Debug, PartialEq, Payload)]
#[repr(C)]
struct Board {
    last: Quote,
    count: u64,
}

impl Holds<Quote> for Board {
    fn message(&self) -> &Quote {
        &self.last
    }
}

#[test]
fn a_row_may_hold_more_than_the_message() {
    let root = PrivateRoot::new();
    let mut feed = KeyedPublisher::<u64, Board, Quote>::options("b").root(&root).capacity(4).create_keyed().unwrap();
    let row = feed.row(&7).unwrap();
    for n in 0..3 {
        let count = feed.get(row).map_or(0, |stored| stored.value.count) + 1;
        feed.publish(row, &Board { last: quote(7, n), count });
    }
    let mut late =
        KeyedSubscriber::<u64, Board, Quote>::options("b").root(&root).open_keyed(|quote| Some(quote.key)).unwrap();
    assert_eq!(late.snapshot().unwrap().rows[0].1.value, Board { last: quote(7, 2), count: 3 });
    let mut plain = Subscriber::<Quote>::options("b").root(&root).join(Join::Oldest).open().unwrap();
    assert_eq!(plain.try_recv(), Ok(quote(7, 0)), "the ring is a ring like any other");
}

#[test]
fn a_sealed_ring_has_a_sealed_table() {
    let root = PrivateRoot::new();
    let socket = root.path().join("q.sock");
    let mut feed = Feed::options("q").capacity(SLOTS).serve(&socket).create_keyed().unwrap();
    publish(&mut feed, 1);
    let mut late = Late::connect(&socket).open_keyed(|quote| Some(quote.key)).unwrap();
    assert_eq!(state_of(&mut late).0, State::from([(1, 0)]));
    let mut table = TableReader::<u64, Quote>::connect(root.path().join("q.sock.table")).open_table().unwrap();
    assert_eq!(table.row(&1).map(|row| table.get(row).unwrap().unwrap().number), Some(0));
    feed.close().unwrap();
    assert!(root.names().is_empty());
}

#[test]
fn what_cannot_be_made_or_opened_leaves_nothing() {
    let root = PrivateRoot::new();
    let error = Feed::options("q").root(&root).capacity(SLOTS).rows(0).create_keyed().unwrap_err();
    assert!(matches!(error, CreateError::Rows { found: 0, .. }), "{error}");
    assert!(root.names().is_empty(), "the ring was made before the table, and removed again");
    let _ring = Publisher::<Quote>::options("q").root(&root).capacity(SLOTS).create().unwrap();
    let error = Late::options("q").root(&root).open_keyed(|quote| Some(quote.key)).unwrap_err();
    assert!(matches!(&error, OpenError::NotFound { path } if path.ends_with("q.table.ring")), "{error}");
}

#[test]
fn a_keyed_ring_within_the_process_is_taken_over_with_its_table() {
    let (mut feed, both) = in_process_keyed::<u64, Quote>(4, 10).unwrap();
    assert!(both.take_over().is_none());
    let row = feed.row(&3).unwrap();
    feed.publish(row, &quote(3, 0));
    feed.leave();
    let mut feed = both.take_over().unwrap();
    let mut late = both.join(|quote| Some(quote.key));
    let row = feed.row(&3).unwrap();
    feed.publish(row, &quote(3, 1));
    assert_eq!(late.snapshot().unwrap().rows[0].1.number, 1);
    let interrupter = late.ring_mut().interrupter();
    interrupter.interrupt();
    assert_eq!(late.ring_mut().recv_timeout(Duration::MAX), Ok(quote(3, 1)));
}
