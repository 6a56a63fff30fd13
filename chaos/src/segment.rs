//! Reads the segment of a ring or a table whose writer was killed: did the kill leave something half written?
//!
//! It knows the layout by itself and not from the ring.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::message::{WORDS, word};

// Word indices of the header in the segment, ABI 1.
const EVENT: u64 = 32;
const SLOTS_AT: u64 = 48;
const SLOT_SIZE: u64 = 49;
const CAPACITY: u64 = 50;
const PUBLISHED: u64 = 64;
// Of a table or a cell, whose rows are where a ring has slots: ABI 2.
const COPIES: u64 = 59;

/// The segment, open for reading.
#[derive(Debug)]
pub(crate) struct Segment(File);

impl Segment {
    /// Opens the segment of this name under `root`.
    pub(crate) fn open(root: &Path, name: &str) -> io::Result<Self> {
        File::open(root.join(format!("{name}.ring/segment"))).map(Segment)
    }

    fn word(&self, index: u64) -> io::Result<u64> {
        let mut bytes = [0; 8];
        self.0.read_exact_at(&mut bytes, index * 8)?;
        Ok(u64::from_ne_bytes(bytes))
    }

    /// The published count.
    pub(crate) fn published(&self) -> io::Result<u64> {
        self.word(PUBLISHED)
    }

    /// The event word. Every wake-up changes it.
    pub(crate) fn event(&self) -> io::Result<u64> {
        self.word(EVENT)
    }

    /// Whether the marked slot holds words of two messages: of the next message of `publisher` and of the message
    /// before it.
    pub(crate) fn is_half_written(&self, publisher: u64) -> io::Result<bool> {
        let (slots, slot_size, capacity) = (self.word(SLOTS_AT)? / 8, self.word(SLOT_SIZE)? / 8, self.word(CAPACITY)?);
        let mut next = 0;
        for index in 0..capacity {
            let sequence = self.word(slots + index * slot_size)?;
            if sequence.is_multiple_of(2) {
                next = next.max(sequence / 2);
            }
        }
        let mut bytes = [0; WORDS * 8];
        self.0.read_exact_at(&mut bytes, (slots + (next & (capacity - 1)) * slot_size + 1) * 8)?;
        let (mut new, mut old) = (0, 0);
        for (index, found) in bytes.as_chunks::<8>().0.iter().enumerate() {
            match u64::from_ne_bytes(*found) {
                0 => {} // never written, or stored to take the line over
                // Both messages may come from this publisher. Then word 1 is the same in both.
                _ if index == 1 => {}
                found if found == word(next, publisher, index) => new += 1,
                _ => old += 1,
            }
        }
        Ok(new > 0 && old > 0)
    }

    /// Whether a copy of a row of the table or cell is marked: its store was not completed.
    pub(crate) fn is_half_stored(&self) -> io::Result<bool> {
        let (rows, copy_size, copies) = (self.word(SLOTS_AT)? / 8, self.word(SLOT_SIZE)? / 8, self.word(COPIES)?);
        for copy in 0..self.word(CAPACITY)? * copies {
            if self.word(rows + copy * copy_size)? % 2 == 1 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Where, in a ring of records, one was begun in several slots and not published. `None` if none was. A record in one slot
    /// leaves nothing that tells.
    pub(crate) fn begun_record(&self) -> io::Result<Option<u64>> {
        let (slots, slot_size, capacity) = (self.word(SLOTS_AT)? / 8, self.word(SLOT_SIZE)?, self.word(CAPACITY)?);
        let slot = |position: u64| slots + (position & (capacity - 1)) * slot_size / 8;
        // The word of a slot is four times its position, and what is there: 2 a record that is published, 3 the middle of one.
        let mut last = None;
        for index in 0..capacity {
            let word = self.word(slot(index))?;
            if word % 4 == 2 {
                last = last.max(Some(word / 4));
            }
        }
        let next = match last {
            None => 0,
            Some(last) => {
                let length = self.word(slot(last) + 1)? >> 32 & 0xff_ffff;
                last + 1 + length.saturating_sub(slot_size - 16).div_ceil(slot_size - 8)
            }
        };
        Ok((self.word(slot(next + 1))? == 4 * (next + 1) + 3).then_some(next))
    }
}
