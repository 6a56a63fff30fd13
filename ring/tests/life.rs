//! The life of a ring on disk: joining, closing, dying, replacement, counting subscribers.

use std::time::Duration;

use feed_ring::{
    Ahead, CreateError, Join, OpenError, Publisher, PublisherOptions, Subscriber, SubscriberOptions, TryRecvError,
};
use feed_testing::{Child, PrivateRoot, as_child, child};

fn publisher(root: &PrivateRoot) -> PublisherOptions<u64> {
    Publisher::options("life").root(root).capacity(8)
}

fn subscriber(root: &PrivateRoot) -> SubscriberOptions<u64> {
    Subscriber::options("life").root(root)
}

/// Publishes 0 to 19, prints that, and waits to be killed.
#[test]
#[ignore = "a child of other tests"]
fn publish_and_wait() {
    if as_child() {
        let mut publisher =
            Publisher::<u64>::options("life").root(std::env::var("ROOT").unwrap()).capacity(8).create().unwrap();
        publisher.publish_batch(&(0..20).collect::<Vec<_>>());
        println!("\npublished");
        loop {
            std::thread::park();
        }
    }
}

fn start_publisher(root: &PrivateRoot) -> Child {
    let mut publisher = Child::start(child("publish_and_wait").env("ROOT", root.path()));
    publisher.wait_for("published");
    publisher
}

#[test]
fn a_late_subscriber_joins_at_the_oldest() {
    let root = PrivateRoot::new();
    let mut publisher = publisher(&root).create().unwrap();
    publisher.publish_batch(&(0..20).collect::<Vec<_>>());
    let mut subscriber = subscriber(&root).join(Join::Oldest).open().unwrap();
    assert_eq!(subscriber.first(), 13, "a ring of 8 holds 7");
    let received: Vec<_> = std::iter::from_fn(|| subscriber.try_recv().ok()).collect();
    assert_eq!(received, (13..20).collect::<Vec<_>>());
    assert_eq!((subscriber.lost(), subscriber.received()), (0, 7));
}

#[test]
fn a_sequence_long_gone_is_an_exact_loss() {
    let root = PrivateRoot::new();
    let mut publisher = publisher(&root).create().unwrap();
    publisher.publish_batch(&(0..20).collect::<Vec<_>>());
    let mut subscriber = subscriber(&root).join(Join::Sequence(5)).open().unwrap();
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Lagged { missed: 8 }));
    assert_eq!(subscriber.try_recv(), Ok(13));
    assert_eq!((subscriber.first(), subscriber.lost(), subscriber.received(), subscriber.sequence()), (5, 8, 1, 14));
}

#[test]
fn a_sequence_not_yet_published_is_waited_for() {
    let root = PrivateRoot::new();
    let mut publisher = publisher(&root).create().unwrap();
    publisher.publish(&0);
    let mut subscriber = subscriber(&root).join(Join::Sequence(3)).open().unwrap();
    for message in 1..=4 {
        assert_eq!(subscriber.try_recv(), Err(TryRecvError::Empty));
        publisher.publish(&message);
        if message >= 3 {
            assert_eq!(subscriber.try_recv(), Ok(message));
        }
    }
    assert_eq!((subscriber.first(), subscriber.received(), subscriber.lost()), (3, 2, 0));
}

#[test]
fn a_sequence_several_laps_ahead_is_waited_for() {
    let root = PrivateRoot::new();
    let mut publisher = publisher(&root).create().unwrap();
    let mut subscriber = subscriber(&root).join(Join::Sequence(50)).open().unwrap();
    publisher.publish_batch(&(0..50).collect::<Vec<_>>());
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Empty));
    publisher.publish(&50);
    assert_eq!(subscriber.try_recv(), Ok(50));
}

