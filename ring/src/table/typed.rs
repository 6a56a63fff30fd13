//! The typed handles of a table: its one writer and its readers.

use std::io;
use std::marker::PhantomData;
use std::path::Path;
use std::time::Duration;

use super::error::{Full, ReadError, WaitError};
use super::reader::Reader;
use super::row::{Row, Stored};
use super::writer::Writer;
use crate::error::{CloseError, CreateError};
use crate::format::layout::{Layout, slot_words};
use crate::format::message::MessageFormat;
use crate::format::payload::Payload;
use crate::format::rows::{Kind, RowsGeometry};
use crate::memory::Memory;
use crate::protocol::copy;
use crate::protocol::rows::Rows;
use crate::protocol::slots::{Stride, StrideOf};
use crate::protocol::wait::{Interrupter, WaitStrategy};
use crate::protocol::wake::Wake;
use crate::publisher::options::{check_message, check_rows};
use crate::segment::room;
use crate::sync::{Word, WriteWord};
use crate::transport::attachment::Opened;
use crate::transport::heap::Heap;
use crate::transport::host::Made;

/// The one writer of a table: see [`table`](crate::table).
///
/// Dropping it closes the table, as [`close`](Self::close) does. The exception is a panic that unwinds through it: readers
/// then learn that the writer died. A forked child must not store: see [`Publisher`](crate::Publisher).
///
/// Keys are equal if their bytes are.
pub struct TableWriter<K, V> {
    writer: Writer<StrideOf<V>>,
    key: PhantomData<fn(K)>,
}

impl<K: Payload, V: Payload> TableWriter<K, V> {
    pub(super) fn new(made: Made, wake: Wake) -> Self {
        TableWriter { writer: Writer::new(made, StrideOf::STRIDE, wake, size_of::<K>()), key: PhantomData }
    }

    /// The row of a key. A new key is added. Costs a hash and a look-up in private memory: keep the row, and store by it.
    ///
    /// # Errors
    /// [`Full`] if the key is new and every row has another key. Nothing is stored then.
    #[inline]
    pub fn row(&mut self, key: &K) -> Result<Row, Full> {
        self.writer.row(copy::bytes_of(key), |words| copy::store(words, key))
    }

    /// Stores a value and returns the number of the store. Wait-free: it writes the value's cache lines, the count and an
    /// entry of the log, and does not allocate. It makes a system call only to wake readers that sleep.
    ///
    /// # Panics
    /// If the row is of another table, and this one has no such row.
    #[inline]
    pub fn store(&mut self, row: Row, value: &V) -> u64 {
        self.writer.store_for_key(row, |words| copy::store(words, value))
    }

    /// The value that was stored last into a row, by this writer or by the one before it. `None` if none was.
    ///
    /// # Panics
    /// As [`store`](Self::store).
    pub fn get(&self, row: Row) -> Option<Stored<V>> {
        self.writer.last(row, Stored::load)
    }

    /// The key of a row, if it has one.
    pub fn key(&self, row: Row) -> Option<K> {
        key(self.writer.stored(), row, self.len())
    }

    /// The rows that have a key.
    pub fn rows(&self) -> impl Iterator<Item = Row> + use<K, V> {
        (0..self.writer.keys() as u32).map(Row)
    }

    /// Gives a number to something that is stored into no row.
    #[inline]
    pub(crate) fn pass_over(&mut self) {
        self.writer.pass_over();
    }

    /// Goes on with this number.
    pub(crate) fn go_on_with(&mut self, number: u64) {
        self.writer.go_on_with(number);
    }

    pub(crate) fn words(&self) -> &Memory<WriteWord> {
        self.writer.words()
    }

    /// The number of keys.
    #[inline]
    pub fn len(&self) -> usize {
        self.writer.keys()
    }

    /// Whether there is no key yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The most keys.
    pub fn capacity(&self) -> usize {
        self.writer.stored().capacity() as usize
    }

    /// The number of the next store.
    #[inline]
    pub fn stores(&self) -> u64 {
        self.writer.next()
    }

    /// The epoch: 1 for a new table's first writer, and one more for each that took it over.
    pub fn epoch(&self) -> u64 {
        self.writer.life.epoch()
    }

    /// How many readers are attached: see [`Publisher::subscribers`](crate::Publisher::subscribers).
    ///
    /// # Errors
    /// If the kernel refuses the question, for which it has no reason.
    pub fn readers(&self) -> io::Result<usize> {
        self.writer.life.host().subscribers()
    }

    /// How this writer finds out that a reader sleeps.
    pub fn wake(&self) -> Wake {
        self.writer.life.wake()
    }

