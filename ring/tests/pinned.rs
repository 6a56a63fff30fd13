//! The library's own threads keep off the CPU that a publisher is pinned to, as long as there is another one.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use feed_ring::placement::pin_to_cpu;
use feed_ring::{Publisher, Subscriber, WaitStrategy, Wake};
use feed_testing::{PrivateRoot, as_child, child, skipped};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// In the environment of a child: when it pins its publisher, or that it has one CPU.
const ORDER: &str = "ORDER";

fn allowed() -> CpuSet {
    sched_getaffinity(None).unwrap()
}

fn first(cpus: &CpuSet) -> usize {
    (0..CpuSet::MAX_CPU).find(|&cpu| cpus.is_set(cpu)).unwrap()
}

/// The CPUs of the library's threads, by their names. Without those that end meanwhile.
fn threads() -> Vec<(String, CpuSet)> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|task| {
            let task = task.ok()?;
            let name = fs::read_to_string(task.path().join("comm")).ok()?;
            let id = rustix::thread::Pid::from_raw(task.file_name().to_str()?.parse().ok()?);
            Some((name.trim_end().to_owned(), sched_getaffinity(id).ok()?))
        })
        .collect()
}

#[test]
#[ignore = "a child"]
fn publishes() {
    if !as_child() {
        return;
    }
    let order = std::env::var(ORDER).unwrap();
    let mut expected = allowed();
    let cpu = first(&expected);
    if order == "one" {
        let mut only = CpuSet::new();
        only.set(cpu);
        sched_setaffinity(None, &only).unwrap();
        expected = only;
    } else {
        expected.unset(cpu);
    }
    let root = PrivateRoot::new();
    let socket = root.path().join("s");
    let create = || Publisher::<u64>::options("r").serve(&socket).wake(Wake::Thread).create().unwrap();
    let mut publisher = if order == "after" {
        let publisher = create();
        pin_to_cpu(cpu).unwrap();
        publisher
    } else {
        pin_to_cpu(cpu).unwrap();
        create()
    };
    // The serving thread moves when a client comes.
    let mut subscriber = Subscriber::<u64>::connect(&socket).wait(WaitStrategy::Block).open().unwrap();
    for name in ["feed-ring wake", "feed-ring-serve"] {
        // A thread names itself, and moves itself, when it begins.
        let cpus = || threads().into_iter().find(|thread| thread.0 == name).map(|thread| thread.1);
        let moved = (0..1000).any(|_| {
            thread::sleep(Duration::from_millis(5));
            cpus() == Some(expected)
        });
        assert!(moved, "{name} of a publisher that is pinned to {cpu}: {:?}, not {expected:?}", cpus());
    }
    // It still wakes sleepers.
    let following = thread::spawn(move || subscriber.recv());
    thread::sleep(Duration::from_millis(50));
    publisher.publish(&7);
    assert_eq!(following.join().unwrap(), Ok(7));
}

fn run(order: &str) {
    let command: &mut Command = &mut child("publishes");
    let status = command.env(ORDER, order).status().unwrap();
    assert!(status.success(), "{order}: {status}");
}

#[test]
fn threads_keep_off_the_cpu_of_a_publisher_that_is_pinned_first() {
    if allowed().count() < 2 {
        return skipped("there is one CPU");
    }
    run("before");
}

#[test]
fn threads_leave_the_cpu_of_a_publisher_that_is_pinned_later() {
    if allowed().count() < 2 {
        return skipped("there is one CPU");
    }
    run("after");
}

#[test]
fn threads_stay_where_there_is_one_cpu() {
    run("one");
}
