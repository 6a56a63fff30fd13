//! Tests of names, sizes and files that the publisher refuses: error line, exit code, nothing left or changed.

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{assert_one_line, endless, publisher, run};
use feed_testing::{
    Finished, NOBODY, PrivateRoot, Program, Replacement, assert_names_refused, can_run, is_root, replaced, skipped,
};
use rustix::process::Signal;

fn kept(root: &PrivateRoot) -> PathBuf {
    run(root, &["--count", "10", "--capacity", "64", "--keep"]).assert_quiet_success();
    root.path().join("feed.ring")
}

/// Fails unless the publisher refuses the ring with exit code 1 and these texts, and prints nothing else.
#[track_caller]
fn assert_refused(root: &PrivateRoot, says: &[&str]) {
    let finished = run(root, &["--count", "10", "--capacity", "64"]);
    assert_one_line(&finished, 1, says);
    assert_eq!(finished.stdout, "");
}

#[test]
fn capacities_that_no_ring_can_have() {
    let root = PrivateRoot::new();
    for (capacity, next) in [("0", "2"), ("3", "4"), ("1099511627776", "4294967296")] {
        let finished = run(&root, &["--capacity", capacity]);
        let says = format!(
            "invalid value '{capacity}' for '--capacity <N>': expected a power of two from 2 to 4294967296; the next is {next}"
        );
        finished.assert_usage_error(&[&says]);
    }
    assert!(root.names().is_empty());
}

#[test]
fn a_ring_that_there_is_no_room_for() {
    let root = PrivateRoot::new();
    let finished = run(&root, &["--capacity", "4294967296"]);
    let says = ["bytes needed, ", " free: lower the capacity, remove old rings, or enlarge", "(--capacity N)"];
    // The memory limit of this test's cgroup may be lower.
    if finished.stderr.contains("under the memory limit") {
        assert_one_line(&finished, 1, &["bytes needed, ", "lower the capacity, or raise the limit (--capacity N)"]);
    } else {
        assert_one_line(&finished, 1, &says);
    }
    assert!(root.names().is_empty(), "nothing is left behind");
}

/// A memory cgroup with a limit; removed when dropped.
struct Cgroup(PathBuf);

impl Cgroup {
    fn limited_to(bytes: u64) -> Result<Self, String> {
        let version_1 = Path::new("/sys/fs/cgroup/memory");
        let (parent, limit) = match version_1.is_dir() {
            true => (version_1, "memory.limit_in_bytes"),
            false => (Path::new("/sys/fs/cgroup"), "memory.max"),
        };
        let cgroup = Cgroup(parent.join(format!("feed-ring-test.{}", std::process::id())));
        let made = fs::create_dir(&cgroup.0).and_then(|()| fs::write(cgroup.0.join(limit), bytes.to_string()));
        made.map(|()| cgroup).map_err(|error| format!("no memory cgroup can be made in {}: {error}", parent.display()))
    }

