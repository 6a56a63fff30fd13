//! Every command on a ring in every state: exit code, text and JSON.
//!
//! Each state has a root of its own with one ring, `q`, so that the table can include commands on all rings. The
//! outputs are in `snapshots/`. After an intended change, run the tests with `INSTA_UPDATE=always` and review the
//! difference.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::Command;

use feed_ring::raw::MessageFormat;
use feed_ring::records::RecordsFormat;
use feed_ring::{Join, Publisher, RecordPublisher, Subscriber};
use feed_testing::{Child, PrivateRoot, skipped};
use serde_json::Value;

use crate::exporter::Exporter;
use crate::machine::Machine;
use crate::rings::{Quote, closed, dead, live, options, publish_twenty, put, quote, slot, stable, superseded};

/// The commands that end by themselves. Each runs with and without `--json`.
const COMMANDS: [&[&str]; 9] = [
    &["list", "--sample", "0"],
    &["stat", "q"],
    &["table", "q"],
    &["tail", "q", "-n", "2"],
    &["dump", "q", "--sequence", "18..20"],
    &["dump", "q", "--sequence", "19", "--hex"],
    &["verify", "q"],
    &["clean", "--dry-run"],
    &["clean", "q", "--dry-run"],
];

/// A root with a ring in some state, and the user as whom `ringctl` runs.
struct State {
    root: PrivateRoot,
    machine: Machine,
    uid: Option<u32>,
    /// True if `tail -f` ends by itself.
    ends: bool,
}

impl State {
    fn new() -> Self {
        State { root: PrivateRoot::new(), machine: Machine::fit(), uid: None, ends: true }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringctl"));
        command.arg("--root").arg(self.root.path()).args(arguments).env_remove("RUST_LOG");
        if let Some(uid) = self.uid {
            command.uid(uid);
        }
        command
    }

    /// Runs a command. Returns its exit code and outputs, without what differs from run to run.
    fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        let stdout = match arguments.contains(&"--json") {
            true => stdout.lines().map(|line| self.stable_json(line)).collect(),
            false => self.stable_text(&stdout),
        };
        let code = output.status.code().expect("an exit code, no signal");
        format!("$ ringctl {}  -> {code}\n{stdout}{}", arguments.join(" "), self.stable_text(&stderr))
    }

    /// Text without what differs from run to run.
    fn stable_text(&self, text: &str) -> String {
        let (owner, own) = (owner(), std::process::id().to_string());
        let text = stable(&self.root, text).replace("(by fence)", "(by membarrier)");
        let mut plain = String::new();
        for line in text.lines() {
            // Column widths depend on numbers that differ.
            let words = line.split_whitespace().map(|word| match word {
                word if word == owner => "me",
                word if word == own => "?",
                word => word,
            });
            let _ = writeln!(plain, "    {}", words.collect::<Vec<_>>().join(" "));
        }
        plain
    }

    /// A line of JSON without what differs from run to run.
    fn stable_json(&self, line: &str) -> String {
        let mut value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        remove_variable(&mut value);
        format!("    {}\n", value.to_string().replace(&*self.root.path().to_string_lossy(), "ROOT"))
    }

    /// The first line of a command that does not end.
    fn first_line(&self, arguments: &[&str]) -> String {
        let mut child = Child::start(&mut self.command(arguments));
        let line = child.wait_for("");
        format!("$ ringctl {}\n{}", arguments.join(" "), self.stable_json(&line))
    }

    /// The check of leftover rings on a fit machine, as text and JSON.
    fn doctor(&self) -> String {
        let mut command = self.command(&["doctor", "--json"]);
        let output = command.args(self.machine.arguments()).output().unwrap();
        let checks: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        let check = checks.iter().find(|check| check["what"] == "leftover rings").unwrap();
        let mut command = self.command(&["doctor"]);
        let text = command.args(self.machine.arguments()).output().unwrap();
        assert_eq!(text.status.code(), output.status.code());
        let text = String::from_utf8(text.stdout).unwrap();
        let line = text.lines().find(|line| line.contains("leftover rings")).unwrap();
        let code = output.status.code().unwrap();
        format!("$ ringctl doctor  -> {code}\n{}{}", self.stable_text(line), self.stable_json(&check.to_string()))
    }

    /// The metrics of the exporter.
    fn export(&self) -> String {
        let exporter = Exporter::of(self.command(&["export", "--listen", "127.0.0.1:0", "--sample", "3600"]));
        let mut lines: Vec<_> = exporter
            .scrape()
            .into_iter()
            .map(|(series, value)| match series.contains("_age_") {
                true => format!("    {series} ?\n"),
                false => format!("    {series} {value}\n"),
            })
            .collect();
        lines.sort();
        let text = lines.concat().replace(&format!("pid=\"{}\"", std::process::id()), "pid=\"?\"");
        format!("$ ringctl export\n{text}")
    }

    /// The outputs of all commands.
    fn table(&self) -> String {
        let mut table = String::new();
        let mut commands = COMMANDS.to_vec();
        if self.ends {
            commands.push(&["tail", "q", "-f", "-n", "1"]);
        }
        for arguments in commands {
            table.push_str(&self.run(arguments));
            table.push_str(&self.run(&[arguments, &["--json"]].concat()));
        }
        table.push_str(&self.first_line(&["top", "--json"]));
        table.push_str(&self.doctor());
        table.push_str(&self.export());
        table
    }
}

/// The name of the present user, as `ringctl` writes it.
fn owner() -> String {
    let uid = rustix::process::geteuid().as_raw();
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find(|line| line.split(':').nth(2) == Some(&uid.to_string()));
    name.and_then(|line| line.split(':').next()).map_or(uid.to_string(), str::to_owned)
}

