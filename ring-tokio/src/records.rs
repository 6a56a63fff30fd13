//! Records that outlive the next receive: one, or a batch.

use feed_ring::records::{Record, Records, UnknownRecord};
use feed_ring::{RecordSubscriber, TryRecvError};

/// A record with its own bytes, as a stream returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedRecord {
    /// Its number, counted from 0 since the ring began.
    pub number: u64,
    /// The kind that the publisher gave it.
    pub kind: u8,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl OwnedRecord {
    /// The same record, borrowed.
    pub fn as_record(&self) -> Record<'_> {
        Record { number: self.number, kind: self.kind, bytes: &self.bytes }
    }

    /// The record as one of an enum's kinds: see [`Record::read_as`].
    ///
    /// # Errors
    /// [`UnknownRecord`] if it is none of them.
    pub fn read_as<E: Records>(&self) -> Result<E, UnknownRecord> {
        self.as_record().read_as()
    }
}

/// Room for several records: what [`recv_batch`](crate::AsyncSubscriber::recv_batch) of a ring of records fills. It keeps its
/// memory from one batch to the next.
#[derive(Clone, Debug)]
pub struct RecordBatch {
    most: usize,
    /// The bytes of all records, one after the other.
    bytes: Vec<u8>,
    heads: Vec<Head>,
}

#[derive(Clone, Copy, Debug)]
struct Head {
    number: u64,
    kind: u8,
    /// Where its bytes end.
    end: usize,
}

impl RecordBatch {
    /// Room for at most `most` records. Nothing is allocated before the first record.
    ///
    /// # Panics
    /// If `most` is 0: a batch without room would be filled at once, for ever.
    pub fn new(most: usize) -> Self {
        assert!(most > 0, "room for 0 records, 1 or more expected");
        RecordBatch { most, bytes: Vec::new(), heads: Vec::new() }
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// Whether it has no record.
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// The records, in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Record<'_>> {
        let mut begin = 0;
        self.heads.iter().map(move |&Head { number, kind, end }| {
            let bytes = &self.bytes[begin..end];
            begin = end;
            Record { number, kind, bytes }
        })
    }

    /// Replaces the records by as many of the next as there are. Returns how many.
    pub(crate) fn fill(&mut self, subscriber: &mut RecordSubscriber) -> Result<usize, TryRecvError> {
        let RecordBatch { most, bytes, heads } = self;
        bytes.clear();
        heads.clear();
        subscriber.recv_batch(*most, |Record { number, kind, bytes: record }| {
            bytes.extend_from_slice(record);
            heads.push(Head { number, kind, end: bytes.len() });
        })
    }
}
