//! What travels: frames of messages, questions for what is missing, and what a sender says of itself. All numbers are little-endian.
//!
//! Whoever can put a frame under a key can put any bytes there: nothing of a frame is believed before it was checked here.

use serde::{Deserialize, Serialize};
use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The version of all of this. A frame of another version is not understood.
pub(crate) const VERSION: u8 = 1;

/// Numbers stay below this: no ring reaches it.
pub(crate) const MAX_NUMBER: u64 = (1 << 62) - 2;

/// An epoch whose first number is not known.
pub(crate) const UNKNOWN: u64 = u64::MAX;

const MAGIC: [u8; 3] = *b"FRB";

/// The publisher closed the ring behind this frame.
pub(crate) const CLOSED: u8 = 1;
/// A reply to a [`Question`].
pub(crate) const REPLY: u8 = 2;
/// The last reply. In place of messages it has an [`Attribution`].
pub(crate) const LAST: u8 = 4;
/// Each message has its kind and its length before it.
pub(crate) const RECORDS: u8 = 8;

/// There is a table beside the ring.
pub(crate) const TABLE: u8 = 16;

/// Before a row: its number.
pub(crate) const ROW_NUMBER: usize = 8;

/// Before a record: its length, its kind.
pub(crate) const RECORD_HEAD: usize = 8;

/// What is before the messages of a frame.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Head {
    magic: [u8; 3],
    version: u8,
    pub(crate) flags: u8,
    padding: [u8; 3],
    /// The sender's random number: another for each run of it.
    pub(crate) sender: U64,
    /// The nonce of the near ring.
    pub(crate) ring: U64,
    /// How many frames the sender sent before this one.
    pub(crate) frame: U64,
    /// The epoch of all messages of the frame.
    pub(crate) epoch: U64,
    /// The first number of that epoch, or [`UNKNOWN`].
    pub(crate) epoch_begin: U64,
    /// The number behind the last message of the frame before. What is between that and `first` was lost by the sender.
    pub(crate) after: U64,
    /// The number of the first message. If there is none, that of the next one.
    pub(crate) first: U64,
    /// Messages.
    pub(crate) count: U32,
    /// Bytes of each message. 0 for records.
    pub(crate) size: U32,
    /// Rows of the table that changed with these messages or before, which come first.
    pub(crate) rows: U32,
    /// Bytes of each row, its number included.
    pub(crate) row_bytes: U32,
}

impl Head {
    /// A head with everything else 0.
    pub(crate) fn new(flags: u8) -> Self {
        let zero = U64::new(0);
        Head {
            magic: MAGIC,
            version: VERSION,
            flags,
            padding: [0; 3],
            sender: zero,
            ring: zero,
            frame: zero,
            epoch: zero,
            epoch_begin: U64::new(UNKNOWN),
            after: zero,
            first: zero,
            count: U32::new(0),
            size: U32::new(0),
            rows: U32::new(0),
            row_bytes: U32::new(0),
        }
    }
}

/// A frame that passed all checks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) head: Head,
    /// The rows, one after the other.
    pub(crate) rows: &'a [u8],
    /// The messages, one after the other.
    pub(crate) payload: &'a [u8],
}

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoFrame {
    /// They begin with something else.
    #[error("{0} bytes that are not a frame's")]
    Foreign(usize),
    /// They are of a program of another version.
    #[error("a frame of version {0}, this program speaks {VERSION}: rebuild the older side")]
    Version(u8),
    /// Its numbers contradict each other.
    #[error("a frame whose {0} cannot be")]
    Impossible(&'static str),
}

impl<'a> Frame<'a> {
    /// Checks a frame.
    ///
    /// # Errors
    /// [`NoFrame`].
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, NoFrame> {
        let foreign = NoFrame::Foreign(bytes.len());
        if !bytes.starts_with(&MAGIC) {
            return Err(foreign);
        }
        match bytes.get(MAGIC.len()) {
            Some(&VERSION) => {}
            Some(&other) => return Err(NoFrame::Version(other)),
            None => return Err(foreign),
        }
        let (head, payload) = Head::read_from_prefix(bytes).map_err(|_| foreign)?;
        let rows = u64::from(head.rows.get()) * u64::from(head.row_bytes.get());
        let rows = usize::try_from(rows).unwrap_or(usize::MAX);
        let (rows, payload) = payload.split_at_checked(rows).ok_or(NoFrame::Impossible("rows"))?;
        let frame = Frame { head, rows, payload };
        let (first, count) = (head.first.get(), u64::from(head.count.get()));
        let fine = |fine: bool, what| if fine { Ok(()) } else { Err(NoFrame::Impossible(what)) };
        fine(first < MAX_NUMBER && count < MAX_NUMBER - first, "number")?;
        fine(head.after.get() <= first, "beginning")?;
        fine((1..1 << 63).contains(&head.epoch.get()), "epoch")?;
        fine(head.epoch_begin.get() == UNKNOWN || head.epoch_begin.get() <= first, "epoch's beginning")?;
        if frame.is(LAST) {
            fine(count == 0, "count")?;
        } else if frame.is(RECORDS) {
            fine(head.size.get() == 0, "size")?;
            let mut records = frame.records();
            let found = records.by_ref().count() as u64;
            fine(found == count && records.rest.is_empty(), "length")?;
        } else {
            fine(count == 0 || head.size.get() > 0, "size")?;
            fine(payload.len() as u64 == count * u64::from(head.size.get()), "length")?;
        }
        Ok(frame)
    }

    /// Whether it has this flag.
    pub(crate) fn is(&self, flag: u8) -> bool {
        self.head.flags & flag != 0
    }

    /// The number behind its last message.
    pub(crate) fn end(&self) -> u64 {
        self.head.first.get() + u64::from(self.head.count.get())
    }

    /// Its messages from the one with this number on.
    pub(crate) fn messages_from(&self, number: u64) -> std::slice::ChunksExact<'a, u8> {
        let size = (self.head.size.get() as usize).max(1);
        let skipped = number.saturating_sub(self.head.first.get()) as usize;
        self.payload.get(skipped.saturating_mul(size)..).unwrap_or_default().chunks_exact(size)
    }

    /// Its records: each with its kind.
    pub(crate) fn records(&self) -> RecordsIn<'a> {
        RecordsIn { rest: self.payload }
    }
}