    /// Whether the segment's file was cut short: see [`Publisher::is_cut_off`](crate::Publisher::is_cut_off).
    pub fn is_cut_off(&self) -> bool {
        self.writer.stored().memory().is_cut_short()
    }

    /// The directory of the table, or the socket of a sealed one. `None` for a table within the process.
    pub fn path(&self) -> Option<&Path> {
        self.writer.life.host().path()
    }

    /// Ends the table. Readers can still read what was stored, and then learn that it is closed. Its files are removed,
    /// unless the options say to keep them.
    ///
    /// # Errors
    /// If the files cannot be removed. The table is closed all the same.
    pub fn close(mut self) -> Result<(), CloseError> {
        self.writer.life.end()
    }

    /// Ends this writer and leaves the table for the next one: see [`Publisher::leave`](crate::Publisher::leave).
    pub fn leave(mut self) {
        self.writer.life.leave();
    }
}

impl<K, V: 'static> std::fmt::Debug for TableWriter<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (keys, stores) = (self.writer.keys(), self.writer.next());
        f.debug_struct("TableWriter").field("keys", &keys).field("stores", &stores).finish()
    }
}

/// One reader of a table: see [`table`](crate::table). It only loads, through read-only pages, and the writer never waits for
/// it.
pub struct TableReader<K, V> {
    reader: Reader<StrideOf<V>>,
    key: PhantomData<fn() -> K>,
}

impl<K: Payload, V: Payload> TableReader<K, V> {
    pub(super) fn new(opened: Opened, wait: WaitStrategy) -> Self {
        TableReader { reader: Reader::new(opened, StrideOf::STRIDE, wait, size_of::<K>()), key: PhantomData }
    }

    /// The row of a key, if the writer has added it. Costs a hash and a look-up in private memory, and once for each new key
    /// an allocation: keep the row, and read by it.
    #[inline]
    pub fn row(&mut self, key: &K) -> Option<Row> {
        self.reader.row(copy::bytes_of(key))
    }

    /// Reads the newest value of a row. `None` if nothing was stored there yet.
    ///
    /// # Errors
    /// [`ReadError`].
    ///
    /// # Panics
    /// If the row is of another table, and this one has no such row.
    #[inline]
    pub fn get(&mut self, row: Row) -> Result<Option<Stored<V>>, ReadError> {
        self.reader.read(row, Stored::load)
    }

    /// As [`get`](Self::get), over an existing value, and returns the number of the store. `None` leaves the value as it was.
    /// After an error it is still a valid `V`, but it may mix words of several.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    ///
    /// # Panics
    /// As [`get`](Self::get).
    #[inline]
    pub fn get_into(&mut self, row: Row, value: &mut V) -> Result<Option<u64>, ReadError> {
        self.reader.read(row, |number, words| {
            copy::load_over(words, value);
            number
        })
    }

    /// The rows that have a key by now.
    pub fn rows(&self) -> impl Iterator<Item = Row> + use<K, V> {
        (0..self.reader.rows().keys()).map(Row)
    }

    /// The key of a row, if it has one.
    pub fn key(&self, row: Row) -> Option<K> {
        key(self.reader.rows(), row, self.reader.rows().keys() as usize)
    }

    /// The most keys.
    pub fn capacity(&self) -> usize {
        self.reader.rows().capacity() as usize
    }

    /// The number of the next store: the number of stores since the table began at 0. One load: it tells whether anything
    /// changed.
    #[inline]
    pub fn stores(&self) -> u64 {
        self.reader.rows().stores()
    }

    /// Puts the row of each store from number `since` on into `changed`, once. Returns the number to ask for next time. A reader
    /// that asks less often gets each row once all the same, with its newest value.
    ///
    /// It looks at one word for each store since. If there were more than about as many as the table has rows, it looks at
    /// each row instead. A row may be named once more than it was stored: what is read then is never older.
    ///
    /// ```
    /// use feed_ring::in_process_table;
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let (mut writer, table) = in_process_table::<u32, u64>(100)?;
    ///     let (one, other) = (writer.row(&1)?, writer.row(&2)?);
    ///     writer.store(other, &20);
    ///     let mut reader = table.read();
    ///     let mut changed = Vec::new();
    ///     let next = reader.changed_since(0, &mut changed);
    ///     assert_eq!(changed, [other]);
    ///     for price in 10..13 {
    ///         writer.store(one, &price);
    ///     }
    ///     reader.changed_since(next, &mut changed);
    ///     assert_eq!(changed, [one]);
    ///     assert_eq!(reader.get(one)?.map(|stored| stored.value), Some(12));
    ///     Ok(())
    /// }
    /// ```
    pub fn changed_since(&mut self, since: u64, changed: &mut Vec<Row>) -> u64 {
        self.reader.changed_since(since, changed)
    }

