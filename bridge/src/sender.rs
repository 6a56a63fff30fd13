//! The near end: an ordinary subscriber of the ring, whose messages it sends in frames.
//!
//! Nothing that the network does reaches the publisher. While a link is slow the sender waits, falls behind, and loses messages as
//! any subscriber does. It counts them and says so in the next frame.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context;
use feed_program::bridge::{SendStatus, sending_name};
use feed_program::say::{say, with_causes};
use feed_ring::follow::{Continuation, Event, FollowError};
use feed_ring::{CellWriter, Join, OpenError, WaitStrategy, inspect};
use zerocopy::FromBytes;

use crate::engine::{Engine, Held, Outlet};
use crate::near::Near;
use crate::outgoing::Outgoing;
use crate::rows::Rows;
use crate::source::{Came, Source};
use crate::status::Status;
use crate::wire::{About, Keys, Question, random};

/// The longest time without a frame. Receivers learn from it that the sender lives, and where it is.
pub const HEARTBEAT: Duration = Duration::from_millis(200);

/// Between two looks for a ring that is not there.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Before a ring that was damaged is followed again.
const AFTER_DAMAGE: Duration = Duration::from_secs(1);

/// How long a sender whose ring was closed answers questions after the last one, before it ends (`--once`).
const STAYS: Duration = Duration::from_secs(1);

/// Looks for the table beside a ring, after which there is none.
const LOOKS_FOR_ROWS: u32 = 50;

/// How long another sender has to say that it is there.
const ANOTHER: Duration = Duration::from_millis(500);

/// What is sent, and how.
#[derive(Clone, Debug)]
pub struct SendOptions {
    /// The directory of the near machine's rings.
    pub root: PathBuf,
    /// The ring.
    pub ring: String,
    /// The first part of the keys.
    pub prefix: String,
    /// How long a message may wait for others to travel with it.
    pub linger: Duration,
    /// Bytes of messages in a frame.
    pub batch_bytes: usize,
    /// How to wait for messages.
    pub wait: WaitStrategy,
    /// End when the ring is closed.
    pub once: bool,
}

/// The near end of one ring.
pub struct Sender<'a> {
    options: &'a SendOptions,
    stop: &'a AtomicBool,
    near: Arc<Near>,
    outlet: Box<dyn Outlet>,
    frame: Outgoing,
    has_ring: bool,
    /// The table beside the ring.
    rows: Option<Rows>,
    /// How often it is still looked for: a publisher makes it after the ring.
    looks_for_rows: u32,
    status: Status<SendStatus>,
    counted: SendStatus,
    answered: Arc<Answered>,
    /// When the last frame was put.
    put: Instant,
    /// When the first message of the frame came.
    began: Option<Instant>,
    _answers: Vec<Box<dyn Held>>,
}

/// What was answered, counted on the engine's threads.
#[derive(Debug, Default)]
struct Answered {
    questions: AtomicU64,
    messages: AtomicU64,
}

impl<'a> Sender<'a> {
    /// Announces a sender.
    ///
    /// # Errors
    /// If another one sends this ring, or the engine refuses.
    pub fn new(engine: &dyn Engine, options: &'a SendOptions, stop: &'a AtomicBool) -> anyhow::Result<Self> {
        let keys = Keys::new(&options.prefix, &options.ring);
        let writer = CellWriter::options(&sending_name(&options.ring)).root(&options.root).create_cell();
        let status = Status::new(writer.with_context(|| format!("cannot tell how {} is sent", options.ring))?);
        refuse_another(engine, &keys)?;
        let (sender, near, answered) = (random(), Arc::new(Near::default()), Arc::new(Answered::default()));
        let most = options.batch_bytes;
        let of_window = (Arc::clone(&near), Arc::clone(&answered));
        let window = engine.answer(
            &keys.window(sender),
            Box::new(move |question, reply| {
                let Ok(question) = Question::read_from_bytes(question) else { return };
                let (near, answered) = &of_window;
                answered.questions.fetch_add(1, Ordering::Relaxed);
                // An answer that cannot be sent is asked for again.
                if let Ok(messages) = near.answer(sender, question, most, reply) {
                    answered.messages.fetch_add(messages, Ordering::Relaxed);
                }
            }),
        )?;
        let of_rows = Arc::clone(&near);
        let rows = engine.answer(
            &keys.rows(sender),
            Box::new(move |question, reply| {
                if let Ok(question) = Question::read_from_bytes(question) {
                    let _ = of_rows.rows(question, most, reply); // asked for again
                }
            }),
        )?;
        let of_about = Arc::clone(&near);
        let about = engine.answer(
            &keys.about(),
            Box::new(move |_, reply| {
                let about = of_about.about(sender).map(|about| serde_json::to_vec(&about).expect("numbers and texts"));
                about.map(|about| reply(&about));
            }),
        )?;
        Ok(Sender {
            options,
            stop,
            near,
            outlet: engine.outlet(&keys.frames())?,
            frame: Outgoing::new(sender, most),
            has_ring: false,
            rows: None,
            looks_for_rows: 0,
            status,
            counted: SendStatus::default(),
            answered,
            put: Instant::now(),
            began: None,
            _answers: vec![window, rows, about],
        })
    }

