//! Sleeping subscribers: everything they wait for wakes them, and nothing else does.

use std::time::{Duration, Instant};

use feed_ring::{Join, Publisher, Subscriber, TryRecvError, WaitStrategy, Wake, in_process, raw};
use feed_testing::{Child, PrivateRoot, as_child, child, sleeps};

fn blocking(root: &std::path::Path) -> Subscriber<u64> {
    let options = Subscriber::<u64>::options("block").root(root).join(Join::Oldest).wait(WaitStrategy::Block);
    options.open_timeout(Duration::MAX).open().unwrap()
}

/// Receives from the ring, sleeping in between, and prints every message and event.
#[test]
#[ignore = "a child of other tests"]
fn sleep_and_print_events() {
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
                // `PublisherDead` comes again at once until a publisher takes over.
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

/// Processor time of all threads of a process, in ns.
fn on_cpu(pid: u32) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let times = tasks.map(|task| std::fs::read_to_string(task.path().join("schedstat")).unwrap());
    times.map(|times| times.split(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

fn await_sleep(child: &Child) {
    while !sleeps(child.id()) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn every_event_wakes() {
    let root = PrivateRoot::new();
    for wake in [Wake::Membarrier, Wake::Fence, Wake::Thread] {
        let options = || Publisher::<u64>::options("block").root(&root).capacity(8).keep(true).wake(wake);
        let mut publisher = options().fresh(true).create().unwrap();
        println!("{:?}", publisher.wake());
        let mut sleeper = Child::start(child("sleep_and_print_events").env("ROOT", root.path()));
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
    let mut sleeper = Child::start(child("sleep_and_print_events").env("ROOT", root.path()));
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

/// Whether a call on a thread of its own falls asleep. A call that polls never does, and fails the test after a while.
fn falls_asleep(call: impl FnOnce() + Send + 'static) -> bool {
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        send.send(rustix::thread::gettid().as_raw_nonzero()).unwrap();
        call();
    });
    let stat = format!("/proc/self/task/{}/stat", receive.recv().unwrap());
    let asleep = || {
        let stat = std::fs::read_to_string(&stat).unwrap_or_default();
        stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('S'))
    };
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        if asleep() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    false
}

#[test]
fn every_subscriber_sleeps_unless_told_otherwise() {
    let root = PrivateRoot::new();
    let socket = root.path().join("socket");
    let _on_disk = Publisher::<u64>::options("block").root(&root).capacity(8).create().unwrap();
    let _sealed = Publisher::<u64>::options("sealed").capacity(8).serve(&socket).create().unwrap();
    let (_within, ring) = in_process::<u64>(8).unwrap();
    let typed = [
        Subscriber::<u64>::options("block").root(&root).open().unwrap(),
        Subscriber::<u64>::connect(&socket).open().unwrap(),
        ring.subscribe(Join::Oldest),
    ];
    for (number, mut subscriber) in typed.into_iter().enumerate() {
        assert!(falls_asleep(move || _ = subscriber.recv()), "the subscriber {number} polls");
    }
    let mut bytes = raw::Subscriber::options("block").root(&root).open_raw().unwrap();
    assert!(falls_asleep(move || _ = bytes.recv_into(&mut [0; 8])), "the raw subscriber polls");
    assert_eq!(WaitStrategy::default(), WaitStrategy::Block);
}

/// Processor time that this thread has used.
fn own_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap()
}

/// `recv` cannot return that it was interrupted: it sleeps on, and the next wait that can return it does.
#[test]
fn an_interruption_does_not_keep_recv_from_sleeping() {
    let root = PrivateRoot::new();
    let mut publisher = Publisher::<u64>::options("block").root(&root).create().unwrap();
    let mut subscriber = blocking(root.path());
    let interrupter = subscriber.interrupter();
    interrupter.interrupt();
    let again = interrupter.clone();
    let sleeping = std::thread::spawn(move || {
        let mut message = 0;
        let before = own_time();
        assert_eq!(subscriber.recv(), Ok(1));
        assert_eq!(subscriber.recv_into(&mut message), Ok(()));
        (own_time() - before, message, subscriber)
    });
    for number in 1..3 {
        std::thread::sleep(Duration::from_millis(200));
        again.interrupt();
        std::thread::sleep(Duration::from_millis(200));
        publisher.publish(&number);
    }
    let (used, message, mut subscriber) = sleeping.join().unwrap();
    assert_eq!(message, 2);
    println!("two sleeps of 0.4 s, each interrupted, took {used:?} of processor time");
    assert!(used < Duration::from_millis(100), "{used:?} of processor time: it did not sleep");
    let begun = Instant::now();
    assert_eq!(subscriber.recv_timeout(Duration::from_secs(20)), Err(TryRecvError::Empty));
    assert!(begun.elapsed() < Duration::from_secs(10), "the interruption is kept for a wait that can return it");
    drop(publisher);
}

/// Waits for a publisher again and again, and prints the outcome.
#[test]
#[ignore = "a child of other tests"]
fn outlive_publishers() {
    if !as_child() {
        return;
    }
    let root = std::env::var("ROOT").unwrap();
    let options = Subscriber::<u64>::options("block").root(root).join(Join::Oldest).wait(WaitStrategy::Spin);
    let mut subscriber = options.open().unwrap();
    println!("\nattached");
    loop {
        match subscriber.recv_timeout(Duration::MAX) {
            Err(end @ (TryRecvError::PublisherDead | TryRecvError::Closed)) => {
                println!("told {end:?}");
                while !subscriber.wait_for_publisher(Duration::from_secs(1)) {}
                println!("waited");
            }
            told => println!("told {told:?}"),
        }
        if subscriber.publisher_is_alive() {
            std::thread::sleep(Duration::from_millis(1)); // otherwise it would spin
        }
    }
}

#[test]
fn a_takeover_is_waited_for_asleep() {
    let root = PrivateRoot::new();
    let mut publisher = Child::start(child("publish_and_wait").env("ROOT", root.path()));
    publisher.wait_for("published");
    let mut waiting = Child::start(child("outlive_publishers").env("ROOT", root.path()));
    waiting.wait_for("attached");
    assert_eq!(waiting.wait_for("told"), "Ok(1)");
    publisher.kill();
    assert_eq!(waiting.wait_for("told"), "PublisherDead");
    let before = on_cpu(waiting.id());
    std::thread::sleep(Duration::from_secs(2));
    let used = on_cpu(waiting.id()) - before;
    println!("2 seconds without a publisher took {used} ns of processor time");
    assert!(used < 100_000_000, "{used} ns: it does not sleep");

    let options = |capacity| Publisher::<u64>::options("block").root(&root).capacity(capacity).keep(true);
    let mut took = Vec::new();
    for epoch in 2..12 {
        let begun = Instant::now();
        let publisher = options(8).create().unwrap();
        waiting.wait_for("waited");
        took.push(begun.elapsed());
        assert_eq!(waiting.wait_for("told"), format!("Err(Restarted {{ epoch: {epoch}, sequence: 1 }})"));
        drop(publisher);
        assert_eq!(waiting.wait_for("told"), "Closed");
    }
    // Without a wake-up, the next look would find each within 100 ms. Most are faster, so they were woken.
    took.sort();
    assert!(took[5] < Duration::from_millis(30), "{took:?}: a takeover wakes nobody");
    let _other = options(16).create().unwrap();
    waiting.wait_for("waited");
    assert_eq!(waiting.wait_for("told"), "Err(Superseded)");
}

/// A publisher that came between the end and the wait is not waited for once more.
#[test]
fn a_publisher_that_came_before_the_wait_is_not_missed() {
    let root = PrivateRoot::new();
    let options = |capacity| Publisher::<u64>::options("block").root(&root).capacity(capacity).keep(true);
    drop(options(8).create().unwrap());
    let mut subscriber = Subscriber::<u64>::options("block").root(&root).open().unwrap();
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Closed));
    drop(options(8).create().unwrap()); // took over, and closed
    assert!(subscriber.wait_for_publisher(Duration::from_secs(20)));
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Restarted { epoch: 2, sequence: 0 }));
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Closed));
    assert!(!subscriber.wait_for_publisher(Duration::from_millis(20)), "the wait reports it once");
    let _other = options(16).create().unwrap();
    assert!(subscriber.wait_for_publisher(Duration::from_secs(20)));
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Superseded));
}

