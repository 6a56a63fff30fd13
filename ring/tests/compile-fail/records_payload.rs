//! The message of a variant is one.
use feed_ring::Records;

struct Text(String);

#[derive(Records)]
enum Event {
    Text(Text),
}

fn main() {}
