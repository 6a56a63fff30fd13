//! A publisher of records that passes over numbers: it publishes another ring's records.

use feed_ring::sync::model;
use feed_ring::{Join, WaitStrategy};
use loom::thread;

use crate::explore::{struck, violated};
use crate::record_oracle::{Feed, Ring, Witness, ring};
use crate::truth::Step;

fn relayed(slots: usize) -> (Feed, Ring) {
    model::relay();
    ring(slots)
}

/// A record, two numbers passed over, a record. One that was there from the start looks twice, then reads to the end. So does one
/// that joins at a number that was passed over.
pub(super) fn pass_over(_: usize) {
    let (mut feed, ring) = relayed(4);
    let mut witness = ring.join(Join::Oldest);
    let reader = thread::spawn(move || {
        witness.step();
        witness.step();
        witness
    });
    feed.publish(1);
    feed.pass_over(2);
    feed.publish(1);
    reader.join().unwrap().drain();
    for number in 0..=4 {
        ring.join(Join::Sequence(number)).drain();
    }
}

/// Numbers that were passed over, and a record over them a lap later, beside one that reads what was there.
pub(super) fn overwritten(_: usize) {
    let (mut feed, ring) = relayed(2);
    let mut witness = ring.join(Join::Oldest);
    feed.pass_over(2);
    let reader = thread::spawn(move || {
        witness.step();
        witness.step();
        witness
    });
    feed.publish(1);
    feed.publish(1);
    reader.join().unwrap().drain();
}

/// A subscriber joins beside a publisher that passes over numbers and publishes, once for each way to join.
pub(super) fn join(which: usize) {
    let join = [Join::Oldest, Join::Latest, Join::Sequence(0), Join::Sequence(2), Join::Sequence(3)][which];
    if which < 4 {
        struck();
    }
    let (mut feed, ring) = relayed(4);
    feed.publish(1);
    let reader = thread::spawn(move || {
        let mut witness = ring.join(join);
        witness.step();
        witness
    });
    feed.pass_over(2);
    feed.publish(1);
    reader.join().unwrap().drain();
}

/// The newest record is asked for while numbers are passed over behind it.
pub(super) fn latest(_: usize) {
    let (mut feed, ring) = relayed(4);
    let mut witness = ring.join(Join::Oldest);
    feed.publish(1);
    feed.publish(1);
    let reader = thread::spawn(move || {
        let step = witness.latest();
        if step != Step::Messages(1) || witness.sequence() != 2 {
            let next = witness.sequence();
            violated("gap", format!("{step:?} up to {next} where record 1 is the newest, and nothing is behind it"));
        }
        witness
    });
    feed.pass_over(2);
    reader.join().unwrap().drain();
}

/// Killed at every store while it passes over numbers in a ring of `SLOTS` slots. One reads on; one that joins begins where nothing
/// is missing; and another publisher goes on behind what anybody can have been told of.
pub(super) fn death<const SLOTS: usize>(stores: usize) {
    let (mut feed, ring) = relayed(SLOTS);
    let mut witness = ring.join(Join::Oldest);
    let reader = thread::spawn(move || {
        witness.step();
        witness.step();
        witness
    });
    feed.publish(1);
    model::die_after(stores);
    feed.pass_over(2);
    go_on(feed, &ring, reader.join().unwrap());
}

/// Killed at every store of the record behind numbers that it passed over; another goes on in the same epoch.
pub(super) fn goes_on(stores: usize) {
    let (mut feed, ring) = relayed(4);
    let mut witness = ring.join(Join::Oldest);
    let reader = thread::spawn(move || {
        witness.step();
        witness.step();
        witness
    });
    feed.pass_over(2);
    model::die_after(stores);
    feed.publish(3);
    go_on(feed, &ring, reader.join().unwrap());
}

fn go_on(feed: Feed, ring: &Ring, mut witness: Witness) {
    if model::died() {
        struck();
    }
    while !matches!(witness.step(), Step::Empty) {}
    let latest = ring.join(Join::Latest).first();
    if latest != witness.sequence() {
        violated("join", format!("the last that can be read is before {}, and Latest is {latest}", witness.sequence()));
    }
    model::behave();
    let seen = ring.visible().max(witness.sequence());
    feed.unwind();
    // Twice: what the first one leaves has to say as much as what it found.
    ring.go_on(seen).expect("its publisher ended").unwind();
    let mut feed = ring.go_on(seen).expect("its publisher ended");
    feed.publish(1);
    for last in [witness.drain(), ring.join(Join::Oldest).drain()] {
        if last != Step::Empty {
            violated("end", format!("{last:?} in a ring that goes on"));
        }
    }
    std::mem::forget(feed);
}

/// A slot says that numbers were passed over up to one that is not behind them, or that none reaches.
pub(super) fn forged(which: usize) {
    let until = [0, 1 << 62, (1 << 62) + 1][which];
    if which < 2 {
        struck();
    }
    let (mut feed, ring) = relayed(2);
    let mut witness = ring.join(Join::Oldest);
    witness.expect_forgery();
    // Behind the word for where they begin.
    model::forge(1, until);
    feed.pass_over(1);
    let step = witness.step();
    if step != Step::Corrupt {
        violated("foreign", format!("{step:?} where record 0 is said to be followed by {until}"));
    }
}

/// Numbers are passed over while a subscriber sleeps: nothing else wakes it.
pub(super) fn park(_: usize) {
    model::fence_for_sleepers();
    let (mut feed, ring) = relayed(4);
    let mut witness = ring.join_with(Join::Oldest, WaitStrategy::Block);
    let reader = thread::spawn(move || {
        let step = witness.wait();
        if step != Step::Lagged {
            violated("wake", format!("{step:?} where two numbers were passed over"));
        }
    });
    feed.pass_over(2);
    reader.join().unwrap();
    drop(feed);
}

/// The same for one that a thread wakes.
pub(super) fn park_thread(which: usize) {
    model::wake_by_thread();
    park(which);
}
