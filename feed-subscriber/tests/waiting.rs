//! Tests of how the subscriber waits and maps the ring, read back from `/proc`.

mod common;

use std::time::{Duration, Instant};

use common::{assert_conserved, number, start, success};
use feed_testing::{PrivateRoot, Program, skipped};
use rustix::process::Signal;

/// How often the main thread, which receives, went to sleep.
fn switches(program: &Program) -> u64 {
    let status = program.proc(&format!("task/{}/status", program.id())).unwrap();
    let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    count.unwrap().trim().parse().unwrap()
}

/// Whether the main thread is in `futex_waitv`. `None` if that may not be looked at.
fn is_in_futex_waitv(program: &Program) -> Option<bool> {
    program.proc("syscall").map(|call| call.starts_with("449 "))
}

#[test]
fn a_blocked_subscriber_sleeps_in_naps_until_a_message_or_a_signal_comes() {
    let root = PrivateRoot::new();
    // One message at once, the next one in hours.
    let follow: [&[&str]; 2] = [&["--wait", "block", "--output", "json"], &["--wait", "block", "--output", "json"]];
    let (publisher, mut subscribers) = start(&root, &["--rate", "0.0001"], &follow);
    let signals = [Signal::TERM, Signal::INT];
    for (subscriber, signal) in subscribers.iter_mut().zip(signals) {
        subscriber.wait_for("\"sequence\":0");
        let begun = Instant::now();
        loop {
            match is_in_futex_waitv(subscriber) {
                Some(true) => break,
                Some(false) => assert!(begun.elapsed() < Duration::from_secs(60), "it does not fall asleep"),
                None => break skipped("which system call another process is in may not be looked at here"),
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        // A busy machine makes naps longer, never shorter.
        let (begun, before) = (Instant::now(), switches(subscriber));
        std::thread::sleep(Duration::from_secs(1));
        let naps = switches(subscriber) - before;
        let most = begun.elapsed().as_millis() as u64 / 100 + 2;
        assert!(naps <= most, "it woke {naps} times while nothing came, and {most} times at most by itself");
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