    /// Sends until it is stopped, or, if asked to, until the ring is closed.
    ///
    /// # Errors
    /// A ring that can no longer be followed. Losses are none.
    pub fn run(mut self) -> anyhow::Result<SendStatus> {
        let result = self.send();
        self.flush();
        self.tell(true);
        self.status.close();
        result.map(|()| self.counted)
    }

    fn send(&mut self) -> anyhow::Result<()> {
        // A ring whose messages changed is another: it is followed from its beginning on.
        let mut join = Join::Latest;
        while let Some(mut source) = self.find(join)? {
            match self.follow(&mut source) {
                Ok(()) => break,
                Err(FollowError::Damaged(error)) => {
                    say(format_args!("feed-bridge: {}: {error}", self.options.ring));
                    sleep(AFTER_DAMAGE);
                }
                // It was replaced meanwhile, or has other messages now: it is looked for again, which says what is wrong.
                Err(FollowError::Open(_) | FollowError::Reopen(_)) => sleep(LOOK_AGAIN),
                Err(error) => return Err(anyhow::Error::from(error).context(self.options.ring.clone())),
            }
            join = Join::Oldest;
        }
        Ok(())
    }

    /// The ring, once it is there. `None` if it is to stop first.
    fn find(&mut self, join: Join) -> anyhow::Result<Option<Source>> {
        let (name, root) = (&*self.options.ring, &self.options.root);
        let mut said = String::new();
        while !self.stop.load(Ordering::Relaxed) {
            match inspect::Ring::open(root, name) {
                Ok(ring) => return Ok(Some(Source::new(ring.is_records(), root, name, join, self.options.wait))),
                // A large ring takes a moment to make: until then its directory is no ring yet.
                Err(
                    error @ (OpenError::NotFound { .. }
                    | OpenError::Unfinished { .. }
                    | OpenError::NoRoot { .. }
                    | OpenError::NotARing { .. }),
                ) => {
                    let error = error.to_string();
                    if said != error {
                        say(format_args!("feed-bridge: waiting for the ring: {error}"));
                        said = error;
                    }
                }
                Err(error) => return Err(error.into()),
            }
            self.tell(false);
            sleep(LOOK_AGAIN);
        }
        Ok(None)
    }

