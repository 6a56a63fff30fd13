//! Planned restarts: a publisher leaves its ring open, the next one goes on with it, and subscribers lose nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use feed_ring::inspect::{self, Life};
use feed_ring::{Join, Publisher, RecvError, Subscriber, TryRecvError, WaitStrategy, in_process, raw};
use feed_testing::{Child, PrivateRoot, as_child, child, sleeps};

fn publisher(root: &PrivateRoot) -> Publisher<u64> {
    Publisher::options("r").root(root).capacity(1024).create().unwrap()
}

fn subscriber(root: impl AsRef<std::path::Path>, wait: WaitStrategy) -> Subscriber<u64> {
    Subscriber::options("r").root(root).join(Join::Oldest).wait(wait).open().unwrap()
}

/// Follows the ring to its close, through every restart, and prints what happens.
#[test]
#[ignore = "a child of other tests"]
fn follow_and_print() {
    if !as_child() {
        return;
    }
    let wait = if std::env::var("WAIT").unwrap() == "block" { WaitStrategy::Block } else { WaitStrategy::Spin };
    let mut subscriber = subscriber(std::env::var("ROOT").unwrap(), wait);
    println!("\nattached");
    let mut restarts = 0;
    loop {
        match subscriber.recv() {
            Ok(message) => {
                assert_eq!(message + 1, subscriber.sequence(), "each message once, in order");
                println!("message={message}");
            }
            Err(RecvError::Restarted { epoch, sequence }) => {
                restarts += 1;
                println!("restarted epoch={epoch} sequence={sequence}");
            }
            Err(RecvError::PublisherDead) => {
                println!("left");
                assert!(subscriber.wait_for_publisher(Duration::MAX));
            }
            end => {
                println!("{end:?} received={} lost={} restarts={restarts}", subscriber.received(), subscriber.lost());
                return;
            }
        }
    }
}

