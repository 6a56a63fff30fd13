//! More restarts than a ring's header can tell: each is told in its place, or it is told that its place is unknown.

use std::fs;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use feed_ring::{Join, Publisher, Received, Subscriber, TryRecvError, WaitStrategy, in_process, inspect};
use feed_testing::PrivateRoot;
use rustix::time::{ClockId, clock_gettime};

/// One publisher after the other takes the ring over, publishes `messages` messages that name it, and dies.
fn live(root: &PrivateRoot, lives: std::ops::RangeInclusive<u64>, messages: u64) {
    for life in lives {
        let mut publisher = Publisher::<[u64; 2]>::options("r").root(root).capacity(1024).create().unwrap();
        assert_eq!(publisher.epoch(), life);
        (0..messages).for_each(|_| _ = publisher.publish(&[life, publisher.published()]));
        let panicked = catch_unwind(AssertUnwindSafe(move || {
            let _publisher = publisher;
            panic!("as was to be");
        }));
        assert!(panicked.is_err());
    }
}

fn join(root: &PrivateRoot, join: Join) -> Subscriber<[u64; 2]> {
    Subscriber::options("r").root(root).join(join).open().unwrap()
}

/// Reads to the end and holds each message's life against what was told before it. Returns how often it was told that
/// restarts are unknown, and how many restarts were told in their place.
fn read_to_the_end(subscriber: &mut Subscriber<[u64; 2]>) -> (usize, usize) {
    let (mut life, mut unknown_before) = (subscriber.epoch(), 0);
    let (mut unknown, mut known) = (0, 0);
    loop {
        let at = subscriber.sequence();
        match subscriber.try_recv_numbered() {
            Ok(Received { number, epoch, message: [found, counted] }) => {
                assert_eq!((number, counted), (at, at));
                // It is never of a later epoch than its own.
                assert_eq!(epoch, if at < unknown_before { 0 } else { found }, "message {at}");
                if at < unknown_before {
                    assert!(found >= life, "message {at} is of life {found}, after one of {life}");
                    life = found;
                } else {
                    assert_eq!(found, life, "message {at}: a boundary was passed in silence");
                }
            }
            Err(TryRecvError::Restarted { epoch, sequence }) => {
                assert_eq!(sequence, at, "epoch {epoch} is told where it begins");
                (life, known) = (epoch, known + 1);
            }
            Err(TryRecvError::RestartsUnknown { until }) => {
                assert!(until > at.max(unknown_before), "unknown until {until}, told at {at}");
                (unknown_before, unknown) = (until, unknown + 1);
            }
            Err(TryRecvError::PublisherDead) => return (unknown, known),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn forty_short_lives() {
    let root = PrivateRoot::new();
    live(&root, 1..=1, 2);
    let mut stood_still = join(&root, Join::Oldest);
    assert_eq!(stood_still.try_recv(), Ok([1, 0]));
    live(&root, 2..=40, 2);
    // 80 messages, two of each life; the beginnings of the lives 34 to 40 are known, at 66 to 78.
    for (name, mut subscriber, first_life) in [
        ("stood still", stood_still, 1),
        ("joined at the oldest", join(&root, Join::Oldest), 0),
        ("joined in the middle", join(&root, Join::Sequence(37)), 0),
        ("joined where it is known", join(&root, Join::Sequence(71)), 36),
        ("joined at the last known", join(&root, Join::Sequence(66)), 34),
    ] {
        assert_eq!(subscriber.epoch(), first_life, "{name}");
        let (unknown, known) = read_to_the_end(&mut subscriber);
        let expected = if first_life >= 34 { (0, 40 - first_life as usize) } else { (1, 7) };
        assert_eq!((unknown, known), expected, "{name}");
        assert_eq!((subscriber.sequence(), subscriber.epoch(), subscriber.lost()), (80, 40, 0), "{name}");
    }
    let told = inspect::Ring::open(&root, "r").unwrap().epochs();
    assert_eq!((told.len(), told[0], told[6]), (7, (34, 66), (40, 78)));
}

/// The seven restarts that the header can tell are told, also to a subscriber that knows the epoch before them.
#[test]
fn as_many_lives_as_are_known() {
    let root = PrivateRoot::new();
    live(&root, 1..=1, 2);
    let mut subscriber = join(&root, Join::Oldest);
    live(&root, 2..=8, 2);
    assert_eq!(read_to_the_end(&mut subscriber), (0, 7));
    let mut joined = join(&root, Join::Oldest);
    assert_eq!(
        (joined.epoch(), read_to_the_end(&mut joined)),
        (1, (0, 7)),
        "only the first can come before the second"
    );
}

#[test]
fn lives_begin_while_the_unknown_ones_are_read() {
    let root = PrivateRoot::new();
    live(&root, 1..=20, 3);
    let mut subscriber = join(&root, Join::Oldest);
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::RestartsUnknown { until: 39 }));
    assert_eq!(subscriber.try_recv(), Ok([1, 0]));
    live(&root, 21..=30, 3);
    // What was said to be known from 39 on is not any more: that is told at 39, before the message there.
    for number in 1..39 {
        assert_eq!(subscriber.try_recv(), Ok([number / 3 + 1, number]));
    }
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::RestartsUnknown { until: 69 }));
    for number in 39..69 {
        assert_eq!(subscriber.try_recv(), Ok([number / 3 + 1, number]));
    }
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Restarted { epoch: 24, sequence: 69 }));
}

