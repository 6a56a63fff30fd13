//! Planned restarts of a publisher: its subscribers stay attached and lose nothing.

mod common;

use common::{assert_conserved, digest, number, publisher, rows, start, subscriber, summary};
use feed_testing::{PrivateRoot, Program};
use rustix::process::Signal;

/// Starts a publisher and two subscribers, hands the ring over in the way of `signal` and `options`, and lets the next
/// publisher close it.
fn hand_over(signal: Signal, options: &[&str]) {
    let root = PrivateRoot::new();
    let subscribers = [&["--output", "csv", "--wait", "block"][..], &["--wait", "spin"]];
    let (first, mut subscribers) = start(&root, &[&["--rate", "20000", "--seed", "1"], options].concat(), &subscribers);
    subscribers[0].wait_for("\n2000,");
    first.signal(signal);
    let first = first.finish();
    assert_eq!(first.code, Some(0), "{}", first.tail());
    let left = summary(&first);
    let at = number(&left, "next_sequence");
    let says = format!("feed-publisher: feed: left open for the next publisher, at sequence {at}\n");
    assert!(first.stderr.ends_with(&says), "{}", first.tail());
    subscribers.iter_mut().for_each(|subscriber| subscriber.wait_for_error("waiting for the next one"));
    assert_eq!(root.names(), ["feed.ring"]);

    let next = Program::start(publisher(&root).args(["--rate", "20000", "--seed", "2", "--count", "3000"])).finish();
    assert_eq!(next.stderr, format!("feed-publisher: feed: taken over: epoch 2 begins at sequence {at}\n"));
    let next = summary(&next);
    assert_eq!((number(&next, "first_sequence"), number(&next, "messages")), (at, 3000));
    let mut digests = Vec::new();
    for subscriber in subscribers {
        let finished = subscriber.finish();
        assert_eq!(finished.code, Some(0), "{}", finished.tail());
        let received = summary(&finished);
        assert_conserved(&received);
        assert_eq!(received["ended"], "closed");
        for (field, count) in [("messages", at + 3000), ("lost", 0), ("restarts", 1), ("epochs", 2), ("reopened", 0)] {
            assert_eq!(number(&received, field), count, "{field} of {received}");
        }
        if !finished.stdout.starts_with('{') {
            let rows = rows(&finished);
            assert!(rows.iter().map(|row| row.sequence).eq(0..at + 3000), "every sequence once, in order");
            assert_eq!(digest(&rows[..at as usize]), left["digest"].as_str().unwrap());
            assert_eq!(digest(&rows[at as usize..]), next["digest"].as_str().unwrap());
        }
        digests.push(received["digest"].clone());
    }
    assert_eq!(digests[0], digests[1]);
    assert_eq!(root.names(), [""; 0], "the next publisher closed it");
}

#[test]
fn sigusr1_hands_the_ring_over() {
    hand_over(Signal::USR1, &[]);
}

#[test]
fn with_keep_open_every_signal_does() {
    hand_over(Signal::TERM, &["--keep-open"]);
}

#[test]
fn with_keep_open_the_end_of_one_input_is_not_that_of_the_ring() {
    let root = PrivateRoot::new();
    let options: &[&str] = &["--count", "500", "--keep-open", "--seed", "1", "--rate", "100000"];
    let (first, mut subscribers) = start(&root, options, &[&[]]);
    let first = first.finish();
    assert_eq!((first.code, number(&summary(&first), "next_sequence")), (Some(0), 500));
    subscribers[0].wait_for_error("waiting for the next one");
    let second = Program::start(publisher(&root).args(["--count", "500", "--seed", "2", "--rate", "100000"])).finish();
    assert_eq!(second.code, Some(0), "{}", second.tail());
    let received = summary(&subscribers.remove(0).finish());
    assert_eq!((number(&received, "messages"), number(&received, "restarts")), (1000, 1), "{received}");
    assert_eq!(root.names(), [""; 0]);
}

#[test]
fn the_subscribers_of_a_sealed_ring_connect_again() {
    let root = PrivateRoot::new();
    let socket = root.path().join("s").to_str().unwrap().to_owned();
    let serve = |count: &str| {
        let mut command = std::process::Command::new(feed_testing::program("feed-publisher"));
        command.args(["--serve", &socket, "--rate", "20000", "--wait-for-subscribers", "1", "--count", count]);
        Program::start(command.args(["--summary", "json"]).env_remove("RUST_LOG").stdin(std::process::Stdio::null()))
    };
    let mut follow = std::process::Command::new(env!("CARGO_BIN_EXE_feed-subscriber"));
    follow.args(["--connect", &socket, "--from", "oldest", "--open-timeout", "inf", "--summary", "json"]);
    let first = serve("1000000000");
    let mut follower = Program::start(follow.args(["--output", "csv"]).stdin(std::process::Stdio::null()));
    follower.wait_for("\n2000,");
    first.signal(Signal::USR1);
    let first = first.finish();
    let at = number(&summary(&first), "next_sequence");
    let says = format!("left to the next publisher, whose ring is a new one, at sequence {at}\n");
    assert!(first.code == Some(0) && first.stderr.ends_with(&says), "{}", first.stderr);
    follower.wait_for_error("waiting for the next one");
    assert_eq!(serve("1000").finish().code, Some(0));
    let received = summary(&follower.finish());
    for (field, count) in [("messages", at + 1000), ("lost", 0), ("restarts", 0), ("reopened", 1), ("renumbered", 1)] {
        assert_eq!(number(&received, field), count, "{field} of {received}");
    }
    assert_eq!(root.names(), [""; 0]);
}

#[test]
fn keep_open_and_keep_contradict_each_other() {
    let root = PrivateRoot::new();
    let finished = Program::start(publisher(&root).args(["--keep-open", "--keep"])).finish();
    assert_eq!(finished.code, Some(2), "{}", finished.tail());
    assert!(finished.stderr.contains("'--keep-open' cannot be used with '--keep'"), "{}", finished.stderr);
    // A ring that was left is dead, not closed: a subscriber that comes late may still read and wait.
    let left = Program::start(publisher(&root).args(["--keep-open", "--count", "10"])).finish();
    assert_eq!(left.code, Some(0), "{}", left.tail());
    let late = Program::start(subscriber(&root).args(["--from", "oldest", "--on-publisher-loss", "exit"])).finish();
    assert_eq!((late.code, number(&summary(&late), "messages")), (Some(1), 10), "{}", late.tail());
    // Nor does the ring tell whether its publisher left it or died.
    let says = "feed-subscriber: feed: the publisher is gone: restart it, or wait for it (--on-publisher-loss wait)\n";
    assert_eq!(late.stderr, says);
}
