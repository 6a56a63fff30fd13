//! Tests of `feed-publisher` alone: inputs, refused command lines, signals, summaries.

mod common;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{assert_one_line, endless, file, publisher, run, summary};
use feed::sample::{self, Prefix};
use feed_testing::{PrivateRoot, Program, ignoring_hangups};
use rustix::fs::{FileType, Mode};
use rustix::process::Signal;

#[test]
fn every_format_is_published_and_summarised() {
    let root = PrivateRoot::new();
    let mut inputs = vec![
        ("true.itch".to_owned(), sample::itch(Prefix::True, 1_000)),
        ("zero.itch".to_owned(), sample::itch(Prefix::Zero, 1_000)),
        ("feed.itch.gz".to_owned(), sample::gzip(&sample::itch(Prefix::True, 1_000))),
        ("feed.csv".to_owned(), sample::csv(1_000)),
        ("feed.csv.gz".to_owned(), sample::gzip(&sample::csv(1_000))),
    ];
    for schema in sample::DBN_SCHEMAS {
        let plain = sample::dbn(3, schema, 1_000);
        inputs.push((format!("{schema}.dbn.zst"), sample::zstd(&plain)));
        inputs.push((format!("{schema}.dbn"), plain));
    }
    for (name, bytes) in inputs {
        let path = file(&root, &name, &bytes);
        let finished = run(&root, &["--input", &path, "--summary", "json"]);
        finished.assert_quiet_success();
        assert_eq!(finished.stdout.lines().count(), 1, "no progress bar when piped");
        let summary = summary(&finished);
        assert_eq!(summary["messages"], 1_000, "{name}");
        assert_eq!(summary["next_sequence"], 1_000, "{name}");
        assert_eq!(summary["epoch"], 1, "{name}");
        let kinds = summary["by_kind"].as_object().unwrap().values().map(|count| count.as_u64().unwrap());
        assert_eq!(kinds.sum::<u64>(), 1_000, "{name}");
        std::fs::remove_file(path).unwrap();
    }
    assert!(root.names().is_empty(), "a closed ring is removed");
}

#[test]
fn standard_input_is_an_input() {
    let root = PrivateRoot::new();
    let mut program =
        Program::start(publisher(&root).args(["--input", "-", "--summary", "json"]).stdin(Stdio::piped()));
    program.stdin().unwrap().write_all(&sample::zstd(&sample::csv(5_000))).unwrap();
    let finished = program.finish();
    finished.assert_quiet_success();
    assert_eq!(summary(&finished)["messages"], 5_000);
}

#[test]
fn a_seed_fixes_the_market() {
    let root = PrivateRoot::new();
    let sums = |seed: &str| {
        let finished = run(&root, &["--count", "20000", "--seed", seed, "--summary", "json", "--ring", seed]);
        finished.assert_quiet_success();
        let summary = summary(&finished);
        assert_eq!(summary["messages"], 20_000);
        (summary["price_sum"].clone(), summary["size_sum"].clone(), summary["last_ts"].clone())
    };
    assert_eq!(sums("7"), sums("7"));
    assert_ne!(sums("7"), sums("8"));
}

#[test]
fn the_help_explains_the_summary() {
    let root = PrivateRoot::new();
    let (long, short) = (run(&root, &["--help"]), run(&root, &["-h"]));
    for text in ["The summary (", "\n  digest ", "\n  epoch ", "Exit code: 0", "Examples:"] {
        assert!(long.stdout.contains(text), "{text:?}: {}", long.stdout);
    }
    assert!(short.stdout.contains("Examples:") && !short.stdout.contains("digest"), "{}", short.stdout);
}

#[test]
fn a_text_summary_is_an_aligned_table() {
    let root = PrivateRoot::new();
    let finished = run(&root, &["--count", "100"]);
    finished.assert_quiet_success();
    let first = finished.stdout.lines().next().unwrap();
    assert!(first.starts_with("messages ") && first.ends_with(" 100"), "{finished:?}");
    assert!(finished.stdout.lines().all(|line| line.len() == first.len()), "{finished:?}");
}

#[test]
fn a_paced_feed_takes_at_least_its_time() {
    let root = PrivateRoot::new();
    let seconds = |arguments: &[&str]| {
        let finished = run(&root, &[arguments, &["--summary", "json"]].concat());
        finished.assert_quiet_success();
        summary(&finished)["seconds"].as_f64().unwrap()
    };
    // The schedule takes 0.499 s; the clocks are read one after the other.
    assert!(seconds(&["--count", "500", "--rate", "1000"]) > 0.49);
    let path = file(&root, "feed.csv", &sample::csv(3_000));
    let all = summary(&run(&root, &["--input", &path, "--summary", "json"]));
    let span = (all["last_ts"].as_u64().unwrap() - all["first_ts"].as_u64().unwrap()) as f64 / 1e9;
    assert!(span > 0.01, "{span}");
    assert!(seconds(&["--input", &path, "--speed", "realtime"]) > 0.98 * span);
    assert!(seconds(&["--input", &path, "--speed", "0.5"]) > 1.98 * span);
}

