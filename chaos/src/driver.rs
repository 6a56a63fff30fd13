//! The driver: starts the child processes, kills and stops them at random, and adds up their counts.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use feed_testing::{PrivateRoot, sleeps};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;

use crate::roles::Counts;
use crate::segment::Segment;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Number of subscribers.
const SUBSCRIBERS: usize = 4;

/// The result of a run, printed as JSON.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    /// Publishers killed.
    pub(crate) kills: u64,
    /// Takeovers that found words of two messages in the marked slot.
    pub(crate) half_written_found: u64,
    /// Takeovers.
    pub(crate) takeovers: u64,
    /// Messages received, by all subscribers.
    pub(crate) messages: u64,
    /// Messages lost, as the ring reported.
    pub(crate) lost: u64,
    /// Torn reads.
    pub(crate) torn: u64,
    /// Messages received twice.
    pub(crate) duplicated: u64,
    /// Messages received after a later one.
    pub(crate) out_of_order: u64,
    /// Messages neither received nor counted as lost.
    pub(crate) unaccounted: u64,
    /// The seed, which reproduces the run's decisions.
    pub(crate) seed: u64,
}

impl Outcome {
    /// The reason why the run failed; `None` if it passed.
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
struct ChildProcess {
    process: Child,
    listener: Option<JoinHandle<()>>,
}

impl ChildProcess {
    /// Starts this program in `role`. `on_line` gets each line that it prints.
    fn start(role: &[&str], root: &Path, mut on_line: impl FnMut(&str) + Send + 'static) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(role).arg("--root").arg(root).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let output = BufReader::new(process.stdout.take().ok_or("no output")?);
        let listener = std::thread::spawn(move || {
            for line in output.lines().map_while(std::result::Result::ok) {
                on_line(&line);
            }
        });
        Ok(ChildProcess { process, listener: Some(listener) })
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }

    /// Whether the process ended by itself. None should.
    fn has_ended(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(Some(_)))
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

/// Starts a child process that prints a line once it is ready.
fn start_and_watch(role: &[&str], root: &Path) -> Result<(ChildProcess, Arc<Mutex<bool>>)> {
    let ready = Arc::new(Mutex::new(false));
    let shared = Arc::clone(&ready);
    let on_line = move |_: &str| *shared.lock().unwrap_or_else(PoisonError::into_inner) = true;
    Ok((ChildProcess::start(role, root, on_line)?, ready))
}

fn start_publisher(root: &Path, number: u64) -> Result<(ChildProcess, Arc<Mutex<bool>>)> {
    start_and_watch(&["publish", "--number", &number.to_string()], root)
}

/// Waits until the child process is ready.
fn wait_until_ready(child: &mut ChildProcess, ready: &Mutex<bool>) -> Result<()> {
    while !*ready.lock().unwrap_or_else(PoisonError::into_inner) {
        if child.has_ended() {
            return Err("a child process ended by itself".into());
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

/// A subscriber process and the counts that it last printed.
struct SubscriberProcess {
    child: ChildProcess,
    counts: Arc<Mutex<Counts>>,
    stopped: bool,
}

impl SubscriberProcess {
    /// Starts a subscriber. Those with an odd number block while there is no message, the others yield.
    fn start(root: &Path, which: usize) -> Result<Self> {
        let role: &[&str] = if which.is_multiple_of(2) { &["subscribe"] } else { &["subscribe", "--block"] };
        let counts = Arc::new(Mutex::new(Counts::default()));
        let shared = Arc::clone(&counts);
        let child = ChildProcess::start(role, root, move |line| {
            if let Ok(now) = serde_json::from_str(line) {
                *shared.lock().unwrap_or_else(PoisonError::into_inner) = now;
            }
        })?;
        Ok(SubscriberProcess { child, counts, stopped: false })
    }

    /// Kills the process and returns its counts.
    fn end(self) -> Counts {
        drop(self.child);
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Kills, stops and starts processes at random for `seconds`, and on until a kill has fallen into the middle of a
/// message. How often one does depends on the processor. Gives up after ten times `seconds`.
pub(crate) fn run(seconds: u64, seed: u64) -> Result<Outcome> {
    let root = PrivateRoot::new();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut total = Counts::default();
    let (mut kills, mut half_written, mut takeovers) = (0, 0, 0);
    let mut number = 1;
    let (mut publisher, ready) = start_publisher(root.path(), number)?;
    wait_until_ready(&mut publisher, &ready)?;
    let mut subscribers =
        (0..SUBSCRIBERS).map(|which| SubscriberProcess::start(root.path(), which)).collect::<Result<Vec<_>>>()?;
    let begin = Instant::now();
    let continues = |half_written| {
        let end = if half_written == 0 { 10 * seconds } else { seconds };
        begin.elapsed() < Duration::from_secs(end)
    };
    while continues(half_written) {
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
                wait_until_ready(&mut publisher, &ready)?;
                takeovers += 1;
            }
            4..8 => {
                let subscriber = &mut subscribers[random.random_range(0..SUBSCRIBERS)];
                subscriber.child.signal(if subscriber.stopped { Signal::CONT } else { Signal::STOP });
                subscriber.stopped = !subscriber.stopped;
            }
            _ => {
                let which = random.random_range(0..SUBSCRIBERS);
                let old = std::mem::replace(&mut subscribers[which], SubscriberProcess::start(root.path(), which)?);
                total.add(&old.end());
            }
        }
        if publisher.has_ended() || subscribers.iter_mut().any(|subscriber| subscriber.child.has_ended()) {
            return Err("a child process ended by itself: see above".into());
        }
    }
    for subscriber in subscribers {
        subscriber.child.signal(Signal::CONT);
        std::thread::sleep(Duration::from_millis(50));
        total.add(&subscriber.end());
    }
    let Counts { messages, lost, torn, duplicated, out_of_order, unaccounted, .. } = total;
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
        let segment = Segment::open(root.path())?;
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
