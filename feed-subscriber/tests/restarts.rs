//! Tests of publishers that are killed and restarted: how subscribers continue, and how it is accounted for.

mod common;

use common::{Row, assert_conserved, digest, number, publisher, rows, start, subscriber, success, summary};
use feed::source::synthetic::Synthetic;
use feed::{Kind, Message};
use feed_ring::Publisher;
use feed_testing::{Finished, PrivateRoot, Program};
use rustix::process::Signal;
use serde_json::Value;

const DIED: &str = "feed: the publisher died or left: waiting for the next one";

/// A publisher that is killed in its stream, with a subscriber that prints and blocks, and another one.
fn killed(root: &PrivateRoot) -> Vec<Program> {
    let subscribers = [&["--output", "csv", "--wait", "block"][..], &["--wait", "yield"]];
    let (mut publisher, mut subscribers) = start(root, &["--rate", "20000", "--seed", "1"], &subscribers);
    subscribers[0].wait_for("\n2000,");
    publisher.kill();
    subscribers.iter_mut().for_each(|subscriber| subscriber.wait_for_error(DIED));
    subscribers
}

/// Runs the next publisher; returns its summary and its standard error.
fn next(root: &PrivateRoot, arguments: &[&str]) -> (Value, String) {
    let finished = Program::start(publisher(root).args(["--seed", "2", "--rate", "20000"]).args(arguments)).finish();
    assert_eq!(finished.code, Some(0), "{}", finished.tail());
    (summary(&finished), finished.stderr)
}

/// Waits for subscribers, which must succeed and report these lines; returns their ends and summaries.
#[track_caller]
fn ended(subscribers: Vec<Program>, lines: &[&str]) -> Vec<(Finished, Value)> {
    let ended = subscribers.into_iter().map(|subscriber| {
        let finished = subscriber.finish();
        assert_eq!(finished.code, Some(0), "{}", finished.tail());
        assert_eq!(finished.stderr.lines().count(), lines.len(), "{}", finished.tail());
        for (line, says) in finished.stderr.lines().zip(lines) {
            assert!(line.starts_with("feed-subscriber: feed: ") && line.contains(says), "{says:?} expected: {line}");
        }
        let summary = summary(&finished);
        assert_conserved(&summary);
        assert_eq!(summary["ended"], "closed");
        (finished, summary)
    });
    ended.collect()
}

/// Fails unless the summary has these counts.
#[track_caller]
fn assert_counts(summary: &Value, expected: [(&str, u64); 5]) {
    for (field, count) in expected {
        assert_eq!(number(summary, field), count, "{field} of {summary}");
    }
}

/// Fails unless these are the first messages of this seed's market.
#[track_caller]
fn assert_market(rows: &[Row], seed: u64) {
    let mut market = Synthetic::new(seed);
    rows.iter().for_each(|row| row.assert_is(&market.advance()));
}

#[test]
fn a_restarted_publisher_goes_on_in_the_same_ring() {
    let root = PrivateRoot::new();
    let subscribers = killed(&root);
    let (published, said) = next(&root, &["--count", "3000"]);
    let first = number(&published, "first_sequence");
    assert!(first > 2_000, "{published}");
    assert_eq!(number(&published, "epoch"), 2);
    assert_eq!(said, format!("feed-publisher: feed: taken over: epoch 2 begins at sequence {first}\n"));

    let begins = format!("the publisher restarted: epoch 2 begins at sequence {first}: state built from");
    let ended = ended(subscribers, &[DIED, &begins]);
    for (_, summary) in &ended {
        assert_counts(summary, [("epochs", 2), ("restarts", 1), ("reopened", 0), ("gaps", 0), ("lost", 0)]);
        assert_eq!(number(summary, "first_sequence"), 0);
        assert_eq!(summary["next_sequence"], published["next_sequence"]);
        assert_eq!(summary["digest"], ended[0].1["digest"], "both received the same");
    }
    // The received messages are those of the killed publisher and of the next one.
    let rows = rows(&ended[0].0);
    assert!(rows.iter().map(|row| row.sequence).eq(0..first + 3_000), "every sequence once, in order");
    let (before, after) = rows.split_at(first as usize);
    assert_market(before, 1);
    assert_market(after, 2);
    assert_eq!(ended[0].1["digest"], digest(&rows));
    assert_eq!(published["digest"], digest(after));
    assert!(root.names().is_empty(), "the ring was closed and removed");
}

