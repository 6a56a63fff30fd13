//! Tests of the status line: it shows how the feed is doing on a terminal, and leaves nothing there.
//!
//! Without a terminal there is none: in every other test standard error is empty.

mod common;

use std::process::{Command, Stdio};

use common::{assert_conserved, number, publisher, subscriber, success};
use feed_testing::{On, PrivateRoot, Program, Terminal};
use rustix::process::Signal;
use serde_json::Value;

/// Publishes until it is stopped, once a subscriber is there.
fn publishing(root: &PrivateRoot) -> Program {
    Program::start(publisher(root).args(["--rate", "2000", "--wait-for-subscribers", "1"]))
}

/// A subscriber that waits for its ring and prints its summary into a pipe.
fn following(root: &PrivateRoot, arguments: &[&str]) -> Command {
    let mut command = subscriber(root);
    command.args(["--from", "oldest", "--open-timeout", "inf"]).args(arguments).stdout(Stdio::piped());
    command
}

/// Ends the subscriber and its publisher. Returns the subscriber's summary and what is left on the screen.
fn ended(mut terminal: Terminal, publisher: Program) -> (Value, String) {
    terminal.signal(Signal::TERM);
    let (status, printed, screen) = terminal.end();
    publisher.signal(Signal::TERM);
    assert_eq!((status.code(), publisher.finish().code), (Some(0), Some(0)), "{screen}");
    (serde_json::from_str(&printed).unwrap(), screen)
}

/// True for a status line of all fields, after its first second.
fn is_whole(text: &str) -> bool {
    let time = |name: &str| text.split(name).nth(1).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    text.contains("/s  lag ") && text.contains("  lost 0  ") && time("  p50 ") && time("  p99 ")
}

#[test]
fn a_line_shows_how_the_feed_is_doing_and_is_taken_away() {
    for wait in ["block", "yield"] {
        let root = PrivateRoot::new();
        let publisher = publishing(&root);
        let mut terminal = Terminal::start(following(&root, &["--wait", wait]), On::StandardError, (24, 100));
        let text = terminal.until("all fields", is_whole);
        assert!(text.lines().count() == 1 && text.trim_end().ends_with(" messages"), "{text}");
        let (summary, screen) = ended(terminal, publisher);
        assert_eq!(screen.trim(), "", "{wait}: it is not taken away");
        assert_conserved(&summary);
    }
}

#[test]
fn it_goes_on_while_nothing_comes() {
    let root = PrivateRoot::new();
    // One message at once, the next one in hours.
    let publisher = Program::start(publisher(&root).args(["--rate", "0.0001", "--wait-for-subscribers", "1"]));
    let mut terminal = Terminal::start(following(&root, &[]), On::StandardError, (24, 100));
    terminal.until("a rate of 0", |text| text.starts_with("0 /s  lag 0  lost 0  p50 -  p99 -  1 messages"));
    assert_eq!(ended(terminal, publisher).1.trim(), "");
}

#[test]
fn a_narrow_terminal_shows_what_fits_in_one_line() {
    let root = PrivateRoot::new();
    let publisher = publishing(&root);
    let mut terminal = Terminal::start(following(&root, &[]), On::StandardError, (24, 30));
    let text = terminal.until("a rate", |text| text.contains(" k/s  lag "));
    assert!(text.lines().count() == 1 && !text.contains("p99"), "{text}");
    assert_eq!(ended(terminal, publisher).1.trim(), "");
}

#[test]
fn losses_are_shown() {
    let root = PrivateRoot::new();
    let publishes = ["--rate", "100000", "--capacity", "64", "--wait-for-subscribers", "1"];
    let publisher = Program::start(publisher(&root).args(publishes));
    // It needs ten times as long for a message as the publisher does.
    let mut terminal = Terminal::start(following(&root, &["--delay-ns", "100000"]), On::StandardError, (24, 100));
    terminal.until("a loss", |text| text.contains("  lost ") && !text.contains("  lost 0  "));
    let (summary, screen) = ended(terminal, publisher);
    assert!(number(&summary, "lost") > 0 && screen.trim().is_empty(), "{summary} {screen}");
}

