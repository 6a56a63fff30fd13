//! Tests of a sealed ring between the programs: served, followed, lost with its publisher, and found again.

mod common;

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use common::{number, success, summary};
use feed_testing::{Finished, NOBODY, PrivateRoot, Program, can_run, is_root, program};
use rustix::process::Signal;

/// A group that owns nothing here.
const GROUP: u32 = 4242;

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
    // The next ring is found at the same socket. It begins at sequence 0.
    let published = success(Program::start(publisher(&socket).args(["--count", "500", "--wait-for-subscribers", "1"])));
    assert_eq!(number(&published, "messages"), 500);
    let finished = follower.finish();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    // Messages name the socket: a sealed ring has no other name.
    let says = |what: &str| {
        let begins = format!("feed-subscriber: {}: {what}", socket.display());
        assert!(
            finished.stderr.lines().any(|line| line.starts_with(&begins)),
            "{begins} expected: {}",
            finished.stderr
        );
    };
    ["the publisher died", "reopened"].iter().for_each(|what| says(what));
    assert!(!finished.stderr.contains(": feed: "), "{}", finished.stderr);
    let received = summary(&finished);
    assert_eq!((&received["ended"], number(&received, "lost")), (&"closed".into(), 0), "{received}");
    assert!(number(&received, "messages") >= 521, "{received}");
    let twice = finished.stdout.lines().filter(|line| line.starts_with("20,")).count();
    assert_eq!(twice, 2, "message 20 of either ring");
    assert_eq!(root.names(), [""; 0], "socket and lock are removed");
}

#[test]
fn messages_about_a_sealed_ring_name_its_socket() {
    let root = PrivateRoot::new();
    let socket = root.path().join("feed.sock");
    let said = |program: &str, what: &str| format!("{program}: {}: {what}", socket.display());
    let small = ["--rate", "1000", "--capacity", "64", "--huge-pages", "--wait-for-subscribers", "1"];
    let mut served = Program::start(publisher(&socket).args(small));
    served.wait_for_error(&said("feed-publisher", "0 of 1 subscribers attached"));
    let ends = ["--on-publisher-loss", "exit", "--huge-pages", "--output", "csv"];
    let mut follower = Program::start(subscriber(&socket).args(ends));
    follower.wait_for(",quote,"); // whichever: on a busy machine it is lapped at once
    served.kill();
    let finished = follower.finish();
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    let lines: Vec<&str> = finished.stderr.lines().collect();
    assert!(lines[0].starts_with(&said("feed-subscriber", "huge pages: ")), "{lines:?}");
    assert!(lines[1].starts_with(&said("feed-subscriber", "the publisher is gone: restart it")), "{lines:?}");
    let served = served.finish().stderr;
    assert!(served.lines().next().unwrap().starts_with(&said("feed-publisher", "huge pages: ")), "{served}");
}

#[test]
fn a_second_publisher_is_refused_and_the_first_goes_on() {
    let root = PrivateRoot::new();
    let socket = root.path().join("feed.sock");
    let mut follower = Program::start(subscriber(&socket).args(["--output", "csv"]));
    let first = Program::start(publisher(&socket).args(["--rate", "1000", "--wait-for-subscribers", "1"]));
    follower.wait_for("\n20,");
    let second = Program::start(publisher(&socket).args(["--count", "1"])).finish();
    let says = format!(
        "feed-publisher: {}: already has a publisher: stop it first, or choose another name (--serve PATH)\n",
        socket.display()
    );
    assert_eq!((second.code, second.stdout.as_str(), second.stderr), (Some(1), "", says));
    first.signal(Signal::TERM);
    let published = success(first);
    assert_eq!(success(follower)["digest"], published["digest"]);
    assert_eq!(root.names(), [""; 0]);
}

