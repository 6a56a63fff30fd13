//! The identity of the late join: the state of one that joins late equals the state of one that was there from the start, at
//! every position from which its snapshot is complete, while publishers are killed and take over from each other.
//!
//! The key of a message follows from its number, and its count says the how manieth of its key it is. So the state at any
//! position follows from the position alone, and both states are compared with that.
//!
//! `FEED_LATE_JOIN=10` makes it ten times as long.

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use feed_ring::keyed::SnapshotError;
use feed_ring::{Join, KeyedPublisher, KeyedSubscriber, OpenError, Payload, Subscriber, TryRecvError};
use feed_testing::{PrivateRoot, as_child, child};

const KEYS: u64 = 61;
const NAME: &str = "late";

#[derive(Clone, Copy, Debug, PartialEq, Payload)]
#[repr(C)]
struct Tick {
    number: u64,
    key: u64,
    /// How many messages of this key there were, with this one. 0 for a message without a row.
    count: u64,
    epoch: u64,
    sum: u64,
}

fn mixed(number: u64) -> u64 {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 20
}

/// The key of message `number`. `None` for one that changes no row.
fn key_of(number: u64) -> Option<u64> {
    let mixed = mixed(number);
    (!mixed.is_multiple_of(16)).then_some(mixed / 16 % KEYS)
}

impl Tick {
    fn new(number: u64, count: u64, epoch: u64) -> Self {
        let key = key_of(number).unwrap_or(u64::MAX);
        Tick { number, key, count, epoch, sum: number ^ key.rotate_left(7) ^ count.rotate_left(21) ^ epoch }
    }
}

/// The last message of each key, by number and count: what there is to know at a position.
#[derive(Clone, Debug, PartialEq)]
struct State([(u64, u64); KEYS as usize]);

impl State {
    const NOTHING: Self = State([(u64::MAX, 0); KEYS as usize]);

    fn apply(&mut self, tick: &Tick) {
        assert_eq!(*tick, Tick::new(tick.number, tick.count, tick.epoch), "a message that nobody published");
        if let Some(key) = key_of(tick.number) {
            self.0[key as usize] = (tick.number, tick.count);
        }
    }
}

/// The state that follows from a position, which only rises.
struct Model {
    position: u64,
    state: State,
}

impl Model {
    fn new() -> Self {
        Model { position: 0, state: State::NOTHING }
    }

    fn at(&mut self, position: u64) -> &State {
        assert!(position >= self.position, "{position} after {}", self.position);
        for number in self.position..position {
            if let Some(key) = key_of(number) {
                let last = &mut self.state.0[key as usize];
                *last = (number, last.1 + 1);
            }
        }
        self.position = position;
        &self.state
    }
}

type Feed = KeyedPublisher<u64, Tick>;
type Late = KeyedSubscriber<u64, Tick>;

fn var(name: &str) -> String {
    std::env::var(name).unwrap()
}

/// Takes the feed over and publishes until number `UNTIL`, then closes it. With `QUOTA`, it publishes so many at full speed,
/// and then slowly until it is killed.
#[test]
#[ignore = "a child of another test"]
fn publish_until_killed() {
    if !as_child() {
        return;
    }
    let (until, quota): (u64, u64) = (var("UNTIL").parse().unwrap(), var("QUOTA").parse().unwrap());
    let mut feed = Feed::options(NAME).root(var("ROOT")).capacity(1 << 16).rows(100).keep(true).create_keyed().unwrap();
    let (epoch, first) = (feed.ring().epoch(), feed.ring().published());
    assert!(first == 0 || feed.table().epoch() > 1, "the table was lost at {first} in epoch {epoch}");
    let mut rows = [None; KEYS as usize];
    for row in feed.table().rows().collect::<Vec<_>>() {
        let key = feed.table().key(row).unwrap();
        rows[key as usize] = Some((row, feed.get(row).map_or(0, |stored| stored.value.count)));
    }
    while feed.ring().published() < until {
        let number = feed.ring().published();
        let published = match key_of(number) {
            None => feed.publish_without_row(&Tick::new(number, 0, epoch)),
            Some(key) => {
                let (row, count) = rows[key as usize].get_or_insert_with(|| (feed.row(&key).unwrap(), 0));
                *count += 1;
                feed.publish(*row, &Tick::new(number, *count, epoch))
            }
        };
        assert_eq!((published, feed.table().stores()), (number, number + 1));
        if quota > 0 && number - first >= quota {
            std::thread::sleep(Duration::from_micros(50));
        } else if number.is_multiple_of(256) {
            std::thread::yield_now();
        }
    }
    feed.close().unwrap();
}

/// Receives from the first message on, and fails where the state is not the one that follows from the position.
fn from_the_start(root: &PrivateRoot, until: u64, position: &AtomicU64, ended: &AtomicBool) -> (u64, u64) {
    let mut subscriber =
        Subscriber::<Tick>::options(NAME).root(root).join(Join::Oldest).open_timeout(Duration::from_secs(60)).open();
    let subscriber = subscriber.as_mut().unwrap();
    let (mut model, mut state, mut lost, mut restarts) = (Model::new(), State::NOTHING, 0, 0);
    while subscriber.sequence() < until && !ended.load(Ordering::Relaxed) {
        match subscriber.try_recv() {
            Ok(tick) => {
                assert_eq!(tick.number + 1, subscriber.sequence(), "under another number than it was stored");
                assert!(tick.epoch <= subscriber.epoch(), "{tick:?} in epoch {}", subscriber.epoch());
                state.apply(&tick);
                assert_eq!(&state, model.at(tick.number + 1), "from the start, at {}", tick.number + 1);
                position.store(tick.number + 1, Ordering::Relaxed);
            }
            Err(TryRecvError::Lagged { missed }) => {
                lost += missed;
                state = model.at(subscriber.sequence()).clone();
            }
            Err(TryRecvError::Restarted { .. } | TryRecvError::RestartsUnknown { .. }) => restarts += 1,
            Err(TryRecvError::Empty | TryRecvError::PublisherDead) => std::thread::yield_now(),
            Err(error) => panic!("at {}: {error}", subscriber.sequence()),
        }
    }
    (lost, restarts)
}

