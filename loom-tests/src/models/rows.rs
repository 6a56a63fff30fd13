//! Tables and cells: no value is torn or goes back, whatever was counted can be read, and a writer that is killed leaves the
//! last whole value.
//!
//! | oracle | fails when |
//! |---|---|
//! | `torn` | a value's words are not all of one store |
//! | `number` | a whole value comes under another store's number |
//! | `back` | a read returns an older value than one before it |
//! | `stale` | a value, a key or a change that is counted cannot be read |
//! | `blocked` | a row without a whole value after its writer was killed |
//! | `next` | a takeover does not go on with the first number that nobody can have seen |
//! | `reuse` | two values of different writers have one number |
//! | `end` | the end is told before the last value, or a close as a death |

use std::time::Duration;

use feed_ring::sync::model;
use feed_ring::table::{ReadError, Row, Stored, WaitError};
use feed_ring::{
    CellReader, CellWriter, InProcessCell, TableReader, TableWriter, WaitStrategy, in_process_cell, in_process_table,
};
use loom::thread;

use crate::explore::{met, struck, violated};
use crate::oracle::Message;

/// A reader's values so far: each is checked against the one before.
#[derive(Default)]
struct Seen {
    last: Option<(u64, u64)>,
}

impl Seen {
    /// Checks a value of `[u64; N]`, and returns its number.
    fn check<const N: usize>(&mut self, read: Result<Option<Stored<[u64; N]>>, ReadError>) -> Option<u64> {
        let stored = match read {
            Ok(Some(stored)) => stored,
            Ok(None) => {
                met('e');
                if let Some(last) = self.last {
                    violated("back", format!("nothing after {last:?}"));
                }
                return None;
            }
            // Overwritten meanwhile. Another attempt is another read.
            Err(ReadError::Overtaken { .. }) => {
                met('O');
                return None;
            }
            Err(error) => violated("torn", format!("{error}")),
        };
        met('M');
        let Some((number, epoch)) = stored.value.number() else {
            violated("torn", stored.value.text());
        };
        if number != stored.number {
            violated("number", format!("the value of store {number} came as {}", stored.number));
        }
        match self.last {
            Some((last, _)) if number < last => violated("back", format!("{number} after {last}")),
            Some((last, other)) if number == last && epoch != other => {
                violated("reuse", format!("store {number} of writers {other} and {epoch}"));
            }
            _ => {}
        }
        self.last = Some((number, epoch));
        Some(number)
    }

    /// The same for a cell, once it is quiet: there must be a value, of store `least` or later.
    fn check_last<const N: usize>(&mut self, reader: &mut CellReader<[u64; N]>, least: u64) -> u64 {
        match self.check(reader.get()) {
            Some(number) if number >= least => number,
            other => violated("blocked", format!("{other:?} where store {least} or a later one was to be found")),
        }
    }
}

fn store<const N: usize>(writer: &mut CellWriter<[u64; N]>, epoch: u64) {
    let number = writer.stores();
    writer.store(&<[u64; N]>::of(number, epoch));
}

/// A cell of `WORDS` words: one reader reads `READS` times beside `STORES` stores, then once more.
pub(super) fn cell<const WORDS: usize, const STORES: usize, const READS: usize>(_: usize) {
    let (mut writer, cell) = in_process_cell::<[u64; WORDS]>().expect("a value that can be");
    let reader = thread::spawn(move || {
        let (mut reader, mut seen) = (cell.read(), Seen::default());
        for _ in 0..READS {
            seen.check(reader.get());
        }
        (reader, seen)
    });
    for _ in 0..STORES {
        store(&mut writer, 1);
    }
    let (mut reader, mut seen) = reader.join().unwrap();
    seen.check_last(&mut reader, STORES as u64 - 1);
    std::mem::forget(writer);
}