    /// Sends what comes until the source ends or this is stopped.
    fn follow(&mut self, source: &mut Source) -> Result<(), FollowError> {
        let mut closed = None;
        while !self.stop.load(Ordering::Relaxed) {
            let patience = self.patience();
            match source.receive(&mut self.frame, patience)? {
                Came::Messages(count) => {
                    let now = Instant::now();
                    let began = *self.began.get_or_insert(now);
                    self.counted.sent_messages += count as u64;
                    if self.frame.is_full()
                        || now.duration_since(began) >= self.options.linger && self.options.linger > Duration::ZERO
                    {
                        self.flush();
                    }
                }
                Came::Nothing if self.is_due() => self.flush(),
                Came::Nothing => {}
                Came::Event(event) => {
                    self.flush();
                    if matches!(event, Event::Closed { .. }) && self.options.once {
                        closed = Some(Instant::now());
                    }
                    self.note(event, source);
                    self.flush();
                }
                Came::End => return Ok(()),
            }
            if self.put.elapsed() >= HEARTBEAT {
                self.flush();
            }
            self.tell(false);
            if closed.is_some_and(|since| since.elapsed() >= STAYS && self.is_quiet()) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether nobody asked for anything since the last look.
    fn is_quiet(&mut self) -> bool {
        let questions = self.answered.questions.load(Ordering::Relaxed);
        std::mem::replace(&mut self.counted.refill_requests, questions) == questions
    }

    /// Whether the frame is to be sent although it is not full.
    fn is_due(&self) -> bool {
        self.began.is_some_and(|began| began.elapsed() >= self.options.linger)
    }

    /// How long to wait for a message. `None` for not at all.
    fn patience(&self) -> Option<Duration> {
        match self.began {
            None => Some(HEARTBEAT.saturating_sub(self.put.elapsed())),
            Some(_) if self.options.linger.is_zero() => None,
            Some(began) => Some(self.options.linger.saturating_sub(began.elapsed())),
        }
    }

    /// Sends the frame, also if it is empty.
    fn flush(&mut self) {
        if !self.has_ring {
            return;
        }
        self.near.sending(self.frame.next());
        let outlet = &mut self.outlet;
        let (put, bytes) = self.frame.take(self.rows.as_mut(), |bytes| (outlet.put(bytes), bytes.len()));
        self.began = None;
        self.put = Instant::now();
        match put {
            Ok(()) => {
                self.counted.sent_frames += 1;
                self.counted.sent_bytes += bytes as u64;
            }
            // What was in it is asked for again by whoever misses it.
            Err(error) => {
                if self.counted.failures == 0 {
                    say(format_args!("feed-bridge: {}: {}", self.options.ring, with_causes(&*error)));
                }
                self.counted.failures += 1;
            }
        }
    }

    fn note(&mut self, event: Event, source: &Source) {
        match event {
            Event::Opened { first, epoch, continues, .. } => {
                say(format_args!("feed-bridge: {}: {event}", self.options.ring));
                if let Continuation::Continued { gap } | Continuation::Renumbered { gap, .. } = continues {
                    self.counted.lost_messages += gap;
                }
                let nonce = source.nonce();
                // For answers. If the name is another ring's by now, there are none until that one is followed.
                let ring = inspect::Ring::open(&self.options.root, &self.options.ring);
                let ring = ring.ok().filter(|ring| ring.facts().nonce == nonce);
                self.near.begin(ring, nonce, first);
                (self.rows, self.looks_for_rows) = (None, LOOKS_FOR_ROWS);
                self.frame.begin(nonce, source.size(), (first, epoch));
                self.has_ring = true;
            }
            Event::Lagged { missed } => {
                let from = self.frame.next();
                self.frame.lose(missed);
                self.near.lose(from, self.frame.next());
                self.counted.lost_messages += missed;
            }
            Event::Restarted { epoch, sequence } => {
                say(format_args!("feed-bridge: {}: {event}", self.options.ring));
                self.frame.begin_epoch(epoch, sequence);
                // A ring that was closed and kept was taken over.
                self.frame.set_closed(false);
                self.near.set_closed(false);
            }
            Event::Closed { .. } => {
                say(format_args!("feed-bridge: {}: {event}", self.options.ring));
                self.frame.set_closed(true);
                self.near.set_closed(true);
            }
            event => say(format_args!("feed-bridge: {}: {event}", self.options.ring)),
        }
    }

    /// Opens the table beside the ring, if it is there by now.
    fn look_for_rows(&mut self) {
        if self.rows.is_some() || self.looks_for_rows == 0 {
            return;
        }
        self.looks_for_rows -= 1;
        let nonce = self.frame.ring();
        let open = || Rows::open(&self.options.root, &self.options.ring, nonce);
        if let (Some(here), Some(for_answers)) = (open(), open()) {
            self.near.keep(for_answers);
            self.rows = Some(here);
        }
    }

    /// Tells others on this machine how it goes, now and then or `at_once`.
    fn tell(&mut self, at_once: bool) {
        if at_once || self.status.is_due() {
            self.look_for_rows();
            self.near.note_epochs();
            let counted = &mut self.counted;
            (counted.next, counted.epoch) = (self.frame.next(), self.frame.epoch());
            counted.refill_requests = self.answered.questions.load(Ordering::Relaxed);
            counted.refilled_messages = self.answered.messages.load(Ordering::Relaxed);
            counted.receivers = self.outlet.has_subscribers().into();
            counted.updated = crate::now();
            self.status.store(&self.counted);
        }
    }
}

/// Fails if somebody else sends a ring of this name.
fn refuse_another(engine: &dyn Engine, keys: &Keys) -> anyhow::Result<()> {
    let mut found = None;
    engine.ask(&keys.about(), &[], ANOTHER, &mut |reply| {
        found = found.take().or(serde_json::from_slice::<About>(reply).ok())
    })?;
    match found {
        None => Ok(()),
        Some(About { host, .. }) => anyhow::bail!(
            "{}: another feed-bridge on {host} sends a ring of this name: end it, or give one of them another --prefix",
            keys.ring()
        ),
    }
}
