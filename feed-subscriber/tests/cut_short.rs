//! Tests of files that are truncated under the running programs.
//!
//! Without the guard that both install, they would die of SIGBUS.

mod common;

use std::fs::File;
use std::time::Duration;

use common::{assert_conserved, number, start, success, summary};
use feed_testing::{Finished, PrivateRoot, Program};
use rustix::process::Signal;

/// Truncates a file of the ring while a publisher and subscribers with these arguments run. The publisher is stopped
/// meanwhile, so that the subscribers notice it themselves.
fn cut(root: &PrivateRoot, file: &str, follow: &[&[&str]]) -> (Program, Vec<Program>) {
    let (publisher, mut subscribers) = start(root, &["--rate", "2000", "--capacity", "1024"], follow);
    subscribers.iter_mut().for_each(|subscriber| subscriber.wait_for("\n100,"));
    publisher.signal(Signal::STOP);
    // Until the subscribers wait for a message.
    std::thread::sleep(Duration::from_millis(100));
    let file = File::options().write(true).open(root.path().join("feed.ring").join(file)).unwrap();
    file.set_len(0).unwrap();
    (publisher, subscribers)
}

#[track_caller]
fn assert_ended(finished: &Finished, program: &str, line: &str) {
    finished.assert_one_line(program, 1, &[line]);
    let summary = summary(finished);
    assert_conserved(&summary);
    assert!(number(&summary, "messages") > 100, "{summary}");
}

#[test]
fn a_segment_that_is_cut_short_ends_both_programs_with_an_error_and_a_summary() {
    let root = PrivateRoot::new();
    let waits = ["spin", "yield", "block"].map(|wait| ["--output", "csv", "--wait", wait]);
    let follow: Vec<&[&str]> = waits.iter().map(|arguments| &arguments[..]).collect();
    let (publisher, subscribers) = cut(&root, "segment", &follow);
    for subscriber in subscribers {
        let finished = subscriber.finish();
        let line = "feed-subscriber: feed: the segment was cut short under its subscriber: find out who may write to it; \
                    restart its publisher with a new ring";
        assert_ended(&finished, "feed-subscriber", line);
        assert_eq!(summary(&finished)["ended"], "cut_short");
    }
    publisher.signal(Signal::CONT);
    let finished = publisher.finish();
    assert_ended(
        &finished,
        "feed-publisher",
        "feed.ring: its segment was cut short by somebody who may write to it: see to that, and",
    );
    // The ring was closed and removed as far as possible: the next publisher starts.
    let next = Program::start(common::publisher(&root).args(["--count", "10"])).finish();
    assert_eq!(next.code, Some(0), "{next:?}");
    assert!(root.names().is_empty());
}

#[test]
fn a_control_file_that_is_cut_short_ends_nobody() {
    let root = PrivateRoot::new();
    let follow: [&[&str]; 2] = [&["--output", "csv", "--wait", "block"], &["--output", "csv"]];
    let (publisher, subscribers) = cut(&root, "control", &follow);
    publisher.signal(Signal::CONT);
    std::thread::sleep(Duration::from_millis(300));
    publisher.signal(Signal::TERM);
    let published = success(publisher);
    for subscriber in subscribers {
        let received = success(subscriber);
        assert_eq!((&received["ended"], &received["digest"]), (&"closed".into(), &published["digest"]));
        assert_eq!(received["messages"], published["messages"]);
    }
}
