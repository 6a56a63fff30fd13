//! Not every byte is a bool.
use feed_ring::Payload;

#[derive(Clone, Copy, Payload)]
#[repr(C)]
struct Message {
    time: u64,
    last: [bool; 8],
}

fn main() {}
