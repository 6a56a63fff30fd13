//! A sealed ring between the programs: served, followed, lost with its publisher, and found again.

mod common;

use std::process::Command;

use common::{number, success, summary};
use feed_testing::{PrivateRoot, Program, program};

fn publisher(socket: &std::path::Path) -> Command {
    let mut command = Command::new(program("feed-publisher"));
    command.arg("--serve").arg(socket).args(["--summary", "json"]);
    command
}

fn subscriber(socket: &std::path::Path) -> Command {
    let mut command = Command::new(program("feed-subscriber"));
    command.arg("--connect").arg(socket).args(["--from", "oldest", "--open-timeout", "60", "--summary", "json"]);
    command
}

#[test]
fn a_sealed_ring_is_followed_and_found_again() {
    let root = PrivateRoot::new();
    let socket = root.path().join("feed.sock");
    let mut follower = Program::start(subscriber(&socket).args(["--output", "csv"]));
    let mut first = Program::start(publisher(&socket).args(["--rate", "1000", "--wait-for-subscribers", "1"]));
    follower.wait_for("\n20,");
    first.kill();
    // It is found at the same place, with a ring of its own that begins at 0.
    let published = success(Program::start(publisher(&socket).args(["--count", "500", "--wait-for-subscribers", "1"])));
    assert_eq!(number(&published, "messages"), 500);
    let finished = follower.finish();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(
        finished.stderr.contains("the publisher died") && finished.stderr.contains("reopened"),
        "{}",
        finished.stderr
    );
    let received = summary(&finished);
    assert_eq!((&received["ended"], number(&received, "lost")), (&"closed".into(), 0), "{received}");
    assert!(number(&received, "messages") >= 521, "{received}");
    let twice = finished.stdout.lines().filter(|line| line.starts_with("20,")).count();
    assert_eq!(twice, 2, "message 20 of either ring");
    assert_eq!(root.names(), [""; 0], "socket and lock are removed");
}

#[test]
fn nobody_serves_there() {
    let root = PrivateRoot::new();
    let mut command = Command::new(program("feed-subscriber"));
    let finished = Program::start(command.arg("--connect").arg(root.path().join("none"))).finish();
    assert_eq!(finished.code, Some(1));
    assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
    assert!(finished.stderr.contains("--open-timeout"), "{}", finished.stderr);
}
