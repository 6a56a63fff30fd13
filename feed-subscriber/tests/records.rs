//! Tests of records from one program to the other: every byte, as a DBN file again, late, with losses, and what is refused.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{assert_conserved, number, publisher, subscriber, success, summary};
use dbn::VersionUpgradePolicy;
use dbn::decode::{DbnMetadata, DecodeRecordRef, DynDecoder};
use feed::sample::{self, Prefix};
use feed::source::{As, Source, input};
use feed_testing::{Finished, On, PrivateRoot, Program, Terminal, after, market_data, skipped};
use serde_json::Value;

/// The fields in which the summaries of both programs agree.
const SAME: [&str; 8] =
    ["messages", "first_sequence", "next_sequence", "by_type", "bytes", "first_ts", "last_ts", "digest"];

/// The command with its standard output in this file.
fn into_file(file: &Path, command: &Command) -> Command {
    after(&format!("exec > '{}'", file.display()), command)
}

/// The last line on standard error: the summary of one that writes a DBN file.
fn said(finished: &Finished) -> Value {
    let last = finished.stderr.lines().last().unwrap_or_default();
    let json = last.find('{').map_or("", |at| &last[at..]);
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {}", finished.stderr))
}

/// Publishes a DBN file as records to one subscriber that writes a DBN file and one that writes nothing. Returns the file.
fn through(input: &Path, publishes: &[&str]) -> Vec<u8> {
    let root = PrivateRoot::new();
    let file = root.path().join("out.dbn");
    let follow = |output: &str| {
        let mut command = subscriber(&root);
        command.args(["--from", "oldest", "--open-timeout", "inf", "--output", output]);
        command
    };
    let writes = Program::start(&mut into_file(&file, &follow("dbn")));
    let counts = Program::start(&mut follow("none"));
    let mut command = publisher(&root);
    command.args(["--as", "records", "--wait-for-subscribers", "2", "--input"]).arg(input).args(publishes);
    let published = success(Program::start(&mut command));
    let wrote = writes.finish();
    assert_eq!((wrote.code, wrote.stderr.lines().count()), (Some(0), 1), "only the summary: {}", wrote.stderr);
    for received in [said(&wrote), success(counts)] {
        assert_conserved(&received);
        assert_eq!((&received["lost"], &received["ended"]), (&0.into(), &"closed".into()));
        for field in SAME {
            assert_eq!(received[field], published[field], "{field}");
        }
        assert_eq!((&received["latency_ns"], &received["price_sum"]), (&Value::Null, &Value::Null));
    }
    std::fs::read(file).unwrap()
}

/// What the vendor's decoder finds in a file.
fn decoded(path: &Path) -> (dbn::Metadata, Vec<Vec<u8>>) {
    let mut decoder = DynDecoder::from_file(path, VersionUpgradePolicy::AsIs).unwrap();
    let metadata = decoder.metadata().clone();
    let mut records = Vec::new();
    while let Some(record) = decoder.decode_record_ref().unwrap() {
        records.push(record.as_ref().to_vec());
    }
    (metadata, records)
}

/// Fails unless what comes through is the input, byte for byte and for the vendor's decoder.
fn assert_comes_through(input: &Path, publishes: &[&str]) {
    let written = through(input, publishes);
    let mut plain = Vec::new();
    let mut records = input::open_as(As::Records, input, None, Default::default()).unwrap();
    while let Some(record) = records.next_record().unwrap() {
        plain.extend_from_slice(record.bytes);
    }
    let root = PrivateRoot::new();
    let path = root.path().join("written.dbn");
    std::fs::write(&path, &written).unwrap();
    let (found, expected) = (decoded(&path), decoded(input));
    assert_eq!(found.0, expected.0, "the metadata with its mappings");
    assert_eq!(found.1.len(), expected.1.len());
    for (number, (found, expected)) in found.1.iter().zip(&expected.1).enumerate() {
        assert_eq!(found, expected, "record {number}");
    }
    assert!(written == plain, "every byte");
    println!("equal: {}: {} records, {} bytes", input.display(), found.1.len(), written.len());
}

