//! Tests of the dashboard for Grafana (`ops/grafana`): it shows what `export` exports, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::rules::{exported, labels_of, ops, used};

fn dashboard() -> Value {
    serde_json::from_str(&std::fs::read_to_string(ops("grafana/feed-ring.json")).unwrap()).unwrap()
}

fn list<'a>(of: &'a Value, key: &str) -> &'a Vec<Value> {
    of[key].as_array().unwrap_or_else(|| panic!("{key}: a list expected: {of}"))
}

fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    of[key].as_str().unwrap_or_else(|| panic!("{key}: a text expected: {of}"))
}

/// The labels that a legend names: `{{ring}}`.
fn in_legend(legend: &str) -> BTreeSet<&str> {
    legend.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap().trim()).collect()
}

#[test]
fn each_panel_uses_metrics_and_labels_that_are_exported() {
    let (dashboard, exported) = (dashboard(), exported());
    let mut shown = BTreeSet::new();
    for panel in list(&dashboard, "panels").iter().filter(|panel| panel["type"] != "row") {
        let title = text(panel, "title");
        assert!(!text(panel, "description").is_empty() && !list(panel, "targets").is_empty(), "{title}");
        for target in list(panel, "targets") {
            let (expression, legend) = (text(target, "expr"), text(target, "legendFormat"));
            let (metrics, labels) = used(expression);
            assert!(!metrics.is_empty(), "{title}");
            for metric in &metrics {
                assert!(exported.contains_key(*metric), "{title}: {metric} is not exported: {exported:?}");
            }
            let known = labels_of(&metrics, &exported);
            for label in labels.into_iter().chain(in_legend(legend)) {
                assert!(known.contains(label), "{title}: no metric of it has a label {label}");
            }
            shown.extend(metrics.into_iter().map(str::to_owned));
        }
    }
    // What is the same all the time, or only says what another one says, is not shown.
    let left_out = [
        "feed_rings_readable",
        "feed_ring_publish_rate",
        "feed_ring_capacity_slots",
        "feed_ring_size_bytes",
        "feed_ring_records",
        "feed_ring_longest_record_bytes",
        "feed_table_store_rate",
        "feed_table_closed",
        "feed_table_epoch",
        "feed_table_size_bytes",
        "feed_bridge_epoch",
        "feed_bridge_status_age_seconds",
    ];
    let missing: Vec<_> =
        exported.keys().filter(|metric| !shown.contains(*metric) && !left_out.contains(&metric.as_str())).collect();
    assert!(missing.is_empty(), "in no panel: {missing:?}");
}

/// Whoever imports it chooses the data source: none is written into it.
#[test]
fn data_source_rings_and_tables_are_chosen() {
    let (dashboard, exported) = (dashboard(), exported());
    let variables: BTreeMap<_, _> =
        list(&dashboard["templating"], "list").iter().map(|variable| (text(variable, "name"), variable)).collect();
    assert_eq!(variables.keys().copied().collect::<Vec<_>>(), ["datasource", "ring", "table"]);
    assert_eq!(
        (text(variables["datasource"], "type"), text(variables["datasource"], "query")),
        ("datasource", "prometheus")
    );
    for (name, label) in [("ring", "ring"), ("table", "table")] {
        let query = text(variables[name], "definition");
        assert_eq!(variables[name]["query"]["query"], query);
        let inner = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).unwrap();
        let (metric, of) = inner.split_once(", ").unwrap();
        assert!(of == label && exported.get(metric).is_some_and(|labels| labels.contains(label)), "{query}");
        assert_eq!(variables[name]["datasource"]["uid"], "${datasource}");
    }
    let (mut ids, mut places) = (BTreeSet::new(), BTreeSet::new());
    for panel in list(&dashboard, "panels") {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "each id once: {panel}");
        let place = &panel["gridPos"];
        let number = |key: &str| place[key].as_u64().unwrap();
        for (x, y) in (0..number("w")).flat_map(|x| (0..number("h")).map(move |y| (x, y))) {
            assert!(places.insert((number("x") + x, number("y") + y)), "over another: {panel}");
        }
        assert!(number("x") + number("w") <= 24, "too wide: {panel}");
        if panel["type"] == "row" {
            continue;
        }
        for source in [panel].into_iter().chain(list(panel, "targets")) {
            assert_eq!(source["datasource"]["uid"], "${datasource}", "{source}");
        }
        for target in list(panel, "targets") {
            let expression = text(target, "expr");
            let series = used(expression).0.len();
            let chosen = ["ring=~\"$ring\"", "table=~\"$table\""].map(|choice| expression.matches(choice).count());
            assert!(chosen.iter().sum::<usize>() >= series, "of the chosen ones only: {expression}");
        }
    }
    let rows = list(&dashboard, "panels").iter().filter(|panel| panel["type"] == "row");
    let rows: Vec<_> = rows.map(|row| text(row, "title")).collect();
    assert_eq!(rows, ["The feed", "Subscribers", "Tables and cells", "Bridge"]);
    // The schema of Grafana 10.0. Later versions bring it up to theirs when it is imported.
    assert_eq!(dashboard["schemaVersion"], 38);
}
