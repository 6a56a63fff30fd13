//! Tests of `--connect` on sealed rings that are live, closed, dead or refused, and on other sockets.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use feed_ring::{Join, Publisher, Subscriber};
use feed_testing::{Child, PrivateRoot, Program, as_child, child, program, skipped};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::messages::assert_follows_to_close;
use crate::rings::{self, Quote, closed, fine, json, json_lines, publish_twenty, run, stable, stable_stat};

fn socket(root: &PrivateRoot) -> PathBuf {
    root.path().join("s")
}

/// The arguments, followed by `--connect` for the sealed ring of this root.
fn connect(root: &PrivateRoot, arguments: &[&str]) -> Vec<String> {
    let path = socket(root).to_str().unwrap().to_owned();
    arguments.iter().map(|&argument| argument.to_owned()).chain(["--connect".to_owned(), path]).collect()
}

fn strs(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

/// Runs `ringctl` on the sealed ring; returns standard output. Fails unless it succeeds.
fn shown(root: &PrivateRoot, arguments: &[&str]) -> String {
    fine(root, &strs(&connect(root, arguments)))
}

/// Runs `ringctl` on the sealed ring; returns its error line. Fails unless it fails.
fn error(root: &PrivateRoot, arguments: &[&str]) -> String {
    let (code, stdout, stderr) = run(root, &strs(&connect(root, arguments)));
    assert_eq!((code, &*stdout, stderr.lines().count()), (1, "", 1), "{arguments:?}: {stderr}");
    stable(root, &stderr)
}

fn publisher(root: &PrivateRoot) -> Publisher<Quote> {
    Publisher::options("q").capacity(8).serve(socket(root)).create().unwrap()
}

/// Publishes twenty messages in a sealed ring and waits to be killed.
#[test]
#[ignore = "a child of other tests"]
fn serve_and_wait() {
    if as_child() {
        let path = std::env::var("SOCKET").unwrap();
        let mut publisher = Publisher::options("q").capacity(8).mode(0o644).serve(path).create().unwrap();
        publish_twenty(&mut publisher);
        println!("\npublished");
        loop {
            std::thread::park();
        }
    }
}

fn live(root: &PrivateRoot) -> Child {
    let mut publisher = Child::start(child("sealed::serve_and_wait").env("SOCKET", socket(root)));
    publisher.wait_for("published");
    publisher
}

fn follow(root: &PrivateRoot) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringctl"));
    command.args(connect(root, &["--json", "tail", "-f", "-n", "1"]));
    Child::start(&mut command)
}