#[test]
fn a_clear_separates_old_messages_from_new_ones() {
    let root = PrivateRoot::new();
    let subscribers = killed(&root);
    let (published, _) = next(&root, &["--count", "100", "--clear"]);
    assert_eq!(number(&published, "messages"), 101, "it comes on top of --count");
    assert_eq!(published["by_kind"]["clear"], 1);
    let first = number(&published, "first_sequence") as usize;
    let ended = ended(subscribers, &[DIED, "epoch 2"]);
    let rows = rows(&ended[0].0);
    let cleared = Message { ts_publish: 0, ..rows[first].message };
    assert_eq!(cleared, Message::clear_all());
    assert!(cleared.is_clear_all() && cleared.kind() == Kind::Clear && cleared.is_end_of_event());
    assert_eq!(rows.iter().filter(|row| row.message.is_clear_all()).count(), 1);
    assert_market(&rows[first + 1..], 2);
    for (_, summary) in &ended {
        assert_eq!(summary["by_kind"]["clear"], 1);
        assert_eq!(summary["next_sequence"], published["next_sequence"]);
    }
    // A new ring has nothing to clear.
    let (alone, _) = next(&root, &["--count", "100", "--clear"]);
    assert_eq!((number(&alone, "messages"), &alone["by_kind"]["clear"]), (100, &0.into()));
}

#[test]
fn another_ring_of_the_name_is_opened() {
    for (arguments, capacity) in [(&["--capacity", "16384"][..], 16_384), (&["--fresh"], 65_536)] {
        let root = PrivateRoot::new();
        let subscribers = killed(&root);
        let wait = ["--count", "3000", "--wait-for-subscribers", "2"];
        let (published, said) = next(&root, &[&wait, arguments].concat());
        let first = number(&published, "first_sequence");
        assert!(first > 2_000 && capacity > 0, "{published}");
        assert_eq!(number(&published, "epoch"), 1);
        let replaced = format!("feed-publisher: feed: replaced by a new ring, which begins at sequence {first}\n");
        assert_eq!(said, replaced);

        let goes_on = format!("reopened: the ring that took its place goes on at sequence {first}: state built from");
        let ended = ended(subscribers, &[DIED, &goes_on]);
        for (_, summary) in &ended {
            assert_counts(summary, [("epochs", 2), ("restarts", 0), ("reopened", 1), ("renumbered", 0), ("gaps", 0)]);
            assert_eq!((number(summary, "first_sequence"), number(summary, "lost")), (0, 0));
            assert_eq!(summary["next_sequence"], published["next_sequence"]);
        }
        let rows = rows(&ended[0].0);
        assert!(rows.iter().map(|row| row.sequence).eq(0..first + 3_000), "every sequence once, in order");
        assert_market(&rows[..first as usize], 1);
        assert_market(&rows[first as usize..], 2);
        assert_eq!(digest(&rows[first as usize..]), published["digest"].as_str().unwrap());
        for (_, summary) in &ended {
            assert_eq!(summary["digest"], digest(&rows));
        }
    }
}

#[test]
fn losses_between_two_rings_are_counted() {
    let root = PrivateRoot::new();
    let subscribers = killed(&root);
    // The subscribers are stopped while a ring of 16 slots overwrites most messages.
    subscribers.iter().for_each(|subscriber| subscriber.signal(Signal::STOP));
    let (published, _) = next(&root, &["--count", "1000", "--capacity", "16", "--keep"]);
    subscribers.iter().for_each(|subscriber| subscriber.signal(Signal::CONT));
    let first = number(&published, "first_sequence");
    let goes_on = format!("goes on at sequence {}, 985 messages lost in between: state", first + 985);
    for (_, summary) in ended(subscribers, &[DIED, &goes_on]) {
        assert_counts(&summary, [("epochs", 2), ("reopened", 1), ("renumbered", 0), ("gaps", 985), ("lost", 985)]);
        assert_eq!(summary["next_sequence"], published["next_sequence"]);
    }
}

