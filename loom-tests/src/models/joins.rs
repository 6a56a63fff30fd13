//! Joining a ring while its publisher runs.
//!
//! The publisher has published one message when the reader's thread starts, so that message happened before the join.

use feed_ring::Join;
use loom::thread;

use crate::oracle::ring;

fn join(join: Join) {
    let (mut feed, ring) = ring::<[u64; 2]>(2);
    feed.publish();
    let reader = thread::spawn(move || {
        let mut witness = ring.join(join);
        witness.knows(join, 1);
        witness.step();
        witness
    });
    feed.publish();
    feed.publish();
    reader.join().unwrap().drain();
}

/// At the oldest message.
pub(super) fn oldest(_: usize) {
    join(Join::Oldest);
}

/// At the next message.
pub(super) fn latest(_: usize) {
    join(Join::Latest);
}

/// At sequence 1, which may be published, not yet published, or overwritten.
pub(super) fn sequence(_: usize) {
    join(Join::Sequence(1));
}
