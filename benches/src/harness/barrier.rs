//! Where the two sides meet: a page of shared words on which they wait for each other and calibrate.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::sys::words::{Memory, WORDS_PER_LINE, Words};

const PUBLISHER: usize = 0;
const SUBSCRIBER: usize = 8 * WORDS_PER_LINE;
const CALIBRATION: usize = 16 * WORDS_PER_LINE;
const APART: usize = 5 * WORDS_PER_LINE;
const WORDS: usize = CALIBRATION + CALIBRATION_LINES * APART;

/// Lines to calibrate on.
pub const CALIBRATION_LINES: usize = 16;

/// The shared page; each side maps it for itself.
#[derive(Debug)]
pub struct Barrier {
    words: Words,
    met: u64,
    own: usize,
    other: usize,
}

/// The memory of a barrier, made before the sides part.
///
/// # Errors
/// The kernel's.
pub fn memory() -> std::io::Result<Memory> {
    Memory::new(WORDS)
}

impl Barrier {
    /// The publisher's side.
    ///
    /// # Errors
    /// The kernel's, from mapping.
    pub fn publisher(memory: &Memory) -> std::io::Result<Self> {
        Ok(Self { words: memory.read_write()?, met: 0, own: PUBLISHER, other: SUBSCRIBER })
    }

    /// The subscriber's side.
    ///
    /// # Errors
    /// The kernel's, from mapping.
    pub fn subscriber(memory: &Memory) -> std::io::Result<Self> {
        Ok(Self { words: memory.read_write()?, met: 0, own: SUBSCRIBER, other: PUBLISHER })
    }

    /// Waits until the other side has come as far.
    pub fn wait(&mut self) {
        self.met += 1;
        self.words.word(self.own).store(self.met, Ordering::Release);
        let mut polls = 0_u32;
        while self.words.word(self.other).load(Ordering::Acquire) < self.met {
            polls += 1;
            // Setting up may take the other side a while, and it may want this core's time for it.
            if polls.is_multiple_of(1024) { std::thread::yield_now() } else { std::hint::spin_loop() }
        }
    }

    /// The word on a line of its own that calibration hands to and fro, one of [`CALIBRATION_LINES`].
    pub fn calibration(&self, line: usize) -> &AtomicU64 {
        self.words.word(CALIBRATION + line * APART)
    }
}
