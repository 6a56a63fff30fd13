//! A notifier's descriptor becomes readable for whatever a receive would have to say, and for nothing else.

use feed_ring::{Join, Notifier, Publisher, Subscriber, TryRecvError, in_process};
use feed_testing::PrivateRoot;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

fn readable(notifier: &Notifier, milliseconds: i64) -> bool {
    let timeout = Timespec { tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000 };
    poll(&mut [PollFd::new(notifier, PollFlags::IN)], Some(&timeout)).unwrap() > 0
}

fn told(notifier: &Notifier) -> bool {
    readable(notifier, 20_000)
}

#[test]
fn a_message_is_told_of() {
    let (mut publisher, ring) = in_process::<u64>(4).unwrap();
    let mut subscriber = ring.subscribe(Join::Oldest);
    let notifier = subscriber.notifier().unwrap();
    for message in 0..3 {
        notifier.arm(&subscriber);
        assert!(!readable(&notifier, 20), "nothing yet");
        publisher.publish(&message);
        assert!(told(&notifier));
        notifier.clear();
        assert_eq!(subscriber.try_recv(), Ok(message));
    }
    publisher.publish_batch(&[0; 9]);
    notifier.arm(&subscriber);
    assert!(told(&notifier), "a loss is told of as well");
}

#[test]
fn an_end_is_told_of() {
    let (publisher, ring) = in_process::<u64>(4).unwrap();
    let mut subscriber = ring.subscribe(Join::Oldest);
    let notifier = subscriber.notifier().unwrap();
    notifier.arm(&subscriber);
    assert!(!readable(&notifier, 20));
    publisher.close().unwrap();
    assert!(told(&notifier));
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Closed));
}

/// One that has not published yet: nothing but the epoch says that it is there.
#[test]
fn a_restart_is_told_of() {
    let (publisher, ring) = in_process::<u64>(4).unwrap();
    let mut subscriber = ring.subscribe(Join::Oldest);
    let notifier = subscriber.notifier().unwrap();
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Empty));
    drop(publisher);
    let _publisher = ring.take_over().unwrap();
    notifier.arm(&subscriber);
    assert!(told(&notifier));
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Restarted { epoch: 2, sequence: 0 }));
}

/// Its slot stays empty, so nothing but where the ring begins says that it never comes.
#[test]
fn a_message_from_before_the_ring_is_told_of() {
    let root = PrivateRoot::new();
    let options = |capacity| Publisher::<u64>::options("before").root(&root).capacity(capacity).keep(true);
    let mut publisher = options(4).create().unwrap();
    publisher.publish_batch(&[0; 6]);
    publisher.close().unwrap();
    let _publisher = options(8).create().unwrap(); // begins at 6
    let mut subscriber = Subscriber::<u64>::options("before").root(&root).join(Join::Sequence(4)).open().unwrap();
    let notifier = subscriber.notifier().unwrap();
    notifier.arm(&subscriber);
    assert!(told(&notifier));
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Lagged { missed: 2 }));
}