#[test]
fn max_clients_is_enforced() {
    let root = PrivateRoot::new();
    let socket = root.path().join("feed.sock");
    let served = Program::start(publisher(&socket).args(["--rate", "1000", "--max-clients", "1"]));
    let mut first = Program::start(subscriber(&socket).args(["--output", "csv"]));
    first.wait_for("\n20,");
    let refused = Program::start(&mut subscriber(&socket)).finish();
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{}", refused.stderr);
    assert_eq!(
        refused.stderr,
        format!(
            "feed-subscriber: {}: refused by its publisher: 1 clients are connected, 1 allowed: end some, or publish with \
             more allowed (feed-publisher --allow-uid UID, --allow-gid GID, --max-clients N)\n",
            socket.display()
        )
    );
    first.signal(Signal::TERM);
    success(first);
    // Its place is free again.
    let next = Program::start(subscriber(&socket).args(["--max", "1"]));
    assert_eq!(number(&success(next), "messages"), 1);
    served.signal(Signal::TERM);
    success(served);
}

#[test]
fn users_and_groups_are_served_as_allowed() {
    let program = Path::new(env!("CARGO_BIN_EXE_feed-subscriber"));
    if !is_root() || !can_run(NOBODY, program) {
        return;
    }
    let root = PrivateRoot::new();
    std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let socket = root.path().join("feed.sock");
    let follow = |uid: u32, gid: u32| {
        let mut command = subscriber(&socket);
        Program::start(command.args(["--max", "1"]).uid(uid).gid(gid)).finish()
    };
    let serve = |arguments: &[&str]| {
        let mut command = publisher(&socket);
        let served = Program::start(command.args(["--rate", "1000"]).args(arguments));
        // Root may always connect, so the ring is served once this succeeds.
        assert_eq!(follow(0, 0).code, Some(0));
        served
    };
    let end = |served: Program| {
        served.signal(Signal::TERM);
        success(served);
    };
    let is_served = |finished: Finished| {
        finished.assert_quiet_success();
        assert_eq!(number(&summary(&finished), "messages"), 1);
    };
    let is_refused = |finished: Finished, says: &str| {
        assert_eq!((finished.code, finished.stdout.as_str()), (Some(1), ""), "{finished:?}");
        assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
        let begins = format!("feed-subscriber: {}: {says}", socket.display());
        assert!(finished.stderr.starts_with(&begins), "{begins:?} expected: {finished:?}");
    };
    let (other, group) = (NOBODY.to_string(), GROUP.to_string());
    let not_allowed = format!("refused by its publisher: uid {NOBODY} is neither the publisher's (0) nor allowed");

    // The socket's mode admits the user, but the publisher does not.
    let served = serve(&["--mode", "644"]);
    is_refused(follow(NOBODY, NOBODY), &not_allowed);
    end(served);
    let served = serve(&["--mode", "644", "--allow-uid", &other]);
    is_served(follow(NOBODY, NOBODY));
    is_refused(follow(NOBODY + 1, NOBODY), "refused by its publisher: uid 65535");
    end(served);
    let served = serve(&["--mode", "644", "--allow-gid", "7", "--allow-gid", &group]);
    is_served(follow(NOBODY, GROUP));
    is_refused(follow(NOBODY, NOBODY), &not_allowed);
    end(served);
    // The publisher allows the user, but the socket's mode does not. Then the mode admits a group.
    let served = serve(&["--allow-uid", &other]);
    is_refused(follow(NOBODY, NOBODY), "permission denied: ");
    end(served);
    let served = serve(&["--mode", "640", "--group", &group, "--allow-gid", &group]);
    is_served(follow(NOBODY, GROUP));
    is_refused(follow(NOBODY, NOBODY), "permission denied: ");
    end(served);
}

#[test]
fn a_sealed_ring_is_not_mapped_for_writing() {
    let root = PrivateRoot::new();
    let finished = Program::start(subscriber(&root.path().join("none")).args(["--map", "rw"])).finish();
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(2), ""), "{finished:?}");
    assert!(finished.stderr.contains("can only be mapped read-only: use --map ro"), "{finished:?}");
}

#[test]
fn a_socket_without_a_publisher_is_an_error() {
    let root = PrivateRoot::new();
    let mut command = Command::new(program("feed-subscriber"));
    let finished = Program::start(command.arg("--connect").arg(root.path().join("none"))).finish();
    assert_eq!(finished.code, Some(1));
    assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
    assert!(finished.stderr.contains("--open-timeout"), "{}", finished.stderr);
}
