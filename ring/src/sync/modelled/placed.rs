//! A word of the ring's own kind at any address, to show what becomes of it there.

use super::super::word::WriteWord;
use super::atomic::Atomic;

/// Eight bytes that may lie across a boundary.
pub struct PlacedWord(WriteWord);

impl PlacedWord {
    /// Eight bytes from `offset`: see [`arena`](super::model::arena).
    pub fn at(offset: usize, grain: usize, value: u64) -> Self {
        PlacedWord(WriteWord::placed(Atomic::at(offset, grain, value)))
    }

    /// A relaxed load.
    pub fn load(&self) -> u64 {
        self.0.load()
    }

    /// A relaxed store.
    pub fn store(&self, value: u64) {
        self.0.store(value);
    }
}
