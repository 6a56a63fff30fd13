//! A message with padding carries bytes that nobody wrote.
use feed_ring::Payload;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Payload)]
#[repr(C)]
struct Message {
    time: u64,
    side: u8,
}

fn main() {}
