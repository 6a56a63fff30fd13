//! Tests of how the subscriber waits and maps the ring, read back from `/proc`.

mod common;

use std::time::Duration;

use common::{assert_conserved, number, start, success};
use feed_testing::{PrivateRoot, Program, skipped};
use rustix::process::Signal;

/// The number of context switches of the main thread, which receives: it rises whenever that thread wakes. (The
/// library's watcher thread wakes a few times a second.)
fn switches(program: &Program) -> u64 {
    let status = program.proc(&format!("task/{}/status", program.id())).unwrap();
    let counts = status.lines().filter_map(|line| line.split_once("ctxt_switches:")?.1.trim().parse::<u64>().ok());
    counts.sum()
}

#[test]
fn a_blocked_subscriber_sleeps_in_one_call_until_a_message_or_a_signal_comes() {
    let root = PrivateRoot::new();
    // One message at once, the next one in hours.
    let follow: [&[&str]; 2] = [&["--wait", "block", "--output", "json"], &["--wait", "block", "--output", "json"]];
    let (publisher, mut subscribers) = start(&root, &["--rate", "0.0001"], &follow);
    let signals = [Signal::TERM, Signal::INT];
    for (subscriber, signal) in subscribers.iter_mut().zip(signals) {
        subscriber.wait_for("\"sequence\":0");
        // Until nothing wakes it any more. Its watcher may do so once, within 200 ms of the last message.
        let mut before = switches(subscriber);
        loop {
            std::thread::sleep(Duration::from_millis(400));
            let now = switches(subscriber);
            if now == before {
                break;
            }
            before = now;
        }
        let still = switches(subscriber);
        let call = subscriber.proc("syscall");
        std::thread::sleep(Duration::from_millis(600));
        assert_eq!(switches(subscriber), still, "it woke while nothing came");
        match call.as_deref().map(|call| call.split_whitespace().collect::<Vec<_>>()) {
            // futex_waitv; its fourth argument is the timeout.
            Some(call) if call[0] == "449" => assert_eq!(call[4], "0x0", "it sleeps without a timeout: {call:?}"),
            Some(call) => panic!("it sleeps in another call: {call:?}"),
            None => skipped("which system call another process is in may not be looked at here"),
        }
        subscriber.signal(signal);
    }
    for subscriber in subscribers {
        let summary = success(subscriber);
        assert_eq!((number(&summary, "messages"), &summary["ended"]), (1, &"signal".into()));
    }
    publisher.signal(Signal::TERM);
    assert_eq!(number(&success(publisher), "messages"), 1);
}

#[test]
fn a_blocked_subscriber_receives_everything() {
    for wake in ["membarrier", "fence"] {
        let root = PrivateRoot::new();
        let publishes = ["--count", "20000", "--rate", "20000", "--wake", wake];
        let (publisher, subscribers) = start(&root, &publishes, &[&["--wait", "block"], &["--wait", "block"]]);
        let published = success(publisher);
        for subscriber in subscribers {
            let summary = success(subscriber);
            assert_conserved(&summary);
            assert_eq!((&summary["digest"], &summary["ended"]), (&published["digest"], &"closed".into()));
        }
    }
}

#[test]
fn a_ring_is_mapped_as_asked_for() {
    for (map, permissions) in [("ro", "r--s"), ("rw", "rw-s")] {
        let root = PrivateRoot::new();
        let (publisher, mut subscribers) = start(&root, &["--rate", "2000"], &[&["--map", map, "--output", "csv"]]);
        subscribers[0].wait_for("quote");
        let maps = subscribers[0].proc("maps").unwrap();
        let segment = maps.lines().find(|line| line.ends_with("feed.ring/segment")).unwrap();
        assert_eq!(segment.split_whitespace().nth(1), Some(permissions));
        publisher.signal(Signal::TERM);
        assert_eq!(success(subscribers.remove(0))["next_sequence"], success(publisher)["next_sequence"]);
    }
}
