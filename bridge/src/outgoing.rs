//! The frame that is being filled.

use zerocopy::IntoBytes;

use crate::rows::Rows;
use crate::wire::{CLOSED, Head, RECORDS, TABLE, UNKNOWN, push_record};

/// A frame that is being filled: all its messages follow each other, in one epoch.
#[derive(Debug)]
pub(crate) struct Outgoing {
    bytes: Vec<u8>,
    /// Bytes of messages from which on it is full.
    most: usize,
    sender: u64,
    ring: u64,
    records: bool,
    size: usize,
    frames: u64,
    epoch: u64,
    epoch_begin: u64,
    /// The number behind the last message of the frame before.
    after: u64,
    /// The number of the next message.
    next: u64,
    count: u32,
    closed: bool,
    /// The rows of the frame that is taken, with its messages behind them.
    with_rows: Vec<u8>,
}

impl Outgoing {
    /// Frames of the sender with this number, of about so many bytes.
    pub(crate) fn new(sender: u64, most: usize) -> Self {
        Outgoing {
            bytes: vec![0; size_of::<Head>()],
            most,
            sender,
            ring: 0,
            records: false,
            size: 0,
            frames: 0,
            epoch: 1,
            epoch_begin: UNKNOWN,
            after: 0,
            next: 0,
            count: 0,
            closed: false,
            with_rows: Vec::new(),
        }
    }

    /// Goes on with another ring, from this number on. `size` is `None` for records.
    pub(crate) fn begin(&mut self, ring: u64, size: Option<usize>, (number, epoch): (u64, u64)) {
        debug_assert!(self.is_empty());
        (self.ring, self.records, self.size) = (ring, size.is_none(), size.unwrap_or(0));
        (self.after, self.next, self.closed) = (number, number, false);
        self.begin_epoch(epoch, UNKNOWN);
    }

    /// Goes on in another epoch.
    pub(crate) fn begin_epoch(&mut self, epoch: u64, begin: u64) {
        debug_assert!(self.is_empty());
        (self.epoch, self.epoch_begin) = (epoch.max(1), begin);
    }

    /// Goes on behind messages that were lost.
    pub(crate) fn lose(&mut self, missed: u64) {
        debug_assert!(self.is_empty());
        self.next += missed;
    }

    /// From now on it says whether the ring is closed.
    pub(crate) fn set_closed(&mut self, closed: bool) {
        self.closed = closed;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn is_full(&self) -> bool {
        self.room() == 0
    }

    /// The nonce of the ring.
    pub(crate) fn ring(&self) -> u64 {
        self.ring
    }

    /// The number of the next message.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Messages that fit in; of records, bytes. A message that is longer than a frame fits into an empty one.
    pub(crate) fn room(&self) -> usize {
        let left = self.most.saturating_sub(self.bytes.len() - size_of::<Head>());
        match self.size {
            0 => left,
            size => (left / size).max(usize::from(self.is_empty())),
        }
    }

    /// Lets `receive` put at most [`room`](Self::room) messages in, of which it says how many it put.
    pub(crate) fn fill<E>(&mut self, receive: impl FnOnce(&mut [u8]) -> Result<usize, E>) -> Result<usize, E> {
        let length = self.bytes.len();
        self.bytes.resize(length + self.room() * self.size, 0);
        let received = receive(&mut self.bytes[length..]);
        let count = *received.as_ref().unwrap_or(&0);
        self.bytes.truncate(length + count * self.size);
        self.note(count);
        received
    }

    /// Puts one message in.
    pub(crate) fn push(&mut self, kind: u8, message: &[u8]) {
        match self.records {
            true => push_record(&mut self.bytes, kind, message),
            false => self.bytes.extend_from_slice(message),
        }
        self.note(1);
    }

    fn note(&mut self, count: usize) {
        self.count += count as u32;
        self.next += count as u64;
    }

    /// The bytes of the frame, which is then empty again. `rows` is the table beside the ring.
    pub(crate) fn take<R>(&mut self, rows: Option<&mut Rows>, put: impl FnOnce(&[u8]) -> R) -> R {
        let flags = if self.records { RECORDS } else { 0 } | if self.closed { CLOSED } else { 0 };
        let mut head = Head::new(flags);
        (head.sender, head.ring, head.frame) = (self.sender.into(), self.ring.into(), self.frames.into());
        (head.epoch, head.epoch_begin) = (self.epoch.into(), self.epoch_begin.into());
        head.first = (self.next - u64::from(self.count)).into();
        (head.after, head.count, head.size) = (self.after.into(), self.count.into(), (self.size as u32).into());
        let done = match rows {
            None => {
                self.bytes[..size_of::<Head>()].copy_from_slice(head.as_bytes());
                put(&self.bytes)
            }
            // After the messages were received: the row of each was stored before.
            Some(rows) => {
                self.with_rows.clear();
                self.with_rows.resize(size_of::<Head>(), 0);
                head.flags |= TABLE;
                head.rows = rows.take(&mut self.with_rows).into();
                head.row_bytes = (rows.row_bytes() as u32).into();
                self.with_rows[..size_of::<Head>()].copy_from_slice(head.as_bytes());
                self.with_rows.extend_from_slice(&self.bytes[size_of::<Head>()..]);
                put(&self.with_rows)
            }
        };
        self.bytes.truncate(size_of::<Head>());
        (self.after, self.count, self.frames) = (self.next, 0, self.frames + 1);
        done
    }
}
