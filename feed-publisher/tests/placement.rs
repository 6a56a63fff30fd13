//! Tests of the placement options, read back from `/proc`, and of --wake.

mod common;

use std::os::unix::process::CommandExt;
use std::process::Command;

use common::{assert_one_line, endless, run};
use feed::Message;
use feed_ring::Subscriber;
use feed_testing::{PrivateRoot, Program, skipped};
use rustix::process::Signal;

fn end(program: Program) {
    program.signal(Signal::TERM);
    program.finish().assert_quiet_success();
}

#[test]
fn it_runs_on_the_cpu_it_was_given() {
    let root = PrivateRoot::new();
    let allowed = rustix::thread::sched_getaffinity(None).unwrap();
    let cpu = (0..rustix::thread::CpuSet::MAX_CPU).rev().find(|&cpu| allowed.is_set(cpu)).unwrap();
    let program = endless(&root, &["--cpu", &cpu.to_string()]);
    assert_eq!(program.status("Cpus_allowed_list:"), cpu.to_string());
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

/// The lines of `smaps` about the program's mapping of the segment. The first one begins with the address. The mapping
/// is found by its inode, because the file was mapped before it had a name.
fn segment(root: &PrivateRoot, program: &Program) -> Vec<String> {
    let segment = std::fs::metadata(root.path().join("feed.ring/segment")).unwrap();
    let inode = format!(" {} ", std::os::unix::fs::MetadataExt::ino(&segment));
    let maps = program.proc("smaps").unwrap();
    let lines: Vec<String> = maps.lines().skip_while(|line| !line.contains(&inode)).map(str::to_owned).collect();
    assert!(!lines.is_empty(), "the segment is mapped");
    lines
}

/// The value of the first line that begins with `name`.
fn value(lines: &[String], name: &str) -> String {
    lines.iter().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned()
}

fn is_locked(root: &PrivateRoot, program: &Program) -> bool {
    value(&segment(root, program), "VmFlags:").split_whitespace().any(|flag| flag == "lo")
}

#[test]
fn its_ring_is_on_huge_pages_or_it_reports_why_not() {
    let root = PrivateRoot::new();
    let program = endless(&root, &["--huge-pages"]);
    let huge = value(&segment(&root, &program), "ShmemPmdMapped:");
    program.signal(Signal::TERM);
    let finished = program.finish();
    if finished.stderr.contains("huge pages: ") {
        // The library's tests check which pages the kernel gives, and when.
        assert!(finished.code == Some(0) && huge != "4096 kB", "{huge}: {finished:?}");
        assert!(!finished.stderr.contains("not asked for"), "{finished:?}");
        skipped(&finished.stderr);
    } else {
        finished.assert_quiet_success();
        assert_eq!(huge, "4096 kB");
    }

    let small = run(&root, &["--huge-pages", "--capacity", "64", "--count", "1"]);
    assert_one_line(&small, 0, &["feed-publisher: feed: huge pages: 0 of ", " bytes: "]);
}

#[test]
fn its_memory_comes_from_the_node_it_was_given() {
    let root = PrivateRoot::new();
    let absent = run(&root, &["--numa-node", "1023"]);
    let says = ["--numa-node: NUMA node 1023: there is no such node; found ", "choose one of them"];
    assert_one_line(&absent, 1, &says);
    assert!(root.names().is_empty());

    let Ok(nodes) = std::fs::read_to_string("/sys/devices/system/node/has_memory") else {
        return skipped("this kernel has no NUMA nodes");
    };
    let node = nodes.trim().split([',', '-']).next().unwrap().to_owned();
    let tried = run(&root, &["--numa-node", &node, "--count", "1"]);
    if tried.stderr.contains("cannot bind memory") {
        assert_one_line(&tried, 1, &["--numa-node: NUMA node ", "--cap-add SYS_NICE"]);
        return skipped(&tried.stderr);
    }
    tried.assert_quiet_success();
    let program = endless(&root, &["--numa-node", &node]);
    let address = segment(&root, &program)[0].split('-').next().unwrap().to_owned();
    let maps = program.proc("numa_maps").unwrap();
    let bound = format!(" bind:{node} ");
    for mapping in [address.as_str(), "heap"] {
        let line = maps.lines().find(|line| line.split(' ').any(|field| field == mapping)).unwrap();
        assert!(line.contains(&bound) && line.contains(&format!(" N{node}=")), "{line}");
    }
    // The program's own policy hides the file's. Another process sees only the policy of the ring's file.
    let follower = Subscriber::<Message>::options("feed").root(&root).open().unwrap();
    assert_eq!(follower.placement().unwrap().policy, Some(format!("bind:{node}")));
    end(program);
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
    // It is locked a moment after it exists.
    let locked = endless(&root, &["--lock-memory"]);
    let begun = std::time::Instant::now();
    while !is_locked(&root, &locked) {
        assert!(begun.elapsed().as_secs() < 60, "it is not locked");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    assert_ne!(locked.status("VmLck:"), "0 kB");
    end(locked);
}

#[test]
fn a_memlock_limit_that_is_too_low_is_reported() {
    // Root may ignore the limit, so run as another user.
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
        run(&root, &[&["--count", "1", "--keep"], arguments].concat()).assert_quiet_success();
        let segment = std::fs::read(root.path().join("feed.ring/segment")).unwrap();
        segment[..4096].to_vec()
    };
    let differing = |one: &[u8], other: &[u8]| {
        let words = one.chunks_exact(8).zip(other.chunks_exact(8));
        words.enumerate().filter(|(_, (one, other))| one != other).map(|(at, _)| at).collect::<Vec<_>>()
    };
    let (default, membarrier, fence) = (wake(&[]), wake(&["--wake", "membarrier"]), wake(&["--wake", "fence"]));
    // Pid, nonce and creation time always differ.
    let always = differing(&default, &membarrier);
    let words: Vec<_> = differing(&membarrier, &fence).into_iter().filter(|word| !always.contains(word)).collect();
    assert_eq!(words.len(), 1, "one word of the header says how to wake: {words:?}");
}
