//! An atomic changes behind a shared reference.
use feed_ring::Payload;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Payload)]
#[repr(C)]
struct Message {
    time: u64,
    count: std::sync::atomic::AtomicU64,
}

fn main() {}
