//! Subscribers that sleep: woken by everything they wait for, and by nothing else.

use std::time::{Duration, Instant};

use feed_ring::{Join, Publisher, Subscriber, TryRecvError, WaitStrategy, Wake, in_process};
use feed_testing::{Child, PrivateRoot, as_child, child};

fn blocking(root: &std::path::Path) -> Subscriber<u64> {
    let options = Subscriber::<u64>::options("block").root(root).join(Join::Oldest).wait(WaitStrategy::Block);
    options.open_timeout(Duration::MAX).open().unwrap()
}

/// Follows the ring and says all that it is told, sleeping between.
#[test]
#[ignore = "a child of other tests"]
fn sleep_and_tell() {
    if !as_child() {
        return;
    }
    let mut subscriber = blocking(std::env::var("ROOT").unwrap().as_ref());
    println!("\nattached");
    loop {
        match subscriber.recv() {
            Ok(message) => println!("message {message}"),
            Err(error) => {
                println!("told {error:?}");
                if error == feed_ring::RecvError::Superseded {
                    return;
                }
                // Dead until somebody takes over.
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

/// Whether all threads of a process are asleep, three times in a row: not between two polls.
fn sleeps(pid: u32) -> bool {
    let asleep = || {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        tasks.into_iter().all(|task| {
            let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('S'))
        })
    };
    (0..3).all(|_| {
        std::thread::sleep(Duration::from_millis(1));
        asleep()
    })
}

fn await_sleep(child: &Child) {
    while !sleeps(child.id()) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn every_event_wakes() {
    let root = PrivateRoot::new();
    for wake in [Wake::Membarrier, Wake::Fence] {
        let options = || Publisher::<u64>::options("block").root(&root).capacity(8).keep(true).wake(wake);
        let mut publisher = options().fresh(true).create().unwrap();
        println!("{:?}", publisher.wake());
        let mut sleeper = Child::start(child("sleep_and_tell").env("ROOT", root.path()));
        sleeper.wait_for("attached");
        await_sleep(&sleeper);
        publisher.publish(&7);
        assert_eq!(sleeper.wait_for("message"), "7");
        await_sleep(&sleeper);
        publisher.close().unwrap();
        assert_eq!(sleeper.wait_for("told"), "Closed");
        let mut publisher = options().create().unwrap();
        while !sleeper.wait_for("told").starts_with("Restarted") {}
        await_sleep(&sleeper);
        publisher.publish(&8);
        assert_eq!(sleeper.wait_for("message"), "8");
        drop(publisher);
        assert_eq!(sleeper.wait_for("told"), "Closed");
        let _other = options().capacity(16).create().unwrap();
        while sleeper.wait_for("told") != "Superseded" {}
    }
}

/// Publishes one message and waits to be killed.
#[test]
#[ignore = "a child of other tests"]
fn publish_and_wait() {
    if as_child() {
        let mut publisher =
            Publisher::<u64>::options("block").root(std::env::var("ROOT").unwrap()).capacity(8).create().unwrap();
        publisher.publish(&1);
        println!("\npublished");
        loop {
            std::thread::park();
        }
    }
}

#[test]
fn a_death_wakes() {
    let root = PrivateRoot::new();
    let mut publisher = Child::start(child("publish_and_wait").env("ROOT", root.path()));
    publisher.wait_for("published");
    let mut sleeper = Child::start(child("sleep_and_tell").env("ROOT", root.path()));
    assert_eq!(sleeper.wait_for("message"), "1");
    for epoch in 2..5 {
        await_sleep(&sleeper);
        publisher.kill();
        assert_eq!(sleeper.wait_for("told"), "PublisherDead");
        publisher = Child::start(child("publish_and_wait").env("ROOT", root.path()));
        while !sleeper.wait_for("told").starts_with(&format!("Restarted {{ epoch: {epoch}")) {}
        assert_eq!(sleeper.wait_for("message"), "1");
        publisher.wait_for("published");
    }
}

#[test]
fn timeouts_and_interruptions_end_a_sleep() {
    let (mut publisher, ring) = in_process::<u64>(8).unwrap();
    let mut subscriber = ring.subscribe_with(Join::Oldest, WaitStrategy::Block);
    let begun = Instant::now();
    assert_eq!(subscriber.recv_timeout(Duration::from_millis(20)), Err(TryRecvError::Empty));
    assert!(begun.elapsed() >= Duration::from_millis(20), "a timeout is never early");
    let interrupter = subscriber.interrupter();
    interrupter.interrupt();
    assert_eq!(subscriber.recv_timeout(Duration::MAX), Err(TryRecvError::Empty), "interrupted before it slept");
    let sleeping = std::thread::spawn(move || (subscriber.recv_timeout(Duration::MAX), subscriber));
    std::thread::sleep(Duration::from_millis(20));
    interrupter.interrupt();
    let (result, mut subscriber) = sleeping.join().unwrap();
    assert_eq!(result, Err(TryRecvError::Empty));
    let sleeping = std::thread::spawn(move || subscriber.recv());
    std::thread::sleep(Duration::from_millis(20));
    publisher.publish(&1);
    assert_eq!(sleeping.join().unwrap(), Ok(1));
}

#[test]
fn a_panic_wakes_within_a_process() {
    let (mut publisher, ring) = in_process::<u64>(8).unwrap();
    let mut subscriber = ring.subscribe_with(Join::Oldest, WaitStrategy::Block);
    let sleeping = std::thread::spawn(move || [subscriber.recv(), subscriber.recv()]);
    std::thread::sleep(Duration::from_millis(10));
    let _ = std::thread::spawn(move || {
        publisher.publish(&1);
        std::thread::sleep(Duration::from_millis(10));
        std::panic::resume_unwind(Box::new("on purpose"));
    })
    .join();
    assert_eq!(sleeping.join().unwrap(), [Ok(1), Err(feed_ring::RecvError::PublisherDead)]);
}

/// The task of a process that is in `futex_waitv`, and the call as the kernel shows it.
fn in_futex_waitv(pid: u32) -> Option<(std::path::PathBuf, String)> {
    const FUTEX_WAITV: &str = "449 "; // on every architecture
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let mut calls = tasks.map(|task| (task.path(), std::fs::read_to_string(task.path().join("syscall"))));
    calls.find_map(|(task, call)| call.ok().filter(|call| call.starts_with(FUTEX_WAITV)).map(|call| (task, call)))
}

#[test]
fn a_sleeper_is_in_one_call_without_a_timeout() {
    let root = PrivateRoot::new();
    let _publisher = Publisher::<u64>::options("block").root(&root).capacity(8).create().unwrap();
    let mut sleeper = Child::start(child("sleep_and_tell").env("ROOT", root.path()));
    sleeper.wait_for("attached");
    await_sleep(&sleeper);
    let Some((task, call)) = in_futex_waitv(sleeper.id()) else {
        feed_testing::skipped("the kernel does not show what a process waits in, or has no futex_waitv");
        return;
    };
    // Number, words, how many, flags, timeout, clock.
    assert_eq!(call.split(' ').nth(4), Some("0x0"), "a timeout in {call}");
    let switches = || {
        let status = std::fs::read_to_string(task.join("status")).unwrap();
        status.lines().filter(|line| line.contains("ctxt_switches")).map(str::to_owned).collect::<Vec<_>>()
    };
    let on_cpu = || -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", sleeper.id())).unwrap().flatten();
        let times = tasks.map(|task| std::fs::read_to_string(task.path().join("schedstat")).unwrap());
        times.map(|times| times.split(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    };
    let before = (switches(), on_cpu());
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(switches(), before.0, "it came back from the call");
    let used = on_cpu() - before.1;
    println!("5 seconds of sleep took {used} ns of processor time, the watcher's included");
    assert!(used < 10_000_000, "{used} ns");
}

/// One who may write to `control` clears the sleepers' flag: it costs time, not the message.
#[test]
fn a_cleared_flag_does_not_let_a_sleeper_sleep_for_ever() {
    use std::os::unix::fs::FileExt;
    let root = PrivateRoot::new();
    let mut publisher = Publisher::<u64>::options("block").root(&root).capacity(8).create().unwrap();
    let control = std::fs::OpenOptions::new().write(true).open(publisher.path().unwrap().join("control")).unwrap();
    let mut sleeper = Child::start(child("sleep_and_tell").env("ROOT", root.path()));
    sleeper.wait_for("attached");
    for number in 0..3 {
        await_sleep(&sleeper);
        control.write_all_at(&0u64.to_ne_bytes(), 16 * 8).unwrap();
        publisher.publish(&number);
        assert_eq!(sleeper.wait_for("message"), number.to_string());
    }
}
