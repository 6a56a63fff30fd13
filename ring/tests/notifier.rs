//! A notifier in epoll: its descriptor becomes readable once for each message or event, so a program that lives in
//! epoll needs no other way to wait.

use std::path::Path;
use std::time::{Duration, Instant};

use feed_ring::inspect::Ring;
use feed_ring::{Join, Notifier, Publisher, PublisherOptions, Subscriber, TryRecvError, in_process};
use feed_testing::{Child, PrivateRoot, as_child, child};
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::time::Timespec;

fn options(root: impl AsRef<Path>) -> PublisherOptions<u64> {
    Publisher::options("r").root(root).capacity(8).keep(true)
}

fn subscriber(root: &PrivateRoot) -> Subscriber<u64> {
    Subscriber::options("r").root(root).join(Join::Oldest).open_timeout(Duration::MAX).open().unwrap()
}

/// A notifier in an epoll instance of its own.
struct Polled {
    epoll: OwnedFd,
    notifier: Notifier,
}

impl Polled {
    fn new(subscriber: &Subscriber<u64>) -> Self {
        let (epoll, notifier) = (epoll::create(CreateFlags::CLOEXEC).unwrap(), subscriber.notifier().unwrap());
        epoll::add(&epoll, &notifier, EventData::new_u64(7), EventFlags::IN).unwrap();
        Polled { epoll, notifier }
    }

    /// Whether it becomes readable within this time.
    fn is_readable(&self, within: Duration) -> bool {
        let mut events = [Event { flags: EventFlags::empty(), data: EventData::new_u64(0) }; 2];
        let timeout = Timespec::try_from(within).unwrap();
        epoll::wait(&self.epoll, &mut events[..], Some(&timeout)).unwrap() > 0
    }

    /// Waits until it is readable, far longer than that should take, and clears it.
    fn assert_readable(&self) {
        assert!(self.is_readable(Duration::from_secs(20)), "the descriptor did not become readable");
        self.notifier.clear();
        assert!(!self.is_readable(Duration::ZERO), "it is readable only once");
    }

    /// Checks that it stays unreadable for a while.
    fn assert_stays_unreadable(&self) {
        assert!(!self.is_readable(Duration::from_millis(60)), "it became readable without a message or event");
    }
}

/// Follows its standard input: publishes each number; `close` closes the ring.
#[test]
#[ignore = "a child of other tests"]
fn publish_numbers_from_stdin() {
    if !as_child() {
        return;
    }
    let capacity = std::env::var("CAPACITY").map_or(8, |capacity| capacity.parse().unwrap());
    let mut publisher = options(std::env::var("ROOT").unwrap()).capacity(capacity).create().unwrap();
    println!("\nready");
    for line in std::io::stdin().lines() {
        match &*line.unwrap() {
            "close" => {
                publisher.close().unwrap();
                println!("closed");
                return;
            }
            number => {
                publisher.publish(&number.parse().unwrap());
            }
        }
    }
}

/// A publisher in a process of its own, and the pipe to its standard input.
fn publisher(root: &PrivateRoot, capacity: usize) -> (Child, std::io::PipeWriter) {
    let (told, tell) = std::io::pipe().unwrap();
    let mut command = child("publish_numbers_from_stdin");
    let mut process = Child::start(command.env("ROOT", root.path()).env("CAPACITY", capacity.to_string()).stdin(told));
    process.wait_for("ready");
    (process, tell)
}

fn say(tell: &mut std::io::PipeWriter, line: &str) {
    use std::io::Write;
    writeln!(tell, "{line}").unwrap();
}

#[test]
fn every_message_and_event_makes_it_readable() {
    let root = PrivateRoot::new();
    let (mut process, mut tell) = publisher(&root, 8);
    let mut subscriber = subscriber(&root);
    let polled = Polled::new(&subscriber);
    for number in 0..20 {
        assert_eq!(subscriber.try_recv(), Err(TryRecvError::Empty));
        polled.notifier.arm(&subscriber);
        if number < 3 {
            polled.assert_stays_unreadable();
        }
        say(&mut tell, &number.to_string());
        polled.assert_readable();
        assert_eq!(subscriber.try_recv(), Ok(number));
    }
    // A death, which is reported again and again.
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Empty));
    polled.notifier.arm(&subscriber);
    polled.assert_stays_unreadable();
    process.kill();
    for _ in 0..3 {
        polled.assert_readable();
        let begun = Instant::now();
        while subscriber.try_recv() != Err(TryRecvError::PublisherDead) {
            assert!(begun.elapsed() < Duration::from_secs(20), "the death is not reported");
        }
        polled.notifier.arm(&subscriber);
    }
    polled.assert_readable();

    // Another publisher.
    polled.notifier.arm_for_publisher(&subscriber);
    polled.assert_stays_unreadable();
    let (mut process, mut tell) = publisher(&root, 8);
    polled.assert_readable();
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Restarted { epoch: 2, sequence: 20 }));
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Empty));
    polled.notifier.arm(&subscriber);
    say(&mut tell, "21");
    polled.assert_readable();
    assert_eq!(subscriber.try_recv(), Ok(21));

    // A close.
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Empty));
    polled.notifier.arm(&subscriber);
    polled.assert_stays_unreadable();
    say(&mut tell, "close");
    polled.assert_readable();
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Closed));
    process.wait_for("closed");

    // Another ring replaces it.
    polled.notifier.arm_for_publisher(&subscriber);
    polled.assert_stays_unreadable();
    let (_other, _tell) = publisher(&root, 16);
    polled.assert_readable();
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Superseded));
}

