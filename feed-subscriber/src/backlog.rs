//! Which messages or records were there before this program joined: their age says nothing about delivery.

use feed::Message;
use feed_ring::Join;

use crate::reader::Reader;

/// The messages that were published before this program joined its first ring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backlog {
    /// Every one of them is before this sequence.
    end: u64,
    /// A time before it joined, ns since 1970.
    pub(crate) joined: u64,
}

impl Backlog {
    /// The backlog of a ring that was just joined, shortly after `joined`.
    pub(crate) fn of(ring: &Reader, joined: u64, join: Join) -> Self {
        let end = match join {
            Join::Latest => ring.overall().first,
            _ => ring.sequence().saturating_add(ring.lag()),
        };
        Backlog { end, joined }
    }

    /// True if this message belongs to it. The sequence alone does not tell: the end is read after joining, and what was
    /// published in between is live. A publish time alone does not, either: it may be when the message was due.
    pub(crate) fn contains(&self, sequence: u64, message: &Message) -> bool {
        sequence < self.end && message.ts_publish < self.joined
    }

    /// The same of a record. It has no publish time, so one that was published while this program joined belongs to it.
    pub(crate) fn contains_record(&self, sequence: u64) -> bool {
        sequence < self.end
    }
}
