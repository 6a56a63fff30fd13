//! Sleeping subscribers: every message and event wakes them.
//!
//! These publishers stay until their subscriber has what it waits for, and publish nothing more that could wake it by
//! chance. So after a lost wake-up the subscriber sleeps for ever.

use feed_ring::sync::model;
use feed_ring::{Join, WaitStrategy};
use loom::thread;

use crate::explore::violated;
use crate::oracle::{Feed, Ring, Step, ring};

/// A subscriber that sleeps until each of the steps has come.
fn park(steps: &'static [Step], publish: impl FnOnce(Feed<[u64; 1]>, &Ring<[u64; 1]>) -> Option<Feed<[u64; 1]>>) {
    model::fence_for_sleepers(); // for publishers without a thread that wakes
    let (feed, ring) = ring::<[u64; 1]>(2);
    let mut witness = ring.join_with(Join::Oldest, WaitStrategy::Block);
    let reader = thread::spawn(move || {
        for expected in steps {
            let step = witness.wait();
            // A message may be overwritten before the sleeper is awake. A reported loss is right as well.
            if step != *expected && step != Step::Lagged {
                violated("end", format!("{step:?} where {expected:?} was expected"));
            }
        }
    });
    let feed = publish(feed, &ring);
    reader.join().unwrap();
    drop(feed);
}

/// Messages.
pub(super) fn message(_: usize) {
    park(&[Step::Messages(1), Step::Messages(1)], |mut feed, _| {
        feed.publish();
        feed.publish();
        Some(feed)
    });
}

/// Messages, of a publisher whose thread wakes for it.
pub(super) fn message_by_thread(_: usize) {
    model::wake_by_thread();
    park(&[Step::Messages(1)], |mut feed, _| {
        feed.publish();
        Some(feed)
    });
}

/// The end, of such a publisher.
pub(super) fn close_by_thread(_: usize) {
    model::wake_by_thread();
    close(0);
}

/// A message and the end, by leaving, of such a publisher.
pub(super) fn leave_by_thread(_: usize) {
    model::wake_by_thread();
    park(&[Step::Messages(1), Step::Dead], |mut feed, _| {
        feed.publish();
        feed.leave();
        None
    });
}

/// The end, by a close.
pub(super) fn close(_: usize) {
    park(&[Step::Closed], |feed, _| {
        feed.close();
        None
    });
}

/// The end, by a panic.
pub(super) fn unwind(_: usize) {
    park(&[Step::Dead], |feed, _| {
        feed.unwind();
        None
    });
}

/// A takeover by a publisher that publishes nothing yet.
pub(super) fn takeover(_: usize) {
    model::fence_for_sleepers();
    let (feed, ring) = ring::<[u64; 1]>(2);
    let mut witness = ring.join_with(Join::Oldest, WaitStrategy::Block);
    let reader = thread::spawn(move || {
        // Until another publisher takes over, the death is reported again and again.
        while witness.wait() != Step::Restarted {
            thread::yield_now();
        }
    });
    feed.unwind();
    let feed = ring.take_over(Some(0)).expect("its publisher ended");
    reader.join().unwrap();
    drop(feed);
}

/// A subscriber that waits for a publisher, and another thread that takes the ring over.
pub(super) fn await_publisher(_: usize) {
    let (feed, ring) = ring::<[u64; 1]>(2);
    let mut witness = ring.join(Join::Oldest);
    feed.unwind();
    let taking = thread::spawn(move || ring.take_over(Some(0)).expect("its publisher ended"));
    witness.await_publisher();
    // The subscriber sees that there is a publisher a moment before it sees its epoch.
    while witness.step() != Step::Restarted {
        thread::yield_now();
    }
    drop(taking.join().unwrap());
}

/// A panic, and another thread that takes the ring over as soon as it can. The old publisher must not store anything
/// after that.
pub(super) fn unwind_takeover(_: usize) {
    model::fence_for_sleepers();
    let (feed, ring) = ring::<[u64; 1]>(2);
    let mut witness = ring.join_with(Join::Oldest, WaitStrategy::Block);
    let taken = ring.clone();
    let taking = thread::spawn(move || {
        let mut feed = loop {
            match taken.take_over(Some(0)) {
                Some(feed) => break feed,
                None => thread::yield_now(),
            }
        };
        feed.publish();
        feed
    });
    feed.unwind();
    while witness.wait() != Step::Messages(1) {
        thread::yield_now();
    }
    drop(taking.join().unwrap());
}
