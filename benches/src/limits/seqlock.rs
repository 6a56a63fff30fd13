//! A bare seqlock ring. A slot is marked when its message is written or, as in this project's ring, one message ahead.
//!
//! It has no published count, no epochs, no sleeping subscribers and no recovery. This project's ring pays for those
//! what it takes beyond the seqlock. The two seqlock rows differ by what marking ahead gains.

use std::sync::atomic::{Ordering, fence};

use crate::harness::contender::{Contender, Direction, Receiver, Sender};
use crate::harness::message::Message;
use crate::harness::private_dir::PrivateDir;
use crate::sys::words::{Memory, WORDS_PER_LINE, Words};

/// A bare seqlock ring, mapped read-write by both sides.
#[derive(Clone, Copy, Debug)]
pub struct Seqlock {
    /// Slots, a power of two.
    pub slots: usize,
    /// Whether publishing a message also marks the next slot.
    pub ahead: bool,
}

impl Seqlock {
    /// The index of the word at which the slot of a message begins.
    #[inline(always)]
    fn slot<const W: usize>(self, number: u64) -> usize {
        (number as usize & (self.slots - 1)) * (1 + W).next_multiple_of(WORDS_PER_LINE)
    }
}

impl<const W: usize> Contender<W> for Seqlock {
    type Link = Memory;
    type Sender = SeqlockEnd;
    type Receiver = SeqlockEnd;

    const NEVER_WAITS: bool = true;

    fn link(&self, _: &PrivateDir, _: Direction) -> anyhow::Result<Memory> {
        Ok(Memory::new(self.slots * (1 + W).next_multiple_of(WORDS_PER_LINE))?)
    }

    fn sender(&self, memory: &Memory) -> anyhow::Result<SeqlockEnd> {
        Ok(SeqlockEnd { ring: *self, words: memory.read_write()?, next: 0 })
    }

    fn receiver(&self, memory: &Memory) -> anyhow::Result<SeqlockEnd> {
        Ok(SeqlockEnd { ring: *self, words: memory.read_write()?, next: 0 })
    }
}

/// One end of the ring. Sender and receiver have the same type.
#[derive(Debug)]
pub struct SeqlockEnd {
    ring: Seqlock,
    words: Words,
    next: u64,
}

impl<const W: usize> Sender<W> for SeqlockEnd {
    #[inline(always)]
    fn send(&mut self, message: &Message<W>) -> anyhow::Result<()> {
        let (number, slot) = (self.next, self.ring.slot::<W>(self.next));
        if !self.ring.ahead {
            self.words.word(slot).store(2 * number + 1, Ordering::Relaxed);
        }
        fence(Ordering::Release);
        for (index, word) in message.iter().enumerate() {
            self.words.word(slot + 1 + index).store(*word, Ordering::Relaxed);
        }
        self.words.word(slot).store(2 * number + 2, Ordering::Release);
        self.next = number + 1;
        if self.ring.ahead {
            self.words.word(self.ring.slot::<W>(self.next)).store(2 * self.next + 1, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl<const W: usize> Receiver<W> for SeqlockEnd {
    #[inline(always)]
    fn receive<R>(&mut self, look: impl FnOnce(&Message<W>) -> R) -> anyhow::Result<R> {
        loop {
            let (awaited, slot) = (2 * self.next + 2, self.ring.slot::<W>(self.next));
            let mut seen = self.words.word(slot).load(Ordering::Relaxed);
            while seen < awaited {
                std::hint::spin_loop();
                seen = self.words.word(slot).load(Ordering::Relaxed);
            }
            if seen > awaited {
                self.next = (seen - 1) / 2; // lapped
                continue;
            }
            fence(Ordering::Acquire);
            let message: Message<W> =
                std::array::from_fn(|index| self.words.word(slot + 1 + index).load(Ordering::Relaxed));
            fence(Ordering::Acquire);
            if self.words.word(slot).load(Ordering::Relaxed) == seen {
                self.next += 1;
                return Ok(look(&message));
            }
        }
    }
}
