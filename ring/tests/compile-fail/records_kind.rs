//! A kind is one byte.
use feed_ring::{Payload, Records};

#[derive(Clone, Copy, Payload)]
#[repr(C)]
struct Tick {
    price: i64,
}

#[derive(Records)]
#[repr(u16)]
enum Event {
    Tick(Tick) = 256,
}

fn main() {}