#[test]
fn after_a_close_the_rest_is_drained() {
    let root = PrivateRoot::new();
    let mut publisher = publisher(&root).create().unwrap();
    let mut subscriber = subscriber(&root).join(Join::Oldest).open().unwrap();
    publisher.publish_batch(&[1, 2, 3]);
    publisher.close().unwrap();
    assert_eq!(root.names(), [""; 0], "a closed ring leaves nothing behind");
    assert_eq!([subscriber.try_recv(), subscriber.try_recv(), subscriber.try_recv()], [Ok(1), Ok(2), Ok(3)]);
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(subscriber.recv_timeout(Duration::from_secs(60)), Err(TryRecvError::Closed));
}

#[test]
fn a_kept_ring_is_joined_after_its_close() {
    let root = PrivateRoot::new();
    let mut publisher = publisher(&root).keep(true).create().unwrap();
    publisher.publish_batch(&[1, 2, 3]);
    publisher.close().unwrap();
    let mut subscriber = subscriber(&root).join(Join::Sequence(1)).open().unwrap();
    assert_eq!([subscriber.try_recv(), subscriber.try_recv()], [Ok(2), Ok(3)]);
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn a_killed_publisher_is_dead_at_once() {
    let root = PrivateRoot::new();
    let mut publisher = start_publisher(&root);
    let mut attached = subscriber(&root).join(Join::Sequence(18)).open().unwrap();
    assert!(attached.publisher_is_alive());
    assert_eq!([attached.try_recv(), attached.try_recv()], [Ok(18), Ok(19)]);
    assert_eq!(attached.try_recv(), Err(TryRecvError::Empty));
    publisher.kill();
    assert!(!attached.publisher_is_alive());
    assert_eq!(attached.recv_timeout(Duration::from_secs(60)), Err(TryRecvError::PublisherDead));
    // A subscriber that joins only now reads everything that is there. Its first call that finds nothing then reports
    // the death.
    let mut late = subscriber(&root).join(Join::Oldest).open().unwrap();
    let received: Vec<_> = std::iter::from_fn(|| late.try_recv().ok()).collect();
    assert_eq!(received, (13..20).collect::<Vec<_>>());
    assert_eq!(late.try_recv(), Err(TryRecvError::PublisherDead));
}

#[test]
fn a_panic_is_no_clean_close() {
    let root = PrivateRoot::new();
    let mut publisher = publisher(&root).create().unwrap();
    let mut subscriber = subscriber(&root).join(Join::Oldest).open().unwrap();
    let publishing = std::thread::spawn(move || {
        publisher.publish(&7);
        std::panic::resume_unwind(Box::new("on purpose"));
    });
    assert!(publishing.join().is_err());
    assert_eq!(subscriber.try_recv(), Ok(7));
    // A child that another test has just forked keeps the FIFO open until it calls exec.
    assert_eq!(subscriber.recv_timeout(Duration::from_secs(60)), Err(TryRecvError::PublisherDead));
}

#[test]
fn there_is_one_publisher() {
    let root = PrivateRoot::new();
    let first = publisher(&root).create().unwrap();
    assert!(matches!(publisher(&root).create(), Err(CreateError::AlreadyPublished { .. })));
    drop(first);
    drop(publisher(&root).create().unwrap());
    let mut elsewhere = start_publisher(&root);
    assert!(matches!(publisher(&root).create(), Err(CreateError::AlreadyPublished { .. })));
    elsewhere.kill();
    drop(publisher(&root).create().unwrap());
    assert_eq!(root.names(), [""; 0]);
}

#[test]
fn a_killed_publisher_is_taken_over_from() {
    let root = PrivateRoot::new();
    let mut dead = start_publisher(&root);
    let mut attached = subscriber(&root).join(Join::Sequence(18)).open().unwrap();
    assert_eq!(attached.try_recv(), Ok(18));
    dead.kill();
    let mut publisher = publisher(&root).create().unwrap();
    assert_eq!((publisher.epoch(), publisher.published()), (2, 20));
    assert_eq!(attached.try_recv(), Ok(19), "what was published before comes first");
    assert_eq!(attached.epoch(), 1);
    assert_eq!(publisher.publish(&200), 20, "the sequence continues");
    assert_eq!(attached.try_recv(), Err(TryRecvError::Restarted { epoch: 2, sequence: 20 }));
    assert_eq!(attached.try_recv(), Ok(200));
    assert_eq!(attached.try_recv(), Err(TryRecvError::Empty));
    // A subscriber that joins in the old epoch receives `Restarted` on the way. One that joins in the new epoch does
    // not.
    let mut early = subscriber(&root).join(Join::Oldest).open().unwrap();
    let before: Vec<_> = std::iter::from_fn(|| early.try_recv().ok()).collect();
    assert_eq!(before, (14..20).collect::<Vec<_>>());
    assert_eq!(early.epoch(), 2);
    assert_eq!(early.try_recv(), Ok(200));
    let mut late = subscriber(&root).join(Join::Sequence(20)).open().unwrap();
    assert_eq!(late.try_recv(), Ok(200));
    for s in [&attached, &early, &late] {
        assert_eq!(s.first() + s.received() + s.lost() + s.skipped(), s.sequence());
    }
}

#[test]
fn a_restart_is_reported_at_once() {
    let root = PrivateRoot::new();
    let first = publisher(&root).keep(true).create().unwrap();
    let mut attached = subscriber(&root).open().unwrap();
    first.close().unwrap();
    assert_eq!(attached.try_recv(), Err(TryRecvError::Closed));
    let second = publisher(&root).keep(true).create().unwrap();
    assert_eq!(attached.try_recv(), Err(TryRecvError::Restarted { epoch: 2, sequence: 0 }));
    assert_eq!(attached.try_recv(), Err(TryRecvError::Empty));
    second.close().unwrap();
    // A subscriber that was not looking sees two epochs without a message as one restart.
    let third = publisher(&root).keep(true).create().unwrap();
    third.close().unwrap();
    let mut fourth = publisher(&root).create().unwrap();
    fourth.publish(&1);
    assert_eq!(attached.try_recv(), Err(TryRecvError::Restarted { epoch: 4, sequence: 0 }));
    assert_eq!(attached.try_recv(), Ok(1));
}

#[test]
fn every_restart_is_told_of_in_its_place() {
    let root = PrivateRoot::new();
    let mut attached = None;
    for epoch in 1..=5 {
        let mut publisher = publisher(&root).keep(true).create().unwrap();
        let attached = attached.get_or_insert_with(|| subscriber(&root).join(Join::Oldest).open().unwrap());
        assert_eq!(attached.epoch(), 1);
        publisher.publish(&epoch);
        publisher.close().unwrap();
    }
    let mut attached = attached.unwrap();
    assert_eq!(attached.try_recv(), Ok(1));
    for epoch in 2..=5 {
        assert_eq!(attached.try_recv(), Err(TryRecvError::Restarted { epoch, sequence: epoch - 1 }));
        assert_eq!(attached.try_recv(), Ok(epoch));
    }
    assert_eq!(attached.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn what_cannot_be_gone_on_with_is_superseded() {
    let root = PrivateRoot::new();
    let mut dead = start_publisher(&root);
    let mut subscriber_of_dead = subscriber(&root).join(Join::Sequence(19)).open().unwrap();
    dead.kill();
    let mut larger = publisher(&root).capacity(16).keep(true).create().unwrap();
    assert_eq!((larger.epoch(), larger.published()), (1, 20), "the numbers continue in a ring of its own");
    assert_eq!(subscriber_of_dead.try_recv(), Ok(19), "an ended ring is read to its end");
    assert_eq!(subscriber_of_dead.try_recv(), Err(TryRecvError::Superseded));
    let next = subscriber_of_dead.sequence();
    let mut attached = subscriber(&root).join(Join::Sequence(next)).open().unwrap();
    larger.publish(&5);
    assert_eq!(attached.try_recv(), Ok(5));
    larger.close().unwrap();
    assert_eq!(attached.try_recv(), Err(TryRecvError::Closed));

    let mut other = Publisher::<[u64; 2]>::options("life").root(&root).capacity(16).keep(true).create().unwrap();
    assert_eq!(attached.try_recv(), Err(TryRecvError::Superseded));
    assert_eq!(other.publish(&[1, 2]), 21);
    other.close().unwrap();
    let fresh = Publisher::<[u64; 2]>::options("life").root(&root).capacity(16).fresh(true).create().unwrap();
    assert_eq!((fresh.epoch(), fresh.published()), (1, 22));
    let mut from_before = Subscriber::<[u64; 2]>::options("life").root(&root).join(Join::Sequence(20)).open().unwrap();
    assert_eq!(from_before.try_recv(), Err(TryRecvError::Lagged { missed: 2 }), "from before this ring");
}

/// A publisher that owns lines two messages ahead stores their present values again. These differ if the ring began
/// later, or was lapped.
#[test]
fn lines_owned_two_ahead_hold_what_they_held() {
    let root = PrivateRoot::new();
    let mut first = publisher(&root).capacity(8).keep(true).create().unwrap();
    first.publish_batch(&(0..20).collect::<Vec<u64>>());
    first.close().unwrap();
    let mut second = publisher(&root).capacity(16).keep(true).ahead(Ahead::Two).create().unwrap();
    for sequence in 20..60 {
        second.publish(&sequence);
        // The ring must hold everything in its window, and nothing from before it began.
        let window = 15.min(sequence + 1 - 20);
        for asked in sequence.saturating_sub(20)..=sequence {
            let mut subscriber = subscriber(&root).join(Join::Sequence(asked)).open().unwrap();
            match subscriber.try_recv() {
                Ok(message) => assert_eq!((message, asked + window > sequence), (asked, true), "at {sequence}"),
                Err(TryRecvError::Lagged { .. }) => assert!(asked + window <= sequence, "{asked} lost at {sequence}"),
                Err(error) => panic!("{asked} at {sequence}: {error}"),
            }
        }
    }
}

#[test]
fn a_thread_takes_over_from_one_that_panicked() {
    let (mut publisher, ring) = feed_ring::in_process::<u64>(4).unwrap();
    let mut subscriber = ring.subscribe(Join::Oldest);
    assert!(ring.take_over().is_none(), "the ring has a publisher");
    let _ = std::thread::spawn(move || {
        publisher.publish(&1);
        std::panic::resume_unwind(Box::new("on purpose"));
    })
    .join();
    assert_eq!(subscriber.try_recv(), Ok(1));
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::PublisherDead));
    let mut second = ring.take_over().unwrap();
    second.publish(&2);
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Restarted { epoch: 2, sequence: 1 }));
    assert_eq!(subscriber.try_recv(), Ok(2));
}

