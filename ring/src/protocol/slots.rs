//! The slots of a ring, found by sequence number without a bounds check.
#![allow(unsafe_code)] // slots without bounds checks

use std::marker::PhantomData;
use std::ptr::NonNull;

use crate::format::layout::{Layout, slot_words};
use crate::format::rows::RowsLayout;
use crate::memory::Memory;
use crate::sync::LINE_WORDS;

/// The distance in words from one slot to the next. It is constant for a ring.
pub(crate) trait Stride: Copy + Send + Sync + 'static {
    /// Number of words.
    fn words(self) -> usize;
}

/// The stride for messages of type `T`. It is a constant, so the compiler computes a slot's address with shifts.
pub(crate) struct StrideOf<T>(PhantomData<fn() -> T>);

impl<T> StrideOf<T> {
    pub(crate) const STRIDE: Self = StrideOf(PhantomData);
}

impl<T> Clone for StrideOf<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for StrideOf<T> {}

impl<T: 'static> Stride for StrideOf<T> {
    #[inline(always)]
    fn words(self) -> usize {
        const { slot_words(size_of::<T>()) }
    }
}

/// The stride of slots of one line.
pub(crate) type LineStride = StrideOf<u64>;

/// The stride of single words.
#[derive(Clone, Copy)]
pub(crate) struct OneWord;

impl Stride for OneWord {
    #[inline(always)]
    fn words(self) -> usize {
        1
    }
}

/// The stride from a ring's layout, known only at run time.
#[derive(Clone, Copy)]
pub(crate) struct DynamicStride(usize);

impl DynamicStride {
    pub(crate) fn of(layout: &Layout) -> Self {
        DynamicStride(layout.slot_words)
    }
}

impl Stride for DynamicStride {
    #[inline(always)]
    fn words(self) -> usize {
        self.0
    }
}

/// The slots of a ring, or the copies of a table's rows.
pub(crate) struct Slots<W, S> {
    base: NonNull<W>,
    /// The number of slots less one. Of a ring it masks sequence numbers.
    mask: u64,
    stride: S,
    // Keeps the memory that `base` points into.
    memory: Memory<W>,
}

// SAFETY: as Memory; a slot is a slice of its words.
unsafe impl<W: Send + Sync, S: Send> Send for Slots<W, S> {}
// SAFETY: as Memory; a shared handle gives out nothing but `&[W]`.
unsafe impl<W: Send + Sync, S: Sync> Sync for Slots<W, S> {}

impl<W, S: Copy> Clone for Slots<W, S> {
    fn clone(&self) -> Self {
        Slots { base: self.base, mask: self.mask, stride: self.stride, memory: self.memory.clone() }
    }
}

impl<W, S> Slots<W, S> {
    /// Number of slots.
    #[inline(always)]
    pub(crate) fn capacity(&self) -> u64 {
        self.mask + 1
    }

    /// The memory that the slots are part of.
    #[inline(always)]
    pub(crate) fn memory(&self) -> &Memory<W> {
        &self.memory
    }
}

impl<W> Slots<W, OneWord> {
    /// The entries of the log of the table in `memory`, found by the number of a store. `None` if it has no log.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    pub(crate) fn of_log(memory: Memory<W>, parts: &RowsLayout) -> Option<Self> {
        let entries = parts.log_entries as u64;
        assert!(entries == 0 || entries.is_power_of_two(), "a log of {entries} entries");
        (entries > 0).then(|| Self::within(memory, parts.log, OneWord, entries))
    }
}

impl<W, S: Stride> Slots<W, S> {
    /// The slots of the ring in `memory`.
    ///
    /// # Panics
    /// If the slots do not lie within `memory`, or have another stride. Callers must check the header first.
    pub(crate) fn new(memory: Memory<W>, layout: &Layout, stride: S) -> Self {
        let capacity = layout.capacity;
        assert!(capacity.is_power_of_two() && capacity >= 2, "a capacity of {capacity}");
        assert!(layout.rows().is_none(), "rows, which are no slots");
        assert_stride(layout, stride);
        Self::within(memory, layout.slots, stride, capacity)
    }

    /// The copies of the rows of the table or cell in `memory`, as slots. They are found by index, not by sequence number.
    ///
    /// # Panics
    /// As [`new`](Self::new), or if the layout is a ring's.
    pub(crate) fn of_rows(memory: Memory<W>, layout: &Layout, stride: S) -> Self {
        let copies = layout.rows().expect("the layout of a table or a cell").copies as u64;
        assert!(copies >= 2 && layout.capacity >= 1, "{} rows of {copies} copies", layout.capacity);
        assert_stride(layout, stride);
        Self::within(memory, layout.slots, stride, layout.capacity.saturating_mul(copies))
    }

