//! Joining a ring whose publisher runs.
//!
//! The publisher has published one message when the reader's thread begins: that one happened before the join.

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

/// With the oldest message.
pub(super) fn oldest(_: usize) {
    join(Join::Oldest);
}

/// With the next message.
pub(super) fn latest(_: usize) {
    join(Join::Latest);
}

/// With a message that is published, to be published, or gone.
pub(super) fn sequence(_: usize) {
    join(Join::Sequence(1));
}
