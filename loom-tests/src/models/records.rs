//! Rings of records: whatever their lengths, none is torn, lost uncounted or numbered anew.
//!
//! Lengths are in words: a record of one word takes one slot, and one of three takes two. A ring of two slots has records of one
//! slot only, and one of four slots has none longer than two.

use feed_ring::sync::model;
use feed_ring::{Join, WaitStrategy};
use loom::thread;

use crate::explore::{struck, violated};
use crate::record_oracle::{Feed, Ring, Witness, ring, ring_from, ring_of_lines};
use crate::truth::Step;

/// One subscriber was there before and has read the first of some records. It reads once or more while others are published, and
/// the rest afterwards. A loss ends a margin behind the oldest: none with two slots, one with four.
struct Shape {
    before: &'static [usize],
    read: usize,
    beside: &'static [usize],
    reads: usize,
}

fn read_beside((mut feed, ring): (Feed, Ring), shape: Shape) {
    let Shape { before, read, beside, reads } = shape;
    let mut witness = ring.join(Join::Oldest);
    witness.expect_margin();
    publish(&mut feed, before);
    (0..read).for_each(|_| _ = witness.step());
    let reader = thread::spawn(move || {
        (0..reads).for_each(|_| _ = witness.step());
        witness
    });
    publish(&mut feed, beside);
    reader.join().unwrap().drain();
}

fn publish(feed: &mut Feed, lengths: &[usize]) {
    lengths.iter().for_each(|&words| feed.publish(words));
}

/// Records of one slot.
pub(super) fn short(_: usize) {
    read_beside(ring(2), Shape { before: &[], read: 0, beside: &[1, 1, 1], reads: 1 });
}

/// The same with two reads.
pub(super) fn short_twice(_: usize) {
    read_beside(ring(2), Shape { before: &[], read: 0, beside: &[1, 1, 1], reads: 2 });
}

/// A record of two slots is overwritten by others while it is read.
pub(super) fn long(_: usize) {
    read_beside(ring(4), Shape { before: &[3], read: 0, beside: &[3, 3], reads: 1 });
}

/// A short record, whose slot another goes on in.
pub(super) fn mixed(_: usize) {
    read_beside(ring(4), Shape { before: &[1, 1], read: 0, beside: &[1, 3], reads: 1 });
}

/// One that sees its record overwritten, and the one before it as it was. It goes on a margin behind the oldest.
pub(super) fn stale(_: usize) {
    read_beside(ring(4), Shape { before: &[1, 1, 1], read: 1, beside: &[1, 3], reads: 1 });
}

/// The same for one that knows of the first record only.
pub(super) fn behind(_: usize) {
    read_beside(ring(4), Shape { before: &[1], read: 1, beside: &[1, 1, 1, 3], reads: 1 });
}

/// Slots of two lines. The second line of a slot is stored into before its record comes.
pub(super) fn lines(_: usize) {
    read_beside(ring_of_lines(2), Shape { before: &[], read: 0, beside: &[2, 2], reads: 1 });
}

/// Records that `latest` skips count as skipped, and it never returns an older one than the last.
pub(super) fn latest(_: usize) {
    let (mut feed, ring) = ring(4);
    let mut witness = ring.join(Join::Oldest);
    publish(&mut feed, &[1]);
    let reader = thread::spawn(move || {
        witness.latest();
        witness
    });
    publish(&mut feed, &[1, 3]);
    let mut witness = reader.join().unwrap();
    witness.latest();
    if witness.sequence() != 3 {
        violated("gap", format!("the newest of 3 records left the subscriber at {}", witness.sequence()));
    }
}

/// A subscriber joins beside a publisher, once for each way to join.
pub(super) fn join(which: usize) {
    let join = [Join::Oldest, Join::Latest, Join::Sequence(0), Join::Sequence(1), Join::Sequence(2)][which];
    if which < 4 {
        struck();
    }
    let (mut feed, ring) = ring(4);
    publish(&mut feed, &[1, 3]);
    let reader = thread::spawn(move || {
        let mut witness = ring.join(join);
        witness.knows(join, 2);
        witness.step();
        witness
    });
    publish(&mut feed, &[1]);
    reader.join().unwrap().drain();
}

/// Records, then a close; read to the end.
pub(super) fn close(_: usize) {
    end(Feed::close, Step::Closed);
}

