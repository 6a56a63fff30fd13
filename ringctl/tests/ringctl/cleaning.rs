//! Tests of `clean`: it removes every dead ring and nothing else.

use std::fs;

use feed_ring::Subscriber;
use feed_testing::PrivateRoot;

use crate::rings::{Quote, closed, dead, fine, json, live, no_rings, put, ringctl, run, stable, superseded};

#[test]
fn dead_rings_are_removed_and_others_kept() {
    let root = PrivateRoot::new();
    closed(&root, "closed");
    dead(&root, "dead");
    superseded(&root, "superseded");
    put(&closed(&root, "damaged").join("segment"), 50, 3);
    put(&dead(&root, "newer").join("segment"), 1, 4);
    dead(&root, "watched");
    let foreign = dead(&root, "shared");
    fs::write(foreign.join("notes.txt"), "mine").unwrap();
    no_rings(&root);
    let _publisher = live(&root, "live");
    let _subscriber = Subscriber::<Quote>::options("watched").root(&root).open().unwrap();

    let before = root.names();
    insta::assert_snapshot!(stable(&root, &fine(&root, &["clean", "--dry-run"])), @r#"
    kept closed: ROOT/closed.ring: its publisher closed and kept it: say its name, or --kept, to remove it
    kept damaged: ROOT/damaged.ring: its publisher closed and kept it: say its name, or --kept, to remove it
    would remove dead (140.0 KiB)
    kept file: ROOT/file.ring: not a ring: no directory, a ring's directory expected: remove it by hand if it is yours
    would remove folder (0 B)
    kept link: ROOT/link.ring: not a ring: no directory, a ring's directory expected: remove it by hand if it is yours
    kept live: ROOT/live.ring: its publisher is alive (it holds the lock): stop it first
    would remove newer (140.0 KiB)
    kept shared: ROOT/shared.ring: it holds notes.txt, which is no ring's: move that away, then clean again
    would remove superseded (140.0 KiB)
    kept watched: ROOT/watched.ring: subscribers are attached to it (1): stop them, or restart its publisher
    "#);
    assert_eq!(root.names(), before);
    insta::assert_snapshot!(stable(&root, &fine(&root, &["clean"])), @r#"
    kept closed: ROOT/closed.ring: its publisher closed and kept it: say its name, or --kept, to remove it
    kept damaged: ROOT/damaged.ring: its publisher closed and kept it: say its name, or --kept, to remove it
    removed dead (140.0 KiB)
    kept file: ROOT/file.ring: not a ring: no directory, a ring's directory expected: remove it by hand if it is yours
    removed folder (0 B)
    kept link: ROOT/link.ring: not a ring: no directory, a ring's directory expected: remove it by hand if it is yours
    kept live: ROOT/live.ring: its publisher is alive (it holds the lock): stop it first
    removed newer (140.0 KiB)
    kept shared: ROOT/shared.ring: it holds notes.txt, which is no ring's: move that away, then clean again
    removed superseded (140.0 KiB)
    kept watched: ROOT/watched.ring: subscribers are attached to it (1): stop them, or restart its publisher
    "#);
    let others = ["file.ring", "link.ring", "live.ring", "shared.ring", "watched.ring"];
    assert_eq!(root.names(), [&["closed.ring", "damaged.ring"], &others[..]].concat());
    assert_eq!(fs::read(foreign.join("notes.txt")).unwrap(), b"mine");
    assert!(foreign.join("segment").exists() && foreign.join("lock").exists());
}

#[test]
fn a_kept_ring_is_removed_by_name_or_with_kept() {
    let root = PrivateRoot::new();
    for name in ["first", "second", "third"] {
        closed(&root, name);
    }
    assert_eq!(fine(&root, &["clean"]).lines().count(), 3);
    assert_eq!(root.names(), ["first.ring", "second.ring", "third.ring"]);
    insta::assert_snapshot!(fine(&root, &["clean", "second", "--dry-run"]), @"would remove second (140.0 KiB)");
    insta::assert_snapshot!(fine(&root, &["clean", "second"]), @"removed second (140.0 KiB)");
    insta::assert_snapshot!(fine(&root, &["clean", "--kept", "--dry-run"]), @r"
    would remove first (140.0 KiB)
    would remove third (140.0 KiB)
    ");
    fine(&root, &["clean", "--kept"]);
    assert_eq!(root.names(), [""; 0]);
}

#[test]
fn a_named_ring_that_is_not_removed_is_an_error() {
    let root = PrivateRoot::new();
    let _publisher = live(&root, "live");
    dead(&root, "dead");
    dead(&root, "other");
    let (code, stdout, _) = run(&root, &["clean", "live", "dead"]);
    assert_eq!(code, 1);
    let expected =
        "kept live: ROOT/live.ring: its publisher is alive (it holds the lock): stop it first\nremoved dead (";
    assert!(stable(&root, &stdout).starts_with(expected), "{stdout}");
    assert_eq!(root.names(), ["live.ring", "other.ring"]);
    assert_eq!(run(&root, &["clean", "none"]).0, 1);
    assert_eq!(run(&root, &["clean", "../live"]).0, 1);
}

#[test]
fn as_json() {
    let root = PrivateRoot::new();
    let _publisher = live(&root, "live");
    dead(&root, "dead");
    let dry = json(&root, &["clean", "--dry-run"]);
    assert_eq!((&dry[0]["name"], &dry[0]["result"]), (&"dead".into(), &"would remove".into()));
    assert!(dry[0]["bytes"].as_u64() > Some(4096));
    assert_eq!((&dry[1]["result"], dry[1]["reason"].is_string()), (&"kept".into(), true));
    assert_eq!(json(&root, &["clean"])[0]["result"], "removed");
}

#[test]
fn a_publisher_can_start_after_clean() {
    let root = PrivateRoot::new();
    for _ in 0..20 {
        dead(&root, "q");
        fine(&root, &["clean"]);
        assert_eq!(root.names(), [""; 0]);
    }
    // A publisher and `clean` at the same moment: a publisher that has started never loses its ring.
    for _ in 0..20 {
        dead(&root, "q");
        let mut clean = std::process::Command::new(env!("CARGO_BIN_EXE_ringctl"));
        let mut clean =
            clean.arg("--root").arg(root.path()).arg("clean").stdout(std::process::Stdio::null()).spawn().unwrap();
        let publisher = loop {
            match crate::rings::options(&root, "q").create() {
                Err(feed_ring::CreateError::AlreadyPublished { .. }) => {} // clean holds the lock right now
                publisher => break publisher.unwrap(),
            }
        };
        assert_eq!(clean.wait().unwrap().code(), Some(0));
        Subscriber::<Quote>::options("q").root(&root).open().unwrap();
        drop(publisher);
        assert_eq!(root.names(), [""; 0]);
    }
    assert_eq!(ringctl(&root, &["clean"]).output().unwrap().status.code(), Some(0));
}
