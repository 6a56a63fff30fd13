//! Tests of bridges: the cells of their ends have metrics, and `stat` shows them.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use feed_program::bridge::{ReceiveStatus, SendStatus, receiving_name, sending_name};
use feed_ring::{CellWriter, Payload};
use feed_testing::PrivateRoot;

use crate::exporter::Exporter;
use crate::rings::{fine, json, put};

/// The cells of both ends of a ring `q`, each with a value that differs in every field. The receiving end's last frame came 60 s ago.
pub(crate) struct Ends {
    pub(crate) sending: CellWriter<SendStatus>,
    pub(crate) receiving: CellWriter<ReceiveStatus>,
}

/// Makes them.
pub(crate) fn ends(root: &PrivateRoot) -> Ends {
    let mut ends = Ends {
        sending: CellWriter::options(&sending_name("q")).root(root).create_cell().unwrap(),
        receiving: CellWriter::options(&receiving_name("q")).root(root).create_cell().unwrap(),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    ends.sending.store(&SendStatus {
        next: 1_101,
        epoch: 2,
        sent_messages: 1_001,
        sent_frames: 102,
        sent_bytes: 64_000,
        lost_messages: 103,
        refill_requests: 104,
        refilled_messages: 105,
        receivers: 1,
        failures: 106,
        updated: now,
    });
    ends.receiving.store(&ReceiveStatus {
        first: 100,
        next: 2_206,
        epoch: 2,
        published_messages: 2_000,
        lost_near: 11,
        lost_wire: 32,
        lost_far: 63,
        refilled_messages: 204,
        frames: 205,
        bytes: 3_000_000,
        repeated_messages: 207,
        refused_frames: 208,
        stale_frames: 209,
        dropped_frames: 210,
        senders: 3,
        fresh_rings: 4,
        refills: 211,
        connected: 1,
        last_frame: now - 60_000_000_000,
        updated: now,
    });
    ends
}

/// The metrics of this end of `q`, by name and place of loss.
fn of_end(metrics: &HashMap<String, f64>, end: &str) -> HashMap<String, f64> {
    let labels = format!("{{ring=\"q\",end=\"{end}\"");
    let own = metrics.iter().filter_map(|(series, value)| {
        let (metric, rest) = series.split_once(&labels)?;
        let place = rest.trim_start_matches(",at=\"").trim_end_matches('}').trim_end_matches('"');
        Some((format!("{}{place}", metric.strip_prefix("feed_bridge_").unwrap()), *value))
    });
    own.collect()
}

/// Takes the ages out of metrics, and checks that they are at least so many seconds, and less than an hour.
fn take_ages(metrics: &mut HashMap<String, f64>, least: &[(&str, f64)]) {
    for (metric, least) in least {
        let age = metrics.remove(*metric).unwrap_or_else(|| panic!("{metric}"));
        assert!((*least..3_600.0).contains(&age), "{metric}: {age}");
    }
}

#[test]
fn both_ends_have_metrics() {
    let root = PrivateRoot::new();
    let _ends = ends(&root);
    let metrics = Exporter::start(&root).scrape();
    let (mut send, mut receive) = (of_end(&metrics, "send"), of_end(&metrics, "receive"));
    take_ages(&mut send, &[("status_age_seconds", 0.0)]);
    take_ages(&mut receive, &[("status_age_seconds", 0.0), ("last_frame_age_seconds", 60.0)]);
    let expected = |values: &[(&str, f64)]| -> HashMap<String, f64> {
        values.iter().map(|(metric, value)| ((*metric).to_owned(), *value)).collect()
    };
    let of_send = [
        ("up", 1.0),
        ("next_sequence", 1_101.0),
        ("epoch", 2.0),
        ("receivers", 1.0),
        ("messages_total", 1_001.0),
        ("frames_total", 102.0),
        ("frame_bytes_total", 64_000.0),
        ("refills_total", 104.0),
        ("refilled_messages_total", 105.0),
        ("failures_total", 106.0),
        ("lost_messages_totalnear", 103.0),
    ];
    assert_eq!(send, expected(&of_send));
    let of_receive = [
        ("up", 1.0),
        ("next_sequence", 2_206.0),
        ("epoch", 2.0),
        ("connected", 1.0),
        ("messages_total", 2_000.0),
        ("frames_total", 205.0),
        ("frame_bytes_total", 3_000_000.0),
        ("refills_total", 211.0),
        ("refilled_messages_total", 204.0),
        ("repeated_messages_total", 207.0),
        ("refused_frames_total", 208.0),
        ("stale_frames_total", 209.0),
        ("dropped_frames_total", 210.0),
        ("senders_total", 3.0),
        ("fresh_rings_total", 4.0),
        ("lost_messages_totalnear", 11.0),
        ("lost_messages_totalwire", 32.0),
        ("lost_messages_totalfar", 63.0),
    ];
    assert_eq!(receive, expected(&of_receive));
    // They are cells all the same.
    assert_eq!(metrics["feed_table_stores_total{table=\"q.receiving\"}"], 1.0);
}

#[test]
fn a_dead_end_is_down_and_hears_nobody() {
    let root = PrivateRoot::new();
    let ends = ends(&root);
    // Left for the next one, which does not come.
    ends.sending.leave();
    ends.receiving.leave();
    let metrics = Exporter::start(&root).scrape();
    let (send, receive) = (of_end(&metrics, "send"), of_end(&metrics, "receive"));
    assert_eq!((send["up"], send["receivers"], send["messages_total"]), (0.0, 0.0, 1_001.0));
    assert_eq!((receive["up"], receive["connected"], receive["messages_total"]), (0.0, 0.0, 2_000.0));
}

/// Only a whole value is exported, and only that of a bridge.
#[test]
fn what_is_not_whole_or_no_bridge_has_no_values() {
    #[derive(Clone, Copy, Payload)]
    #[repr(C)]
    struct SendStatus {
        next: u64,
    }

    let root = PrivateRoot::new();
    let mut another = CellWriter::options(&sending_name("other")).root(&root).create_cell().unwrap();
    another.store(&SendStatus { next: 7 });
    let Ends { receiving, sending } = ends(&root);
    let empty = CellWriter::<ReceiveStatus>::options(&receiving_name("empty")).root(&root).create_cell().unwrap();
    // Each copy, the last things in the segment, begins with its sequence word. An odd one is of a store that is not done.
    let segment = receiving.path().unwrap().join("segment");
    let words = std::fs::metadata(&segment).unwrap().len() / 8;
    let stride = (size_of::<ReceiveStatus>() + 8).next_multiple_of(64) as u64 / 8;
    (1..=2).for_each(|copy| put(&segment, words - copy * stride, 1));
    let exporter = Exporter::start(&root);
    let metrics = exporter.scrape();
    let receive = of_end(&metrics, "receive");
    assert_eq!(receive, HashMap::from([("up".to_owned(), 1.0)]));
    assert_eq!(of_end(&metrics, "send")["messages_total"], 1_001.0);
    let bridges = |ring: &str| {
        let label = format!("{{ring=\"{ring}\",end=");
        metrics.keys().filter(|series| series.starts_with("feed_bridge_") && series.contains(&label)).count()
    };
    assert_eq!((bridges("empty"), bridges("other")), (1, 0));
    assert!(json(&root, &["stat", "empty.receiving"])["bridge"]["told"].is_null());
    drop((sending, empty));
}

#[test]
fn stat_shows_what_an_end_tells() {
    let root = PrivateRoot::new();
    let mut ends = ends(&root);
    let text = fine(&root, &["stat", "q.receiving"]);
    for line in [
        "value       ReceiveStatus (160 B), align 8",
        "  next               2,206",
        "  lost_wire          32",
        "  bytes              3,000,000 (2.9 MiB)",
        "  connected          1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    let last = text.lines().find_map(|line| line.strip_prefix("  last_frame         20"));
    assert!(last.is_some_and(|time| time.ends_with('Z')), "{text}");
    let bridge = json(&root, &["stat", "q.receiving"])["bridge"].take();
    assert_eq!((&bridge["ring"], &bridge["end"]), (&"q".into(), &"receive".into()));
    assert_eq!((&bridge["told"]["next"], &bridge["told"]["lost_far"]), (&2_206.into(), &63.into()));
    let text = fine(&root, &["stat", "q.sending"]);
    assert!(text.contains("\n  sent_messages      1,001\n"), "{text}");
    ends.receiving.store(&ReceiveStatus::default());
    let text = fine(&root, &["stat", "q.receiving"]);
    assert!(text.contains("\n  last_frame         never\n"), "{text}");
    let metrics = Exporter::start(&root).scrape();
    assert!(!of_end(&metrics, "receive").contains_key("last_frame_age_seconds"), "none came yet");
}