    /// Runs a command in the cgroup.
    fn run(&self, command: &Command) -> Finished {
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"echo $$ >"$0/cgroup.procs" && exec "$@""#]).arg(&self.0);
        Program::start(shell.arg(command.get_program()).args(command.get_args())).finish()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn a_ring_beyond_the_memory_limit_of_its_cgroup() {
    let cgroup = match Cgroup::limited_to(24 << 20) {
        Ok(cgroup) => cgroup,
        Err(reason) => return skipped(&reason),
    };
    let root = PrivateRoot::new();
    let sized =
        |command: &mut Command, capacity: &str| cgroup.run(command.args(["--count", "1", "--capacity", capacity]));
    let serve = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_feed-publisher"));
        command.arg("--serve").arg(root.path().join("sock"));
        command
    };
    let cgroup_of = format!(" left under the memory limit of cgroup {}: lower the capacity", cgroup.0.display());
    for mut command in [publisher(&root), serve()] {
        // 32 MiB, for which a container has room.
        let finished = sized(&mut command, "524288");
        if finished.stderr.contains("cgroup.procs") {
            return skipped(&finished.stderr);
        }
        assert_one_line(&finished, 1, &[" bytes needed, ", &cgroup_of, "(--capacity N)"]);
        assert!(root.names().is_empty(), "nothing is left behind");
    }
    // A small ring fits.
    for mut command in [publisher(&root), serve()] {
        sized(&mut command, "1024").assert_quiet_success();
    }
}

#[test]
fn where_nobody_can_make_a_file() {
    let says = "cannot make a directory (mkdir): No such file or directory (os error 2): choose a directory that files can be \
                made in, such as /dev/shm (--root DIR)";
    let mut command = Command::new(env!("CARGO_BIN_EXE_feed-publisher"));
    let finished = Program::start(command.args(["--root", "/proc", "--count", "1"])).finish();
    assert_one_line(&finished, 1, &["feed-publisher: /proc/feed.ring: ", says]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_feed-publisher"));
    let finished = Program::start(command.args(["--serve", "/proc/s", "--count", "1"])).finish();
    assert_one_line(&finished, 1, &["/proc/s.lock: cannot open: ", "such as /dev/shm (--serve PATH)"]);
}

#[test]
fn names_that_no_ring_can_have() {
    let root = PrivateRoot::new();
    assert_names_refused(|| publisher(&root));
    assert!(root.names().is_empty());
}

#[test]
fn modes_that_no_ring_can_have() {
    let root = PrivateRoot::new();
    for mode in ["0", "400", "700", "4600"] {
        let finished = run(&root, &["--mode", mode]);
        let says = format!("--mode: mode {mode:0>4}: must be 0600 with any of the read bits 0044 and write bits 0022");
        finished.assert_usage_error(&[&says]);
    }
    assert!(root.names().is_empty());
}

#[test]
fn a_second_publisher() {
    let root = PrivateRoot::new();
    let first = endless(&root, &[]);
    for arguments in [&[][..], &["--fresh"]] {
        let second = run(&root, &[&["--count", "1"], arguments].concat());
        let says = "feed.ring: already has a publisher: stop it first, or choose another name (--ring NAME)";
        assert_one_line(&second, 1, &[says]);
        assert_eq!(second.stdout, "");
    }
    first.signal(Signal::TERM);
    first.finish().assert_quiet_success();
}

#[test]
fn files_that_are_not_a_ring_are_not_replaced() {
    let root = PrivateRoot::new();
    let segment = kept(&root).join("segment");
    for content in [&b"precious"[..], &[7; 8192]] {
        fs::write(&segment, content).unwrap();
        assert_refused(&root, &["feed.ring/segment: a file ", "the segment of a ring expected: move it away"]);
        assert_eq!(fs::read(&segment).unwrap(), content);
    }
}

#[test]
fn a_ring_of_another_version_is_superseded() {
    let root = PrivateRoot::new();
    let segment = kept(&root).join("segment");
    let file = fs::OpenOptions::new().write(true).open(segment).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &2u64.to_ne_bytes(), 8).unwrap();
    // The slots of another version mean nothing, and its count of 10 may be one behind.
    let finished = run(&root, &["--count", "10", "--capacity", "64"]);
    assert_one_line(&finished, 0, &["feed: replaced by a new ring, which begins at sequence 11"]);
}

/// Replaces each of these files in a ring of its own. Fails unless the publisher refuses each ring with these texts.
#[track_caller]
fn assert_replaced_refused(files: &[&str], replacement: Replacement, says: &[&str]) {
    for name in files {
        let root = replaced(kept, name, replacement).unwrap();
        assert_refused(&root, &[&[&*format!("feed.ring/{name}: {}", says[0])], &says[1..]].concat());
    }
}

#[test]
fn a_symbolic_link_in_place_of_a_file() {
    let says = ["a symbolic link, ", "move it away", "(--ring NAME)"];
    assert_replaced_refused(&["segment", "live", "lock"], Replacement::SymbolicLink, &says);
    let root = replaced(kept, "", Replacement::SymbolicLink).unwrap();
    assert_refused(&root, &["feed.ring: no directory, a ring's directory expected: move it away"]);
}

#[test]
fn a_directory_in_place_of_a_file() {
    assert_replaced_refused(&["segment", "live", "lock"], Replacement::Directory, &["a directory, ", "move it away"]);
}

#[test]
fn a_fifo_in_place_of_a_file() {
    let says = ["a FIFO, a regular file expected: move it away"];
    assert_replaced_refused(&["segment", "lock"], Replacement::Fifo, &says);
    let root = replaced(kept, "", Replacement::Fifo).unwrap();
    assert_refused(&root, &["feed.ring: no directory, a ring's directory expected"]);
}

#[test]
fn a_device_in_place_of_a_file() {
    for name in ["segment", "live", "lock"] {
        let Some(root) = replaced(kept, name, Replacement::Device) else { return };
        let finished = run(&root, &["--count", "1", "--capacity", "64"]);
        // Some file systems refuse to open devices at all.
        let denied = finished.stderr.contains("Permission denied");
        assert!(denied || finished.stderr.contains("a character device, "), "{finished:?}");
        assert_one_line(&finished, 1, &[&format!("feed.ring/{name}: ")]);
    }
}

#[test]
fn no_permission() {
    let program = Path::new(env!("CARGO_BIN_EXE_feed-publisher"));
    if !is_root() || !can_run(NOBODY, program) {
        return;
    }
    let as_nobody = |command: &mut Command| Program::start(command.uid(NOBODY).gid(NOBODY)).finish();
    let root = PrivateRoot::new();
    let finished = as_nobody(publisher(&root).args(["--count", "1"]));
    assert_one_line(
        &finished,
        1,
        &["feed.ring: cannot make a directory (mkdir): Permission denied", "run as a user who may use it"],
    );
    // It may not give its ring to a group that it is not in, either.
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let finished = as_nobody(publisher(&root).args(["--count", "1", "--group", "4242"]));
    assert_one_line(
        &finished,
        1,
        &["Operation not permitted", "may only give a group that it is in (--group NAME|GID)"],
    );
    assert!(root.names().is_empty(), "nothing is left behind");
}

#[test]
fn a_foreign_owner() {
    if !is_root() {
        return;
    }
    let root = PrivateRoot::new();
    chown(kept(&root), Some(4242), None).unwrap();
    let says =
        "feed.ring: owned by uid 4242, this publisher is uid 0: choose another name, or have the owner remove it";
    assert_refused(&root, &[says, "(--ring NAME)"]);
}

#[test]
fn modes_and_groups_are_exact_whatever_the_umask() {
    let root = PrivateRoot::new();
    let group = if rustix::process::geteuid().is_root() { 4242 } else { rustix::process::getegid().as_raw() };
    let script = r#"umask 077; exec "$0" "$@""#;
    let mut command = Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_feed-publisher"), "--count", "1", "--keep", "--mode", "640"]);
    command.arg("--root").arg(root.path()).args(["--group", &group.to_string()]);
    Program::start(&mut command).finish().assert_quiet_success();
    let ring = root.path().join("feed.ring");
    for (name, mode) in [("", 0o750), ("segment", 0o640), ("control", 0o660), ("live", 0o640)] {
        let metadata = fs::metadata(ring.join(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, mode, "{name}");
        assert_eq!(std::os::unix::fs::MetadataExt::gid(&metadata), group, "{name}");
    }
}