#[test]
fn waiting_for_a_publisher_ends_in_time_and_when_interrupted() {
    let (publisher, ring) = in_process::<u64>(8).unwrap();
    let mut subscriber = ring.subscribe(Join::Oldest);
    assert!(subscriber.wait_for_publisher(Duration::ZERO), "there is a publisher");
    drop(publisher);
    assert_eq!(subscriber.recv(), Err(feed_ring::RecvError::Closed));
    let begun = Instant::now();
    assert!(!subscriber.wait_for_publisher(Duration::from_millis(150)));
    assert!(begun.elapsed() >= Duration::from_millis(150), "a timeout is never early");
    let interrupter = subscriber.interrupter();
    let waiting = std::thread::spawn(move || (subscriber.wait_for_publisher(Duration::MAX), subscriber));
    std::thread::sleep(Duration::from_millis(20));
    interrupter.interrupt();
    let (came, mut subscriber) = waiting.join().unwrap();
    assert!(!came, "it was interrupted");
    // A publisher that came and went leaves something to be received.
    let mut publisher = ring.take_over().unwrap();
    publisher.publish(&1);
    drop(publisher);
    assert!(subscriber.wait_for_publisher(Duration::ZERO));
    assert_eq!(subscriber.recv(), Err(feed_ring::RecvError::Restarted { epoch: 2, sequence: 0 }));
    assert_eq!(subscriber.recv(), Ok(1));
    assert_eq!(subscriber.recv(), Err(feed_ring::RecvError::Closed));
    assert!(!subscriber.wait_for_publisher(Duration::ZERO));
}

