//! One of the ring's words at any address, to show torn reads.

use super::super::word::WriteWord;
use super::atomic::Atomic;

/// A word that may cross a boundary within which the processor is atomic.
pub struct PlacedWord(WriteWord);

impl PlacedWord {
    /// A word at byte `offset`: see [`arena`](super::model::arena).
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
