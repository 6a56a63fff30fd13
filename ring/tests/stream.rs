//! Ten million messages at full speed between two processes, every word of every payload a function of its sequence
//! number: none torn, none unaccounted for.

use std::process::Command;

use feed_ring::{Join, Payload, Publisher, Subscriber, TryRecvError};
use feed_testing::{Child, PrivateRoot, as_child, child};

const MESSAGES: u64 = 10_000_000;

/// The word at `index` of message `sequence`: another one for every pair.
fn word(sequence: u64, index: usize) -> u64 {
    (sequence ^ (index as u64) << 48).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(index as u32 % 64)
}

fn publish<const N: usize>()
where
    [u64; N]: Payload,
{
    let root = std::env::var("ROOT").unwrap();
    let mut publisher = Publisher::<[u64; N]>::options("stream").root(root).capacity(1024).keep(true).create().unwrap();
    println!("\nready");
    while publisher.subscribers().unwrap() == 0 {
        std::thread::yield_now();
    }
    for sequence in 0..MESSAGES {
        publisher.publish(&std::array::from_fn(|index| word(sequence, index)));
    }
    publisher.close().unwrap();
}

#[test]
#[ignore = "a child of other tests"]
fn publish_56_bytes() {
    if as_child() {
        publish::<7>();
    }
}

#[test]
#[ignore = "a child of other tests"]
fn publish_1016_bytes() {
    if as_child() {
        publish::<127>();
    }
}

fn receive<const N: usize>(mut publisher: Command)
where
    [u64; N]: Payload,
{
    let root = PrivateRoot::new();
    let mut publisher = Child::start(publisher.env("ROOT", root.path()));
    publisher.wait_for("ready");
    let mut subscriber = Subscriber::<[u64; N]>::options("stream").root(&root).join(Join::Sequence(0)).open().unwrap();
    let mut batch = [[0; N]; 16];
    let (mut received, mut lost) = (0, 0);
    loop {
        match subscriber.recv_batch(&mut batch) {
            Ok(count) => {
                let first = subscriber.sequence() - count as u64;
                for (sequence, message) in (first..).zip(&batch[..count]) {
                    let torn = message.iter().enumerate().find(|&(index, &found)| found != word(sequence, index));
                    assert_eq!(torn, None, "message {sequence} is torn: {message:x?}");
                }
                received += count as u64;
            }
            Err(TryRecvError::Empty) => std::hint::spin_loop(),
            Err(TryRecvError::Lagged { missed }) => lost += missed,
            Err(TryRecvError::Closed) => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(publisher.finish().0.success());
    assert_eq!(subscriber.sequence(), MESSAGES);
    assert_eq!((subscriber.first(), subscriber.received(), subscriber.lost()), (0, received, lost));
    assert_eq!(received + lost, MESSAGES);
    assert!(received >= 1023, "only {received} were received: the ring's last lap is always there");
    println!("{received} of {MESSAGES} received, {lost} lost");
}

#[test]
fn ten_million_messages_of_56_bytes() {
    receive::<7>(child("publish_56_bytes"));
}

#[test]
fn ten_million_messages_of_1016_bytes() {
    receive::<127>(child("publish_1016_bytes"));
}
