//! Tests of the alerts for Prometheus (`ops/prometheus`): they use what `export` exports, and nothing else, and do what promtool expects.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use feed_ring::{CellWriter, Join, Subscriber};
use feed_testing::PrivateRoot;

use crate::bridges::ends;
use crate::exporter::Exporter;
use crate::rings::{Quote, closed, dead, live, no_rings};

/// The labels that Prometheus adds to each series that it scrapes.
const ADDED: [&str; 2] = ["job", "instance"];

/// The words of the query language that alerts and dashboard use.
const WORDS: [&str; 7] = ["and", "on", "group_left", "increase", "rate", "changes", "absent"];

/// An alert of the file.
struct Alert {
    name: String,
    expression: String,
    /// Its annotations.
    texts: String,
}

/// A file of `ops`.
pub(crate) fn ops(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../ops").join(file)
}

fn alerts() -> Vec<Alert> {
    let text = std::fs::read_to_string(ops("prometheus/rules.yml")).unwrap();
    let alert = |text: &str| {
        let value = |key: &str| {
            let lines: Vec<_> = text.lines().filter_map(|line| line.trim_start().strip_prefix(key)).collect();
            assert_eq!(lines.len(), 1, "{key} once: {text}");
            assert!(!lines[0].contains(": "), "no text in YAML without quotation marks: {}", lines[0]);
            lines[0].to_owned()
        };
        assert!(!value("severity: ").is_empty());
        let name = text.lines().next().unwrap().to_owned();
        Alert { name, expression: value("expr: "), texts: value("summary: ") + &value("description: ") }
    };
    let alerts: Vec<_> = text.split("- alert: ").skip(1).map(alert).collect();
    assert!(alerts.len() > 4);
    alerts
}

/// The exported metrics and the labels of each, from rings in every state with a subscriber, a cell and a bridge.
pub(crate) fn exported() -> BTreeMap<String, BTreeSet<String>> {
    let root = PrivateRoot::new();
    let _publisher = live(&root, "live");
    closed(&root, "closed");
    dead(&root, "dead");
    no_rings(&root);
    let _subscriber = Subscriber::<Quote>::options("live").root(&root).join(Join::Oldest).open().unwrap();
    let _cell = CellWriter::<u64>::options("cell").root(&root).create_cell().unwrap();
    let _ends = ends(&root);
    let exporter = Exporter::start(&root);
    let mut metrics = BTreeMap::<String, BTreeSet<String>>::new();
    for series in exporter.scrape().keys() {
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let labels = labels.trim_end_matches('}').split(',').filter_map(|label| label.split_once('='));
        metrics.entry(name.to_owned()).or_default().extend(labels.map(|(label, _)| label.to_owned()));
    }
    metrics
}

/// The metrics and the labels that an expression uses. Between quotation marks are values of labels.
pub(crate) fn used(expression: &str) -> (BTreeSet<&str>, BTreeSet<&str>) {
    assert_eq!(expression.matches('(').count(), expression.matches(')').count(), "{expression}");
    assert!(expression.matches('"').count().is_multiple_of(2), "{expression}");
    let unquoted = expression.split('"').step_by(2);
    let words = unquoted.flat_map(|part| part.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '$'));
    // Numbers and durations begin with a digit.
    let words = words.filter(|word| word.starts_with(|c: char| c.is_ascii_alphabetic()) && !WORDS.contains(word));
    words.partition(|word| word.starts_with("feed_"))
}

/// The labels that a template names: `{{ $labels.ring }}`.
fn templated(text: &str) -> BTreeSet<&str> {
    text.split("$labels.").skip(1).map(|rest| rest.split(|c: char| !c.is_alphanumeric()).next().unwrap()).collect()
}

/// The labels that these metrics have once they were scraped.
pub(crate) fn labels_of<'a>(
    metrics: &BTreeSet<&str>,
    exported: &'a BTreeMap<String, BTreeSet<String>>,
) -> BTreeSet<&'a str> {
    metrics.iter().flat_map(|metric| &exported[*metric]).map(String::as_str).chain(ADDED).collect()
}

#[test]
fn each_alert_uses_metrics_and_labels_that_are_exported() {
    let (alerts, exported) = (alerts(), exported());
    let names: BTreeSet<_> = alerts.iter().map(|alert| &alert.name).collect();
    assert_eq!(names.len(), alerts.len(), "no name twice");
    let mut all = BTreeSet::new();
    for Alert { name, expression, texts } in &alerts {
        let (metrics, labels) = used(expression);
        assert!(!metrics.is_empty(), "{name}");
        for metric in &metrics {
            assert!(exported.contains_key(*metric), "{name}: {metric} is not exported: {exported:?}");
        }
        let known = labels_of(&metrics, &exported);
        for label in labels.into_iter().chain(templated(texts)) {
            assert!(known.contains(label), "{name}: no metric of it has a label {label}");
        }
        all.extend(metrics);
    }
    // What an operator must learn of: a dead publisher, restarts, lag, losses; dead ends of a bridge, losses, and strangers.
    for metric in [
        "ring_publisher_up",
        "ring_epoch",
        "ring_subscriber_lag_messages",
        "ring_subscriber_lost_messages_total",
        "bridge_up",
        "bridge_connected",
        "bridge_lost_messages_total",
        "bridge_next_sequence",
        "bridge_refused_frames_total",
        "bridge_stale_frames_total",
    ] {
        assert!(all.contains(&*format!("feed_{metric}")), "{metric} is in no alert");
    }
}

/// Each alert fires when it should, and only then, in Prometheus's own evaluation.
#[test]
fn promtool_finds_the_alerts_right() {
    let tests = std::fs::read_to_string(ops("prometheus/tests.yml")).unwrap();
    for Alert { name, .. } in alerts() {
        assert!(tests.contains(&format!("alertname=\"{name}\"")), "{name} is in no test");
    }
    for (command, file) in [("check", "rules.yml"), ("test", "tests.yml")] {
        let file = ops("prometheus").join(file);
        let done = match Command::new("promtool").args([command, "rules"]).arg(file).output() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return eprintln!("SKIPPED: promtool is not installed (it comes with Prometheus)");
            }
            done => done.unwrap(),
        };
        let said = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
        assert!(done.status.success(), "{}{}", said(&done.stdout), said(&done.stderr));
    }
}

/// The documents list the same expressions.
#[test]
fn the_documents_have_the_same_alerts() {
    let documents =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md")).unwrap();
    for Alert { name, expression, .. } in alerts() {
        assert!(documents.contains(&format!("| `{name}` | `{expression}` |")), "{name}: {expression}");
    }
}
