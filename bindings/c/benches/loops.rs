//! The loops of the benchmark in Rust, over the typed handles, for a program in C.

use std::ffi::{CStr, c_char};
use std::time::Instant;

use feed_ring::{Join, Publisher, Subscriber};

/// 56 bytes: with its number, one cache line.
type Message = [u64; 7];

fn text<'a>(text: *const c_char) -> &'a str {
    // SAFETY: bench.c passes texts that end with a zero byte.
    unsafe { CStr::from_ptr(text) }.to_str().expect("UTF-8")
}

/// Publishes so many messages and leaves the ring. Returns ns for all.
#[unsafe(no_mangle)]
pub extern "C" fn loops_publish(root: *const c_char, name: *const c_char, capacity: usize, count: u64) -> u64 {
    let options = Publisher::<Message>::options(text(name)).root(text(root)).capacity(capacity);
    let mut publisher = options.create().expect("a publisher");
    let mut message = [1; 7];
    let begun = Instant::now();
    for number in 0..count {
        message[0] = number;
        publisher.publish(&message);
    }
    let took = begun.elapsed().as_nanos() as u64;
    publisher.leave();
    took
}

/// Receives so many messages, from the oldest on, into one. Returns ns for all.
#[unsafe(no_mangle)]
pub extern "C" fn loops_receive(root: *const c_char, name: *const c_char, count: u64) -> u64 {
    let options = Subscriber::<Message>::options(text(name)).root(text(root)).join(Join::Oldest);
    let mut subscriber = options.open().expect("a subscriber");
    let mut sum = 0u64;
    let begun = Instant::now();
    for _ in 0..count {
        let message = subscriber.try_recv().expect("a message");
        sum = sum.wrapping_add(message[0]);
    }
    let took = begun.elapsed().as_nanos() as u64;
    assert!(sum > 0);
    took
}
