//! A message is one concrete type.
use feed_ring::Payload;

#[derive(Clone, Copy, Payload)]
#[repr(C)]
struct Pair<T> {
    one: T,
    other: T,
}

fn main() {}
