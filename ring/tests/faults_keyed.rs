//! A keyed publisher, or a cell's writer, that is killed at every store: after its k-th store or change of a file, for k from 0
//! until it survives its whole task. After each death the next one goes on, the state of a late joiner is right, no number
//! stands for two values, and one that follows the table by its changed rows misses none.
//!
//! Only in a build that injects faults: `make faults`.
#![cfg(feed_ring_faults)]

use std::collections::HashMap;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use feed_ring::sync::faults;
use feed_ring::{
    CellReader, CellWriter, Join, KeyedPublisher, KeyedSubscriber, Payload, Subscriber, TableReader, TryRecvError,
};
use feed_testing::{PrivateRoot, as_child, child};

mod deaths;

use deaths::points_of;

/// Two lines, so that there are stores into further lines.
#[derive(Clone, Copy, Debug, PartialEq, Payload)]
#[repr(C)]
struct Quote {
    /// 99 for a message without a row.
    key: u64,
    /// Which publisher's how manieth message it is.
    id: u64,
    rest: [u64; 7],
}

const NO_ROW: u64 = 99;

fn quote(key: u64, publisher: u64, message: u64) -> Quote {
    let id = publisher << 32 | message;
    Quote { key, id, rest: std::array::from_fn(|index| id.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ index as u64) }
}

fn is_whole(found: &Quote) -> bool {
    *found == quote(found.key, found.id >> 32, found.id & 0xffff_ffff)
}

type Feed = KeyedPublisher<u64, Quote>;
type Late = KeyedSubscriber<u64, Quote>;

fn create(root: &Path) -> Feed {
    Feed::options("k").root(root).capacity(64).rows(8).keep(true).create_keyed().unwrap()
}

fn publish(feed: &mut Feed, quote: &Quote) -> u64 {
    if quote.key == NO_ROW {
        return feed.publish_without_row(quote);
    }
    let row = feed.row(&quote.key).unwrap();
    feed.publish(row, quote)
}

/// The tasks during which a publisher is killed: the keys of its messages. The last two may be killed while they take over, too.
const SCENARIOS: [(&str, &[u64]); 6] = [
    ("publish", &[1, 1, 2, 1]),
    ("key", &[5, 6, 5]),
    ("without", &[NO_ROW, NO_ROW, 1]),
    ("one", &[1, NO_ROW]),
    ("takeover", &[2, 7, NO_ROW]),
    ("resume", &[2]),
];

#[test]
#[ignore = "a child of other tests"]
fn publish_and_die() {
    if !as_child() {
        return;
    }
    let var = |name| std::env::var(name).unwrap();
    let (root, points, publisher) = (var("ROOT"), var("POINTS").parse().unwrap(), var("PUBLISHER").parse().unwrap());
    let (scenario, keys) = SCENARIOS.into_iter().find(|(name, _)| *name == var("SCENARIO")).unwrap();
    let from_the_start = matches!(scenario, "takeover" | "resume");
    if from_the_start {
        faults::arm(points);
    }
    let mut feed = create(Path::new(&root));
    if !from_the_start {
        faults::arm(points);
    }
    for (message, key) in keys.iter().enumerate() {
        publish(&mut feed, &quote(*key, publisher, message as u64));
    }
    faults::arm(u64::MAX);
    feed.leave();
}

/// What stood under each number, in the ring or in the table.
#[derive(Default)]
struct Seen(HashMap<u64, Quote>);

impl Seen {
    fn note(&mut self, number: u64, found: Quote, context: &str) {
        assert!(is_whole(&found), "{context}: half a message under {number}: {found:x?}");
        let before = *self.0.entry(number).or_insert(found);
        assert_eq!(before, found, "{context}: number {number} stood for another message");
    }
}

/// Readers that were there before every death.
struct Witness {
    ring: Subscriber<Quote>,
    table: TableReader<u64, Quote>,
    /// The table as one knows it that asks for the changed rows alone, and the number to ask for next.
    followed: HashMap<u64, u64>,
    next: u64,
    seen: Seen,
}

