//! Tests of how the subscriber starts and ends: no ring yet, --max, signals, a dead publisher, a closed pipe.

mod common;

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{assert_conserved, assert_one_line, number, publisher, start, subscriber, success, summary};
use feed::sample;
use feed_testing::{PrivateRoot, Program, ignoring_hangups};
use rustix::process::Signal;
use serde_json::Value;

#[test]
fn without_a_ring_the_error_names_the_flag() {
    let root = PrivateRoot::new();
    let finished = Program::start(&mut subscriber(&root)).finish();
    assert_one_line(&finished, 1, &["feed.ring: no such ring", "(--open-timeout SECONDS)"]);
    assert_eq!(finished.stdout, "");
    let waited = Program::start(subscriber(&root).args(["--open-timeout", "0.05"])).finish();
    assert_one_line(&waited, 1, &["no such ring"]);
    assert!(root.names().is_empty());
}

#[test]
fn a_wrong_command_line_is_exit_code_2_and_names_the_flag() {
    let root = PrivateRoot::new();
    for (arguments, says) in [
        (&["--ring", "../feed"][..], "'--ring <NAME>': ring name \"../feed\""),
        (&["--from", "newest"], "--from"),
        (&["--from", "18446744073709551615"], "--from: join at sequence"),
        (&["--wait", "sleep"], "--wait"),
        (&["--output", "xml"], "--output"),
        (&["--loud"], "--loud"),
    ] {
        let finished = Program::start(subscriber(&root).args(arguments)).finish();
        finished.assert_usage_error(&[says]);
    }
    let help = Program::start(subscriber(&root).arg("--help")).finish();
    help.assert_quiet_success();
    for text in ["--open-timeout", "The summary (", "\n  latency_ns ", "\n  backlog_age_ns ", "Examples:"] {
        assert!(help.stdout.contains(text), "{text:?}: {}", help.stdout);
    }
    assert!(!help.stdout.contains("--delay-ns"), "for tests only");
}