#[test]
fn a_dbn_file_of_every_schema_comes_through() {
    let root = PrivateRoot::new();
    for (number, schema) in sample::RECORD_SCHEMAS.into_iter().enumerate() {
        let version = number as u8 % 3 + 1;
        let path = root.path().join(format!("{schema}.v{version}.dbn"));
        std::fs::write(&path, sample::dbn_records(version, schema, 500)).unwrap();
        assert_comes_through(&path, &[["--slot-size", "64"], ["--slot-size", "512"]][number % 2]);
    }
    let path = root.path().join("ts_out.dbn");
    std::fs::write(&path, sample::with_ts_out(500)).unwrap();
    assert_comes_through(&path, &["--rate", "5000"]);
}

#[test]
fn the_samples_come_through() {
    for schema in ["mbo", "mbp-1", "mbp-10", "tbbo", "trades"] {
        let Some(path) = market_data(&format!("test_data.{schema}.v3.dbn.zst")) else { return };
        assert_comes_through(&path, &[]);
    }
    let Some(path) = market_data("esh4-glbx-mdp3-20231225.mbo.dbn.zst") else { return };
    assert_comes_through(&path, &["--capacity", "262144"]);
}

/// The crate's own files, where its sources have come with them.
#[test]
fn the_vendors_own_test_data_comes_through() {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo"))).unwrap_or_default();
    let list = |path: PathBuf| std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let crates = list(home.join("registry/src")).flat_map(list);
    let dbn = crates.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("dbn-")));
    let files = dbn.flat_map(|path| list(path.join("tests/data")));
    let is_dbn =
        |path: &PathBuf| path.to_string_lossy().ends_with(".dbn") || path.to_string_lossy().ends_with(".dbn.zst");
    let files: Vec<PathBuf> = files.filter(is_dbn).collect();
    if files.is_empty() {
        skipped("the crate dbn has come without its test data");
    }
    files.iter().for_each(|path| assert_comes_through(path, &[]));
}

#[test]
fn itch_comes_through_and_is_printed_by_field() {
    let root = PrivateRoot::new();
    let mut inputs = vec![root.path().join("feed.itch")];
    std::fs::write(&inputs[0], sample::itch(Prefix::True, 2_300)).unwrap();
    inputs.extend(market_data("ex20101224.TEST_ITCH_50"));
    for path in inputs {
        let follow = |output: &str| {
            let mut command = subscriber(&root);
            Program::start(command.args(["--from", "oldest", "--open-timeout", "inf", "--output", output]))
        };
        let outputs = ["json", "csv", "none"].map(follow);
        let mut command = publisher(&root);
        command.args(["--as", "records", "--wait-for-subscribers", "3", "--capacity", "131072", "--input"]).arg(&path);
        let published = success(Program::start(&mut command));
        for (program, output) in outputs.into_iter().zip(["json", "csv", "none"]) {
            let finished = program.finish();
            finished.assert_quiet_success();
            let received = summary(&finished);
            for field in SAME {
                assert_eq!(received[field], published[field], "{field}");
            }
            let lines: Vec<&str> = finished.stdout.lines().collect();
            let (printed, count) = (&lines[..lines.len() - 1], number(&published, "messages") as usize);
            match output {
                "json" => {
                    assert_eq!(printed.len(), count);
                    let orders = printed.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
                    let adds = orders.filter(|order| order["type"] == "A" && order["price"].is_string()).count();
                    assert_eq!(adds as u64, number(&published["by_type"], "A"));
                }
                "csv" => {
                    assert_eq!(printed.len(), count + 1);
                    let columns = printed[0].matches(',').count();
                    assert!(printed.iter().all(|line| line.matches(',').count() == columns));
                }
                _ => assert!(printed.is_empty()),
            }
        }
    }
}

/// Publishes a file as records into a new ring that stays.
fn keep(root: &PrivateRoot, name: &str, bytes: &[u8]) {
    let path = root.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let mut command = publisher(root);
    let finished = Program::start(command.args(["--as", "records", "--keep", "--fresh", "--input"]).arg(path)).finish();
    assert_eq!(finished.code, Some(0), "{}", finished.tail());
}