#[derive(Debug, Default)]
struct Figures {
    joins: u64,
    compared: u64,
    again: u64,
    not_kept: u64,
}

/// Copies the table. `None` if it cannot be copied at this moment.
fn snapshot(late: &mut Late, figures: &mut Figures) -> Option<(State, u64)> {
    match late.snapshot() {
        Ok(snapshot) => {
            let mut state = State::NOTHING;
            for (key, stored) in &snapshot.rows {
                assert_eq!((*key, stored.number), (stored.value.key, stored.value.number), "a row of another key");
                state.apply(&stored.value);
            }
            Some((state, snapshot.complete_at))
        }
        // Its publisher was killed while it took over.
        Err(SnapshotError::NotKept | SnapshotError::Superseded) => {
            figures.not_kept += 1;
            None
        }
        Err(SnapshotError::Read(_)) => None,
        Err(error) => panic!("{error}"),
    }
}

/// Joins, copies the table, and compares at up to `most` positions from which the copy is complete.
fn join_late(root: &PrivateRoot, model: &mut Model, most: u64, ended: &AtomicBool, figures: &mut Figures) {
    let mut late = match Late::options(NAME).root(root).open_keyed(|tick| key_of(tick.number)) {
        Ok(late) => late,
        Err(OpenError::NotFound { .. } | OpenError::Unfinished { .. }) => return std::thread::yield_now(),
        Err(error) => panic!("{error}"),
    };
    let Some((mut state, mut complete_at)) = snapshot(&mut late, figures) else { return };
    figures.joins += 1;
    let mut compared = 0;
    let mut compare = |state: &State, position: u64, complete_at: u64| {
        if position >= complete_at && position > model.position {
            assert_eq!(state, model.at(position), "complete at {complete_at}, compared at {position}");
            compared += 1;
        }
        compared
    };
    while compare(&state, late.ring().sequence(), complete_at) < most {
        match late.try_recv() {
            Ok(numbered) => {
                assert_eq!(numbered.number, numbered.message.number, "under another number than it was stored");
                compare(&state, numbered.number, complete_at);
                state.apply(&numbered.message);
            }
            Err(TryRecvError::Empty | TryRecvError::PublisherDead) => {
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                std::thread::yield_now();
            }
            Err(TryRecvError::Closed) => break,
            Err(
                TryRecvError::Lagged { .. } | TryRecvError::Restarted { .. } | TryRecvError::RestartsUnknown { .. },
            ) => {
                figures.again += 1;
                match snapshot(&mut late, figures) {
                    Some(copied) => (state, complete_at) = copied,
                    None => break,
                }
            }
            Err(error) => panic!("{error}"),
        }
    }
    figures.compared += compare(&state, late.ring().sequence(), complete_at);
}

/// Ends the threads of a test that fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
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

#[test]
fn a_late_joiner_knows_what_one_knows_that_was_there_from_the_start() {
    let scale: u64 = std::env::var("FEED_LATE_JOIN").map_or(1, |scale| scale.parse().unwrap());
    let (kills, messages) = (20 * scale, 1_000_000 * scale);
    let root = PrivateRoot::new();
    let (ended, position) = (AtomicBool::new(false), AtomicU64::new(0));
    let start = |quota: u64| {
        let mut command = child("publish_until_killed");
        command.env("ROOT", root.path()).env("UNTIL", messages.to_string()).env("QUOTA", quota.to_string());
        command.stdout(Stdio::null()).spawn().unwrap()
    };
    let (figures, (lost, restarts)) = std::thread::scope(|threads| {
        let ends = Ends(&ended);
        let first = threads.spawn(|| from_the_start(&root, messages, &position, &ended));
        let late = threads.spawn(|| {
            let (mut model, mut figures, mut random) = (Model::new(), Figures::default(), Random(1));
            while !ended.load(Ordering::Relaxed) {
                let most = 1 + random.below(2_000);
                join_late(&root, &mut model, most, &ended, &mut figures);
            }
            figures
        });
        let mut random = Random(2);
        let mut killed = 0;
        let is_running = || !first.is_finished() && !late.is_finished();
        while killed < kills && is_running() {
            let mut publisher = start(1 + messages / kills);
            // Sometimes before it has taken over, sometimes long after.
            let before = position.load(Ordering::Relaxed);
            if random.below(4) > 0 {
                while position.load(Ordering::Relaxed) == before
                    && publisher.try_wait().unwrap().is_none()
                    && is_running()
                {
                    std::thread::yield_now();
                }
            }
            std::thread::sleep(Duration::from_micros(random.below(2_000)));
            publisher.kill().unwrap();
            let status = publisher.wait().unwrap();
            assert!(status.success() || status.code().is_none(), "a publisher failed: {status}");
            killed += 1;
        }
        if is_running() {
            assert!(start(0).wait().unwrap().success(), "the last publisher failed");
            while is_running() && position.load(Ordering::Relaxed) < messages {
                std::thread::yield_now();
            }
        }
        drop(ends);
        let (late, first) = (late.join(), first.join());
        (late.unwrap(), first.unwrap())
    });
    println!(
        "{kills} kills, {messages} messages: {restarts} restarts, {lost} lost by the first subscriber; {figures:?}"
    );
    assert!(figures.joins > 0 && figures.compared > 0, "{figures:?}");
}
