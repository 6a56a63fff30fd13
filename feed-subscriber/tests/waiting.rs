//! How the subscriber waits, maps and is placed, read back from `/proc`.

mod common;

use std::time::Duration;

use common::{assert_conserved, assert_one_line, number, publisher, start, subscriber, success};
use feed_testing::{PrivateRoot, Program, skipped};
use rustix::process::Signal;

/// A file of `/proc/PID`; `None` if it may not be read.
fn proc(program: &Program, file: &str) -> Option<String> {
    std::fs::read_to_string(format!("/proc/{}/{file}", program.id())).ok()
}

/// How often a program's main thread, which is the one that receives, went to sleep or was interrupted: it rises whenever
/// that thread wakes. (Beside it the library's watcher looks after its sleep, a few times a second.)
fn switches(program: &Program) -> u64 {
    let status = proc(program, &format!("task/{}/status", program.id())).unwrap();
    let counts = status.lines().filter_map(|line| line.split_once("ctxt_switches:")?.1.trim().parse::<u64>().ok());
    counts.sum()
}

#[test]
fn a_blocked_subscriber_sleeps_in_one_call_until_a_message_or_a_signal_comes() {
    let root = PrivateRoot::new();
    // One message at once, and the next in hours.
    let follow: [&[&str]; 2] = [&["--wait", "block", "--output", "json"], &["--wait", "block", "--output", "json"]];
    let (publisher, mut subscribers) = start(&root, &["--rate", "0.0001"], &follow);
    let signals = [Signal::TERM, Signal::INT];
    for (subscriber, signal) in subscribers.iter_mut().zip(signals) {
        subscriber.wait_for("\"sequence\":0");
        // Until it stands still: nothing wakes it any more.
        let mut before = switches(subscriber);
        loop {
            std::thread::sleep(Duration::from_millis(100));
            let now = switches(subscriber);
            if now == before {
                break;
            }
            before = now;
        }
        let still = switches(subscriber);
        let call = proc(subscriber, "syscall");
        std::thread::sleep(Duration::from_millis(600));
        assert_eq!(switches(subscriber), still, "it woke while nothing came");
        match call.as_deref().map(|call| call.split_whitespace().collect::<Vec<_>>()) {
            // futex_waitv, of which the fourth argument is the timeout.
            Some(call) if call[0] == "449" => assert_eq!(call[4], "0x0", "it sleeps without a timeout: {call:?}"),
            Some(call) => panic!("it sleeps in another call: {call:?}"),
            None => skipped("which system call another process is in may not be looked at here"),
        }
        subscriber.signal(signal);
    }
    for subscriber in subscribers {
        let summary = success(subscriber);
        assert_eq!((number(&summary, "messages"), &summary["ended"]), (1, &"signal".into()));
    }
    publisher.signal(Signal::TERM);
    assert_eq!(number(&success(publisher), "messages"), 1);
}

#[test]
fn a_blocked_subscriber_receives_everything() {
    for wake in ["membarrier", "fence"] {
        let root = PrivateRoot::new();
        let publishes = ["--count", "20000", "--rate", "20000", "--wake", wake];
        let (publisher, subscribers) = start(&root, &publishes, &[&["--wait", "block"], &["--wait", "block"]]);
        let published = success(publisher);
        for subscriber in subscribers {
            let summary = success(subscriber);
            assert_conserved(&summary);
            assert_eq!((&summary["digest"], &summary["ended"]), (&published["digest"], &"closed".into()));
        }
    }
}

#[test]
fn a_ring_is_mapped_as_asked_for() {
    for (map, permissions) in [("ro", "r--s"), ("rw", "rw-s")] {
        let root = PrivateRoot::new();
        let (publisher, mut subscribers) = start(&root, &["--rate", "2000"], &[&["--map", map, "--output", "csv"]]);
        subscribers[0].wait_for("quote");
        let maps = proc(&subscribers[0], "maps").unwrap();
        let segment = maps.lines().find(|line| line.ends_with("feed.ring/segment")).unwrap();
        assert_eq!(segment.split_whitespace().nth(1), Some(permissions));
        publisher.signal(Signal::TERM);
        assert_eq!(success(subscribers.remove(0))["next_sequence"], success(publisher)["next_sequence"]);
    }
}

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
    // All of its threads.
    for task in std::fs::read_dir(format!("/proc/{}/task", subscribers[0].id())).unwrap().flatten() {
        let status = std::fs::read_to_string(task.path().join("status")).unwrap();
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
        assert_eq!(list.trim(), cpu);
    }
    if rustix::process::geteuid().is_root() {
        subscribers[1].wait_for("quote");
        let maps = proc(&subscribers[1], "smaps").unwrap();
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
fn a_ring_that_is_locked_is_locked_again_when_it_is_another() {
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
        let maps = proc(&subscribers[0], "smaps").unwrap();
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
