//! A reference means nothing in another process.
use feed_ring::Payload;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Payload)]
#[repr(C)]
struct Message {
    time: u64,
    name: &'static u64,
}

fn main() {}