#[test]
fn one_that_came_late_writes_a_file_all_the_same_and_says_so() {
    let root = PrivateRoot::new();
    let original = root.path().join("input.dbn");
    for (version, schema) in [(3, "mbp-10"), (1, "definition")] {
        keep(&root, "input.dbn", &sample::dbn_records(version, schema, 40));
        let ring =
            feed_ring::RecordSubscriber::options("feed").root(&root).join(feed_ring::Join::Oldest).open_records();
        let late = (ring.unwrap().sequence() + 11).to_string();
        let file = root.path().join("late.dbn");
        let mut command = subscriber(&root);
        command.args(["--output", "dbn", "--from", &late]);
        let finished = Program::start(&mut into_file(&file, &command)).finish();
        assert_eq!((finished.code, finished.stderr.lines().count()), (Some(0), 2), "{}", finished.stderr);
        let says = format!("begins with one of version {version} without dataset, schema and symbols");
        assert!(finished.stderr.contains(&says), "{}", finished.stderr);
        let (metadata, records) = decoded(&file);
        assert_eq!((metadata.version, metadata.schema), (version, None));
        assert_eq!(records, decoded(&original).1[10..], "{schema}");
        assert_eq!(number(&said(&finished), "messages"), 30);
    }
}

#[test]
fn after_a_loss_the_file_goes_on_and_the_loss_is_told() {
    let root = PrivateRoot::new();
    let path = root.path().join("input.dbn");
    std::fs::write(&path, sample::dbn_records(3, "mbp-1", 60_000)).unwrap();
    let file = root.path().join("out.dbn");
    let mut command = subscriber(&root);
    command.args(["--from", "oldest", "--open-timeout", "inf", "--output", "dbn", "--delay-ns", "20000"]);
    let slow = Program::start(&mut into_file(&file, &command));
    let mut command = publisher(&root);
    command.args(["--as", "records", "--wait-for-subscribers", "1", "--capacity", "256", "--input"]).arg(&path);
    let published = success(Program::start(&mut command));
    let finished = slow.finish();
    let received = said(&finished);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_conserved(&received);
    assert_eq!(received["next_sequence"], published["next_sequence"]);
    assert!(
        number(&received, "lost") > 0 && finished.stderr.contains("the DBN file goes on without them"),
        "{received}"
    );
    // Whatever was lost, what is there is of the input and in its order.
    let (found, all) = (decoded(&file).1, decoded(&path).1);
    let mut rest = all.iter();
    assert!(found.iter().all(|record| rest.any(|other| other == record)), "in order");
    let metadata = received["by_type"]["metadata"].as_u64().unwrap_or(0);
    assert_eq!(found.len() as u64 + metadata, number(&received, "messages"));
}

#[test]
fn a_publisher_that_is_started_again_goes_on_in_the_same_file() {
    let root = PrivateRoot::new();
    let file = root.path().join("out.dbn");
    let input = root.path().join("input.dbn");
    std::fs::write(&input, sample::dbn_records(3, "ohlcv-1s", 20)).unwrap();
    let mut command = subscriber(&root);
    command.args(["--from", "oldest", "--open-timeout", "inf", "--output", "dbn", "--max", "42"]);
    let follows = Program::start(&mut into_file(&file, &command));
    for _ in 0..2 {
        let mut command = publisher(&root);
        command.args(["--as", "records", "--keep-open", "--wait-for-subscribers", "1", "--input"]).arg(&input);
        assert_eq!(Program::start(&mut command).finish().code, Some(0));
    }
    let finished = follows.finish();
    let received = said(&finished);
    assert_eq!((number(&received, "messages"), number(&received, "restarts")), (42, 1), "{}", finished.stderr);
    let once = decoded(&input).1;
    assert_eq!(decoded(&file).1, [&once[..], &once].concat());
}

#[test]
fn other_metadata_is_told_of_and_another_version_ends_the_file() {
    let root = PrivateRoot::new();
    let file = root.path().join("out.dbn");
    let inputs = [(3, "ohlcv-1s"), (3, "trades"), (1, "mbo")].map(|(version, schema)| {
        let path = root.path().join(format!("{schema}.dbn"));
        std::fs::write(&path, sample::dbn_records(version, schema, 20)).unwrap();
        path
    });
    let mut command = subscriber(&root);
    command.args(["--from", "oldest", "--open-timeout", "inf", "--output", "dbn"]);
    let follows = Program::start(&mut into_file(&file, &command));
    for input in &inputs {
        let mut command = publisher(&root);
        command.args(["--as", "records", "--keep-open", "--wait-for-subscribers", "1", "--input"]).arg(input);
        assert_eq!(Program::start(&mut command).finish().code, Some(0));
    }
    let finished = follows.finish();
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    for says in ["other metadata follows", "what follows is DBN version 1", "start again for the rest"] {
        assert!(finished.stderr.contains(says), "{says}: {}", finished.stderr);
    }
    let both = [decoded(&inputs[0]).1, decoded(&inputs[1]).1].concat();
    assert_eq!(decoded(&file).1, both);
}

