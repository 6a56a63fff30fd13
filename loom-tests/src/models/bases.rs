//! Rings that do not begin at 0: such a ring replaced another and continues its numbers.

use feed_ring::Join;
use loom::thread;

use crate::oracle::{Feed, Ring, ring_from};

/// Where the ring begins.
const BASE: u64 = 3;

/// A subscriber that asks for a message from before the ring loses the messages up to the ring's first one, and no
/// more, while the ring holds that. The slot of the requested message stays empty meanwhile.
pub(super) fn before(_: usize) {
    read_before(ring_from(4, BASE));
}

/// The same, with a publisher that owns lines that were never written in this ring.
pub(super) fn ahead(_: usize) {
    let (mut feed, ring) = ring_from(4, BASE);
    feed.own_two_ahead();
    read_before((feed, ring));
}

fn read_before((mut feed, ring): (Feed<[u64; 1]>, Ring<[u64; 1]>)) {
    ring.join(Join::Oldest).knows(Join::Oldest, BASE);
    let mut witness = ring.join(Join::Sequence(1));
    let reader = thread::spawn(move || {
        witness.step();
        witness.step();
        witness
    });
    feed.publish();
    reader.join().unwrap().drain();
}
