//! The other ways to publish and to receive: batches, `latest`, and waiting.

use feed_ring::Join;
use loom::thread;

use crate::explore::violated;
use crate::oracle::{Step, ring};

/// A batch arrives like messages published one by one.
pub(super) fn batch(_: usize) {
    let (mut feed, ring) = ring::<[u64; 2]>(2);
    let mut witness = ring.join(Join::Oldest);
    let reader = thread::spawn(move || {
        for _ in 0..2 {
            witness.batch::<2>();
        }
        witness
    });
    feed.publish_batch::<3>();
    reader.join().unwrap().drain();
}

/// Messages that `latest` skips count as skipped, and it never returns an older message than the last.
pub(super) fn latest(_: usize) {
    let (mut feed, ring) = ring::<[u64; 2]>(2);
    let mut witness = ring.join(Join::Oldest);
    let reader = thread::spawn(move || {
        for _ in 0..2 {
            witness.latest();
        }
        witness
    });
    for _ in 0..3 {
        feed.publish();
    }
    let mut witness = reader.join().unwrap();
    witness.latest();
    if witness.sequence() != 3 {
        violated("gap", format!("the newest of 3 messages left the subscriber at {}", witness.sequence()));
    }
}

/// A receive that waits returns the message it waits for.
pub(super) fn wait(_: usize) {
    let (mut feed, ring) = ring::<[u64; 2]>(2);
    let mut witness = ring.join(Join::Oldest);
    let reader = thread::spawn(move || while !matches!(witness.wait(), Step::Closed) {});
    feed.publish();
    feed.publish();
    feed.close();
    reader.join().unwrap();
}
