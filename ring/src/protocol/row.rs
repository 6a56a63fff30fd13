//! One row of a table, or a cell: a value in two copies or more, of which the writer overwrites the oldest.
//!
//! Each copy is a slot (slot.rs): a sequence word, then the value. The sequence word names the store, by a number that rises
//! with every store into the table. So there is always a whole copy, even if the writer is killed in the middle of a store,
//! and a reader takes the newest whole one. Nothing is marked ahead: that would cost a copy.

use super::slot;
use super::slots::{Slots, Stride};
use crate::sync::tuning::ROW_ATTEMPTS;
use crate::sync::{Ordering, Word, WriteWord, fence, on, spin_loop};

/// A row: its copies, one after the other.
pub(crate) struct Row<'a, W, S> {
    copies: &'a Slots<W, S>,
    first: usize,
    count: usize,
}

impl<'a, W, S: Stride> Row<'a, W, S> {
    /// The row of `count` copies from `first` on.
    #[inline(always)]
    pub(crate) fn new(copies: &'a Slots<W, S>, first: usize, count: usize) -> Self {
        Row { copies, first, count }
    }

    #[inline(always)]
    fn copy(&self, index: usize) -> &'a [W] {
        self.copies.indexed(self.first + index)
    }
}

impl<S: Stride> Row<'_, Word, S> {
    /// The sequence word of a copy.
    #[inline(always)]
    pub(crate) fn word(&self, copy: usize) -> u64 {
        self.copy(copy)[0].load()
    }
}

/// Every copy that was newer when it was looked at was overwritten before it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overtaken;

/// Stores a value as store `number`, which is higher than that of any store before. `copy` stores the value into the words
/// that it is given.
#[inline(always)]
pub(crate) fn store<S: Stride>(row: &Row<'_, WriteWord, S>, number: u64, copy: impl FnOnce(&[WriteWord])) {
    let slot = row.copy(oldest(row));
    // K1. The marker: from here on this copy's old value is gone. It needs no release: the fence P1 of the store before comes
    // before it, and behind that fence a reader finds the other copies marked or newer.
    if on("K1") {
        slot[0].store(slot::marked(number));
    }
    slot::write(slot, number, copy);
}

/// The copy to overwrite. K2: never the newest whole one. Until the store is complete, readers take that one, and if the
/// writer is killed they go on taking it. A copy that was left half written counts as the oldest.
#[inline(always)]
fn oldest<S: Stride>(row: &Row<'_, WriteWord, S>) -> usize {
    if !on("K2") {
        return 0;
    }
    let mut oldest = (0, u64::MAX);
    for index in 0..row.count {
        let word = row.copy(index)[0].load();
        let age = if word.is_multiple_of(2) { word } else { 0 };
        if age < oldest.1 {
            oldest = (index, age);
        }
    }
    oldest.0
}

/// The index of the newest whole copy, and the number of its store. `None` if none was whole when it was looked at.
#[inline(always)]
pub(crate) fn newest<S: Stride>(row: &Row<'_, Word, S>) -> Option<(usize, u64)> {
    let (mut newest, mut at) = (0, 0);
    for index in 0..row.count {
        let word = row.word(index);
        if word.is_multiple_of(2) && word > newest {
            (newest, at) = (word, index);
        }
    }
    newest.checked_sub(1).map(|word| (at, word / 2))
}

/// Whether nothing was ever stored, after a look that found no whole copy and the fence behind it.
#[cold]
pub(crate) fn is_empty<S: Stride>(row: &Row<'_, Word, S>) -> bool {
    // K4. A second look. All copies can be seen marked, or one not yet written, if the writer goes on between two loads. The
    // writer takes an unused copy before it overwrites a whole one. So if none is whole and one is unused still, the marked
    // one is of the first store, which may never be completed.
    if !on("K4") {
        return true;
    }
    newest(row).is_none() && (0..row.count).any(|index| row.word(index) == 0)
}

/// Reads the newest value with `copy`, which is given its words, and returns the number of its store. `None` if nothing was
/// ever stored. Only the last call of `copy` was of a whole value, and only if there is a number. The second value is the
/// number of attempts that failed.
#[inline(always)]
pub(crate) fn read<S: Stride>(
    row: &Row<'_, Word, S>,
    mut copy: impl FnMut(&[Word]),
) -> (Result<Option<u64>, Overtaken>, u32) {
    for failed in 0..ROW_ATTEMPTS {
        let whole = newest(row);
        // K3. Pairs with P1. If a copy was passed over because it was marked, the one taken is looked at again behind the
        // marker. If the store before the marker was into that one, a caller may have seen it, and must not get an older value.
        fence("K3", Ordering::Acquire);
        match whole {
            Some((index, number)) if slot::read(row.copy(index), number, &mut copy).is_ok() => {
                return (Ok(Some(number)), failed);
            }
            None if is_empty(row) => return (Ok(None), failed),
            _ => spin_loop(),
        }
    }
    (Err(Overtaken), ROW_ATTEMPTS)
}
