//! Tests that replay market data from one publisher to two subscribers and account for every message.

mod common;

use common::{assert_conserved, number, start, success};
use feed::sample::{self, Prefix};
use feed::source::{Source, input};
use feed::summary::{Sequences, Summary, Tally};
use feed_testing::{PrivateRoot, market_data};
use serde_json::Value;

/// The fields in which all summaries must agree.
const SAME: [&str; 10] = [
    "messages",
    "first_sequence",
    "next_sequence",
    "by_kind",
    "price_sum",
    "size_sum",
    "order_id_xor",
    "first_ts",
    "last_ts",
    "digest",
];

/// Replays an input to two subscribers through 4,096 slots, at this many messages a second. Other work may keep the machine
/// so busy that some are lost. They must be counted, and the beginning of the input is then replayed through a ring that
/// holds all of it.
fn replay(path: &str, rate: &str) -> Value {
    let (published, received, lost) = replay_through(&["--input", path, "--capacity", "4096", "--rate", rate]);
    if lost {
        println!("at {rate} messages a second some were lost");
        let (_, _, lost) = replay_through(&["--input", path, "--capacity", "65536", "--count", "60000"]);
        assert!(!lost, "a ring that holds all of it loses nothing");
    } else {
        // Nothing was lost, so they were never further behind than the ring is long.
        for summary in &received {
            let live = number(summary, "received_live");
            assert!(2 * live > number(summary, "messages"), "only {live} were received live: {summary}");
        }
    }
    published
}

/// Replays an input and compares what was received with it. Returns the publisher's summary, the subscribers', and whether
/// messages were lost.
fn replay_through(arguments: &[&str]) -> (Value, Vec<Value>, bool) {
    let root = PrivateRoot::new();
    let (publisher, subscribers) = start(&root, arguments, &[&[], &["--wait", "yield"]]);
    let published = success(publisher);
    let received: Vec<Value> = subscribers.into_iter().map(success).collect();
    assert!(root.names().is_empty(), "nothing is left behind");
    let mut lost = false;
    for summary in &received {
        assert_conserved(summary);
        assert_eq!(summary["next_sequence"], published["next_sequence"]);
        assert_eq!(summary["ended"], "closed");
        if number(summary, "lost") > 0 {
            lost = true;
            continue;
        }
        for field in SAME {
            assert_eq!(summary[field], published[field], "{field}");
        }
    }
    (published, received, lost)
}

#[test]
fn esh4_reaches_two_subscribers_exactly() {
    let Some(path) = market_data("esh4-glbx-mdp3-20231225.mbo.dbn.zst") else { return };
    let published = replay(path.to_str().unwrap(), "40000");
    assert_eq!(published["messages"], 68_792);
    assert_eq!(published["price_sum"], "330362247500000000");
    assert_eq!(published["size_sum"], "192312000000000");
    assert_eq!(published["order_id_xor"], "6411781014467");
    assert_eq!(published["first_ts"], 1_703_422_805_243_925_307_u64);
    assert_eq!(published["last_ts"], 1_703_548_799_446_724_905_u64);
    let kinds = serde_json::json!({"add": 29_216, "cancel": 17_999, "modify": 12_233, "clear": 0, "trade": 2_973,
        "fill": 6_371, "quote": 0, "level": 0, "other": 0});
    assert_eq!(published["by_kind"], kinds);
}

#[test]
fn btcusdt_reaches_two_subscribers_exactly() {
    let Some(path) = market_data("btcusdt_20240808.csv.gz") else { return };
    let published = replay(path.to_str().unwrap(), "80000");
    assert_eq!(published["messages"], 530_888);
    let kinds = serde_json::json!({"add": 0, "cancel": 0, "modify": 0, "clear": 0, "trade": 21_313, "fill": 0,
        "quote": 66_088, "level": 443_487, "other": 0});
    assert_eq!(published["by_kind"], kinds);
}

#[test]
fn samples_of_every_format_reach_two_subscribers_exactly() {
    for (name, bytes) in [
        ("mbo.dbn.zst", sample::zstd(&sample::dbn(3, "mbo", 8_000))),
        ("mbp1.dbn", sample::dbn(2, "mbp-1", 8_000)),
        ("itch.gz", sample::gzip(&sample::itch(Prefix::Zero, 8_000))),
        ("csv", sample::csv(8_000)),
    ] {
        let folder = PrivateRoot::new();
        let path = folder.path().join(name);
        std::fs::write(&path, &bytes).unwrap();
        let published = replay(path.to_str().unwrap(), "20000");
        // The library's result for the same file without a ring. The digest includes publish times, which differ.
        let mut input = input::open(&path, None, Default::default()).unwrap();
        let mut tally = Tally::default();
        while let Some(message) = input.next_message().unwrap() {
            tally.add(&message);
        }
        let expected = Summary::new(&tally, Sequences { next: 8_000, ..Sequences::default() }, 1.0);
        let expected: Value = serde_json::from_str(&expected.to_json()).unwrap();
        for field in SAME.into_iter().filter(|&field| field != "digest") {
            assert_eq!(published[field], expected[field], "{name}: {field}");
        }
    }
}