/// Sleeps, but not for ever, and prints every message and event.
#[test]
#[ignore = "a child of other tests"]
fn sleep_with_timeouts_and_print() {
    if !as_child() {
        return;
    }
    let mut subscriber = blocking(std::env::var("ROOT").unwrap().as_ref());
    println!("\nattached");
    for _ in 0..3 {
        // If nobody wakes it, it returns Empty in the end.
        println!("told {:?}", subscriber.recv_timeout(Duration::from_secs(10)));
    }
}

/// The end of a FIFO wakes every sleeper, through its watcher. Here another process holds the FIFO open, as a forked
/// child does, so only the event word can wake.
#[test]
fn close_takeover_and_supersede_wake_by_the_event_word() {
    for how in ["close", "takeover", "supersede"] {
        let root = PrivateRoot::new();
        let options = |capacity| Publisher::<u64>::options("block").root(&root).capacity(capacity).keep(true);
        let mut died = None;
        let closes = if how == "close" {
            Some(options(8).create().unwrap())
        } else {
            let mut publisher = Child::start(child("publish_and_wait").env("ROOT", root.path()));
            publisher.wait_for("published");
            died = Some(publisher);
            None
        };
        let fifo = root.path().join("block.ring/live");
        let held = std::fs::OpenOptions::new().read(true).write(true).open(fifo).unwrap();
        let mut sleeper = Child::start(child("sleep_with_timeouts_and_print").env("ROOT", root.path()));
        sleeper.wait_for("attached");
        if let Some(mut publisher) = died {
            assert_eq!(sleeper.wait_for("told"), "Ok(1)");
            await_sleep(&sleeper);
            publisher.kill();
        }
        await_sleep(&sleeper);
        let _next = match closes {
            Some(publisher) => {
                publisher.close().unwrap();
                None
            }
            None => Some(options(if how == "takeover" { 8 } else { 16 }).create().unwrap()),
        };
        let expected = match how {
            "close" => "Err(Closed)",
            "takeover" => "Err(Restarted { epoch: 2, sequence: 1 })",
            _ => "Err(Superseded)",
        };
        assert_eq!(sleeper.wait_for("told"), expected, "{how}");
        drop(held);
    }
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

/// The task of a process that is in `futex_waitv`, if the kernel shows it.
fn in_futex_waitv(pid: u32) -> Option<std::path::PathBuf> {
    const FUTEX_WAITV: &str = "449 "; // on every architecture
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let is_there = |task: &std::path::PathBuf| {
        std::fs::read_to_string(task.join("syscall")).is_ok_and(|call| call.starts_with(FUTEX_WAITV))
    };
    tasks.map(|task| task.path()).find(is_there)
}

/// How often a task gave up its processor by itself.
fn switches(task: &std::path::Path) -> u64 {
    let status = std::fs::read_to_string(task.join("status")).unwrap();
    status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap().trim().parse().unwrap()
}

/// The task of a process that has this name.
fn named(pid: u32, name: &str) -> std::path::PathBuf {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten().map(|task| task.path());
    let is_it = |task: &std::path::PathBuf| std::fs::read_to_string(task.join("comm")).unwrap().trim_end() == name;
    tasks.into_iter().find(is_it).unwrap()
}

#[test]
fn a_sleeper_looks_for_itself_ten_times_a_second_and_its_watcher_never() {
    let root = PrivateRoot::new();
    let _publisher = Publisher::<u64>::options("block").root(&root).capacity(8).create().unwrap();
    let mut sleeper = Child::start(child("sleep_and_print_events").env("ROOT", root.path()));
    sleeper.wait_for("attached");
    await_sleep(&sleeper);
    let Some(task) = (0..1_000).find_map(|_| in_futex_waitv(sleeper.id())) else {
        feed_testing::skipped("the kernel does not show what a process waits in, or has no futex_waitv");
        return;
    };
    let watcher = named(sleeper.id(), "feed-ring watch");
    let before = (Instant::now(), switches(&task), switches(&watcher), on_cpu(sleeper.id()));
    std::thread::sleep(Duration::from_secs(5));
    let (naps, watchers) = (switches(&task) - before.1, switches(&watcher) - before.2);
    let (used, passed) = (on_cpu(sleeper.id()) - before.3, before.0.elapsed());
    println!("{passed:?} of sleep: {naps} naps, {used} ns of processor time, the watcher's included");
    // A busy machine makes naps longer, never shorter.
    assert!(naps > 0 && naps <= passed.as_millis() as u64 / 100 + 2, "{naps} naps in {passed:?}");
    assert_eq!(watchers, 0, "nothing wakes the watcher");
    // Naps are counted above. What would cost time between them, such as polling, would cost nearly all of it.
    assert!(u128::from(used) < passed.as_nanos() / 10, "{used} ns of {passed:?}");
}

/// Somebody who may write to `control` clears the sleepers' flag: that costs time, but not the message.
#[test]
fn a_sleeper_whose_flag_is_cleared_still_wakes() {
    use std::os::unix::fs::FileExt;
    let root = PrivateRoot::new();
    let mut publisher = Publisher::<u64>::options("block").root(&root).capacity(8).create().unwrap();
    let control = std::fs::OpenOptions::new().write(true).open(publisher.path().unwrap().join("control")).unwrap();
    let mut sleeper = Child::start(child("sleep_and_print_events").env("ROOT", root.path()));
    sleeper.wait_for("attached");
    for number in 0..3 {
        await_sleep(&sleeper);
        control.write_all_at(&0u64.to_ne_bytes(), 16 * 8).unwrap();
        publisher.publish(&number);
        assert_eq!(sleeper.wait_for("message"), number.to_string());
    }
}
