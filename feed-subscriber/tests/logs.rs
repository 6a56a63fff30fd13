//! Tests of the structured logs of both programs: the life of a ring with `RUST_LOG`, nothing without it.

mod common;

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use common::{publisher, subscriber};
use feed_testing::{Finished, PrivateRoot, Program, program};
use rustix::process::Signal;
use serde_json::Value;

/// The lines of the log without their times: `INFO feed_publisher::run: …`.
fn log(finished: &Finished) -> Vec<&str> {
    let lines = finished.stderr.lines().filter(|line| !line.starts_with("feed-"));
    lines.map(|line| line.split_once('Z').unwrap_or_else(|| panic!("no time: {line:?}")).1.trim_start()).collect()
}

/// Fails unless lines with these beginnings are in the log in this order.
#[track_caller]
fn assert_tells(finished: &Finished, expected: &[&str]) {
    let lines = log(finished);
    let mut rest = lines.iter();
    for beginning in expected {
        assert!(rest.any(|line| line.starts_with(beginning)), "{beginning:?} is not there, or not there: {lines:#?}");
    }
}

/// A ring that is created, followed, left by a killed publisher, taken over, superseded and closed.
fn life(filter: Option<&str>) -> [Finished; 3] {
    let root = PrivateRoot::new();
    let with_filter = |mut command: Command| {
        command.env_remove("RUST_LOG").env_remove("RUST_LOG_FORMAT");
        filter.iter().for_each(|filter| _ = command.env("RUST_LOG", filter));
        command
    };
    let publish = |arguments: &[&str]| Program::start(with_filter(publisher(&root)).args(arguments));
    let follow = ["--from", "oldest", "--open-timeout", "inf", "--output", "csv"];
    let mut follower = Program::start(with_filter(subscriber(&root)).args(follow));
    let mut first = publish(&["--rate", "1000", "--wait-for-subscribers", "1"]);
    follower.wait_for("\n20,");
    if filter.is_some() {
        // The publisher checks once a second.
        first.wait_for_error("subscriber attached");
    }
    first.kill();
    let first = first.finish();
    follower.wait_for_error("the publisher died");
    let mut second = publish(&["--rate", "1000"]);
    second.wait_for_error("taken over");
    follower.wait_for_error("the publisher restarted");
    second.signal(Signal::KILL);
    second.finish();
    let third = publish(&["--count", "10", "--capacity", "512", "--wait-for-subscribers", "1"]).finish();
    [first, third, follower.finish()]
}

#[test]
fn the_life_of_a_ring_is_in_the_log() {
    let [first, third, follower] = life(Some("info"));
    assert_tells(
        &first,
        &[
            "INFO feed_publisher::run: ring created ring=\"feed\" epoch=1 sequence=0 capacity=65536 wake=\"",
            "INFO feed_publisher::attendance: subscriber attached ring=\"feed\" entry=0 pid=",
        ],
    );
    assert_tells(
        &third,
        &[
            "INFO feed_publisher::run: ring made, which supersedes an older one ring=\"feed\" epoch=1 sequence=",
            "INFO feed_publisher::run: ring closed ring=\"feed\" published=10 sequence=",
        ],
    );
    assert_tells(
        &follower,
        &[
            "INFO feed_subscriber::run: opened ring=\"feed\" first=0 epoch=1 capacity=65536",
            "WARN feed_subscriber::follow: publisher lost ring=\"feed\" sequence=",
            "INFO feed_subscriber::follow: restarted ring=\"feed\" epoch=2 sequence=",
            // The second death may not be noticed: the next publisher was there at once.
            "INFO feed_subscriber::follow: superseded ring=\"feed\" sequence=",
            "INFO feed_subscriber::follow: reopened ring=\"feed\" first=",
            "INFO feed_subscriber::follow: ended ring=\"feed\" ended=\"closed\" sequence=",
        ],
    );
}

#[test]
fn there_is_no_log_by_default() {
    for finished in life(None) {
        assert_eq!(log(&finished), [""; 0], "{}", finished.stderr);
    }
}

#[test]
fn a_level_filters_the_log() {
    let [first, third, follower] = life(Some("feed_publisher=info,feed_subscriber=warn"));
    assert!(!log(&first).is_empty() && !log(&third).is_empty());
    assert!(log(&follower).iter().all(|line| line.starts_with("WARN ")), "{}", follower.stderr);
    assert!(!log(&follower).is_empty(), "{}", follower.stderr);
}

