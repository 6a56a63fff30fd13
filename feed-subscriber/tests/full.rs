//! No write error is lost: standard output, or standard error with the summary, on a full disk.

mod common;

use std::fs::File;

use common::{publisher, subscriber, success};
use feed_testing::{PrivateRoot, Program, on_a_full_disk};

#[test]
fn a_full_disk_is_an_error() {
    let root = PrivateRoot::new();
    success(Program::start(publisher(&root).args(["--count", "1000", "--keep"])));
    let full = "No space left on device (os error 28): make room, or send it elsewhere";
    for (arguments, says) in [
        (&["--help"][..], "cannot write to standard output"),
        (&["-h"], "cannot write to standard output"),
        (&["--version"], "cannot write to standard output"),
        (&["--from", "oldest", "--summary", "text"], "cannot print the summary"),
        (&["--from", "oldest", "--summary", "json"], "cannot print the summary"),
        (&["--from", "oldest", "--output", "json"], "cannot print the summary"),
    ] {
        let finished = on_a_full_disk(subscriber(&root).args(arguments));
        finished.assert_one_line("feed-subscriber", 1, &[&format!("feed-subscriber: {says}: {full}")]);
    }
}

#[test]
fn messages_that_cannot_be_printed_were_received() {
    let root = PrivateRoot::new();
    success(Program::start(publisher(&root).args(["--count", "1000", "--keep"])));
    for output in ["csv", "json", "text"] {
        let arguments = ["--from", "oldest", "--output", output, "--summary", "text"];
        let finished = on_a_full_disk(subscriber(&root).args(arguments));
        let said = &finished.stderr;
        assert_eq!(finished.code, Some(1), "{said}");
        let says = "feed-subscriber: cannot write to standard output: No space left on device (os error 28): make room, \
                    or send it elsewhere";
        assert_eq!(said.lines().last(), Some(says));
        let value = |name: &str| {
            let line = said.lines().find(|line| line.starts_with(name)).unwrap();
            line[name.len()..].trim().parse::<u64>().unwrap()
        };
        assert_eq!(value("first_sequence") + value("messages ") + value("lost"), value("next_sequence"), "{said}");
    }
}

#[test]
fn a_summary_that_standard_error_has_no_room_for_is_an_error() {
    let root = PrivateRoot::new();
    success(Program::start(publisher(&root).args(["--count", "5", "--keep"])));
    let mut command = subscriber(&root);
    command.args(["--from", "oldest", "--output", "csv", "--summary", "text"]);
    let output = command.stderr(File::options().write(true).open("/dev/full").unwrap()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 6, "a header and 5 messages");
}
