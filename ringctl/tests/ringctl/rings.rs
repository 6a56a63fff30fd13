//! Rings for the tests, and ways to run `ringctl` on them.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use assert_cmd::Command;
use feed_ring::{Payload, Publisher, PublisherOptions};
use feed_testing::{Child, PrivateRoot, as_child, child};
use serde_json::Value;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A message with a field of every type that `ringctl` formats differently.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Payload)]
#[repr(C)]
pub(crate) struct Quote {
    time: u64,
    bid: Level,
    symbol: [u8; 7],
    side: u8,
}

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Payload)]
#[repr(C)]
pub(crate) struct Level {
    price: i64,
    size: u64,
}

/// The message with this sequence in every ring of the tests.
pub(crate) fn quote(sequence: u64) -> Quote {
    let bid = Level { price: -(sequence as i64), size: sequence * 100 };
    Quote { time: 1_700_000_000_000_000_000 + sequence, bid, symbol: *b"BTC-USD", side: b'B' }
}

pub(crate) fn options(root: impl AsRef<Path>, name: &str) -> PublisherOptions<Quote> {
    Publisher::options(name).root(root).capacity(8)
}

/// Publishes twenty messages; the rings have eight slots.
pub(crate) fn publish_twenty(publisher: &mut Publisher<Quote>) {
    for sequence in 0..20 {
        publisher.publish(&quote(sequence));
    }
}

/// A ring that its publisher closed and kept.
pub(crate) fn closed(root: &PrivateRoot, name: &str) -> PathBuf {
    let mut publisher = options(root, name).keep(true).create().unwrap();
    publish_twenty(&mut publisher);
    publisher.close().unwrap();
    root.path().join(format!("{name}.ring"))
}

/// Publishes twenty messages and waits to be killed.
#[test]
#[ignore = "a child of other tests"]
fn publish_and_wait() {
    if as_child() {
        let mut publisher = options(std::env::var("ROOT").unwrap(), &std::env::var("NAME").unwrap()).create().unwrap();
        publish_twenty(&mut publisher);
        println!("\npublished");
        loop {
            std::thread::park();
        }
    }
}

/// Publishes a message each millisecond until killed, in a large ring.
#[test]
#[ignore = "a child of other tests"]
fn publish_on_and_on() {
    if as_child() {
        let options = options(std::env::var("ROOT").unwrap(), &std::env::var("NAME").unwrap()).capacity(1 << 16);
        let mut publisher = options.create().unwrap();
        println!("\npublished");
        for sequence in 0.. {
            publisher.publish(&quote(sequence));
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn start(test: &str, root: &PrivateRoot, name: &str) -> Child {
    let mut publisher = Child::start(child(&format!("rings::{test}")).env("ROOT", root.path()).env("NAME", name));
    publisher.wait_for("published");
    publisher
}

/// A publisher in another process that has published twenty messages and lives.
pub(crate) fn live(root: &PrivateRoot, name: &str) -> Child {
    start("publish_and_wait", root, name)
}

/// A publisher in another process that keeps publishing.
pub(crate) fn busy(root: &PrivateRoot, name: &str) -> Child {
    start("publish_on_and_on", root, name)
}

/// A ring whose publisher was killed.
pub(crate) fn dead(root: &PrivateRoot, name: &str) -> PathBuf {
    live(root, name).kill();
    root.path().join(format!("{name}.ring"))
}

/// A ring that is marked as superseded.
pub(crate) fn superseded(root: &PrivateRoot, name: &str) -> PathBuf {
    let ring = dead(root, name);
    put(&ring.join("segment"), 16, 3);
    ring
}

/// Overwrites a word of a file.
pub(crate) fn put(file: &Path, word: u64, value: u64) {
    fs::OpenOptions::new().write(true).open(file).unwrap().write_all_at(&value.to_ne_bytes(), word * 8).unwrap();
}

/// The index of the word with a slot's sequence.
pub(crate) fn slot(index: u64) -> u64 {
    (4096 + index * 64) / 8
}

/// Entries that have a ring's name but are not rings.
pub(crate) fn no_rings(root: &PrivateRoot) {
    fs::write(root.path().join("file.ring"), "mine").unwrap();
    fs::create_dir(root.path().join("folder.ring")).unwrap();
    std::os::unix::fs::symlink("/etc", root.path().join("link.ring")).unwrap();
}

/// `ringctl` on this root, not started.
pub(crate) fn ringctl(root: &PrivateRoot, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringctl"));
    command.arg("--root").arg(root.path()).args(arguments).timeout(Duration::from_secs(60));
    command
}

/// Runs `ringctl`; returns exit code, standard output and standard error.
pub(crate) fn run(root: &PrivateRoot, arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = ringctl(root, arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().expect("an exit code, no signal"), text(stdout), text(stderr))
}

/// Runs `ringctl`, which must succeed quietly; returns standard output.
pub(crate) fn fine(root: &PrivateRoot, arguments: &[&str]) -> String {
    let (code, stdout, stderr) = run(root, arguments);
    assert_eq!((code, &*stderr), (0, ""), "{arguments:?}: {stdout}");
    stdout
}

/// Runs `ringctl --json`, which must print one value.
pub(crate) fn json(root: &PrivateRoot, arguments: &[&str]) -> Value {
    let stdout = fine(root, &[&["--json"], arguments].concat());
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
    serde_json::from_str(&stdout).unwrap()
}

/// Parses a JSON value from each line.
pub(crate) fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Replaces what differs from run to run: the root, and the values after these words.
pub(crate) fn stable(root: &PrivateRoot, text: &str) -> String {
    let mut text = text.replace(&*root.path().to_string_lossy(), "ROOT");
    for word in ["pid ", "nonce ", "made        ", "owner ", "uid ", "gid "] {
        let mut result = String::new();
        let mut parts = text.split(word);
        result.push_str(parts.next().unwrap_or(""));
        for part in parts {
            let end = part.find(|c: char| " ,()\n".contains(c)).unwrap_or(part.len());
            result.push_str(word);
            result.push('?');
            result.push_str(&part[end..]);
        }
        text = result;
    }
    text
}

/// The same for the text of `stat`, which also depends on the kernel and on the length of the process id.
pub(crate) fn stable_stat(root: &PrivateRoot, text: &str) -> String {
    let pid = std::process::id().to_string();
    stable(root, text)
        .replace("(by fence)", "(by membarrier)")
        .replace(&format!("  {pid}  "), "    ?  ")
        .replace(&format!("ENTRY  {:>1$}", "PID", pid.len()), "ENTRY  PID")
}
