//! A barrier for the two sides of a pair, in a page of shared words. It also holds what they tell each other about a
//! round, and the lines of the calibration.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::sys::words::{Memory, WORDS_PER_LINE, Words};

const PUBLISHER: usize = 0;
const LOST_CORE: usize = 4 * WORDS_PER_LINE;
const SUBSCRIBER: usize = 8 * WORDS_PER_LINE;
const REPEATED: usize = 12 * WORDS_PER_LINE;
const ENOUGH: usize = 16 * WORDS_PER_LINE;
const CALIBRATION: usize = 20 * WORDS_PER_LINE;
const APART: usize = 5 * WORDS_PER_LINE;
const WORDS: usize = CALIBRATION + CALIBRATION_LINES * APART;

/// Number of cache lines that the calibration uses.
pub const CALIBRATION_LINES: usize = 16;

/// The barrier of one side, with its own mapping of the shared page.
#[derive(Debug)]
pub struct Barrier {
    words: Words,
    waits: u64,
    own: usize,
    other: usize,
}

/// The memory of a barrier. It is made before the fork, so both sides inherit it.
///
/// # Errors
/// The kernel's.
pub fn memory() -> std::io::Result<Memory> {
    Memory::new(WORDS)
}

impl Barrier {
    /// The barrier of the publisher's side.
    ///
    /// # Errors
    /// The kernel's, from mapping.
    pub fn publisher(memory: &Memory) -> std::io::Result<Self> {
        Ok(Self { words: memory.read_write()?, waits: 0, own: PUBLISHER, other: SUBSCRIBER })
    }

    /// The barrier of the subscriber's side.
    ///
    /// # Errors
    /// The kernel's, from mapping.
    pub fn subscriber(memory: &Memory) -> std::io::Result<Self> {
        Ok(Self { words: memory.read_write()?, waits: 0, own: SUBSCRIBER, other: PUBLISHER })
    }

    /// Waits until the other side has called this equally often.
    pub fn wait(&mut self) {
        self.waits += 1;
        self.words.word(self.own).store(self.waits, Ordering::Release);
        let mut polls = 0_u32;
        while self.words.word(self.other).load(Ordering::Acquire) < self.waits {
            polls += 1;
            // The other side may still be setting up, and on a shared core it needs this core's time for that.
            if polls.is_multiple_of(1024) { std::thread::yield_now() } else { std::hint::spin_loop() }
        }
    }

    /// The subscriber says whether it lost its core in the round. The publisher may look after the next [`Self::wait`].
    pub fn tell_lost_core(&self, lost: bool) {
        self.words.word(LOST_CORE).store(lost.into(), Ordering::Relaxed);
    }

    /// Whether the subscriber lost its core in the round.
    pub fn lost_core(&self) -> bool {
        self.words.word(LOST_CORE).load(Ordering::Relaxed) != 0
    }

    /// The publisher says whether the round is repeated. The subscriber may look after the next [`Self::wait`].
    pub fn tell_repeated(&self, repeated: bool) {
        self.words.word(REPEATED).store(repeated.into(), Ordering::Relaxed);
    }

    /// Whether the round is repeated.
    pub fn is_repeated(&self) -> bool {
        self.words.word(REPEATED).load(Ordering::Relaxed) != 0
    }

    /// The subscriber says that it has seen enough.
    pub fn tell_enough(&self) {
        self.words.word(ENOUGH).store(1, Ordering::Relaxed);
    }

    /// Whether the subscriber has seen enough. A yes is given once.
    #[inline(always)]
    pub fn is_enough(&self) -> bool {
        let word = self.words.word(ENOUGH);
        let is_enough = word.load(Ordering::Relaxed) != 0;
        if is_enough {
            word.store(0, Ordering::Relaxed);
        }
        is_enough
    }

    /// The word that calibration hands back and forth on line `line`, one of [`CALIBRATION_LINES`].
    pub fn calibration(&self, line: usize) -> &AtomicU64 {
        self.words.word(CALIBRATION + line * APART)
    }
}