#[test]
fn a_wrong_command_line_is_exit_code_2_and_names_the_flag() {
    let root = PrivateRoot::new();
    for (arguments, says) in [
        (&["--capacity", "1000"][..], "--capacity"),
        (&["--speed", "fast"], "--speed"),
        (&["--rate", "0"], "--rate"),
        (&["--ring", "a/b"], "'--ring <NAME>': ring name \"a/b\""),
        (&["--ring", ".hidden"], "'--ring <NAME>': ring name"),
        (&["--wait-for-subscribers", "1025"], "--wait-for-subscribers 1025: no more than 1024"),
        (&["--count", "1", "--max-clients", "5"], "--allow-gid and --max-clients go with --serve"),
        (&["--loud"], "--loud"),
        (&["--count", "1", "--allow-uid", "0"], "--allow-uid, --allow-gid and --max-clients go with --serve"),
    ] {
        let finished = run(&root, arguments);
        finished.assert_usage_error(&[says]);
    }
    assert!(root.names().is_empty());
    let help = run(&root, &["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
    assert!(help.stdout.contains("--wait-for-subscribers"));
}

#[test]
fn every_subscriber_that_may_be_waited_for_is_counted() {
    let root = PrivateRoot::new();
    run(&root, &["--count", "1", "--keep"]).assert_quiet_success();
    // The header of the control file has the number of entries.
    let control = std::fs::read(root.path().join("feed.ring/control")).unwrap();
    assert_eq!(u64::from_ne_bytes(control[24..32].try_into().unwrap()), 1024);
    let says = "--wait-for-subscribers 1025: no more than 1024 of a ring are counted";
    let finished = run(&root, &["--wait-for-subscribers", "1025"]);
    assert!(finished.code == Some(2) && finished.stderr.contains(says), "{finished:?}");
}

#[test]
fn a_name_that_no_ring_can_have_is_refused_before_the_input_is_touched() {
    let root = PrivateRoot::new();
    // Standard input stays open: reading it would wait.
    let mut program = Program::start(publisher(&root).args(["--ring", "a/b", "--input", "-"]).stdin(Stdio::piped()));
    let _open = program.stdin().unwrap();
    let finished = program.finish();
    finished.assert_usage_error(&["'--ring <NAME>': ring name \"a/b\""]);
    let missing = run(&root, &["--ring", "..", "--input", "/nowhere/feed"]);
    assert!(missing.code == Some(2) && !missing.stderr.contains("/nowhere"), "{missing:?}");
}

#[test]
fn a_signal_closes_the_ring_and_the_summary_is_still_printed() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let root = PrivateRoot::new();
        let program = endless(&root, &[]);
        std::thread::sleep(std::time::Duration::from_millis(20));
        program.signal(signal);
        let finished = program.finish();
        finished.assert_quiet_success();
        let summary = summary(&finished);
        assert_eq!(summary["messages"], summary["next_sequence"]);
        assert!(root.names().is_empty());
    }
}

#[test]
fn a_closing_terminal_may_send_more_than_one_signal() {
    let root = PrivateRoot::new();
    let program = endless(&root, &[]);
    [Signal::HUP, Signal::HUP, Signal::TERM, Signal::HUP].iter().for_each(|&signal| program.signal(signal));
    let finished = program.finish();
    finished.assert_quiet_success();
    assert_eq!(summary(&finished)["messages"], summary(&finished)["next_sequence"]);
    assert!(root.names().is_empty());
}

#[test]
fn under_nohup_a_closing_terminal_changes_nothing() {
    let root = PrivateRoot::new();
    let mut command = ignoring_hangups(&publisher(&root));
    let program = Program::start(command.args(["--count", "600", "--rate", "2000", "--summary", "json"]));
    while !root.path().join("feed.ring/segment").exists() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    program.signal(Signal::HUP);
    let finished = program.finish();
    finished.assert_quiet_success();
    assert_eq!(summary(&finished)["messages"], 600);
}

