//! Bare flags: each message is one 8-byte store into a cache line of its own. With one line this is c2c itself.
//!
//! There is no check, no mark and no protection: the word is the message. A ring with a protocol and a payload cannot
//! be faster.

use std::marker::PhantomData;
use std::sync::atomic::Ordering;

use crate::harness::contender::{Contender, Direction, Receiver, Sender, Unavailable};
use crate::harness::message::{Header, Message};
use crate::harness::private_dir::PrivateDir;
use crate::sys::words::{Load, Memory, ReadOnlyWords, WORDS_PER_LINE, Words};

/// How the receiver maps the lines.
pub trait Mapping: Sync {
    /// The receiver's mapping.
    type View: Load;

    /// Maps the lines.
    ///
    /// # Errors
    /// The kernel's.
    fn map(memory: &Memory) -> std::io::Result<Self::View>;
}

/// The receiver maps read-write, although it only loads.
#[derive(Debug)]
pub struct ReadWrite;

/// The receiver maps read-only.
#[derive(Debug)]
pub struct ReadOnly;

impl Mapping for ReadWrite {
    type View = Words;

    fn map(memory: &Memory) -> std::io::Result<Words> {
        memory.read_write()
    }
}

impl Mapping for ReadOnly {
    type View = ReadOnlyWords;

    fn map(memory: &Memory) -> std::io::Result<ReadOnlyWords> {
        memory.read_only()
    }
}

/// The receiver maps read-write, but a protection key denies it to write. This protects as a read-only page does, and
/// the lines behave as those of a writable page.
#[derive(Debug)]
pub struct WriteDenied;

impl Mapping for WriteDenied {
    type View = Words;

    fn map(memory: &Memory) -> std::io::Result<Words> {
        memory.read_write_denied()
    }
}

/// What the receiver does between two polls of a line.
pub trait Poll: Sync {
    /// Called between two polls.
    fn pause();
}

/// Does nothing: polls again at once.
#[derive(Debug)]
pub struct Tight;

/// Calls `std::hint::spin_loop`, the `pause` instruction on x86.
#[derive(Debug)]
pub struct Pause;

impl Poll for Tight {
    #[inline(always)]
    fn pause() {}
}

impl Poll for Pause {
    #[inline(always)]
    fn pause() {
        std::hint::spin_loop();
    }
}

/// A number of lines, a power of two, used one after the other.
#[derive(Debug)]
pub struct Flags<M, P> {
    lines: usize,
    how: PhantomData<(M, P)>,
}

impl<M, P> Flags<M, P> {
    /// Flags on `lines` lines.
    ///
    /// # Panics
    /// `lines` is not a power of two.
    pub fn new(lines: usize) -> Self {
        assert!(lines.is_power_of_two());
        Self { lines, how: PhantomData }
    }
}

impl<M: Mapping, P: Poll> Contender<1> for Flags<M, P> {
    type Link = Memory;
    type Sender = FlagSender;
    type Receiver = FlagReceiver<M::View, P>;

    const NEVER_WAITS: bool = true;

    fn link(&self, _: &PrivateDir, _: Direction) -> anyhow::Result<Memory> {
        let memory = Memory::new(self.lines * WORDS_PER_LINE)?;
        // Tries the mapping before the fork, so that a missing mechanism is reported once.
        M::map(&memory).map_err(|error| match error.kind() {
            std::io::ErrorKind::Unsupported => Unavailable(error.to_string()).into(),
            _ => anyhow::Error::from(error),
        })?;
        Ok(memory)
    }

    fn sender(&self, memory: &Memory) -> anyhow::Result<FlagSender> {
        Ok(FlagSender { words: memory.read_write()?, mask: self.lines - 1 })
    }

    fn receiver(&self, memory: &Memory) -> anyhow::Result<FlagReceiver<M::View, P>> {
        Ok(FlagReceiver { view: M::map(memory)?, mask: self.lines - 1, next: 0, last: 0, poll: PhantomData })
    }
}

/// Stores into one line after the other.
#[derive(Debug)]
pub struct FlagSender {
    words: Words,
    mask: usize,
}

impl Sender<1> for FlagSender {
    #[inline(always)]
    fn send(&mut self, message: &Message<1>) -> anyhow::Result<()> {
        let line = Header::of_checked(message).number() as usize & self.mask;
        // An empty line holds 0, so every message must be above 0.
        self.words.word(line * WORDS_PER_LINE).store(message[0] + 1, Ordering::Release);
        Ok(())
    }
}

/// Polls one line after the other.
#[derive(Debug)]
pub struct FlagReceiver<V, P> {
    view: V,
    mask: usize,
    next: usize,
    last: u64,
    poll: PhantomData<P>,
}

impl<V: Load, P: Poll> Receiver<1> for FlagReceiver<V, P> {
    #[inline(always)]
    fn receive<R>(&mut self, look: impl FnOnce(&Message<1>) -> R) -> anyhow::Result<R> {
        let word = (self.next & self.mask) * WORDS_PER_LINE;
        let mut value = self.view.load(word, Ordering::Acquire);
        while value <= self.last {
            P::pause();
            value = self.view.load(word, Ordering::Acquire);
        }
        self.last = value;
        let message = [value - 1];
        // After a lap the line holds a later message than expected. Continue from that one.
        self.next = Header::of_checked(&message).number() as usize + 1;
        Ok(look(&message))
    }
}