#[test]
fn an_epoch_without_a_message_is_told_before_its_end() {
    let root = PrivateRoot::new();
    let publisher = || Publisher::<[u64; 2]>::options("r").root(&root).keep(true).create().unwrap();
    publisher().close().unwrap();
    let mut subscriber = join(&root, Join::Oldest);
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Closed));
    publisher().close().unwrap();
    assert!(subscriber.wait_for_publisher(Duration::ZERO), "there is something to be told");
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Restarted { epoch: 2, sequence: 0 }));
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Closed));
    assert!(!subscriber.wait_for_publisher(Duration::ZERO), "and nothing more");
}

/// Overwrites the header's epoch, and every beginning with a sequence that is never reached.
fn forge_epoch(root: &PrivateRoot, epoch: u64) {
    let segment = fs::OpenOptions::new().write(true).open(root.path().join("r.ring/segment")).unwrap();
    segment.write_all_at(&epoch.to_ne_bytes(), 17 * 8).unwrap();
    (18..26).for_each(|word| segment.write_all_at(&[0xff; 8], word * 8).unwrap());
}

/// The header names an epoch of which nothing can be told: a wait for a publisher reports that once, and sleeps then.
#[test]
fn a_forged_epoch_does_not_keep_a_wait_from_sleeping() {
    for epoch in [2, 9, 0] {
        let root = PrivateRoot::new();
        let options = || Publisher::<[u64; 2]>::options("r").root(&root).keep(true);
        options().create().unwrap().close().unwrap();
        let mut subscriber = join(&root, Join::Oldest);
        assert_eq!(subscriber.try_recv(), Err(TryRecvError::Closed));
        forge_epoch(&root, epoch);
        let mut told = 0;
        while subscriber.wait_for_publisher(Duration::from_millis(50)) {
            assert!(matches!(subscriber.try_recv(), Err(TryRecvError::Closed | TryRecvError::RestartsUnknown { .. })));
            told += 1;
            assert!(told < 5, "epoch {epoch}: the wait returns at once, again and again");
        }
    }
}

/// The same for a subscriber that blocks: a thread that sleeps uses no processor.
#[test]
fn a_forged_epoch_does_not_keep_a_blocking_subscriber_awake() {
    let root = PrivateRoot::new();
    let publisher = Publisher::<[u64; 2]>::options("r").root(&root).create().unwrap();
    let options = Subscriber::<[u64; 2]>::options("r").root(&root).join(Join::Oldest);
    let mut subscriber = options.wait(WaitStrategy::Block).open().unwrap();
    forge_epoch(&root, 9);
    let used = || {
        let used = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(used.tv_sec as u64, used.tv_nsec as u32)
    };
    let (begun, before) = (Instant::now(), used());
    while begun.elapsed() < Duration::from_millis(300) {
        subscriber.recv_timeout(Duration::from_millis(300)).unwrap_err();
    }
    let (used, passed) = (used() - before, begun.elapsed());
    assert!(used < passed / 2, "{used:?} of the processor in {passed:?}");
    publisher.close().unwrap();
}

/// In a ring so small that `latest` is overtaken again and again.
#[test]
fn what_latest_passes_over_is_skipped_and_what_is_lost_is_told() {
    let (mut publisher, ring) = in_process::<[u64; 200]>(2).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                publisher.publish(&[publisher.published(); 200]);
            }
        });
        let mut subscriber = ring.subscribe(Join::Latest);
        let mut told = 0;
        for call in 0..200_000 {
            match if call % 3 == 0 { subscriber.try_recv() } else { subscriber.latest() } {
                Ok(message) => assert_eq!(message, [subscriber.sequence() - 1; 200]),
                Err(TryRecvError::Lagged { missed }) => told += missed,
                Err(error) => assert_eq!(error, TryRecvError::Empty),
            }
            assert_eq!(told, subscriber.lost());
            let s = &subscriber;
            assert_eq!(s.first() + s.received() + s.lost() + s.skipped(), s.sequence());
        }
        over.store(true, Ordering::Relaxed);
    });
}
