//! A struct alone is a message.
use feed_ring::Records;

#[derive(Records)]
struct Trade {
    price: i64,
}

fn main() {}
