//! Without repr(C) the compiler may order the fields as it likes.
use feed_ring::Payload;

#[derive(Clone, Copy, Payload)]
struct Message {
    time: u64,
    price: u64,
}

fn main() {}