impl Witness {
    fn join(root: &Path) -> Self {
        let ring = Subscriber::options("k").root(root).join(Join::Oldest).open().unwrap();
        let table = TableReader::options("k.table").root(root).open_table().unwrap();
        Witness { ring, table, followed: HashMap::new(), next: 0, seen: Seen::default() }
    }

    fn look(&mut self, context: &str) {
        loop {
            let number = self.ring.sequence();
            match self.ring.try_recv() {
                Ok(found) => self.seen.note(number, found, context),
                Err(TryRecvError::Restarted { .. } | TryRecvError::RestartsUnknown { .. }) => {}
                Err(TryRecvError::Empty | TryRecvError::PublisherDead) => break,
                Err(error) => panic!("{context}: {error}"),
            }
        }
        let mut changed = Vec::new();
        self.next = self.table.changed_since(self.next, &mut changed);
        for row in changed {
            if let (Some(key), Some(stored)) = (self.table.key(row), self.table.get(row).unwrap()) {
                self.followed.insert(key, stored.number);
            }
        }
        for row in self.table.rows() {
            if let Some(stored) = self.table.get(row).unwrap() {
                self.seen.note(stored.number, stored.value, context);
            }
        }
    }

    /// The number of the last message of each key, by the ring.
    fn state(&self) -> HashMap<u64, u64> {
        let mut numbers: Vec<_> = self.seen.0.iter().filter(|(_, quote)| quote.key != NO_ROW).collect();
        numbers.sort();
        numbers.into_iter().map(|(number, quote)| (quote.key, *number)).collect()
    }
}

impl Eq for Quote {}

impl PartialOrd for Quote {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quote {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.key, self.id).cmp(&(other.key, other.id))
    }
}

/// What one that joins now knows, once it has received all.
fn late_state(root: &Path, context: &str) -> HashMap<u64, u64> {
    let mut late = Late::options("k").root(root).open_keyed(|q| (q.key != NO_ROW).then_some(q.key)).unwrap();
    let snapshot = late.snapshot().unwrap_or_else(|error| panic!("{context}: {error}"));
    let mut state: HashMap<_, _> = snapshot.rows.iter().map(|(key, stored)| (*key, stored.number)).collect();
    while let Ok(numbered) = late.try_recv() {
        if numbered.message.key != NO_ROW {
            state.insert(numbered.message.key, numbered.number);
        }
    }
    assert!(late.ring().sequence() >= snapshot.complete_at, "{context}: complete at {}", snapshot.complete_at);
    state
}

/// Runs publishers one after the other and kills each at its point, if it gets there. Returns how the last one ended.
fn die_at(deaths: &[(&str, u64)]) -> ExitStatus {
    let context = &*format!("{deaths:?}");
    let root = PrivateRoot::new();
    // Both copies of a row are whole, another row has one, and there was a message without a row.
    let mut feed = create(root.path());
    for (message, key) in [1, 2, 1, NO_ROW].into_iter().enumerate() {
        publish(&mut feed, &quote(key, 0, message as u64));
    }
    feed.leave();
    let mut witness = Witness::join(root.path());
    let mut status = ExitStatus::default();
    for (publisher, (scenario, points)) in deaths.iter().enumerate() {
        let mut command = child("publish_and_die");
        command.env("SCENARIO", scenario).env("ROOT", root.path()).env("POINTS", points.to_string());
        command.env("PUBLISHER", (publisher + 1).to_string());
        status = command.stdout(Stdio::null()).spawn().unwrap().wait().unwrap();
        witness.look(context);
    }
    let mut feed = create(root.path());
    assert!(feed.table().epoch() > 1, "{context}: the table was lost");
    assert_eq!(feed.table().stores(), feed.ring().published(), "{context}");
    witness.look(context);
    let next = feed.ring().published();
    assert!(witness.seen.0.keys().all(|number| *number < next), "{context}: {next} was given away already");
    assert_eq!(late_state(root.path(), context), witness.state(), "{context}: of a late joiner");
    let keys = [1, NO_ROW, 3];
    for (message, key) in keys.into_iter().enumerate() {
        assert_eq!(publish(&mut feed, &quote(key, 9, message as u64)), next + message as u64, "{context}");
        witness.look(context);
    }
    assert_eq!(witness.ring.sequence(), next + 3, "{context}: a permanent gap");
    assert_eq!(late_state(root.path(), context), witness.state(), "{context}: of a late joiner, afterwards");
    assert_eq!(witness.followed, witness.state(), "{context}: of one that asks for the changed rows");
    status
}

