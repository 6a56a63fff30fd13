//! Tests of the placement options, read back from `/proc`.

mod common;

use std::time::Duration;

use common::{assert_one_line, publisher, start, subscriber, success};
use feed_testing::{PrivateRoot, Program, skipped};
use rustix::process::Signal;

#[test]
fn it_runs_on_the_cpu_it_was_given_with_its_memory_locked() {
    let root = PrivateRoot::new();
    let allowed = rustix::thread::sched_getaffinity(None).unwrap();
    let cpu = (0..rustix::thread::CpuSet::MAX_CPU).find(|&cpu| allowed.is_set(cpu)).unwrap().to_string();
    let follow: [&[&str]; 2] = [
        &["--cpu", &cpu, "--wait", "block", "--output", "csv"],
        &["--lock-memory", "--on-publisher-loss", "exit", "--output", "csv"],
    ];
    let (publisher, mut subscribers) = start(&root, &["--rate", "2000", "--capacity", "1024"], &follow);
    subscribers[0].wait_for("quote");
    // Every thread of the program.
    for task in std::fs::read_dir(format!("/proc/{}/task", subscribers[0].id())).unwrap().flatten() {
        let status = std::fs::read_to_string(task.path().join("status")).unwrap();
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
        assert_eq!(list.trim(), cpu);
    }
    if rustix::process::geteuid().is_root() {
        subscribers[1].wait_for("quote");
        let maps = subscribers[1].proc("smaps").unwrap();
        let mut lines = maps.lines().skip_while(|line| !line.ends_with("feed.ring/segment"));
        let flags = lines.find_map(|line| line.strip_prefix("VmFlags:")).unwrap();
        assert!(flags.split_whitespace().any(|flag| flag == "lo"), "{flags}");
    } else {
        skipped("whether memory can be locked is certain only for root");
    }
    publisher.signal(Signal::TERM);
    success(publisher);
    success(subscribers.remove(0));

    let finished = Program::start(subscriber(&root).args(["--cpu", "1023"])).finish();
    assert_one_line(&finished, 1, &["--cpu: CPU 1023: ", "; it may run on CPUs ", "choose one of them"]);
}

#[test]
fn a_reopened_ring_is_locked_again() {
    if !rustix::process::geteuid().is_root() {
        return skipped("whether memory can be locked is certain only for root");
    }
    let root = PrivateRoot::new();
    let (mut killed, mut subscribers) = start(&root, &["--rate", "2000"], &[&["--lock-memory", "--output", "csv"]]);
    subscribers[0].wait_for("quote");
    killed.kill();
    let next = Program::start(publisher(&root).args(["--fresh", "--rate", "2000"]));
    subscribers[0].wait_for_error("reopened");
    let segment = std::fs::metadata(root.path().join("feed.ring/segment")).unwrap();
    let inode = format!(" {} ", std::os::unix::fs::MetadataExt::ino(&segment));
    let begun = std::time::Instant::now();
    loop {
        let maps = subscribers[0].proc("smaps").unwrap();
        let mut lines = maps.lines().skip_while(|line| !line.contains(&inode));
        let flags = lines.find_map(|line| line.strip_prefix("VmFlags:")).expect("the new segment is mapped");
        if flags.split_whitespace().any(|flag| flag == "lo") {
            break;
        }
        assert!(begun.elapsed().as_secs() < 60, "{flags}");
        std::thread::sleep(Duration::from_millis(1));
    }
    next.signal(Signal::TERM);
    assert_eq!(next.finish().code, Some(0));
    assert_eq!(subscribers.remove(0).finish().code, Some(0));
}

#[test]
fn it_uses_huge_pages_if_the_ring_is_on_some() {
    let root = PrivateRoot::new();
    let follow: [&[&str]; 2] = [&["--huge-pages", "--output", "csv"], &["--output", "csv"]];
    let (publisher, mut subscribers) = start(&root, &["--rate", "2000", "--huge-pages"], &follow);
    let huge: Vec<String> = subscribers
        .iter_mut()
        .map(|subscriber| {
            subscriber.wait_for("quote");
            let maps = subscriber.proc("smaps").unwrap();
            let mut lines = maps.lines().skip_while(|line| !line.ends_with("feed.ring/segment"));
            lines.find_map(|line| line.strip_prefix("ShmemPmdMapped:")).unwrap().trim().to_owned()
        })
        .collect();
    publisher.signal(Signal::TERM);
    let published = publisher.finish();
    if published.stderr.contains("huge pages: ") {
        let subscriber = subscribers.remove(0).finish();
        assert_one_line(&subscriber, 0, &["feed-subscriber: feed: huge pages: ", " bytes: "]);
        assert!(!subscriber.stderr.contains("not asked for"), "{}", subscriber.stderr);
        return skipped(&published.stderr);
    }
    success(subscribers.remove(0));
    success(subscribers.remove(0));
    assert_eq!(huge[0], "4096 kB", "{huge:?}");
}

#[test]
fn missing_huge_pages_are_reported_for_each_ring() {
    let root = PrivateRoot::new();
    let small = ["--rate", "2000", "--capacity", "64"];
    let (mut killed, mut subscribers) = start(&root, &small, &[&["--huge-pages", "--output", "csv"]]);
    subscribers[0].wait_for("quote");
    killed.kill();
    let next = Program::start(publisher(&root).args(small).arg("--fresh"));
    subscribers[0].wait_for_error("reopened");
    next.signal(Signal::TERM);
    assert_eq!(next.finish().code, Some(0));
    let finished = subscribers.remove(0).finish();
    let said: Vec<&str> = finished.stderr.lines().filter(|line| line.contains("feed: huge pages: 0 of ")).collect();
    assert!(finished.code == Some(0) && said.len() == 2, "{}", finished.stderr);
}

#[test]
fn its_own_memory_comes_from_the_node_it_was_given() {
    let root = PrivateRoot::new();
    let absent = Program::start(subscriber(&root).args(["--numa-node", "1023"])).finish();
    assert_one_line(&absent, 1, &["--numa-node: NUMA node 1023: there is no such node; found "]);

    let Ok(nodes) = std::fs::read_to_string("/sys/devices/system/node/has_memory") else {
        return skipped("this kernel has no NUMA nodes");
    };
    let node = nodes.trim().split([',', '-']).next().unwrap().to_owned();
    // There is no ring yet: the error about that comes after the node was accepted.
    let tried = Program::start(subscriber(&root).args(["--numa-node", &node])).finish();
    if tried.stderr.contains("cannot bind memory") {
        return skipped(&tried.stderr);
    }
    let (publisher, mut subscribers) = start(&root, &["--rate", "2000"], &[&["--numa-node", &node, "--output", "csv"]]);
    subscribers[0].wait_for("quote");
    let maps = subscribers[0].proc("numa_maps").unwrap();
    let heap = maps.lines().find(|line| line.contains(" heap ")).unwrap();
    assert!(heap.contains(&format!(" bind:{node} ")) && heap.contains(&format!(" N{node}=")), "{heap}");
    let segment = maps.lines().find(|line| line.contains("feed.ring/segment")).unwrap();
    assert!(segment.contains(&format!(" N{node}=")), "{segment}");
    publisher.signal(Signal::TERM);
    success(publisher);
    success(subscribers.remove(0));
}