/// A writer is killed after `stores` stores of words. Its reader, and one that comes later, find the last whole value.
pub(super) fn death(stores: usize) {
    let (mut writer, cell) = in_process_cell::<[u64; 2]>().expect("a value that can be");
    store(&mut writer, 1);
    let reading = cell.clone();
    let reader = thread::spawn(move || {
        let (mut reader, mut seen) = (reading.read(), Seen::default());
        seen.check(reader.get());
        (reader, seen)
    });
    model::die_after(stores);
    store(&mut writer, 1);
    store(&mut writer, 1);
    let least = if model::died() { 0 } else { 2 };
    if model::died() {
        struck();
    }
    let (mut reader, mut seen) = reader.join().unwrap();
    let last = seen.check_last(&mut reader, least);
    Seen::default().check_last(&mut cell.read(), last);
    std::mem::forget(writer);
}

/// A writer is killed after `stores` stores of words, and another goes on with a number that nobody can have seen, beside a
/// reader.
pub(super) fn takeover(stores: usize) {
    let (mut writer, cell) = in_process_cell::<[u64; 1]>().expect("a value that can be");
    store(&mut writer, 1);
    let reading = cell.clone();
    let reader = thread::spawn(move || {
        let (mut reader, mut seen) = (reading.read(), Seen::default());
        seen.check(reader.get());
        seen.check(reader.get());
        (reader, seen)
    });
    model::die_after(stores);
    store(&mut writer, 1);
    if model::died() {
        struck();
    }
    model::behave();
    take_over(writer, &cell);
    let (mut reader, mut seen) = reader.join().unwrap();
    let last = seen.check_last(&mut reader, 1);
    Seen::default().check_last(&mut cell.read(), last);
}

/// The kernel reports the death, and another writer stores a value.
fn take_over(writer: CellWriter<[u64; 1]>, cell: &InProcessCell<[u64; 1]>) {
    let mut seen = Seen::default();
    let last = seen.check_last(&mut cell.read(), 0);
    model::unwind(|| drop(writer));
    let mut writer = cell.take_over().expect("its writer ended");
    if writer.stores() != last + 1 {
        violated("next", format!("a takeover goes on at {}; {last} can be seen", writer.stores()));
    }
    store(&mut writer, 2);
    std::mem::forget(writer);
}

/// A writer ends on its own thread, and another takes over. Only the cell synchronises the two.
pub(super) fn handover(_: usize) {
    let (mut writer, cell) = in_process_cell::<[u64; 2]>().expect("a value that can be");
    let first = thread::spawn(move || {
        store(&mut writer, 1);
        writer.close().expect("nothing to remove");
    });
    let writer = loop {
        match cell.take_over() {
            Some(writer) => break writer,
            None => thread::yield_now(),
        }
    };
    let last = Seen::default().check_last(&mut cell.read(), 0);
    if writer.stores() != last + 1 {
        violated("next", format!("a takeover goes on at {}; {last} can be seen", writer.stores()));
    }
    first.join().unwrap();
    std::mem::forget(writer);
}

type Writer = TableWriter<u64, [u64; 1]>;
type Reader = TableReader<u64, [u64; 1]>;

fn store_row(writer: &mut Writer, row: Row) {
    let number = writer.stores();
    writer.store(row, &<[u64; 1]>::of(number, 1));
}

/// A reader that saw a count reads the rows of all stores below it, and is told of each.
pub(super) fn count<const STORES: usize>(_: usize) {
    let (mut writer, table) = in_process_table::<u64, [u64; 1]>(2).expect("a table that can be");
    let rows = [7, 9].map(|key| writer.row(&key).expect("it has room"));
    let reader = thread::spawn(move || {
        let mut reader = table.read();
        look_at_changes(&mut reader, rows, 0);
        reader
    });
    for number in 0..STORES {
        store_row(&mut writer, rows[row_of(number as u64)]);
    }
    let mut reader = reader.join().unwrap();
    if look_at_changes(&mut reader, rows, 0) != STORES as u64 {
        violated("stale", "the last count is not seen".to_owned());
    }
    std::mem::forget(writer);
}

/// The row of a store. Two stores with one entry of the log are into different rows.
fn row_of(number: u64) -> usize {
    [0, 1, 1, 0][number as usize % 4]
}