/// Runs `what`, and fails if it takes so long that it must hang.
fn ends(what: impl FnOnce() + Send + 'static) {
    let running = std::thread::spawn(what);
    let begun = Instant::now();
    while !running.is_finished() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it hangs");
        std::thread::sleep(Duration::from_millis(1));
    }
    running.join().unwrap();
}

#[test]
fn dropping_it_never_hangs() {
    let (_publisher, ring) = in_process::<u64>(8).unwrap();
    for arms in 0..4 {
        let mut subscriber = ring.subscribe(Join::Oldest);
        assert_eq!(subscriber.try_recv(), Err(TryRecvError::Empty));
        let notifier = subscriber.notifier().unwrap();
        for _ in 0..arms {
            notifier.arm(&subscriber);
            // For two arms, the thread already sleeps on the ring; otherwise it may not.
            std::thread::sleep(Duration::from_millis(if arms == 2 { 20 } else { 0 }));
        }
        ends(move || drop(notifier));
    }
    let root = PrivateRoot::new();
    drop(options(&root).create().unwrap());
    let mut subscriber = subscriber(&root);
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Closed));
    let notifier = subscriber.notifier().unwrap();
    notifier.arm_for_publisher(&subscriber);
    notifier.arm_for_publisher(&subscriber);
    ends(move || drop(notifier));
}

#[test]
fn only_the_last_arm_counts() {
    let root = PrivateRoot::new();
    let mut publisher = options(&root).create().unwrap();
    let mut subscriber = subscriber(&root);
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Empty));
    let polled = Polled::new(&subscriber);
    for _ in 0..1_000 {
        polled.notifier.arm(&subscriber);
    }
    polled.assert_stays_unreadable();
    publisher.publish(&0);
    polled.assert_readable();
    assert_eq!(subscriber.try_recv(), Ok(0));
    polled.assert_stays_unreadable();
    // Armed for a message that is there, and then for the next: the thread may have noticed the first already.
    publisher.publish(&1);
    assert_eq!(subscriber.try_recv(), Ok(1));
    polled.notifier.arm(&subscriber);
    std::thread::sleep(Duration::from_millis(20));
    publisher.publish(&2);
    polled.assert_readable();
    assert_eq!(subscriber.try_recv(), Ok(2));
}

#[test]
fn arming_records_the_position_for_tools() {
    let root = PrivateRoot::new();
    let mut publisher = options(&root).create().unwrap();
    let mut subscriber = subscriber(&root);
    let notifier = subscriber.notifier().unwrap();
    for number in 0..5 {
        publisher.publish(&number);
        assert_eq!(subscriber.try_recv(), Ok(number));
        notifier.arm(&subscriber);
        let seen = Ring::open(root.path(), "r").unwrap().entries().unwrap().unwrap();
        assert_eq!(seen[0].sequence, number + 1, "the position at the last arm");
    }
}

/// The new publisher has not published yet: only the epoch shows that it is there.
#[test]
fn a_restart_makes_it_readable() {
    let (publisher, ring) = in_process::<u64>(4).unwrap();
    let mut subscriber = ring.subscribe(Join::Oldest);
    let polled = Polled::new(&subscriber);
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Empty));
    drop(publisher);
    let _publisher = ring.take_over().unwrap();
    polled.notifier.arm(&subscriber);
    polled.assert_readable();
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Restarted { epoch: 2, sequence: 0 }));
}

/// Its slot stays empty, so only the ring's base shows that the message never comes.
#[test]
fn a_message_from_before_the_ring_makes_it_readable() {
    let root = PrivateRoot::new();
    let mut publisher = options(&root).create().unwrap();
    publisher.publish_batch(&[0; 6]);
    publisher.close().unwrap();
    let _publisher = options(&root).capacity(16).create().unwrap(); // begins at 6
    let mut subscriber = Subscriber::<u64>::options("r").root(&root).join(Join::Sequence(4)).open().unwrap();
    let polled = Polled::new(&subscriber);
    polled.notifier.arm(&subscriber);
    polled.assert_readable();
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Lagged { missed: 2 }));
}
