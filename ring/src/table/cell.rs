//! The typed handles of a cell: one value without a key.

use std::io;
use std::marker::PhantomData;
use std::path::Path;
use std::time::Duration;

use super::error::{ReadError, WaitError};
use super::reader::Reader;
use super::row::{Row, Stored};
use super::typed::heap_of;
use super::writer::Writer;
use crate::error::{CloseError, CreateError};
use crate::format::payload::Payload;
use crate::format::rows::RowsGeometry;
use crate::protocol::copy;
use crate::protocol::slots::StrideOf;
use crate::protocol::wait::{Interrupter, WaitStrategy};
use crate::protocol::wake::Wake;
use crate::transport::attachment::Opened;
use crate::transport::heap::Heap;
use crate::transport::host::Made;

/// A cell is a table of this one row.
pub(super) const ROW: Row = Row(0);

/// The one writer of a cell: a value of any size, such as an order book. See [`table`](crate::table).
///
/// Dropping it closes the cell, as [`close`](Self::close) does, unless a panic unwinds through it.
///
/// ```
/// use feed_ring::in_process_cell;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let (mut writer, cell) = in_process_cell::<[u64; 100]>()?;
///     writer.store(&[7; 100]);
///     let mut reader = cell.read();
///     let seen = reader.get()?.ok_or("nothing yet")?;
///     assert_eq!((seen.number, seen.value[99]), (0, 7));
///     assert_eq!(reader.stores(), seen.number + 1); // nothing newer
///     Ok(())
/// }
/// ```
pub struct CellWriter<T> {
    writer: Writer<StrideOf<T>>,
}

impl<T: Payload> CellWriter<T> {
    pub(super) fn new(made: Made, wake: Wake) -> Self {
        CellWriter { writer: Writer::new(made, StrideOf::STRIDE, wake, 0) }
    }

    /// Stores a value and returns the number of the store. Wait-free, and no allocation: see
    /// [`TableWriter::store`](super::TableWriter::store).
    #[inline]
    pub fn store(&mut self, value: &T) -> u64 {
        self.writer.store(ROW, |words| copy::store(words, value))
    }

    /// The value that was stored last, by this writer or by the one before it. `None` if none was.
    pub fn get(&self) -> Option<Stored<T>> {
        self.writer.last(ROW, Stored::load)
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

    /// The directory of the cell, or the socket of a sealed one. `None` for a cell within the process.
    pub fn path(&self) -> Option<&Path> {
        self.writer.life.host().path()
    }

    /// Ends the cell: see [`TableWriter::close`](super::TableWriter::close).
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

impl<T: 'static> std::fmt::Debug for CellWriter<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CellWriter").field("stores", &self.writer.next()).finish()
    }
}

/// One reader of a cell. It only loads, through read-only pages, and the writer never waits for it.
pub struct CellReader<T> {
    reader: Reader<StrideOf<T>>,
}

impl<T: Payload> CellReader<T> {
    pub(super) fn new(opened: Opened, wait: WaitStrategy) -> Self {
        CellReader { reader: Reader::new(opened, StrideOf::STRIDE, wait, 0) }
    }

    /// Reads the newest value. `None` if nothing was stored yet.
    ///
    /// # Errors
    /// [`ReadError`].
    #[inline]
    pub fn get(&mut self) -> Result<Option<Stored<T>>, ReadError> {
        self.reader.read(ROW, Stored::load)
    }

    /// As [`get`](Self::get), over an existing value, and returns the number of the store. For values that are too large for a
    /// stack. `None` leaves the value as it was. After an error it is still a valid `T`, but it may mix words of several.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    #[inline]
    pub fn get_into(&mut self, value: &mut T) -> Result<Option<u64>, ReadError> {
        self.reader.read(ROW, |number, words| {
            copy::load_over(words, value);
            number
        })
    }

    /// The number of the next store. One load: it tells whether anything changed.
    #[inline]
    pub fn stores(&self) -> u64 {
        self.reader.rows().stores()
    }

    /// Waits until [`stores`](Self::stores) is no longer `since`: see [`TableReader::wait`](super::TableReader::wait).
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

impl<T: 'static> std::fmt::Debug for CellReader<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CellReader").field("stores", &self.reader.rows().stores()).finish()
    }
}

/// Makes a cell on the heap. Returns its writer, and the handle that readers are made with.
///
/// # Errors
/// [`CreateError::Message`] if `T` cannot be a value. [`CreateError::NoMemory`] and [`CreateError::MemoryLimit`] if a cell of
/// 64 MiB or more finds too little memory.
pub fn in_process_cell<T: Payload>() -> Result<(CellWriter<T>, InProcessCell<T>), CreateError> {
    let cell = InProcessCell { heap: heap_of::<T>(&RowsGeometry::cell(), 1)?, value: PhantomData };
    let writer = cell.take_over().expect("nobody else can have this cell yet");
    Ok((writer, cell))
}

/// A cell within the process. Readers are made with it, and a new writer takes over with it.
#[derive(Clone)]
pub struct InProcessCell<T> {
    heap: Heap,
    value: PhantomData<fn() -> T>,
}

impl<T: Payload> InProcessCell<T> {
    /// A reader that waits with the default, [`WaitStrategy::Block`].
    pub fn read(&self) -> CellReader<T> {
        self.read_with(WaitStrategy::default())
    }

    /// A reader that waits in this way.
    pub fn read_with(&self, wait: WaitStrategy) -> CellReader<T> {
        CellReader::new(self.heap.open(), wait)
    }

    /// Takes over the cell after its writer ended. `None` while it has one.
    pub fn take_over(&self) -> Option<CellWriter<T>> {
        self.heap.take_over().map(|made| CellWriter::new(made, Wake::default()))
    }
}
