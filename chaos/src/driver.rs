//! The driver: starts the actors, does them harm at random, and adds up what they saw.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use feed_testing::{PrivateRoot, sleeps};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;

use crate::actors::Seen;
use crate::segment::Segment;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Subscribers at any time.
const SUBSCRIBERS: usize = 4;

/// The outcome, as it is printed.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    /// Publishers killed.
    pub(crate) kills: u64,
    /// Takeovers at which the marked slot held words of two messages.
    pub(crate) half_written_found: u64,
    /// Takeovers.
    pub(crate) takeovers: u64,
    /// Messages received, by all subscribers.
    pub(crate) messages: u64,
    /// Messages lost, as the subscribers were told.
    pub(crate) lost: u64,
    /// Messages that were not whole.
    pub(crate) torn: u64,
    /// Messages received twice.
    pub(crate) duplicated: u64,
    /// Messages received after a later one.
    pub(crate) out_of_order: u64,
    /// Messages neither received nor counted as lost.
    pub(crate) unaccounted: u64,
    /// What reproduces the run's decisions.
    pub(crate) seed: u64,
}

impl Outcome {
    /// Why the run failed, if it did.
    pub(crate) fn failure(&self) -> Option<&'static str> {
        if self.torn + self.duplicated + self.out_of_order + self.unaccounted > 0 {
            Some("a message was torn, duplicated, out of order or unaccounted for")
        } else if self.half_written_found == 0 {
            Some("no takeover found a half-written slot: this run showed nothing: give it more --seconds")
        } else {
            None
        }
    }
}

/// A child process, killed when dropped.
struct Actor {
    process: Child,
    listener: Option<JoinHandle<()>>,
}

impl Actor {
    /// Starts this program in another part; `hear` gets each line that it says.
    fn start(part: &[&str], root: &Path, mut hear: impl FnMut(&str) + Send + 'static) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(part).arg("--root").arg(root).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let output = BufReader::new(process.stdout.take().ok_or("no output")?);
        let listener = std::thread::spawn(move || {
            for line in output.lines().map_while(std::result::Result::ok) {
                hear(&line);
            }
        });
        Ok(Actor { process, listener: Some(listener) })
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }

