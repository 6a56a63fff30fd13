//! One ring under inspection: its messages, beside what every segment has.

use std::ops::{Deref, Range};

use super::facts::Unread;
use super::segment::Segment;
use crate::format::layout::MAX_SEQUENCE;
use crate::protocol::end;
use crate::protocol::epochs::Epochs;
use crate::protocol::slot::{self, Absence};
use crate::protocol::view::View;

/// A ring under inspection: its segment and its control file, mapped read-only. [`Segment`] has what it shares with tables.
pub struct Ring {
    segment: Segment,
    pub(super) view: View,
}

impl Deref for Ring {
    type Target = Segment;

    fn deref(&self) -> &Segment {
        &self.segment
    }
}

impl Ring {
    /// The ring in this segment, which holds one.
    pub(super) fn of(segment: Segment) -> Self {
        let view = View::new(segment.memory(), segment.layout());
        Ring { segment, view }
    }

    /// The epochs that the header knows, the newest last, each with its first sequence. At most seven.
    pub fn epochs(&self) -> Vec<(u64, u64)> {
        Epochs::read(&self.view).known().collect()
    }

    /// The next sequence to be published: the number of messages published, counted from 0. Reads the cache line of the
    /// published count, once or twice, and that of the next slot. The publisher writes both for each message and must
    /// then fetch them back.
    pub fn published(&self) -> u64 {
        end::next_of_running(&self.view)
    }

    /// The sequences that the ring holds now. In a live ring the oldest may be overwritten before it is read.
    pub fn held(&self) -> Range<u64> {
        let published = self.published();
        published.saturating_sub(self.facts.capacity - 1).max(self.facts.base)..published
    }

    /// Reads the bytes of one message into `bytes`, replacing its content.
    ///
    /// # Errors
    /// [`Unread`]. `bytes` then has no meaning.
    pub fn read(&self, sequence: u64, bytes: &mut Vec<u8>) -> Result<(), Unread> {
        if self.has_holes() {
            return Err(Unread::Holes);
        }
        if sequence < self.facts.base {
            return Err(Unread::Overwritten);
        }
        if sequence >= MAX_SEQUENCE {
            // No ring reaches such a number. Its sequence word would wrap and look like that of another message.
            return Err(Unread::NotYet);
        }
        let size = self.facts.payload_size;
        let read = slot::read(self.view.slot(sequence), sequence, |words| {
            bytes.clear();
            bytes.extend(words.iter().flat_map(|word| word.load().to_ne_bytes()).take(size));
        });
        read.map_err(|seen| match slot::why_absent(seen, sequence, self.view.mask()) {
            // The guard replaced the segment by zeros, and a zero looks like a slot that was never written.
            Absence::NotYet if self.is_cut_short() => Unread::CutShort,
            Absence::NotYet => Unread::NotYet,
            Absence::Lapped { .. } => Unread::Overwritten,
            Absence::Corrupt => Unread::Corrupt { found: seen },
        })
    }
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ring").field("segment", &self.segment).finish_non_exhaustive()
    }
}
