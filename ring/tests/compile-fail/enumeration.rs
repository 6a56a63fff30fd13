//! Not every number is a variant.
use feed_ring::Payload;

#[derive(Clone, Copy, Payload)]
#[repr(u8)]
enum Side {
    Bid,
    Ask,
}

fn main() {}
