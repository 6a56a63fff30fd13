//! The far end: publishes what arrives into the far ring, and asks the sender for what did not.
//!
//! A frame that follows the one before is published on the engine's own thread: nothing is handed from thread to thread. Everything
//! else waits in a queue for a thread that may ask and wait. If the queue is full a frame is dropped, and asked for later: the engine's
//! thread cannot wait, because it also brings the replies.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context;
use feed_program::bridge::{ReceiveStatus, receiving_name};
use feed_program::say::say;
use feed_ring::CellWriter;
use zerocopy::IntoBytes;

use crate::engine::{Engine, Held};
use crate::far::{Far, FarOptions, Needed};
use crate::status::Status;
use crate::wire::{About, Attribution, Frame, Keys, LAST, MAX_NUMBER, NoFrame, Question};

/// So many bytes of frames wait while something is asked for.
const QUEUE_BYTES: usize = 64 << 20;

/// Between two looks at whether the sender is still heard.
const LOOK: Duration = Duration::from_millis(50);

/// Without a frame for so long, nobody is heard.
const SILENCE: Duration = Duration::from_secs(3);

/// How long a sender has to say what it has.
const ABOUT: Duration = Duration::from_secs(1);

/// How long one question is waited for. What came of its answer is kept.
const ANSWER: Duration = Duration::from_secs(3);

/// Between two questions of which the first was not answered.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// So many senders that were followed before are known.
const PAST: usize = 4096;

/// What is received, and where to.
#[derive(Clone, Debug)]
pub struct ReceiveOptions {
    /// The near ring.
    pub ring: String,
    /// The first part of the keys.
    pub prefix: String,
    /// The far ring.
    pub far: FarOptions,
    /// Whether a new far ring begins with the oldest message that the near ring has, or with the next one.
    pub from_oldest: bool,
    /// How long to ask for what is missing before it is passed over.
    pub refill_timeout: Duration,
    /// End when the ring is closed.
    pub once: bool,
}

/// The far end of one ring.
pub struct Receiver<'a> {
    options: &'a ReceiveOptions,
    engine: &'a dyn Engine,
    stop: &'a AtomicBool,
    keys: Keys,
    shared: Arc<Shared>,
    status: Status<ReceiveStatus>,
    /// The near ring that could not be learnt about, of which that was said.
    unknown: u64,
    connected: bool,
    /// When it began to listen, until somebody was heard or that was said.
    listens_since: Option<Instant>,
    /// Until it ends.
    inlet: Option<Box<dyn Held>>,
}

/// What the engine's threads share with the receiver's own.
struct Shared {
    queue: Mutex<Queue>,
    /// There is something in the queue, or it is to end.
    filled: Condvar,
    /// Locked behind the queue where both are.
    far: Mutex<Far>,
    heard: Heard,
}

#[derive(Debug, Default)]
struct Queue {
    /// Nothing waits, and nobody asks: frames are published as they come.
    direct: bool,
    frames: VecDeque<Vec<u8>>,
    bytes: usize,
    /// The sender that is followed: the one that began last.
    sender: u64,
    /// When it was heard last.
    heard: Option<Instant>,
    past: HashSet<u64>,
}

/// Counted by the engine's threads.
#[derive(Debug, Default)]
struct Heard {
    frames: AtomicU64,
    bytes: AtomicU64,
    refused: AtomicU64,
    stale: AtomicU64,
    dropped: AtomicU64,
    senders: AtomicU64,
    /// When the last frame came, ns since 1970.
    last: AtomicU64,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic of the engine's thread must not stop the feed: each frame leaves both whole or unchanged.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Takes a frame on one of the engine's threads.
    fn take(&self, bytes: &[u8]) {
        let frame = match Frame::parse(bytes) {
            Ok(frame) => frame,
            Err(error) => return self.refuse(error),
        };
        let mut queue = locked(&self.queue);
        if !queue.follows(frame.head.sender.get(), &self.heard) {
            self.heard.stale.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.heard.frames.fetch_add(1, Ordering::Relaxed);
        self.heard.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.heard.last.store(crate::now(), Ordering::Relaxed);
        if queue.direct {
            if locked(&self.far).accept(&frame).is_ok() {
                return;
            }
            queue.direct = false;
        }
        if queue.bytes + bytes.len() > QUEUE_BYTES {
            self.heard.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        queue.bytes += bytes.len();
        queue.frames.push_back(bytes.to_vec());
        self.filled.notify_one();
    }

    fn refuse(&self, error: NoFrame) {
        // Whoever may put frames may put any number of others: it is said once.
        if self.heard.refused.fetch_add(1, Ordering::Relaxed) == 0 {
            say(format_args!("feed-bridge: {error}: it is left out, and so are others of its kind"));
        }
    }
}

impl Queue {
    /// Whether frames of this sender count. One that was not heard before takes the place of the one that was.
    fn follows(&mut self, sender: u64, heard: &Heard) -> bool {
        if sender == self.sender {
            self.heard = Some(Instant::now());
            return true;
        }
        // One that was left is followed again if the one that took its place has ended.
        let silent = self.heard.is_none_or(|heard| heard.elapsed() >= SILENCE);
        if self.past.contains(&sender) && !silent {
            return false;
        }
        if self.past.len() == PAST {
            self.past.clear();
        }
        self.past.remove(&sender);
        self.past.insert(self.sender);
        (self.sender, self.heard) = (sender, Some(Instant::now()));
        heard.senders.fetch_add(1, Ordering::Relaxed);
        true
    }
}

impl<'a> Receiver<'a> {
    /// Begins to listen.
    ///
    /// # Errors
    /// If another receiver fills this ring, or the engine refuses.
    pub fn new(engine: &'a dyn Engine, options: &'a ReceiveOptions, stop: &'a AtomicBool) -> anyhow::Result<Self> {
        let keys = Keys::new(&options.prefix, &options.ring);
        let name = &options.far.name;
        let cell = CellWriter::options(&receiving_name(name)).root(&options.far.root).create_cell();
        let status = Status::new(cell.with_context(|| format!("cannot tell how {name} is received"))?);
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            filled: Condvar::new(),
            far: Mutex::new(Far::new(options.far.clone())),
            heard: Heard::default(),
        });
        let taker = Arc::clone(&shared);
        let inlet = engine.subscribe(&keys.frames(), Box::new(move |bytes| taker.take(bytes)))?;
        Ok(Receiver {
            options,
            engine,
            stop,
            keys,
            shared,
            status,
            unknown: 0,
            connected: false,
            listens_since: Some(Instant::now()),
            inlet: Some(inlet),
        })
    }

