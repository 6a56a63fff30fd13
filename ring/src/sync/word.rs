//! A word of shared memory: eight bytes, loaded and stored as one.

use std::sync::atomic::Ordering;

#[cfg(loom)]
use super::modelled::atomic::{Atomic, weakened};
#[cfg(not(loom))]
use super::real::{Atomic, weakened};

/// A word without stores. Its memory may be mapped read-only.
#[repr(transparent)]
pub(crate) struct Word(Atomic);

/// A word with loads and stores. It dereferences to [`Word`] for loads.
#[repr(transparent)]
pub(crate) struct WriteWord(Word);

impl Word {
    /// A relaxed load.
    #[inline(always)]
    pub(crate) fn load(&self) -> u64 {
        self.0.load()
    }
}

#[cfg(test)]
impl Word {
    /// A word of its own.
    pub(crate) fn holding(value: u64) -> Self {
        Word(Atomic::new(value))
    }
}

impl WriteWord {
    /// A word in heap memory, for rings within one process.
    pub(crate) fn new(value: u64) -> Self {
        WriteWord(Word(Atomic::new(value)))
    }

    /// A word at a chosen address. For models only.
    #[cfg(loom)]
    pub(super) fn placed(atomic: Atomic) -> Self {
        WriteWord(Word(atomic))
    }

    /// A relaxed store.
    #[inline(always)]
    pub(crate) fn store(&self, value: u64) {
        self.0.0.store(value, Ordering::Relaxed);
    }

    /// A store with an ordering. `site` is its name in docs/protocol.md.
    #[inline(always)]
    pub(crate) fn store_ordered(&self, site: &str, ordering: Ordering, value: u64) {
        self.0.0.store(value, weakened(site, ordering));
    }
}

impl std::ops::Deref for WriteWord {
    type Target = Word;

    #[inline(always)]
    fn deref(&self) -> &Word {
        &self.0
    }
}
