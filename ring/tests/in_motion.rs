//! Tools beside rings that are just being made and removed, and beside what only looks like one.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use feed_ring::inspect::{self, Kept, Removal, Ring};
use feed_ring::{CreateError, OpenError, Publisher, PublisherOptions, Subscriber};
use feed_testing::PrivateRoot;

fn options(root: &PrivateRoot) -> PublisherOptions<u64> {
    Publisher::options("r").root(root).capacity(8)
}

/// How often this thread went to sleep.
fn sleeps() -> u64 {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
    line.trim().parse().unwrap()
}

/// Anybody may make such directories. Each could be a ring in the making, so each is looked at again.
#[test]
fn five_hundred_empty_directories_cost_no_more_waiting_than_one() {
    let root = PrivateRoot::new();
    let _publisher = options(&root).create().unwrap();
    (0..500).for_each(|number| fs::create_dir(root.path().join(format!("e{number}.ring"))).unwrap());
    let names: Vec<_> = inspect::names(&root).unwrap().into_iter().map(|name| name.into_string().unwrap()).collect();
    let (mut rings, mut others) = (Vec::new(), 0);
    let before = sleeps();
    inspect::open_each(&root, &names, |index, opened| match opened {
        Ok(ring) => rings.push((index, ring.segment().publisher())),
        Err(OpenError::NotARing { path, .. }) => {
            assert!(path.ends_with(format!("{}.ring", names[index])), "{}", path.display());
            others += 1;
        }
        Err(error) => panic!("{error}"),
    });
    let slept = sleeps() - before;
    assert_eq!((rings, others), (vec![(500, inspect::Life::Alive)], 500));
    assert!(slept < 100, "{slept} sleeps for 500 directories");
}

#[test]
fn every_name_is_answered_once() {
    let root = PrivateRoot::new();
    let _publisher = options(&root).create().unwrap();
    fs::create_dir(root.path().join("empty.ring")).unwrap();
    let names = ["empty", "r", "none", "r", "../r"];
    let mut answers = vec![0; names.len()];
    inspect::open_each(&root, &names, |index, opened| {
        answers[index] += 1;
        match (names[index], opened) {
            ("r", Ok(_)) => {}
            ("empty", Err(OpenError::NotARing { .. })) | ("none", Err(OpenError::NotFound { .. })) => {}
            ("../r", Err(OpenError::Name(_))) => {}
            (name, opened) => panic!("{name}: {opened:?}"),
        }
    });
    assert_eq!(answers, [1; 5]);
    assert!(matches!(Ring::open(root.path().join("none"), "r"), Err(OpenError::NoRoot { .. })));
}

/// A cleaner beside publishers that come and go: whatever it meets, it neither fails nor takes a ring for something that is
/// to be removed by hand.
#[test]
fn cleaning_beside_closing_rings() {
    let root = PrivateRoot::new();
    let over = AtomicBool::new(false);
    let mut met = [0; 4];
    thread::scope(|threads| {
        threads.spawn(|| {
            for _ in 0..4_000 {
                let publisher = loop {
                    match options(&root).create() {
                        Ok(publisher) => break publisher,
                        Err(CreateError::AlreadyPublished { .. }) => {} // the cleaner holds the lock right now
                        Err(error) => panic!("{error}"),
                    }
                };
                publisher.close().unwrap();
            }
            over.store(true, Ordering::Relaxed);
        });
        while !over.load(Ordering::Relaxed) {
            let what = match inspect::remove_dead(&root, "r", Removal::default()) {
                Ok(_) => 0,
                Err(Kept::NotFound { .. }) => 1,
                Err(Kept::Alive { .. }) => 2,
                Err(Kept::Changing { .. }) => 3,
                Err(kept) => panic!("{kept}"),
            };
            met[what] += 1;
        }
    });
    println!("removed {}, not found {}, alive {}, changing {}", met[0], met[1], met[2], met[3]);
    assert_eq!(root.names(), [""; 0]);
}

#[test]
fn nobody_is_advised_to_remove_a_live_ring() {
    let root = PrivateRoot::new();
    let mut publisher = options(&root).create().unwrap();
    let mut subscriber = Subscriber::<u64>::options("r").root(&root).open().unwrap();
    let path = root.path().join("r.ring");
    let kept = || {
        let clean = |dry_run| inspect::remove_dead(&root, "r", Removal { dry_run, closed: true });
        let kept = [true, false].map(|dry_run| clean(dry_run).expect_err("it is kept"));
        assert_eq!(kept[0].to_string(), kept[1].to_string());
        let [_, kept] = kept;
        kept
    };
    // Somebody's file among a live ring's.
    fs::write(path.join("notes.txt"), "").unwrap();
    assert!(matches!(kept(), Kept::Alive { holds: "the lock", .. }), "{}", kept());
    // The lock was removed by hand.
    fs::remove_file(path.join("lock")).unwrap();
    assert!(matches!(kept(), Kept::Alive { holds: "its FIFO, but not the lock", .. }), "{}", kept());
    fs::remove_file(path.join("notes.txt")).unwrap();
    assert!(matches!(kept(), Kept::Alive { .. }), "{}", kept());
    publisher.publish(&1);
    assert_eq!(subscriber.recv(), Ok(1));
    // Its publisher is gone: only its subscriber still needs it, and then nobody.
    publisher.leave();
    while subscriber.publisher_is_alive() {
        thread::yield_now(); // a child that another test has just forked keeps the FIFO open until it calls exec
    }
    assert!(matches!(kept(), Kept::Attached { count: 1, .. }), "{}", kept());
    drop(subscriber);
    assert!(matches!(kept(), Kept::NoLock { .. }), "{}", kept());
    assert!(kept().to_string().contains("see who has it open"), "{}", kept());
    assert!(path.join("segment").exists());
}
