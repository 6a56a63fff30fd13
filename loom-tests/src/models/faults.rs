//! What must hold in spite of a fault: a publisher killed at any store, a word that no publisher stored, memory at a
//! misaligned address.

use feed_ring::Join;
use feed_ring::sync::model;
use loom::thread;

use crate::explore::{struck, violated};
use crate::oracle::{Feed, Message, Ring, Step, Witness, ring};

/// A publisher that is killed after `stores` stores. An attached subscriber receives whole messages only and stops
/// where the publisher stopped. A subscriber that joins afterwards begins exactly there.
pub(super) fn death(stores: usize) {
    let (mut feed, ring) = ring::<[u64; 2]>(2);
    let mut witness = ring.join(Join::Oldest);
    let reader = thread::spawn(move || {
        for _ in 0..2 {
            witness.step();
        }
        witness
    });
    model::die_after(stores);
    for _ in 0..3 {
        feed.publish();
    }
    let mut witness = reader.join().unwrap();
    if model::died() {
        struck();
    }
    while !matches!(witness.step(), Step::Empty) {}
    let latest = ring.join(Join::Latest).first();
    if latest != witness.sequence() {
        violated("join", format!("the last that can be read is before {}, and Latest is {latest}", witness.sequence()));
    }
}

/// A publisher is killed after `stores` stores of its two messages, the kernel reports it, and another publisher takes
/// over. Meanwhile a subscriber reads `READS` times.
pub(super) fn takeover<const READS: usize>(stores: usize) {
    takeover_from::<2, READS>(ring(2), stores, publish_two, Witness::step);
}

/// The same with a publisher that owns lines two messages ahead.
pub(super) fn takeover_ahead<const WORDS: usize, const READS: usize>(stores: usize)
where
    [u64; WORDS]: Message,
{
    let (mut feed, ring) = ring(2);
    feed.own_two_ahead();
    takeover_from::<WORDS, READS>((feed, ring), stores, publish_two, Witness::step);
}

/// A publisher is killed in the middle of a batch and another takes over. One batch of the subscriber may reach both
/// epochs.
pub(super) fn takeover_batch(stores: usize) {
    takeover_from::<1, 1>(ring(4), stores, |feed| feed.publish_batch::<2>(), Witness::batch::<3>);
}

fn publish_two<const WORDS: usize>(feed: &mut Feed<[u64; WORDS]>)
where
    [u64; WORDS]: Message,
{
    feed.publish();
    feed.publish();
}

fn takeover_from<const WORDS: usize, const READS: usize>(
    (mut feed, ring): (Feed<[u64; WORDS]>, Ring<[u64; WORDS]>),
    stores: usize,
    publish: fn(&mut Feed<[u64; WORDS]>),
    look: fn(&mut Witness<[u64; WORDS]>) -> Step,
) where
    [u64; WORDS]: Message,
{
    let mut witness = ring.join(Join::Oldest);
    let reader = thread::spawn(move || {
        for _ in 0..READS {
            look(&mut witness);
        }
        witness
    });
    model::die_after(stores);
    publish(&mut feed);
    if model::died() {
        struck();
    }
    end_takeover(feed, &ring);
    let mut witness = reader.join().unwrap();
    end(&mut witness, &ring);
}

/// The same for a publisher that is killed while it takes over.
pub(super) fn takeover_twice<const READS: usize>(stores: usize) {
    let (mut feed, ring) = ring::<[u64; 2]>(2);
    let mut witness = ring.join(Join::Sequence(1));
    let reader = thread::spawn(move || {
        for _ in 0..READS {
            witness.step();
        }
        witness
    });
    feed.publish();
    feed.unwind();
    model::die_after(stores);
    let mut feed = ring.take_over(Some(1)).expect("its publisher ended");
    feed.publish();
    if model::died() {
        struck();
    }
    end_takeover(feed, &ring);
    let mut witness = reader.join().unwrap();
    end(&mut witness, &ring);
}

/// A takeover that publishes nothing yet: the subscriber learns where the epoch begins from the header alone.
pub(super) fn epoch(_: usize) {
    let (mut feed, ring) = ring::<[u64; 1]>(2);
    let mut witness = ring.join(Join::Sequence(1));
    let reader = thread::spawn(move || {
        witness.step();
        witness.step();
        witness
    });
    feed.publish();
    feed.unwind();
    let feed = ring.take_over(Some(1)).expect("its publisher ended");
    reader.join().unwrap().drain();
    std::mem::forget(feed);
}

