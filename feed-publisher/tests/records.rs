//! Tests of `feed-publisher --as records` alone: what is in the ring, summaries, refusals.

mod common;

use common::{assert_one_line, file, publisher, run, summary};
use feed::records::METADATA;
use feed::sample::{self, Prefix};
use feed_ring::{Join, RecordSubscriber, TryRecvError};
use feed_testing::{PrivateRoot, Program};

/// What a ring of this name that was kept holds.
fn kept(root: &PrivateRoot) -> Vec<(u8, Vec<u8>)> {
    let mut ring = RecordSubscriber::options("feed").root(root).join(Join::Oldest).open_records().unwrap();
    let mut records = Vec::new();
    loop {
        match ring.try_recv() {
            Ok(record) => records.push((record.kind, record.bytes.to_vec())),
            Err(TryRecvError::Closed) => return records,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn the_ring_has_every_byte_of_every_schema() {
    let root = PrivateRoot::new();
    for schema in sample::RECORD_SCHEMAS {
        let bytes = sample::dbn_records(3, schema, 50);
        let path = file(&root, "input", &sample::zstd(&bytes));
        let finished = run(&root, &["--as", "records", "--input", &path, "--keep", "--fresh", "--summary", "json"]);
        assert_eq!(finished.code, Some(0), "{finished:?}");
        let summary = summary(&finished);
        let records = kept(&root);
        assert_eq!((records.len(), records[0].0), (51, METADATA), "{schema}");
        assert!(records.iter().flat_map(|(_, bytes)| bytes).eq(&bytes), "{schema}");
        assert_eq!((&summary["messages"], &summary["bytes"]), (&51.into(), &bytes.len().into()), "{schema}");
        assert_eq!((&summary["by_type"]["metadata"], &summary["price_sum"]), (&1.into(), &serde_json::Value::Null));
        assert_eq!(summary["first_ts"], feed::source::synthetic::OPENING, "{schema}");
        let counts = summary["by_type"].as_object().unwrap().values().map(|count| count.as_u64().unwrap());
        assert_eq!(counts.sum::<u64>(), 51, "{schema}");
    }
}

#[test]
fn itch_messages_have_the_letter_as_their_kind() {
    let root = PrivateRoot::new();
    let path = file(&root, "input", &sample::itch(Prefix::Zero, 46));
    let finished =
        run(&root, &["--as", "records", "--input", &path, "--keep", "--slot-size", "128", "--summary", "json"]);
    finished.assert_quiet_success();
    let expected: Vec<(u8, Vec<u8>)> = (0..46)
        .map(|n| (sample::ITCH_TYPES[n % 23], sample::itch_message(sample::ITCH_TYPES[n % 23], n as u64)))
        .collect();
    assert_eq!(kept(&root), expected);
    assert_eq!(summary(&finished)["by_type"]["h"], 2);
}

#[test]
fn what_is_too_long_for_the_ring_is_named_and_counted() {
    let root = PrivateRoot::new();
    // 32 slots: at most 8 of them, 440 bytes. The metadata and the definitions are longer.
    let definitions = file(&root, "input", &sample::dbn_records(3, "definition", 3));
    let arguments = ["--as", "records", "--input", &definitions, "--capacity", "32", "--summary", "json"];
    let finished = run(&root, &arguments);
    assert_one_line(
        &finished,
        0,
        &["type metadata has", "at most 440", "--capacity N, --slot-size BYTES", "passed over"],
    );
    let said = summary(&finished);
    assert_eq!(said["messages"], 0);
    assert_eq!(said["passed_over"]["record of type instrument-def too long for the ring"], 3);
    assert_eq!(said["passed_over"]["record of type metadata too long for the ring"], 1);
    let finished = run(&root, &[&arguments[..], &["--strict"]].concat());
    assert_one_line(&finished, 1, &["type metadata has", "--capacity N"]);
    let finished = run(&root, &[&arguments[..], &["--strict", "--slot-size", "256"]].concat());
    finished.assert_quiet_success();
}

#[test]
fn records_are_paced_by_their_own_times() {
    let root = PrivateRoot::new();
    // 10 us each.
    let path = file(&root, "input", &sample::dbn_records(3, "ohlcv-1s", 20_000));
    let seconds = |arguments: &[&str]| {
        let finished = run(&root, &[&["--as", "records", "--input", &path, "--summary", "json"], arguments].concat());
        finished.assert_quiet_success();
        summary(&finished)["seconds"].as_f64().unwrap()
    };
    assert!(seconds(&["--speed", "realtime"]) > 0.19);
    assert!(seconds(&["--speed", "0.5"]) > 0.39);
    assert!(seconds(&["--rate", "1000", "--count", "200"]) > 0.19);
    assert!(seconds(&["--count", "200"]) < 0.15);
}

#[test]
fn a_count_and_standard_input_are_as_for_messages() {
    let root = PrivateRoot::new();
    let mut program = Program::start(
        publisher(&root)
            .args(["--as", "records", "--input", "-", "--count", "7", "--summary", "json"])
            .stdin(std::process::Stdio::piped()),
    );
    std::io::Write::write_all(&mut program.stdin().unwrap(), &sample::dbn_records(2, "mbp-10", 30)).unwrap();
    let finished = program.finish();
    finished.assert_quiet_success();
    assert_eq!(summary(&finished)["messages"], 7, "the metadata and six records");
}

#[test]
fn what_has_no_records_is_refused_with_a_remedy() {
    let root = PrivateRoot::new();
    let csv = file(&root, "feed.csv", &sample::csv(10));
    let finished = run(&root, &["--as", "records", "--input", &csv]);
    assert_one_line(&finished, 1, &["is CSV", "(--as messages)"]);
    for (arguments, says) in [
        (&["--as", "records"][..], "(--input FILE)"),
        (&["--as", "records", "--input", &csv, "--table"], "--table goes with messages"),
        (&["--as", "records", "--input", &csv, "--clear"], "--clear publishes a message"),
        (&["--as", "records", "--input", &csv, "--ahead", "2"], "--ahead 2 goes with messages"),
        (&["--as", "records", "--input", &csv, "--slot-size", "100"], "a power of two from 64 to 4096"),
        (&["--slot-size", "128"], "goes with --as records"),
    ] {
        run(&root, arguments).assert_usage_error(&[says]);
    }
}

#[test]
fn a_ring_of_records_is_taken_over_and_one_of_messages_replaced() {
    let root = PrivateRoot::new();
    let path = file(&root, "input", &sample::dbn_records(3, "mbo", 10));
    run(&root, &["--count", "5", "--keep"]).assert_quiet_success();
    let records = ["--as", "records", "--input", &path, "--keep", "--summary", "json"];
    let finished = run(&root, &records);
    assert_one_line(&finished, 0, &["replaced by a new ring, which begins at sequence 5"]);
    let finished = run(&root, &records);
    assert_one_line(&finished, 0, &["taken over: epoch 2 begins at sequence 16"]);
    assert_eq!(summary(&finished)["epoch"], 2);
    let finished = run(&root, &[&records[..], &["--slot-size", "128"]].concat());
    assert_one_line(&finished, 0, &["replaced by a new ring, which begins at sequence 27"]);
}