#[test]
fn a_ring_that_closed_at_once_is_read_if_it_is_kept_and_told_if_it_is_not() {
    for keep in [true, false] {
        let root = PrivateRoot::new();
        let subscribers = killed(&root);
        // The subscribers are stopped while another ring takes the name and is closed.
        subscribers.iter().for_each(|subscriber| subscriber.signal(Signal::STOP));
        let arguments = ["--count", "100", "--fresh", "--keep"];
        let (published, _) = next(&root, if keep { &arguments } else { &arguments[..3] });
        subscribers.iter().for_each(|subscriber| subscriber.signal(Signal::CONT));
        let first = number(&published, "first_sequence");
        let goes_on = format!("reopened: the ring that took its place goes on at sequence {first}: state built from");
        let unseen = "the ring that took its place was closed before it could be opened: what it carried is missing, and \
                      not counted as lost";
        for (_, summary) in ended(subscribers, &[DIED, if keep { &goes_on } else { unseen }]) {
            assert_counts(
                &summary,
                [("reopened", keep.into()), ("renumbered", 0), ("gaps", 0), ("lost", 0), ("restarts", 0)],
            );
            assert_eq!(number(&summary, "next_sequence"), first + if keep { 100 } else { 0 });
        }
    }
}

#[test]
fn a_ring_that_vanished_is_followed_by_its_name_when_there_is_one_again() {
    let root = PrivateRoot::new();
    let subscribers = killed(&root);
    std::fs::remove_dir_all(root.path().join("feed.ring")).unwrap();
    let (published, said) = next(&root, &["--count", "500", "--wait-for-subscribers", "2"]);
    assert_eq!((number(&published, "first_sequence"), number(&published, "epoch"), said.as_str()), (0, 1, ""));
    let ended = ended(subscribers, &[DIED, "numbers its messages anew, from 0; the old one was left at"]);
    let rows = rows(&ended[0].0);
    let before = rows.len() - 500;
    assert!(before > 2_000);
    assert_market(&rows[..before], 1);
    assert_market(&rows[before..], 2);
    assert!(rows[before..].iter().map(|row| row.sequence).eq(0..500), "as the new ring numbers them");
    for (_, summary) in &ended {
        assert_counts(summary, [("epochs", 2), ("restarts", 0), ("reopened", 1), ("renumbered", 1), ("gaps", 0)]);
        // Counted on from where the old ring was left.
        assert_eq!(number(summary, "next_sequence"), before as u64 + 500);
        assert_eq!(summary["digest"], digest(&rows));
    }
}

