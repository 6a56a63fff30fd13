//! The untyped handles of a table: keys and values are bytes, of sizes known only at run time.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::error::{Full, ReadError, WaitError};
use super::reader::Reader;
use super::row::Row;
use super::writer::Writer;
use crate::error::CloseError;
use crate::format::message::MessageFormat;
use crate::format::rows::row_word;
use crate::protocol::copy;
use crate::protocol::rows::Rows;
use crate::protocol::slots::{DynamicStride, Stride};
use crate::protocol::wait::{Interrupter, WaitStrategy};
use crate::protocol::wake::Wake;
use crate::publisher::relay::RelayPublisher;
use crate::sync::Word;
use crate::transport::attachment::Opened;
use crate::transport::host::Made;

/// The one writer of a table whose keys and values are bytes. A typed [`TableWriter`](crate::TableWriter) with the same schemas
/// makes the same table, and each can take over the other's.
///
/// Keys are equal if their bytes are. A store costs a few nanoseconds more than with the typed writer, because the compiler does
/// not know the copy's length. Dropping it closes the table, as it does a typed writer's.
///
/// ```no_run
/// use feed_ring::raw::{MessageFormat, TableReader, TableWriter};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let (key, value) = (MessageFormat::parse("text 8 1\n")?, MessageFormat::parse("Quote 16 8\nbid i64 0\nask i64 8\n")?);
///     let mut quotes = TableWriter::options("quotes.table", key, value).capacity(100).create_raw_table()?;
///     let row = quotes.row(b"ESH4\0\0\0\0")?;
///     quotes.store(row, &[7; 16]);
///
///     let mut table = TableReader::options("quotes.table").open_raw_table()?; // in another process
///     let mut value = vec![0; table.value_format().size()];
///     let row = table.row(b"ESH4\0\0\0\0").ok_or("no such symbol")?;
///     assert_eq!(table.get_into(row, &mut value)?, Some(0)); // the first store
///     assert_eq!(value, [7; 16]);
///     Ok(())
/// }
/// ```
pub struct RawTableWriter {
    writer: Writer<DynamicStride>,
    formats: RowFormats,
}

/// The formats of a table's keys and values.
#[derive(Debug)]
pub(super) struct RowFormats {
    pub(super) key: MessageFormat,
    pub(super) value: MessageFormat,
}

impl RawTableWriter {
    pub(super) fn new(made: Made, wake: Wake, formats: RowFormats) -> Self {
        let stride = DynamicStride::of(&made.layout);
        RawTableWriter { writer: Writer::new(made, stride, wake, formats.key.size()), formats }
    }

    /// The format of the keys.
    pub fn key_format(&self) -> &MessageFormat {
        &self.formats.key
    }

    /// The format of the values.
    pub fn value_format(&self) -> &MessageFormat {
        &self.formats.value
    }

    /// The row of a key, added if it is new: see [`TableWriter::row`](crate::TableWriter::row).
    ///
    /// # Errors
    /// [`Full`] if the key is new and every row has another key. Nothing is stored then.
    ///
    /// # Panics
    /// If `key` is not as long as its format says.
    #[inline]
    pub fn row(&mut self, key: &[u8]) -> Result<Row, Full> {
        self.formats.key.expect("a key", key);
        self.writer.row(key, |words| copy::store_bytes(words, key))
    }

    /// Stores a value and returns the number of the store: see [`TableWriter::store`](crate::TableWriter::store).
    ///
    /// # Panics
    /// If `value` is not as long as its format says, or no key has this row.
    #[inline]
    pub fn store(&mut self, row: Row, value: &[u8]) -> u64 {
        self.formats.value.expect("a value", value);
        self.writer.store_for_key(row, |words| copy::store_bytes(words, value))
    }

    /// Gives the next store this number: for a table that has the numbers of another one, or of another ring.
    ///
    /// # Panics
    /// If it is below [`stores`](Self::stores).
    pub fn go_on_with(&mut self, number: u64) {
        let next = self.stores();
        assert!(number >= next, "from store {next} on to {number}");
        self.writer.go_on_with(number);
    }

    /// Says that this table keeps the newest message of each key of that ring, in its present epoch, as the table of a
    /// [`KeyedPublisher`](crate::KeyedPublisher) does: a [`KeyedSubscriber`](crate::KeyedSubscriber) can then join the two. To be said
    /// again in each epoch. From then on a row is stored before its message is published, under the same number, and a message without a
    /// row is [passed over](Self::go_on_with) after it.
    pub fn keep_for(&mut self, ring: &RelayPublisher) {
        let (nonce, epoch) = ring.nonce_and_epoch();
        let words = self.writer.words();
        // A reader compares both: the ring's nonce first, so that no epoch counts for another ring.
        words[row_word::RING].store(nonce);
        words[row_word::RING_EPOCH].store(epoch);
    }

    /// Copies the value that was stored last into a row, by this writer or by the one before it, and returns the number of that
    /// store. `None` if none was; `value` then stays as it was.
    ///
    /// # Panics
    /// If `value` is not as long as its format says, or the table has no such row.
    pub fn get_into(&self, row: Row, value: &mut [u8]) -> Option<u64> {
        self.formats.value.expect("room for a value", value);
        self.writer.last(row, |number, words| {
            copy::load_over_bytes(words, value);
            number
        })
    }

