//! Receives until something ends it: counts, measures and prints messages, and says what happens to the ring.

mod records;

use std::convert::Infallible;
use std::io::Write;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use feed::clock::realtime_ns;
use feed::reception::Reception;
use feed::summary::{Received, Sequences, Summary};
use feed::{Kind, Message};
use feed_program::status_line::REDRAWN_EVERY;
use feed_program::stdout::Stdout;
use feed_ring::follow::{Continuation, Event, FollowError, Next};
use feed_ring::{TryRecvError, WaitStrategy};
use tracing::{info, warn};

use self::records::Taker;
use crate::attach::report_lacks;
use crate::backlog::Backlog;
use crate::board::Board;
use crate::counted::Counted;
use crate::ended::Ended;
use crate::loss_log::LossLog;
use crate::options::{OnLoss, Options, OutputFormat};
use crate::output::Extra;
use crate::pace::delay;
use crate::printed::Printed;
use crate::reader::{Reader, Taken, handled, without_ring};
use crate::status::{Figures, Status};

/// The largest batch of a subscriber that is behind, and the number of messages between two reads of the published
/// count.
const BATCH: usize = 64;

/// So many first messages are received and observed one by one.
const ONE_BY_ONE: u64 = 256;

/// The longest time for which a polling subscriber notices no signal and keeps its output buffered.
const PATIENCE: Duration = Duration::from_millis(5);

/// A ring that is followed, and everything that is counted and measured of it.
pub(crate) struct Follower<'a> {
    options: &'a Options,
    stop: &'a AtomicBool,
    ring: Reader,
    /// What was received from rings before the present one.
    received_before: u64,
    counted: Counted,
    reception: Reception,
    backlog: Backlog,
    /// The received count at the last read of the published count.
    observed: u64,
    /// The times of the first and the last receipt, ns since 1970.
    span: Option<(u64, u64)>,
    loss_log: LossLog,
    board: Option<Board>,
    status: Status,
}

impl<'a> Follower<'a> {
    /// Follows a ring that was opened shortly after `joined`, in ns since 1970.
    pub(crate) fn new(options: &'a Options, stop: &'a AtomicBool, ring: Reader, joined: u64) -> Self {
        Follower {
            options,
            stop,
            received_before: 0,
            backlog: Backlog::of(&ring, joined, options.from),
            counted: Counted::of(&ring),
            ring,
            reception: Reception::default(),
            observed: 0,
            span: None,
            loss_log: LossLog::default(),
            board: Board::new(options),
            status: Status::new(options.output != OutputFormat::None),
        }
    }

    /// Receives until something ends it.
    pub(crate) fn receive(&mut self) -> Ended {
        let with_table = self.board.is_some();
        let stdout = match self.options.output {
            OutputFormat::Dbn => Stdout::of_records(self.stop),
            _ => Stdout::new(self.stop),
        };
        let mut output = match Printed::new(self.options.output, self.ring.encoding(), with_table, stdout) {
            Ok(output) => output,
            Err(error) => return error.into(),
        };
        let ended = match self.follow(&mut output) {
            ControlFlow::Break(ended) => ended,
            ControlFlow::Continue(never) => match never {},
        };
        self.status.erase();
        let missed = self.loss_log.take();
        self.log_loss(missed);
        let next = self.ring.sequence();
        info!(ring = self.options.title(), ended = ended.word(), sequence = next, received = self.received(), "ended");
        // The first reason to end stands, unless nobody reads the rest of the output.
        match output.finish() {
            Err(error) if matches!(ended, Ended::Closed | Ended::Max | Ended::Signal) => error.into(),
            _ => ended,
        }
    }

    fn follow(&mut self, output: &mut Printed<impl Write>) -> ControlFlow<Ended, Infallible> {
        let mut batch = [Message::new(Kind::Other, 0); BATCH];
        self.begin(output)?;
        for symbol in self.board.as_ref().map(Board::missing).unwrap_or_default() {
            self.say(format_args!("no instrument has the symbol {symbol} yet: waiting for one"));
        }
        loop {
            let left = self.options.max.map_or(u64::MAX, |max| max.saturating_sub(self.counted.count()));
            if left == 0 {
                return ControlFlow::Break(Ended::Max);
            }
            if self.stop.load(Ordering::Relaxed) {
                return ControlFlow::Break(Ended::Signal);
            }
            let room = if self.received() < ONE_BY_ONE { 1 } else { BATCH.min(left as usize) };
            let taken = match &mut self.ring {
                Reader::Records(_) => self.take_records(room, None, output)?,
                messages => broken(messages.recv_batch(&mut batch[..room]))?,
            };
            match taken {
                Taken::Messages(count) => self.record(&batch[..count], output)?,
                Taken::Empty => self.wait(&mut batch[..1], output)?,
                Taken::Event(event) => self.handle(event, output)?,
                Taken::End => return ControlFlow::Break(Ended::Closed),
            }
        }
    }