#[test]
fn subscribers_are_counted_while_they_live() {
    let root = PrivateRoot::new();
    let publisher = publisher(&root).create().unwrap();
    assert_eq!(publisher.subscribers().unwrap(), 0);
    let mut attached: Vec<_> = (0..5).map(|_| subscriber(&root).open().unwrap()).collect();
    assert_eq!(publisher.subscribers().unwrap(), 5);
    attached.remove(1);
    attached.remove(2);
    assert_eq!(publisher.subscribers().unwrap(), 3);
    attached.push(subscriber(&root).open().unwrap());
    assert_eq!(publisher.subscribers().unwrap(), 4);
    attached.clear();
    assert_eq!(publisher.subscribers().unwrap(), 0);
}

/// Subscribes, prints that, and waits to be killed.
#[test]
#[ignore = "a child of other tests"]
fn subscribe_and_wait() {
    if as_child() {
        let subscriber = Subscriber::<u64>::options("life").root(std::env::var("ROOT").unwrap()).open().unwrap();
        println!("\nattached at {}", subscriber.sequence());
        loop {
            std::thread::park();
        }
    }
}

#[test]
fn killed_subscribers_do_not_count() {
    let root = PrivateRoot::new();
    let publisher = publisher(&root).create().unwrap();
    let mut children: Vec<_> =
        (0..3).map(|_| Child::start(child("subscribe_and_wait").env("ROOT", root.path()))).collect();
    for child in &mut children {
        child.wait_for("attached");
    }
    assert_eq!(publisher.subscribers().unwrap(), 3);
    children[1].kill();
    assert_eq!(publisher.subscribers().unwrap(), 2);
}

