//! The end is reported after the last message, never before.

use feed_ring::Join;
use loom::thread;

use crate::explore::violated;
use crate::oracle::{Feed, Step, ring};

fn end(end: fn(Feed<[u64; 2]>), expected: Step) {
    let (mut feed, ring) = ring::<[u64; 2]>(2);
    let mut witness = ring.join(Join::Oldest);
    let reader = thread::spawn(move || {
        // The witness checks whatever comes, and the end, against the truth.
        for _ in 0..3 {
            witness.step();
        }
        witness
    });
    feed.publish();
    feed.publish();
    end(feed);
    let last = reader.join().unwrap().drain();
    if last != expected {
        violated("end", format!("{last:?} where {expected:?} was expected"));
    }
}

/// A close.
pub(super) fn close(_: usize) {
    end(Feed::close, Step::Closed);
}

/// A panic.
pub(super) fn unwind(_: usize) {
    end(Feed::unwind, Step::Dead);
}
