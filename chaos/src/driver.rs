//! The driver: starts the child processes, kills and stops them at random, and adds up their counts.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use feed_testing::{PrivateRoot, sleeps};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustix::process::Signal;
use serde::Serialize;

use crate::child::{ChildProcess, Counting, Result, start_and_watch, wait_until_ready};
use crate::records::{self, Records};
use crate::roles::{Counts, RING};
use crate::segment::Segment;
use crate::tables::{self, Tables};

/// Number of subscribers.
const SUBSCRIBERS: usize = 4;

/// The result of a run, printed as JSON.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    #[serde(flatten)]
    ring: RingOutcome,
    #[serde(flatten)]
    tables: Tables,
    #[serde(flatten)]
    records: Records,
    /// The seed, which reproduces the run's decisions.
    seed: u64,
}

impl Outcome {
    /// The reason why the run failed; `None` if it passed.
    pub(crate) fn failure(&self) -> Option<&'static str> {
        self.ring.failure().or_else(|| self.tables.failure()).or_else(|| self.records.failure())
    }
}

/// A third of the `seconds` goes to a ring of messages, one to tables, and one to rings of records.
pub(crate) fn run(seconds: u64, seed: u64) -> Result<Outcome> {
    let third = Duration::from_secs(seconds) / 3;
    let ring = run_ring(third, seed)?;
    Ok(Outcome { ring, tables: tables::run(third, seed)?, records: records::run(third, seed)?, seed })
}

/// What became of a ring and its messages.
#[derive(Debug, Serialize)]
struct RingOutcome {
    /// Publishers killed.
    kills: u64,
    /// Takeovers that found words of two messages in the marked slot.
    half_written_found: u64,
    /// Takeovers.
    takeovers: u64,
    /// Messages received, by all subscribers.
    messages: u64,
    /// Messages lost, as the ring reported.
    lost: u64,
    /// Torn reads.
    torn: u64,
    /// Messages received twice.
    duplicated: u64,
    /// Messages received after a later one.
    out_of_order: u64,
    /// Messages neither received nor counted as lost.
    unaccounted: u64,
}

impl RingOutcome {
    /// The reason why the run failed; `None` if it passed.
    fn failure(&self) -> Option<&'static str> {
        if self.torn + self.duplicated + self.out_of_order + self.unaccounted > 0 {
            Some("a message was torn, duplicated, out of order or unaccounted for")
        } else if self.half_written_found == 0 {
            Some("no takeover found a half-written slot: this run showed nothing: give it more --seconds")
        } else {
            None
        }
    }
}

fn start_publisher(root: &Path, number: u64) -> Result<(ChildProcess, Arc<Mutex<bool>>)> {
    start_and_watch(&["publish", "--number", &number.to_string()], root)
}

/// Starts a subscriber. Those with an odd number block while there is no message, the others yield.
fn start_subscriber(root: &Path, which: usize) -> Result<Counting<Counts>> {
    Counting::start(if which.is_multiple_of(2) { &["subscribe"] } else { &["subscribe", "--block"] }, root)
}

/// Kills, stops and starts processes at random for `time`, and on until a kill has fallen into the middle of a message. How
/// often one does depends on the processor. Gives up after ten times `time`.
fn run_ring(time: Duration, seed: u64) -> Result<RingOutcome> {
    let root = PrivateRoot::new();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut total = Counts::default();
    let (mut kills, mut half_written, mut takeovers) = (0, 0, 0);
    let mut number = 1;
    let (mut publisher, ready) = start_publisher(root.path(), number)?;
    wait_until_ready(&mut publisher, &ready)?;
    let mut subscribers =
        (0..SUBSCRIBERS).map(|which| start_subscriber(root.path(), which)).collect::<Result<Vec<_>>>()?;
    let begin = Instant::now();
    let continues = |half_written| begin.elapsed() < if half_written == 0 { 10 * time } else { time };
    while continues(half_written) {
        std::thread::sleep(Duration::from_micros(random.random_range(1_000..60_000)));
        match random.random_range(0..10) {
            0..4 => {
                drop(publisher); // SIGKILL
                kills += 1;
                half_written += u64::from(Segment::open(root.path(), RING)?.is_half_written(number)?);
                std::thread::sleep(Duration::from_micros(random.random_range(0..5_000)));
                number += 1;
                let (next, ready) = start_publisher(root.path(), number)?;
                publisher = next;
                wait_until_ready(&mut publisher, &ready)?;
                takeovers += 1;
            }
            4..8 => subscribers[random.random_range(0..SUBSCRIBERS)].stop_or_continue(),
            _ => {
                let which = random.random_range(0..SUBSCRIBERS);
                let old = std::mem::replace(&mut subscribers[which], start_subscriber(root.path(), which)?);
                total.add(&old.end());
            }
        }
        if publisher.has_ended() || subscribers.iter_mut().any(Counting::has_ended) {
            return Err("a child process ended by itself: see above".into());
        }
    }
    for subscriber in subscribers {
        subscriber.let_finish();
        total.add(&subscriber.end());
    }
    let Counts { messages, lost, torn, duplicated, out_of_order, unaccounted, .. } = total;
    Ok(RingOutcome {
        kills,
        half_written_found: half_written,
        takeovers,
        messages,
        lost,
        torn,
        duplicated,
        out_of_order,
        unaccounted,
    })
}