#[test]
fn open_waits_for_a_ring_that_is_not_there_yet() {
    let root = PrivateRoot::new();
    assert!(matches!(subscriber(&root).open(), Err(OpenError::NotFound { .. })));
    let waiting = subscriber(&root).open_timeout(Duration::MAX);
    let opening = std::thread::spawn(move || waiting.open());
    let mut publisher = publisher(&root).create().unwrap();
    while publisher.subscribers().unwrap() == 0 {
        std::thread::yield_now();
    }
    publisher.publish(&3);
    assert_eq!(opening.join().unwrap().unwrap().recv(), Ok(3));
    let late = Subscriber::<u64>::options("none").root(&root).open_timeout(Duration::from_millis(20));
    assert!(matches!(late.open(), Err(OpenError::NotFound { .. })));
}

/// Reads to the end of the ring: how many messages a lapped subscriber received, and how many it lost.
fn left_to(subscriber: &mut Subscriber<u64>) -> (u64, u64) {
    loop {
        match subscriber.try_recv() {
            Ok(_) | Err(TryRecvError::Lagged { .. } | TryRecvError::Empty) => {}
            Err(TryRecvError::Closed | TryRecvError::PublisherDead | TryRecvError::Superseded) => {
                return (subscriber.received(), subscriber.lost());
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// A lapped subscriber leaves a margin before what will be overwritten. Once nobody publishes, nothing will be.
#[test]
fn a_lapped_subscriber_of_an_ended_ring_gets_all_that_it_holds() {
    let root = PrivateRoot::new();
    let options = || Publisher::<u64>::options("over").root(&root).capacity(64).keep(true);
    let lapped = |end: &str| {
        let mut publisher = options().fresh(true).create().unwrap();
        let base = publisher.published();
        let open = Subscriber::<u64>::options("over").root(&root).join(Join::Oldest);
        let mut subscriber = open.open().unwrap();
        (base..base + 200).for_each(|number| assert_eq!(publisher.publish(&number), number));
        match end {
            "closed" => publisher.close().unwrap(),
            "superseded" => {
                drop(publisher);
                drop(options().fresh(true).create().unwrap());
            }
            "dead" => {
                let _ = std::thread::spawn(move || {
                    let _publisher = publisher;
                    std::panic::resume_unwind(Box::new("on purpose"));
                })
                .join();
            }
            _ => {
                // The publisher goes on, so the margin is left and counts as lost.
                assert_eq!(subscriber.try_recv(), Err(TryRecvError::Lagged { missed: 200 - 63 + 63 / 8 }));
                drop(publisher);
                return left_to(&mut subscriber);
            }
        }
        left_to(&mut subscriber)
    };
    assert_eq!(lapped("alive"), (63 - 7, 200 - 63 + 7));
    for end in ["closed", "superseded", "dead"] {
        assert_eq!(lapped(end), (63, 200 - 63), "{end}");
    }
}

/// Somebody removes the lock, so two publishers can run: neither removes the other's files.
#[test]
fn a_publisher_whose_lock_was_removed_removes_nothing() {
    let root = PrivateRoot::new();
    let first = publisher(&root).create().unwrap();
    std::fs::remove_file(root.path().join("life.ring/lock")).unwrap();
    let second = publisher(&root).create().unwrap();
    first.close().unwrap();
    for file in ["segment", "control", "live", "lock"] {
        assert!(root.path().join("life.ring").join(file).exists(), "{file} is the other publisher's");
    }
    assert!(matches!(publisher(&root).create(), Err(CreateError::AlreadyPublished { .. })), "its name is still taken");
    second.close().unwrap();
    assert_eq!(root.names(), [""; 0]);
}

/// If only the count of an old ring can be read, its publisher may have died before it counted its last message.
#[test]
fn numbers_go_on_behind_a_ring_that_cannot_be_read() {
    use std::os::unix::fs::FileExt;
    const ABI: u64 = 1;
    const CAPACITY: u64 = 50;
    const PUBLISHED: u64 = 64;
    for (word, value, next) in [(ABI, 2, 21), (CAPACITY, 3, 21), (PUBLISHED, u64::MAX, 20)] {
        let root = PrivateRoot::new();
        let mut old = publisher(&root).keep(true).create().unwrap();
        old.publish_batch(&(0..20).collect::<Vec<_>>());
        drop(old);
        let segment = std::fs::OpenOptions::new().write(true).open(root.path().join("life.ring/segment")).unwrap();
        segment.write_all_at(&u64::to_ne_bytes(value), word * 8).unwrap();
        let next_one = publisher(&root).create().unwrap();
        assert_eq!(next_one.published(), next, "after word {word} said {value}");
    }
    // With both damaged, nothing tells the next number.
    let root = PrivateRoot::new();
    drop(publisher(&root).keep(true).create().unwrap());
    let segment = std::fs::OpenOptions::new().write(true).open(root.path().join("life.ring/segment")).unwrap();
    for word in [ABI, PUBLISHED] {
        segment.write_all_at(&u64::to_ne_bytes(u64::MAX), word * 8).unwrap();
    }
    assert_eq!(publisher(&root).create().unwrap().published(), 0);
}

/// Waits for a ring as another user.
#[test]
#[ignore = "a child of other tests"]
fn wait_for_a_ring() {
    if !as_child() {
        return;
    }
    let options = Subscriber::<u64>::options("life").root(std::env::var("ROOT").unwrap());
    let begun = std::time::Instant::now();
    println!("\nwaiting");
    match options.join(Join::Oldest).trust_uid(0).open_timeout(Duration::from_secs(20)).open() {
        Ok(_) => println!("opened"),
        Err(error) => println!("opened not: {error} after {:?}", begun.elapsed()),
    }
}

/// While a ring is being made, only its publisher may enter its directory. A subscriber that waits for the ring goes on
/// waiting.
#[test]
fn a_ring_in_the_making_is_no_ring_without_permission() {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    if !rustix::process::geteuid().is_root() {
        return feed_testing::skipped("another user needs root");
    }
    // Copies this program to where another user can run it. Another process does: a descriptor of this one for writing may be in a
    // child that another test starts at this moment, and the kernel runs no program that is open for writing.
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let program = directory.path().join("life");
    let copied = std::process::Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&program).status().unwrap();
    assert!(copied.success());
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let run = |root: &PrivateRoot| {
        let original = child("wait_for_a_ring");
        let mut command = std::process::Command::new(&program);
        command.args(original.get_args()).env("ROOT", root.path()).uid(4242).gid(4242).current_dir("/");
        command.envs(original.get_envs().filter_map(|(name, value)| value.map(|value| (name, value))));
        let mut waiting = Child::start(&mut command);
        waiting.wait_for("waiting");
        std::thread::sleep(Duration::from_millis(50));
        waiting
    };
    let private = |root: &PrivateRoot| {
        std::fs::set_permissions(root.path(), PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::DirBuilder::new().mode(0o700).create(root.path().join("life.ring")).unwrap();
    };
    let (root, another) = (PrivateRoot::new(), PrivateRoot::new());
    private(&root);
    private(&another);
    let mut waiting = run(&root);
    let _publisher = publisher(&root).mode(0o644).create().unwrap();
    let opened = waiting.wait_for("opened");
    // A directory that stays closed is reported soon.
    let told = run(&another).wait_for("opened");
    assert_eq!(opened, "");
    assert!(told.contains("permission denied"), "{told}");
}

#[test]
fn open_does_not_wait_for_a_missing_root() {
    let root = PrivateRoot::new();
    let options = Subscriber::<u64>::options("life").root(root.path().join("nowhere")).open_timeout(Duration::MAX);
    let opening = std::thread::spawn(|| options.open().map(|_| ()));
    let begun = std::time::Instant::now();
    while !opening.is_finished() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it waits for the missing root");
        std::thread::sleep(Duration::from_millis(1));
    }
    let error = opening.join().unwrap().unwrap_err();
    assert!(matches!(error, OpenError::NoRoot { .. }), "{error}");
    assert!(error.to_string().contains("no such directory for rings to stand in"), "{error}");
}