    /// Receives until it is stopped, or, if asked to, until the ring is closed. The far ring stays for whoever receives next.
    ///
    /// # Errors
    /// A far ring that cannot be made.
    pub fn run(mut self) -> anyhow::Result<ReceiveStatus> {
        let result = self.receive();
        self.inlet = None;
        locked(&self.shared.far).end();
        let counted = self.tell();
        self.status.close();
        result.with_context(|| self.options.ring.clone()).map(|()| counted)
    }

    fn receive(&mut self) -> anyhow::Result<()> {
        while !self.stop.load(Ordering::Relaxed) {
            if let Some(bytes) = self.pop() {
                let frame = Frame::parse(&bytes).expect("it was checked before it was queued");
                self.work(&frame)?;
                continue;
            }
            let mut far = locked(&self.shared.far);
            if let Some(failed) = far.failure() {
                return Err(failed.into());
            }
            if self.options.once && far.is_closed() {
                return Ok(());
            }
            drop(far);
            if self.status.is_due() {
                self.tell();
            }
        }
        Ok(())
    }

    /// The next frame that waits. `None` after a while without one: then frames are published as they come.
    fn pop(&mut self) -> Option<Vec<u8>> {
        let mut queue = locked(&self.shared.queue);
        if queue.frames.is_empty() {
            queue.direct = true;
            (queue, _) = self.shared.filled.wait_timeout(queue, LOOK).unwrap_or_else(PoisonError::into_inner);
        }
        let bytes = queue.frames.pop_front()?;
        queue.bytes -= bytes.len();
        Some(bytes)
    }

    /// Publishes a frame, whatever it needs.
    fn work(&mut self, frame: &Frame<'_>) -> anyhow::Result<()> {
        let needed = locked(&self.shared.far).accept(frame);
        match needed {
            Ok(()) => Ok(()),
            Err(Needed::Rows) => {
                self.ask_for_rows();
                locked(&self.shared.far).accept_behind(frame, &Attribution::default());
                Ok(())
            }
            Err(Needed::Window { from, until }) => {
                locked(&self.shared.far).miss_rows();
                self.ask_for_rows();
                let told = self.refill(from, until);
                locked(&self.shared.far).accept_behind(frame, &told);
                Ok(())
            }
            Err(Needed::About) => self.follow(frame),
        }
    }

    /// Goes on with another near ring.
    fn follow(&mut self, frame: &Frame<'_>) -> anyhow::Result<()> {
        let ring = frame.head.ring.get();
        let Some(about) = self.about(frame) else {
            if std::mem::replace(&mut self.unknown, ring) != ring {
                say(format_args!(
                    "feed-bridge: {}: its sender does not say what it has: asked again",
                    self.options.ring
                ));
            }
            return Ok(());
        };
        // What the ring before had at its end, and did not come.
        let left = {
            let far = locked(&self.shared.far);
            far.next().filter(|_| far.source() != ring)
        };
        if let Some(next) = left {
            let told = self.refill(next, MAX_NUMBER);
            locked(&self.shared.far).settle(&told);
        }
        let oldest = about.oldest;
        say(format_args!(
            "feed-bridge: {}: received from {}, which is at message {} of epoch {}",
            self.options.ring, about.host, about.next, about.epoch
        ));
        let next = locked(&self.shared.far).follow(about)?;
        self.ask_for_rows();
        let after = frame.head.after.get();
        let from = next.or_else(|| self.options.from_oldest.then_some(oldest)).unwrap_or(after);
        let told = if from < after { self.refill(from, after) } else { Attribution::default() };
        locked(&self.shared.far).accept_behind(frame, &told);
        Ok(())
    }

