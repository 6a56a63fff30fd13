//! Following a ring: receives until something ends it, over restarts of the publisher and from one ring to the next.

use std::convert::Infallible;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use feed::clock::realtime_ns;
use feed::reception::Reception;
use feed::summary::{Received, Summary, Tally};
use feed::{Kind, Message};
use feed_program::say::say;
use feed_program::stdout::{self, Stdout};
use feed_ring::{Interrupter, Join, OpenError, TryRecvError, WaitStrategy};
use tracing::{info, warn};

use crate::account::{Account, Change, Standing};
use crate::attach::{LOOK, Ring};
use crate::losses::Losses;
use crate::options::{OnLoss, Options};
use crate::output::Output;

/// Why the receiving ended.
#[derive(Debug)]
pub(crate) enum Ended {
    Closed,
    Max,
    Signal,
    /// Nobody reads the output any more: the one end without a summary.
    OutputClosed,
    /// A signal, while nobody read the output.
    OutputUnread,
    /// The ring said so.
    Ring(&'static str, TryRecvError),
    /// The ring that took the name cannot be followed.
    Reopen(OpenError),
    Placement(anyhow::Error),
    Output(io::Error),
}

impl Ended {
    /// In one word, as in the summary.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Ended::Closed => "closed",
            Ended::Max => "max",
            Ended::Signal | Ended::OutputUnread => "signal",
            Ended::OutputClosed => "output_closed",
            Ended::Ring(word, _) => word,
            Ended::Reopen(_) => "superseded",
            Ended::Placement(_) | Ended::Output(_) => "error",
        }
    }
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Ended::OutputClosed,
            _ if stdout::is_unread(&error) => Ended::OutputUnread,
            _ => Ended::Output(error),
        }
    }
}

/// Messages received at once by a subscriber that is behind, and the distance of its looks at the published count.
const BATCH: usize = 64;

/// Messages before that, which are received and observed one by one.
const ONE_BY_ONE: u64 = 256;

/// How long a subscriber that polls is deaf to signals, and keeps its output back.
const PATIENCE: Duration = Duration::from_millis(5);

/// How long --on-publisher-loss exit waits for a ring that supersedes to be put into place.
const REPLACEMENT: Duration = Duration::from_secs(5);

/// Wakes a subscriber that sleeps, from the thread that hears of signals.
#[derive(Clone, Default)]
pub(crate) struct Bell(Arc<Mutex<Option<Interrupter>>>);

impl Bell {
    /// Wakes it, if it sleeps.
    pub(crate) fn ring(&self) {
        if let Some(interrupter) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            interrupter.interrupt();
        }
    }

    fn hang(&self, interrupter: Interrupter) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(interrupter);
    }
}

/// A subscriber on its way.
pub(crate) struct Follower<'a> {
    options: &'a Options,
    stop: &'a AtomicBool,
    bell: Bell,
    ring: Ring,
    account: Account,
    tally: Tally,
    reception: Reception,
    /// Messages received when the published count was last observed.
    observed: u64,
    /// When the first and the last message were received, ns since 1970.
    span: Option<(u64, u64)>,
    /// The publisher is known to be dead, and was said to be.
    bereft: bool,
    /// Another ring was seen to have the name.
    replaced: bool,
    losses: Losses,
}

impl<'a> Follower<'a> {
    /// Follows a ring that was just opened.
    pub(crate) fn new(options: &'a Options, stop: &'a AtomicBool, bell: Bell, ring: Ring) -> Self {
        bell.hang(ring.subscriber.interrupter());
        Follower {
            options,
            stop,
            bell,
            account: Account::new(ring.subscriber.first()),
            ring,
            tally: Tally::default(),
            reception: Reception::default(),
            observed: 0,
            span: None,
            bereft: false,
            replaced: false,
            losses: Losses::default(),
        }
    }

    /// Receives until something ends it.
    pub(crate) fn receive(&mut self) -> Ended {
        let mut output = match Output::new(self.options.output, Stdout::new(self.stop)) {
            Ok(output) => output,
            Err(error) => return error.into(),
        };
        let ended = match self.follow(&mut output) {
            ControlFlow::Break(ended) => ended,
            ControlFlow::Continue(never) => match never {},
        };
        let missed = self.losses.rest();
        self.log_loss(missed);
        let next = self.ring.subscriber.sequence();
        info!(ring = self.options.title(), ended = ended.word(), sequence = next, received = self.received(), "ended");
        // What ended it first stands, unless nobody reads the rest.
        match output.flush() {
            Err(error) if matches!(ended, Ended::Closed | Ended::Max | Ended::Signal) => error.into(),
            _ => ended,
        }
    }

