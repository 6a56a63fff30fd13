//! A subscriber holds back in a stream at full speed, and at no other time.

use std::time::Duration;

use feed_ring::{Join, Publisher, Subscriber, TryRecvError};
use feed_testing::PrivateRoot;

type Received = Result<u64, TryRecvError>;

/// What is told apart: by default everything is as it must be for holding back.
struct Stream {
    capacity: usize,
    hold_back: bool,
    /// How far ahead of the subscriber the publisher is at least.
    ahead: u64,
    receive: fn(&mut Subscriber<u64>) -> Received,
    /// What the subscriber does after each 64 messages.
    between: fn(&mut Subscriber<u64>),
}

const STREAM: Stream = Stream { capacity: 65_536, hold_back: true, ahead: 0, receive: recv, between: |_| {} };

fn recv(subscriber: &mut Subscriber<u64>) -> Received {
    subscriber.recv().map_err(TryRecvError::from)
}

fn timed(subscriber: &mut Subscriber<u64>) -> Received {
    subscriber.recv_timeout(Duration::MAX)
}

impl Stream {
    /// How often the subscriber held back.
    fn held_back(self) -> u64 {
        let root = PrivateRoot::new();
        let mut publisher = Publisher::<u64>::options("stream").root(&root).capacity(self.capacity).create().unwrap();
        let options = Subscriber::<u64>::options("stream").root(&root).join(Join::Oldest).hold_back(self.hold_back);
        let mut subscriber = options.open().unwrap();
        // A machine that stops in the middle makes the stream a slow one: so there are many attempts.
        for _ in 0..1_000 {
            while publisher.published() < subscriber.sequence() + self.ahead + 64 {
                publisher.publish(&(publisher.published() * 3));
            }
            for _ in 0..64 {
                let sequence = subscriber.sequence();
                assert_eq!((self.receive)(&mut subscriber), Ok(sequence * 3));
            }
            (self.between)(&mut subscriber);
            assert_eq!((subscriber.sequence(), subscriber.lost()), (subscriber.received(), 0));
        }
        subscriber.held_back()
    }
}

#[test]
fn in_a_stream_it_lets_the_publisher_get_ahead() {
    assert!(STREAM.held_back() > 0);
    assert!(Stream { receive: timed, ..STREAM }.held_back() > 0);
}

#[test]
fn not_if_that_is_not_wanted() {
    assert_eq!(Stream { hold_back: false, ..STREAM }.held_back(), 0);
}

#[test]
fn not_in_a_small_ring() {
    assert_eq!(Stream { capacity: 1_024, ..STREAM }.held_back(), 0);
    assert_eq!(Stream { capacity: 8_192, ..STREAM }.held_back(), 0, "half a MiB");
}

#[test]
fn not_if_nobody_would_wait() {
    assert_eq!(Stream { receive: Subscriber::try_recv, ..STREAM }.held_back(), 0);
}

#[test]
fn not_if_the_publisher_is_far_ahead() {
    assert_eq!(Stream { ahead: 256, ..STREAM }.held_back(), 0);
    assert!(Stream { ahead: 100, ..STREAM }.held_back() > 0);
}

#[test]
fn not_if_it_had_to_wait() {
    let between = |subscriber: &mut Subscriber<u64>| {
        assert_eq!(subscriber.recv_timeout(Duration::ZERO), Err(TryRecvError::Empty));
    };
    assert_eq!(Stream { between, ..STREAM }.held_back(), 0);
}

#[test]
fn not_if_the_messages_come_slowly() {
    assert_eq!(Stream { between: |_| std::thread::sleep(Duration::from_micros(10)), ..STREAM }.held_back(), 0);
}