/// Records, then a panic; read to the end.
pub(super) fn unwind(_: usize) {
    end(Feed::unwind, Step::Dead);
}

fn end(end: fn(Feed), expected: Step) {
    let (mut feed, ring) = ring(4);
    // One waits for the next record, one for the one behind it.
    let mut witness = ring.join(Join::Sequence(1));
    let reader = thread::spawn(move || {
        witness.step();
        witness.step();
        witness
    });
    publish(&mut feed, &[1, 3]);
    end(feed);
    let last = reader.join().unwrap().drain();
    if last != expected {
        violated("end", format!("{last:?} where {expected:?} was expected"));
    }
}

/// A publisher that is killed after `stores` stores. An attached subscriber receives whole records only and stops where the
/// publisher stopped. Subscribers that join afterwards begin exactly there, or at the oldest.
pub(super) fn death(stores: usize) {
    die(ring(4), &[3, 1], stores);
}

/// The same with the smallest ring: the slot behind a record is that of the one before.
pub(super) fn death_small(stores: usize) {
    die(ring(2), &[1, 1], stores);
}

fn die((mut feed, ring): (Feed, Ring), lengths: &[usize], stores: usize) {
    publish(&mut feed, &[1]);
    let mut witness = ring.join(Join::Oldest);
    let reader = thread::spawn(move || {
        witness.step();
        witness
    });
    model::die_after(stores);
    publish(&mut feed, lengths);
    let mut witness = reader.join().unwrap();
    if model::died() {
        struck();
    }
    while !matches!(witness.step(), Step::Empty) {}
    let mut oldest = ring.join(Join::Oldest);
    while !matches!(oldest.step(), Step::Empty) {}
    let latest = ring.join(Join::Latest).first();
    if latest != witness.sequence() || latest != oldest.sequence() {
        violated("join", format!("the last that can be read is before {}, and Latest is {latest}", witness.sequence()));
    }
}

/// A publisher is killed after `stores` stores of its records, the kernel reports it, and another takes over and publishes a
/// shorter one. Meanwhile a subscriber reads.
pub(super) fn takeover(stores: usize) {
    let (mut feed, ring) = ring(4);
    publish(&mut feed, &[3]);
    let mut witness = ring.join(Join::Oldest);
    let reader = thread::spawn(move || {
        witness.step();
        witness
    });
    model::die_after(stores);
    publish(&mut feed, &[3]);
    if model::died() {
        struck();
    }
    end_takeover(feed, &ring);
    both_to_the_end(reader.join().unwrap(), &ring);
}

/// The same for a publisher that is killed while it takes over.
pub(super) fn takeover_twice(stores: usize) {
    let (mut feed, ring) = ring(4);
    publish(&mut feed, &[3]);
    let mut witness = ring.join(Join::Oldest);
    let reader = thread::spawn(move || {
        witness.step();
        witness
    });
    feed.unwind();
    model::die_after(stores);
    let mut feed = ring.take_over(Some(1)).expect("its publisher ended");
    feed.publish(3);
    if model::died() {
        struck();
    }
    end_takeover(feed, &ring);
    both_to_the_end(reader.join().unwrap(), &ring);
}

fn end_takeover(feed: Feed, ring: &Ring) {
    model::behave();
    let seen = ring.visible();
    feed.unwind();
    let mut feed = ring.take_over(Some(seen)).expect("its publisher ended");
    feed.publish(1);
    std::mem::forget(feed);
}

/// An attached subscriber, and one that joins now, both read to where the publisher is.
fn both_to_the_end(mut witness: Witness, ring: &Ring) {
    for last in [witness.drain(), ring.join(Join::Oldest).drain()] {
        if last != Step::Empty {
            violated("end", format!("{last:?} in a ring that goes on"));
        }
    }
}

/// A subscriber asks for the newest record while another publisher takes over and publishes two.
pub(super) fn takeover_latest(_: usize) {
    let (mut feed, ring) = ring(4);
    let mut witness = ring.join(Join::Oldest);
    feed.publish(1);
    feed.unwind();
    let reader = thread::spawn(move || {
        witness.latest();
        witness
    });
    let mut feed = ring.take_over(Some(1)).expect("its publisher ended");
    publish(&mut feed, &[1, 3]);
    let mut witness = reader.join().unwrap();
    while witness.latest() != Step::Empty {}
    if witness.sequence() != 3 {
        violated("gap", format!("the newest of 3 records left the subscriber at {}", witness.sequence()));
    }
    std::mem::forget(feed);
}