#[test]
fn a_ring_of_another_encoding_is_not_followed() {
    let root = PrivateRoot::new();
    let (dbn, itch) = (root.path().join("a.dbn"), root.path().join("a.itch"));
    std::fs::write(&dbn, sample::dbn_records(3, "mbo", 20)).unwrap();
    std::fs::write(&itch, sample::itch(Prefix::True, 20)).unwrap();
    let follows =
        Program::start(subscriber(&root).args(["--from", "oldest", "--open-timeout", "inf", "--output", "json"]));
    for input in [&dbn, &itch] {
        let mut command = publisher(&root);
        command.args(["--as", "records", "--keep-open", "--input"]).arg(input);
        if input == &dbn {
            command.args(["--wait-for-subscribers", "1"]);
        }
        assert_eq!(Program::start(&mut command).finish().code, Some(0));
    }
    let finished = follows.finish();
    assert_eq!(finished.code, Some(1), "{}", finished.tail());
    assert!(
        finished.stderr.contains("records in itch") && finished.stderr.contains("records in dbn"),
        "{}",
        finished.stderr
    );
    assert_eq!(number(&summary(&finished), "messages"), 21);
}

#[test]
fn a_terminal_gets_no_dbn_file() {
    let root = PrivateRoot::new();
    keep(&root, "input.dbn", &sample::dbn_records(3, "mbo", 5));
    let mut command = subscriber(&root);
    command.args(["--from", "oldest", "--output", "dbn"]);
    let mut terminal = Terminal::start(command, On::AllStreams, (24, 120));
    terminal.until_contains("standard output is a terminal");
    assert_eq!(terminal.end().0.code(), Some(2));
}

#[test]
fn a_sealed_ring_of_records_is_recognised() {
    let root = PrivateRoot::new();
    let (input, socket) = (root.path().join("input.dbn"), root.path().join("feed.sock"));
    std::fs::write(&input, sample::dbn_records(3, "status", 100)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_feed-subscriber"));
    command.arg("--connect").arg(&socket).args(["--open-timeout", "inf", "--from", "oldest", "--summary", "json"]);
    let follows = Program::start(&mut command);
    let mut command = Command::new(feed_testing::program("feed-publisher"));
    command.arg("--serve").arg(&socket).args(["--as", "records", "--wait-for-subscribers", "1", "--summary", "json"]);
    let published = success(Program::start(command.arg("--input").arg(&input)));
    let received = success(follows);
    SAME.iter().for_each(|field| assert_eq!(received[field], published[field], "{field}"));
    assert_eq!(published["by_type"], serde_json::json!({"metadata": 1, "status": 100}));
}

#[test]
fn what_does_not_go_with_the_ring_is_refused_with_a_remedy() {
    let root = PrivateRoot::new();
    let refused = |arguments: &[&str]| Program::start(subscriber(&root).args(arguments)).finish();
    success(Program::start(publisher(&root).args(["--count", "3", "--keep"])));
    refused(&["--output", "dbn"]).assert_usage_error(&["is a ring of messages", "--output text, csv or json"]);
    keep(&root, "input.itch", &sample::itch(Prefix::True, 10));
    refused(&["--output", "dbn"]).assert_usage_error(&["is a ring of ITCH records", "--as records --input FILE.dbn"]);
    for option in [&["--snapshot"][..], &["--symbol", "ESH4"]] {
        refused(option).assert_usage_error(&["a ring of records", "--snapshot and --symbol go with messages"]);
    }
}

#[test]
fn a_ring_of_bytes_is_printed_as_bytes() {
    let root = PrivateRoot::new();
    let format = feed_ring::records::RecordsFormat::encoded("text");
    let mut publisher =
        feed_ring::RecordPublisher::options("feed", format).root(&root).keep(true).create_records().unwrap();
    publisher.publish(7, b"abc").unwrap();
    publisher.publish(0, b"").unwrap();
    publisher.close().unwrap();
    let finished = Program::start(subscriber(&root).args(["--from", "oldest", "--output", "csv"])).finish();
    finished.assert_quiet_success();
    assert!(finished.stdout.starts_with("sequence,kind,bytes\n0,7,616263\n1,0,\n{"), "{}", finished.stdout);
    assert_eq!(summary(&finished)["by_type"], serde_json::json!({"0": 1, "7": 1}));
}