#[test]
fn losses_are_summed_up() {
    const COUNT: u64 = 300_000;
    let root = PrivateRoot::new();
    let mut slow = subscriber(&root);
    slow.args(["--from", "oldest", "--open-timeout", "inf", "--delay-ns", "20000"]);
    let slow = Program::start(slow.env("RUST_LOG", "warn").env("RUST_LOG_FORMAT", "json"));
    let count = COUNT.to_string();
    let mut command = publisher(&root);
    command.args(["--count", &count, "--capacity", "256", "--wait-for-subscribers", "1"]);
    assert_eq!(Program::start(&mut command).finish().code, Some(0));
    let finished = slow.finish();
    let summary = common::summary(&finished);
    let lines: Vec<Value> = finished.stderr.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert!(lines.iter().all(|line| line["level"] == "WARN" && line["fields"]["message"] == "lagged"), "{lines:#?}");
    let missed: u64 = lines.iter().map(|line| line["fields"]["missed"].as_u64().unwrap()).sum();
    assert!(missed > 0 && missed == common::number(&summary, "lost"), "{lines:#?} {summary}");
    // The first loss is logged at once, the last at the end, and one per second in between.
    let seconds = summary["seconds"].as_f64().unwrap();
    assert!(lines.len() as f64 <= seconds + 3.0, "{} lines in {seconds} s", lines.len());
}

#[test]
fn who_is_served_is_in_the_log() {
    let root = PrivateRoot::new();
    let socket = root.path().join("s");
    let mut command = Command::new(program("feed-publisher"));
    command.arg("--serve").arg(&socket).args(["--rate", "1000", "--summary", "json"]);
    let mut served = Program::start(command.env("RUST_LOG", "info"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_feed-subscriber"));
    command.arg("--connect").arg(&socket).args(["--open-timeout", "60", "--max", "1"]);
    assert_eq!(Program::start(command.env_remove("RUST_LOG")).finish().code, Some(0));
    served.wait_for_error("clients left");
    served.signal(Signal::TERM);
    let finished = served.finish();
    let created = format!("INFO feed_publisher::run: ring created ring={:?} epoch=1", socket.display().to_string());
    assert_tells(&finished, &[&created, "INFO feed_publisher::run: ring closed"]);
    // The serving thread may log before the one that created the ring.
    assert_tells(
        &finished,
        &["INFO feed_ring: client accepted uid=", "INFO feed_ring: clients left count=1 clients=0"],
    );
}

#[test]
fn a_filter_that_cannot_be_understood_is_no_reason_to_stop() {
    let root = PrivateRoot::new();
    let mut command = publisher(&root);
    let finished = Program::start(command.args(["--count", "5"]).env("RUST_LOG", "feed=loud")).finish();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(finished.stderr.contains("feed=loud"), "{}", finished.stderr);
}

/// Nobody reads standard error, and it is full: the log's lines are dropped. If one were waited for, nobody would be served
/// any more, and the publisher would not end.
#[test]
fn a_log_that_nobody_reads_holds_nothing_up() {
    let root = PrivateRoot::new();
    let socket = root.path().join("s");
    let (mut reader, mut full) = std::io::pipe().unwrap();
    rustix::pipe::fcntl_setpipe_size(&full, 4096).unwrap();
    full.write_all(&[b'\n'; 4096]).unwrap();
    let mut command = Command::new(program("feed-publisher"));
    command.arg("--serve").arg(&socket).args(["--rate", "1000", "--summary", "json"]).env("RUST_LOG", "info");
    let mut served = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(full).spawn().unwrap();
    for _ in 0..3 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_feed-subscriber"));
        command.arg("--connect").arg(&socket).args(["--open-timeout", "60", "--max", "1"]);
        assert_eq!(Program::start(command.env_remove("RUST_LOG")).finish().code, Some(0));
    }
    let id = rustix::process::Pid::from_child(&served);
    rustix::process::kill_process(id, Signal::TERM).unwrap();
    let mut ended = None;
    for _ in 0..60_000 {
        ended = served.try_wait().unwrap();
        if ended.is_some() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let _ = served.kill();
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
    drop(command);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "\n".repeat(4096), "every line was dropped");
}