#[test]
fn a_signal_ends_the_wait_for_a_ring() {
    let root = PrivateRoot::new();
    let program = Program::start(subscriber(&root).args(["--open-timeout", "inf"]));
    program.wait_for_handlers();
    program.signal(Signal::TERM);
    let summary = success(program);
    assert_eq!((number(&summary, "messages"), &summary["ended"]), (0, &"signal".into()));
    // Nothing was measured, which is no 0.
    assert_eq!((&summary["latency_ns"], &summary["backlog_age_ns"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_signal_to_the_subscriber_ends_it_well_while_the_feed_goes_on() {
    for (signal, wait) in
        [(Signal::TERM, "yield"), (Signal::INT, "spin"), (Signal::HUP, "spin"), (Signal::HUP, "block")]
    {
        let root = PrivateRoot::new();
        let (publisher, mut subscribers) =
            start(&root, &["--rate", "5000"], &[&["--output", "csv", "--wait", wait], &[]]);
        let mut first = subscribers.remove(0);
        first.wait_for("quote");
        first.signal(signal);
        let summary = success(first);
        assert_eq!(summary["ended"], "signal");
        assert_conserved(&summary);
        assert!(number(&summary, "messages") > 0);
        publisher.signal(Signal::TERM);
        let published = success(publisher);
        let second = success(subscribers.remove(0));
        assert_eq!(second["ended"], "closed");
        assert_conserved(&second);
        assert_eq!(second["next_sequence"], published["next_sequence"]);
        assert!(root.names().is_empty());
    }
}

#[test]
fn under_nohup_a_closing_terminal_changes_nothing() {
    for wait in ["yield", "block"] {
        let root = PrivateRoot::new();
        let mut command = ignoring_hangups(&subscriber(&root));
        let subscriber = Program::start(command.args(["--open-timeout", "inf", "--wait", wait]));
        subscriber.wait_for_handlers();
        subscriber.signal(Signal::HUP);
        let published = ["--count", "100", "--wait-for-subscribers", "1"];
        success(Program::start(publisher(&root).args(published)));
        assert_eq!(number(&success(subscriber), "messages"), 100, "{wait}");
    }
}

#[test]
fn a_signal_is_noticed_when_stalled_and_when_behind() {
    // Always behind, and then caught up with a stalled feed.
    let root = PrivateRoot::new();
    let (publisher, mut subscribers) =
        start(&root, &["--speed", "max", "--capacity", "256"], &[&["--delay-ns", "1000000"]]);
    let behind = subscribers.remove(0);
    std::thread::sleep(Duration::from_millis(50));
    behind.signal(Signal::TERM);
    let summary = success(behind);
    assert_eq!(summary["ended"], "signal");
    assert_conserved(&summary);
    drop(publisher);

    let root = PrivateRoot::new();
    let (publisher, mut subscribers) = start(&root, &["--rate", "0.0001"], &[&["--output", "json", "--wait", "spin"]]);
    let mut stalled = subscribers.remove(0);
    stalled.wait_for("\"sequence\":0");
    stalled.signal(Signal::TERM);
    assert_eq!(number(&success(stalled), "messages"), 1);
    publisher.signal(Signal::TERM);
    assert_eq!(number(&success(publisher), "messages"), 1);
}

#[test]
fn max_messages_are_received_and_no_more() {
    let root = PrivateRoot::new();
    for max in [1, 63, 64, 65, 300, 1_000] {
        let max = max.to_string();
        let (publisher, mut subscribers) =
            start(&root, &["--count", "2000", "--keep"], &[&["--max", &max], &["--max", &max, "--from", "oldest"]]);
        success(publisher);
        for subscriber in subscribers.drain(..) {
            let summary = success(subscriber);
            assert_eq!(summary["messages"].to_string(), max);
            assert_eq!(summary["ended"], "max");
            assert_conserved(&summary);
        }
        let none = success(Program::start(subscriber(&root).args(["--from", "oldest", "--max", "0"])));
        assert_eq!((number(&none, "messages"), &none["ended"]), (0, &"max".into()));
        std::fs::remove_dir_all(root.path().join("feed.ring")).unwrap();
    }
}

#[test]
fn a_killed_publisher_is_told_from_a_closed_ring() {
    let root = PrivateRoot::new();
    let exits = ["--output", "csv", "--on-publisher-loss", "exit"];
    let (mut publisher, mut subscribers) = start(&root, &["--rate", "5000"], &[&exits]);
    let mut subscriber = subscribers.remove(0);
    subscriber.wait_for("trade");
    publisher.kill();
    let finished = subscriber.finish();
    let says = "feed-subscriber: feed: the publisher is gone: restart it, or wait for it (--on-publisher-loss wait)";
    assert_one_line(&finished, 1, &[says]);
    let summary = summary(&finished);
    assert_eq!(summary["ended"], "publisher_dead");
    assert_conserved(&summary);
    assert!(number(&summary, "messages") > 0);
}

#[test]
fn a_malformed_input_reaches_the_subscriber_up_to_where_it_breaks() {
    let root = PrivateRoot::new();
    let mut csv = sample::csv(1_500);
    csv.extend_from_slice(b"1,2,X,SYN1,1,1,,,,,B,3\n");
    let path = root.path().join("broken.csv");
    std::fs::write(&path, csv).unwrap();
    let (publisher, mut subscribers) = start(&root, &["--strict", "--input", path.to_str().unwrap()], &[&[]]);
    let published = publisher.finish();
    assert_eq!(published.code, Some(1));
    assert!(published.stderr.contains("broken.csv: line 1502: kind \"X\" is wrong"), "{published:?}");
    let received = success(subscribers.remove(0));
    assert_eq!(received["ended"], "closed");
    assert_eq!(number(&received, "messages"), 1_500);
    assert_eq!(received["digest"], summary(&published)["digest"]);
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    for output in ["csv", "json", "text"] {
        let root = PrivateRoot::new();
        let publisher = Program::start(publisher(&root).args(["--rate", "20000", "--wait-for-subscribers", "1"]));
        let mut command = subscriber(&root);
        command.args(["--open-timeout", "inf", "--output", output]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        for _ in 0..10 {
            lines.next().unwrap().unwrap();
        }
        drop(lines);
        let code = process.wait().unwrap().code();
        let mut said = String::new();
        process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!((code, said.as_str()), (Some(0), ""), "{output}");
        publisher.signal(Signal::TERM);
        success(publisher);
    }
}

#[test]
fn a_signal_ends_a_subscriber_whose_output_nobody_reads() {
    for (output, summary) in [("csv", "json"), ("text", "text")] {
        let root = PrivateRoot::new();
        // More than a pipe holds is there at once, so that the pipe fills up in the middle of a batch.
        success(Program::start(publisher(&root).args(["--count", "20000", "--keep"])));
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = subscriber(&root);
        command.args(["--from", "oldest", "--output", output, "--summary", summary]);
        let mut process = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        drop(command);
        // Until the pipe is full.
        let (begun, mut before) = (Instant::now(), 0);
        loop {
            let now = rustix::io::ioctl_fionread(&reader).unwrap();
            if now == before && now > 0 {
                break;
            }
            assert!(begun.elapsed().as_secs() < 60, "the pipe does not fill up");
            before = now;
            std::thread::sleep(Duration::from_millis(300));
        }
        let id = rustix::process::Pid::from_raw(process.id().cast_signed()).unwrap();
        rustix::process::kill_process(id, Signal::TERM).unwrap();
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = process.try_wait().unwrap() {
                break status;
            }
            if begun.elapsed().as_secs() > 20 {
                process.kill().unwrap();
                panic!("it does not end");
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        let (mut said, mut printed) = (String::new(), String::new());
        process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        reader.read_to_string(&mut printed).unwrap();
        assert_eq!(status.code(), Some(0), "{said}");
        let mut lines = said.lines();
        assert_eq!(
            lines.next(),
            Some(
                "feed-subscriber: feed: told to end while nobody read standard output: what it had no room for is \
                 missing there"
            )
        );
        // The summary is on standard error; standard output ends with a whole line.
        let last = lines.next_back().unwrap();
        assert!(said.contains("signal") && last.contains("gaps"), "{said}");
        assert!(printed.len() > 10_000 && printed.ends_with('\n'), "{}", printed.len());
        if output == "csv" {
            let summary: serde_json::Value = serde_json::from_str(last).unwrap();
            assert_conserved(&summary);
            assert_eq!(summary["ended"], "signal");
            let commas: Vec<usize> = printed.lines().map(|line| line.matches(',').count()).collect();
            assert!(commas.iter().all(|&count| count == 12), "whole lines");
            assert!(commas.len() as u64 <= number(&summary, "messages") + 1);
        }
    }
}

#[test]
fn a_text_summary_does_not_stand_among_messages() {
    let root = PrivateRoot::new();
    success(Program::start(publisher(&root).args(["--count", "5", "--keep"])));
    let run = |arguments: &[&str]| {
        let finished = Program::start(subscriber(&root).args(["--from", "oldest"]).args(arguments)).finish();
        assert_eq!(finished.code, Some(0), "{finished:?}");
        (finished.stdout, finished.stderr)
    };
    let (stdout, stderr) = run(&["--output", "csv", "--summary=text"]);
    assert_eq!(stdout.lines().count(), 6, "a header and 5 messages: {stdout}");
    assert!(stderr.contains("latency_ns p99.9"), "{stderr}");
    let (stdout, stderr) = run(&["--summary=text"]);
    assert!(stdout.contains("received_live"), "{stdout}");
    assert_eq!(stderr, "");
    let (stdout, stderr) = run(&["--output", "json"]);
    assert_eq!((stdout.lines().count(), stderr.as_str()), (6, ""));
    let last: serde_json::Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    assert_eq!(last["messages"], 5);
}

#[test]
fn nobody_reading_what_it_says_is_no_reason_to_end() {
    let root = PrivateRoot::new();
    // A ring smaller than a huge page, so that the subscriber reports something.
    let kept = Program::start(publisher(&root).args(["--count", "5", "--capacity", "64", "--keep"])).finish();
    assert_eq!(kept.code, Some(0), "{}", kept.tail());
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = subscriber(&root).args(["--from", "oldest", "--huge-pages"]).stderr(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"messages\":5,"), "{output:?}");
}
