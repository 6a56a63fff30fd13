//! Tests of rings that the subscriber refuses: error line and exit code.

mod common;

use std::fs;
use std::os::unix::fs::{FileExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{assert_conserved, assert_one_line, number, publisher, subscriber, success};
use feed_ring::Publisher;
use feed_testing::{
    Finished, NOBODY, PrivateRoot, Program, Replacement, assert_names_refused, can_run, is_root, replaced,
};

/// Makes a closed ring that was kept; returns its directory.
fn kept(root: &PrivateRoot) -> PathBuf {
    success(Program::start(publisher(root).args(["--count", "10", "--capacity", "64", "--keep"])));
    root.path().join("feed.ring")
}

fn follow(root: &PrivateRoot) -> Finished {
    Program::start(subscriber(root).args(["--from", "oldest"])).finish()
}

/// Fails unless the subscriber refuses the ring with exit code 1 and these texts, and prints nothing else.
#[track_caller]
fn assert_refused(root: &PrivateRoot, says: &[&str]) {
    let finished = follow(root);
    assert_one_line(&finished, 1, says);
    assert_eq!(finished.stdout, "");
}

fn damage(ring: &Path, word: u64, value: u64) {
    let segment = fs::OpenOptions::new().write(true).open(ring.join("segment")).unwrap();
    segment.write_all_at(&value.to_ne_bytes(), word * 8).unwrap();
}

#[test]
fn no_such_ring() {
    let root = PrivateRoot::new();
    assert_refused(&root, &["feed.ring: no such ring: start its publisher", "(--open-timeout SECONDS)"]);
}

#[test]
fn a_call_that_the_kernel_refuses() {
    let root = PrivateRoot::new();
    kept(&root);
    let mut refused = 0;
    // With too few descriptors the program is not even loaded, with enough it follows the ring. In between, each of its
    // calls fails.
    for files in 3..16 {
        let mut command = Command::new("sh");
        command.args(["-c", r#"ulimit -n "$1"; exec "$0" --root "$2" --from oldest"#]);
        command.arg(env!("CARGO_BIN_EXE_feed-subscriber")).arg(files.to_string()).arg(root.path());
        let finished = Program::start(&mut command).finish();
        if finished.stderr.starts_with("feed-subscriber: ") {
            refused += 1;
            assert_one_line(&finished, 1, &["Too many open files", ": raise the limit of open files (ulimit -n)"]);
        }
    }
    assert!(refused > 3, "{refused}");
}

#[test]
fn another_abi() {
    let root = PrivateRoot::new();
    damage(&kept(&root), 1, 4);
    assert_refused(&root, &["feed.ring/segment: ABI 4, this program speaks 1 to 3: rebuild the older side"]);
}

#[test]
fn another_payload() {
    let root = PrivateRoot::new();
    drop(Publisher::<[u64; 3]>::options("feed").root(&root).keep(true).create().unwrap());
    let says = [
        "feed.ring/segment: carries array (24 bytes, ",
        "this program expects Message (56 bytes, ",
        "rebuild the older side, or choose another ring",
    ];
    assert_refused(&root, &says);
}

#[test]
fn not_a_ring() {
    let root = PrivateRoot::new();
    let ring = kept(&root);
    fs::write(ring.join("segment"), "no ring at all").unwrap();
    assert_refused(&root, &["not a ring: a file of 14 bytes, the segment of a ring expected: choose another name"]);
    fs::write(ring.join("segment"), [7; 8192]).unwrap();
    assert_refused(&root, &["not a ring: a file that begins with 0x0707070707070707"]);
}

#[test]
fn a_damaged_header() {
    let root = PrivateRoot::new();
    damage(&kept(&root), 50, 1 << 40);
    assert_refused(&root, &["feed.ring/segment: ", "the segment is damaged; restart its publisher"]);
}

#[test]
fn names_that_no_ring_can_have() {
    let root = PrivateRoot::new();
    assert_names_refused(|| subscriber(&root));
}

/// Replaces each of these files in a ring of its own. Fails unless the subscriber refuses each ring with these texts.
#[track_caller]
fn assert_replaced_refused(files: &[&str], replacement: Replacement, says: &[&str]) {
    for name in files {
        let root = replaced(kept, name, replacement).unwrap();
        assert_refused(&root, &[&[&*format!("feed.ring/{name}: not a ring: {}", says[0])], &says[1..]].concat());
    }
}

#[test]
fn a_symbolic_link_in_place_of_a_file() {
    let says = ["a symbolic link, ", "move it away"];
    assert_replaced_refused(&["segment", "control", "live"], Replacement::SymbolicLink, &says);
    let root = replaced(kept, "", Replacement::SymbolicLink).unwrap();
    assert_refused(&root, &["feed.ring: not a ring: no directory, a ring's directory expected"]);
}

#[test]
fn a_directory_in_place_of_a_file() {
    let says = ["a directory, ", "move it away"];
    assert_replaced_refused(&["segment", "control", "live"], Replacement::Directory, &says);
}

#[test]
fn a_fifo_in_place_of_a_file() {
    assert_replaced_refused(&["segment", "control"], Replacement::Fifo, &["a FIFO, a regular file expected"]);
    let root = replaced(kept, "", Replacement::Fifo).unwrap();
    assert_refused(&root, &["feed.ring: not a ring: no directory, a ring's directory expected"]);
}

#[test]
fn a_device_in_place_of_a_file() {
    for name in ["segment", "control", "live"] {
        let Some(root) = replaced(kept, name, Replacement::Device) else { return };
        let finished = follow(&root);
        // Some file systems refuse to open devices at all.
        let denied = finished.stderr.contains("permission denied");
        assert!(denied || finished.stderr.contains("not a ring: a character device, "), "{finished:?}");
        assert_one_line(&finished, 1, &[&format!("feed.ring/{name}: ")]);
    }
}

#[test]
fn no_permission() {
    if !is_root() || !can_run(NOBODY, Path::new(env!("CARGO_BIN_EXE_feed-subscriber"))) {
        return;
    }
    let root = PrivateRoot::new();
    let ring = kept(&root);
    let as_nobody = |arguments: &[&str]| {
        let mut command = subscriber(&root);
        Program::start(command.args(["--from", "oldest"]).args(arguments).uid(NOBODY).gid(NOBODY)).finish()
    };
    assert_one_line(&as_nobody(&[]), 1, &["permission denied: run as a user whom the ring's mode admits"]);
    fs::remove_dir_all(ring).unwrap();

    // The mode allows reading but not writing.
    success(Program::start(publisher(&root).args(["--count", "10", "--keep", "--mode", "644"])));
    let finished = as_nobody(&[]);
    finished.assert_quiet_success();
    let refused = as_nobody(&["--map", "rw"]);
    assert_one_line(&refused, 1, &["segment: permission denied: ", "; --map rw needs write permission, too"]);
}

#[test]
fn a_group_is_admitted_by_mode_and_group() {
    if !is_root() || !can_run(NOBODY, Path::new(env!("CARGO_BIN_EXE_feed-subscriber"))) {
        return;
    }
    let root = PrivateRoot::new();
    let shared = ["--count", "10", "--keep", "--mode", "640", "--group", "4242"];
    success(Program::start(publisher(&root).args(shared)));
    let of_group =
        |gid: u32| Program::start(subscriber(&root).args(["--from", "oldest"]).uid(NOBODY).gid(gid)).finish();
    let admitted = of_group(4242);
    admitted.assert_quiet_success();
    assert_one_line(&of_group(NOBODY), 1, &["permission denied"]);
}

#[test]
fn a_foreign_owner() {
    if !is_root() {
        return;
    }
    let root = PrivateRoot::new();
    let ring = kept(&root);
    for name in ["", "segment", "control", "live"] {
        chown(ring.join(name), Some(4242), None).unwrap();
    }
    let says = "owned by uid 4242, expected uid 0 or root: run as its owner, or trust that uid (--trust-uid 4242)";
    assert_refused(&root, &["feed.ring: ", says]);
    let trusting = ["--from", "oldest", "--trust-uid", "7", "--trust-uid", "4242"];
    let summary = success(Program::start(subscriber(&root).args(trusting)));
    assert_conserved(&summary);
    assert_eq!(number(&summary, "messages"), 10);
}