/// Asks for the changes since `since` and checks them against the stores below the count that comes back: they were into the
/// two rows in turn.
fn look_at_changes(reader: &mut Reader, rows: [Row; 2], since: u64) -> u64 {
    let mut changed = Vec::new();
    let until = reader.changed_since(since, &mut changed);
    for (index, row) in rows.into_iter().enumerate() {
        let Some(last) = (since..until).rev().find(|&number| row_of(number) == index) else { continue };
        if !changed.contains(&row) {
            violated("stale", format!("store {last} below {until} is not among the changes"));
        }
        let mut seen = Seen::default();
        let read = reader.get(row);
        let overtaken = matches!(read, Err(ReadError::Overtaken { .. }));
        match seen.check(read) {
            Some(number) if number < last => violated("stale", format!("{number} read, {last} is below {until}")),
            None if !overtaken => violated("stale", format!("nothing read, {last} is below {until}")),
            _ => {}
        }
    }
    until
}

/// A reader looks for keys while they are added, and finds no others.
pub(super) fn keys(_: usize) {
    let (mut writer, table) = in_process_table::<u64, [u64; 1]>(2).expect("a table that can be");
    let reader = thread::spawn(move || {
        let mut reader = table.read();
        let found = [7, 9].map(|key| reader.row(&key));
        for (index, row) in found.into_iter().enumerate() {
            met(if row.is_some() { 'M' } else { 'e' });
            if row.is_some_and(|row| row.index() != index) {
                violated("stale", format!("key {index} is in {row:?}"));
            }
        }
        let count = reader.rows().count();
        for (row, key) in reader.rows().zip([7, 9]) {
            if reader.key(row) != Some(key) || reader.row(&key) != Some(row) {
                violated("stale", format!("{count} keys, and {row:?} has {:?}", reader.key(row)));
            }
        }
    });
    writer.row(&7).expect("it has room");
    writer.row(&9).expect("it has room");
    reader.join().unwrap();
    std::mem::forget(writer);
}

/// One that sleeps until a store, or until the end: it misses neither, and reads the last value at the end.
fn park(expected: Result<bool, WaitError>, run: impl FnOnce(CellWriter<[u64; 1]>) -> Option<CellWriter<[u64; 1]>>) {
    model::fence_for_sleepers();
    let (writer, cell) = in_process_cell::<[u64; 1]>().expect("a value that can be");
    let reader = thread::spawn(move || {
        let (mut reader, mut seen) = (cell.read_with(WaitStrategy::Block), Seen::default());
        let mut waited = reader.wait(0, Duration::MAX);
        if model::sleeps().0 > 0 {
            met('z');
        }
        if waited == Ok(true) {
            // The first attempt may find the copies as they were before, and behind its fence that they are not so.
            let read = match reader.get() {
                Err(ReadError::Overtaken { .. }) => reader.get(),
                read => read,
            };
            if seen.check(read) != Some(0) {
                violated("end", "a store was announced and cannot be read".to_owned());
            }
            if expected != waited {
                waited = reader.wait(1, Duration::MAX);
            }
        } else if seen.check(reader.get()).is_some() {
            violated("end", format!("{waited:?} before the last store"));
        }
        if waited != expected {
            violated("end", format!("{waited:?} where {expected:?} was expected"));
        }
    });
    let writer = run(writer);
    reader.join().unwrap();
    drop(writer);
}

/// A store wakes it.
pub(super) fn park_store(_: usize) {
    park(Ok(true), |mut writer| {
        store(&mut writer, 1);
        Some(writer)
    });
}

/// A store wakes it, of a writer whose thread wakes.
pub(super) fn park_thread(_: usize) {
    model::wake_by_thread();
    park(Ok(true), |mut writer| {
        store(&mut writer, 1);
        Some(writer)
    });
}

/// A store and then a close.
pub(super) fn park_close(_: usize) {
    park(Err(WaitError::Closed), |mut writer| {
        store(&mut writer, 1);
        writer.close().expect("nothing to remove");
        None
    });
}

/// A store and then a panic.
pub(super) fn park_unwind(_: usize) {
    park(Err(WaitError::WriterDead), |mut writer| {
        store(&mut writer, 1);
        model::unwind(|| drop(writer));
        None
    });
}
