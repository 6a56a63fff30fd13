//! Padding between two fields.
use feed_ring::{Payload, Publisher};

#[derive(Clone, Copy, Payload)]
#[repr(C)]
struct Message {
    side: u8,
    size: u32,
    time: u64,
}

fn main() {
    let _ = Publisher::<Message>::options("messages").create();
}
