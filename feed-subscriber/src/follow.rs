//! Follows a ring until something ends it, through restarts of the publisher and from one ring to the next.

mod records;

use std::convert::Infallible;
use std::io::Write;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use feed::clock::realtime_ns;
use feed::reception::Reception;
use feed::summary::{Received, Summary};
use feed::{Kind, Message};
use feed_program::status_line::REDRAWN_EVERY;
use feed_program::stdout::Stdout;
use feed_ring::{Join, OpenError, TryRecvError, WaitStrategy};
use tracing::{info, warn};

use self::records::Taker;
use crate::account::{Account, Continuation, Counters};
use crate::attach::{POLL_INTERVAL, Ring};
use crate::backlog::Backlog;
use crate::board::Board;
use crate::counted::Counted;
use crate::ended::Ended;
use crate::interrupt::SharedInterrupter;
use crate::loss_log::LossLog;
use crate::options::{OnLoss, Options, OutputFormat};
use crate::output::Extra;
use crate::pace::delay;
use crate::printed::Printed;
use crate::status::{Figures, Status};

/// The largest batch of a subscriber that is behind, and the number of messages between two reads of the published
/// count.
const BATCH: usize = 64;

/// So many first messages are received and observed one by one.
const ONE_BY_ONE: u64 = 256;

/// The longest time for which a polling subscriber notices no signal and keeps its output buffered.
const PATIENCE: Duration = Duration::from_millis(5);

/// How long --on-publisher-loss exit waits for the ring that supersedes this one.
const REPLACEMENT: Duration = Duration::from_secs(5);

/// A subscriber, and everything that it counts and measures.
pub(crate) struct Follower<'a> {
    options: &'a Options,
    stop: &'a AtomicBool,
    interrupter: SharedInterrupter,
    ring: Ring,
    account: Account,
    counted: Counted,
    reception: Reception,
    backlog: Backlog,
    /// The received count at the last read of the published count.
    observed: u64,
    /// The times of the first and the last receipt, ns since 1970.
    span: Option<(u64, u64)>,
    /// The publisher is dead, and that was reported.
    publisher_lost: bool,
    /// Another ring has taken the name.
    replaced: bool,
    loss_log: LossLog,
    board: Option<Board>,
    status: Status,
}