    /// `capacity` slots from word `first` on.
    fn within(memory: Memory<W>, first: usize, stride: S, capacity: u64) -> Self {
        let words = usize::try_from(capacity).ok().and_then(|slots| slots.checked_mul(stride.words()));
        let end = words.and_then(|words| words.checked_add(first));
        assert!(end.is_some_and(|end| end <= memory.len()), "slots beyond the end of their memory");
        Slots { base: NonNull::from(&memory[first]), mask: capacity - 1, stride, memory }
    }

    /// Number of words in a slot.
    #[inline(always)]
    pub(crate) fn words(&self) -> usize {
        self.stride.words()
    }

    /// The slot of message `sequence`: its sequence word, then the payload.
    #[inline(always)]
    pub(crate) fn at(&self, sequence: u64) -> &[W] {
        self.slot((sequence & self.mask) as usize)
    }

    /// The slots from `sequence` on that lie one after the other in memory, and at most `most`.
    #[inline(always)]
    pub(crate) fn run(&self, sequence: u64, most: u64) -> &[W] {
        let index = sequence & self.mask;
        let count = most.min(self.capacity() - index) as usize;
        let words = self.stride.words();
        // SAFETY: index <= mask, as in `slot`.
        let first = unsafe { self.base.add(index as usize * words) };
        // SAFETY: index + count is at most the capacity, so the words lie within the slots; they live as long as `self`.
        unsafe { NonNull::slice_from_raw_parts(first, count * words).as_ref() }
    }

    /// The distance from one slot to the next.
    #[inline(always)]
    pub(crate) fn stride(&self) -> S {
        self.stride
    }

    /// The words of `count` slots, from this index on.
    ///
    /// # Panics
    /// If there are not so many.
    #[inline(always)]
    pub(crate) fn several(&self, index: usize, count: usize) -> &[W] {
        let end = index.checked_add(count);
        if end.is_none_or(|end| end as u64 > self.capacity()) {
            beyond(index, self.capacity());
        }
        // SAFETY: index + count <= capacity, and `within` found as many slots to lie within the memory.
        let first = unsafe { self.base.add(index * self.stride.words()) };
        // SAFETY: so the words of `count` slots from there on lie within it too, and it lives as long as `self`.
        unsafe { NonNull::slice_from_raw_parts(first, count * self.stride.words()).as_ref() }
    }

    /// The slot of this index, which is at most `mask`.
    #[inline(always)]
    fn slot(&self, index: usize) -> &[W] {
        // SAFETY: index <= mask, so index * words lies within the slots, which `within` found to lie within the memory.
        let slot = unsafe { self.base.add(index * self.stride.words()) };
        // SAFETY: the words from there to the next slot lie within it too, and it lives as long as `self`.
        unsafe { NonNull::slice_from_raw_parts(slot, self.stride.words()).as_ref() }
    }
}

fn assert_stride(layout: &Layout, stride: impl Stride) {
    assert!(stride.words() == layout.slot_words, "slots of {} words, not {}", layout.slot_words, stride.words());
}

/// Apart from its callers, which need no registers for it.
#[cold]
#[inline(never)]
fn beyond(index: usize, capacity: u64) -> ! {
    panic!("slot {index} of {capacity}")
}

/// The slots of a ring of records. Those of one line have a size that the compiler knows.
pub(crate) enum RecordSlots<W> {
    Lines(Slots<W, LineStride>),
    Larger(Slots<W, DynamicStride>),
}

impl<W> RecordSlots<W> {
    /// The slots of the ring in `memory`.
    ///
    /// # Panics
    /// As [`Slots::new`].
    pub(crate) fn new(memory: Memory<W>, layout: &Layout) -> Self {
        if layout.slot_words == LINE_WORDS {
            RecordSlots::Lines(Slots::new(memory, layout, LineStride::STRIDE))
        } else {
            RecordSlots::Larger(Slots::new(memory, layout, DynamicStride::of(layout)))
        }
    }

    #[inline(always)]
    pub(crate) fn memory(&self) -> &Memory<W> {
        match self {
            RecordSlots::Lines(slots) => slots.memory(),
            RecordSlots::Larger(slots) => slots.memory(),
        }
    }

    /// The first word of the slot at `position`.
    #[inline(always)]
    pub(crate) fn word(&self, position: u64) -> &W {
        match self {
            RecordSlots::Lines(slots) => &slots.at(position)[0],
            RecordSlots::Larger(slots) => &slots.at(position)[0],
        }
    }
}