    fn follow(&mut self, output: &mut Output<impl Write>) -> ControlFlow<Ended, Infallible> {
        let mut batch = [Message::new(Kind::Other, 0); BATCH];
        loop {
            let left = self.options.max.map_or(u64::MAX, |max| max.saturating_sub(self.tally.messages()));
            if left == 0 {
                return ControlFlow::Break(Ended::Max);
            }
            if self.stop.load(Ordering::Relaxed) {
                return ControlFlow::Break(Ended::Signal);
            }
            let room = if self.received() < ONE_BY_ONE { 1 } else { BATCH.min(left as usize) };
            match self.ring.subscriber.recv_batch(&mut batch[..room]) {
                Ok(count) => self.take(&batch[..count], output)?,
                Err(TryRecvError::Empty) => self.wait(output)?,
                Err(error) => self.meet(error, output)?,
            }
        }
    }

    /// Waits for a message: one that polls, for a little while; one that blocks, until there is something.
    fn wait(&mut self, output: &mut Output<impl Write>) -> ControlFlow<Ended> {
        self.observe(0);
        if self.losses.is_pending() {
            let missed = self.losses.due(Instant::now());
            self.log_loss(missed);
        }
        let blocks = self.options.wait() == WaitStrategy::Block;
        if blocks {
            flush(output)?;
        }
        match self.ring.subscriber.recv_timeout(if blocks { Duration::MAX } else { PATIENCE }) {
            Ok(message) => self.take(&[message], output),
            Err(TryRecvError::Empty) => flush(output),
            Err(error) => self.meet(error, output),
        }
    }

