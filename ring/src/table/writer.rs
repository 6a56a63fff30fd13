//! The untyped core of the writer of a table or a cell: keys and values are bytes.

use super::error::Full;
use super::keys::Keys;
use super::row::Row;
use crate::memory::Memory;
use crate::protocol::row::Missed;
use crate::protocol::rows::Rows;
use crate::protocol::slots::Stride;
use crate::protocol::wake::Wake;
use crate::publisher::life::Life;
use crate::sync::{Word, WriteWord};
use crate::transport::host::Made;

/// The one writer. `S` is the stride between the copies of values.
pub(super) struct Writer<S> {
    rows: Rows<WriteWord, S>,
    /// The same memory, to read what was stored.
    stored: Rows<Word, S>,
    keys: Keys,
    /// The number of the next store.
    next: u64,
    pub(super) life: Life,
}

impl<S: Stride> Writer<S> {
    /// Writes to a table or a cell in which a new epoch has begun. Keys are of `key_size` bytes.
    pub(super) fn new(made: Made, stride: S, wake: Wake, key_size: usize) -> Self {
        let Made { memory, layout, next, sleepers, host } = made;
        let next = next.sequence;
        let stored = Rows::with_stride(memory.reader(), layout, stride);
        let mut keys = Keys::new(key_size);
        keys.learn(&stored);
        let life = Life::new(&memory, &layout, sleepers, host, wake);
        Writer { rows: Rows::with_stride(memory, layout, stride), stored, keys, next, life }
    }

    /// The row of a key, added if it is new. `copy` stores the key.
    #[inline]
    pub(super) fn row(&mut self, key: &[u8], copy: impl FnOnce(&[WriteWord])) -> Result<Row, Full> {
        match self.keys.get(key) {
            Some(row) => Ok(row),
            None => self.add(key, copy),
        }
    }

    #[cold]
    fn add(&mut self, key: &[u8], copy: impl FnOnce(&[WriteWord])) -> Result<Row, Full> {
        let next = self.keys.next();
        if u64::from(next) >= self.rows.capacity() {
            return Err(Full { capacity: self.rows.capacity() as usize });
        }
        self.rows.add_key(next, copy);
        Ok(self.keys.add(key))
    }

    /// Stores a value into the row of a key, and returns the number of the store.
    ///
    /// # Panics
    /// If the row has no key.
    #[inline(always)]
    pub(super) fn store_for_key(&mut self, row: Row, copy: impl FnOnce(&[WriteWord])) -> u64 {
        // A value in a row without a key would be found by nobody, and later under another key.
        if row.index() >= self.keys() {
            no_such_row(row, self.keys());
        }
        self.store(row, copy)
    }

    /// Stores a value, and returns the number of the store.
    #[inline(always)]
    pub(super) fn store(&mut self, row: Row, copy: impl FnOnce(&[WriteWord])) -> u64 {
        let number = self.next;
        self.rows.store(row.0, number, copy);
        self.next = number + 1;
        self.life.waker.published();
        number
    }

    /// Gives a number to something that is stored into no row.
    #[inline]
    pub(super) fn pass_over(&mut self) {
        self.rows.pass_over(self.next);
        self.next += 1;
        self.life.waker.published();
    }

    /// Goes on with this number.
    pub(super) fn go_on_with(&mut self, number: u64) {
        self.next = number;
        self.rows.announce(number);
    }

    pub(super) fn words(&self) -> &Memory<WriteWord> {
        self.rows.memory()
    }

    /// Reads the value that was stored last into a row with `copy`, as a reader does. Nobody else stores, so the first attempt
    /// succeeds.
    pub(super) fn last<C>(&self, row: Row, copy: impl FnMut(u64, &[Word]) -> C) -> Option<C> {
        self.stored.read(row.0, Missed::NotTried, copy).0.ok().flatten()
    }

    /// What was stored.
    #[inline]
    pub(super) fn stored(&self) -> &Rows<Word, S> {
        &self.stored
    }

    #[inline]
    pub(super) fn keys(&self) -> usize {
        self.keys.len()
    }

    /// The number of the next store.
    #[inline]
    pub(super) fn next(&self) -> u64 {
        self.next
    }
}

/// Apart from its caller, which needs no registers for it.
#[cold]
#[inline(never)]
fn no_such_row(row: Row, keys: usize) -> ! {
    panic!("row {} of a table with {keys} keys", row.index())
}
