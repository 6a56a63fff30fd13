//! A variant has one message.
use feed_ring::Records;

#[derive(Records)]
enum Event {
    Trade { price: i64 },
    Halt,
    Quote(u64, u64),
}

fn main() {}