    /// Whether it ended by itself, which no actor should.
    fn ended(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(Some(_)))
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

/// Starts an actor that says a line once it is ready.
fn start_to_be_ready(part: &[&str], root: &Path) -> Result<(Actor, Arc<Mutex<bool>>)> {
    let ready = Arc::new(Mutex::new(false));
    let heard = Arc::clone(&ready);
    let hear = move |_: &str| *heard.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = true;
    Ok((Actor::start(part, root, hear)?, ready))
}

fn start_publisher(root: &Path, number: u64) -> Result<(Actor, Arc<Mutex<bool>>)> {
    start_to_be_ready(&["publish", "--number", &number.to_string()], root)
}

/// Waits until an actor is ready.
fn await_ready(actor: &mut Actor, ready: &Mutex<bool>) -> Result<()> {
    while !*ready.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) {
        if actor.ended() {
            return Err("an actor ended by itself".into());
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

/// A subscriber and what it last said.
struct Subscribing {
    actor: Actor,
    seen: Arc<Mutex<Seen>>,
    stopped: bool,
}

impl Subscribing {
    /// Every other one sleeps when there is nothing, `which` says which.
    fn start(root: &Path, which: usize) -> Result<Self> {
        let part: &[&str] = if which.is_multiple_of(2) { &["subscribe"] } else { &["subscribe", "--block"] };
        let seen = Arc::new(Mutex::new(Seen::default()));
        let heard = Arc::clone(&seen);
        let actor = Actor::start(part, root, move |line| {
            if let Ok(now) = serde_json::from_str(line) {
                *heard.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = now;
            }
        })?;
        Ok(Subscribing { actor, seen, stopped: false })
    }

    /// Ends it, and returns all that it said.
    fn end(self) -> Seen {
        drop(self.actor);
        *self.seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Kills, stops and starts at random for so long, and then until a kill has fallen into the middle of a message: how often
/// one does depends on the processor. It gives up after ten times as long.
pub(crate) fn run(seconds: u64, seed: u64) -> Result<Outcome> {
    let root = PrivateRoot::new();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut total = Seen::default();
    let (mut kills, mut half_written, mut takeovers) = (0, 0, 0);
    let mut number = 1;
    let (mut publisher, ready) = start_publisher(root.path(), number)?;
    await_ready(&mut publisher, &ready)?;
    let mut subscribers =
        (0..SUBSCRIBERS).map(|which| Subscribing::start(root.path(), which)).collect::<Result<Vec<_>>>()?;
    let begin = Instant::now();
    let going_on = |half_written| {
        let end = if half_written == 0 { 10 * seconds } else { seconds };
        begin.elapsed() < Duration::from_secs(end)
    };
    while going_on(half_written) {
        std::thread::sleep(Duration::from_micros(random.random_range(1_000..60_000)));
        match random.random_range(0..10) {
            0..4 => {
                drop(publisher); // SIGKILL
                kills += 1;
                half_written += u64::from(Segment::open(root.path())?.is_half_written(number)?);
                std::thread::sleep(Duration::from_micros(random.random_range(0..5_000)));
                number += 1;
                let (next, ready) = start_publisher(root.path(), number)?;
                publisher = next;
                await_ready(&mut publisher, &ready)?;
                takeovers += 1;
            }
            4..8 => {
                let subscriber = &mut subscribers[random.random_range(0..SUBSCRIBERS)];
                subscriber.actor.signal(if subscriber.stopped { Signal::CONT } else { Signal::STOP });
                subscriber.stopped = !subscriber.stopped;
            }
            _ => {
                let which = random.random_range(0..SUBSCRIBERS);
                let old = std::mem::replace(&mut subscribers[which], Subscribing::start(root.path(), which)?);
                total.add(&old.end());
            }
        }
        if publisher.ended() || subscribers.iter_mut().any(|subscriber| subscriber.actor.ended()) {
            return Err("an actor ended by itself: see above".into());
        }
    }
    for subscriber in subscribers {
        subscriber.actor.signal(Signal::CONT);
        std::thread::sleep(Duration::from_millis(50));
        total.add(&subscriber.end());
    }
    let Seen { messages, lost, torn, duplicated, out_of_order, unaccounted, .. } = total;
    Ok(Outcome {
        kills,
        half_written_found: half_written,
        takeovers,
        messages,
        lost,
        torn,
        duplicated,
        out_of_order,
        unaccounted,
        seed,
    })
}

/// A publisher of small messages, stopped but for when its time is taken.
struct Timed {
    publisher: Actor,
    segment: Segment,
    root: PrivateRoot,
}

impl Timed {
    fn start() -> Result<Self> {
        let root = PrivateRoot::new();
        let (mut publisher, ready) = start_to_be_ready(&["publish-small"], root.path())?;
        await_ready(&mut publisher, &ready)?;
        let segment = Segment::open(root.path())?;
        publisher.signal(Signal::STOP);
        Ok(Timed { publisher, segment, root })
    }

    /// Its time on a processor, ns: others may need the machine at the same moment.
    fn on_cpu(&self) -> Result<f64> {
        let text = std::fs::read_to_string(format!("/proc/{}/schedstat", self.publisher.process.id()))?;
        Ok(text.split(' ').next().ok_or("no schedstat")?.parse::<f64>()?)
    }

    /// The time for a message, ns.
    fn time(&self) -> Result<f64> {
        self.publisher.signal(Signal::CONT);
        std::thread::sleep(Duration::from_millis(2));
        let (messages, used) = (self.segment.published()?, self.on_cpu()?);
        std::thread::sleep(Duration::from_millis(30));
        let time = (self.on_cpu()? - used) / (self.segment.published()? - messages).max(1) as f64;
        self.publisher.signal(Signal::STOP);
        Ok(time)
    }

    /// The same with four subscribers to whom something was done while they slept.
    fn time_with(&self, harm: fn(Vec<Actor>) -> Vec<Actor>) -> Result<f64> {
        let mut sleepers = Vec::new();
        for _ in 0..SUBSCRIBERS {
            let (mut sleeper, ready) = start_to_be_ready(&["sleep"], self.root.path())?;
            await_ready(&mut sleeper, &ready)?;
            sleepers.push(sleeper);
        }
        // Nobody publishes now, so they have nothing to do.
        while !sleepers.iter().all(|sleeper| sleeps(sleeper.process.id())) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let event = self.segment.event()?;
        let harmed = harm(sleepers);
        let time = self.time()?;
        if self.segment.event()? == event {
            return Err("the publisher found nobody asleep: nothing was shown".into());
        }
        drop(harmed);
        Ok(time)
    }
}

/// How much slower a publisher is with four subscribers that were stopped, and with four that were killed, while they
/// slept, than one that never had any: medians over interleaved rounds of the processor time for a message, as ratios.
/// What one that sleeps could leave behind is a reason for the publisher to wake it, again and again: so the messages are
/// small, and cost less than a wake-up.
pub(crate) fn slowdown(rounds: usize) -> Result<(f64, f64)> {
    let (alone, visited) = (Timed::start()?, Timed::start()?);
    let (mut stopped, mut killed) = (Vec::new(), Vec::new());
    let mut before = alone.time()?;
    for _ in 0..rounds {
        let with_stopped = visited.time_with(|sleepers| {
            sleepers.iter().for_each(|sleeper| sleeper.signal(Signal::STOP));
            sleepers
        })?;
        let with_killed = visited.time_with(|sleepers| {
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

/// A seed that nobody chose.
pub(crate) fn some_seed() -> u64 {
    rand::rng().next_u64() >> 16
}