#[test]
fn a_sealed_ring_is_inspected_like_another() {
    let root = PrivateRoot::new();
    let _publisher = live(&root);
    let slow = Subscriber::<Quote>::connect(socket(&root)).join(Join::Oldest).open().unwrap();
    insta::assert_snapshot!(shown(&root, &["tail", "-n", "2"]), @r#"
    18  time=1700000000000000018 bid.price=-18 bid.size=1800 symbol="BTC-USD" side=66'B'
    19  time=1700000000000000019 bid.price=-19 bid.size=1900 symbol="BTC-USD" side=66'B'
    "#);
    insta::assert_snapshot!(shown(&root, &["dump", "--sequence", "19", "--hex"]), @r#"
    19
      0000  13 00 2a 36 fe 9c 97 17  ed ff ff ff ff ff ff ff  |..*6............|
      0010  6c 07 00 00 00 00 00 00  42 54 43 2d 55 53 44 42  |l.......BTC-USDB|
    "#);
    insta::assert_snapshot!(stable(&root, &shown(&root, &["verify"])), @"ROOT/s: fine (8 slots)");
    let text = stable_stat(&root, &shown(&root, &["stat"]));
    let (head, rest) = text.split_at(text.find("made").unwrap());
    insta::assert_snapshot!(head, @r#"
    ring        ROOT/s
    file        4.5 KiB, sealed, mode 0400, owner ? (uid ?, gid ?)
    "#);
    // Everything else is as for a ring on disk in the same state, but for the thread that wakes, which shows as a fence.
    let _on_disk = rings::live(&root, "q");
    let on_disk_slow = Subscriber::<Quote>::options("q").root(&root).join(Join::Oldest).open().unwrap();
    let on_disk = stable_stat(&root, &fine(&root, &["stat", "q"]));
    assert_eq!(rest.replace("by fence", "by membarrier"), on_disk[on_disk.find("made").unwrap()..]);
    drop(on_disk_slow);
    let arguments = connect(&root, &["stat"]);
    assert_eq!(json(&root, &strs(&arguments))["sealed"], true);
    drop(slow);
}

#[test]
fn ringctl_takes_no_client_place_and_writes_nothing() {
    let root = PrivateRoot::new();
    let mut publisher = Publisher::options("q").capacity(8).max_clients(1).serve(socket(&root)).create().unwrap();
    publish_twenty(&mut publisher);
    let mut tail = follow(&root);
    tail.wait_for("{\"sequence\":19,");
    // Although `tail` follows the ring, the only allowed client can attach.
    let mut subscriber = Subscriber::<Quote>::connect(socket(&root)).join(Join::Oldest).open().unwrap();
    assert_eq!(publisher.subscribers().unwrap(), 1);
    assert!(subscriber.try_recv().is_ok());
    let maps = fs::read_to_string(format!("/proc/{}/maps", tail.id())).unwrap();
    let ours: Vec<_> = maps.lines().filter(|line| line.contains("memfd:feed-ring q")).collect();
    assert_eq!(ours.len(), 2, "{maps}");
    assert!(ours.iter().all(|line| line.contains(" r--s ")), "{ours:?}");
    for entry in fs::read_dir(format!("/proc/{}/fd", tail.id())).unwrap().flatten() {
        if fs::read_link(entry.path()).unwrap().to_string_lossy().contains("memfd:feed-ring") {
            let fdinfo = format!("/proc/{}/fdinfo/{}", tail.id(), entry.file_name().display());
            let info = fs::read_to_string(fdinfo).unwrap();
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim();
            assert!(flags.ends_with('0'), "not open for reading alone (flags {flags})");
        }
    }
}

#[test]
fn following_a_sealed_ring_to_its_close() {
    let root = PrivateRoot::new();
    let mut publisher = publisher(&root);
    publish_twenty(&mut publisher);
    assert_follows_to_close(publisher, follow(&root));
    insta::assert_snapshot!(error(&root, &["tail"]), @"ringctl: ROOT/s: no such socket: start the publisher that serves it (feed-publisher --serve PATH), or mend the path");
}

#[test]
fn following_a_sealed_ring_to_the_death_of_its_publisher() {
    let root = PrivateRoot::new();
    let mut publisher = live(&root);
    let mut tail = follow(&root);
    tail.wait_for("{\"sequence\":19,");
    publisher.kill();
    let (status, rest) = tail.finish();
    assert_eq!((status.code(), &*rest), (Some(0), "{\"ended\":\"dead\"}\n"));
    for arguments in [&["tail"][..], &["dump"], &["stat"]] {
        let said = error(&root, arguments);
        assert_eq!(said, "ringctl: ROOT/s: nobody serves this socket any more: restart its publisher\n");
    }
    let (code, stdout, stderr) = run(&root, &strs(&connect(&root, &["verify"])));
    assert_eq!((code, &*stderr), (1, ""));
    assert!(stable(&root, &stdout).starts_with("ROOT/s: ROOT/s: nobody serves this socket any more"), "{stdout}");
}

#[test]
fn the_sealed_ring_of_feed_publisher() {
    let root = PrivateRoot::new();
    let mut command = Command::new(program("feed-publisher"));
    command.arg("--serve").arg(socket(&root)).args(["--rate", "2000", "--summary", "json"]).stdin(Stdio::null());
    let publisher = Program::start(&mut command);
    while !socket(&root).exists() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let mut tail = follow(&root);
    // Whichever is the newest when it joins: on a busy machine that may take a while.
    let line = tail.wait_for("{\"sequence\":");
    assert!(line.contains(",\"message\":{\"ts_event\":"), "{line}");
    let first = json_lines(&shown(&root, &["--json", "dump", "--sequence", "0"]));
    assert_eq!(first[0]["sequence"], 0);
    assert!(shown(&root, &["stat"]).contains("Message (56 B)"));
    assert!(shown(&root, &["verify"]).contains(": fine (65,536 slots)"));
    publisher.signal(rustix::process::Signal::TERM);
    tail.wait_for("{\"ended\":\"closed\"}");
    assert_eq!(publisher.finish().code, Some(0));
}

#[test]
fn top_shows_sealed_rings_beside_the_others() {
    let root = PrivateRoot::new();
    closed(&root, "disk");
    let mut publisher = live(&root);
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringctl"));
    command
        .arg("--root")
        .arg(root.path())
        .args(["--json", "top", "--interval", "0.01", "--connect"])
        .arg(socket(&root));
    let mut top = Child::start(&mut command);
    let mut look = || {
        let rings = json_lines(&top.wait_for(""))[0]["rings"].clone();
        rings
            .as_array()
            .unwrap()
            .iter()
            .map(|ring| (ring["name"].clone(), ring["publisher"].clone()))
            .collect::<Vec<_>>()
    };
    let name = socket(&root).to_str().unwrap().to_owned();
    let expected = |state: &str| vec![("disk".into(), "closed".into()), (name.clone().into(), state.into())];
    assert_eq!(look(), expected("alive"));
    publisher.kill();
    while look() == expected("alive") {}
    assert_eq!(look(), expected("dead"));
    let _publisher = live(&root);
    while look() == expected("dead") {}
    assert_eq!(look(), expected("alive"), "another one behind the same socket");
}

#[test]
fn other_sockets_are_reported() {
    let root = PrivateRoot::new();
    insta::assert_snapshot!(error(&root, &["tail"]), @"ringctl: ROOT/s: no such socket: start the publisher that serves it (feed-publisher --serve PATH), or mend the path");
    fs::write(socket(&root), "mine").unwrap();
    insta::assert_snapshot!(error(&root, &["tail"]), @"ringctl: ROOT/s: not a ring: a regular file, the socket of a sealed ring's publisher expected: choose another name, or move it away");
    fs::remove_file(socket(&root)).unwrap();
    let stream = UnixListener::bind(socket(&root)).unwrap();
    insta::assert_snapshot!(error(&root, &["dump"]), @"ringctl: ROOT/s: not a ring: a socket of another type, the socket of a sealed ring's publisher expected: choose another name, or move it away");
    drop(stream);
    fs::remove_file(socket(&root)).unwrap();
    // A socket of the right type that sends something else.
    let listener =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    rustix::net::bind(&listener, &SocketAddrUnix::new(socket(&root)).unwrap()).unwrap();
    rustix::net::listen(&listener, 4).unwrap();
    let answering = std::thread::spawn(move || {
        let client = rustix::net::accept_with(&listener, SocketFlags::CLOEXEC).unwrap();
        rustix::io::write(client, b"220 mail ready").unwrap();
    });
    insta::assert_snapshot!(error(&root, &["stat"]), @"ringctl: ROOT/s: not a ring: a socket that answers with 14 bytes of something else, the socket of a sealed ring's publisher expected: choose another name, or move it away");
    answering.join().unwrap();
}

#[test]
fn a_refused_user_is_reported() {
    if !rustix::process::geteuid().is_root() {
        return skipped("running as another user takes root");
    }
    let root = PrivateRoot::new();
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let _publisher = live(&root);
    let nobody = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringctl"));
        command.args(connect(&root, &["tail"]));
        let output = std::os::unix::process::CommandExt::uid(&mut command, 65_534).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
        stable(&root, &String::from_utf8(output.stderr).unwrap())
    };
    insta::assert_snapshot!(nobody(), @"ringctl: ROOT/s: refused by its publisher: uid ? is neither the publisher's (0) nor allowed: run as another user, or publish with that uid ? a group of it allowed");
    fs::set_permissions(socket(&root), fs::Permissions::from_mode(0o600)).unwrap();
    insta::assert_snapshot!(nobody(), @"ringctl: ROOT/s: permission denied: run as a user whom the ring's mode admits, or publish it with a wider mode");
}

#[test]
fn a_name_or_a_socket_and_not_both() {
    let root = PrivateRoot::new();
    for command in ["tail", "dump", "stat"] {
        for arguments in [&[command][..], &[command, "q", "--connect", "s"]] {
            let (code, stdout, stderr) = run(&root, arguments);
            assert_eq!((code, &*stdout), (2, ""), "{arguments:?}");
            assert!(stderr.contains("--connect <PATH>"), "{stderr}");
        }
    }
    assert_eq!(run(&root, &["verify", "q", "--connect", "s"]).0, 2);
}
