//! Tests of the pace of a replay: that of the capture, with gaps that are cut.

mod common;

use std::time::{Duration, Instant};

use common::{assert_one_line, file, run, summary};
use feed_testing::PrivateRoot;

/// A CSV of trades that were captured so many ms after the first one, with event times that run another way.
fn rows(milliseconds: &[u64]) -> Vec<u8> {
    let mut file =
        "recv_ts_ns,exch_ts_ms,kind,symbol,px,qty,bid_px,bid_qty,ask_px,ask_qty,side,id\n".to_owned().into_bytes();
    for (number, &after) in (0u64..).zip(milliseconds) {
        let received = 1_700_000_000_000_000_000 + after * 1_000_000;
        // An order entered days before, as in a snapshot.
        let event = 1_700_000_000_000 - 300_000_000 * (number % 2);
        file.extend_from_slice(format!("{received},{event},T,A,1,1,,,,,B,{number}\n").as_bytes());
    }
    file
}

#[test]
fn a_replay_takes_as_long_as_the_capture_and_long_gaps_are_cut_and_said_once() {
    let root = PrivateRoot::new();
    let hour = 3_600_000;
    let path = file(&root, "feed.csv", &rows(&[0, 100, 200, hour, hour + 100, 35 * hour, 35 * hour + 50, 7]));
    let begun = Instant::now();
    let finished = run(&root, &["--input", &path, "--speed", "realtime", "--max-gap", "0.3", "--summary", "json"]);
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(950), "{took:?}");
    let says = "59 min 59 s without an event in the capture: waiting at most 0.3 s (--max-gap SECONDS, 0 for no limit)";
    assert_one_line(&finished, 0, &[&format!("feed-publisher: {path}: {says}")]);
    let found = summary(&finished);
    assert_eq!((&found["messages"], &found["gaps_cut"]), (&8.into(), &2.into()));
    let cut = found["seconds_cut"].as_f64().unwrap();
    assert!((cut - (35.0 * 3_600.0 - 0.3 - 0.6)).abs() < 1e-6, "{cut}");
    assert!((0.9..30.0).contains(&found["seconds"].as_f64().unwrap()), "{found}");
    // As fast as possible, there are no gaps.
    let finished = run(&root, &["--input", &path, "--summary", "json"]);
    finished.assert_quiet_success();
    assert_eq!(summary(&finished)["gaps_cut"], 0);
}

#[test]
fn the_default_cuts_a_night_to_seconds() {
    let root = PrivateRoot::new();
    let path = file(&root, "feed.csv", &rows(&[0, 10, 40_000_000]));
    let begun = Instant::now();
    let finished = run(&root, &["--input", &path, "--speed", "realtime", "--summary", "json"]);
    let took = begun.elapsed();
    assert_one_line(&finished, 0, &["11 h 6 min without an event in the capture: waiting at most 5 s"]);
    assert_eq!(summary(&finished)["gaps_cut"], 1);
    assert!(took >= Duration::from_secs(5) && took < Duration::from_secs(60), "{took:?}");
}