    /// What the sender of a frame says of its ring, if that is still the frame's ring.
    fn about(&self, frame: &Frame<'_>) -> Option<About> {
        let (sender, ring) = (frame.head.sender.get(), frame.head.ring.get());
        let mut found = None;
        let mut reply = |bytes: &[u8]| {
            let about = serde_json::from_slice::<About>(bytes).ok();
            found = found.take().or(about.filter(|about| about.sender == sender && about.ring == ring));
        };
        let _ = self.engine.ask(&self.keys.about(), &[], ABOUT, &mut reply);
        found
    }

    /// Asks for what is missing until it is here or nobody has it. Returns what the sender told of losses.
    fn refill(&mut self, from: u64, until: u64) -> Attribution {
        let began = Instant::now();
        locked(&self.shared.far).counted.refills += 1;
        let mut left = from;
        loop {
            let told = self.ask_once(left, until);
            let next = locked(&self.shared.far).next().unwrap_or(left);
            if let Some(told) = told {
                return told;
            }
            if next >= until || began.elapsed() >= self.options.refill_timeout || self.stop.load(Ordering::Relaxed) {
                return Attribution::default();
            }
            if next == left {
                sleep(ASK_AGAIN);
            }
            left = next;
            self.tell();
        }
    }

    /// Asks for the rows of the table that are missing, if any are. Whoever does not answer is asked again with the next frame.
    fn ask_for_rows(&self) {
        let (from, ring) = {
            let far = locked(&self.shared.far);
            let Some(from) = far.rows_from() else { return };
            (from, far.source())
        };
        let sender = locked(&self.shared.queue).sender;
        let question = Question { ring: ring.into(), from: from.into(), until: MAX_NUMBER.into() };
        let mut reply = |bytes: &[u8]| match Frame::parse(bytes) {
            Ok(frame) => locked(&self.shared.far).take_rows(&frame),
            Err(error) => self.shared.refuse(error),
        };
        let _ = self.engine.ask(&self.keys.rows(sender), question.as_bytes(), ANSWER, &mut reply);
    }

    /// Asks the sender that is followed once, and publishes what comes. `None` if the answer is not whole.
    fn ask_once(&self, from: u64, until: u64) -> Option<Attribution> {
        let sender = locked(&self.shared.queue).sender;
        let ring = locked(&self.shared.far).source();
        let question = Question { ring: ring.into(), from: from.into(), until: until.into() };
        let mut told = None;
        let mut reply = |bytes: &[u8]| match Frame::parse(bytes) {
            Ok(frame) if frame.is(LAST) => told = Some(Attribution::of_bytes(frame.payload)),
            Ok(frame) => locked(&self.shared.far).refill(&frame),
            Err(error) => self.shared.refuse(error),
        };
        // Whoever is not there does not answer, and is asked again.
        let _ = self.engine.ask(&self.keys.window(sender), question.as_bytes(), ANSWER, &mut reply);
        told
    }

    /// Tells others on this machine how it goes, and says when a sender comes or goes.
    fn tell(&mut self) -> ReceiveStatus {
        let heard = &self.shared.heard;
        let now = crate::now();
        let last = heard.last.load(Ordering::Relaxed);
        let connected = last > 0 && Duration::from_nanos(now.saturating_sub(last)) < SILENCE;
        if std::mem::replace(&mut self.connected, connected) && !connected {
            say(format_args!(
                "feed-bridge: {}: no sender for {} s: waiting for it",
                self.options.ring,
                SILENCE.as_secs()
            ));
        }
        if self.listens_since.is_some_and(|since| last == 0 && since.elapsed() >= SILENCE) {
            self.listens_since = None;
            say(format_args!(
                "feed-bridge: {}: nobody sends it yet (feed-bridge send, the same --prefix): waiting",
                self.options.ring
            ));
        }
        let mut counted = locked(&self.shared.far).counted;
        counted.frames = heard.frames.load(Ordering::Relaxed);
        counted.bytes = heard.bytes.load(Ordering::Relaxed);
        counted.refused_frames += heard.refused.load(Ordering::Relaxed);
        counted.dropped_frames = heard.dropped.load(Ordering::Relaxed);
        counted.stale_frames = heard.stale.load(Ordering::Relaxed);
        counted.senders = heard.senders.load(Ordering::Relaxed);
        (counted.connected, counted.last_frame, counted.updated) = (connected.into(), last, now);
        self.status.store(&counted);
        counted
    }
}
