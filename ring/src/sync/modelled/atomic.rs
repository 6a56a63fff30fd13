//! What models run on: loom's atomics and fences, each under its site's name.

use std::sync::atomic::Ordering;

use loom::sync::atomic::AtomicU64;

use super::model;

/// A line holds a message of two words beside its sequence, so that such a message can be torn within its line.
pub(crate) const LINE_WORDS: usize = 3;
pub(crate) const PAD_WORDS: usize = 1;
/// Two epochs are known: a model with more is short enough to be explored.
pub(crate) const EPOCHS: u64 = 3;
pub(crate) const MAPPABLE: bool = false;

/// A word as the processor has it: one atomic, or, where it lies across a boundary that the processor does not bridge
/// in one piece, one atomic for each side.
pub(in crate::sync) enum Atomic {
    Whole(AtomicU64),
    Cut(Vec<(AtomicU64, u64)>),
}

impl Atomic {
    pub(in crate::sync) fn new(value: u64) -> Self {
        match model::place() {
            Some((offset, grain)) => Self::at(offset, grain, value),
            None => Atomic::Whole(AtomicU64::new(value)),
        }
    }

    /// The word of the eight bytes from `offset`, on a processor that loads and stores what lies within `grain`
    /// aligned bytes in one piece.
    pub(in crate::sync) fn at(offset: usize, grain: usize, value: u64) -> Self {
        let masks = model::cut(offset, grain);
        match masks.len() {
            1 => Atomic::Whole(AtomicU64::new(value)),
            _ => Atomic::Cut(masks.into_iter().map(|mask| (AtomicU64::new(value & mask), mask)).collect()),
        }
    }

    pub(in crate::sync) fn load(&self) -> u64 {
        if model::is_over() {
            return 0;
        }
        match self {
            Atomic::Whole(word) => word.load(Ordering::Relaxed),
            Atomic::Cut(pieces) => pieces.iter().fold(0, |all, (piece, _)| all | piece.load(Ordering::Relaxed)),
        }
    }

    pub(in crate::sync) fn store(&self, value: u64, ordering: Ordering) {
        let Some(value) = model::storing(value) else { return };
        match self {
            Atomic::Whole(word) => word.store(value, ordering),
            Atomic::Cut(pieces) => pieces.iter().for_each(|(piece, mask)| piece.store(value & mask, ordering)),
        }
    }
}

pub(crate) fn fence(site: &str, ordering: Ordering) {
    if on(site) && !model::is_over() {
        loom::sync::atomic::fence(ordering);
    }
}

/// Nothing: loom reorders no program text.
pub(crate) fn compiler_fence(_site: &str, _ordering: Ordering) {}

pub(crate) fn base() -> u64 {
    model::base()
}

pub(crate) fn on(site: &str) -> bool {
    !model::is_weakened(site)
}

pub(in crate::sync) fn weakened(site: &str, ordering: Ordering) -> Ordering {
    if on(site) { ordering } else { Ordering::Relaxed }
}

pub(crate) fn spin_loop() {
    loom::hint::spin_loop();
}

pub(crate) fn yield_now() {
    loom::thread::yield_now();
}

pub(crate) fn panicking() -> bool {
    model::unwinding()
}