    /// Waits for a message: a short time if it polls, until there is something if it blocks.
    fn wait(&mut self, batch: &mut [Message], output: &mut Printed<impl Write>) -> ControlFlow<Ended> {
        self.observe(0);
        if self.loss_log.is_pending() {
            let missed = self.loss_log.due(Instant::now());
            self.log_loss(missed);
        }
        if self.status.is_on() {
            self.show(realtime_ns(), output)?;
        }
        let blocks = self.options.wait() == WaitStrategy::Block;
        if blocks {
            flush(output)?;
        }
        let patience = match blocks {
            true if self.status.is_on() => REDRAWN_EVERY,
            true => Duration::MAX,
            false => PATIENCE,
        };
        let taken = match &mut self.ring {
            Reader::Records(_) => self.take_records(1, Some(patience), output)?,
            messages => broken(messages.recv_timeout(patience, batch))?,
        };
        match taken {
            Taken::Messages(count) => self.record(&batch[..count], output),
            Taken::Empty => flush(output),
            Taken::Event(event) => self.handle(event, output),
            Taken::End => ControlFlow::Break(Ended::Closed),
        }
    }

    /// Counts, measures and prints received messages.
    fn record(&mut self, messages: &[Message], output: &mut Printed<impl Write>) -> ControlFlow<Ended> {
        if messages.is_empty() {
            return ControlFlow::Continue(()); // records, which were recorded as they were taken
        }
        let now = realtime_ns();
        self.note_received(now);
        let first = self.ring.sequence() - messages.len() as u64;
        let offset = self.ring.overall_number(0);
        self.status.make_room();
        let mut written = Ok(());
        for (sequence, message) in (first..).zip(messages) {
            let known = match (&mut self.board, self.ring.table()) {
                (Some(board), Some(table)) => Some(board.apply(message, table)),
                _ => None,
            };
            if known.is_some_and(|known| !known.asked) {
                continue;
            }
            if self.backlog.contains(sequence.wrapping_add(offset), message) {
                self.reception.add_backlog(message.ts_publish, self.backlog.joined);
            } else {
                self.reception.add(message.ts_publish, now);
                self.status.add(now.saturating_sub(message.ts_publish));
            }
            self.counted.add(message);
            // All messages were received and count, even if one cannot be printed.
            if written.is_ok() {
                let table = known.as_ref().map(|known| Extra { symbol: known.symbol.as_str(), snapshot: false });
                written = output.message(sequence, message, table);
                delay(self.options.delay_ns);
            }
        }
        match written {
            Ok(()) => self.show(now, output),
            Err(error) => ControlFlow::Break(error.into()),
        }
    }

    /// Notes that something was received at `now`, in ns since 1970.
    fn note_received(&mut self, now: u64) {
        self.span = Some((self.span.map_or(now, |(first, _)| first), now));
        if self.received() <= ONE_BY_ONE || self.received() - self.observed >= BATCH as u64 {
            self.observe(self.ring.lag());
        }
    }

    /// Draws the status line if that is due at `now`, in ns since 1970.
    #[inline]
    fn show(&mut self, now: u64, output: &mut Printed<impl Write>) -> ControlFlow<Ended> {
        if self.status.is_due(now) {
            if self.status.is_among_messages() {
                flush(output)?;
            }
            let lost = self.ring.overall().lost;
            self.status.draw(now, Figures { received: self.received(), lag: self.ring.lag(), lost });
        }
        ControlFlow::Continue(())
    }

