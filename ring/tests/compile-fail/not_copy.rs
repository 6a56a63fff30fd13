//! A message is copied from process to process.
use feed_ring::Payload;

#[derive(Payload)]
#[repr(C)]
struct Message {
    time: u64,
}

fn main() {}
