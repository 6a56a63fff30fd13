//! Tests of `export` with a real HTTP client and a strict parser of the format.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use feed_ring::{Join, Publisher, Subscriber};
use feed_testing::{PrivateRoot, Program};
use rustix::process::Signal;

use crate::rings::{Quote, busy, closed, dead, live, no_rings, publish_twenty, put, quote, run};

/// `ringctl export` on a free port, with this sample interval in seconds.
fn export(root: &PrivateRoot, sample: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringctl"));
    command.arg("--root").arg(root.path()).args(["export", "--listen", "127.0.0.1:0", "--sample", sample]);
    command
}

/// A running exporter on a free port; killed when dropped.
pub(crate) struct Exporter {
    process: std::process::Child,
    address: String,
}

impl Exporter {
    pub(crate) fn start(root: &PrivateRoot) -> Self {
        Self::of(export(root, "0.05"))
    }

    /// Starts an exporter with this command.
    pub(crate) fn of(mut command: Command) -> Self {
        // Owned first, so that it is killed even if its output is unexpected.
        let process = command.env_remove("RUST_LOG").stderr(Stdio::piped()).spawn().unwrap();
        let mut exporter = Exporter { process, address: String::new() };
        let mut said = String::new();
        BufReader::new(exporter.process.stderr.as_mut().unwrap()).read_line(&mut said).unwrap();
        let address = said.trim().strip_prefix("listening at http://").unwrap_or_else(|| panic!("{said}"));
        exporter.address = address.strip_suffix("/metrics").unwrap().to_owned();
        exporter
    }

    /// The metrics, checked against the format.
    pub(crate) fn scrape(&self) -> HashMap<String, f64> {
        let mut response = ureq::get(format!("http://{}/metrics", self.address)).call().unwrap();
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
        parse(&response.body_mut().read_to_string().unwrap())
    }

