//! No wake-up is lost: ten thousand sleeps and wakes between two processes, where each wake races with the sleep before
//! it. A message that finds the subscriber awake does not count: the test goes on until ten thousand found a sleeper.
//!
//! The publisher's store buffer is kept full, because only then can its look at the sleepers' flag overtake the
//! message. With an idle store buffer this test would pass whatever the code did. Each process has a processor of its
//! own and one test runs at a time, because two processes that share a processor never race. A build that injects
//! faults (`make faults`) runs it without the publisher's registration and without the sleeper's barrier, and must then
//! lose a wake-up. In that build the sleeper sleeps until it is woken: otherwise it would look for itself ten times a second.

use std::process::Command;
use std::time::{Duration, Instant};

use feed_ring::placement::pin_to_cpu;
use feed_ring::{Join, Publisher, Subscriber, WaitStrategy, Wake};
use feed_testing::{Child, PrivateRoot, alone, as_child, child};
use rustix::thread::{CpuSet, sched_getaffinity};

const WAKES: u64 = 10_000;

/// The processors for the publisher and the sleeper, if this process may run on two. Read from the process's first
/// thread, which no test pins.
fn two_processors() -> Option<[usize; 2]> {
    let allowed = sched_getaffinity(Some(rustix::process::getpid())).unwrap();
    let mut allowed = (0..CpuSet::MAX_CPU).filter(|&cpu| allowed.is_set(cpu));
    Some([allowed.next()?, allowed.next()?])
}

/// Receives numbers, sleeping in between, and answers each with itself.
#[test]
#[ignore = "a child of other tests"]
fn sleep_and_answer() {
    if !as_child() {
        return;
    }
    #[cfg(feed_ring_faults)]
    {
        feed_ring::sync::faults::leave_out_naps();
        if std::env::var_os("WITHOUT_BARRIER").is_some() {
            feed_ring::sync::faults::leave_out_barrier();
        }
    }
    if let Ok(processor) = std::env::var("PROCESSOR") {
        pin_to_cpu(processor.parse().unwrap()).unwrap();
    }
    let root = std::env::var("ROOT").unwrap();
    let mut answers = Publisher::<u64>::options("answers").root(&root).create().unwrap();
    let numbers = Subscriber::<u64>::options("numbers").root(&root).join(Join::Oldest).wait(WaitStrategy::Block);
    let mut numbers = numbers.open().unwrap();
    println!("\nattached");
    while let Ok(number) = numbers.recv() {
        answers.publish(&number);
    }
}

/// Keeps a publisher's store buffer full: stores into lines that are not in its cache.
struct SlowStores {
    memory: Vec<std::sync::atomic::AtomicU64>,
    at: usize,
}

impl SlowStores {
    fn new() -> Self {
        SlowStores { memory: (0..8 << 20).map(|_| Default::default()).collect(), at: 0 }
    }

