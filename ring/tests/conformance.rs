//! What every ring guarantees, whatever its transport: each test here runs over files, through a socket and on the
//! heap.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use feed_ring::{
    InProcess, Join, Publisher, RecvError, Subscriber, SubscriberOptions, TryRecvError, WaitStrategy, in_process,
};
use feed_testing::PrivateRoot;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How a ring is made, opened and taken over.
enum Transport {
    Disk(PrivateRoot),
    Sealed(PrivateRoot),
    Heap(InProcess<u64>),
}

impl Transport {
    fn open(&self, join: Join, wait: WaitStrategy) -> Subscriber<u64> {
        let open = |options: SubscriberOptions<u64>| options.join(join).wait(wait).open().unwrap();
        match self {
            Transport::Disk(root) => open(Subscriber::options("r").root(root)),
            Transport::Sealed(root) => open(Subscriber::connect(root.path().join("r.sock"))),
            Transport::Heap(ring) => ring.subscribe_with(join, wait),
        }
    }

    fn join(&self, join: Join) -> Subscriber<u64> {
        self.open(join, WaitStrategy::Spin)
    }

    /// Another publisher takes the ring over. `None` for a sealed ring, which nobody can take over.
    fn take_over(&self) -> Option<Publisher<u64>> {
        match self {
            Transport::Disk(root) => Some(Publisher::options("r").root(root).capacity(8).create().unwrap()),
            Transport::Sealed(_) => None,
            Transport::Heap(ring) => Some(ring.take_over().unwrap()),
        }
    }
}

/// Runs a test with a ring of 8 slots over each transport. The output names the transport, in case the test fails.
fn over_each(test: impl Fn(Publisher<u64>, &Transport)) {
    let (root, sealed_root) = (PrivateRoot::new(), PrivateRoot::new());
    let on_disk = Publisher::options("r").root(&root).capacity(8).create().unwrap();
    let sealed = Publisher::options("r").serve(sealed_root.path().join("r.sock")).capacity(8).create().unwrap();
    let (on_heap, ring) = in_process(8).unwrap();
    let rings = [
        ("disk", on_disk, Transport::Disk(root)),
        ("sealed", sealed, Transport::Sealed(sealed_root)),
        ("heap", on_heap, Transport::Heap(ring)),
    ];
    for (name, publisher, transport) in rings {
        println!("over {name}");
        test(publisher, &transport);
        if let Transport::Disk(root) | Transport::Sealed(root) = transport {
            assert_eq!(root.names(), [""; 0], "{name}: files are left behind");
        }
    }
}

/// Ends a publisher by a panic of its thread.
fn panic_with(publisher: Publisher<u64>) {
    let panicked = catch_unwind(AssertUnwindSafe(move || {
        let _publisher = publisher;
        panic!("on purpose");
    }));
    assert!(panicked.is_err());
}

fn assert_balance(s: &Subscriber<u64>) {
    assert_eq!(s.first() + s.received() + s.lost() + s.skipped(), s.sequence());
}

