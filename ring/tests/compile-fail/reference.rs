//! A reference means nothing in another process.
use feed_ring::Payload;

#[derive(Clone, Copy, Payload)]
#[repr(C)]
struct Message {
    time: u64,
    name: &'static u64,
}

fn main() {}
