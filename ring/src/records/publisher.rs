//! The publisher of records.

use std::io;
use std::path::Path;

use super::enums::Records;
use super::error::{TooFar, TooLong};
use crate::error::CloseError;
use crate::format::layout::{Layout, Parts};
use crate::format::records::{in_first, in_further, longest};
use crate::memory::Pinned;
use crate::placement::{Placement, Side, look::look};
use crate::protocol::record::{self, Gap};
use crate::protocol::records::{self, Spot};
use crate::protocol::slots::RecordSlots;
use crate::protocol::takeover;
use crate::protocol::view::View;
use crate::protocol::wake::Wake;
use crate::publisher::life::Life;
use crate::sync::{LINE_WORDS, WriteWord, on};
use crate::transport::host::Made;

/// The one publisher of a ring of [records](crate::records). It ends as a [`Publisher`](crate::Publisher) does, and what is said
/// there of a fork holds here.
pub struct RecordPublisher {
    slots: RecordSlots<WriteWord>,
    published: Pinned<WriteWord>,
    place: Pinned<WriteWord>,
    next: u64,
    position: u64,
    longest: usize,
    capacity: u64,
    life: Life,
    layout: Layout,
    /// What [`publish_with`](Self::publish_with) fills.
    buffer: Vec<u8>,
}

/// Bytes of a record in one slot of one line. Every ring takes them.
const ONE_SLOT: usize = in_first(LINE_WORDS);

/// The same of two.
const TWO_SLOTS: usize = ONE_SLOT + in_further(LINE_WORDS);

impl RecordPublisher {
    /// Publishes on a ring in which a new epoch has begun.
    pub(super) fn new(made: Made, wake: Wake) -> Self {
        let Made { memory, layout, next, sleepers, host } = made;
        let Parts::Records { place } = layout.parts else { unreachable!("a ring of records was asked for") };
        RecordPublisher {
            life: Life::new(&memory, &layout, sleepers, host, wake),
            published: Pinned::new(&memory, layout.published),
            place: Pinned::new(&memory, place),
            slots: RecordSlots::new(memory, &layout),
            next: next.sequence,
            position: next.position,
            longest: longest(layout.capacity, layout.slot_words),
            capacity: layout.capacity,
            layout,
            buffer: Vec::new(),
        }
    }

    /// Publishes one record and returns its number. Wait-free: it writes the record's cache lines and does not allocate. It makes
    /// a system call only to wake subscribers that sleep.
    ///
    /// # Errors
    /// [`TooLong`]; nothing is published then.
    #[inline(always)]
    pub fn publish(&mut self, kind: u8, bytes: &[u8]) -> Result<u64, TooLong> {
        match &self.slots {
            RecordSlots::Lines(slots) if bytes.len() <= ONE_SLOT => {
                let position = self.position;
                let end = record::publish(slots, &self.place, position, (self.next, kind), bytes);
                Ok(self.announce(end))
            }
            RecordSlots::Lines(_) if bytes.len() <= TWO_SLOTS && self.longest >= TWO_SLOTS => {
                Ok(self.publish_in_two(kind, bytes))
            }
            _ => self.publish_long(kind, bytes),
        }
    }

    /// The same for a record that takes two slots of one line.
    #[inline(never)]
    fn publish_in_two(&mut self, kind: u8, bytes: &[u8]) -> u64 {
        let (RecordSlots::Lines(slots), Some(parts)) = (&self.slots, bytes.split_first_chunk()) else {
            unreachable!("its length was looked at")
        };
        let position = self.position;
        let end = record::publish_in_two(slots, &self.place, position, (self.next, kind), parts);
        self.announce(end)
    }

    /// The same for any record. Not inlined, so that a record in one slot of one line costs nothing for it.
    #[inline(never)]
    fn publish_long(&mut self, kind: u8, bytes: &[u8]) -> Result<u64, TooLong> {
        if bytes.len() > self.longest {
            return Err(TooLong { found: bytes.len(), most: self.longest });
        }
        let position = self.position;
        let end = match &self.slots {
            RecordSlots::Lines(slots) => record::publish(slots, &self.place, position, (self.next, kind), bytes),
            RecordSlots::Larger(slots) => record::publish(slots, &self.place, position, (self.next, kind), bytes),
        };
        Ok(self.announce(end))
    }

    /// Counts the record that was published up to `end`, and returns its number.
    #[inline(always)]
    fn announce(&mut self, end: u64) -> u64 {
        let number = self.next;
        (self.next, self.position) = (number + 1, end);
        // Relaxed: it bounds what the slots say.
        self.published.store(number + 1);
        self.life.waker.published();
        number
    }