/// `LIVES` publishers, one after the other, each of which publishes a message and ends, while a subscriber that was there from
/// the start looks `READS` times. The ring knows where the last two epochs began.
pub(super) fn restarts<const LIVES: u64, const READS: usize>(_: usize) {
    let (feed, ring) = ring::<[u64; 1]>(8);
    let mut witness = ring.join(Join::Oldest);
    let reader = thread::spawn(move || {
        for _ in 0..READS {
            witness.step();
        }
        witness
    });
    let feed = live(feed, &ring, LIVES);
    end(&mut reader.join().unwrap(), &ring);
    std::mem::forget(feed);
}

/// One joins at the oldest while the third publisher goes and the fourth comes.
pub(super) fn restarts_join(_: usize) {
    let (feed, ring) = ring::<[u64; 1]>(8);
    let feed = live(feed, &ring, 3);
    let joining = ring.clone();
    let reader = thread::spawn(move || {
        let mut witness = joining.join(Join::Oldest);
        witness.step();
        witness.step();
        witness
    });
    feed.unwind();
    let mut feed = ring.take_over(None).expect("its publisher ended");
    feed.publish();
    end(&mut reader.join().unwrap(), &ring);
    std::mem::forget(feed);
}

/// The beginnings of the second and the third epoch are read while the fourth and the fifth publisher write theirs over the
/// older ones. Neither publishes before that: the fence of a publish would hide that another is missing.
pub(super) fn restarts_overwritten(_: usize) {
    let (feed, ring) = ring::<[u64; 1]>(8);
    let mut witness = ring.join(Join::Oldest);
    let mut feed = live(feed, &ring, 3);
    witness.step();
    let reader = thread::spawn(move || {
        witness.step();
        witness
    });
    for _ in 0..2 {
        feed.unwind();
        feed = ring.take_over(None).expect("its publisher ended");
    }
    feed.publish();
    end(&mut reader.join().unwrap(), &ring);
    std::mem::forget(feed);
}

/// Publishers until there were `lives`, each with one message.
fn live(mut feed: Feed<[u64; 1]>, ring: &Ring<[u64; 1]>, lives: u64) -> Feed<[u64; 1]> {
    feed.publish();
    for life in 1..lives {
        feed.unwind();
        feed = ring.take_over(Some(life)).expect("its publisher ended");
        feed.publish();
    }
    feed
}

/// A publisher takes over, publishes nothing and closes: its epoch is told before its end.
pub(super) fn end_takeover_unused(_: usize) {
    let (feed, ring) = ring::<[u64; 1]>(2);
    let mut witness = ring.join(Join::Oldest);
    feed.unwind();
    let reader = thread::spawn(move || {
        let mut told = false;
        for _ in 0..2 {
            let step = witness.step();
            told |= step == Step::Restarted;
            if step == Step::Closed && !told {
                violated("restart", "the end of an epoch that was not told".to_owned());
            }
        }
    });
    ring.take_over(Some(0)).expect("its publisher ended").close();
    reader.join().unwrap();
}

/// A publisher takes over and owns the line of a message that the publisher before it published. A reader that finds
/// the message through that store sees all of it. (With two slots the line would hold the new publisher's own last
/// message.)
pub(super) fn takeover_owns(_: usize) {
    let (mut feed, ring) = ring::<[u64; 1]>(4);
    let mut witness = ring.join(Join::Oldest);
    let reader = thread::spawn(move || {
        witness.step();
        witness.step();
        witness
    });
    publish_two(&mut feed);
    feed.unwind();
    let mut feed = ring.take_over(Some(2)).expect("its publisher ended");
    feed.own_two_ahead();
    feed.publish();
    end(&mut reader.join().unwrap(), &ring);
    std::mem::forget(feed);
}

/// A subscriber calls `latest` while another publisher takes over and publishes two messages. The epoch is reported at
/// its first message, although `latest` skips that.
pub(super) fn takeover_latest(_: usize) {
    let (mut feed, ring) = ring::<[u64; 1]>(4);
    let mut witness = ring.join(Join::Oldest);
    feed.publish();
    feed.unwind();
    let reader = thread::spawn(move || {
        witness.latest();
        witness
    });
    let mut feed = ring.take_over(Some(1)).expect("its publisher ended");
    publish_two(&mut feed);
    let mut witness = reader.join().unwrap();
    while witness.latest() != Step::Empty {}
    if witness.sequence() != 3 {
        violated("gap", format!("the newest of 3 messages left the subscriber at {}", witness.sequence()));
    }
    std::mem::forget(feed);
}