fn await_sleep(child: &Child) {
    while !sleeps(child.id()) {
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_sleeper_and_a_spinner_go_on_with_the_next_publisher() {
    // Where others are admitted, a thread of the publisher wakes sleepers.
    hand_over(0o600);
    hand_over(0o644);
}

fn hand_over(mode: u32) {
    let root = PrivateRoot::new();
    let publisher = || Publisher::<u64>::options("r").root(&root).capacity(1024).mode(mode).create().unwrap();
    let mut first = publisher();
    let mut followers = ["block", "spin"].map(|wait| {
        let mut follower = Child::start(child("follow_and_print").env("ROOT", root.path()).env("WAIT", wait));
        follower.wait_for("attached");
        follower
    });
    (0..10).for_each(|message| _ = first.publish(&message));
    followers.iter_mut().for_each(|follower| _ = follower.wait_for("message=9"));
    await_sleep(&followers[0]);
    first.leave();
    followers.iter_mut().for_each(|follower| _ = follower.wait_for("left"));
    assert_eq!(root.names(), ["r.ring"], "it stays for the next one");
    let ring = inspect::Ring::open(&root, "r").unwrap();
    assert_eq!((ring.publisher(), ring.published(), ring.verify().is_fine()), (Life::Dead, 10, true));
    followers.iter().for_each(await_sleep);
    let mut second = publisher();
    assert_eq!((second.epoch(), second.published()), (2, 10));
    for follower in &mut followers {
        assert_eq!(follower.wait_for("restarted"), "epoch=2 sequence=10");
    }
    (10..20).for_each(|message| _ = second.publish(&message));
    second.close().unwrap();
    for follower in followers {
        let (status, said) = follower.finish();
        assert!(status.success(), "{said}");
        assert!(said.contains("\nErr(Closed) received=20 lost=0 restarts=1\n"), "{said}");
    }
    assert_eq!(root.names(), [""; 0], "the last one's close removes the files");
}

/// Each publisher begins before the subscribers can have noticed that the one before left.
#[test]
fn every_one_of_many_is_told_of_once() {
    const LIVES: u64 = 40;
    let root = PrivateRoot::new();
    let mut first = Some(publisher(&root));
    let received = [AtomicU64::new(0), AtomicU64::new(0)];
    thread::scope(|threads| {
        let followers = [WaitStrategy::Block, WaitStrategy::Yield].map(|wait| subscriber(&root, wait));
        let following: Vec<_> = followers
            .into_iter()
            .zip(&received)
            .map(|(mut subscriber, received)| {
                threads.spawn(move || {
                    let mut restarts = Vec::new();
                    loop {
                        match subscriber.recv() {
                            Ok(message) => assert_eq!(message + 1, subscriber.sequence()),
                            Err(RecvError::Restarted { epoch, sequence }) => restarts.push((epoch, sequence)),
                            Err(RecvError::PublisherDead) => assert!(subscriber.wait_for_publisher(Duration::MAX)),
                            Err(error) => return (error, restarts, subscriber.received(), subscriber.lost()),
                        }
                        received.store(subscriber.received(), Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for life in 1..=LIVES {
            let mut publisher = first.take().unwrap_or_else(|| publisher(&root));
            assert_eq!((publisher.epoch(), publisher.published()), (life, 3 * (life - 1)));
            (0..3).for_each(|_| _ = publisher.publish(&publisher.published()));
            while received.iter().any(|received| received.load(Ordering::Relaxed) < 3 * life) {
                thread::yield_now();
            }
            if life < LIVES { publisher.leave() } else { publisher.close().unwrap() }
        }
        let expected: Vec<_> = (2..=LIVES).map(|epoch| (epoch, 3 * (epoch - 1))).collect();
        for following in following {
            assert_eq!(following.join().unwrap(), (RecvError::Closed, expected.clone(), 3 * LIVES, 0));
        }
    });
    assert_eq!(root.names(), [""; 0]);
}

#[test]
fn a_raw_publisher_leaves_to_a_typed_one() {
    let root = PrivateRoot::new();
    let format = raw::MessageFormat::of::<u64>();
    let mut first = raw::Publisher::options("r", format).root(&root).capacity(1024).create_raw().unwrap();
    first.publish(&7u64.to_ne_bytes());
    first.leave();
    let mut subscriber = subscriber(&root, WaitStrategy::Spin);
    assert_eq!(
        [subscriber.try_recv(), subscriber.recv_timeout(Duration::MAX)],
        [Ok(7), Err(TryRecvError::PublisherDead)]
    );
    let mut second = publisher(&root);
    second.publish(&8);
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Restarted { epoch: 2, sequence: 1 }));
    assert_eq!(subscriber.try_recv(), Ok(8));
}

#[test]
fn a_thread_leaves_to_another() {
    let (mut first, ring) = in_process::<u64>(8).unwrap();
    let mut subscriber = ring.subscribe_with(Join::Oldest, WaitStrategy::Block);
    first.publish(&1);
    let following = thread::spawn(move || ([subscriber.recv(), subscriber.recv()], subscriber));
    first.leave();
    let (told, mut subscriber) = following.join().unwrap();
    assert_eq!(told, [Ok(1), Err(RecvError::PublisherDead)]);
    let mut second = ring.take_over().expect("its publisher left");
    second.publish(&2);
    assert_eq!(subscriber.recv(), Err(RecvError::Restarted { epoch: 2, sequence: 1 }));
    assert_eq!(subscriber.recv(), Ok(2));
}

#[test]
fn the_subscribers_of_a_sealed_ring_connect_again() {
    let root = PrivateRoot::new();
    let socket = root.path().join("s");
    let publisher = || Publisher::<u64>::options("r").serve(&socket).create().unwrap();
    let connect = || Subscriber::<u64>::connect(&socket).join(Join::Oldest).open();
    let mut first = publisher();
    let mut subscriber = connect().unwrap();
    first.publish(&1);
    first.leave();
    assert_eq!(root.names(), [""; 0], "the socket is removed");
    assert_eq!(subscriber.recv(), Ok(1));
    // A child that another test has just forked keeps the pipe open until it calls exec.
    assert_eq!(subscriber.recv_timeout(Duration::MAX), Err(TryRecvError::PublisherDead));
    let mut second = publisher();
    assert_eq!((second.epoch(), second.published()), (1, 0), "nobody can take a sealed ring over");
    second.publish(&2);
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::PublisherDead));
    assert_eq!(connect().unwrap().recv(), Ok(2));
}
