//! Many rings on one thread: each is received whole, and a busy one does not keep the others from their turn.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use feed_ring::{Join, Publisher, Subscriber, TryRecvError, in_process};
use feed_ring_tokio::{AsyncSubscriber, Error};
use feed_testing::PrivateRoot;
use futures_util::StreamExt;
use futures_util::stream::select_all;

const RINGS: usize = 32;
const MESSAGES: u64 = 2_000;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Each ring ends as soon as it is closed, and all of them are one stream.
#[test]
fn one_stream_of_many_rings_receives_every_message() {
    let root = PrivateRoot::new();
    let name = |ring: usize| format!("ring{ring}");
    let mut publishers = Vec::from_iter(
        (0..RINGS).map(|ring| Publisher::<u64>::options(&name(ring)).root(&root).capacity(4096).create().unwrap()),
    );
    let streams = (0..RINGS).map(|ring| {
        let subscriber = Subscriber::<u64>::options(&name(ring)).root(&root).join(Join::Oldest).open().unwrap();
        AsyncSubscriber::new(subscriber).map(move |item| (ring, item))
    });
    let mut all = select_all(streams);
    let publishing = thread::spawn(move || {
        for number in 0..MESSAGES {
            publishers.iter_mut().for_each(|publisher| _ = publisher.publish(&number));
            if number % 64 == 0 {
                thread::sleep(Duration::from_micros(200)); // the subscribers sleep
            }
        }
        publishers.into_iter().for_each(|publisher| publisher.close().unwrap());
    });
    let mut next = [0; RINGS];
    let mut closed = 0;
    runtime().block_on(async {
        while let Some((ring, item)) = all.next().await {
            match item {
                Ok(number) => {
                    assert_eq!(number, next[ring], "ring {ring}");
                    next[ring] += 1;
                }
                Err(Error::Ring(TryRecvError::Closed)) => closed += 1,
                Err(error) => panic!("ring {ring}: {error}"),
            }
        }
    });
    publishing.join().unwrap();
    assert_eq!((next, closed), ([MESSAGES; RINGS], RINGS));
}

/// One ring has a million messages. The tasks of the others have received theirs long before those are at an end.
#[test]
fn a_busy_ring_leaves_the_others_their_turn() {
    const BACKLOG: u64 = 1 << 20;
    static TURNS: AtomicUsize = AtomicUsize::new(0);
    let (mut busy, ring) = in_process::<u64>(2 * BACKLOG as usize).unwrap();
    let mut subscriber = AsyncSubscriber::new(ring.subscribe(Join::Oldest));
    (0..BACKLOG).for_each(|number| _ = busy.publish(&number));
    let (mut publishers, rings): (Vec<_>, Vec<_>) = (1..RINGS).map(|_| in_process::<u64>(64).unwrap()).unzip();
    let runtime = runtime();
    let others = Vec::from_iter(rings.iter().map(|ring| {
        let mut subscriber = AsyncSubscriber::new(ring.subscribe(Join::Oldest));
        runtime.spawn(async move {
            assert_eq!(subscriber.recv().await.unwrap(), 7); // waits: published below
            TURNS.fetch_add(1, Ordering::Relaxed);
        })
    }));
    let received_meanwhile = runtime.block_on(async {
        tokio::task::yield_now().await; // the others wait now
        let busy = tokio::spawn(async move {
            publishers.iter_mut().for_each(|publisher| _ = publisher.publish(&7));
            let mut turns_at = None;
            for number in 0..BACKLOG {
                assert_eq!(subscriber.recv().await.unwrap(), number);
                if TURNS.load(Ordering::Relaxed) == RINGS - 1 && turns_at.is_none() {
                    turns_at = Some(number);
                }
            }
            turns_at
        });
        let turns_at = busy.await.unwrap();
        for other in others {
            other.await.unwrap();
        }
        turns_at
    });
    let at = received_meanwhile.expect("the others starved until the busy ring was empty");
    println!("the others had their turn after {at} of {BACKLOG} messages");
}
