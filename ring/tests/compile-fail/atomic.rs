//! An atomic changes behind a shared reference.
use feed_ring::Payload;

#[derive(Clone, Copy, Payload)]
#[repr(C)]
struct Message {
    time: u64,
    count: std::sync::atomic::AtomicU64,
}

fn main() {}
