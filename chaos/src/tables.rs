//! The driver for tables: a ring's publisher with its table, and the writer of a table and a cell of their own, are killed at
//! random, while subscribers join late and readers look.

use std::path::Path;
use std::time::{Duration, Instant};

use feed_ring::{Join, Subscriber, TableReader};
use feed_testing::PrivateRoot;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::child::{Counting, Result, Writers};
use crate::keyed::{KEYED, KeyedCounts, Last, Tick};
use crate::rows::{CELL, RowCounts, TABLE};
use crate::segment::Segment;

/// Subscribers from the start, and the number that come late.
const FROM_THE_START: usize = 2;
const LATE: usize = 2;

/// Readers of the table and the cell.
const READERS: usize = 2;

/// What became of the tables.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Tables {
    /// Publishers with a table that were killed.
    keyed_kills: u64,
    /// Kills between a row and its message. The next publisher must publish it.
    rows_without_message_found: u64,
    /// Snapshots taken by those who came late.
    late_joins: u64,
    /// Snapshots that were not to be had, because a publisher was killed while it took over.
    not_kept: u64,
    /// Positions at which a late joiner's state was compared.
    positions_compared: u64,
    /// Positions at which the state of one from the start was compared.
    positions_from_start: u64,
    /// Positions at which a state was another one.
    state_differences: u64,
    /// Writers of a table and a cell that were killed.
    table_kills: u64,
    /// Kills in the middle of a store.
    half_stored_found: u64,
    /// Values read from the table and the cell.
    table_reads: u64,
    /// Reads that the writer overtook each time they began again.
    table_overtaken: u64,
    /// Torn values, of a message of the ring with its table as well.
    table_torn: u64,
    /// Values older than one that was read before.
    table_back: u64,
}

impl Tables {
    /// The reason why the run failed; `None` if it passed.
    pub(crate) fn failure(&self) -> Option<&'static str> {
        if self.state_differences > 0 {
            Some("a subscriber's state was not that of its position")
        } else if self.table_torn + self.table_back > 0 {
            Some("a value was torn, or older than one before it")
        } else if [self.late_joins, self.positions_compared, self.positions_from_start, self.table_reads].contains(&0) {
            Some("nobody joined late, or nothing was compared: this run showed nothing: give it more --seconds")
        } else if !self.fell_into_a_store() {
            Some("no kill fell into the middle of a store: this run showed nothing: give it more --seconds")
        } else {
            None
        }
    }

    /// Whether kills fell where they hurt.
    fn fell_into_a_store(&self) -> bool {
        self.half_stored_found > 0 && self.rows_without_message_found > 0
    }
}

/// Whether a row was stored whose message was not published. The publisher was killed.
fn is_row_without_message(root: &Path) -> Result<bool> {
    let stores = TableReader::<u64, Last>::options(&format!("{KEYED}.table")).root(root).open_table()?.stores();
    Ok(stores > Subscriber::<Tick>::options(KEYED).root(root).join(Join::Latest).open()?.sequence())
}

/// Kills, stops and starts processes at random for `time`, and on until kills have fallen into a store and between a row and
/// its message. Gives up after ten times `time`.
pub(crate) fn run(time: Duration, seed: u64) -> Result<Tables> {
    let root = PrivateRoot::new();
    let root = root.path();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (mut tables, mut keyed, mut rows) = (Tables::default(), KeyedCounts::default(), RowCounts::default());
    let mut publishers = Writers::start(&["publish-keyed"], root)?;
    let mut from_the_start =
        (0..FROM_THE_START).map(|_| Counting::start(&["from-the-start"], root)).collect::<Result<Vec<_>>>()?;
    let start_late =
        |random: &mut ChaCha8Rng| Counting::start(&["come-late", "--seed", &random.random::<u32>().to_string()], root);
    let mut late = (0..LATE).map(|_| start_late(&mut random)).collect::<Result<Vec<_>>>()?;
    let mut writers = Writers::start(&["store"], root)?;
    let start_reader = || Counting::start(&["read"], root);
    let mut readers = (0..READERS).map(|_| start_reader()).collect::<Result<Vec<_>>>()?;
    let begin = Instant::now();
    while begin.elapsed() < if tables.fell_into_a_store() { time } else { 10 * time } {
        std::thread::sleep(Duration::from_micros(random.random_range(1_000..40_000)));
        match random.random_range(0..20) {
            0..8 => {
                publishers.process.kill();
                tables.keyed_kills += 1;
                tables.rows_without_message_found += u64::from(is_row_without_message(root)?);
                std::thread::sleep(Duration::from_micros(random.random_range(0..5_000)));
                publishers.start_next(root, random.random_range(0..4) > 0)?;
            }
            8..12 => {
                writers.process.kill();
                tables.table_kills += 1;
                let is_half_stored =
                    Segment::open(root, TABLE)?.is_half_stored()? || Segment::open(root, CELL)?.is_half_stored()?;
                tables.half_stored_found += u64::from(is_half_stored);
                writers.start_next(root, random.random_range(0..4) > 0)?;
            }
            // The first one from the start is never stopped.
            12 => from_the_start[random.random_range(1..FROM_THE_START)].stop_or_continue(),
            13..15 => late[random.random_range(0..LATE)].stop_or_continue(),
            15..17 => readers[random.random_range(0..READERS)].stop_or_continue(),
            17..19 => {
                let which = random.random_range(0..LATE);
                let next = start_late(&mut random)?;
                keyed.add(&std::mem::replace(&mut late[which], next).end());
            }
            _ => {
                let which = random.random_range(0..READERS);
                rows.add(&std::mem::replace(&mut readers[which], start_reader()?).end());
            }
        }
        if publishers.process.has_ended()
            || writers.process.has_ended()
            || from_the_start.iter_mut().chain(&mut late).any(Counting::has_ended)
            || readers.iter_mut().any(Counting::has_ended)
        {
            return Err("a child process ended by itself: see above".into());
        }
    }
    for follower in from_the_start.into_iter().chain(late) {
        follower.let_finish();
        keyed.add(&follower.end());
    }
    for reader in readers {
        reader.let_finish();
        rows.add(&reader.end());
    }
    let KeyedCounts { late_joins, positions_compared, positions_from_start, state_differences, torn, not_kept } = keyed;
    let RowCounts { reads: table_reads, overtaken: table_overtaken, torn: table_torn, back: table_back } = rows;
    let table_torn = table_torn + torn;
    Ok(Tables {
        late_joins,
        not_kept,
        positions_compared,
        positions_from_start,
        state_differences,
        table_reads,
        table_overtaken,
        table_torn,
        table_back,
        ..tables
    })
}
