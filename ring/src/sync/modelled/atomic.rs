//! The atomics and fences of models: loom's, each under its site's name.

use std::sync::atomic::Ordering;

use loom::sync::atomic::AtomicU64;

use super::model;

/// The sequence and two payload words, so that a message can be torn within its line.
pub(crate) const LINE_WORDS: usize = 3;
pub(crate) const PAD_WORDS: usize = 1;
/// Two epochs are known: a model with more is short enough to be explored.
pub(crate) const EPOCHS: u64 = 3;
/// A log that two stores overwrite.
pub(crate) const LEAST_LOG: u64 = 2;
/// Half of them, so that four slots have records of two.
pub(crate) const RECORD_PART: u64 = 2;
pub(crate) const MAPPABLE: bool = false;

/// A word as the processor accesses it: one atomic, or one for each part if the word crosses a boundary.
pub(in crate::sync) enum Atomic {
    Whole(AtomicU64),
    Cut(Vec<(AtomicU64, u64)>),
}

impl Atomic {
    pub(in crate::sync) fn new(value: u64) -> Self {
        match model::next_place() {
            Some((offset, grain)) => Self::at(offset, grain, value),
            None => Atomic::Whole(AtomicU64::new(value)),
        }
    }

    /// The word at byte `offset`, on a processor that is atomic only within `grain` aligned bytes.
    pub(in crate::sync) fn at(offset: usize, grain: usize, value: u64) -> Self {
        let masks = model::cut(offset, grain);
        match masks.len() {
            1 => Atomic::Whole(AtomicU64::new(value)),
            _ => Atomic::Cut(masks.into_iter().map(|mask| (AtomicU64::new(value & mask), mask)).collect()),
        }
    }

    pub(in crate::sync) fn load(&self) -> u64 {
        if model::is_torn_down() {
            return 0;
        }
        match self {
            Atomic::Whole(word) => word.load(Ordering::Relaxed),
            Atomic::Cut(parts) => parts.iter().fold(0, |all, (part, _)| all | part.load(Ordering::Relaxed)),
        }
    }

    pub(in crate::sync) fn store(&self, value: u64, ordering: Ordering) {
        let Some(value) = model::next_store(value) else { return };
        match self {
            Atomic::Whole(word) => word.store(value, ordering),
            Atomic::Cut(parts) => parts.iter().for_each(|(part, mask)| part.store(value & mask, ordering)),
        }
    }
}

pub(crate) fn fence(site: &str, ordering: Ordering) {
    if on(site) && !model::is_torn_down() {
        loom::sync::atomic::fence(ordering);
    }
}

/// Does nothing: loom has no compiler that reorders.
pub(crate) fn compiler_fence(_site: &str, _ordering: Ordering) {}

pub(crate) fn base() -> u64 {
    model::base()
}

pub(crate) fn relayed() -> bool {
    model::relayed()
}

pub(crate) fn on(site: &str) -> bool {
    !model::is_weakened(site)
}

pub(in crate::sync) fn weakened(site: &str, ordering: Ordering) -> Ordering {
    if on(site) { ordering } else { Ordering::Relaxed }
}

/// Models have no compiler that chooses.
pub(crate) fn keep_branch() {}

pub(crate) fn spin_loop() {
    loom::hint::spin_loop();
}

pub(crate) fn yield_now() {
    loom::thread::yield_now();
}

pub(crate) fn panicking() -> bool {
    model::unwinding()
}
