//! Tests of latency and lag with one of the programs stopped for a while: messages that waited count the wait. Those that
//! were there before have an age instead.

mod common;

use std::time::Duration;

use common::{assert_conserved, number, publisher, start, subscriber, success};
use feed_testing::{PrivateRoot, Program};
use rustix::process::Signal;

/// How long a program is stopped.
const HELD_UP: Duration = Duration::from_millis(300);

/// 1,000 messages per second, of which about 300 are late.
const PUBLISHES: [&str; 4] = ["--count", "1500", "--rate", "1000"];

fn milliseconds(summary: &serde_json::Value, percentile: &str) -> u64 {
    summary["latency_ns"][percentile].as_u64().unwrap_or_else(|| panic!("{percentile} in {summary}")) / 1_000_000
}

#[test]
fn a_stopped_publisher_delays_every_message_that_was_due() {
    let root = PrivateRoot::new();
    let (publisher, mut subscribers) = start(&root, &PUBLISHES, &[&["--output", "csv"]]);
    subscribers[0].wait_for("\n100,");
    publisher.signal(Signal::STOP);
    std::thread::sleep(HELD_UP);
    publisher.signal(Signal::CONT);
    success(publisher);
    let summary = success(subscribers.remove(0));
    assert_eq!((number(&summary, "messages"), number(&summary, "lost")), (1_500, 0));
    // The first late message was late for the whole time, each later one a little less: a fifth of all messages.
    // Counted from the actual publish time, it would be none or one.
    let [p90, p99, max] = ["p90", "p99", "max"].map(|percentile| milliseconds(&summary, percentile));
    assert!(max >= 295, "{summary}");
    assert!(p99 >= 250 && p90 >= 100, "{summary}");
}

#[test]
fn a_stopped_subscriber_has_lag_and_latency() {
    let root = PrivateRoot::new();
    let (publisher, mut subscribers) = start(&root, &PUBLISHES, &[&["--output", "csv"], &["--from", "oldest"]]);
    subscribers[0].wait_for("\n100,");
    subscribers[0].signal(Signal::STOP);
    std::thread::sleep(HELD_UP);
    subscribers[0].signal(Signal::CONT);
    success(publisher);
    let [held_up, other] = [success(subscribers.remove(0)), success(subscribers.remove(0))];
    for summary in [&held_up, &other] {
        assert_conserved(summary);
        assert_eq!((number(summary, "messages"), number(summary, "lost")), (1_500, 0));
    }
    let lag = number(&held_up, "lag_max");
    assert!((200..1_400).contains(&lag), "{held_up}");
    assert!(milliseconds(&held_up, "max") >= 295 && milliseconds(&held_up, "p90") >= 100, "{held_up}");
    // No other subscriber is delayed.
    assert!(number(&other, "lag_max") < lag, "{other} {held_up}");
    assert_eq!(other["digest"], held_up["digest"]);
}

#[test]
fn a_backlog_is_no_latency() {
    let root = PrivateRoot::new();
    // A ring that ended: all of it is backlog.
    success(Program::start(publisher(&root).args(["--count", "1000", "--keep"])));
    std::thread::sleep(HELD_UP);
    let late = success(Program::start(subscriber(&root).args(["--from", "oldest"])));
    assert_eq!((number(&late, "messages"), number(&late, "backlog")), (1_000, 1_000));
    assert_eq!(late["latency_ns"], serde_json::Value::Null, "{late}");
    assert!(number(&late, "backlog_age_ns") >= HELD_UP.as_nanos() as u64, "{late}");
    // Its text has a dash where there is nothing.
    let text = Program::start(subscriber(&root).args(["--from", "oldest", "--summary", "text"])).finish();
    text.assert_quiet_success();
    let dashes = text.stdout.lines().filter(|line| line.starts_with("latency_ns") && line.ends_with(" -")).count();
    assert_eq!(dashes, 5, "{text:?}");
}

#[test]
fn what_comes_after_a_late_join_has_a_latency() {
    let root = PrivateRoot::new();
    let join = |from: &str, more: &[&str]| {
        let mut command = subscriber(&root);
        Program::start(command.args(["--open-timeout", "inf", "--output", "csv", "--from", from]).args(more))
    };
    let publisher = Program::start(publisher(&root).args(["--rate", "5000"]));
    assert_eq!(join("oldest", &["--max", "100"]).finish().code, Some(0));
    // At least those hundred are there before it.
    let mut late = join("oldest", &[]);
    late.wait_for("\n0,");
    // What this one receives was published after both had joined.
    let mut latest = join("latest", &[]);
    latest.wait_for("trade");
    publisher.signal(Signal::TERM);
    success(publisher);
    let [late, latest] = [success(late), success(latest)];
    let backlog = number(&late, "backlog");
    assert!(backlog >= 100 && backlog < number(&late, "messages"), "{late}");
    assert!(late["backlog_age_ns"].is_u64() && late["latency_ns"]["p50"].is_u64(), "{late}");
    assert_eq!((number(&latest, "backlog"), &latest["backlog_age_ns"]), (0, &serde_json::Value::Null));
    assert!(latest["latency_ns"]["max"].is_u64(), "{latest}");
}
