//! Ten million messages at full speed between two processes. Every word of every payload follows from its sequence
//! number: none is torn, none unaccounted for.

use std::process::Command;
use std::time::{Duration, Instant};

use feed_ring::{Join, Payload, Publisher, Subscriber, TryRecvError};
use feed_testing::{Child, PrivateRoot, as_child, child};

const MESSAGES: u64 = 10_000_000;

/// A subscriber must receive at least this many while the publisher runs. The messages left in the ring at the end
/// prove little.
const ENOUGH: u64 = 100_000;

/// Pauses of the publisher between messages, in ns. They grow until the subscriber received enough: on a busy machine
/// it may not run at all during ten million messages at full speed.
const PACES: [u64; 5] = [0, 100, 300, 1_000, 3_000];

/// The word at `index` of message `sequence`, different for every pair.
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
    let pace = Duration::from_nanos(std::env::var("PACE").unwrap().parse().unwrap());
    for sequence in 0..MESSAGES {
        publisher.publish(&std::array::from_fn(|index| word(sequence, index)));
        if !pace.is_zero() {
            let published = Instant::now();
            while published.elapsed() < pace {
                std::hint::spin_loop();
            }
        }
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

fn receive<const N: usize>(publisher: impl Fn() -> Command)
where
    [u64; N]: Payload,
{
    let enough = PACES.iter().any(|pace| {
        // Subtracts what the ring may still have held after the publisher ended.
        let while_it_ran = receive_all::<N>(publisher().env("PACE", pace.to_string())).saturating_sub(1023);
        println!("{while_it_ran} of {MESSAGES} received while the publisher ran, with {pace} ns between messages");
        while_it_ran >= ENOUGH
    });
    assert!(enough, "fewer than {ENOUGH} messages were received while they were published: nothing was shown");
}

/// Receives until the ring is closed, and compares each message with what was published. Returns how many messages it
/// received.
fn receive_all<const N: usize>(publisher: &mut Command) -> u64
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
    received
}

#[test]
fn ten_million_messages_of_56_bytes() {
    receive::<7>(|| child("publish_56_bytes"));
}

#[test]
fn ten_million_messages_of_1016_bytes() {
    receive::<127>(|| child("publish_1016_bytes"));
}
