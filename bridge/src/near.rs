//! What a sender tells others of its ring: what it is, what it still holds, and what was lost before it was sent.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use feed_ring::inspect::{self, Unread};
use zerocopy::IntoBytes;

use crate::rows::Rows;
use crate::wire::{
    About, AboutTable, Attribution, BYTE_ORDER, Head, LAST, Question, RECORD_HEAD, RECORDS, REPLY, TABLE, UNKNOWN,
    VERSION, push_record,
};

/// So many losses are remembered one by one. Of older ones it is forgotten that they were the sender's.
const REMEMBERED: usize = 4096;

/// The near ring as others may ask for it. The sender changes it, and answers read it.
#[derive(Debug, Default)]
pub(crate) struct Near {
    /// The ring that is sent, and the one that was sent before it: its end may still be missing somewhere.
    known: Mutex<[Known; 2]>,
    /// The next number that is sent. Relaxed: it is only a bound, and whoever asks for a message was sent a later one before.
    next: AtomicU64,
}

#[derive(Debug, Default)]
struct Known {
    /// Open as long as the ring is the one that is sent: it can be read after it was closed and removed.
    ring: Option<inspect::Ring>,
    /// Its nonce.
    nonce: u64,
    /// The number at which it was joined.
    started: u64,
    lost: VecDeque<(u64, u64)>,
    closed: bool,
    /// The epochs that are known, each with its first number: the ring itself knows the last few only.
    epochs: BTreeMap<u64, u64>,
    /// The table beside it.
    table: Option<(AboutTable, Rows)>,
    /// The number behind its last message, once another ring is sent.
    end: Option<u64>,
}

/// So many epochs are remembered.
const EPOCHS: usize = 1024;

impl Known {
    fn note_epochs(&mut self) {
        self.epochs.extend(self.ring.iter().flat_map(inspect::Ring::epochs));
        while self.epochs.len() > EPOCHS {
            self.epochs.pop_first();
        }
    }
}

impl Near {
    fn known(&self) -> MutexGuard<'_, [Known; 2]> {
        // Each change is whole after each statement.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that another ring is sent from now on, joined at `started`. `ring` is `None` if it was gone before it could be opened
    /// for answers.
    pub(crate) fn begin(&self, ring: Option<inspect::Ring>, nonce: u64, started: u64) {
        let known = &mut *self.known();
        known.swap(0, 1);
        known[1].end = Some(self.next.load(Ordering::Relaxed));
        known[0] = Known { ring, nonce, started, ..Known::default() };
        self.sending(started);
    }

    /// Notes that there is a table beside the ring, which this reads.
    pub(crate) fn keep(&self, rows: Rows) {
        self.known()[0].table = Some((rows.about(), rows));
    }

    /// Gives the rows of the table from a number on, in frames of many, and a last one with the number up to which that is all.
    ///
    /// # Errors
    /// That of `reply`.
    pub(crate) fn rows(
        &self,
        question: Question,
        most_bytes: usize,
        reply: &mut dyn FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let (bytes, row_bytes, until) = {
            let [known, _] = &mut *self.known();
            let Some((_, rows)) = known.table.as_mut().filter(|_| known.nonce == question.ring.get()) else {
                return Ok(());
            };
            let mut bytes = Vec::new();
            let (_, until) = rows.all_since(question.from.get(), &mut bytes);
            (bytes, rows.row_bytes(), until)
        };
        let mut head = Head::new(REPLY | TABLE);
        (head.ring, head.epoch, head.row_bytes) = (question.ring, 1.into(), (row_bytes as u32).into());
        for some in bytes.chunks((most_bytes / row_bytes).max(1) * row_bytes) {
            head.rows = ((some.len() / row_bytes) as u32).into();
            reply(&[head.as_bytes(), some].concat())?;
        }
        (head.flags, head.rows) = (REPLY | TABLE | LAST, 0.into());
        (head.first, head.after) = (until.into(), until.into());
        reply(head.as_bytes())
    }

    /// Notes that the sender lost these numbers.
    pub(crate) fn lose(&self, from: u64, until: u64) {
        let lost = &mut self.known()[0].lost;
        if lost.len() == REMEMBERED {
            lost.pop_front();
        }
        lost.push_back((from, until));
    }

    /// Notes that all before this number are sent, or lost.
    pub(crate) fn sending(&self, next: u64) {
        self.next.store(next, Ordering::Relaxed);
    }

    /// Notes what the ring knows of its epochs, before it forgets it.
    pub(crate) fn note_epochs(&self) {
        self.known()[0].note_epochs();
    }

    /// Notes whether the publisher closed the ring.
    pub(crate) fn set_closed(&self, closed: bool) {
        self.known()[0].closed = closed;
    }

    /// What the sender with this number says of itself. `None` while it has no ring.
    pub(crate) fn about(&self, sender: u64) -> Option<About> {
        let [known, _] = &*self.known();
        let ring = known.ring.as_ref()?;
        let facts = ring.facts();
        let records = ring.is_records();
        Some(About {
            version: VERSION,
            sender,
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            byte_order: BYTE_ORDER.to_owned(),
            ring: known.nonce,
            records,
            schema: facts.schema.clone(),
            size: if records { 0 } else { facts.payload_size },
            slot_size: facts.slot_size,
            capacity: facts.capacity as usize,
            oldest: ring.held().start,
            next: self.next.load(Ordering::Relaxed),
            epoch: ring.epoch(),
            closed: known.closed,
            table: known.table.as_ref().map(|(about, _)| about.clone()),
        })
    }

