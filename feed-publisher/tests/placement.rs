//! Where the publisher runs and what of it stays in memory, read back from `/proc`; and how it wakes sleepers.

mod common;

use std::os::unix::process::CommandExt;
use std::process::Command;

use common::{assert_one_line, assert_quiet_success, endless, run};
use feed_testing::{PrivateRoot, Program, skipped};
use rustix::process::Signal;

/// The value of a line in `/proc/PID/status`.
fn status(program: &Program, field: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.id())).unwrap();
    status.lines().find_map(|line| Some(line.strip_prefix(field)?.trim().to_owned())).unwrap()
}

fn end(program: Program) {
    program.signal(Signal::TERM);
    assert_quiet_success(&program.finish());
}

#[test]
fn it_runs_on_the_cpu_it_was_given() {
    let root = PrivateRoot::new();
    let allowed = rustix::thread::sched_getaffinity(None).unwrap();
    let cpu = (0..rustix::thread::CpuSet::MAX_CPU).rev().find(|&cpu| allowed.is_set(cpu)).unwrap();
    let program = endless(&root, &["--cpu", &cpu.to_string()]);
    assert_eq!(status(&program, "Cpus_allowed_list:"), cpu.to_string());
    end(program);
    for absent in ["1023", "70000"] {
        let finished = run(&root, &["--cpu", absent]);
        assert_one_line(
            &finished,
            1,
            &[&format!("--cpu: CPU {absent}: "), "; it may run on CPUs ", "choose one of them"],
        );
    }
    assert!(root.names().is_empty());
}

/// Whether a program's mapping of the ring's segment is locked into memory. The file was mapped before it had a name, so
/// that it is known by its inode.
fn is_locked(root: &PrivateRoot, program: &Program) -> bool {
    let segment = std::fs::metadata(root.path().join("feed.ring/segment")).unwrap();
    let inode = format!(" {} ", std::os::unix::fs::MetadataExt::ino(&segment));
    let maps = std::fs::read_to_string(format!("/proc/{}/smaps", program.id())).unwrap();
    let mut lines = maps.lines().skip_while(|line| !line.contains(&inode));
    let flags = lines.find_map(|line| line.strip_prefix("VmFlags:")).expect("the segment is mapped");
    flags.split_whitespace().any(|flag| flag == "lo")
}

#[test]
fn its_memory_is_locked() {
    if !rustix::process::geteuid().is_root() {
        return skipped("whether memory can be locked is certain only for root");
    }
    let root = PrivateRoot::new();
    let plain = endless(&root, &[]);
    assert!(!is_locked(&root, &plain));
    end(plain);
    // It is locked a moment after it is there.
    let locked = endless(&root, &["--lock-memory"]);
    let begun = std::time::Instant::now();
    while !is_locked(&root, &locked) {
        assert!(begun.elapsed().as_secs() < 60, "it is not locked");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    assert_ne!(status(&locked, "VmLck:"), "0 kB");
    end(locked);
}

#[test]
fn too_low_a_limit_is_an_error_that_tells_it() {
    // Who may ignore the limit takes on a user who may not.
    let is_root = rustix::process::geteuid().is_root();
    let root = PrivateRoot::new();
    std::fs::set_permissions(root.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", r#"ulimit -l 64; exec "$0" "$@""#, env!("CARGO_BIN_EXE_feed-publisher")]);
    command.args(["--count", "1", "--lock-memory"]).arg("--root").arg(root.path());
    if is_root {
        command.uid(65_534).gid(65_534);
    }
    let finished = Program::start(&mut command).finish();
    if finished.code == Some(126) {
        return skipped("another user cannot run the program here");
    }
    let says =
        ["--lock-memory: cannot lock memory: ", " bytes needed, RLIMIT_MEMLOCK is 65536 bytes: raise it (ulimit -l"];
    assert_one_line(&finished, 1, &says);
    assert!(root.names().is_empty(), "the ring is not left behind");
}

#[test]
fn both_ways_to_wake_are_written_into_the_ring() {
    let wake = |arguments: &[&str]| {
        let root = PrivateRoot::new();
        assert_quiet_success(&run(&root, &[&["--count", "1", "--keep"], arguments].concat()));
        let segment = std::fs::read(root.path().join("feed.ring/segment")).unwrap();
        segment[..4096].to_vec()
    };
    let differing = |one: &[u8], other: &[u8]| {
        let words = one.chunks_exact(8).zip(other.chunks_exact(8));
        words.enumerate().filter(|(_, (one, other))| one != other).map(|(at, _)| at).collect::<Vec<_>>()
    };
    let (default, membarrier, fence) = (wake(&[]), wake(&["--wake", "membarrier"]), wake(&["--wake", "fence"]));
    // Pid, nonce and time of making differ in any case.
    let always = differing(&default, &membarrier);
    let words: Vec<_> = differing(&membarrier, &fence).into_iter().filter(|word| !always.contains(word)).collect();
    assert_eq!(words.len(), 1, "one word of the header says how to wake: {words:?}");
}
