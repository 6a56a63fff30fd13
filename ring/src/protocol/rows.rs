//! The words of a table or a cell: its rows, its keys, the count of its stores, and the log of them.
//!
//! A store is written in this order: the log's entry, the row, the count. A key is written before the number of keys.
//! Readers take the count or the number of keys first, and find everything that was stored before it.

use super::row::{self, Missed, Read, Row};
use super::slots::{DynamicStride, OneWord, Slots, Stride};
use crate::format::layout::{Layout, MAX_SEQUENCE};
use crate::format::rows::RowsLayout;
use crate::memory::{Memory, Pinned};
use crate::sync::{Ordering, Word, WriteWord, fence, on};

/// A table or a cell in memory.
pub(crate) struct Rows<W, S = DynamicStride> {
    copies: Slots<W, S>,
    log: Option<Slots<W, OneWord>>,
    count: Pinned<W>,
    layout: Layout,
    parts: RowsLayout,
}

impl<W> Rows<W> {
    /// The table or cell in `memory`, whose values' size is known only at run time.
    ///
    /// # Panics
    /// As [`with_stride`](Self::with_stride).
    pub(crate) fn new(memory: Memory<W>, layout: Layout) -> Self {
        Self::with_stride(memory, layout, DynamicStride::of(&layout))
    }
}

impl<W, S: Stride> Rows<W, S> {
    /// The table or cell in `memory`.
    ///
    /// # Panics
    /// If the layout is a ring's, or has another stride, or its parts do not lie within `memory`. Callers must check the header
    /// first.
    pub(crate) fn with_stride(memory: Memory<W>, layout: Layout, stride: S) -> Self {
        let parts = layout.rows().expect("the layout of a table or a cell");
        let (log, count) = (Slots::of_log(memory.clone(), &parts), Pinned::new(&memory, layout.published));
        Rows { copies: Slots::of_rows(memory, &layout, stride), log, count, layout, parts }
    }

    #[inline(always)]
    pub(crate) fn memory(&self) -> &Memory<W> {
        self.copies.memory()
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The most rows.
    #[inline]
    pub(crate) fn capacity(&self) -> u64 {
        self.layout.capacity
    }

    /// Row `index`.
    ///
    /// # Panics
    /// If there cannot be such a row.
    #[inline(always)]
    fn row(&self, index: u32) -> Row<'_, W, S> {
        Row::new(&self.copies, index as usize * self.parts.copies, self.parts.copies)
    }

    /// Row `index`, if rows have two copies, which is the default. Its address needs no multiplication, and its copies no loop.
    ///
    /// # Panics
    /// As [`row`](Self::row).
    #[inline(always)]
    fn row_of_two(&self, index: u32) -> Option<Row<'_, W, S>> {
        (self.parts.copies == 2).then(|| Row::new(&self.copies, index as usize * 2, 2))
    }

    /// The words of the key of row `index`. Zero for a cell.
    #[inline]
    pub(crate) fn key(&self, index: u32) -> &[W] {
        &self.memory()[self.parts.keys + index as usize * self.parts.key_words..][..self.parts.key_words]
    }

    /// The word of the log for store `number`. `None` without a log.
    #[inline(always)]
    fn log(&self, number: u64) -> Option<&W> {
        Some(&self.log.as_ref()?.at(number)[0])
    }
}

/// In the log: a store into no row.
const NO_ROW: u32 = u32::MAX;

/// The entry of the log for a store into row `index`: the number's low half tells which lap it is of.
#[inline(always)]
fn entry(number: u64, index: u32) -> u64 {
    number << 32 | u64::from(index)
}

impl<S: Stride> Rows<WriteWord, S> {
    /// Stores a value into row `index` as store `number`.
    #[inline(always)]
    pub(crate) fn store(&self, index: u32, number: u64, copy: impl FnOnce(&[WriteWord])) {
        self.note(number, index);
        match self.row_of_two(index) {
            Some(row) => row::store(&row, number, copy),
            None => self.store_into_many(index, number, copy),
        }
        self.announce(number + 1);
    }

    /// Stores into a row of more than two copies. Apart, so that two copies need no registers for its loop.
    #[inline(never)]
    fn store_into_many(&self, index: u32, number: u64, copy: impl FnOnce(&[WriteWord])) {
        row::store(&self.row(index), number, copy);
    }

    /// Counts store `number`, which is into no row.
    #[inline(always)]
    pub(crate) fn pass_over(&self, number: u64) {
        self.note(number, NO_ROW);
        self.announce(number + 1);
    }