/// A publisher of small messages. It is stopped except while its time is measured.
struct TimedPublisher {
    publisher: ChildProcess,
    segment: Segment,
    root: PrivateRoot,
}

impl TimedPublisher {
    fn start() -> Result<Self> {
        let root = PrivateRoot::new();
        let (mut publisher, ready) = start_and_watch(&["publish-small"], root.path())?;
        wait_until_ready(&mut publisher, &ready)?;
        let segment = Segment::open(root.path(), RING)?;
        publisher.signal(Signal::STOP);
        Ok(TimedPublisher { publisher, segment, root })
    }

    /// CPU time of the publisher, in ns. Unlike wall time, it does not grow when other processes need the machine.
    fn on_cpu(&self) -> Result<f64> {
        let text = std::fs::read_to_string(format!("/proc/{}/schedstat", self.publisher.process.id()))?;
        Ok(text.split(' ').next().ok_or("no schedstat")?.parse::<f64>()?)
    }

    /// CPU time for a message, in ns.
    fn time(&self) -> Result<f64> {
        self.publisher.signal(Signal::CONT);
        std::thread::sleep(Duration::from_millis(2));
        let (messages, used) = (self.segment.published()?, self.on_cpu()?);
        std::thread::sleep(Duration::from_millis(30));
        let time = (self.on_cpu()? - used) / (self.segment.published()? - messages).max(1) as f64;
        self.publisher.signal(Signal::STOP);
        Ok(time)
    }

    /// CPU time for a message with four subscribers, to which `fault` was applied while they slept.
    fn time_with(&self, fault: fn(Vec<ChildProcess>) -> Vec<ChildProcess>) -> Result<f64> {
        let mut sleepers = Vec::new();
        for _ in 0..SUBSCRIBERS {
            let (mut sleeper, ready) = start_and_watch(&["sleep"], self.root.path())?;
            wait_until_ready(&mut sleeper, &ready)?;
            sleepers.push(sleeper);
        }
        // The publisher is stopped, so the subscribers fall asleep.
        while !sleepers.iter().all(|sleeper| sleeps(sleeper.process.id())) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let event = self.segment.event()?;
        let after_fault = fault(sleepers);
        let time = self.time()?;
        if self.segment.event()? == event {
            return Err("the publisher woke no subscriber: this round showed nothing".into());
        }
        drop(after_fault);
        Ok(time)
    }
}

/// How much slower a publisher is with four subscribers that were stopped, or killed, while they slept. Both are ratios
/// to a publisher without subscribers: medians over interleaved rounds of the CPU time for a message.
///
/// A subscriber that left its mark as a sleeper would make the publisher wake it again and again. The messages are
/// small, so that this would show.
pub(crate) fn slowdown(rounds: usize) -> Result<(f64, f64)> {
    let (alone, with_subscribers) = (TimedPublisher::start()?, TimedPublisher::start()?);
    let (mut stopped, mut killed) = (Vec::new(), Vec::new());
    let mut before = alone.time()?;
    for _ in 0..rounds {
        let with_stopped = with_subscribers.time_with(|sleepers| {
            sleepers.iter().for_each(|sleeper| sleeper.signal(Signal::STOP));
            sleepers
        })?;
        let with_killed = with_subscribers.time_with(|sleepers| {
            drop(sleepers); // SIGKILL
            Vec::new()
        })?;
        let after = alone.time()?;
        let without = (before + after) / 2.0;
        stopped.push(with_stopped / without);
        killed.push(with_killed / without);
        before = after;
    }
    Ok((median(&mut stopped), median(&mut killed)))
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A random seed.
pub(crate) fn random_seed() -> u64 {
    rand::rng().next_u64() >> 16
}
