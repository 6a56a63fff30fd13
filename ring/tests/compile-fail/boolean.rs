//! Not every byte is a bool.
use feed_ring::Payload;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Payload)]
#[repr(C)]
struct Message {
    time: u64,
    last: [bool; 8],
}

fn main() {}
