//! One row of a table, or a cell: a value in two copies or more, of which the writer overwrites the oldest.
//!
//! Each copy is a slot (slot.rs): a sequence word, then the value. The sequence word names the store, by a number that rises
//! with every store into the table. So there is always a whole copy, even if the writer is killed in the middle of a store,
//! and a reader takes the newest whole one. Nothing is marked ahead: that would cost a copy.

use super::slot;
use super::slots::{DynamicStride, Slots};
use crate::sync::tuning::ROW_ATTEMPTS;
use crate::sync::{Ordering, Word, WriteWord, fence, on, spin_loop};

/// A row: its copies, one after the other.
pub(crate) struct Row<'a, W> {
    copies: &'a Slots<W, DynamicStride>,
    first: usize,
    count: usize,
}

impl<'a, W> Row<'a, W> {
    /// The row of `count` copies from `first` on.
    #[inline(always)]
    pub(crate) fn new(copies: &'a Slots<W, DynamicStride>, first: usize, count: usize) -> Self {
        Row { copies, first, count }
    }

    #[inline(always)]
    fn copy(&self, index: usize) -> &'a [W] {
        self.copies.indexed(self.first + index)
    }
}

/// Every copy that was newer when it was looked at was overwritten before it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overtaken;

/// Stores a value as store `number`, which is higher than that of any store before. `copy` stores the value into the words
/// that it is given.
#[inline(always)]
pub(crate) fn store(row: &Row<'_, WriteWord>, number: u64, copy: impl FnOnce(&[WriteWord])) {
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
fn oldest(row: &Row<'_, WriteWord>) -> usize {
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

/// What a look at the sequence words of all copies found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Newest {
    /// The index of the newest whole copy, and the number of its store.
    Whole(usize, u64),
    /// No copy was whole when it was looked at.
    Marked {
        /// Whether there is a copy that was never written.
        unused: bool,
    },
    /// No copy was ever written.
    Nothing,
}

/// The newest whole copy.
#[inline(always)]
pub(crate) fn newest(row: &Row<'_, Word>) -> Newest {
    let (mut newest, mut at, mut unused, mut marked) = (0, 0, false, false);
    for index in 0..row.count {
        let word = row.copy(index)[0].load();
        let whole = if word.is_multiple_of(2) { word } else { 0 };
        unused |= word == 0;
        marked |= word != whole;
        if whole > newest {
            (newest, at) = (whole, index);
        }
    }
    match newest.checked_sub(1) {
        Some(word) => Newest::Whole(at, word / 2),
        None if marked => Newest::Marked { unused },
        None => Newest::Nothing,
    }
}

/// Reads the newest value with `copy`, which is given its words, and returns the number of its store. `None` if nothing was
/// ever stored. Only the last call of `copy` was of a whole value, and only if there is a number. The second value is the
/// number of attempts that failed.
#[inline(always)]
pub(crate) fn read(row: &Row<'_, Word>, mut copy: impl FnMut(&[Word])) -> (Result<Option<u64>, Overtaken>, u32) {
    for failed in 0..ROW_ATTEMPTS {
        let found = newest(row);
        // K3. Pairs with P1. If a copy was passed over because it was marked, the one taken is looked at again behind the
        // marker. If the store before the marker was into that one, a caller may have seen it, and must not get an older value.
        fence("K3", Ordering::Acquire);
        match found {
            Newest::Whole(index, number) => {
                if slot::read(row.copy(index), number, &mut copy).is_ok() {
                    return (Ok(Some(number)), failed);
                }
            }
            Newest::Nothing => return (Ok(None), failed),
            // K4. The writer takes an unused copy before it overwrites a whole one. So if one is unused still, the marked one
            // is of the first store, which may never be completed: nothing was stored.
            Newest::Marked { unused: true } if newest(row) == (Newest::Marked { unused: true }) || !on("K4") => {
                return (Ok(None), failed);
            }
            Newest::Marked { .. } => {}
        }
        spin_loop();
    }
    (Err(Overtaken), ROW_ATTEMPTS)
}