    /// Says what happened to the ring, and begins anew where that is needed.
    fn handle(&mut self, event: Event, output: &mut Printed<impl Write>) -> ControlFlow<Ended> {
        let ring = self.options.title();
        match event {
            Event::Lagged { missed } => {
                self.loss_log.add(missed);
                let missed = self.loss_log.due(Instant::now());
                self.log_loss(missed);
            }
            Event::Restarted { epoch, sequence } => {
                info!(ring, epoch, sequence, "restarted");
                let restarted = TryRecvError::Restarted { epoch, sequence };
                self.say(format_args!("{restarted}: state built from the messages before must be rebuilt"));
            }
            Event::RestartsUnknown { until } => {
                info!(ring, until, "restarted, more often than the ring can tell where");
                let restarted = TryRecvError::RestartsUnknown { until };
                self.say(format_args!("{restarted}: state must be rebuilt at {until}"));
            }
            Event::Opened { first, continues, .. } => self.reopened(first, continues)?,
            Event::Closed { .. } => return ControlFlow::Break(Ended::Closed),
            Event::PublisherGone { sequence } => {
                warn!(ring, sequence, "publisher lost");
                if self.options.on_publisher_loss == OnLoss::Wait {
                    self.say(format_args!(
                        "the publisher died or left: waiting for the next one (--on-publisher-loss exit to end)"
                    ));
                }
                return flush(output);
            }
            Event::Superseded { sequence } => {
                info!(ring, sequence, "superseded");
                return ControlFlow::Continue(());
            }
            Event::Waiting { .. } => {
                self.say(format_args!("superseded: waiting for the ring that takes its place"));
                return flush(output);
            }
            Event::ClosedUnseen => {
                self.say(format_args!("{event}, and not counted as lost"));
                return ControlFlow::Break(Ended::Closed);
            }
            other => self.say(format_args!("{other}")),
        }
        self.begin(output)
    }

    /// Another ring has the name, and was opened.
    fn reopened(&mut self, first: u64, continues: Continuation) -> ControlFlow<Ended> {
        self.status.erase();
        self.received_before = self.ring.overall().received;
        let ring = self.options.title();
        let how = match continues {
            Continuation::First => return ControlFlow::Continue(()),
            Continuation::Continued { gap } => {
                info!(ring, first, gap, "reopened");
                match gap {
                    0 => format!("goes on at sequence {first}"),
                    gap => format!("goes on at sequence {first}, {gap} messages lost in between"),
                }
            }
            Continuation::Renumbered { left, gap } => {
                info!(ring, first, left, gap, renumbered = true, "reopened");
                let lost = if gap > 0 { format!(", {gap} messages lost before that") } else { String::new() };
                format!("numbers its messages anew, from {first}{lost}; the old one was left at {left}")
            }
        };
        self.say(format_args!(
            "reopened: the ring that took its place {how}: state built from the messages before must be rebuilt"
        ));
        report_lacks(&self.ring, self.options);
        match self.options.placement.lock() {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(Ended::Placement(error)),
        }
    }

    /// Begins with what is in the table, if there is one; prints a snapshot.
    fn begin(&mut self, output: &mut Printed<impl Write>) -> ControlFlow<Ended> {
        let (Some(board), Reader::Table(follow)) = (&mut self.board, &mut self.ring) else {
            return ControlFlow::Continue(());
        };
        let reopened = match Board::open_if_replaced(follow) {
            Ok(reopened) => reopened,
            Err(error) => return ControlFlow::Break(Ended::Reopen(error)),
        };
        let Some(table) = follow.ring_mut() else { return ControlFlow::Continue(()) };
        let rows = match board.begin(table) {
            Ok(rows) => rows,
            Err(error) => return ControlFlow::Break(Ended::Table(error)),
        };
        if reopened {
            self.received_before = self.ring.overall().received;
            self.say(format_args!("its table was replaced: opened the new one"));
        }
        self.status.make_room();
        for (sequence, row) in rows {
            let table = Some(Extra { symbol: row.symbol.as_str(), snapshot: true });
            if let Err(error) = output.message(sequence, row.last(), table) {
                return ControlFlow::Break(error.into());
            }
        }
        ControlFlow::Continue(())
    }

    fn log_loss(&self, missed: Option<u64>) {
        if let Some(missed) = missed {
            let (sequence, lost) = (self.ring.sequence(), self.ring.lost());
            warn!(ring = self.options.title(), missed, lost, sequence, "lagged");
            if self.options.output == OutputFormat::Dbn {
                self.say(format_args!(
                    "{missed} records lost before sequence {sequence}: the DBN file goes on without them"
                ));
            }
        }
    }

    fn say(&self, what: std::fmt::Arguments<'_>) {
        self.status.say(format_args!("feed-subscriber: {}: {what}", self.options.title()));
    }

