//! A struct within a message is one that derives `Payload`, too.
use feed_ring::{Payload, Publisher};

#[derive(Clone, Copy)]
#[repr(C)]
struct Lvl {
    price: i64,
    size: u64,
}

#[derive(Clone, Copy, Payload)]
#[repr(C)]
struct Book {
    bids: [Lvl; 10],
    best: Lvl,
}

fn main() {
    let _ = Publisher::<Book>::options("books").create();
}