#[test]
fn many_restarts_are_survived() {
    const ROUNDS: u64 = 6;
    let root = PrivateRoot::new();
    let mut subscribers = killed(&root);
    for round in 1..ROUNDS {
        let mut publisher = Program::start(publisher(&root).args(["--rate", "5000", "--seed", &round.to_string()]));
        for subscriber in &mut subscribers {
            subscriber.wait_for_error(&format!("epoch {} begins", round + 1));
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
        publisher.kill();
    }
    let (published, _) = next(&root, &["--count", "10"]);
    assert_eq!(number(&published, "epoch"), ROUNDS + 1);
    let mut digests = Vec::new();
    for subscriber in subscribers {
        let finished = subscriber.finish();
        let summary = summary(&finished);
        assert_conserved(&summary);
        assert_counts(&summary, [("restarts", ROUNDS), ("reopened", 0), ("renumbered", 0), ("gaps", 0), ("lost", 0)]);
        assert_eq!(summary["next_sequence"], published["next_sequence"]);
        digests.push(summary["digest"].clone());
    }
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn a_ring_of_other_messages_in_its_place_is_an_error_with_a_summary() {
    let root = PrivateRoot::new();
    let subscribers = killed(&root);
    let other = Publisher::<u64>::options("feed").root(&root).create().unwrap();
    for subscriber in subscribers {
        let finished = subscriber.finish();
        assert_eq!(finished.code, Some(1), "{}", finished.tail());
        let last = finished.stderr.lines().last().unwrap();
        assert!(last.contains("feed: superseded, and the ring that took its place cannot be opened: "), "{last}");
        assert!(last.contains("carries u64") && last.contains("rebuild the older side"), "{last}");
        let summary = summary(&finished);
        assert_eq!(summary["ended"], "superseded");
        assert_conserved(&summary);
    }
    drop(other);
}

#[test]
fn an_unpublished_sequence_is_waited_for_in_the_next_ring() {
    let root = PrivateRoot::new();
    let follow: [&[&str]; 2] = [&["--from", "5000"], &["--max", "10", "--output", "csv"]];
    let (mut first, mut subscribers) = start(&root, &["--count", "4000", "--rate", "1000"], &follow);
    success(subscribers.remove(1));
    first.kill();
    subscribers[0].wait_for_error(DIED);
    let (published, _) = next(&root, &["--count", "7000", "--fresh", "--wait-for-subscribers", "1"]);
    let finished = subscribers.remove(0).finish();
    let summary = summary(&finished);
    assert_conserved(&summary);
    assert_counts(&summary, [("first_sequence", 5_000), ("lost", 0), ("reopened", 1), ("renumbered", 0), ("gaps", 0)]);
    assert_eq!(summary["next_sequence"], published["next_sequence"]);
}

#[test]
fn a_signal_ends_the_wait_for_a_publisher_and_for_a_ring() {
    let root = PrivateRoot::new();
    for subscriber in killed(&root) {
        subscriber.signal(Signal::TERM);
        let finished = subscriber.finish();
        assert_eq!(finished.code, Some(0), "{}", finished.tail());
        assert_eq!(summary(&finished)["ended"], "signal");
    }
    // Superseded by a ring that never comes: its publisher was killed before it gave the ring its name.
    let root = PrivateRoot::new();
    let mut subscribers = killed(&root);
    let segment = root.path().join("feed.ring/segment");
    let superseded = 3u64.to_ne_bytes();
    let file = std::fs::OpenOptions::new().write(true).open(&segment).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &superseded, 16 * 8).unwrap();
    for subscriber in &mut subscribers {
        subscriber.wait_for_error("superseded: waiting for the ring that takes its place");
        subscriber.signal(Signal::TERM);
    }
    for subscriber in subscribers {
        let finished = subscriber.finish();
        assert_eq!(finished.code, Some(0), "{}", finished.tail());
        let summary = summary(&finished);
        assert_eq!(summary["ended"], "signal");
        assert_conserved(&summary);
    }
}

#[test]
fn after_a_kill_of_everything_a_new_publisher_starts_by_itself() {
    let root = PrivateRoot::new();
    let (mut publisher_killed, mut subscribers) = start(&root, &["--rate", "20000"], &[&["--output", "csv"], &[], &[]]);
    subscribers[0].wait_for("\n1000,");
    publisher_killed.kill();
    subscribers.iter_mut().for_each(Program::kill);
    assert_eq!(root.names(), ["feed.ring"], "nobody could clean up");

    // The entries of dead subscribers do not count.
    let mut again = Program::start(publisher(&root).args(["--count", "500", "--wait-for-subscribers", "1"]));
    again.wait_for_error("0 of 1 subscribers attached");
    let follower = Program::start(subscriber(&root).args(["--from", "oldest"]));
    let finished = again.finish();
    assert_eq!(finished.code, Some(0), "{}", finished.tail());
    let published = summary(&finished);
    assert_eq!((number(&published, "epoch"), number(&published, "messages")), (2, 500));
    // It joined in the middle of an epoch and saw the next one.
    let received = follower.finish();
    let received = summary(&received);
    assert_conserved(&received);
    assert_eq!(received["next_sequence"], published["next_sequence"]);
    assert!(root.names().is_empty());
    success(Program::start(publisher(&root).args(["--count", "1"])));
}