/// The records of a frame.
#[derive(Clone, Debug)]
pub(crate) struct RecordsIn<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for RecordsIn<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (head, rest) = self.rest.split_first_chunk::<RECORD_HEAD>()?;
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let (record, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        Some((head[4], record))
    }
}

/// Appends a record as [`Frame::records`] reads it.
pub(crate) fn push_record(payload: &mut Vec<u8>, kind: u8, record: &[u8]) {
    let length = u32::try_from(record.len()).expect("a record has less than 2^24 bytes");
    payload.extend_from_slice(&length.to_le_bytes());
    payload.extend_from_slice(&[kind, 0, 0, 0]);
    payload.extend_from_slice(record);
}

/// Asks a sender for messages once more.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Question {
    /// The nonce of the near ring.
    pub(crate) ring: U64,
    /// The first number that is wanted.
    pub(crate) from: U64,
    /// The number behind the last one that is wanted.
    pub(crate) until: U64,
}

/// Whose fault it is that messages are missing, in the last reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attribution {
    /// The number at which the sender began. What came before it was sent by nobody.
    pub(crate) started: u64,
    /// The numbers that the sender lost.
    pub(crate) lost: Vec<(u64, u64)>,
}

impl Attribution {
    /// As bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let ranges = self.lost.iter().flat_map(|&(from, until)| [from, until]);
        std::iter::once(self.started).chain(ranges).flat_map(u64::to_le_bytes).collect()
    }

    /// Of bytes. What makes no sense is left out.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        let mut words = bytes.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().expect("eight bytes")));
        let started = words.next().unwrap_or(0);
        let words: Vec<u64> = words.collect();
        let lost = words.chunks_exact(2).map(|pair| (pair[0], pair[1])).filter(|(from, until)| from < until).collect();
        Attribution { started, lost }
    }

    /// How many of the numbers from `from` to `until` the sender did not send.
    pub(crate) fn near_of(&self, from: u64, until: u64) -> u64 {
        let before = self.started.min(until).saturating_sub(from);
        let from = from.max(self.started);
        let lost =
            self.lost.iter().map(|&(lost_from, lost_until)| lost_until.min(until).saturating_sub(lost_from.max(from)));
        // Ranges of a forged reply may overlap.
        lost.fold(before, u64::saturating_add).min(until.saturating_sub(from).saturating_add(before))
    }
}

/// What a sender says of itself and its ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct About {
    pub(crate) version: u8,
    /// The sender's random number.
    pub(crate) sender: u64,
    /// The machine, for people.
    pub(crate) host: String,
    /// `little` or `big`: messages are in the machine's order.
    pub(crate) byte_order: String,
    /// The nonce of the near ring.
    pub(crate) ring: u64,
    /// Whether it is a ring of records.
    pub(crate) records: bool,
    /// The schema of the messages, or the format of the records.
    pub(crate) schema: String,
    /// Bytes of a message. 0 for records.
    pub(crate) size: usize,
    /// Bytes of a slot, for records.
    pub(crate) slot_size: usize,
    pub(crate) capacity: usize,
    /// The oldest number that the near ring still has.
    pub(crate) oldest: u64,
    /// The number of the next message, and its epoch.
    pub(crate) next: u64,
    pub(crate) epoch: u64,
    /// Whether the near ring was closed.
    pub(crate) closed: bool,
    /// The table beside the ring, if there is one.
    pub(crate) table: Option<AboutTable>,
}

/// What a sender says of the table beside its ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AboutTable {
    /// The schema of the keys.
    pub(crate) key: String,
    pub(crate) key_size: usize,
    /// The schema of the values.
    pub(crate) value: String,
    pub(crate) value_size: usize,
    /// The most rows.
    pub(crate) rows: usize,
}

/// This machine's byte order.
pub(crate) const BYTE_ORDER: &str = if cfg!(target_endian = "little") { "little" } else { "big" };