impl<'a> Follower<'a> {
    /// Follows an open ring.
    pub(crate) fn new(options: &'a Options, stop: &'a AtomicBool, interrupter: SharedInterrupter, ring: Ring) -> Self {
        interrupter.set(ring.subscriber.interrupter());
        Follower {
            options,
            stop,
            interrupter,
            account: Account::new(ring.subscriber.first()),
            backlog: Backlog::of(&ring, options.from),
            counted: Counted::of(&ring.subscriber),
            ring,
            reception: Reception::default(),
            observed: 0,
            span: None,
            publisher_lost: false,
            replaced: false,
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
        let mut output = match Printed::new(self.options.output, self.ring.subscriber.encoding(), with_table, stdout) {
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
        let next = self.ring.subscriber.sequence();
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
            let received = match self.ring.subscriber.records() {
                Some(_) => self.take_records(room, None, output)?,
                None => match self.ring.subscriber.recv_batch(&mut batch[..room]) {
                    Ok(count) => Ok(self.record(&batch[..count], output)?),
                    Err(error) => Err(error),
                },
            };
            match received {
                Ok(()) => {}
                Err(TryRecvError::Empty) => self.wait(output)?,
                Err(error) => self.handle(error, output)?,
            }
        }
    }

    /// Waits for a message: a short time if it polls, until there is something if it blocks.
    fn wait(&mut self, output: &mut Printed<impl Write>) -> ControlFlow<Ended> {
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
        let received = match self.ring.subscriber.records() {
            Some(_) => self.take_records(1, Some(patience), output)?,
            None => match self.ring.subscriber.recv_timeout(patience) {
                Ok(message) => Ok(self.record(&[message], output)?),
                Err(error) => Err(error),
            },
        };
        match received {
            Ok(()) => ControlFlow::Continue(()),
            Err(TryRecvError::Empty) => flush(output),
            Err(error) => self.handle(error, output),
        }
    }

    /// Counts, measures and prints received messages.
    fn record(&mut self, messages: &[Message], output: &mut Printed<impl Write>) -> ControlFlow<Ended> {
        let now = realtime_ns();
        self.note_received(now);
        let first = self.ring.subscriber.sequence() - messages.len() as u64;
        self.status.make_room();
        let mut written = Ok(());
        for (sequence, message) in (first..).zip(messages) {
            let known = match (&mut self.board, self.ring.subscriber.table()) {
                (Some(board), Some(table)) => Some(board.apply(message, table)),
                _ => None,
            };
            if known.is_some_and(|known| !known.asked) {
                continue;
            }
            if self.backlog.contains(self.account.overall(sequence), message) {
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
        self.account.note_received();
        self.publisher_lost = false;
        if self.received() <= ONE_BY_ONE || self.received() - self.observed >= BATCH as u64 {
            self.observe(self.ring.subscriber.lag());
        }
    }

    /// Draws the status line if that is due at `now`, in ns since 1970.
    #[inline]
    fn show(&mut self, now: u64, output: &mut Printed<impl Write>) -> ControlFlow<Ended> {
        if self.status.is_due(now) {
            if self.status.is_among_messages() {
                flush(output)?;
            }
            let lost = self.account.sequences(self.ring.subscriber.counters()).lost;
            self.status.draw(now, Figures { received: self.received(), lag: self.ring.subscriber.lag(), lost });
        }
        ControlFlow::Continue(())
    }

    /// Handles everything but a message: ends receiving, or continues.
    fn handle(&mut self, error: TryRecvError, output: &mut Printed<impl Write>) -> ControlFlow<Ended> {
        let word = match error {
            TryRecvError::Empty => return ControlFlow::Continue(()),
            TryRecvError::Lagged { missed } => {
                self.loss_log.add(missed);
                let missed = self.loss_log.due(Instant::now());
                self.log_loss(missed);
                return self.begin(output);
            }
            TryRecvError::Restarted { epoch, sequence } => {
                info!(ring = self.options.title(), epoch, sequence, "restarted");
                self.account.note_restart();
                (self.publisher_lost, self.replaced) = (false, false);
                self.say(format_args!("{error}: state built from the messages before must be rebuilt"));
                return self.begin(output);
            }
            TryRecvError::RestartsUnknown { until } => {
                info!(ring = self.options.title(), until, "restarted, more often than the ring can tell where");
                self.say(format_args!("{error}: state must be rebuilt at {until}"));
                return self.begin(output);
            }
            TryRecvError::Closed => return ControlFlow::Break(Ended::Closed),
            TryRecvError::PublisherDead if self.options.on_publisher_loss == OnLoss::Wait => {
                return self.wait_for_publisher(output);
            }
            TryRecvError::Superseded => {
                let next = self.ring.subscriber.sequence();
                info!(ring = self.options.title(), sequence = next, "superseded");
                self.reopen(false)?;
                return self.begin(output);
            }
            TryRecvError::PublisherDead => {
                self.log_publisher_lost();
                "publisher_dead"
            }
            TryRecvError::Corrupt(_) => "corrupt",
            TryRecvError::CutShort => "cut_short",
            _ => "error",
        };
        ControlFlow::Break(Ended::Ring(word, error))
    }

    /// The publisher is dead and all its messages were received. Waits for another publisher, in this ring or under its
    /// name.
    fn wait_for_publisher(&mut self, output: &mut Printed<impl Write>) -> ControlFlow<Ended> {
        if self.replaced {
            // The ring was drained once more after its name was taken. Nobody can publish here any more.
            self.reopen(true)?;
            return self.begin(output);
        }
        if !self.publisher_lost {
            self.publisher_lost = true;
            self.log_publisher_lost();
            self.say(format_args!(
                "the publisher died or left: waiting for the next one (--on-publisher-loss exit to end)"
            ));
            flush(output)?;
        }
        if self.status.is_on() {
            self.show(realtime_ns(), output)?;
        }
        self.replaced = self.ring.is_replaced();
        if !self.replaced {
            std::thread::sleep(POLL_INTERVAL);
        }
        ControlFlow::Continue(())
    }

    /// Leaves the ring after all its messages were received, and opens the one that has its name.
    fn reopen(&mut self, vanished: bool) -> ControlFlow<Ended> {
        self.status.erase();
        let left = self.ring.subscriber.counters();
        // A sequence that --from asks for and that has not come is waited for in the new ring, too.
        let asked = matches!(self.options.from, Join::Sequence(_)) && self.is_at_start(left);
        let join = if asked { Join::Sequence(left.next) } else { Join::Oldest };
        let timeout = match self.options.on_publisher_loss {
            OnLoss::Wait => Duration::MAX,
            OnLoss::Exit => REPLACEMENT,
        };
        let on_wait = |_: &OpenError| self.say(format_args!("superseded: waiting for the ring that takes its place"));
        let contents = self.ring.subscriber.contents();
        let ring = match Ring::wait(self.options, join, &contents, timeout, self.stop, on_wait) {
            Ok(Some(ring)) => ring,
            Ok(None) => return ControlFlow::Break(Ended::Signal),
            Err(error) => return ControlFlow::Break(Ended::Reopen(error)),
        };
        let first = ring.subscriber.first();
        let change = self.account.reopen(left, first, vanished && !asked);
        self.interrupter.set(ring.subscriber.interrupter());
        self.ring = ring;
        (self.publisher_lost, self.replaced) = (false, false);
        match change {
            Continuation::Continued { gap } => info!(ring = self.options.title(), first, gap, "reopened"),
            Continuation::Renumbered => {
                info!(ring = self.options.title(), first, left = left.next, renumbered = true, "reopened");
            }
        }
        let how = match change {
            Continuation::Continued { gap: 0 } => format!("goes on at sequence {first}"),
            Continuation::Continued { gap } => format!("goes on at sequence {first}, {gap} messages lost in between"),
            Continuation::Renumbered => {
                format!("numbers its messages anew, from {first}; the old one was left at {}", left.next)
            }
        };
        self.say(format_args!(
            "reopened: the ring that took its place {how}: state built from the messages before must be rebuilt"
        ));
        self.ring.report_lacks(self.options);
        match self.options.placement.lock() {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(Ended::Placement(error)),
        }
    }

    /// Begins with what is in the table, if there is one; prints a snapshot.
    fn begin(&mut self, output: &mut Printed<impl Write>) -> ControlFlow<Ended> {
        let Some(board) = &mut self.board else { return ControlFlow::Continue(()) };
        let reopened = match board.open_if_replaced(&mut self.ring, &mut self.account, self.options) {
            Ok(reopened) => reopened,
            Err(error) => return ControlFlow::Break(Ended::Reopen(error)),
        };
        let Some(table) = self.ring.subscriber.table() else { return ControlFlow::Continue(()) };
        let rows = match board.begin(table) {
            Ok(rows) => rows,
            Err(error) => return ControlFlow::Break(Ended::Table(error)),
        };
        if reopened {
            self.interrupter.set(self.ring.subscriber.interrupter());
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

    /// True if no message was received, lost or skipped so far.
    fn is_at_start(&self, now: Counters) -> bool {
        let sequences = self.account.sequences(now);
        sequences.first == sequences.next
    }

    fn log_loss(&self, missed: Option<u64>) {
        if let Some(missed) = missed {
            let (sequence, lost) = (self.ring.subscriber.sequence(), self.ring.subscriber.lost());
            warn!(ring = self.options.title(), missed, lost, sequence, "lagged");
            if self.options.output == OutputFormat::Dbn {
                self.say(format_args!(
                    "{missed} records lost before sequence {sequence}: the DBN file goes on without them"
                ));
            }
        }
    }

    fn log_publisher_lost(&self) {
        let sequence = self.ring.subscriber.sequence();
        warn!(ring = self.options.title(), sequence, "publisher lost");
    }

    fn say(&self, what: std::fmt::Arguments<'_>) {
        self.status.say(format_args!("feed-subscriber: {}: {what}", self.options.title()));
    }

    fn received(&self) -> u64 {
        self.account.received(self.ring.subscriber.received())
    }

    /// Notes the published count: the present sequence and `lag` messages still to receive.
    fn observe(&mut self, lag: u64) {
        self.observed = self.received();
        let published = self.account.overall(self.ring.subscriber.sequence()).saturating_add(lag);
        self.reception.observe(published, self.observed, lag);
    }

    /// The summary of all rings.
    pub(crate) fn summary(&mut self, ended: &Ended) -> Summary {
        self.observe(self.ring.subscriber.lag());
        let mut sequences = self.account.sequences(self.ring.subscriber.counters());
        // What is in a snapshot, or of a symbol that was not asked for.
        sequences.skipped += self.received() - self.counted.count();
        let seconds = self.span.map_or(0.0, |(first, last)| last.saturating_sub(first) as f64 / 1e9);
        let received = self.account.add_to(measurements(&self.reception, ended));
        let board = self.board.as_ref().map(Board::summary);
        Summary { board, received: Some(received), ..self.counted.summary(sequences, seconds) }
    }

    /// Receives at most `most` records that are there, or waits for one for `patience`.
    fn take_records(
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
