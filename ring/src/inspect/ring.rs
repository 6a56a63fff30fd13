//! One ring under inspection: its messages or records, beside what every segment has.

use std::ops::{Deref, Range};

use super::facts::Unread;
use super::records::RecordReader;
use super::segment::Segment;
use crate::format::fields::SchemaError;
use crate::format::layout::MAX_SEQUENCE;
use crate::format::records::RecordsFormat;
use crate::format::rows::SegmentKind;
use crate::protocol::end;
use crate::protocol::epochs::Epochs;
use crate::protocol::slot::{self, Absence};
use crate::protocol::view::View;

/// A ring under inspection: its segment and its control file, mapped read-only. [`Segment`] has what it shares with tables.
///
/// It is a ring of messages, or of [records](crate::records) if [`is_records`](Self::is_records) says so: then a number is that
/// of a record.
pub struct Ring {
    segment: Segment,
    pub(super) view: View,
    /// Of a ring of records.
    records: Option<RecordReader>,
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
        let is_records = segment.facts.kind == SegmentKind::Records;
        let records = is_records.then(|| RecordReader::new(view.clone()));
        Ring { segment, view, records }
    }

    /// Whether it is a ring of [records](crate::records): messages of any length.
    pub fn is_records(&self) -> bool {
        self.records.is_some()
    }

    /// What the records are, from the header's text. `None` for a ring of messages.
    ///
    /// # Errors
    /// If the text cannot be parsed. The records are then only bytes.
    pub fn records_format(&self) -> Option<Result<RecordsFormat, SchemaError>> {
        self.is_records().then(|| RecordsFormat::parse(&self.facts.schema))
    }

    /// The epochs that the header knows, the newest last, each with its first sequence. At most seven.
    pub fn epochs(&self) -> Vec<(u64, u64)> {
        Epochs::read(&self.view).known().collect()
    }

    /// The next sequence to be published: the number of messages published, counted from 0. Reads the cache line of the
    /// published count, once or twice, and that of the next slot; of records, those of the newest one, too. The publisher
    /// writes them for each message and must then fetch them back.
    pub fn published(&self) -> u64 {
        self.records.as_ref().map_or_else(|| end::next_of_running(&self.view), RecordReader::next)
    }

    /// The sequences that the ring holds now. In a live ring the oldest may be overwritten before it is read.
    pub fn held(&self) -> Range<u64> {
        if let Some(records) = &self.records {
            return records.held();
        }
        let published = self.published();
        end::oldest(&self.view, published)..published
    }

    /// Reads the bytes of one message or record into `bytes`, replacing its content.
    ///
    /// # Errors
    /// [`Unread`]. `bytes` then has no meaning.
    pub fn read(&self, sequence: u64, bytes: &mut Vec<u8>) -> Result<(), Unread> {
        self.read_record(sequence, bytes).map(|_| ())
    }

    /// The same. Returns the record's kind, which is 0 for a message of one size: it has none.
    ///
    /// Records are read quickest in the order of their numbers. Any other record is looked for first, which takes longer the
    /// further it is from the newest.
    ///
    /// # Errors
    /// [`Unread`]. `bytes` then has no meaning.
    pub fn read_record(&self, sequence: u64, bytes: &mut Vec<u8>) -> Result<u8, Unread> {
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
        if let Some(records) = &self.records {
            // The guard replaced the segment by zeros, and zeros look like slots that were never written.
            let read = records.read(sequence, bytes);
            return read.map_err(|why| if self.is_cut_short() { Unread::CutShort } else { why });
        }
        let size = self.facts.payload_size;
        let read = slot::read(self.view.slot(sequence), sequence, |words| {
            bytes.clear();
            bytes.extend(words.iter().flat_map(|word| word.load().to_ne_bytes()).take(size));
        });
        read.map(|()| 0).map_err(|seen| {
            match slot::why_absent(self.view.slot(sequence), seen, sequence, self.view.mask()) {
                // The guard replaced the segment by zeros, and a zero looks like a slot that was never written.
                Absence::NotYet if self.is_cut_short() => Unread::CutShort,
                Absence::NotYet => Unread::NotYet,
                Absence::Lapped { .. } => Unread::Overwritten,
                Absence::PassedOver { until } => Unread::PassedOver { until },
                Absence::Corrupt => Unread::Corrupt { found: seen },
            }
        })
    }
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ring").field("segment", &self.segment).finish_non_exhaustive()
    }
}