/// A random number that nobody else has.
pub(crate) fn random() -> u64 {
    let mut bytes = [0; 8];
    // The kernel has no reason to refuse eight bytes; if a filter does, time and process tell two runs apart.
    match rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()) {
        Ok(8) => u64::from_le_bytes(bytes),
        _ => crate::now() ^ (u64::from(std::process::id()) << 32),
    }
}

/// The keys of a ring.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    prefix: String,
    ring: String,
}

impl Keys {
    pub(crate) fn new(prefix: &str, ring: &str) -> Self {
        Keys { prefix: prefix.to_owned(), ring: ring.to_owned() }
    }

    /// The ring's name.
    pub(crate) fn ring(&self) -> &str {
        &self.ring
    }

    /// Where frames are put.
    pub(crate) fn frames(&self) -> String {
        format!("{}/{}/frames", self.prefix, self.ring)
    }

    /// Where all senders of the ring say what they have.
    pub(crate) fn about(&self) -> String {
        format!("{}/{}/about", self.prefix, self.ring)
    }

    /// Where one sender gives the rows of the table from a number on.
    pub(crate) fn rows(&self, sender: u64) -> String {
        format!("{}/{}/rows/{sender:016x}", self.prefix, self.ring)
    }

    /// Where one sender answers a [`Question`].
    pub(crate) fn window(&self, sender: u64) -> String {
        format!("{}/{}/window/{sender:016x}", self.prefix, self.ring)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u64, count: u32, size: u32, payload: &[u8]) -> Vec<u8> {
        let mut head = Head::new(0);
        (head.first, head.after, head.count, head.size) = (first.into(), first.into(), count.into(), size.into());
        head.epoch = 1.into();
        [head.as_bytes(), payload].concat()
    }

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        let bytes = frame(7, 3, 2, b"aabbcc");
        let read = Frame::parse(&bytes).unwrap();
        assert_eq!(read.end(), 10);
        assert_eq!(read.messages_from(0).collect::<Vec<_>>(), [b"aa", b"bb", b"cc"]);
        assert_eq!(read.messages_from(9).collect::<Vec<_>>(), [b"cc"]);
        assert_eq!(read.messages_from(10).count() + read.messages_from(u64::MAX).count(), 0);
    }

    #[test]
    fn records_are_read_as_they_were_written() {
        let mut payload = Vec::new();
        push_record(&mut payload, 7, b"");
        push_record(&mut payload, 8, b"long");
        let mut bytes = frame(0, 2, 0, &payload);
        bytes[4] = RECORDS;
        let records: Vec<_> = Frame::parse(&bytes).unwrap().records().collect();
        assert_eq!(records, [(7, &b""[..]), (8, b"long")]);
        bytes.pop();
        assert_eq!(Frame::parse(&bytes).unwrap_err(), NoFrame::Impossible("length"));
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for length in 0..size_of::<Head>() {
            assert!(Frame::parse(&frame(0, 0, 0, b"")[..length]).is_err(), "{length}");
        }
        let mut other = frame(0, 0, 0, b"");
        other[3] = 9;
        assert_eq!(Frame::parse(&other).unwrap_err(), NoFrame::Version(9));
        for bad in [
            frame(MAX_NUMBER, 0, 1, b""),
            frame(MAX_NUMBER - 2, 2, 1, b"ab"),
            frame(0, 1, 0, b""),
            frame(0, 2, 1, b"a"),
            frame(0, u32::MAX, u32::MAX, b""),
        ] {
            assert!(matches!(Frame::parse(&bad), Err(NoFrame::Impossible(_))), "{bad:?}");
        }
    }

    #[test]
    fn any_bytes_are_a_frame_or_are_refused() {
        let mut state = 1u64;
        for _ in 0..100_000 {
            let mut bytes = frame(5, 2, 3, b"abcdef");
            for _ in 0..3 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let at = (state >> 33) as usize % bytes.len();
                bytes[at] = (state >> 25) as u8;
            }
            if let Ok(frame) = Frame::parse(&bytes) {
                let count = if frame.is(LAST) {
                    0
                } else if frame.is(RECORDS) {
                    frame.records().count()
                } else {
                    frame.messages_from(0).count()
                };
                assert!(frame.is(LAST) || count as u64 == frame.end() - frame.head.first.get());
            }
        }
    }

    #[test]
    fn losses_belong_to_the_sender_or_not() {
        let told = Attribution { started: 10, lost: vec![(20, 25), (40, 50)] };
        assert_eq!(Attribution::of_bytes(&told.to_bytes()), told);
        for (from, until, near) in
            [(0, 5, 5), (0, 15, 10), (10, 20, 0), (12, 23, 3), (0, 100, 25), (45, 47, 2), (60, 70, 0)]
        {
            assert_eq!(told.near_of(from, until), near, "{from} {until}");
        }
        let forged = Attribution { started: u64::MAX, lost: vec![(0, u64::MAX), (0, u64::MAX)] };
        assert_eq!(forged.near_of(3, 5), 2);
    }
}