    /// Notes in the log which row store `number` is for.
    #[inline(always)]
    fn note(&self, number: u64, index: u32) {
        if let Some(log) = self.log(number) {
            log.store(entry(number, index));
        }
    }

    /// Sets the count: all stores below it are complete.
    #[inline(always)]
    pub(crate) fn announce(&self, count: u64) {
        // K5. Pairs with K3 and K7. A reader that sees the count finds the rows of all stores below it.
        self.count.store_ordered("K5", Ordering::Release, count);
    }

    /// Adds a key as row `index`, the next one. `copy` stores it.
    pub(crate) fn add_key(&self, index: u32, copy: impl FnOnce(&[WriteWord])) {
        copy(self.key(index));
        // K6. Pairs with K7. A reader that sees the number of keys sees the keys.
        self.memory()[self.parts.key_count].store_ordered("K6", Ordering::Release, u64::from(index) + 1);
    }
}

/// What became of a question for the changed rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Log {
    /// Every changed row was named.
    Complete,
    /// The log no longer reaches back so far: any row may have changed.
    Overwritten,
}

impl<S: Stride> Rows<Word, S> {
    /// The number of stores. What was stored below it is there for whoever passes K3 or K7 after this.
    #[inline(always)]
    pub(crate) fn stores(&self) -> u64 {
        self.count.load()
    }

    /// The number of keys, at most as many as there are rows. The keys below it can be read.
    pub(crate) fn keys(&self) -> u32 {
        let count = self.memory()[self.parts.key_count].load();
        // K7. Pairs with K6.
        fence("K7", Ordering::Acquire);
        count.min(self.layout.capacity) as u32
    }

    /// Attempts once to read the newest value of row `index`, if rows have two copies: see [`row::attempt`].
    #[inline(always)]
    pub(crate) fn attempt<C>(&self, index: u32, copy: impl FnOnce(u64, &[Word]) -> C) -> Result<C, Missed> {
        let Some(row) = self.row_of_two(index) else { return Err(Missed::NotTried) };
        row::attempt(&row, copy)
    }

    /// Reads the newest value of row `index`, after this first attempt: see [`row::read`].
    pub(crate) fn read<C>(&self, index: u32, first: Missed, copy: impl FnMut(u64, &[Word]) -> C) -> Read<C> {
        row::read(&self.row(index), first, copy)
    }

    /// The number of the newest store into row `index`, if a copy is whole.
    pub(crate) fn newest(&self, index: u32) -> Option<u64> {
        row::newest(&self.row(index))
    }

    /// The sequence word of a copy of row `index`.
    pub(crate) fn sequence_word(&self, index: u32, copy: usize) -> u64 {
        self.row(index).word(copy)
    }

    /// The number of entries of the log; 0 without a log.
    pub(crate) fn log_entries(&self) -> usize {
        self.parts.log_entries
    }

    /// The row that the log names for store `number`, if its entry is of that store and names a row.
    pub(crate) fn logged_row(&self, number: u64) -> Option<u32> {
        let seen = self.log(number)?.load();
        (seen == entry(number, seen as u32) && seen as u32 != NO_ROW).then_some(seen as u32)
    }

    /// Whether nothing was ever stored into row `index`, after a look that found no whole copy.
    pub(crate) fn is_empty(&self, index: u32) -> bool {
        row::is_empty(&self.row(index))
    }

    /// Calls `changed` for the row of each store from `since` up to `until`, which [`stores`](Self::stores) returned.
    pub(crate) fn logged(&self, since: u64, until: u64, mut changed: impl FnMut(u32)) -> Log {
        if until.saturating_sub(since) > self.parts.log_entries as u64 {
            return Log::Overwritten;
        }
        for number in since..until {
            let Some(seen) = self.log(number).map(|log| log.load()) else { return Log::Overwritten };
            // K8. The writer may have overwritten the entry by one of the next lap.
            if seen != entry(number, seen as u32) && on("K8") {
                return Log::Overwritten;
            }
            changed(seen as u32);
        }
        Log::Complete
    }

    /// The number of the next store of a table whose writer is gone: one after the newest of any row, and no lower than the
    /// count.
    pub(super) fn next_of_stopped(&self) -> u64 {
        // The writer stores the count after the row, and may have died in between. A reader may have seen the row.
        let count = self.stores().clamp(self.layout.base, MAX_SEQUENCE);
        (0..self.capacity() as u32)
            .filter_map(|index| self.newest(index))
            .fold(count, |next, number| next.max(number + 1))
    }
}