/// A subscriber joins while a publisher publishes two records and another takes over, which publishes nothing.
pub(super) fn taken_idle(_: usize) {
    let (mut feed, ring) = ring(4);
    let joining = ring.clone();
    let reader = thread::spawn(move || {
        let mut witness = joining.join(Join::Latest);
        witness.step();
        witness
    });
    publish(&mut feed, &[1, 1]);
    feed.unwind();
    let feed = ring.take_over(Some(2)).expect("its publisher ended");
    both_to_the_end(reader.join().unwrap(), &ring);
    std::mem::forget(feed);
}

/// A subscriber joins during a takeover, once for each way to join.
pub(super) fn takeover_join<const READS: usize>(which: usize) {
    let join = [Join::Oldest, Join::Latest, Join::Sequence(0), Join::Sequence(2)][which];
    if which < 3 {
        struck();
    }
    let (mut feed, ring) = ring(4);
    publish(&mut feed, &[3]);
    let joining = ring.clone();
    let reader = thread::spawn(move || {
        let mut witness = joining.join(join);
        witness.knows(join, 1);
        (0..READS).for_each(|_| _ = witness.step());
        witness
    });
    feed.unwind();
    let mut feed = ring.take_over(Some(1)).expect("its publisher ended");
    publish(&mut feed, &[1, 1]);
    both_to_the_end(reader.join().unwrap(), &ring);
    std::mem::forget(feed);
}

/// A subscriber that waits for record `first` sleeps until it has come.
fn park(first: u64, lengths: &[usize]) {
    model::fence_for_sleepers();
    let (mut feed, ring) = ring(4);
    let mut witness = ring.join_with(Join::Sequence(first), WaitStrategy::Block);
    let reader = thread::spawn(move || {
        let step = witness.wait();
        if step != Step::Messages(1) {
            violated("end", format!("{step:?} where a record was expected"));
        }
    });
    publish(&mut feed, lengths);
    reader.join().unwrap();
    drop(feed);
}

/// For the next record.
pub(super) fn park_next(_: usize) {
    park(0, &[3]);
}

/// For the one behind it.
pub(super) fn park_later(_: usize) {
    park(1, &[1, 1]);
}

/// For one that a thread wakes for.
pub(super) fn park_thread(_: usize) {
    model::wake_by_thread();
    park(0, &[1]);
}

/// One store writes what no publisher stores there: `FORGED` in turn. In a slot's word and in a head the ring must report that;
/// in a record's bytes, in the last position and in the count it cannot know.
pub(super) fn forged(which: usize) {
    let (store, value) = FORGED[which];
    if which + 1 < FORGED.len() {
        struck();
    }
    let (mut feed, ring) = ring(4);
    let mut witness = ring.join(Join::Oldest);
    model::forge(store, value);
    feed.publish(1);
    // The stores of one record in one slot: bytes, head, word, the last position, the next slot's word, the count.
    if store == 1 || store == 2 {
        witness.expect_forgery();
        let step = witness.step();
        if step != Step::Corrupt {
            violated("foreign", format!("{step:?} from a slot with a forged word"));
        }
    }
    let latest = ring.join(Join::Latest);
    if latest.first() > 1 {
        violated("join", format!("Latest is {} in a ring of one record", latest.first()));
    }
}

/// In a head: another number, a length beyond the longest. In a slot's word: another slot's position, one that no publisher
/// reaches, no state. In the last position and in the count: anything.
const FORGED: [(usize, u64); 8] = [
    (1, 5 | 8 << 32 | 1 << 56),
    (1, 100 << 32 | 1 << 56),
    (2, 4 + 2),
    (2, u64::MAX - 1),
    (2, 4),
    (3, u64::MAX),
    (5, u64::MAX),
    (5, 1 << 40),
];

/// A ring that begins at record 3: one that asks for an earlier one loses what this ring never had, and no more.
pub(super) fn base(_: usize) {
    let (mut feed, ring) = ring_from(4, 3);
    ring.join(Join::Oldest).knows(Join::Oldest, 3);
    let mut witness = ring.join(Join::Sequence(1));
    let reader = thread::spawn(move || {
        witness.step();
        witness.step();
        witness
    });
    feed.publish(3);
    reader.join().unwrap().drain();
}
