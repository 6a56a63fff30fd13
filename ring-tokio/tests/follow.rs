//! Following within tokio: publishers restart, rings are replaced by larger ones, and futures are dropped at random. Every message
//! is accounted for, over all rings.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use feed_ring::follow::{Continuation, Event};
use feed_ring::{Join, Publisher, Subscriber, raw};
use feed_ring_tokio::{AsyncFollow, Follows, Item};
use feed_testing::PrivateRoot;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const CANCELLATIONS: u64 = 20_000;
const LIVES: u64 = 12;

/// Publishes the messages' own numbers until `done`. Each publisher but the last leaves its ring to the next, or a ring of
/// another capacity takes its place. Returns the number of messages.
fn publish(root: &PrivateRoot, mut rng: ChaCha8Rng, done: &AtomicBool) -> u64 {
    let (mut lives, mut capacity) = (0, 64);
    loop {
        let mut publisher = Publisher::<u64>::options("r").root(root).capacity(capacity).create().unwrap();
        lives += 1;
        for _ in 0..rng.random_range(1..200) {
            for _ in 0..rng.random_range(1..20) {
                publisher.publish(&publisher.published());
            }
            if rng.random_bool(0.1) {
                thread::sleep(Duration::from_micros(rng.random_range(0..300)));
            }
        }
        if lives >= LIVES && done.load(Ordering::Relaxed) {
            let published = publisher.published();
            publisher.close().unwrap();
            return published;
        }
        publisher.leave();
        if rng.random_bool(0.3) {
            capacity = if capacity == 64 { 128 } else { 64 };
        }
        if rng.random_bool(0.5) {
            thread::sleep(Duration::from_millis(rng.random_range(0..10)));
        }
    }
}

/// Sets it, also when the test fails.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn follows<S: Follows>(root: &PrivateRoot, mut follow: AsyncFollow<S>, number: impl Fn(S::Owned) -> u64) {
    let seed = rand::random();
    println!("seed {seed}");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let publishing = scope.spawn(|| publish(root, ChaCha8Rng::seed_from_u64(seed ^ 1), &done));
        let _ended = Done(&done);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (mut next, mut messages, mut cancelled, mut closed, mut unseen) = (0, 0, 0, false, false);
        runtime.block_on(async {
            loop {
                let item = if rng.random_bool(0.05) {
                    tokio::select! { biased; item = follow.next() => Some(item), () = tokio::time::sleep(Duration::from_millis(1)) => None }
                } else {
                    match pin!(follow.next()).poll(&mut Context::from_waker(Waker::noop())) {
                        Poll::Ready(item) => Some(item),
                        Poll::Pending => None,
                    }
                };
                match item {
                    None => {
                        cancelled += 1;
                        done.fetch_or(cancelled >= CANCELLATIONS, Ordering::Relaxed);
                    }
                    Some(None) => break,
                    Some(Some(item)) => match item.unwrap() {
                        Item::Message(received) => {
                            assert_eq!((received.number, number(received.message)), (next, next));
                            next += 1;
                            messages += 1;
                        }
                        Item::Event(Event::Lagged { missed }) => next += missed,
                        Item::Event(Event::Opened { continues: Continuation::Continued { gap }, .. }) => next += gap,
                        Item::Event(Event::Opened { continues, .. }) => assert_eq!(continues, Continuation::First),
                        Item::Event(Event::Closed { sequence }) => closed = sequence == next,
                        // The last ring was there too short a time. What it carried is not counted.
                        Item::Event(Event::ClosedUnseen) => unseen = true,
                        Item::Event(_) => {}
                    },
                }
            }
        });
        let published = publishing.join().unwrap();
        let all = follow.into_inner().overall();
        assert_eq!(all.first + all.received + all.lost + all.skipped, all.next);
        assert_eq!((all.next, all.received, closed), (next, messages, !unseen), "{all:?}");
        assert!(next == published || unseen && next < published, "{published} {all:?}");
        assert!(cancelled >= CANCELLATIONS && all.restarts + all.reopened > 0, "{cancelled} {all:?}");
        println!("{cancelled} cancellations, {all:?}");
    });
}

#[test]
fn of_messages() {
    let root = PrivateRoot::new();
    let options = Subscriber::<u64>::options("r").root(&root).join(Join::Sequence(0)).open_timeout(Duration::MAX);
    follows(&root, AsyncFollow::new(options.follow()), |number| number);
}

#[test]
fn of_bytes() {
    let root = PrivateRoot::new();
    let options = raw::Subscriber::options("r").root(&root).join(Join::Sequence(0)).open_timeout(Duration::MAX);
    follows(&root, AsyncFollow::new(options.follow_raw()), |bytes| u64::from_le_bytes(bytes.try_into().unwrap()));
}
