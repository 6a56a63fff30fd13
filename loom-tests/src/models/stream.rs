//! A running publisher and subscribers that read at the same time: nothing is torn, repeated, out of order, or lost
//! uncounted.

use feed_ring::Join;
use loom::thread;

use crate::oracle::{Feed, Message, Ring, ring};

/// `MESSAGES` messages of `WORDS` words through `SLOTS` slots. One subscriber reads `READS` times while the publisher
/// runs, and the rest afterwards.
pub(super) fn run<const WORDS: usize, const SLOTS: usize, const MESSAGES: usize, const READS: usize>(_: usize)
where
    [u64; WORDS]: Message,
{
    read_beside::<WORDS, MESSAGES, READS>(ring(SLOTS));
}

/// The same, with a publisher that owns lines two messages ahead.
pub(super) fn ahead<const WORDS: usize, const SLOTS: usize, const MESSAGES: usize, const READS: usize>(_: usize)
where
    [u64; WORDS]: Message,
{
    let (mut feed, ring) = ring(SLOTS);
    feed.own_two_ahead();
    read_beside::<WORDS, MESSAGES, READS>((feed, ring));
}

fn read_beside<const WORDS: usize, const MESSAGES: usize, const READS: usize>(
    (mut feed, ring): (Feed<[u64; WORDS]>, Ring<[u64; WORDS]>),
) where
    [u64; WORDS]: Message,
{
    let mut witness = ring.join(Join::Oldest);
    let reader = thread::spawn(move || {
        for _ in 0..READS {
            witness.step();
        }
        witness
    });
    for _ in 0..MESSAGES {
        feed.publish();
    }
    reader.join().unwrap().drain();
}

/// Two subscribers that do not know of each other.
pub(super) fn two<const MESSAGES: usize, const READS: usize>(_: usize) {
    let (mut feed, ring) = ring::<[u64; 2]>(2);
    let readers = [(); 2].map(|()| {
        let mut witness = ring.join(Join::Oldest);
        thread::spawn(move || {
            for _ in 0..READS {
                witness.step();
            }
            witness
        })
    });
    for _ in 0..MESSAGES {
        feed.publish();
    }
    for reader in readers {
        reader.join().unwrap().drain();
    }
}