    /// Answers a question: gives frames with what of the range the ring still holds, in order, and a last one that says which losses
    /// are the sender's.
    ///
    /// # Errors
    /// That of `reply`.
    pub(crate) fn answer(
        &self,
        sender: u64,
        question: Question,
        most_bytes: usize,
        reply: &mut dyn FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<u64> {
        let mut answered = 0;
        let mut number = question.from.get();
        loop {
            // Locked for one frame at a time, so that the sender goes on meanwhile.
            let frame = {
                let mut known = self.known();
                let Some(known) = known.iter_mut().find(|known| known.nonce == question.ring.get()) else { break };
                known.note_epochs();
                let until = question.until.get().min(known.end.unwrap_or(self.next.load(Ordering::Relaxed)));
                let Some(ring) = &known.ring else { break };
                let mut reading = Reading { ring, epochs: &known.epochs, sender, nonce: known.nonce, most_bytes };
                match reading.frame(number, until) {
                    Some((frame, behind)) => {
                        answered += behind.messages;
                        number = behind.next;
                        frame
                    }
                    None => break,
                }
            };
            reply(&frame)?;
        }
        let known = self.known();
        // Of a ring that it does not know nothing comes, and nothing was lost that it knows of.
        let known = known.iter().find(|known| known.nonce == question.ring.get());
        let told = known.map_or_else(Attribution::default, |known| Attribution {
            started: known.started,
            lost: known.lost.iter().copied().filter(|&(_, until)| until > question.from.get()).collect(),
        });
        let mut head = Head::new(REPLY | LAST);
        (head.sender, head.ring, head.epoch) = (sender.into(), question.ring, 1.into());
        (head.first, head.after) = (question.from, question.from);
        reply(&[head.as_bytes(), &told.to_bytes()].concat())?;
        Ok(answered)
    }
}

/// Reads one frame of an answer.
struct Reading<'a> {
    ring: &'a inspect::Ring,
    epochs: &'a BTreeMap<u64, u64>,
    sender: u64,
    nonce: u64,
    most_bytes: usize,
}

/// What is behind a frame.
struct Behind {
    messages: u64,
    next: u64,
}

impl Reading<'_> {
    /// A frame of the first messages from `from` on that the ring still holds, all of one epoch. `None` if there is none before `until`.
    fn frame(&mut self, from: u64, until: u64) -> Option<(Vec<u8>, Behind)> {
        let mut bytes = Vec::new();
        let (first, kind) = self.first(from, until, &mut bytes)?;
        let records = self.ring.is_records();
        let (epoch, epoch_begin) = epoch_of(first, self.epochs);
        // No frame goes beyond the next epoch's beginning.
        let until = self.epochs.values().copied().filter(|&begin| begin > first).fold(until, u64::min);
        let mut payload = Vec::with_capacity(self.most_bytes.min(1 << 16));
        let mut push = |kind: u8, message: &[u8]| match records {
            true => push_record(&mut payload, kind, message),
            false => payload.extend_from_slice(message),
        };
        push(kind, &bytes);
        let mut next = first + 1;
        let head = if records { RECORD_HEAD } else { 0 };
        let mut taken = head + bytes.len();
        while next < until && taken < self.most_bytes {
            let Ok(kind) = self.ring.read_record(next, &mut bytes) else { break };
            push(kind, &bytes);
            (next, taken) = (next + 1, taken + head + bytes.len());
        }
        let mut head = Head::new(REPLY | if records { RECORDS } else { 0 });
        (head.sender, head.ring) = (self.sender.into(), self.nonce.into());
        (head.epoch, head.epoch_begin) = (epoch.into(), epoch_begin.into());
        (head.after, head.first, head.count) = (first.into(), first.into(), ((next - first) as u32).into());
        head.size = if records { 0 } else { self.ring.facts().payload_size as u32 }.into();
        Some(([head.as_bytes(), &payload].concat(), Behind { messages: next - first, next }))
    }

    /// The first message from `from` on that can be read: its number and its kind.
    fn first(&self, from: u64, until: u64, bytes: &mut Vec<u8>) -> Option<(u64, u8)> {
        let mut number = from;
        while number < until {
            number = match self.ring.read_record(number, bytes) {
                Ok(kind) => return Some((number, kind)),
                Err(Unread::PassedOver { until }) => until.max(number + 1),
                // What is overwritten while it is looked at is followed by more that is.
                Err(Unread::Overwritten) => self.ring.held().start.max(number + 1),
                Err(_) => number + 1,
            };
        }
        None
    }
}

/// The epoch of a number and where it begins, as far as the ring knows.
fn epoch_of(number: u64, epochs: &BTreeMap<u64, u64>) -> (u64, u64) {
    match (epochs.iter().rev().find(|&(_, &begin)| begin <= number), epochs.first_key_value()) {
        (Some((&epoch, &begin)), _) => (epoch, begin),
        // Before all that it knows: in the one before, or in one before that.
        (None, Some((&oldest, _))) => (oldest.saturating_sub(1).max(1), UNKNOWN),
        (None, None) => (1, UNKNOWN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_in_the_newest_epoch_that_began_before_it() {
        let epochs = BTreeMap::from([(4, 100), (5, 100), (7, 200)]);
        for (number, expected) in
            [(250, (7, 200)), (200, (7, 200)), (199, (5, 100)), (100, (5, 100)), (99, (3, UNKNOWN))]
        {
            assert_eq!(epoch_of(number, &epochs), expected, "{number}");
        }
        assert_eq!(epoch_of(5, &BTreeMap::new()), (1, UNKNOWN));
    }
}