    fn store(&mut self) {
        for _ in 0..40 {
            self.at = (self.at + 8 * 1031) % self.memory.len();
            self.memory[self.at].store(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
}

/// Whether the kernel allows a publisher here to rely on membarrier; prints if not.
fn has_membarrier() -> bool {
    let root = PrivateRoot::new();
    let has = Publisher::<u64>::options("any").root(&root).create().unwrap().wake() == Wake::Membarrier;
    if !has {
        feed_testing::skipped("the kernel refuses membarrier");
    }
    has
}

/// Whether no wake-up is lost until this many messages found a sleeper.
fn none_is_lost(wake: Wake, wakes: u64) -> bool {
    if two_processors().is_none() {
        feed_testing::skipped(
            "on one processor no wake races with the sleep before it: that some are not lost shows little",
        );
    }
    let mut woken = 0;
    for round in 0.. {
        // Far more rounds than were ever needed. A fourth of the messages is sent at random times, the others when the
        // subscriber is about to sleep.
        assert!(round < 100, "only {woken} of {} messages found a sleeper: nothing was shown", round * wakes);
        match send(wake, wakes, &mut child("sleep_and_answer")) {
            Some(more) => woken += more,
            None => return false,
        }
        if woken >= wakes {
            break;
        }
    }
    true
}

/// Sends this many messages. Returns how many of them found a sleeper, or `None` as soon as one did not arrive.
/// `sleeper` starts the other process.
fn send(wake: Wake, wakes: u64, sleeper: &mut Command) -> Option<u64> {
    let root = PrivateRoot::new();
    let mut numbers = Publisher::<u64>::options("numbers").root(&root).wake(wake).create().unwrap();
    if let Some([publishers, sleepers]) = two_processors() {
        pin_to_cpu(publishers).unwrap();
        sleeper.env("PROCESSOR", sleepers.to_string());
    }
    let mut sleeper = Child::start(sleeper.env("ROOT", root.path()));
    sleeper.wait_for("attached");
    let answers = Subscriber::<u64>::options("answers").root(&root).join(Join::Oldest);
    let mut answers = answers.open_timeout(Duration::MAX).open().unwrap();
    let mut slow_stores = SlowStores::new();
    let segment = std::fs::File::open(root.path().join("numbers.ring/segment")).unwrap();
    let event = || {
        let mut word = [0; 8];
        std::os::unix::fs::FileExt::read_exact_at(&segment, &mut word, 32 * 8).unwrap();
        u64::from_ne_bytes(word)
    };
    let first_event = event();
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    // Estimated time in ns until the other process sleeps: longer after it was found awake, shorter after it was found
    // asleep.
    let (mut edge, mut before) = (20_000, first_event);
    for number in 0..wakes {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let delay = match number % 4 {
            0 => (random >> 33) % 60_000,
            _ => edge + (random >> 33) % 1_500,
        };
        let (begun, delay) = (Instant::now(), Duration::from_nanos(delay));
        while begun.elapsed() < delay {
            std::hint::spin_loop();
        }
        slow_stores.store();
        numbers.publish(&number);
        // Far longer than any delay of a working machine. A lost wake-up would last for ever.
        match answers.recv_timeout(Duration::from_secs(5)) {
            Ok(answer) => assert_eq!(answer, number),
            Err(feed_ring::TryRecvError::Empty) => {
                println!("{wake:?}: wake-up {number} was lost");
                return None;
            }
            Err(error) => panic!("{error}"),
        }
        if number % 4 != 0 {
            let now = event();
            edge = if now == before { (edge + 100).min(1_000_000) } else { edge.saturating_sub(100) };
        }
        before = event();
    }
    let woken = before - first_event;
    println!("{wake:?}: {wakes} messages, {woken} found a sleeper, none lost");
    Some(woken)
}

#[test]
fn none_of_ten_thousand_is_lost_with_membarrier() {
    let _alone = alone();
    if has_membarrier() {
        assert!(none_is_lost(Wake::Membarrier, WAKES));
    }
}

#[test]
fn none_of_ten_thousand_is_lost_with_a_fence() {
    let _alone = alone();
    assert!(none_is_lost(Wake::Fence, WAKES));
}

#[cfg(feed_ring_faults)]
mod faults {
    use super::*;

    /// Number of messages after which the attempt to lose one ends.
    const LONGER: u64 = 50 * WAKES;

    /// Publishes from a process that did not register.
    #[test]
    #[ignore = "a child of other tests"]
    fn publish_unregistered() {
        if as_child() {
            feed_ring::sync::faults::leave_unregistered();
            let lost = a_wake_up_is_lost(&mut child("sleep_and_answer"));
            println!("\nlost {lost}");
        }
    }

    /// Whether a wake-up is lost. On a machine where the two processes never run at the same time none can be, and the
    /// test prints that.
    fn a_wake_up_is_lost(sleeper: &mut Command) -> bool {
        match send(Wake::Membarrier, LONGER, sleeper) {
            None => true,
            Some(woken) if woken > LONGER / 10 * 9 => {
                feed_testing::skipped(&format!(
                    "{woken} of {LONGER} messages found a sleeper: no wake raced with a sleep here"
                ));
                true
            }
            Some(_) => false,
        }
    }

    #[test]
    fn without_the_barrier_a_wake_up_is_lost() {
        let _alone = alone();
        assert!(!has_membarrier() || a_wake_up_is_lost(child("sleep_and_answer").env("WITHOUT_BARRIER", "1")));
    }

    #[test]
    fn without_the_registration_a_wake_up_is_lost() {
        let _alone = alone();
        if !has_membarrier() {
            return;
        }
        let mut unregistered = Child::start(&mut child("faults::publish_unregistered"));
        assert_eq!(unregistered.wait_for("lost"), "true");
    }
}
