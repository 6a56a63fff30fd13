//! Receives records. Each is counted and printed while it is in the subscriber's own copy.

use std::io::Write;
use std::ops::ControlFlow;
use std::time::Duration;

use feed::clock::realtime_ns;
use feed::reception::Reception;
use feed::records::dbn_file::Failed;
use feed_ring::TryRecvError;
use feed_ring::records::Record;

use super::{Follower, delay};
use crate::account::Account;
use crate::backlog::Backlog;
use crate::counted::Counted;
use crate::ended::Ended;
use crate::printed::Printed;
use crate::status::Status;

impl Follower<'_> {
    /// Receives at most `most` records that are there, or waits for one for `patience`.
    pub(super) fn take_records(
        &mut self,
        most: usize,
        patience: Option<Duration>,
        output: &mut Printed<impl Write>,
    ) -> ControlFlow<Ended, Result<(), TryRecvError>> {
        let Some(records) = self.ring.subscriber.records() else { return ControlFlow::Continue(Ok(())) };
        let mut taker = Taker {
            counted: &mut self.counted,
            reception: &mut self.reception,
            status: &mut self.status,
            account: &self.account,
            backlog: &self.backlog,
            output,
            delay_ns: self.options.delay_ns,
            notes: Vec::new(),
            written: Ok(()),
        };
        let received = match patience {
            None => records.recv_batch(most, |record| taker.take(record)).map(drop),
            Some(patience) => records.recv_timeout(patience).map(|record| taker.take(record)),
        };
        let Taker { notes, written, .. } = taker;
        if let Err(error) = received {
            return ControlFlow::Continue(Err(error));
        }
        let now = realtime_ns();
        self.note_received(now);
        for note in notes {
            self.say(format_args!("{note}"));
        }
        if let Err(failed) = written {
            return ControlFlow::Break(failed.into());
        }
        self.show(now, output)?;
        ControlFlow::Continue(Ok(()))
    }
}

/// Counts and prints records.
struct Taker<'a, W> {
    counted: &'a mut Counted,
    reception: &'a mut Reception,
    status: &'a mut Status,
    account: &'a Account,
    backlog: &'a Backlog,
    output: &'a mut Printed<W>,
    delay_ns: u64,
    notes: Vec<String>,
    written: Result<(), Failed>,
}

impl<W: Write> Taker<'_, W> {
    fn take(&mut self, record: Record<'_>) {
        self.status.make_room();
        if self.backlog.contains_record(self.account.overall(record.number)) {
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
