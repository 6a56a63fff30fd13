//! A message with padding carries bytes that nobody wrote.
use feed_ring::Payload;

#[derive(Clone, Copy, Payload)]
#[repr(C)]
struct Message {
    time: u64,
    side: u8,
}

fn main() {}
