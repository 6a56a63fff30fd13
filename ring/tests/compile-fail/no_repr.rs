//! Without repr(C) the compiler may order the fields as it likes.
use feed_ring::Payload;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Payload)]

struct Message {
    time: u64,
    price: u64,
}

fn main() {}
