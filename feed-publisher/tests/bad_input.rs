//! Tests of inputs that cannot be published completely: error line, exit code, and what was published.

mod common;

use common::{assert_one_line, file, run, summary};
use feed::sample::{self, Prefix};
use feed_testing::PrivateRoot;

#[test]
fn a_malformed_input_is_published_up_to_where_it_breaks() {
    let root = PrivateRoot::new();
    let record = 56;
    let mbo = sample::dbn(3, "mbo", 10);
    let cut = &mbo[..mbo.len() - record / 2];
    let itch = sample::itch(Prefix::True, 10);
    let csv = String::from_utf8(sample::csv(10)).unwrap() + "1,2,X,SYN1,1,1,,,,,B,3\n";
    let gzip = sample::gzip(&sample::csv(100_000));
    for (name, bytes, messages, says) in [
        ("cut.dbn", cut, 9, "record 10 (byte"),
        ("cut.itch", &itch[..itch.len() - 1], 9, "record 10 (byte"),
        ("broken.csv", csv.as_bytes(), 10, "line 12: kind \"X\" is wrong: expected T, Q or D"),
        ("cut.csv.gz", &gzip[..gzip.len() / 2], 1_000, "the compressed input ends early"),
    ] {
        let path = file(&root, name, bytes);
        let finished = run(&root, &["--input", &path, "--summary", "json", "--ring", name, "--strict"]);
        assert_one_line(&finished, 1, &[&format!("feed-publisher: {path}: "), says]);
        let published = summary(&finished)["messages"].as_u64().unwrap();
        assert!(published >= messages && (messages == 1_000 || published == messages), "{name}: {published}");
        std::fs::remove_file(path).unwrap();
    }
    assert!(root.names().is_empty(), "the rings were closed");
}

/// Fails unless the publisher refuses this input with exit code 1 and these texts.
#[track_caller]
fn assert_refused(arguments: &[&str], bytes: &[u8], says: &[&str]) {
    let root = PrivateRoot::new();
    let path = file(&root, "input", bytes);
    let finished = run(&root, &[&["--input", &path], arguments].concat());
    assert_one_line(&finished, 1, &[&[&*format!("feed-publisher: {path}: ")], says].concat());
    assert_eq!(root.names(), ["input"], "no ring is made, or none is left");
}

#[test]
fn an_empty_input() {
    let empty = ["is empty: expected DBN, NASDAQ ITCH 5.0, or CSV that begins with its header"];
    for bytes in [vec![], sample::gzip(b""), sample::zstd(b"")] {
        assert_refused(&["--summary", "json"], &bytes, &empty);
    }
    assert_refused(&["--format", "dbn"], b"", &["does not begin with DBN: is the format right?"]);
    assert_refused(&["--format", "csv"], b"", &["line 1: column \"recv_ts_ns\" is missing"]);
    let root = PrivateRoot::new();
    assert_one_line(&run(&root, &["--input", "-"]), 1, &["standard input: is empty", "expected DBN"]);
    assert_one_line(&run(&root, &["--input", "/dev/null"]), 1, &["/dev/null: is empty"]);
    assert!(root.names().is_empty());
    // An input without messages is not an error.
    for (name, bytes) in [("quiet.csv", sample::csv(0)), ("quiet.dbn", sample::dbn(3, "mbo", 0))] {
        let path = file(&root, name, &bytes);
        let finished = run(&root, &["--input", &path, "--summary", "json"]);
        finished.assert_quiet_success();
        assert_eq!(summary(&finished)["messages"], 0);
    }
}

