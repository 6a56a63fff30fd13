//! The roles around a ring with its table: a publisher, a subscriber from the start, and one that comes late again and again.
//!
//! The key of a message follows from its number, and its count says the how manieth of its key it is. So the state at a
//! position follows from the position alone, whoever published what. Each subscriber compares its state with that at every
//! position, so a late joiner's state is also compared with that of one from the start.

use std::path::Path;
use std::time::{Duration, Instant};

use feed_ring::keyed::{Holds, SnapshotError};
use feed_ring::{Join, KeyedPublisher, KeyedSubscriber, OpenError, Payload, Subscriber, TryRecvError, WaitStrategy};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::child::Result;
use crate::message::word;
use crate::roles::print_line;

/// The name of the ring.
pub(crate) const KEYED: &str = "keyed";

const KEYS: usize = 61;
const CAPACITY: usize = 1 << 14;

/// Messages published before the publisher rests, so that subscribers that compare at every position keep up.
const BURST: u64 = 64;
const REST: Duration = Duration::from_micros(400);

/// Word 0 is the number, word 1 the publisher, and word 2 the how manieth message of its key it is, or 0 for a message
/// without a row. The other words follow from these.
pub(crate) type Tick = [u64; 63];

/// A row: its last message.
#[derive(Clone, Copy, Payload)]
#[repr(C)]
pub(crate) struct Last {
    tick: Tick,
}

impl Holds<Tick> for Last {
    /// Is called between the store of the row and that of the message. The pause lets a fair part of the kills fall there.
    fn message(&self) -> &Tick {
        for _ in 0..PAUSE {
            std::hint::spin_loop();
        }
        &self.tick
    }
}

/// Turns of that pause.
const PAUSE: usize = 50;

fn tick(number: u64, publisher: u64, count: u64) -> Tick {
    std::array::from_fn(|index| match index {
        2 => count,
        _ => word(number, publisher ^ if index > 2 { count << 32 } else { 0 }, index),
    })
}

/// The key of message `number`. `None` for one that changes no row.
fn key_of(number: u64) -> Option<u64> {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 20;
    (!mixed.is_multiple_of(16)).then_some(mixed / 16 % KEYS as u64)
}

/// The last message of each key: the number after its own, and its count.
#[derive(Clone, PartialEq)]
struct State([(u64, u64); KEYS]);

impl State {
    const NOTHING: Self = State([(0, 0); KEYS]);

    fn apply(&mut self, tick: &Tick) {
        if let Some(key) = key_of(tick[0]) {
            self.0[key as usize] = (tick[0] + 1, tick[2]);
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
        for number in self.position..position {
            if let Some(key) = key_of(number) {
                let last = &mut self.state.0[key as usize];
                *last = (number + 1, last.1 + 1);
            }
        }
        self.position = self.position.max(position);
        &self.state
    }
}

/// What a subscriber of a ring with its table has seen so far.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct KeyedCounts {
    /// Snapshots taken by those who came late.
    pub(crate) late_joins: u64,
    /// Positions at which a late joiner's state was compared.
    pub(crate) positions_compared: u64,
    /// Positions at which the state of one from the start was compared.
    pub(crate) positions_from_start: u64,
    /// Positions at which a state was another one.
    pub(crate) state_differences: u64,
    /// Messages and rows that were torn, or under another number than their own.
    pub(crate) torn: u64,
    /// Snapshots that were not to be had, because a publisher was killed while it took over.
    pub(crate) not_kept: u64,
}

impl KeyedCounts {
    /// Adds the counts of another subscriber.
    pub(crate) fn add(&mut self, other: &KeyedCounts) {
        self.late_joins += other.late_joins;
        self.positions_compared += other.positions_compared;
        self.positions_from_start += other.positions_from_start;
        self.state_differences += other.state_differences;
        self.torn += other.torn;
        self.not_kept += other.not_kept;
    }

    /// Checks a message that was received or stored under this number.
    fn check(&mut self, found: &Tick, number: u64) {
        self.torn += u64::from(*found != tick(number, found[1], found[2]));
    }
}

/// Counts that are printed every few milliseconds, and at once if they are bad.
#[derive(Default)]
struct Printed {
    counts: KeyedCounts,
    at: Option<Instant>,
    bad: u64,
}

impl Printed {
    fn print(&mut self) {
        let bad = self.counts.state_differences + self.counts.torn;
        if bad > self.bad || self.at.is_none_or(|at| at.elapsed() > Duration::from_millis(5)) {
            (self.at, self.bad) = (Some(Instant::now()), bad);
            print_line(&serde_json::to_string(&self.counts).unwrap_or_default());
        }
    }
}

