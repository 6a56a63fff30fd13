//! Where records go: a ring of records.

use std::collections::BTreeMap;

use feed::pacing::Moment;
use feed::records::Encoding;
use feed::records::tally::Tally;
use feed::source::SourceError;
use feed::summary::{Sequences, Summary};
use feed_ring::records::TooLong;
use feed_ring::{CloseError, RecordPublisher};

use crate::messages::Messages;
use crate::outlet::{Outlet, Refused};

/// Publishes the records of an input.
pub(crate) struct OfRecords {
    publisher: RecordPublisher,
    encoding: Encoding,
    /// The record that was taken.
    kind: u8,
    bytes: Vec<u8>,
    tally: Tally,
    /// How many records of each kind were too long.
    too_long: BTreeMap<u8, u64>,
}

impl OfRecords {
    pub(crate) fn new(publisher: RecordPublisher, encoding: Encoding) -> Self {
        let tally = Tally::new(encoding);
        OfRecords { publisher, encoding, kind: 0, bytes: Vec::new(), tally, too_long: BTreeMap::new() }
    }

    /// Counts a record that the ring has no room for.
    #[cold]
    fn pass_over(&mut self, too_long: TooLong) -> Result<(), Refused> {
        let is_first = self.too_long.is_empty();
        *self.too_long.entry(self.kind).or_default() += 1;
        if !is_first {
            return Ok(());
        }
        let TooLong { found, most } = too_long;
        Err(Refused {
            what: format!(
                "a record of type {} has {found} bytes, and the ring takes at most {most}: a quarter of it (--capacity N, \
                 --slot-size BYTES)",
                self.encoding.name(self.kind)
            ),
            consequence: "it is passed over",
        })
    }
}

impl Outlet for OfRecords {
    type Ring = RecordPublisher;

    fn ring(&self) -> &RecordPublisher {
        &self.publisher
    }

    #[inline]
    fn take(&mut self, source: &mut Messages) -> Result<Option<Option<u64>>, SourceError> {
        Ok(source.next_record()?.map(|record| {
            self.kind = record.kind;
            self.bytes.clear();
            self.bytes.extend_from_slice(record.bytes);
            record.captured
        }))
    }

    #[inline]
    fn publish(&mut self, _: Moment, _: &Messages) -> Result<(), Refused> {
        match self.publisher.publish(self.kind, &self.bytes) {
            Ok(_) => {
                self.tally.add(self.kind, &self.bytes);
                Ok(())
            }
            Err(too_long) => self.pass_over(too_long),
        }
    }

    fn count(&self) -> u64 {
        self.tally.records()
    }

    fn summary(&self, sequences: Sequences, seconds: f64) -> Summary {
        Summary::of_records(&self.tally, sequences, seconds)
    }

    fn left_out(&self) -> BTreeMap<String, u64> {
        let named = |kind| format!("record of type {} too long for the ring", self.encoding.name(kind));
        self.too_long.iter().map(|(&kind, &count)| (named(kind), count)).collect()
    }

    fn is_cut_off(&self) -> bool {
        self.publisher.is_cut_off()
    }

    fn close(self) -> Result<(), CloseError> {
        self.publisher.close()
    }

    fn leave(self) {
        self.publisher.leave();
    }
}