/// Replaces what differs from run to run.
fn remove_variable(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(remove_variable),
        Value::Object(members) => {
            // The size of an entry that is not a ring differs between file systems.
            let no_ring = members.contains_key("problem");
            for (name, value) in members {
                match &**name {
                    "pid" | "publisher_pid" | "nonce" | "created" | "wake" | "uid" | "gid" => *value = "?".into(),
                    "bytes" if no_ring => *value = "?".into(),
                    "owner" if *value == owner() => *value = "me".into(),
                    _ => remove_variable(value),
                }
            }
        }
        _ => {}
    }
}

#[test]
fn a_live_ring() {
    let state = State { ends: false, ..State::new() };
    let _publisher = live(&state.root, "q");
    let _subscriber = Subscriber::<Quote>::options("q").root(&state.root).join(Join::Oldest).open().unwrap();
    insta::assert_snapshot!(state.table());
}

#[test]
fn a_closed_ring_that_was_kept() {
    let state = State::new();
    closed(&state.root, "q");
    insta::assert_snapshot!(state.table());
}

#[test]
fn a_dead_ring() {
    let state = State { ends: false, ..State::new() };
    dead(&state.root, "q");
    insta::assert_snapshot!(state.table());
}

/// A live ring of another user, with messages of an unknown type.
#[test]
fn a_foreign_ring() {
    if !rustix::process::geteuid().is_root() {
        return skipped("giving a ring to another user takes root");
    }
    let state = State { ends: false, ..State::new() };
    let mut publisher = Publisher::<[u64; 3]>::options("q").root(&state.root).capacity(8).create().unwrap();
    for number in 0..20 {
        publisher.publish(&[number, number + 1, number + 2]);
    }
    let ring = state.root.path().join("q.ring");
    for file in ["", "segment", "control", "live", "lock"] {
        chown(ring.join(file), Some(12_345), Some(12_345)).unwrap();
    }
    insta::assert_snapshot!(state.table());
}

/// A live ring that the present user may not read.
#[test]
fn a_ring_that_may_not_be_read() {
    if !rustix::process::geteuid().is_root() {
        return skipped("looking as another user takes root");
    }
    let state = State { uid: Some(65_534), ..State::new() };
    for path in [state.root.path(), state.machine.path()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let _publisher = live(&state.root, "q");
    insta::assert_snapshot!(state.table());
}

/// A ring of a later version of the format.
#[test]
fn a_ring_of_another_abi() {
    let state = State { ends: true, ..State::new() };
    let _publisher = live(&state.root, "q");
    put(&state.root.path().join("q.ring/segment"), 1, 4);
    insta::assert_snapshot!(state.table());
}

/// The header says that the ring is superseded. A ring that was really replaced has lost its name; this one's publisher
/// was killed while replacing it.
#[test]
fn a_superseded_ring() {
    let state = State::new();
    superseded(&state.root, "q");
    insta::assert_snapshot!(state.table());
}

/// The ring that took another's name. It continues the sequences.
#[test]
fn a_ring_that_took_anothers_name() {
    let state = State { ends: false, ..State::new() };
    dead(&state.root, "q");
    let mut publisher = options(&state.root, "q").capacity(16).create().unwrap();
    publisher.publish(&quote(20));
    insta::assert_snapshot!(state.table());
}

/// A slot with a sequence that no publisher stores there. The ring opens.
#[test]
fn a_ring_with_a_corrupt_slot() {
    let state = State::new();
    put(&closed(&state.root, "q").join("segment"), slot(3), 10);
    insta::assert_snapshot!(state.table());
}

/// A ring of records, of which the last kinds are quotes and bytes.
#[test]
fn a_ring_of_records() {
    let state = State::new();
    let format = RecordsFormat::structs([(1, MessageFormat::of::<Quote>())]);
    let options = RecordPublisher::options("q", format).root(&state.root).capacity(16).keep(true);
    let mut publisher = options.create_records().unwrap();
    for number in 0..20 {
        let kind = if number == 18 { 1 } else { 9 };
        publisher.publish(kind, zerocopy::IntoBytes::as_bytes(&quote(number))).unwrap();
    }
    publisher.close().unwrap();
    insta::assert_snapshot!(state.table());
}

/// A header that contradicts itself. The ring does not open.
#[test]
fn a_ring_with_a_corrupt_header() {
    let state = State::new();
    put(&closed(&state.root, "q").join("segment"), 50, 3);
    insta::assert_snapshot!(state.table());
}

#[test]
fn a_file_that_is_not_a_ring() {
    let state = State::new();
    fs::write(state.root.path().join("q.ring"), "mine").unwrap();
    insta::assert_snapshot!(state.table());
}

/// A command that follows a ring reads it to its end when another ring takes its name, and reports that.
#[test]
fn following_a_ring_that_is_replaced() {
    let state = State::new();
    let mut first = live(&state.root, "q");
    let follow = |arguments: &[&str]| Child::start(&mut state.command(arguments));
    let mut tail = follow(&["--json", "tail", "q", "-f", "-n", "1"]);
    tail.wait_for("{\"sequence\":19,");
    first.kill();
    tail.wait_for("{\"publisher\":\"dead\"}");
    let mut second = options(&state.root, "q").capacity(16).create().unwrap();
    publish_twenty(&mut second);
    let (status, rest) = tail.finish();
    assert_eq!((status.code(), &*rest), (Some(0), "{\"ended\":\"superseded\"}\n"));
    // The name leads to the new ring.
    let mut tail = follow(&["--json", "tail", "q", "-f", "-n", "1"]);
    tail.wait_for("{\"sequence\":39,");
}
