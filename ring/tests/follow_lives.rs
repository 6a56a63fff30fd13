//! The identity over everything: what is received, lost and skipped adds up to the numbers that passed, over many publishers'
//! lives, each a process of its own. They close the ring and keep it, leave it, or are killed; they take over, make another ring
//! in its place, or find the name free, because the ring was removed.
//!
//! `FEED_FOLLOW=10` makes it ten times as long, `FEED_FOLLOW_SEED=N` another one.

use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use feed_ring::follow::{Continuation, Event, Follow, Followed, Next, OnClose, Overall};
use feed_ring::{Join, OpenError, Payload, Publisher, Received, Subscriber, raw};
use feed_testing::{Child, PrivateRoot, as_child, child};
use rustix::event::{PollFd, PollFlags, poll};
use zerocopy::FromBytes;

const NAME: &str = "lives";

/// The life after which nothing comes.
const LAST: u64 = u64::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Payload, FromBytes)]
#[repr(C)]
struct Message {
    number: u64,
    epoch: u64,
    life: u64,
    sum: u64,
}

impl Message {
    fn new(number: u64, epoch: u64, life: u64) -> Self {
        Message { number, epoch, life, sum: number ^ epoch.rotate_left(17) ^ life.rotate_left(39) }
    }
}

fn var(name: &str) -> String {
    std::env::var(name).unwrap()
}

/// A publisher's life: publishes `QUOTA` messages, then ends as `END` says, or waits until it is killed.
#[test]
#[ignore = "a child of another test"]
fn live() {
    if !as_child() {
        return;
    }
    let (quota, life): (u64, u64) = (var("QUOTA").parse().unwrap(), var("LIFE").parse().unwrap());
    let options = Publisher::<Message>::options(NAME).root(var("ROOT")).capacity(var("CAPACITY").parse().unwrap());
    let mut publisher = options.keep(true).create().unwrap();
    let epoch = publisher.epoch();
    println!("\nbegun");
    for published in 0..quota {
        let number = publisher.published();
        assert_eq!(publisher.publish(&Message::new(number, epoch, life)), number);
        if published % 64 == 0 {
            std::thread::yield_now();
        }
    }
    match &*var("END") {
        "close" => publisher.close().unwrap(),
        "leave" => publisher.leave(),
        _ => loop {
            // Killed here, or before.
            let number = publisher.published();
            publisher.publish(&Message::new(number, epoch, life));
            std::thread::sleep(Duration::from_micros(20));
        },
    }
}

/// What one follower saw so far, as its thread tells.
#[derive(Default)]
struct Seen {
    /// How many rings it opened that others do not continue.
    chains: AtomicU64,
    /// The number that comes next in the present one.
    next: AtomicU64,
}

/// What the numbers have to be, from what was told.
#[derive(Debug, Default)]
struct Model {
    next: u64,
    /// The sum of the lengths of what was left, from where it was joined.
    passed: u64,
    first: u64,
    unknown_before: u64,
    told_lost: u64,
    lives: u64,
    last_life: u64,
}

impl Model {
    fn message(&mut self, received: Received<Message>) {
        let Received { number, epoch, message } = received;
        assert_eq!(message, Message::new(message.number, message.epoch, message.life), "torn");
        assert_eq!((number, message.number), (self.next, self.next), "not the next: {self:?}");
        let is_unknown = epoch == 0 && number < self.unknown_before;
        assert!(epoch == message.epoch || is_unknown, "{received:?} in {self:?}");
        self.next += 1;
        self.lives += u64::from(message.life != self.last_life);
        self.last_life = message.life;
    }

    fn event(&mut self, event: &Event, seen: &Seen) {
        match *event {
            Event::Opened { first, continues, .. } => {
                match continues {
                    Continuation::Continued { gap } => {
                        assert_eq!(first, self.next + gap);
                        self.told_lost += gap;
                    }
                    Continuation::First | Continuation::Renumbered { .. } => {
                        let gap = match continues {
                            Continuation::Renumbered { left, gap } => {
                                assert_eq!((left, gap), (self.next, first), "each chain begins at 0");
                                gap
                            }
                            _ => 0,
                        };
                        self.passed += self.next - self.first;
                        self.first = first - gap;
                        self.told_lost += gap;
                        // Before the number of the chain before can be taken for that of this one.
                        seen.next.store(u64::MAX, Ordering::SeqCst);
                        seen.chains.fetch_add(1, Ordering::SeqCst);
                    }
                }
                (self.next, self.unknown_before) = (first, 0);
            }
            Event::Lagged { missed } => {
                self.next += missed;
                self.told_lost += missed;
            }
            Event::Restarted { sequence, .. } => assert!(sequence <= self.next, "{event:?} in {self:?}"),
            Event::RestartsUnknown { until } => self.unknown_before = until,
            Event::PublisherGone { sequence } | Event::Superseded { sequence } | Event::Closed { sequence } => {
                assert_eq!(sequence, self.next);
            }
            Event::Waiting { .. } => {}
            ref event => panic!("{event:?}: every ring is kept"),
        }
    }

    fn check(&self, all: Overall) {
        assert_eq!(all.first + all.received + all.lost + all.skipped, all.next, "{all:?}");
        assert_eq!((all.lost, all.next - all.first), (self.told_lost, self.passed + self.next - self.first));
    }
}

