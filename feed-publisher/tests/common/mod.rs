//! What the tests of the publisher share: the program in a private root.
#![allow(dead_code, reason = "each test file uses its part")]

use std::process::{Command, Stdio};

use feed_testing::{Finished, PrivateRoot, Program};
use serde_json::Value;

/// The program, with its ring in this root.
pub(crate) fn publisher(root: &PrivateRoot) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_feed-publisher"));
    command.arg("--root").arg(root.path()).env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn run(root: &PrivateRoot, arguments: &[&str]) -> Finished {
    Program::start(publisher(root).args(arguments)).finish()
}

/// Writes a file into the root; returns its path.
pub(crate) fn file(root: &PrivateRoot, name: &str, bytes: &[u8]) -> String {
    let path = root.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The summary of a program that was asked for JSON: the last line.
pub(crate) fn summary(finished: &Finished) -> Value {
    serde_json::from_str(finished.last_line()).unwrap_or_else(|error| panic!("{error}: {finished:?}"))
}

/// Fails unless the publisher ended with this exit code and one line on standard error that contains these texts.
#[track_caller]
pub(crate) fn assert_one_line(finished: &Finished, code: i32, contains: &[&str]) {
    finished.assert_one_line("feed-publisher", code, contains);
}

/// Starts an endless market at a rate, and waits until its ring exists.
pub(crate) fn endless(root: &PrivateRoot, arguments: &[&str]) -> Program {
    let program = Program::start(publisher(root).args(["--rate", "2000", "--summary", "json"]).args(arguments));
    while !root.path().join("feed.ring/segment").exists() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    program
}