#[test]
fn messages_come_in_order_and_then_the_end() {
    over_each(|mut publisher, ring| {
        let mut subscriber = ring.join(Join::Oldest);
        assert_eq!(subscriber.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(publisher.publish_batch(&[10, 11, 12]), 0..3);
        assert_eq!(publisher.publish_with(|message| *message = 13), 3);
        assert_eq!((publisher.published(), publisher.epoch(), publisher.capacity()), (4, 1, 8));
        assert_eq!((subscriber.lag(), subscriber.epoch(), subscriber.capacity()), (4, 1, 8));
        assert_eq!([10, 11].map(|_| subscriber.recv().unwrap()), [10, 11]);
        publisher.close().unwrap();
        let mut message = 0;
        assert_eq!((subscriber.try_recv_into(&mut message), message), (Ok(()), 12));
        assert_eq!((subscriber.recv_into(&mut message), message), (Ok(()), 13));
        for _ in 0..2 {
            assert_eq!(subscriber.try_recv(), Err(TryRecvError::Closed));
            assert_eq!(subscriber.recv(), Err(RecvError::Closed));
            assert_eq!(subscriber.recv_timeout(Duration::MAX), Err(TryRecvError::Closed));
        }
        assert!(!subscriber.publisher_is_alive());
        assert_eq!((subscriber.received(), subscriber.sequence()), (4, 4));
    });
}

#[test]
fn a_subscriber_begins_where_it_joined() {
    over_each(|mut publisher, ring| {
        (0..20).for_each(|number| _ = publisher.publish(&number));
        for (join, first, next) in [
            (Join::Oldest, 13, Ok(13)),
            (Join::Latest, 20, Err(TryRecvError::Empty)),
            (Join::Sequence(15), 15, Ok(15)),
            (Join::Sequence(22), 22, Err(TryRecvError::Empty)),
            // The ring holds seven messages, from 13 on. In so small a ring the margin is 0.
            (Join::Sequence(3), 3, Err(TryRecvError::Lagged { missed: 10 })),
        ] {
            let mut subscriber = ring.join(join);
            assert_eq!((subscriber.first(), subscriber.try_recv()), (first, next), "{join:?}");
            assert_balance(&subscriber);
        }
        publisher.close().unwrap();
    });
}

#[test]
fn lost_messages_are_counted() {
    over_each(|mut publisher, ring| {
        let mut subscriber = ring.join(Join::Oldest);
        for round in 1..=5 {
            (0..20).for_each(|_| _ = publisher.publish(&publisher.published()));
            let Err(TryRecvError::Lagged { missed }) = subscriber.try_recv() else { panic!("20 messages in 8 slots") };
            assert_balance(&subscriber);
            let mut left = [0; 16];
            let count = subscriber.recv_batch(&mut left).unwrap();
            assert_eq!(missed + count as u64, 20, "round {round}");
            let first = round * 20 - count as u64;
            assert!(left[..count].iter().copied().eq(first..round * 20), "{left:?}");
            assert_balance(&subscriber);
        }
        publisher.close().unwrap();
    });
}

#[test]
fn latest_skips_the_messages_before_the_newest() {
    over_each(|mut publisher, ring| {
        let mut subscriber = ring.join(Join::Oldest);
        publisher.publish_batch(&[1, 2, 3, 4]);
        assert_eq!(subscriber.latest(), Ok(4));
        assert_eq!((subscriber.skipped(), subscriber.received()), (3, 1));
        assert_eq!(subscriber.latest(), Err(TryRecvError::Empty));
        assert_balance(&subscriber);
        publisher.close().unwrap();
        assert_eq!(subscriber.latest(), Err(TryRecvError::Closed));
    });
}

#[test]
fn attached_subscribers_are_counted() {
    over_each(|publisher, ring| {
        assert_eq!(publisher.subscribers().unwrap(), 0);
        let one = ring.join(Join::Latest);
        let two = ring.join(Join::Latest);
        assert_eq!(publisher.subscribers().unwrap(), 2);
        drop(one);
        assert_eq!(publisher.subscribers().unwrap(), 1);
        drop(two);
        assert_eq!(publisher.subscribers().unwrap(), 0);
        assert_eq!(publisher.path().is_none(), matches!(ring, Transport::Heap(_)));
        publisher.close().unwrap();
    });
}

#[test]
fn a_sleeper_is_woken_by_a_message_and_by_an_end() {
    over_each(|mut publisher, ring| {
        let mut subscriber = ring.open(Join::Oldest, WaitStrategy::Block);
        std::thread::scope(|threads| {
            let reading = threads.spawn(|| [subscriber.recv(), subscriber.recv(), subscriber.recv()]);
            for number in [1, 2] {
                std::thread::sleep(Duration::from_millis(30));
                publisher.publish(&number);
            }
            std::thread::sleep(Duration::from_millis(30));
            publisher.close().unwrap();
            assert_eq!(reading.join().unwrap(), [Ok(1), Ok(2), Err(RecvError::Closed)]);
        });
    });
}

#[test]
fn a_wait_ends_in_time_or_when_it_is_interrupted() {
    over_each(|publisher, ring| {
        for wait in [WaitStrategy::Spin, WaitStrategy::Yield, WaitStrategy::Block] {
            let mut subscriber = ring.open(Join::Oldest, wait);
            assert_eq!(subscriber.recv_timeout(Duration::from_millis(2)), Err(TryRecvError::Empty));
            assert!(subscriber.wait_for_publisher(Duration::ZERO), "there is a publisher");
            let interrupter = subscriber.interrupter();
            let interrupting = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(20));
                interrupter.interrupt();
            });
            assert_eq!(subscriber.recv_timeout(Duration::MAX), Err(TryRecvError::Empty));
            interrupting.join().unwrap();
        }
        publisher.close().unwrap();
    });
}

#[test]
fn a_panic_is_a_death() {
    over_each(|mut publisher, ring| {
        let mut subscriber = ring.join(Join::Oldest);
        publisher.publish(&1);
        panic_with(publisher);
        assert_eq!(subscriber.recv(), Ok(1));
        assert_eq!(subscriber.recv(), Err(RecvError::PublisherDead));
        assert!(!subscriber.publisher_is_alive());
        assert!(!subscriber.wait_for_publisher(Duration::from_millis(1)));
        // The dead ring on disk is taken over so that its files are removed.
        if let Some(publisher) = ring.take_over() {
            publisher.close().unwrap();
        }
    });
}

#[test]
fn another_publisher_takes_over() {
    over_each(|mut publisher, ring| {
        let mut subscriber = ring.open(Join::Oldest, WaitStrategy::Block);
        publisher.publish_batch(&[1, 2]);
        panic_with(publisher);
        let Some(mut publisher) = ring.take_over() else { return };
        assert_eq!((publisher.epoch(), publisher.published()), (2, 2));
        assert!(subscriber.wait_for_publisher(Duration::MAX));
        publisher.publish(&3);
        assert_eq!([1, 2].map(|_| subscriber.recv().unwrap()), [1, 2]);
        assert_eq!(subscriber.recv(), Err(RecvError::Restarted { epoch: 2, sequence: 2 }));
        assert_eq!((subscriber.recv(), subscriber.epoch()), (Ok(3), 2));
        assert_balance(&subscriber);
        publisher.close().unwrap();
        assert_eq!(subscriber.recv(), Err(RecvError::Closed));
    });
}

#[test]
fn a_notifier_reports_messages_and_ends() {
    over_each(|mut publisher, ring| {
        let mut subscriber = ring.join(Join::Oldest);
        let notifier = subscriber.notifier().unwrap();
        let is_readable = |seconds| {
            let timeout = Timespec { tv_sec: seconds, tv_nsec: 0 };
            poll(&mut [PollFd::new(&notifier, PollFlags::IN)], Some(&timeout)).unwrap() == 1
        };
        notifier.arm(&subscriber);
        assert!(!is_readable(0));
        publisher.publish(&1);
        assert!(is_readable(60));
        notifier.clear();
        assert_eq!(subscriber.try_recv(), Ok(1));
        notifier.arm(&subscriber);
        publisher.close().unwrap();
        assert!(is_readable(60));
        assert_eq!(subscriber.try_recv(), Err(TryRecvError::Closed));
    });
}
