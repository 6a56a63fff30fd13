//! Tests of inputs with strange records: what is passed over, what is said of it, and the end that `--strict` makes.

mod common;

use common::{assert_one_line, file, run, summary};
use feed::sample::{self, Prefix};
use feed_testing::PrivateRoot;
use serde_json::json;

const HEADER: &str = "recv_ts_ns,exch_ts_ms,kind,symbol,px,qty,bid_px,bid_qty,ask_px,ask_qty,side,id\n";

/// A row of a trade at this price.
fn row(price: &str) -> String {
    format!("1723161598771461081,1723161600042,T,BTC,{price},1,,,,,B,7\n")
}

#[test]
fn strange_records_are_passed_over_counted_and_said_and_end_a_strict_feed() {
    let root = PrivateRoot::new();
    let mut itch = sample::itch(Prefix::True, 4);
    itch.extend_from_slice(b"\x00\x05Zabcd\x00\x03Zab\x00\x04zabc");
    itch.extend_from_slice(&sample::itch(Prefix::True, 6));
    let csv = [HEADER, &row("1"), &row("x"), &row("1e5"), &row("1e10"), "\n", &row("y"), &row("2")].concat();
    let dbn = sample::dbn(3, "mbo", 5);
    let mut strange = dbn.clone();
    let action = strange.len() - 3 * 56 + 38;
    strange[action] = b'?';
    let padded = [&sample::gzip(&dbn)[..], &[0; 512]].concat();
    for (name, bytes, messages, passed, first) in [
        (
            "feed.itch",
            itch,
            10,
            json!({"unknown ITCH type 'Z'": 2, "unknown ITCH type 'z'": 1}),
            "3: 2 × unknown ITCH type 'Z', 1 × unknown ITCH type 'z'; the first: record 5 (byte 104): ",
        ),
        (
            "feed.csv",
            csv.into_bytes(),
            3,
            json!({"CSV row with a wrong px": 2, "CSV row that is out of the message's range in px": 1}),
            "3: 1 × CSV row that is out of the message's range in px, 2 × CSV row with a wrong px; the first: line 3: px \
             \"x\" is not a decimal number",
        ),
        (
            "feed.dbn",
            strange,
            4,
            json!({"DBN record with unknown action '?'": 1}),
            "1: 1 × DBN record with unknown action '?'; the first: record 3 (byte",
        ),
        ("feed.dbn.gz", padded, 5, json!({"zero byte of padding": 512}), "512: 512 × zero byte of padding (--strict"),
    ] {
        let path = file(&root, name, &bytes);
        let finished = run(&root, &["--input", &path, "--summary", "json"]);
        assert_one_line(
            &finished,
            0,
            &[&format!("feed-publisher: {path}: passed over {first}"), "(--strict ends there)"],
        );
        let found = summary(&finished);
        assert_eq!((&found["messages"], &found["passed_over"]), (&json!(messages), &passed), "{name}");
        // As a table.
        let finished = run(&root, &["--input", &path]);
        let kind = passed.as_object().unwrap().keys().next().unwrap();
        assert!(finished.stdout.contains(&format!("\npassed_over {kind} ")), "{finished:?}");
        let first = finished.stdout.lines().next().unwrap();
        assert!(finished.stdout.lines().all(|line| line.len() == first.len()), "{finished:?}");
        // Strictly.
        let finished = run(&root, &["--input", &path, "--summary", "json", "--strict"]);
        assert_one_line(&finished, 1, &[&format!("feed-publisher: {path}: ")]);
        let found = summary(&finished);
        assert!(found["messages"].as_u64().unwrap() < messages || name == "feed.dbn.gz", "{found}");
        assert_eq!(found["passed_over"], json!({}));
        std::fs::remove_file(path).unwrap();
    }
    assert!(root.names().is_empty(), "the rings were closed");
}

#[test]
fn a_feed_that_ends_in_an_error_says_what_was_passed_over_before() {
    let root = PrivateRoot::new();
    let path = file(&root, "feed.csv", [HEADER, &row("x"), &row("1"), "17"].concat().as_bytes());
    let finished = run(&root, &["--input", &path, "--summary", "json"]);
    let lines: Vec<&str> = finished.stderr.lines().collect();
    assert_eq!((finished.code, lines.len()), (Some(1), 2), "{finished:?}");
    assert!(
        lines[0].contains(": passed over 1: ") && lines[1].contains(": line 4: the input ends within"),
        "{lines:?}"
    );
}

#[test]
fn files_that_were_joined_are_published_to_their_end() {
    let root = PrivateRoot::new();
    for (name, one) in [
        ("feed.dbn", sample::dbn(3, "mbo", 7)),
        ("feed.dbn.zst", sample::zstd(&sample::dbn(2, "tbbo", 7))),
        ("feed.itch", [sample::itch(Prefix::True, 7), vec![0; 2]].concat()),
        ("feed.itch.gz", sample::gzip(&sample::itch(Prefix::Zero, 7))),
        ("feed.csv", sample::csv(7)),
        ("feed.csv.gz", sample::gzip(&sample::csv(7))),
    ] {
        let path = file(&root, name, &one.repeat(3));
        let finished = run(&root, &["--input", &path, "--summary", "json", "--strict"]);
        finished.assert_quiet_success();
        assert_eq!(summary(&finished)["messages"], 21, "{name}");
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_time_that_cannot_be_is_warned_of_once_and_the_feed_goes_on() {
    let root = PrivateRoot::new();
    // Seconds in the field of milliseconds.
    let rows = row("1").replace(",1723161600042,", ",1723161600,").repeat(5);
    let path = file(&root, "feed.csv", (HEADER.to_owned() + &rows).as_bytes());
    let finished = run(&root, &["--input", &path, "--summary", "json"]);
    let says = "line 2: exch_ts_ms 1723161600 is 1970-01-20T22:39:21Z, in milliseconds since 1970 as this field has it: \
                expected 1990 to 2100; in seconds it would be 2024-08-09T00:00:00Z; the feed goes on (said once)";
    assert_one_line(&finished, 0, &[&format!("feed-publisher: {path}: {says}")]);
    assert_eq!(summary(&finished)["messages"], 5);
    // Nanoseconds there: no row fits, and both is said.
    let rows = rows.replace(",1723161600,", ",1723161600042000000,");
    let path = file(&root, "feed.csv", (HEADER.to_owned() + &rows).as_bytes());
    let finished = run(&root, &["--input", &path, "--summary", "json"]);
    assert_eq!((finished.code, finished.stderr.lines().count()), (Some(0), 2), "{finished:?}");
    assert!(finished.stderr.contains("in nanoseconds it would be 2024-08-09T00:00:00Z"), "{finished:?}");
    assert!(finished.stderr.contains("passed over 5: 5 × CSV row that is out of the message's range in exch_ts_ms"));
}
