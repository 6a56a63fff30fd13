//! Measures every contender for one short round.
//!
//! Each moves and checks messages and leaves nothing behind. No time is judged.

use std::process::Command;

use feed_testing::{PrivateRoot, skipped};

fn report() -> Command {
    Command::new(env!("CARGO_BIN_EXE_report"))
}

#[test]
fn every_contender_works() {
    if std::thread::available_parallelism().map_or(1, std::num::NonZero::get) < 2 {
        return skipped("the report's smoke run: a pair needs two cores");
    }
    let root = PrivateRoot::new();
    let child = report().args(["--smoke", "--output"]).arg(root.path()).stdout(std::process::Stdio::piped()).spawn();
    let child = child.expect("start the report");
    let pid = child.id();
    let output = child.wait_with_output().expect("wait for the report");
    assert!(output.status.success(), "the report failed: {:?}", output.status);
    let table = String::from_utf8(output.stdout).expect("the table is UTF-8");
    let last = table.lines().last().unwrap_or_default();
    assert!(last.starts_with("Verdict: none: a smoke run"), "the last line is no verdict: {last}");

    let list = report().args(["--smoke", "--list"]).output().expect("start the report").stdout;
    let list = String::from_utf8(list).expect("names are UTF-8");
    let json = std::fs::read(root.path().join("report.json")).expect("report.json");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("report.json is JSON");
    for field in ["machine", "kernel", "date", "rounds_kept", "rounds_dropped"] {
        assert!(!json[field].is_null(), "report.json has no {field}");
    }
    let named = |part: &str| -> Vec<String> {
        let rows = json[part].as_array().expect(part);
        rows.iter().map(|row| row["name"].as_str().expect("a name").to_owned()).collect()
    };
    let (visited, newest, missing) = (named("contenders"), named("newest"), named("skipped"));
    for row in json["skipped"].as_array().expect("skipped") {
        skipped(&format!("{}: {}", row["name"], row["reason"]));
    }
    for name in list.lines() {
        assert!(visited.iter().chain(&newest).chain(&missing).any(|row| row == name), "{name} is not in the report");
    }
    assert!(visited.iter().any(|name| name.starts_with("feed-ring ")), "the ring is not in the report");
    for row in json["contenders"].as_array().expect("contenders") {
        for field in ["latency_over_c2c", "latency_ns", "stream_over_c2c", "received_per_second", "lost_percent"] {
            assert!(row[field].is_f64(), "{}: {field} is {}", row["name"], row[field]);
        }
        assert!(row["publish_ns"].is_f64() || row["publish_ns"].is_null());
    }
    assert!(newest.iter().any(|name| name == "feed-ring table ro 56"), "the table is not in the report");
    for row in json["newest"].as_array().expect("newest") {
        for field in ["store_ns", "read_ns", "read_beside_ns", "read_beside_p999_ns", "store_beside_ns"] {
            assert!(row[field].is_f64(), "{}: {field} is {}", row["name"], row[field]);
        }
        let tells = row["most_attempts"].as_u64().is_some_and(|attempts| attempts > 0);
        assert_eq!(tells, row["kind"] == "table", "{}: attempts {}", row["name"], row["most_attempts"]);
    }
    for plot in ["latency", "paced", "stream", "throughput"] {
        let svg = std::fs::read_to_string(root.path().join(format!("{plot}.svg"))).expect(plot);
        assert!(svg.contains("feed-ring"), "{plot}.svg names no ring");
    }

    let left: Vec<_> = std::fs::read_dir("/dev/shm")
        .expect("/dev/shm")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains(&format!(".{pid}.")) && name.contains("feed-ring-report"))
        .collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

#[test]
fn an_unknown_contender_is_an_error() {
    let output = report().args(["--smoke", "--only", "carrier pigeon"]).output().expect("start the report");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no contender is named like `carrier pigeon`"));
}
