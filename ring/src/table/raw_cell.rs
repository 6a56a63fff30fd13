//! The untyped handles of a cell: its value is bytes, of a size known only at run time.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::cell::ROW;
use super::error::{ReadError, WaitError};
use super::reader::Reader;
use super::writer::Writer;
use crate::error::CloseError;
use crate::format::message::MessageFormat;
use crate::protocol::copy;
use crate::protocol::slots::DynamicStride;
use crate::protocol::wait::{Interrupter, WaitStrategy};
use crate::protocol::wake::Wake;
use crate::transport::attachment::Opened;
use crate::transport::host::Made;

/// The one writer of a cell whose value is bytes. A typed [`CellWriter`](crate::CellWriter) with the same schema makes the same
/// cell, and each can take over the other's.
///
/// Dropping it closes the cell, as it does a typed writer's.
///
/// ```no_run
/// use feed_ring::raw::{CellReader, CellWriter, MessageFormat};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let mut writer = CellWriter::options("book", MessageFormat::of::<[u64; 100]>()).create_raw_cell()?;
///     writer.store(&[7; 800]);
///
///     let mut reader = CellReader::options("book").open_raw_cell()?; // in another process
///     let mut value = vec![0; reader.format().size()];
///     assert_eq!(reader.get_into(&mut value)?, Some(0)); // the first store
///     assert_eq!(value, [7; 800]);
///     Ok(())
/// }
/// ```
pub struct RawCellWriter {
    writer: Writer<DynamicStride>,
    format: MessageFormat,
}

impl RawCellWriter {
    pub(super) fn new(made: Made, wake: Wake, format: MessageFormat) -> Self {
        let stride = DynamicStride::of(&made.layout);
        RawCellWriter { writer: Writer::new(made, stride, wake, 0), format }
    }

    /// The format of the value.
    pub fn format(&self) -> &MessageFormat {
        &self.format
    }

    /// Stores a value and returns the number of the store: see [`CellWriter::store`](crate::CellWriter::store).
    ///
    /// # Panics
    /// If `value` is not as long as the format says.
    #[inline]
    pub fn store(&mut self, value: &[u8]) -> u64 {
        self.format.expect("a value", value);
        self.writer.store(ROW, |words| copy::store_bytes(words, value))
    }

    /// Copies the value that was stored last, by this writer or by the one before it, and returns the number of that store. `None`
    /// if none was; `value` then stays as it was.
    ///
    /// # Panics
    /// If `value` is not as long as the format says.
    pub fn get_into(&self, value: &mut [u8]) -> Option<u64> {
        self.format.expect("room for a value", value);
        self.writer.last(ROW, |number, words| {
            copy::load_over_bytes(words, value);
            number
        })
    }

    /// The number of the next store.
    #[inline]
    pub fn stores(&self) -> u64 {
        self.writer.next()
    }

    /// The epoch: 1 for a new cell's first writer, and one more for each that took it over.
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

    /// The directory of the cell, or the socket of a sealed one.
    pub fn path(&self) -> Option<&Path> {
        self.writer.life.host().path()
    }

    /// Ends the cell: see [`TableWriter::close`](crate::TableWriter::close).
    ///
    /// # Errors
    /// If the files cannot be removed. The cell is closed all the same.
    pub fn close(mut self) -> Result<(), CloseError> {
        self.writer.life.end()
    }

    /// Ends this writer and leaves the cell for the next one: see [`Publisher::leave`](crate::Publisher::leave).
    pub fn leave(mut self) {
        self.writer.life.leave();
    }
}

impl std::fmt::Debug for RawCellWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawCellWriter").field("stores", &self.stores()).field("format", &self.format).finish()
    }
}

/// One reader of a cell with any value, as bytes. [`format`](Self::format) says what it means.
///
/// It only loads, through read-only pages, and the writer never waits for it. [`RawCellWriter`] has an example.
pub struct RawCellReader {
    reader: Reader<DynamicStride>,
    format: MessageFormat,
}

impl RawCellReader {
    pub(super) fn new(opened: Opened, wait: WaitStrategy) -> Self {
        let (geometry, _) = opened.found.as_ref().expect("an untyped reader opens segments with a header only");
        let (format, stride) = (geometry.format(), DynamicStride::of(&opened.layout));
        RawCellReader { reader: Reader::new(opened, stride, wait, 0), format }
    }

    /// The format of the value.
    pub fn format(&self) -> &MessageFormat {
        &self.format
    }

    /// Copies the newest value, and returns the number of its store. `None` if nothing was stored yet; `value` then stays as it
    /// was. After an error the bytes have no meaning.
    ///
    /// # Errors
    /// [`ReadError`].
    ///
    /// # Panics
    /// If `value` is not as long as the format says.
    #[inline]
    pub fn get_into(&mut self, value: &mut [u8]) -> Result<Option<u64>, ReadError> {
        self.format.expect("room for a value", value);
        self.reader.read(ROW, |number, words| {
            copy::load_over_bytes(words, value);
            number
        })
    }

    /// The number of the next store. One load: it tells whether anything changed.
    #[inline]
    pub fn stores(&self) -> u64 {
        self.reader.rows().stores()
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

    /// How often a read had to begin again at most so far, because the writer stored meanwhile.
    pub fn most_retries(&self) -> u32 {
        self.reader.most_retries()
    }
}

impl std::fmt::Debug for RawCellReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawCellReader").field("stores", &self.stores()).field("format", &self.format).finish()
    }
}