    fn received(&self) -> u64 {
        self.received_before + self.ring.received()
    }

    /// Notes the published count: the present sequence and `lag` messages still to receive.
    fn observe(&mut self, lag: u64) {
        self.observed = self.received();
        let published = self.ring.overall_number(self.ring.sequence()).saturating_add(lag);
        self.reception.observe(published, self.observed, lag);
    }

    /// The summary of all rings.
    pub(crate) fn summary(&mut self, ended: &Ended) -> Summary {
        self.observe(self.ring.lag());
        let all = self.ring.overall();
        let mut sequences = Sequences { first: all.first, next: all.next, lost: all.lost, skipped: all.skipped };
        // What is in a snapshot, or of a symbol that was not asked for.
        sequences.skipped += all.received - self.counted.count();
        let seconds = self.span.map_or(0.0, |(first, last)| last.saturating_sub(first) as f64 / 1e9);
        let received = Received {
            epochs: all.epochs,
            restarts: all.restarts,
            reopened: all.reopened,
            renumbered: all.renumbered,
            gaps: all.gaps,
            ..measurements(&self.reception, ended)
        };
        let board = self.board.as_ref().map(Board::summary);
        Summary { board, received: Some(received), ..self.counted.summary(sequences, seconds) }
    }

    /// Receives at most `most` records that are there, or waits for one for `patience`.
    fn take_records(
        &mut self,
        most: usize,
        patience: Option<Duration>,
        output: &mut Printed<impl Write>,
    ) -> ControlFlow<Ended, Taken> {
        let Reader::Records(follow) = &mut self.ring else { return ControlFlow::Continue(Taken::Empty) };
        let mut taker = Taker {
            counted: &mut self.counted,
            reception: &mut self.reception,
            status: &mut self.status,
            offset: follow.overall_number(0),
            backlog: &self.backlog,
            output,
            delay_ns: self.options.delay_ns,
            notes: Vec::new(),
            written: Ok(()),
        };
        let taken = match (patience, follow.ring_mut()) {
            (None, Some(records)) => match records.recv_batch(most, |record| taker.take(record)) {
                Ok(_) => Ok(None),
                Err(error) => handled(follow, error).map(Some),
            },
            (None, None) => without_ring(follow).map(Some),
            (Some(patience), _) => follow.next_timeout(patience).map(|next| match next {
                Next::Message(received) => {
                    taker.take(received.message);
                    None
                }
                Next::Event(event) => Some(Taken::Event(event)),
                Next::Empty => Some(Taken::Empty),
                Next::End => Some(Taken::End),
            }),
        };
        let Taker { notes, written, .. } = taker;
        if let Some(other) = broken(taken)? {
            return ControlFlow::Continue(other);
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
        // They were recorded as they were taken.
        ControlFlow::Continue(Taken::Messages(0))
    }
}

/// The measurements of a reception; the sums over rings are 0.
pub(crate) fn measurements(reception: &Reception, ended: &Ended) -> Received {
    Received {
        latency_ns: reception.latency(),
        backlog: reception.backlog(),
        backlog_age_ns: reception.backlog_age(),
        lag_max: reception.lag_max(),
        ended: ended.word().to_owned(),
        received_live: reception.received_live(),
        epochs: 0,
        restarts: 0,
        reopened: 0,
        renumbered: 0,
        gaps: 0,
    }
}

fn flush(output: &mut Printed<impl Write>) -> ControlFlow<Ended> {
    match output.flush() {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error.into()),
    }
}

/// The end that an error is.
fn broken<T>(result: Result<T, FollowError>) -> ControlFlow<Ended, T> {
    let error = match result {
        Ok(found) => return ControlFlow::Continue(found),
        Err(error) => error,
    };
    ControlFlow::Break(match error {
        FollowError::Open(error) | FollowError::Reopen(error) => Ended::Reopen(error),
        FollowError::NoPublisher { .. } => Ended::Ring("publisher_dead", TryRecvError::PublisherDead),
        FollowError::Damaged(error @ TryRecvError::CutShort) => Ended::Ring("cut_short", error),
        FollowError::Damaged(error @ TryRecvError::Corrupt(_)) => Ended::Ring("corrupt", error),
        FollowError::Damaged(error) => Ended::Ring("error", error),
        error => unreachable!("an error of a newer library: {error}"),
    })
}
