//! One row of a table, or a cell: a value in two copies or more, of which the writer overwrites the oldest.
//!
//! Each copy is a slot (slot.rs): a sequence word, then the value. The sequence word names the store, by a number that rises
//! with every store into the table. So there is always a whole copy, even if the writer is killed in the middle of a store,
//! and a reader takes the newest whole one. Nothing is marked ahead: that would cost a copy.

use super::slot;
use crate::sync::tuning::ROW_ATTEMPTS;
use crate::sync::{Ordering, Word, WriteWord, fence, on, spin_loop};

/// The words of a row: its copies, one after the other.
pub(crate) struct Row<'a, W> {
    words: &'a [W],
    copies: usize,
    copy_words: usize,
}

impl<'a, W> Row<'a, W> {
    /// A row of `copies` copies.
    #[inline(always)]
    pub(crate) fn new(words: &'a [W], copies: usize, copy_words: usize) -> Self {
        Row { words, copies, copy_words }
    }

    #[inline(always)]
    fn copy(&self, index: usize) -> &'a [W] {
        &self.words[index * self.copy_words..][..self.copy_words]
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
    // K1. Pairs with K4. Every whole copy was stored before this marker. A reader that sees it, and for that reason takes
    // another copy, finds that other one's newest value.
    // K2. The marker itself: from here on this copy's old value is gone.
    if on("K2") {
        slot[0].store_ordered("K1", Ordering::Release, slot::marked(number));
    }
    slot::write(slot, number, copy);
}

/// The copy to overwrite. K3: never the newest whole one. Until the store is complete, readers take that one, and if the
/// writer is killed they go on taking it. A copy that was left half written counts as the oldest.
#[inline(always)]
fn oldest(row: &Row<'_, WriteWord>) -> usize {
    if !on("K3") {
        return 0;
    }
    let mut oldest = (0, u64::MAX);
    for index in 0..row.copies {
        let word = row.copy(index)[0].load();
        let age = if word.is_multiple_of(2) { word } else { 0 };
        if age < oldest.1 {
            oldest = (index, age);
        }
    }
    oldest.0
}

/// The newest whole copy and the number of its store. `None` if nothing was ever stored.
#[inline(always)]
pub(crate) fn newest(row: &Row<'_, Word>) -> Option<(usize, u64)> {
    let mut newest = (0, 0);
    for index in 0..row.copies {
        let word = row.copy(index)[0].load();
        if word.is_multiple_of(2) && word > newest.1 {
            newest = (index, word);
        }
    }
    (newest.1 != 0).then(|| (newest.0, (newest.1 - 1) / 2))
}

/// Reads the newest value: the number of its store, and what `copy` made of its words. `None` if nothing was ever stored.
/// The second value is the number of attempts that failed.
#[inline(always)]
pub(crate) fn read<C>(
    row: &Row<'_, Word>,
    mut copy: impl FnMut(&[Word]) -> C,
) -> (Result<Option<(u64, C)>, Overtaken>, u32) {
    for failed in 0..ROW_ATTEMPTS {
        let Some((index, number)) = newest(row) else { return (Ok(None), failed) };
        // K4. Pairs with K1. If a copy was passed over because it was marked, the one taken must be looked at again behind the
        // marker: it may have been overwritten by the store before, and the value that a caller saw last was that one.
        fence("K4", Ordering::Acquire);
        if let Ok(copied) = slot::read(row.copy(index), number, &mut copy) {
            return (Ok(Some((number, copied))), failed);
        }
        spin_loop();
    }
    (Err(Overtaken), ROW_ATTEMPTS)
}