#[test]
fn a_signal_ends_every_kind_of_waiting() {
    // Waiting for a message an hour away, for subscribers, for more input, for its first bytes.
    let hour = "recv_ts_ns,exch_ts_ms,kind,symbol,px,qty,bid_px,bid_qty,ask_px,ask_qty,side,id\n\
                1700000000000000000,1700000000000,T,A,1,1,,,,,B,1\n\
                1700003600000000000,1700003600000,T,A,1,1,,,,,B,2\n\
                1700003600000000000,1700003600000,T,A,1,1,,,,,B,3\n";
    for (arguments, input, messages) in [
        (&["--input", "-", "--speed", "realtime", "--max-gap", "0"][..], hour, 1),
        (&["--count", "10", "--wait-for-subscribers", "1"], "", 0),
        (&["--input", "-"], hour, 3),
        (&["--input", "-"], "", 0),
    ] {
        let root = PrivateRoot::new();
        let mut program =
            Program::start(publisher(&root).args(["--summary", "json"]).args(arguments).stdin(Stdio::piped()));
        let mut stdin = program.stdin().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        if input.is_empty() && arguments[0] == "--input" {
            // Waiting for input does not show from outside. Handling signals does.
            program.wait_for_handlers();
        } else {
            while !root.path().join("feed.ring/segment").exists() {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        program.signal(Signal::TERM);
        let finished = program.finish();
        finished.assert_quiet_success();
        assert_eq!(summary(&finished)["messages"], messages, "{arguments:?}");
        assert!(root.names().is_empty());
    }
}

#[test]
fn a_fifo_is_an_input_and_a_signal_ends_the_wait_for_its_writer() {
    let root = PrivateRoot::new();
    let fifo = root.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let path = fifo.to_str().unwrap();
    let start = || Program::start(publisher(&root).args(["--input", path, "--summary", "json"]));
    // Without a writer.
    let program = start();
    program.wait_for_handlers();
    std::thread::sleep(std::time::Duration::from_millis(50));
    program.signal(Signal::TERM);
    let finished = program.finish();
    finished.assert_quiet_success();
    assert_eq!(summary(&finished)["messages"], 0);

    // With a writer after a while.
    let program = start();
    program.wait_for_handlers();
    std::thread::sleep(std::time::Duration::from_millis(120));
    std::fs::write(&fifo, sample::csv(5_000)).unwrap();
    let finished = program.finish();
    finished.assert_quiet_success();
    assert_eq!(summary(&finished)["messages"], 5_000);
    assert_eq!(root.names(), ["fifo"]);
}

#[test]
fn a_kept_ring_and_a_dead_one_are_taken_over() {
    let root = PrivateRoot::new();
    run(&root, &["--count", "5", "--keep"]).assert_quiet_success();
    assert_eq!(root.names(), ["feed.ring"]);
    let mut killed = endless(&root, &[]);
    killed.wait_for_error("feed: taken over: epoch 2 begins at sequence 5");
    killed.kill();
    assert_eq!(root.names(), ["feed.ring"], "what was killed could not remove its ring");
    let finished = run(&root, &["--count", "5", "--summary", "json"]);
    let next = summary(&finished);
    let first = next["first_sequence"].as_u64().unwrap();
    assert!(first >= 5, "the sequence goes on where the ring was left: {first}");
    assert_eq!(next["next_sequence"], first + 5);
    assert_eq!(next["epoch"], 3);
    let says = format!("feed: taken over: epoch 3 begins at sequence {first}");
    assert_one_line(&finished, 0, &[&says]);
    assert!(root.names().is_empty());
}

#[test]
fn a_closed_standard_output_is_no_error() {
    let root = PrivateRoot::new();
    let mut command = publisher(&root);
    let mut process = command.args(["--count", "10"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(process.stdout.take());
    let output = process.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

#[test]
fn a_closed_standard_error_is_no_error() {
    let root = PrivateRoot::new();
    run(&root, &["--count", "5", "--keep"]).assert_quiet_success();
    let mut killed = endless(&root, &[]);
    killed.wait_for_error("taken over");
    killed.kill();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    // It reports a takeover.
    let output = publisher(&root).args(["--count", "5", "--summary", "json"]).stderr(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"epoch\":3"), "{output:?}");
}

#[test]
fn a_root_that_is_not_there_is_an_error() {
    let finished =
        Program::start(Command::new(env!("CARGO_BIN_EXE_feed-publisher")).args(["--root", "/nowhere", "--count", "1"]))
            .finish();
    assert_one_line(&finished, 1, &["/nowhere", ": make the directory first, or choose another (--root DIR)"]);
    assert_eq!(finished.stderr.matches("No such file").count(), 1, "{finished:?}");
    assert!(!Path::new("/nowhere").exists());
    let serve = |path: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_feed-publisher"));
        Program::start(command.args(["--serve", path, "--count", "1"])).finish()
    };
    assert_one_line(&serve("/nowhere/sock"), 1, &["/nowhere", "choose another (--serve PATH)"]);
    assert_one_line(&serve("/"), 1, &["must end in a name", "choose another (--serve PATH)"]);
}