    /// Publishes the record of `length` bytes that `fill` writes into a zeroed buffer, and returns its number. `fill` works
    /// outside the ring, so no subscriber sees a partial record. The buffer is kept: it grows to the longest record that came
    /// this way, and is not allocated again.
    ///
    /// # Errors
    /// [`TooLong`]; nothing is published then, and `fill` is not called.
    pub fn publish_with(&mut self, kind: u8, length: usize, fill: impl FnOnce(&mut [u8])) -> Result<u64, TooLong> {
        if length > self.longest {
            return Err(TooLong { found: length, most: self.longest });
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        buffer.resize(length, 0);
        fill(&mut buffer);
        let published = self.publish(kind, &buffer);
        self.buffer = buffer;
        published
    }

    /// Publishes one of an enum's kinds: see [`Records`].
    ///
    /// # Errors
    /// [`TooLong`]; nothing is published then.
    #[inline]
    pub fn publish_as<E: Records>(&mut self, record: &E) -> Result<u64, TooLong> {
        self.publish(record.kind(), record.bytes())
    }

    /// As [`RecordRelayPublisher::pass_over`](crate::raw::RecordRelayPublisher::pass_over). For a ring that is a relay only.
    #[doc(hidden)]
    #[cold]
    pub fn pass_over(&mut self, until: u64) -> Result<(), TooFar> {
        let view = View::new(&self.published.memory().reader(), self.layout);
        let next = Spot { number: self.next, position: self.position };
        let oldest = records::first_from(&view, records::oldest_position(&view, next.position), next);
        let oldest = oldest.map_or(self.next, |oldest| oldest.number).min(self.next);
        // Before the last of them is overwritten as many records may come as there are slots.
        let most = (1u64 << 32).saturating_sub(self.capacity + 1);
        if until - oldest > most {
            return Err(TooFar { oldest, until, most });
        }
        let gap = Gap { from: self.next, until, back: records::back_to_last(&view, self.position) };
        let end = match &self.slots {
            RecordSlots::Lines(slots) => record::pass_over(slots, &self.place, self.position, gap),
            RecordSlots::Larger(slots) => record::pass_over(slots, &self.place, self.position, gap),
        };
        (self.next, self.position) = (until, end);
        // N13. Before the next record: its number follows from the count.
        if on("N13") {
            self.published.store(until);
        }
        self.life.waker.published();
        Ok(())
    }

    /// As [`RecordRelayPublisher::begin_epoch`](crate::raw::RecordRelayPublisher::begin_epoch), for the next epochs up to this one.
    #[doc(hidden)]
    #[cold]
    pub fn begin_epoch(&mut self, epoch: u64) {
        for named in self.life.epoch() + 1..=epoch {
            takeover::name_epoch(self.published.memory(), &self.layout, named, self.next);
        }
        self.life.now_in(epoch);
        self.life.waker.published();
    }

    /// The longest record in bytes: a quarter of the ring, and at most 16,777,215.
    #[inline]
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// The number of the next record: the number of records published since the ring began at 0.
    #[inline]
    pub fn published(&self) -> u64 {
        self.next
    }

    /// The epoch: 1 for a new ring's first publisher, and one more for each publisher that took it over.
    pub fn epoch(&self) -> u64 {
        self.life.epoch()
    }

    /// Number of slots.
    pub fn capacity(&self) -> usize {
        self.capacity as usize
    }

    /// How many subscribers are attached: see [`Publisher::subscribers`](crate::Publisher::subscribers).
    ///
    /// # Errors
    /// If the kernel refuses the question, for which it has no reason.
    pub fn subscribers(&self) -> io::Result<usize> {
        self.life.host().subscribers()
    }

    /// Whether the segment's file was cut short: see [`Publisher::is_cut_off`](crate::Publisher::is_cut_off).
    pub fn is_cut_off(&self) -> bool {
        self.published.memory().is_cut_short()
    }

    /// How this publisher finds out that a subscriber sleeps: see [`Publisher::wake`](crate::Publisher::wake).
    pub fn wake(&self) -> Wake {
        self.life.wake()
    }

    /// The directory of the ring, or the socket of a sealed ring. `None` for a ring within the process.
    pub fn path(&self) -> Option<&Path> {
        self.life.host().path()
    }

    /// Where the kernel has placed the segment: see [`Publisher::placement`](crate::Publisher::placement).
    ///
    /// # Errors
    /// If `/proc` cannot be read, or the ring is within the process and so has no mapping.
    pub fn placement(&self) -> io::Result<Placement> {
        look(self.published.memory(), Side::Publisher)
    }

    /// Ends the ring: see [`Publisher::close`](crate::Publisher::close).
    ///
    /// # Errors
    /// If the files cannot be removed. The ring is closed all the same.
    pub fn close(mut self) -> Result<(), CloseError> {
        self.life.end()
    }

    /// Ends this publisher and leaves the ring open for the next one: see [`Publisher::leave`](crate::Publisher::leave).
    pub fn leave(mut self) {
        self.life.leave();
    }
}

impl std::fmt::Debug for RecordPublisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordPublisher").field("published", &self.next).field("capacity", &self.capacity).finish()
    }
}