/// Follows until the last life's last message. `wait` waits after nothing came; `read` makes a message of what comes.
fn follow<S: Followed>(
    mut follow: Follow<S>,
    seen: &Seen,
    mut next: impl FnMut(&mut Follow<S>) -> Result<Received<Message>, Option<Event>>,
) -> (Model, Overall) {
    let mut model = Model::default();
    loop {
        match next(&mut follow) {
            Ok(received) => model.message(received),
            Err(Some(event)) => {
                model.event(&event, seen);
                if model.last_life == LAST && matches!(event, Event::Closed { .. }) {
                    return (model, follow.overall());
                }
            }
            Err(None) => {}
        }
        model.check(follow.overall());
        seen.next.store(model.next, Ordering::SeqCst);
    }
}

fn of_next<M>(next: Next<M>, message: impl FnOnce(M) -> Message) -> Result<Received<Message>, Option<Event>> {
    match next {
        Next::Message(received) => Ok(received.map(message)),
        Next::Event(event) => Err(Some(event)),
        Next::Empty => Err(None),
        Next::End => panic!("every ring is waited for"),
    }
}

/// Numbers at random, the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// The number that comes next in the ring that has the name. `None` if that ring is not there, or not whole.
fn next_of(root: &PrivateRoot) -> Option<u64> {
    match Subscriber::<Message>::options(NAME).root(root).join(Join::Latest).open() {
        Ok(subscriber) => Some(subscriber.sequence()),
        Err(OpenError::Unfinished { .. } | OpenError::NotFound { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

/// Waits until both are at the end of the ring that has the name.
fn wait_until_drained(followers: [&Seen; 2], chains: u64, next: u64) {
    for seen in followers {
        while seen.chains.load(Ordering::SeqCst) != chains || seen.next.load(Ordering::SeqCst) != next {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Returns how many publishers were killed, how many rings were removed, and how many messages were published in all.
fn publish_lives(root: &PrivateRoot, followers: [&Seen; 2], random: &mut Random, lives: u64) -> (u64, u64, u64) {
    let start = |life: u64, capacity: u64, quota: u64, end: &str| {
        let mut command = child("live");
        command.env("ROOT", root.path()).env("LIFE", life.to_string()).env("CAPACITY", capacity.to_string());
        let mut child = Child::start(command.env("QUOTA", quota.to_string()).env("END", end).stderr(Stdio::inherit()));
        child.wait_for("begun");
        child
    };
    let (mut kills, mut removals, mut published, mut capacity) = (0, 0, 0, 64);
    for life in 1..=lives {
        if random.below(3) == 0 {
            capacity = 64 << random.below(5);
        }
        let end = ["close", "leave", "kill", "kill"][random.below(4) as usize];
        let mut child = start(life, capacity, random.below(3_000), end);
        if end == "kill" {
            std::thread::sleep(Duration::from_micros(random.below(3_000)));
            child.kill();
            kills += 1;
        } else {
            assert!(child.finish().0.success());
        }
        let next = next_of(root);
        if random.below(3) > 0 {
            continue; // the followers may be behind
        }
        let Some(next) = next else { continue };
        wait_until_drained(followers, removals + 1, next);
        if random.below(2) == 0 {
            std::fs::remove_dir_all(root.path().join(format!("{NAME}.ring"))).unwrap();
            removals += 1;
            published += next;
        }
    }
    assert!(start(LAST, capacity, 50, "close").finish().0.success());
    (kills, removals, published + next_of(root).expect("it is kept"))
}

#[test]
fn every_number_is_accounted_for_over_all_lives() {
    let scale: u64 = std::env::var("FEED_FOLLOW").map_or(1, |scale| scale.parse().unwrap());
    let seed: u64 = std::env::var("FEED_FOLLOW_SEED").map_or(1, |seed| seed.parse().unwrap());
    let root = PrivateRoot::new();
    let (blocking, polling) = (Seen::default(), Seen::default());
    let (lives, mut random) = (60 * scale, Random(seed));
    std::thread::scope(|threads| {
        let blocks = threads.spawn(|| {
            let options = Subscriber::<Message>::options(NAME).root(&root).join(Join::Oldest);
            let ring = options.open_timeout(Duration::MAX).follow().on_close(OnClose::Wait);
            follow(ring, &blocking, |ring| of_next(ring.next().unwrap(), |message| message))
        });
        let polls = threads.spawn(|| {
            let options = raw::Subscriber::options(NAME).root(&root).join(Join::Oldest);
            let ring = options.open_timeout(Duration::MAX).follow_raw().on_close(OnClose::Wait);
            let mut notifier = ring.notifier().unwrap();
            follow(ring, &polling, |ring| {
                let next = of_next(ring.try_next().unwrap(), |bytes| Message::read_from_bytes(bytes).unwrap());
                if let Err(None) = next {
                    notifier.arm(ring).unwrap();
                    poll(&mut [PollFd::new(&notifier, PollFlags::IN)], None).unwrap();
                    notifier.clear();
                }
                next
            })
        });
        let (kills, removals, published) = publish_lives(&root, [&blocking, &polling], &mut random, lives);
        for (name, follower, seen) in [("blocking", blocks, &blocking), ("polling", polls, &polling)] {
            let (model, all) = follower.join().unwrap();
            // Both saw each removal. A first ring is joined at its oldest message; from there on nothing is left out.
            assert_eq!(all.next, published, "{all:?}");
            assert_eq!((all.renumbered, seen.chains.load(Ordering::SeqCst)), (removals, removals + 1));
            assert!(all.received > 0 && model.lives > lives / 4, "{name}: {all:?} {model:?}");
            println!("{name}: {lives} lives, {kills} killed, {removals} removed, seen {}: {all:?}", model.lives);
        }
        assert_eq!(next_of(&root), Some(blocking.next.load(Ordering::SeqCst)));
    });
}
