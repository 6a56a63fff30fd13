//! A publisher that passes over numbers, and begins epochs while it lives: it publishes another ring's messages.

use feed_ring::Join;
use feed_ring::sync::model;
use loom::thread;

use crate::explore::{struck, violated};
use crate::oracle::{Feed, Message, Ring, Step, Witness, ring};

fn relayed<const WORDS: usize>(slots: usize) -> (Feed<[u64; WORDS]>, Ring<[u64; WORDS]>)
where
    [u64; WORDS]: Message,
{
    model::relay();
    ring(slots)
}

/// A message, `COUNT` numbers passed over, a message, in a ring of `SLOTS` slots. One that was there from the start looks twice, then
/// reads to the end: what it is told as lost is what was passed over, or overwritten. So does one that joins at a number that was
/// passed over.
pub(super) fn pass_over<const SLOTS: usize, const COUNT: u64>(_: usize) {
    let (mut feed, ring) = relayed::<2>(SLOTS);
    let mut witness = ring.join(Join::Oldest);
    let reader = thread::spawn(move || {
        witness.step();
        witness.step();
        witness
    });
    feed.publish();
    feed.pass_over(COUNT);
    feed.publish();
    reader.join().unwrap().drain();
    for number in 0..=COUNT {
        ring.join(Join::Sequence(number)).drain();
    }
}

/// A number that was passed over, and a message over it a lap later, beside one that reads what was there.
pub(super) fn overwritten(_: usize) {
    let (mut feed, ring) = relayed::<2>(2);
    let mut witness = ring.join(Join::Oldest);
    feed.pass_over(1);
    let reader = thread::spawn(move || {
        witness.step();
        witness.step();
        witness
    });
    feed.publish();
    feed.publish();
    reader.join().unwrap().drain();
}

/// The newest message is asked for while numbers are passed over behind it.
pub(super) fn latest(_: usize) {
    let (mut feed, ring) = relayed::<1>(4);
    let mut witness = ring.join(Join::Oldest);
    feed.publish();
    feed.publish();
    let reader = thread::spawn(move || {
        let step = witness.latest();
        if step != Step::Messages(1) {
            violated("gap", format!("{step:?} where there is a message, and nothing is behind it"));
        }
        witness
    });
    feed.pass_over(2);
    reader.join().unwrap().drain();
}

/// Killed at every store while it passes over `COUNT` numbers. One reads on; one that joins begins where nothing is missing; and
/// another publisher goes on behind what anybody can have been told of.
pub(super) fn death<const SLOTS: usize, const COUNT: u64>(stores: usize) {
    let (mut feed, ring) = relayed::<1>(SLOTS);
    let mut witness = ring.join(Join::Oldest);
    let reader = thread::spawn(move || {
        witness.step();
        witness.step();
        witness
    });
    feed.publish();
    model::die_after(stores);
    feed.pass_over(COUNT);
    go_on(feed, &ring, reader.join().unwrap());
}

/// Killed at every store of its messages; another goes on in the same epoch.
pub(super) fn goes_on(stores: usize) {
    let (mut feed, ring) = relayed::<2>(2);
    let mut witness = ring.join(Join::Oldest);
    let reader = thread::spawn(move || {
        witness.step();
        witness.step();
        witness
    });
    model::die_after(stores);
    feed.publish();
    feed.publish();
    go_on(feed, &ring, reader.join().unwrap());
}

fn go_on<const WORDS: usize>(feed: Feed<[u64; WORDS]>, ring: &Ring<[u64; WORDS]>, mut witness: Witness<[u64; WORDS]>)
where
    [u64; WORDS]: Message,
{
    if model::died() {
        struck();
    }
    while !matches!(witness.step(), Step::Empty) {}
    let latest = ring.join(Join::Latest).first();
    if latest != witness.sequence() {
        violated("join", format!("the last that can be read is before {}, and Latest is {latest}", witness.sequence()));
    }
    model::behave();
    // One that joins among numbers that were passed over only in part is told when the next publisher finishes that.
    let seen = ring.visible().max(witness.sequence());
    feed.unwind();
    // Twice: what the first one leaves has to say as much as what it found.
    ring.go_on(seen).expect("its publisher ended").unwind();
    let mut feed = ring.go_on(seen).expect("its publisher ended");
    feed.publish();
    for last in [witness.drain(), ring.join(Join::Oldest).drain()] {
        if last != Step::Empty {
            violated("end", format!("{last:?} in a ring that goes on"));
        }
    }
    std::mem::forget(feed);
}

/// Epochs begin while the publisher lives: one with a message, one without, one with a message again.
pub(super) fn epochs(_: usize) {
    let (mut feed, ring) = relayed::<1>(8);
    let mut witness = ring.join(Join::Oldest);
    let reader = thread::spawn(move || {
        witness.step();
        witness.step();
        witness
    });
    feed.publish();
    feed.begin_epoch();
    feed.publish();
    feed.begin_epoch();
    feed.begin_epoch();
    feed.publish();
    reader.join().unwrap().drain();
}

/// A slot says that a number was passed over that no publisher passes over: behind it comes one before it, or one that none reaches.
pub(super) fn forged(which: usize) {
    let until = [0, 1 << 62][which];
    if which == 0 {
        struck();
    }
    let (mut feed, ring) = relayed::<1>(2);
    let mut witness = ring.join(Join::Oldest);
    witness.expect_forgery();
    model::forge(0, until);
    feed.pass_over(1);
    let step = witness.step();
    if step != Step::Corrupt {
        violated("foreign", format!("{step:?} where message 0 is said to be followed by {until}"));
    }
}