    /// The raw answer to a request.
    fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Parses an exposition strictly: each family is described before its samples and not repeated, names and labels have
/// allowed characters, no series occurs twice, counters have their suffix, values are numbers, and `# EOF` is at the
/// end.
fn parse(text: &str) -> HashMap<String, f64> {
    let mut samples = HashMap::new();
    let (mut family, mut kind) = (String::new(), String::new());
    let mut families = Vec::new();
    let lines: Vec<_> = text.lines().collect();
    assert!(text.ends_with("# EOF\n") && text.matches("# EOF").count() == 1, "{text}");
    for line in &lines[..lines.len() - 1] {
        if let Some(help) = line.strip_prefix("# HELP ") {
            family = help.split(' ').next().unwrap().to_owned();
            assert!(!families.contains(&family), "{family} twice");
            families.push(family.clone());
            continue;
        }
        if let Some(ty) = line.strip_prefix("# TYPE ") {
            let (name, ty) = ty.split_once(' ').unwrap();
            assert_eq!(name, family, "described and typed together");
            assert!(["counter", "gauge"].contains(&ty), "{line}");
            kind = ty.to_owned();
            continue;
        }
        assert!(!line.starts_with('#'), "{line}");
        let (series, value) = line.rsplit_once(' ').unwrap();
        let name = series.split('{').next().unwrap();
        let suffix = if kind == "counter" { "_total" } else { "" };
        assert_eq!(name, format!("{family}{suffix}"), "{line}");
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{line}");
        if let Some(labels) = series.strip_prefix(name).filter(|labels| !labels.is_empty()) {
            let labels = labels.strip_prefix('{').and_then(|labels| labels.strip_suffix('}')).unwrap();
            for label in labels.split(',') {
                let (name, value) = label.split_once('=').unwrap();
                assert!(name.chars().all(|c| c.is_ascii_lowercase()), "{line}");
                assert!(value.len() >= 2 && value.starts_with('"') && value.ends_with('"'), "{line}");
            }
        }
        assert!(samples.insert(series.to_owned(), value.parse().unwrap()).is_none(), "{series} twice");
    }
    samples
}

#[test]
fn metrics_of_rings_in_every_state() {
    let root = PrivateRoot::new();
    let _publisher = live(&root, "live");
    closed(&root, "closed");
    dead(&root, "dead");
    put(&closed(&root, "damaged").join("segment"), 50, 3);
    no_rings(&root);
    let _subscriber = Subscriber::<Quote>::options("live").root(&root).join(Join::Oldest).open().unwrap();
    let metrics = Exporter::start(&root).scrape();
    let of = |metric: &str, ring: &str| metrics.get(&format!("feed_ring_{metric}{{ring=\"{ring}\"}}")).copied();
    for (ring, up, closed) in [("live", 1.0, 0.0), ("closed", 0.0, 1.0), ("dead", 0.0, 0.0)] {
        assert_eq!(of("publisher_up", ring), Some(up), "{ring}");
        assert_eq!(of("closed", ring), Some(closed), "{ring}");
        assert_eq!(of("published_messages_total", ring), Some(20.0), "{ring}");
        assert_eq!(of("epoch", ring), Some(1.0));
        assert_eq!(of("capacity_slots", ring), Some(8.0));
        assert_eq!(of("size_bytes", ring), Some(4096.0 + 8.0 * 64.0));
        assert!(of("last_publish_age_seconds", ring).unwrap() >= 0.0);
        assert!(of("wakes_total", ring).unwrap() >= 1.0);
        assert_eq!(of("readable", ring), Some(1.0));
    }
    assert_eq!((of("subscribers", "live"), of("subscribers", "dead")), (Some(1.0), Some(0.0)));
    let labels = format!("{{ring=\"live\",entry=\"0\",pid=\"{}\"}}", std::process::id());
    assert_eq!(metrics[&format!("feed_ring_subscriber_lag_messages{labels}")], 7.0);
    assert_eq!(metrics[&format!("feed_ring_subscriber_lost_messages_total{labels}")], 0.0);
    for ring in ["damaged", "file", "folder", "link"] {
        assert_eq!((of("readable", ring), of("published_messages_total", ring)), (Some(0.0), None), "{ring}");
    }
    assert_eq!(metrics["feed_rings_readable"], 1.0);
}

#[test]
fn metrics_move_with_the_ring() {
    let root = PrivateRoot::new();
    let mut publisher = busy(&root, "q");
    let exporter = Exporter::start(&root);
    let published = "feed_ring_published_messages_total{ring=\"q\"}";
    let age = "feed_ring_last_publish_age_seconds{ring=\"q\"}";
    let before = exporter.scrape()[published];
    // A rate needs two surveys that are far enough apart.
    let rate = "feed_ring_publish_rate{ring=\"q\"}";
    // A busy machine may let the publisher stand still between two scrapes.
    let moved = |metrics: &HashMap<String, f64>| {
        metrics.get(rate).is_some_and(|rate| *rate > 0.0) && metrics[published] > before
    };
    std::iter::repeat_with(|| exporter.scrape()).take(100_000).find(moved).expect("a rate above 0 once messages came");
    publisher.kill();
    let dead = exporter.scrape();
    assert_eq!(dead["feed_ring_publisher_up{ring=\"q\"}"], 0.0);
    // The age grows over many short surveys.
    let aged = |metrics: &HashMap<String, f64>| metrics[age] > dead[age] + 0.2;
    let older = std::iter::repeat_with(|| {
        std::thread::sleep(Duration::from_millis(10));
        exporter.scrape()
    });
    let older = older.take(1000).find(aged).expect("a dead ring's age grows");
    assert_eq!(older[published], dead[published]);
}

#[test]
fn a_name_is_escaped() {
    let root = PrivateRoot::new();
    for name in [&b"a\"b"[..], b"c\\d", b"new\nline", b"new\rline", b"\xff", b"\xfe"] {
        let name = std::ffi::OsStr::from_bytes(&[name, b".ring"].concat()).to_owned();
        std::fs::create_dir(root.path().join(name)).unwrap();
    }
    // No series twice: `scrape` checks.
    let metrics = Exporter::start(&root).scrape();
    for label in ["a\\\"b", "c\\\\\\\\d", "new\\\\u{a}line", "new\\\\u{d}line", "\\\\xff", "\\\\xfe"] {
        assert_eq!(metrics.get(&format!("feed_ring_readable{{ring=\"{label}\"}}")), Some(&0.0), "{label}: {metrics:?}");
    }
    assert_eq!(metrics.len(), 7, "{metrics:?}");
}

#[test]
fn sealed_rings_have_metrics_too() {
    let root = PrivateRoot::new();
    closed(&root, "disk");
    let path = |name: &str| root.path().join(name).to_str().unwrap().to_owned();
    let serve = || {
        let mut publisher = Publisher::options("q").capacity(8).max_clients(1).serve(path("s")).create().unwrap();
        publish_twenty(&mut publisher);
        publisher
    };
    let publisher = serve();
    let mut command = export(&root, "3600");
    command.args(["--connect", &path("s"), "--connect", &path("none"), "--connect", &path("s")]);
    let exporter = Exporter::of(command);
    let of = |metrics: &HashMap<String, f64>, metric: &str, ring: &str| {
        metrics.get(&format!("feed_ring_{metric}{{ring=\"{ring}\"}}")).copied()
    };
    let metrics = exporter.scrape();
    assert_eq!(of(&metrics, "published_messages_total", &path("s")), Some(20.0), "{metrics:?}");
    assert_eq!(of(&metrics, "publisher_up", &path("s")), Some(1.0));
    assert_eq!(of(&metrics, "readable", &path("none")), Some(0.0));
    assert_eq!(of(&metrics, "readable", "disk"), Some(1.0));
    // The exporter takes no client's place, and sees the client.
    let subscriber = Subscriber::<Quote>::connect(path("s")).join(Join::Oldest).open().unwrap();
    let metrics = exporter.scrape();
    let labels = format!("{{ring=\"{}\",entry=\"0\",pid=\"{}\"}}", path("s"), std::process::id());
    assert_eq!(metrics[&format!("feed_ring_subscriber_lag_messages{labels}")], 7.0);
    drop(subscriber);
    // The ring ends, and stays in the metrics in its last state.
    publisher.close().unwrap();
    for _ in 0..2 {
        let metrics = exporter.scrape();
        assert_eq!(of(&metrics, "closed", &path("s")), Some(1.0));
        assert_eq!(of(&metrics, "published_messages_total", &path("s")), Some(20.0));
        assert_eq!(
            (of(&metrics, "publisher_up", &path("s")), of(&metrics, "subscribers", &path("s"))),
            (Some(0.0), None)
        );
    }
    // Its memory is not kept mapped.
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", exporter.process.id())).unwrap();
    assert!(!maps.contains("memfd:feed-ring"), "{maps}");
    // Another ring at the same socket is found.
    let mut publisher = serve();
    publisher.publish(&quote(20));
    let metrics = exporter.scrape();
    assert_eq!(of(&metrics, "published_messages_total", &path("s")), Some(21.0));
    assert_eq!((of(&metrics, "publisher_up", &path("s")), of(&metrics, "closed", &path("s"))), (Some(1.0), Some(0.0)));
}

#[test]
fn as_json_it_says_where_it_listens() {
    let root = PrivateRoot::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringctl"));
    command.arg("--root").arg(root.path()).args(["--json", "export", "--listen", "127.0.0.1:0"]);
    let mut exporter = Program::start(&mut command);
    exporter.wait_for("}\n");
    exporter.kill();
    let said = exporter.finish();
    let line: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    let address: std::net::SocketAddr = line["listening"].as_str().unwrap().parse().unwrap();
    assert!(address.ip().is_loopback() && address.port() != 0, "{address}");
    assert_eq!(said.stderr, "");
}

#[test]
fn running_out_of_descriptors_does_not_end_it() {
    let root = PrivateRoot::new();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 24; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_ringctl"), "--root"]).arg(root.path());
    command.args(["export", "--listen", "127.0.0.1:0", "--sample", "0.05"]);
    let mut exporter = Program::start(command.env("RUST_LOG", "warn"));
    exporter.wait_for_error("/metrics\n");
    let said = exporter.stderr();
    let address =
        said.trim().strip_prefix("listening at http://").unwrap().strip_suffix("/metrics").unwrap().to_owned();
    // Silent clients, until no descriptor is left.
    let (address, patience) = (address.parse().unwrap(), Duration::from_millis(500));
    let silent: Vec<_> = (0..30).flat_map(|_| TcpStream::connect_timeout(&address, patience)).collect();
    exporter.wait_for_error("cannot accept a connection: trying again error=");
    drop(silent);
    let scraped = std::iter::repeat_with(|| {
        std::thread::sleep(Duration::from_millis(20));
        let answer =
            ureq::get(format!("http://{address}/metrics")).config().timeout_global(Some(Duration::from_secs(2)));
        answer.build().call().ok()?.body_mut().read_to_string().ok()
    });
    let metrics = scraped.take(500).flatten().find(|metrics| metrics.contains("feed_rings_readable 1"));
    assert!(metrics.is_some(), "{}", exporter.stderr());
}

#[test]
fn only_scrapes_and_the_interval_trigger_a_survey() {
    let root = PrivateRoot::new();
    let mut command = export(&root, "3600");
    let mut exporter = Program::start(command.env("RUST_LOG", "info"));
    exporter.wait_for_error("INFO ringctl::export: listening address=127.0.0.1:");
    let said = exporter.stderr();
    let address = said.split("address=").nth(1).unwrap().split(' ').next().unwrap();
    let _publisher = busy(&root, "q");
    let get = |path: &str| {
        ureq::get(format!("http://{address}{path}"))
            .call()
            .map_or(String::new(), |mut response| response.body_mut().read_to_string().unwrap())
    };
    get("/");
    get("/secrets");
    exporter.wait_for_error("url=\"/secrets\" status=404");
    assert!(!exporter.stderr().contains("ring appeared"), "{}", exporter.stderr());
    let first = get("/metrics");
    assert!(first.contains("feed_ring_published_messages_total{ring=\"q\"}"), "{first}");
    exporter.wait_for_error("ring appeared ring=\"q\"");
    // A scrape right after another has no rate.
    let second = get("/metrics");
    assert!(!second.contains("feed_ring_publish_rate"), "{second}");
}

#[test]
fn other_requests() {
    let root = PrivateRoot::new();
    let exporter = Exporter::start(&root);
    let request = |line: &str| exporter.raw(&format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    let status = |line: &str| request(line).split(' ').nth(1).unwrap().to_owned();
    assert_eq!(status("GET /"), "200");
    assert_eq!(status("GET /metrics?a=b"), "200");
    assert_eq!(status("GET /secrets"), "404");
    assert_eq!(status("POST /metrics"), "405");
    let head = request("HEAD /metrics");
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
    // A silent client and a malformed request do not block others.
    let _silent = TcpStream::connect(&exporter.address).unwrap();
    let mut nonsense = TcpStream::connect(&exporter.address).unwrap();
    nonsense.write_all(b"\xff\xfe\0\r\n\r\n").unwrap();
    let mut answer = String::new();
    nonsense.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(exporter.scrape()["feed_rings_readable"], 1.0);
}

#[test]
fn connections_that_say_nothing_make_room_for_those_that_do() {
    let root = PrivateRoot::new();
    let exporter = Exporter::start(&root);
    let connect = |sends: &[u8]| {
        let mut stream = TcpStream::connect(&exporter.address).unwrap();
        stream.write_all(sends).unwrap();
        stream
    };
    // Far more than are served at a time.
    let _idle: Vec<_> = (0..100).map(|_| connect(b"")).collect();
    assert_eq!(exporter.scrape()["feed_rings_readable"], 1.0);
    let _halfway: Vec<_> = (0..100).map(|_| connect(b"GET /metrics HTTP/1.1\r\n")).collect();
    for _ in 0..5 {
        assert_eq!(exporter.scrape()["feed_rings_readable"], 1.0);
    }
}

#[test]
fn a_root_that_vanishes_and_comes_back() {
    let root = PrivateRoot::new();
    let exporter = Exporter::start(&root);
    std::fs::remove_dir(root.path()).unwrap();
    assert_eq!(exporter.scrape()["feed_rings_readable"], 0.0);
    std::fs::create_dir(root.path()).unwrap();
    assert_eq!(exporter.scrape()["feed_rings_readable"], 1.0);
}

#[test]
fn an_address_that_is_taken() {
    let root = PrivateRoot::new();
    let exporter = Exporter::start(&root);
    let (code, _, stderr) = run(&root, &["export", "--listen", &exporter.address]);
    assert_eq!((code, stderr.lines().count()), (1, 1));
    assert!(stderr.contains(&format!("{}: cannot listen: ", exporter.address)), "{stderr}");
    assert!(stderr.contains("--listen ADDRESS:PORT"), "{stderr}");
}

#[test]
fn an_address_that_is_none_is_a_wrong_command_line() {
    let root = PrivateRoot::new();
    for address in ["foo", "127.0.0.1", ":9464", "127.0.0.1:http"] {
        let (code, stdout, stderr) = run(&root, &["export", "--listen", address]);
        assert_eq!((code, &*stdout), (2, ""), "{stderr}");
        let says = format!(
            "error: invalid value '{address}' for '--listen <ADDRESS:PORT>': expected an address and a port, as in \
             127.0.0.1:9464\n"
        );
        assert!(stderr.starts_with(&says), "{stderr}");
    }
}

#[test]
fn a_signal_ends_it_well() {
    let root = PrivateRoot::new();
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut exporter = Program::start(&mut export(&root, "3600"));
        exporter.wait_for_error("/metrics\n");
        exporter.signal(signal);
        let finished = exporter.finish();
        assert_eq!((finished.code, finished.stderr.lines().count()), (Some(0), 1), "{signal:?}: {}", finished.stderr);
    }
}

#[test]
fn rings_that_come_and_go_and_requests_are_in_the_log() {
    let root = PrivateRoot::new();
    closed(&root, "first");
    let mut command = export(&root, "0.05");
    let mut exporter = Program::start(command.env("RUST_LOG", "info"));
    exporter
        .wait_for_error("INFO ringctl::export: ring appeared ring=\"first\" publisher=\"closed\" epoch=1 published=20");
    exporter.wait_for_error("INFO ringctl::export: listening address=127.0.0.1:");
    let said = exporter.stderr();
    let address = said.split("address=").nth(1).unwrap().split(' ').next().unwrap();
    ureq::get(format!("http://{address}/metrics")).call().unwrap();
    exporter.wait_for_error("INFO ringctl::export: request method=GET url=\"/metrics\" status=200");
    std::fs::remove_dir_all(root.path().join("first.ring")).unwrap();
    exporter.wait_for_error("INFO ringctl::export: ring vanished ring=\"first\" published=20");
    let gone = root.path().with_extension("gone");
    std::fs::rename(root.path(), &gone).unwrap();
    exporter.wait_for_error("WARN ringctl::export: the rings cannot be read error=");
    std::fs::rename(&gone, root.path()).unwrap();
}

#[test]
fn there_is_no_log_by_default() {
    let root = PrivateRoot::new();
    closed(&root, "first");
    let mut command = export(&root, "0.05");
    let mut exporter = Program::start(command.env_remove("RUST_LOG"));
    exporter.wait_for_error("/metrics\n");
    assert_eq!(exporter.stderr().lines().count(), 1, "{}", exporter.stderr());
}