    /// Counts, measures and prints the messages just received.
    fn take(&mut self, messages: &[Message], output: &mut Output<impl Write>) -> ControlFlow<Ended> {
        let now = realtime_ns();
        self.span = Some((self.span.map_or(now, |(first, _)| first), now));
        self.account.received_some();
        self.bereft = false;
        let first = self.ring.subscriber.sequence() - messages.len() as u64;
        if self.received() <= ONE_BY_ONE || self.received() - self.observed >= BATCH as u64 {
            self.observe(self.ring.subscriber.lag());
        }
        let mut written = Ok(());
        for (sequence, message) in (first..).zip(messages) {
            self.reception.add(message.ts_publish, now);
            self.tally.add(message);
            // All of them were received, and count, whether or not they can be printed.
            if written.is_ok() {
                written = output.write(sequence, message);
                self.delay();
            }
        }
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error.into()),
        }
    }

    /// What is no message ends the receiving, is gone on from, or is counted by the ring.
    fn meet(&mut self, error: TryRecvError, output: &mut Output<impl Write>) -> ControlFlow<Ended> {
        let word = match error {
            TryRecvError::Empty => return ControlFlow::Continue(()),
            TryRecvError::Lagged { missed } => {
                self.losses.add(missed);
                let missed = self.losses.due(Instant::now());
                self.log_loss(missed);
                return ControlFlow::Continue(());
            }
            TryRecvError::Restarted { epoch, sequence } => {
                info!(ring = self.options.title(), epoch, sequence, "restarted");
                self.account.restarted();
                (self.bereft, self.replaced) = (false, false);
                self.say(format_args!("{error}: state built from the messages before must be rebuilt"));
                return ControlFlow::Continue(());
            }
            TryRecvError::Closed => return ControlFlow::Break(Ended::Closed),
            TryRecvError::PublisherDead if self.options.on_publisher_loss == OnLoss::Wait => {
                return self.survive(output);
            }
            TryRecvError::Superseded => {
                let next = self.ring.subscriber.sequence();
                info!(ring = self.options.title(), sequence = next, "superseded");
                return self.reopen(false);
            }
            TryRecvError::PublisherDead => {
                self.log_bereft();
                "publisher_dead"
            }
            TryRecvError::Corrupt(_) => "corrupt",
            TryRecvError::CutShort => "cut_short",
            _ => "error",
        };
        ControlFlow::Break(Ended::Ring(word, error))
    }

    /// The publisher is dead and everything it sent was received: waits for another, in this ring or under its name.
    fn survive(&mut self, output: &mut Output<impl Write>) -> ControlFlow<Ended> {
        if self.replaced {
            // Looked at once more after that was seen, and there was nothing: nobody can publish here any more.
            return self.reopen(true);
        }
        if !self.bereft {
            self.bereft = true;
            self.log_bereft();
            self.say(format_args!(
                "the publisher died: waiting for it to be restarted (--on-publisher-loss exit to end)"
            ));
            flush(output)?;
        }
        self.replaced = self.ring.is_replaced();
        if !self.replaced {
            std::thread::sleep(LOOK);
        }
        ControlFlow::Continue(())
    }

    /// Leaves the ring, in which everything was received, for the one that has its name.
    fn reopen(&mut self, vanished: bool) -> ControlFlow<Ended> {
        let left = Standing::of(&self.ring.subscriber);
        // A message that was asked for by its number and has not come is still asked for.
        let asked = matches!(self.options.from, Join::Sequence(_)) && self.is_where_it_began(left);
        let join = if asked { Join::Sequence(left.next) } else { Join::Oldest };
        let timeout = match self.options.on_publisher_loss {
            OnLoss::Wait => Duration::MAX,
            OnLoss::Exit => REPLACEMENT,
        };
        let told = |_: &OpenError| self.say(format_args!("superseded: waiting for the ring that takes its place"));
        let ring = match Ring::wait(self.options, join, timeout, self.stop, told) {
            Ok(Some(ring)) => ring,
            Ok(None) => return ControlFlow::Break(Ended::Signal),
            Err(error) => return ControlFlow::Break(Ended::Reopen(error)),
        };
        let first = ring.subscriber.first();
        let change = self.account.reopened(left, first, vanished && !asked);
        self.bell.hang(ring.subscriber.interrupter());
        self.ring = ring;
        (self.bereft, self.replaced) = (false, false);
        match change {
            Change::Continued { gap } => info!(ring = self.options.title(), first, gap, "reopened"),
            Change::Renumbered => {
                info!(ring = self.options.title(), first, left = left.next, renumbered = true, "reopened");
            }
        }
        let how = match change {
            Change::Continued { gap: 0 } => format!("goes on at sequence {first}"),
            Change::Continued { gap } => format!("goes on at sequence {first}, {gap} messages lost in between"),
            Change::Renumbered => {
                format!("numbers its messages anew, from {first}; the old one was left at {}", left.next)
            }
        };
        self.say(format_args!(
            "reopened: the ring that took its place {how}: state built from the messages before must be rebuilt"
        ));
        self.ring.tell(self.options);
        match self.options.placement.lock() {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(Ended::Placement(error)),
        }
    }

    /// Whether nothing was received or lost so far.
    fn is_where_it_began(&self, now: Standing) -> bool {
        let sequences = self.account.sequences(now);
        sequences.first == sequences.next
    }

    fn log_loss(&self, missed: Option<u64>) {
        if let Some(missed) = missed {
            let (sequence, lost) = (self.ring.subscriber.sequence(), self.ring.subscriber.lost());
            warn!(ring = self.options.title(), missed, lost, sequence, "lagged");
        }
    }

    fn log_bereft(&self) {
        let sequence = self.ring.subscriber.sequence();
        warn!(ring = self.options.title(), sequence, "publisher lost");
    }

    fn say(&self, what: std::fmt::Arguments<'_>) {
        say(format_args!("feed-subscriber: {}: {what}", self.options.title()));
    }

    fn received(&self) -> u64 {
        self.account.received(self.ring.subscriber.received())
    }

    /// Notes how many messages are published, `lag` of which are still to come.
    fn observe(&mut self, lag: u64) {
        self.observed = self.received();
        let published = self.account.counted_on(self.ring.subscriber.sequence()).saturating_add(lag);
        self.reception.observe(published, self.observed, lag);
    }

    /// What --delay-ns asks for.
    fn delay(&self) {
        let delay = Duration::from_nanos(self.options.delay_ns);
        if !delay.is_zero() {
            let begun = Instant::now();
            while begun.elapsed() < delay {
                std::hint::spin_loop();
            }
        }
    }

    /// What was received, and what became of the rest.
    pub(crate) fn summary(&mut self, ended: &Ended) -> Summary {
        self.observe(self.ring.subscriber.lag());
        let sequences = self.account.sequences(Standing::of(&self.ring.subscriber));
        let seconds = self.span.map_or(0.0, |(first, last)| last.saturating_sub(first) as f64 / 1e9);
        let received = self.account.enter(received(&self.reception, ended));
        Summary { received: Some(received), ..Summary::new(&self.tally, sequences, seconds) }
    }
}

/// What a reception measured, without an account.
pub(crate) fn received(reception: &Reception, ended: &Ended) -> Received {
    Received {
        latency_ns: reception.latency(),
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

fn flush(output: &mut Output<impl Write>) -> ControlFlow<Ended> {
    match output.flush() {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error.into()),
    }
}