/// Kills the last publisher, which runs `scenario`, at every point in turn; returns how many points there were.
fn die_everywhere(before: &[(&str, u64)], scenario: &str) -> u64 {
    points_of(scenario, |points| {
        let mut deaths = before.to_vec();
        deaths.push((scenario, points));
        die_at(&deaths)
    })
}

#[test]
fn killed_while_publishing() {
    die_everywhere(&[], "publish");
}

#[test]
fn killed_while_adding_a_key() {
    die_everywhere(&[], "key");
}

#[test]
fn killed_while_publishing_without_a_row() {
    die_everywhere(&[], "without");
}

#[test]
fn killed_while_taking_over() {
    die_everywhere(&[], "takeover");
}

/// A takeover that is itself killed, after each death that one message with a row and one without can have.
#[test]
fn killed_while_taking_over_from_one_that_was_killed() {
    // Each fifth death of the first: all of them take two minutes.
    for points in (0..die_everywhere(&[], "one")).step_by(5) {
        die_everywhere(&[("one", points)], "resume");
    }
}

type Book = [u64; 20];

fn cell(root: &Path) -> CellWriter<Book> {
    CellWriter::options("c").root(root).create_cell().unwrap()
}

#[test]
#[ignore = "a child of other tests"]
fn store_and_die() {
    if as_child() {
        let var = |name| std::env::var(name).unwrap();
        let root = var("ROOT");
        let mut writer = cell(Path::new(&root));
        faults::arm(var("POINTS").parse().unwrap());
        for _ in 0..3 {
            let next = writer.stores();
            writer.store(&[next; 20]);
        }
        faults::arm(u64::MAX);
        writer.leave();
    }
}

#[test]
fn killed_while_storing_into_a_cell() {
    for stored in 0..3u64 {
        points_of("cell", |points| {
            let context = &*format!("{stored} stored before, killed at {points}");
            let root = PrivateRoot::new();
            let mut writer = cell(root.path());
            (0..stored).for_each(|number| _ = writer.store(&[number; 20]));
            writer.leave();
            let mut reader = CellReader::<Book>::options("c").root(root.path()).open_cell().unwrap();
            let mut last = |least: u64| {
                let found = reader.get().unwrap();
                if let Some(found) = found {
                    assert_eq!(found.value, [found.number; 20], "{context}: torn");
                }
                let count = found.map_or(0, |found| found.number + 1);
                assert!(count >= least, "{context}: back from {least} to {count}");
                count
            };
            let before = last(stored);
            let mut command = child("store_and_die");
            command.env("ROOT", root.path()).env("POINTS", points.to_string());
            let status = command.stdout(Stdio::null()).spawn().unwrap().wait().unwrap();
            let died = last(before);
            let mut writer = cell(root.path());
            assert_eq!(
                (writer.stores(), writer.get().map_or(0, |stored| stored.number + 1)),
                (died, died),
                "{context}"
            );
            assert_eq!(writer.store(&[died; 20]), died, "{context}");
            assert_eq!(last(died), died + 1, "{context}");
            status
        });
    }
}