    /// Copies the key of a row. False if the row has none; `key` then stays as it was.
    ///
    /// # Panics
    /// If `key` is not as long as its format says.
    pub fn key_into(&self, row: Row, key: &mut [u8]) -> bool {
        self.formats.key.expect("room for a key", key);
        key_into(self.writer.stored(), row, self.len(), key)
    }

    /// The rows that have a key.
    pub fn rows(&self) -> impl Iterator<Item = Row> + use<> {
        (0..self.writer.keys() as u32).map(Row)
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

    /// The directory of the table, or the socket of a sealed one.
    pub fn path(&self) -> Option<&Path> {
        self.writer.life.host().path()
    }

    /// Ends the table: see [`TableWriter::close`](crate::TableWriter::close).
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

impl std::fmt::Debug for RawTableWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (keys, stores) = (self.len(), self.stores());
        let mut shown = f.debug_struct("RawTableWriter");
        shown.field("keys", &keys).field("stores", &stores).field("formats", &self.formats).finish()
    }
}

/// One reader of a table with any keys and values, as bytes. [`key_format`](Self::key_format) and
/// [`value_format`](Self::value_format) say what they mean. It also reads the table of a [`keyed`](crate::keyed) ring: that of
/// ring `NAME` is `NAME.table`.
///
/// It only loads, through read-only pages, and the writer never waits for it. [`RawTableWriter`] has an example.
pub struct RawTableReader {
    reader: Reader<DynamicStride>,
    formats: RowFormats,
}

impl RawTableReader {
    pub(super) fn new(opened: Opened, wait: WaitStrategy) -> Self {
        let (geometry, _) = opened.found.as_ref().expect("an untyped reader opens segments with a header only");
        let key = geometry.key_format().expect("a table has keys").clone();
        let formats = RowFormats { key, value: geometry.format() };
        let stride = DynamicStride::of(&opened.layout);
        RawTableReader { reader: Reader::new(opened, stride, wait, formats.key.size()), formats }
    }

    /// The format of the keys.
    pub fn key_format(&self) -> &MessageFormat {
        &self.formats.key
    }

    /// The format of the values.
    pub fn value_format(&self) -> &MessageFormat {
        &self.formats.value
    }

    /// The row of a key, if the writer has added it: see [`TableReader::row`](crate::TableReader::row).
    ///
    /// # Panics
    /// If `key` is not as long as its format says.
    #[inline]
    pub fn row(&mut self, key: &[u8]) -> Option<Row> {
        self.formats.key.expect("a key", key);
        self.reader.row(key)
    }

    /// Copies the newest value of a row, and returns the number of its store. `None` if nothing was stored there yet; `value` then
    /// stays as it was. After an error the bytes have no meaning.
    ///
    /// # Errors
    /// [`ReadError`].
    ///
    /// # Panics
    /// If `value` is not as long as its format says, or the table has no such row.
    #[inline]
    pub fn get_into(&mut self, row: Row, value: &mut [u8]) -> Result<Option<u64>, ReadError> {
        self.formats.value.expect("room for a value", value);
        self.reader.read(row, |number, words| {
            copy::load_over_bytes(words, value);
            number
        })
    }

    /// Copies the key of a row. False if the row has none; `key` then stays as it was.
    ///
    /// # Panics
    /// If `key` is not as long as its format says.
    pub fn key_into(&self, row: Row, key: &mut [u8]) -> bool {
        self.formats.key.expect("room for a key", key);
        key_into(self.reader.rows(), row, self.reader.rows().keys() as usize, key)
    }

    /// The rows that have a key by now.
    pub fn rows(&self) -> impl Iterator<Item = Row> + use<> {
        (0..self.reader.rows().keys()).map(Row)
    }

    /// The most keys.
    pub fn capacity(&self) -> usize {
        self.reader.rows().capacity() as usize
    }

    /// The number of the next store. One load: it tells whether anything changed.
    #[inline]
    pub fn stores(&self) -> u64 {
        self.reader.rows().stores()
    }

    /// Puts the row of each store from number `since` on into `changed`, once, and returns the number to ask for next time: see
    /// [`TableReader::changed_since`](crate::TableReader::changed_since).
    pub fn changed_since(&mut self, since: u64, changed: &mut Vec<Row>) -> u64 {
        self.reader.changed_since(since, changed)
    }

    /// Waits until [`stores`](Self::stores) is no longer `since`: see [`TableReader::wait`](crate::TableReader::wait).
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

impl std::fmt::Debug for RawTableReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (keys, stores) = (self.reader.rows().keys(), self.stores());
        let mut shown = f.debug_struct("RawTableReader");
        shown.field("keys", &keys).field("stores", &stores).field("formats", &self.formats).finish()
    }
}

fn key_into<S: Stride>(rows: &Rows<Word, S>, row: Row, keys: usize, key: &mut [u8]) -> bool {
    let has_key = row.index() < keys;
    if has_key {
        copy::load_over_bytes(rows.key(row.0), key);
    }
    has_key
}
