//! Receives records. Each is counted and printed while it is in the subscriber's own copy.

use std::io::Write;

use feed::reception::Reception;
use feed::records::dbn_file::Failed;
use feed_ring::records::Record;

use crate::backlog::Backlog;
use crate::counted::Counted;
use crate::pace::delay;
use crate::printed::Printed;
use crate::status::Status;

/// Counts and prints records.
pub(super) struct Taker<'a, W> {
    pub(super) counted: &'a mut Counted,
    pub(super) reception: &'a mut Reception,
    pub(super) status: &'a mut Status,
    /// Added to a number of the present ring, this gives the overall number; wraps.
    pub(super) offset: u64,
    pub(super) backlog: &'a Backlog,
    pub(super) output: &'a mut Printed<W>,
    pub(super) delay_ns: u64,
    pub(super) notes: Vec<String>,
    pub(super) written: Result<(), Failed>,
}

impl<W: Write> Taker<'_, W> {
    pub(super) fn take(&mut self, record: Record<'_>) {
        self.status.make_room();
        if self.backlog.contains_record(record.number.wrapping_add(self.offset)) {
            self.reception.add_undated_backlog();
        }
        self.counted.add_record(record.kind, record.bytes);
        // All records were received and count, even if one cannot be printed.
        if self.written.is_ok() {
            match self.output.record(record) {
                Ok(note) => self.notes.extend(note),
                Err(failed) => self.written = Err(failed),
            }
            delay(self.delay_ns);
        }
    }
}
