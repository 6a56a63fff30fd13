//! Tests of `list`, `stat` and `verify`, and of what all commands have in common.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::{Command, Stdio};

use feed_ring::{Join, Subscriber};
use feed_testing::{PrivateRoot, skipped};

use serde_json::Value;

use crate::rings::{
    Quote, busy, closed, dead, fine, json, json_lines, live, no_rings, put, ringctl, run, slot, stable, stable_stat,
    superseded,
};

/// Rings in every state. Their names say which.
fn every_state(root: &PrivateRoot) -> feed_testing::Child {
    closed(root, "closed");
    dead(root, "dead");
    superseded(root, "superseded");
    put(&closed(root, "damaged").join("segment"), 50, 3);
    put(&closed(root, "newer").join("segment"), 1, 4);
    no_rings(root);
    live(root, "live")
}

#[test]
fn list_shows_every_state() {
    let root = PrivateRoot::new();
    let _publisher = every_state(&root);
    let subscriber = Subscriber::<Quote>::options("live").root(&root).join(Join::Oldest).open().unwrap();
    let text = fine(&root, &["list", "--sample", "0"]);
    let owner = json(&root, &["stat", "live"])["owner"].as_str().unwrap().to_owned();
    let text = stable(&root, &text);
    // The width of the column depends on the name.
    let width = owner.len().max(5);
    let text = text.replace(&format!("{owner:<width$}"), "me   ").replace(&format!("{:<width$}", "OWNER"), "OWNER");
    insta::assert_snapshot!(text, @r#"
    NAME        OWNER  MODE     SIZE  MESSAGE       CAPACITY  PUBLISHED  RATE  PUBLISHER   SUBS  LAG
    closed      me     0600  4.5 KiB  Quote (32 B)         8         20     -  closed         0    -
    dead        me     0600  4.5 KiB  Quote (32 B)         8         20     -  dead           0    -
    live        me     0600  4.5 KiB  Quote (32 B)         8         20     -  alive          1    7
    superseded  me     0600  4.5 KiB  Quote (32 B)         8         20     -  superseded     0    -
    damaged: cannot be looked at (owner ?): ROOT/damaged.ring/segment: the capacity is 3, expected 4: the segment is damaged; restart its publisher
    file: cannot be looked at (owner ?): ROOT/file.ring: not a ring: no directory, a ring's directory expected: choose another name, or move it away
    folder: cannot be looked at (owner ?): ROOT/folder.ring: not a ring: a directory without a segment, a ring expected: choose another name, or move it away
    link: cannot be looked at (owner ?): ROOT/link.ring: not a ring: no directory, a ring's directory expected: choose another name, or move it away
    newer: cannot be looked at (owner ?): ROOT/newer.ring/segment: ABI 4, this program speaks 1 to 3: rebuild the older side
    "#);
    drop(subscriber);
}

#[test]
fn list_as_json() {
    let root = PrivateRoot::new();
    let publisher = every_state(&root);
    let listed = json(&root, &["list"]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let states = listed["rings"].as_array().unwrap().iter().map(|ring| (text(&ring["name"]), text(&ring["publisher"])));
    let expected = [("closed", "closed"), ("dead", "dead"), ("live", "alive"), ("superseded", "superseded")];
    assert_eq!(states.collect::<Vec<_>>(), expected.map(|(name, state)| (name.to_owned(), state.to_owned())));
    let ring = &listed["rings"][2];
    assert_eq!(ring["publisher_pid"], publisher.id());
    assert_eq!((&ring["published"], &ring["oldest"], &ring["capacity"]), (&20.into(), &13.into(), &8.into()));
    assert_eq!(
        (&ring["message"], &ring["message_bytes"], &ring["slot_bytes"]),
        (&"Quote".into(), &32.into(), &64.into())
    );
    assert_eq!((&ring["mode"], &ring["rate"], &ring["epoch"]), (&"0600".into(), &0.0.into(), &1.into()));
    let others: Vec<_> =
        listed["others"].as_array().unwrap().iter().map(|other| other["name"].as_str().unwrap()).collect();
    assert_eq!(others, ["damaged", "file", "folder", "link", "newer"]);
}

#[test]
fn a_name_that_is_not_utf8_is_listed() {
    let root = PrivateRoot::new();
    fs::create_dir(root.path().join(OsStr::from_bytes(b"\xffquotes.ring"))).unwrap();
    for arguments in [&["list"][..], &["clean"]] {
        let said = fine(&root, arguments);
        assert!(said.contains("\\xffquotes: ") && said.contains("no ring's name may have"), "{said}");
    }
    assert_eq!(json(&root, &["list"])["others"][0]["kind"], "not-a-ring");
    let (code, said, _) = run(&root, &["verify"]);
    assert!(code == 1 && said.starts_with("\\xffquotes: ring name"), "{said}");
}

#[test]
fn rates_come_from_two_looks() {
    let root = PrivateRoot::new();
    let _publisher = busy(&root, "busy");
    let rate = json(&root, &["list", "--sample", "0.1"])["rings"][0]["rate"].as_f64().unwrap();
    assert!(rate > 0.0 && rate <= 1100.0, "{rate}: it publishes a thousand a second at most");
    assert_eq!(json(&root, &["list", "--sample", "0"])["rings"][0]["rate"], Value::Null);
}

#[test]
fn a_root_without_rings() {
    let root = PrivateRoot::new();
    assert_eq!(stable(&root, &fine(&root, &["list"])), "no rings in ROOT\n");
    assert_eq!(json(&root, &["list"])["rings"], serde_json::json!([]));
    assert_eq!(stable(&root, &fine(&root, &["verify"])), "no rings in ROOT\n");
    assert_eq!(stable(&root, &fine(&root, &["clean"])), "no rings in ROOT\n");
    let (code, stdout, stderr) = run(&root, &["stat", "quotes"]);
    assert_eq!((code, &*stdout), (1, ""));
    assert_eq!(
        stable(&root, &stderr),
        "ringctl: ROOT/quotes.ring: no such ring: start its publisher, or see what there is (ringctl list)\n"
    );
    let (code, _, stderr) = run(&root, &["list", "--root", "/nowhere"]);
    assert_eq!((code, stderr.lines().count()), (1, 1), "{stderr}");
}

#[test]
fn stat_shows_everything() {
    let root = PrivateRoot::new();
    let _publisher = live(&root, "live");
    let _slow = Subscriber::<Quote>::options("live").root(&root).join(Join::Oldest).open().unwrap();
    let _fast = Subscriber::<Quote>::options("live").root(&root).open().unwrap();
    let text = stable_stat(&root, &fine(&root, &["stat", "live"]));
    insta::assert_snapshot!(text, @r#"
    ring        ROOT/live.ring
    file        4.5 KiB, mode 0600, owner ? (uid ?, gid ?)
    made        ?, ABI 1, nonce ?
    publisher   alive (pid ?, epoch 1)
    slots       8 of 64 bytes; 7 messages held
    published   20 (the ring begins at 0)
    epochs      1 from sequence 0
    wakes       1, counting starts and ends (by membarrier)
    message     Quote (32 B), align 8, schema 8a72b6d39d8b02d0
           0  time: u64
           8  bid.price: i64
          16  bid.size: u64
          24  symbol: [u8;7]
          31  side: u8
    ENTRY  PID  SEQUENCE  LAG  OF RING  LOST
        0    ?        13    7   87.5 %     0
        1    ?        20    0    0.0 %     0
    "#);
    let all = json(&root, &["stat", "live"]);
    assert_eq!(all["schema"].as_str().unwrap().lines().count(), 6);
    assert_eq!(all["epochs"], serde_json::json!([{ "epoch": 1, "sequence": 0 }]));
    let lags: Vec<_> =
        all["subscribers"].as_array().unwrap().iter().map(|entry| entry["lag"].as_u64().unwrap()).collect();
    assert_eq!((lags, all["slowest_lag"].as_u64()), (vec![7, 0], Some(7)));
}

#[test]
fn stat_watches() {
    let root = PrivateRoot::new();
    let mut publisher = busy(&root, "busy");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringctl"));
    command.arg("--root").arg(root.path()).args(["--json", "stat", "busy", "--watch", "0.05"]);
    let mut watch = feed_testing::Child::start(&mut command);
    let first = watch.wait_for("");
    let second = watch.wait_for("");
    let looks = json_lines(&format!("{first}\n{second}\n"));
    assert_eq!(looks[0]["rate"], Value::Null);
    assert!(looks[1]["published"].as_u64() >= looks[0]["published"].as_u64());
    assert!(looks[1]["rate"].as_f64().is_some());
    // The watch ends with the ring.
    publisher.kill();
    fs::remove_dir_all(root.path().join("busy.ring")).unwrap();
    let (status, _) = watch.finish();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn a_takeover_shows_in_the_epochs() {
    let root = PrivateRoot::new();
    dead(&root, "again");
    let _publisher = live(&root, "again");
    let all = json(&root, &["stat", "again"]);
    assert_eq!(all["epochs"], serde_json::json!([{ "epoch": 1, "sequence": 0 }, { "epoch": 2, "sequence": 20 }]));
    assert_eq!((all["published"].as_u64(), &all["publisher"]), (Some(40), &"alive".into()));
    assert_eq!(fine(&root, &["verify", "again"]), "again: fine (8 slots)\n");
}

#[test]
fn verify_says_what_is_wrong_and_where() {
    let root = PrivateRoot::new();
    let _publisher = every_state(&root);
    for name in ["closed", "dead", "superseded", "live"] {
        assert_eq!(fine(&root, &["verify", name]), format!("{name}: fine (8 slots)\n"));
    }
    put(&closed(&root, "slots").join("segment"), slot(3), 10);
    put(&root.path().join("slots.ring/segment"), slot(6), 0);
    let (code, stdout, stderr) = run(&root, &["verify"]);
    assert_eq!((code, &*stderr), (1, ""));
    insta::assert_snapshot!(stable(&root, &stdout), @r#"
    closed: fine (8 slots)
    damaged: ROOT/damaged.ring/segment: the capacity is 3, expected 4: the segment is damaged; restart its publisher
    dead: fine (8 slots)
    file: ROOT/file.ring: not a ring: no directory, a ring's directory expected: choose another name, or move it away
    folder: ROOT/folder.ring: not a ring: a directory without a segment, a ring expected: choose another name, or move it away
    link: ROOT/link.ring: not a ring: no directory, a ring's directory expected: choose another name, or move it away
    live: fine (8 slots)
    newer: ROOT/newer.ring/segment: ABI 4, this program speaks 1 to 3: rebuild the older side
    slots: slot 3: found message 4 (10); expected message 19 (40)
    slots: slot 6: found never written; expected message 14 (30)
    superseded: fine (8 slots)
    "#);
    let output = ringctl(&root, &["--json", "verify", "slots", "live"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let verdicts: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&verdicts[0]["fine"], &verdicts[1]["fine"]), (&false.into(), &true.into()));
    assert_eq!(verdicts[0]["findings"][0]["place"], "slot 3");
}

#[test]
fn a_ring_of_another_user() {
    if !rustix::process::geteuid().is_root() {
        return skipped("giving a ring to another user takes root");
    }
    let root = PrivateRoot::new();
    let ring = closed(&root, "theirs");
    for file in ["", "segment", "control", "live", "lock"] {
        chown(ring.join(file), Some(12_345), Some(12_345)).unwrap();
    }
    let listed = json(&root, &["list"]);
    assert_eq!((&listed["rings"][0]["uid"], &listed["rings"][0]["owner"]), (&12_345.into(), &"12345".into()));
    // A user who may not read it sees its name and owner.
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let nobody = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringctl"));
        command.arg("--root").arg(root.path()).args(arguments);
        let output = std::os::unix::process::CommandExt::uid(&mut command, 65_534).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let (code, text) = nobody(&["list"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("theirs: cannot be looked at (owner 12345): ") && text.contains("permission denied"),
        "{text}"
    );
    let (code, text) = nobody(&["clean", "theirs"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("owned by uid 12345, this program is uid 65534"), "{text}");
    assert!(ring.exists());
    // Root may remove anybody's ring.
    assert!(fine(&root, &["clean", "theirs"]).starts_with("removed theirs"), "root");
}

#[test]
fn wrong_calls_end_with_2() {
    let root = PrivateRoot::new();
    for arguments in [
        &["frobnicate"][..],
        &["stat"],
        &["dump", "x", "--sequence", "5..3"],
        &["dump", "x", "--hex", "--decode"],
        &["stat", "x", "--watch", "0"],
        &["list", "--sample", "-1"],
        &["doctor", "--need", "12Q"],
        &[],
    ] {
        let (code, stdout, stderr) = run(&root, arguments);
        assert_eq!((code, &*stdout), (2, ""), "{arguments:?}");
        assert!(!stderr.is_empty());
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let root = PrivateRoot::new();
    let _publisher = busy(&root, "busy");
    for arguments in [&["tail", "busy", "-f"][..], &["top", "--json", "--interval", "0.01"], &["completions", "bash"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringctl"));
        command.arg("--root").arg(root.path()).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut stdout = process.stdout.take().unwrap();
        stdout.read_exact(&mut [0; 10]).unwrap();
        drop(stdout);
        let output = process.wait_with_output().unwrap();
        assert_eq!((output.status.code(), &*String::from_utf8_lossy(&output.stderr)), (Some(0), ""), "{arguments:?}");
    }
    // Closed before anything is written.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    for arguments in [&["list"][..], &["stat", "busy"], &["doctor"], &["--help"], &["--version"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringctl"));
        let command = command.arg("--root").arg(root.path()).args(arguments).stdout(writer.try_clone().unwrap());
        let output = command.stderr(Stdio::piped()).output().unwrap();
        assert_eq!((output.status.code(), &*String::from_utf8_lossy(&output.stderr)), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn completions_for_every_shell() {
    let root = PrivateRoot::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = fine(&root, &["completions", shell]);
        assert!(["doctor", "verify", "dry-run"].iter().all(|word| script.contains(word)), "{shell}");
    }
    assert_eq!(json(&root, &["completions", "bash"])["shell"], "bash");
}

/// Runs `ringctl` and returns how often it went to sleep, and its output.
fn sleeps(root: &PrivateRoot, arguments: &[&str]) -> (u64, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringctl"));
    command.arg("--root").arg(root.path()).args(arguments).stdout(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let mut said = String::new();
    process.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    // It has ended, or is about to: what the kernel counted of it stays readable until it is waited for.
    let status = loop {
        let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
        if status.contains("\nState:\tZ") {
            break status;
        }
        std::thread::yield_now();
    };
    process.wait().unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
    (line.trim().parse().unwrap(), said)
}

/// Anybody may make them, and each could be a ring in the making: they are waited for together.
#[test]
fn five_hundred_empty_directories_are_not_waited_for_one_by_one() {
    let root = PrivateRoot::new();
    closed(&root, "quotes");
    (0..500).for_each(|number| fs::create_dir(root.path().join(format!("e{number}.ring"))).unwrap());
    for (arguments, each) in [
        (&["list", "--sample", "0"][..], "cannot be looked at"),
        (&["verify"], "a directory without a segment"),
        (&["clean", "--dry-run"], "would remove"),
    ] {
        let (sleeps, said) = sleeps(&root, arguments);
        assert_eq!(said.matches(each).count(), 500, "{said}");
        assert!(said.contains("quotes"), "{said}");
        assert!(sleeps < 400, "{arguments:?}: {sleeps} sleeps for 500 directories");
    }
}
