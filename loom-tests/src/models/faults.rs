//! What must hold although something is wrong: a publisher killed at any store, a word that no publisher stored, memory
//! at an odd address.

use feed_ring::Join;
use feed_ring::sync::model;
use loom::thread;

use crate::explore::{struck, violated};
use crate::oracle::{Feed, Message, Ring, Step, Witness, ring};

/// A publisher that is killed after `stores` stores. Who was attached gets whole messages only and stays where the
/// publisher stopped; who joins afterwards begins exactly there.
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

/// A publisher is killed after `stores` stores of its two messages, the kernel tells of it, and another goes on, while a
/// subscriber looks `READS` times.
pub(super) fn takeover<const READS: usize>(stores: usize) {
    takeover_from::<2, READS>(ring(2), stores, publish_two, Witness::step);
}

/// The same with a publisher that takes lines over two messages ahead.
pub(super) fn takeover_ahead<const WORDS: usize, const READS: usize>(stores: usize)
where
    [u64; WORDS]: Message,
{
    let (mut feed, ring) = ring(2);
    feed.own_two_ahead();
    takeover_from::<WORDS, READS>((feed, ring), stores, publish_two, Witness::step);
}

/// A publisher is killed in the middle of a batch, and whoever goes on leaves both epochs within the reach of one batch.
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

/// A takeover that publishes nothing yet: the subscriber is told where the epoch begins, by the header alone.
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
/// older ones.
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
        feed.publish();
    }
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

/// A publisher takes over and owns the line of a message that the one before it published: who finds the message through that
/// store sees it whole, too. (In two slots the line would be that of its own last message.)
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

/// The newest is asked for while another publisher takes over and publishes two messages: the epoch is told of where it
/// begins, although that is passed over.
pub(super) fn takeover_latest(_: usize) {
    let (mut feed, ring) = ring::<[u64; 1]>(2);
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

/// A subscriber joins while one publisher takes over from another, in each way to join in turn.
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

/// The kernel tells of the death, and another publisher goes on with one message.
fn end_takeover<T: Message>(feed: Feed<T>, ring: &Ring<T>) {
    model::behave();
    let seen = ring.visible();
    feed.unwind();
    let mut feed = ring.take_over(Some(seen)).expect("its publisher ended");
    feed.publish();
    // Kept alive, as by a program that goes on.
    std::mem::forget(feed);
}

/// Who was attached reads to where the publisher is, and so does who joins now.
fn end<T: Message>(witness: &mut Witness<T>, ring: &Ring<T>) {
    for last in [witness.drain(), ring.join(Join::Oldest).drain()] {
        if last != Step::Empty {
            violated("end", format!("{last:?} in a ring that goes on"));
        }
    }
}

/// A publisher closes on its own thread, and another goes on: there is nothing between the two but the ring.
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

/// A word of which one store says what no publisher stores there: 8, message 3 as published, which belongs into slot 1.
/// In a slot's sequence that is told; in a payload, or in the count of messages, it is not for the ring to know.
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

/// The count of messages says what no publisher can have reached when a subscriber was lapped: its loss is what the slots
/// say.
pub(super) fn forged_count(_: usize) {
    let (mut feed, ring) = ring::<[u64; 1]>(2);
    let mut witness = ring.join(Join::Oldest);
    publish_two(&mut feed);
    model::forge(3, u64::MAX);
    feed.publish();
    witness.step();
}

/// A publisher takes over where a slot says that it holds message 3, which belongs into another, or a message that no
/// publisher can have reached: the first is passed over, the second refused.
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
        violated("next", format!("where a slot says {word}, that a takeover goes on is {}", taken.is_some()));
    }
    std::mem::forget(taken);
}

/// A ring that lies as the incident's segment lay: of every three words, which is what a slot has, one lies across a
/// boundary, the first, the second or the third. A payload that the processor tears is thrown away like one that is
/// overwritten. (A sequence word may be cut, too, but numbers as small as these change in one piece only: that it is never
/// misaligned is asserted where memory is mapped.)
pub(super) fn straddling(which: usize) {
    model::arena(4 + 8 * which, 24);
    if which < 2 {
        struck();
    }
    super::stream::run::<2, 2, 3, 2>(0);
}