#[test]
fn messages_on_the_same_terminal_stand_in_lines_of_their_own() {
    let root = PrivateRoot::new();
    let publishes = ["--rate", "200", "--count", "600", "--wait-for-subscribers", "1"];
    let publisher = Program::start(publisher(&root).args(publishes));
    let mut command = following(&root, &["--output", "text"]);
    command.args(["--summary", "text"]);
    let mut terminal = Terminal::start(command, On::AllStreams, (800, 100));
    let (status, _, screen) = terminal.end();
    success(publisher);
    assert_eq!(status.code(), Some(0));
    let drawn = String::from_utf8_lossy(&terminal.written).matches("  p99 ").count();
    assert!(drawn > 3, "the status line was drawn {drawn} times");
    let lines: Vec<&str> = screen.lines().collect();
    assert!(lines[0].ends_with(" id | ask"), "{screen}");
    for (number, line) in lines[1..=600].iter().enumerate() {
        let mut words = line.split_whitespace();
        assert_eq!(words.next(), Some(&*number.to_string()), "{line}");
        assert!(line.len() <= 80 && words.next().is_some_and(|time| time.len() == 15), "{line}");
    }
    assert_eq!(lines[601].split_whitespace().collect::<Vec<_>>(), ["messages", "600"], "then comes the summary");
    assert!(!screen.contains("  p99 "), "{screen}");
}

#[test]
fn lines_that_are_said_stand_by_themselves() {
    let root = PrivateRoot::new();
    let mut first = publishing(&root);
    let mut terminal = Terminal::start(following(&root, &[]), On::StandardError, (24, 200));
    terminal.until("a status line", |text| text.contains(" k/s  lag "));
    first.kill();
    let said = "feed-subscriber: feed: the publisher died or left: waiting for the next one";
    let text = terminal.until("the death", |text| text.contains(said));
    assert!(text.lines().next().unwrap().ends_with("(--on-publisher-loss exit to end)"), "{text}");
    let second = publishing(&root);
    terminal.until("the restart", |text| text.contains("must be rebuilt"));
    let (summary, screen) = ended(terminal, second);
    assert_eq!((number(&summary, "restarts"), screen.lines().count()), (1, 2), "{screen}");
}

#[test]
fn a_terminal_that_takes_no_output_holds_nobody_up() {
    let root = PrivateRoot::new();
    let publisher = publishing(&root);
    let mut terminal = Terminal::start(following(&root, &[]), On::StandardError, (24, 100));
    terminal.until("a status line", |text| text.contains(" k/s  lag "));
    terminal.press("\x13"); // Ctrl-S
    std::thread::sleep(std::time::Duration::from_millis(500));
    let (summary, _) = ended(terminal, publisher);
    assert_eq!((number(&summary, "lost"), &summary["ended"]), (0, &"signal".into()));
}

#[test]
fn in_the_background_or_beside_logs_there_is_none() {
    let root = PrivateRoot::new();
    let publisher = publishing(&root);
    let mut command = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_feed-subscriber");
    // Job control gives the background a process group of its own.
    let script = "set -m; \"$@\" & wait $!";
    command.args(["-c", script, "sh", program, "--from", "oldest", "--open-timeout", "inf", "--summary", "json"]);
    command.args(["--max", "2000", "--root"]).arg(root.path()).env_remove("RUST_LOG").stdout(Stdio::piped());
    let mut terminal = Terminal::start(command, On::StandardError, (24, 100));
    let (status, printed, screen) = terminal.end();
    assert_eq!((status.code(), screen.trim(), terminal.written.len()), (Some(0), "", 0), "{printed}");
    assert!(printed.contains("\"messages\":2000,"), "{printed}");
    let mut command = following(&root, &["--max", "2000"]);
    command.env("RUST_LOG", "error");
    let mut terminal = Terminal::start(command, On::StandardError, (24, 100));
    let (status, _, screen) = terminal.end();
    assert_eq!((status.code(), screen.trim(), terminal.written.len()), (Some(0), "", 0));
    publisher.signal(Signal::TERM);
    success(publisher);
}
