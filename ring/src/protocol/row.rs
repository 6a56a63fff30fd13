//! One row of a table, or a cell: a value in two copies or more, of which the writer overwrites the oldest.
//!
//! Each copy is a slot (slot.rs): a sequence word, then the value. The sequence word names the store, by a number that rises
//! with every store into the table. So there is always a whole copy, even if the writer is killed in the middle of a store,
//! and a reader takes the newest whole one. Nothing is marked ahead: that would cost a copy.

use super::slot;
use super::slots::{Slots, Stride};
use crate::sync::tuning::ROW_ATTEMPTS;
use crate::sync::{Ordering, Word, WriteWord, fence, keep_branch, on, spin_loop};

/// A row: its copies, one after the other.
pub(crate) struct Row<'a, W, S> {
    words: &'a [W],
    stride: S,
}

impl<'a, W, S: Stride> Row<'a, W, S> {
    /// The row of `count` copies from `first` on.
    ///
    /// # Panics
    /// If there are not so many.
    #[inline(always)]
    pub(crate) fn new(copies: &'a Slots<W, S>, first: usize, count: usize) -> Self {
        Row { words: copies.several(first, count), stride: copies.stride() }
    }

    #[inline(always)]
    fn copies(&self) -> std::slice::ChunksExact<'a, W> {
        self.words.chunks_exact(self.stride.words())
    }

    #[inline(always)]
    fn copy(&self, index: usize) -> &'a [W] {
        let stride = self.stride.words();
        &self.words[index * stride..][..stride]
    }
}

impl<S: Stride> Row<'_, Word, S> {
    /// The sequence word of a copy.
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
    let slot = oldest(row);
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
fn oldest<'a, S: Stride>(row: &Row<'a, WriteWord, S>) -> &'a [WriteWord] {
    let mut copies = row.copies();
    let first = copies.next().expect("a row has copies");
    if !on("K2") {
        return first;
    }
    let mut oldest = (first, age(first[0].load()));
    for copy in copies {
        let age = age(copy[0].load());
        if age < oldest.1 {
            // The stores can begin before these loads have come. With a conditional move no store's address would be known
            // until then, and the loads of the next store would wait for it.
            keep_branch();
            oldest = (copy, age);
        }
    }
    oldest.0
}

/// How old what a copy holds is, by its sequence word: the lower, the older. A copy that is not whole is as old as one that was
/// never written.
#[inline(always)]
fn age(word: u64) -> u64 {
    if word.is_multiple_of(2) { word } else { 0 }
}

/// The newest whole copy, and its sequence word. `None` if none was whole when it was looked at.
#[inline(always)]
fn newest_copy<'a, S: Stride>(row: &Row<'a, Word, S>) -> Option<(&'a [Word], u64)> {
    let mut copies = row.copies();
    let first = copies.next().expect("a row has copies");
    let newest = copies.fold((first, age(first[0].load())), |newest, copy| {
        let age = age(copy[0].load());
        if age > newest.1 { (copy, age) } else { newest }
    });
    (newest.1 != 0).then_some(newest)
}

/// The number of the store whose value a whole copy holds.
#[inline(always)]
fn number(word: u64) -> u64 {
    word / 2 - 1
}

/// The number of the newest store that is whole. `None` if none was whole when it was looked at.
pub(crate) fn newest<S: Stride>(row: &Row<'_, Word, S>) -> Option<u64> {
    newest_copy(row).map(|(_, word)| number(word))
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
    newest(row).is_none() && row.copies().any(|copy| copy[0].load() == 0)
}

/// Why an attempt to read a row came to nothing.
#[derive(Clone, Copy)]
pub(crate) enum Missed {
    /// It was not made.
    NotTried,
    /// No copy was whole.
    NoneWhole,
    /// The newest whole copy was overwritten meanwhile.
    Overwritten,
}

/// What became of a read: what `copy` returned, or `None` if nothing was ever stored. And the number of attempts that failed.
pub(crate) type Read<C> = (Result<Option<C>, Overtaken>, u32);

/// Attempts once to read the newest value with `copy`, which is given the number of its store and its words. What it returns is
/// returned only if the value was whole.
#[inline(always)]
pub(crate) fn attempt<S: Stride, C>(row: &Row<'_, Word, S>, copy: impl FnOnce(u64, &[Word]) -> C) -> Result<C, Missed> {
    let whole = newest_copy(row);
    // K3. Pairs with P1. If a copy was passed over because it was marked, the one taken is looked at again behind the
    // marker. If the store before the marker was into that one, a caller may have seen it, and must not get an older value.
    fence("K3", Ordering::Acquire);
    let Some((slot, word)) = whole else { return Err(Missed::NoneWhole) };
    slot::read_by_word(slot, word, |words| copy(number(word), words)).map_err(|_| Missed::Overwritten)
}

/// Reads the newest value in several attempts, of which the first may have been made. Apart from it, because hardly any read
/// needs a second one.
pub(crate) fn read<S: Stride, C>(
    row: &Row<'_, Word, S>,
    first: Missed,
    mut copy: impl FnMut(u64, &[Word]) -> C,
) -> Read<C> {
    for failed in 0..ROW_ATTEMPTS {
        let missed = match first {
            Missed::NoneWhole | Missed::Overwritten if failed == 0 => first,
            _ => match attempt(row, &mut copy) {
                Ok(read) => return (Ok(Some(read)), failed),
                Err(missed) => missed,
            },
        };
        match missed {
            Missed::NoneWhole if is_empty(row) => return (Ok(None), failed),
            Missed::NoneWhole => spin_loop(),
            // The writer has just completed another copy. A pause would leave it the time to overwrite that one, too.
            Missed::Overwritten | Missed::NotTried => {}
        }
    }
    (Err(Overtaken), ROW_ATTEMPTS)
}
