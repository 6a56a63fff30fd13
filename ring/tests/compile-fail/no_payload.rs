//! A type that derives nothing is no message.
use feed_ring::in_process;

#[derive(Clone, Copy)]
#[repr(C)]
struct Message {
    time: u64,
}

fn main() {
    let _ = in_process::<Message>(64);
}