/// Takes the ring and its table over and publishes until killed.
pub(crate) fn publish(root: &Path, publisher: u64) -> Result<()> {
    let options = KeyedPublisher::<u64, Last, Tick>::options(KEYED).root(root);
    let mut feed = options.capacity(CAPACITY).rows(KEYS + 3).keep(true).create_keyed()?;
    let first = feed.ring().published();
    if first > 0 && feed.table().epoch() == 1 {
        return Err(format!("the table was lost at {first}").into());
    }
    let mut rows = [None; KEYS];
    for row in feed.table().rows().collect::<Vec<_>>() {
        let key = feed.table().key(row).ok_or("a row without a key")?;
        *rows.get_mut(key as usize).ok_or("a key that nobody added")? =
            Some((row, feed.get(row).map_or(0, |stored| stored.value.tick[2])));
    }
    print_line("ready");
    loop {
        for _ in 0..BURST {
            let number = feed.ring().published();
            let published = match key_of(number) {
                None => feed.publish_without_row(&tick(number, publisher, 0)),
                Some(key) => {
                    let row = match rows[key as usize] {
                        Some(row) => row,
                        None => (feed.row(&key)?, 0),
                    };
                    let count = row.1 + 1;
                    rows[key as usize] = Some((row.0, count));
                    feed.publish(row.0, &Last { tick: tick(number, publisher, count) })
                }
            };
            if published != number || feed.table().stores() != number + 1 {
                return Err(format!("{number} was published as {published}").into());
            }
        }
        std::thread::sleep(REST);
    }
}

/// Receives from the first message on until killed, and compares at every position.
pub(crate) fn from_the_start(root: &Path) -> Result<()> {
    let options = Subscriber::<Tick>::options(KEYED).root(root).join(Join::Oldest).wait(WaitStrategy::Block);
    let mut subscriber = options.open_timeout(Duration::from_secs(10)).open()?;
    let (mut model, mut printed) = (Model::new(), Printed::default());
    let mut state = model.at(subscriber.sequence()).clone();
    loop {
        let number = subscriber.sequence();
        match subscriber.recv_timeout(Duration::from_millis(5)) {
            Ok(tick) => {
                printed.counts.check(&tick, number);
                state.apply(&tick);
                printed.counts.positions_from_start += 1;
                printed.counts.state_differences += u64::from(state != *model.at(number + 1));
            }
            // What it lost it can only have from the model.
            Err(TryRecvError::Lagged { .. }) => state = model.at(subscriber.sequence()).clone(),
            Err(TryRecvError::Empty | TryRecvError::Restarted { .. } | TryRecvError::RestartsUnknown { .. }) => {}
            Err(TryRecvError::PublisherDead) => std::thread::sleep(Duration::from_micros(200)),
            Err(error) => return Err(error.into()),
        }
        printed.print();
    }
}

type Late = KeyedSubscriber<u64, Last, Tick>;

/// Copies the table. `None` if it cannot be copied at this moment.
fn snapshot(late: &mut Late, counts: &mut KeyedCounts) -> Result<Option<(State, u64)>> {
    match late.snapshot() {
        Ok(snapshot) => {
            let mut state = State::NOTHING;
            for (key, stored) in &snapshot.rows {
                counts.check(&stored.value.tick, stored.number);
                counts.torn += u64::from(key_of(stored.number) != Some(*key));
                state.apply(&stored.value.tick);
            }
            counts.late_joins += 1;
            Ok(Some((state, snapshot.complete_at)))
        }
        Err(SnapshotError::NotKept | SnapshotError::Read(_)) => {
            counts.not_kept += 1;
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Joins, copies the table and follows, again and again until killed, and compares at every position from which its copy is
/// complete.
pub(crate) fn come_late(root: &Path, seed: u64) -> Result<()> {
    let (mut random, mut model, mut printed) = (ChaCha8Rng::seed_from_u64(seed), Model::new(), Printed::default());
    loop {
        std::thread::sleep(Duration::from_micros(random.random_range(0..3_000)));
        match Late::options(KEYED).root(root).open_keyed(|tick| key_of(tick[0])) {
            Ok(late) => follow(late, random.random_range(1..4_000), &mut model, &mut printed)?,
            Err(OpenError::NotFound { .. } | OpenError::Unfinished { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        printed.print();
    }
}

/// Copies the table and compares at up to `most` positions.
fn follow(mut late: Late, most: u64, model: &mut Model, printed: &mut Printed) -> Result<()> {
    let Some((mut state, mut complete_at)) = snapshot(&mut late, &mut printed.counts)? else { return Ok(()) };
    let until = printed.counts.positions_compared + most;
    let compare = |state: &State, position: u64, complete_at: u64, model: &mut Model, printed: &mut Printed| {
        if position >= complete_at && position > model.position {
            printed.counts.positions_compared += 1;
            printed.counts.state_differences += u64::from(state != model.at(position));
            printed.print();
        }
    };
    compare(&state, late.ring().sequence(), complete_at, model, printed);
    while printed.counts.positions_compared < until {
        match late.recv_timeout(Duration::from_millis(5)) {
            Ok(numbered) => {
                // Those in between were in the copy already.
                compare(&state, numbered.number, complete_at, model, printed);
                printed.counts.check(&numbered.message, numbered.number);
                state.apply(&numbered.message);
                compare(&state, numbered.number + 1, complete_at, model, printed);
            }
            Err(TryRecvError::Empty) => printed.print(),
            Err(TryRecvError::PublisherDead) => std::thread::sleep(Duration::from_micros(200)),
            Err(
                TryRecvError::Lagged { .. } | TryRecvError::Restarted { .. } | TryRecvError::RestartsUnknown { .. },
            ) => match snapshot(&mut late, &mut printed.counts)? {
                Some(copied) => (state, complete_at) = copied,
                None => return Ok(()),
            },
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