    /// Waits until [`stores`](Self::stores) is no longer `since`, in the way that the options say. False after `timeout`, or
    /// after an interruption.
    ///
    /// # Errors
    /// [`WaitError`] if nothing more will be stored.
    pub fn wait(&mut self, since: u64, timeout: Duration) -> Result<bool, WaitError> {
        self.reader.wait(since, timeout)
    }

    /// Ends a wait from another thread.
    pub fn interrupter(&self) -> Interrupter {
        self.reader.interrupter()
    }

    /// Whether the writer lives. Costs one system call.
    pub fn writer_is_alive(&self) -> bool {
        !self.reader.attachment().liveness().is_dead()
    }

    /// Why the writer does not count this reader. `None` if it does.
    pub fn without_entry(&self) -> Option<&str> {
        self.reader.attachment().without_entry()
    }

    /// How often a read had to begin again at most so far, because the writer stored into the row meanwhile.
    pub fn most_retries(&self) -> u32 {
        self.reader.most_retries()
    }
}

impl<K, V: 'static> TableReader<K, V> {
    /// Whether the segment's file was cut short, as far as the guard knows.
    pub(crate) fn is_cut_short(&self) -> bool {
        self.reader.rows().memory().look_if_cut_short()
    }

    /// Whether another has replaced it.
    pub(crate) fn is_superseded(&self) -> bool {
        self.reader.is_superseded()
    }

    /// The header's words. `None` within a process, where there is no header.
    pub(crate) fn header(&self) -> Option<&Memory<Word>> {
        let rows = self.reader.rows();
        rows.layout().has_header().then(|| rows.memory())
    }
}

impl<K, V: 'static> std::fmt::Debug for TableReader<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (keys, stores) = (self.reader.rows().keys(), self.reader.rows().stores());
        f.debug_struct("TableReader").field("keys", &keys).field("stores", &stores).finish()
    }
}

fn key<K: Payload, S: Stride>(rows: &Rows<Word, S>, row: Row, keys: usize) -> Option<K> {
    (row.index() < keys).then(|| copy::load_value(rows.key(row.0)))
}

/// Memory on the heap for so many rows with values `V`.
pub(super) fn heap_of<V: Payload>(rows: &RowsGeometry, capacity: u64) -> Result<Heap, CreateError> {
    check_message(&MessageFormat::of::<V>())?;
    check_rows(rows, capacity)?;
    let copies = (8 * slot_words(size_of::<V>()) as u64).saturating_mul(rows.copies as u64);
    let key = rows.kind.key().map_or(0, MessageFormat::size) as u64;
    let what = if rows.kind == Kind::Cell { "a cell within the process" } else { "a table within the process" };
    room::check_heap(what, capacity.saturating_mul(copies.saturating_add(key)))?;
    Ok(Heap::new(Layout::rows_in_process(rows, slot_words(size_of::<V>()), capacity)))
}

/// Makes a table on the heap, of `capacity` rows. Returns its writer, and the handle that readers are made with.
///
/// # Errors
/// [`CreateError::Rows`] if there is no table of that many rows, [`CreateError::Message`] if `K` or `V` cannot be used.
/// [`CreateError::NoMemory`] and [`CreateError::MemoryLimit`] if a table of 64 MiB or more finds too little memory.
#[expect(clippy::type_complexity, reason = "two handles, or an error")]
pub fn in_process_table<K: Payload, V: Payload>(
    capacity: usize,
) -> Result<(TableWriter<K, V>, InProcessTable<K, V>), CreateError> {
    let heap = heap_of::<V>(&RowsGeometry::table(MessageFormat::of::<K>()), capacity as u64)?;
    let table = InProcessTable { heap, types: PhantomData };
    let writer = table.take_over().expect("nobody else can have this table yet");
    Ok((writer, table))
}

/// A table within the process. Readers are made with it, and a new writer takes over with it.
#[derive(Clone)]
pub struct InProcessTable<K, V> {
    heap: Heap,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K: Payload, V: Payload> InProcessTable<K, V> {
    /// A reader that waits with the default, [`WaitStrategy::Block`].
    pub fn read(&self) -> TableReader<K, V> {
        self.read_with(WaitStrategy::default())
    }

    /// A reader that waits in this way.
    pub fn read_with(&self, wait: WaitStrategy) -> TableReader<K, V> {
        TableReader::new(self.heap.open(), wait)
    }

    /// Takes over the table after its writer ended. `None` while it has one.
    pub fn take_over(&self) -> Option<TableWriter<K, V>> {
        self.heap.take_over().map(|made| TableWriter::new(made, Wake::default()))
    }
}