/// A subscriber joins during a takeover, once for each way to join.
pub(super) fn takeover_join(which: usize) {
    let join = [Join::Oldest, Join::Latest, Join::Sequence(0), Join::Sequence(2)][which];
    if which < 3 {
        struck();
    }
    let (mut feed, ring) = ring::<[u64; 1]>(2);
    feed.publish();
    let joining = ring.clone();
    let reader = thread::spawn(move || {
        let mut witness = joining.join(join);
        witness.knows(join, 1);
        witness.step();
        witness.step();
        witness
    });
    feed.unwind();
    let mut feed = ring.take_over(Some(1)).expect("its publisher ended");
    publish_two(&mut feed);
    end(&mut reader.join().unwrap(), &ring);
    std::mem::forget(feed);
}

/// The kernel reports the death, and another publisher takes over and publishes one message.
fn end_takeover<T: Message>(feed: Feed<T>, ring: &Ring<T>) {
    model::behave();
    let seen = ring.visible();
    feed.unwind();
    let mut feed = ring.take_over(Some(seen)).expect("its publisher ended");
    feed.publish();
    // Kept alive, as in a program that goes on.
    std::mem::forget(feed);
}

/// An attached subscriber, and one that joins now, both read to where the publisher is.
fn end<T: Message>(witness: &mut Witness<T>, ring: &Ring<T>) {
    for last in [witness.drain(), ring.join(Join::Oldest).drain()] {
        if last != Step::Empty {
            violated("end", format!("{last:?} in a ring that goes on"));
        }
    }
}

/// A publisher closes on its own thread, and another takes over. Only the ring synchronises the two.
pub(super) fn handover(_: usize) {
    let (mut feed, ring) = ring::<[u64; 2]>(2);
    let first = thread::spawn(move || {
        feed.publish();
        feed.close();
    });
    let mut feed = loop {
        match ring.take_over(None) {
            Some(feed) => break feed,
            None => thread::yield_now(),
        }
    };
    feed.publish();
    let last = ring.join(Join::Oldest).drain();
    if last != Step::Empty {
        violated("end", format!("{last:?} in a ring that goes on"));
    }
    first.join().unwrap();
}

/// One store writes what no publisher stores there: 8, which means message 3, published, and belongs in slot 1. In a
/// sequence word the ring must report that; in a payload or in the published count it cannot know.
pub(super) fn forged(stores: usize) {
    let (mut feed, ring) = ring::<[u64; 1]>(2);
    let mut witness = ring.join(Join::Oldest);
    model::forge(stores, 8);
    feed.publish();
    if model::stores() > stores {
        struck();
    }
    // The stores of one publish: payload, sequence, the next slot's marker, the count.
    if stores == 1 {
        witness.expect_forgery();
        let step = witness.step();
        if step != Step::Corrupt {
            violated("foreign", format!("{step:?} from a slot that says 8"));
        }
    }
}

/// The published count says what no publisher can have reached when a subscriber was lapped. The reported loss must
/// come from the slots.
pub(super) fn forged_count(_: usize) {
    let (mut feed, ring) = ring::<[u64; 1]>(2);
    let mut witness = ring.join(Join::Oldest);
    publish_two(&mut feed);
    model::forge(3, u64::MAX);
    feed.publish();
    witness.step();
}

/// A publisher takes over a ring in which a slot says message 3, which belongs in another slot, or a message that no
/// publisher can have reached. The first is ignored, the second is refused.
pub(super) fn forged_takeover(which: usize) {
    let (word, seen) = [(8, Some(0)), (u64::MAX - 1, None)][which];
    if which == 0 {
        struck();
    }
    let (mut feed, ring) = ring::<[u64; 1]>(2);
    model::forge(1, word);
    feed.publish();
    feed.unwind();
    let taken = ring.take_over(seen);
    if seen.is_some() != taken.is_some() {
        violated("next", format!("a slot says {word}; the takeover succeeded: {}", taken.is_some()));
    }
    std::mem::forget(taken);
}

/// A ring in memory that is misaligned like the incident's segment. Of each slot's three words one lies across a
/// boundary: the first, the second or the third. A payload that the processor tears is thrown away like one that was
/// overwritten. (A sequence word may be cut too, but numbers as small as these change in one piece only. Mapping
/// asserts that sequence words are never misaligned.)
pub(super) fn straddling(which: usize) {
    model::arena(4 + 8 * which, 24);
    if which < 2 {
        struck();
    }
    super::stream::run::<2, 2, 3, 2>(0);
}