#[test]
fn a_truncated_input() {
    let root = PrivateRoot::new();
    for (name, whole, says) in [
        ("cut.dbn", sample::dbn(2, "mbo", 3_000), "bytes into this record"),
        ("cut.dbn.zst", sample::zstd(&sample::dbn(3, "tbbo", 3_000)), "the compressed input ends early"),
        ("cut.itch", sample::itch(Prefix::Zero, 3_000), "ends"),
        ("cut.itch.gz", sample::gzip(&sample::itch(Prefix::True, 3_000)), "the compressed input ends early"),
        ("cut.csv", sample::csv(3_000), "line "),
        ("cut.csv.gz", sample::gzip(&sample::csv(3_000)), "the compressed input ends early"),
    ] {
        let path = file(&root, name, &whole[..whole.len() * 2 / 3 - 1]);
        let finished = run(&root, &["--input", &path, "--summary", "json"]);
        assert_one_line(&finished, 1, &[&format!("feed-publisher: {path}: "), says]);
        // The messages before the cut are those of the whole input.
        let published = summary(&finished);
        let count = published["messages"].as_u64().unwrap();
        assert!(count > 500, "{name}: {count}");
        let path = file(&root, name, &whole);
        let whole = run(&root, &["--input", &path, "--summary", "json", "--count", &count.to_string()]);
        whole.assert_quiet_success();
        for field in ["by_kind", "price_sum", "size_sum", "order_id_xor", "first_ts", "last_ts"] {
            assert_eq!(summary(&whole)[field], published[field], "{name}: {field}");
        }
        std::fs::remove_file(path).unwrap();
    }
    assert!(root.names().is_empty(), "the rings were closed");
}

#[test]
fn a_mislabelled_input() {
    let (dbn, itch, csv) = (sample::dbn(3, "mbo", 9), sample::itch(Prefix::True, 9), sample::csv(9));
    let elf = b"\x7fELF\x02\x01\x01";
    for (format, bytes, says) in [
        ("dbn", &itch[..], "does not begin with DBN: is the format right?"),
        ("dbn", &csv, "does not begin with DBN: is the format right?"),
        ("itch", &dbn, "record 1 (byte 0): "),
        ("itch", &csv, "record 1 (byte 0): "),
        ("itch", elf, "record 1 (byte 0): "),
        ("csv", &dbn, "line 1: "),
        ("csv", &itch, "line 1: "),
    ] {
        assert_refused(&["--format", format], bytes, &[says]);
    }
    assert_refused(&[], elf, &["begins with the bytes 7f 45 4c 46 02 01 01, which no known format does", "--format"]);
    // The extension of the name does not matter, only the content.
    let root = PrivateRoot::new();
    for (name, bytes) in [("feed.csv", dbn), ("feed.dbn.zst", sample::gzip(&csv)), ("feed.gz", itch)] {
        let path = file(&root, name, &bytes);
        let finished = run(&root, &["--input", &path, "--summary", "json"]);
        finished.assert_quiet_success();
        assert_eq!(summary(&finished)["messages"], 9, "{name}");
    }
}

#[test]
fn an_input_that_is_not_supported() {
    let levels = sample::dbn(3, "mbp-10", 0);
    assert_refused(&[], &levels, &["holds DBN schema mbp-10: mbo, mbp-1, tbbo and trades are supported"]);
    let mut version = sample::dbn(3, "mbo", 1);
    version[3] = 9;
    assert_refused(&[], &version, &["is DBN version 9: versions 1 to 3 are supported"]);
}

#[test]
fn an_input_that_cannot_be_opened() {
    let root = PrivateRoot::new();
    let finished = run(&root, &["--input", "/nowhere/feed"]);
    assert_one_line(&finished, 1, &["/nowhere/feed: cannot be opened", ": check the path"]);
    assert_eq!(finished.stderr.matches("No such file").count(), 1, "{finished:?}");
    assert_one_line(&run(&root, &["--input", "/"]), 1, &["/: cannot be opened: is a directory: name a file in it"]);
    assert!(root.names().is_empty());
}

#[test]
fn a_broken_input_leaves_a_ring_that_was_there_to_its_next_publisher() {
    let root = PrivateRoot::new();
    run(&root, &["--count", "10", "--keep"]).assert_quiet_success();
    let path = file(&root, "input", b"\x7fELF");
    assert_one_line(&run(&root, &["--input", &path]), 1, &["which no known format does"]);
    assert_eq!(root.names(), ["feed.ring", "input"]);
    let finished = run(&root, &["--count", "1", "--summary", "json"]);
    assert_eq!(summary(&finished)["first_sequence"], 10);
}
