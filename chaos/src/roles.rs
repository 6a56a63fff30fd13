//! The roles of the child processes: a publisher, and a subscriber that checks every message and event.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use feed_ring::{Join, Publisher, RecvError, Subscriber, TryRecvError, WaitStrategy};
use serde::{Deserialize, Serialize};

use crate::message::{Message, is_whole, message};

/// The name of the ring.
pub(crate) const RING: &str = "chaos";

/// Slots of the ring.
pub(crate) const CAPACITY: usize = 1024;

/// Publishes at full rate until killed.
pub(crate) fn publish(root: &Path, number: u64) -> Result<(), Box<dyn std::error::Error>> {
    let mut publisher = Publisher::<Message>::options(RING).root(root).capacity(CAPACITY).keep(true).create()?;
    print_line(&format!("epoch {} {}", publisher.epoch(), publisher.published()));
    loop {
        let next = message(publisher.published(), number);
        publisher.publish(&next);
    }
}

/// A message of one cache line. Publishing it costs less than a wake-up, so useless wake-ups show in the publisher's
/// time.
pub(crate) type Small = [u64; 7];

/// Publishes one small message at full rate until killed.
pub(crate) fn publish_small(root: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut publisher = Publisher::<Small>::options(RING).root(root).capacity(CAPACITY).create()?;
    print_line("ready");
    let message = [7; 7];
    loop {
        publisher.publish(&message);
    }
}

/// Receives small messages until killed. Sleeps while there are none.
pub(crate) fn sleep(root: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let options = Subscriber::<Small>::options(RING).root(root).join(Join::Latest).wait(WaitStrategy::Block);
    let mut subscriber = options.open()?;
    print_line("ready");
    loop {
        match subscriber.recv() {
            Ok(_) | Err(RecvError::Lagged { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Counts of what a subscriber has seen so far.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Messages received.
    pub(crate) messages: u64,
    /// Messages lost, as the ring reported.
    pub(crate) lost: u64,
    /// Restarts of the publisher, as the ring reported.
    pub(crate) restarts: u64,
    /// Torn reads: the words of a message did not belong together, or not to the sequence number.
    pub(crate) torn: u64,
    /// Messages received twice.
    pub(crate) duplicated: u64,
    /// Messages received after a later one.
    pub(crate) out_of_order: u64,
    /// Messages neither received nor counted as lost, and messages of a new publisher without a report of its epoch.
    pub(crate) unaccounted: u64,
}

impl Counts {
    /// Adds the counts of another subscriber.
    pub(crate) fn add(&mut self, other: &Counts) {
        self.messages += other.messages;
        self.lost += other.lost;
        self.restarts += other.restarts;
        self.torn += other.torn;
        self.duplicated += other.duplicated;
        self.out_of_order += other.out_of_order;
        self.unaccounted += other.unaccounted;
    }
}

/// Receives until killed. Prints the counts every few milliseconds.
pub(crate) fn subscribe(root: &Path, block: bool) -> Result<(), Box<dyn std::error::Error>> {
    let wait = if block { WaitStrategy::Block } else { WaitStrategy::Yield };
    let options = Subscriber::<Message>::options(RING).root(root).join(Join::Oldest).wait(wait);
    let mut subscriber = options.open_timeout(Duration::from_secs(10)).open()?;
    let mut counts = Counts::default();
    let (mut last, mut publisher, mut epoch_reported, mut unknown_before) = (None, None, false, 0);
    let mut printed = Instant::now();
    loop {
        let at = subscriber.sequence();
        match subscriber.recv_timeout(Duration::from_millis(5)) {
            Ok(message) => {
                let sequence = message[0];
                counts.messages += 1;
                counts.torn += u64::from(!is_whole(&message) || sequence != at);
                counts.duplicated += u64::from(last == Some(sequence));
                counts.out_of_order += u64::from(last.is_some_and(|last| sequence < last));
                // The ring must report an epoch before the first message of its publisher.
                let known = epoch_reported || sequence < unknown_before;
                counts.unaccounted += u64::from(publisher.is_some_and(|publisher| publisher != message[1]) && !known);
                (last, publisher, epoch_reported) = (Some(sequence), Some(message[1]), false);
            }
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Lagged { missed }) => counts.lost += missed,
            Err(TryRecvError::Restarted { sequence, .. }) => {
                counts.restarts += 1;
                counts.unaccounted += u64::from(last.is_some_and(|last| last >= sequence));
                epoch_reported = true;
            }
            // Messages of several publishers follow, without a report of their own, up to there.
            Err(TryRecvError::RestartsUnknown { until }) => unknown_before = until,
            Err(TryRecvError::PublisherDead) => std::thread::sleep(Duration::from_micros(200)),
            Err(error) => return Err(error.into()),
        }
        let accounted = subscriber.first() + counts.messages + counts.lost;
        if accounted != subscriber.sequence() {
            counts.unaccounted += accounted.abs_diff(subscriber.sequence());
        }
        if printed.elapsed() > Duration::from_millis(5) {
            printed = Instant::now();
            print_line(&serde_json::to_string(&counts)?);
        }
    }
}

/// Prints a line for the driver. Exits if the driver is gone.
pub(crate) fn print_line(line: &str) {
    let mut output = std::io::stdout().lock();
    if writeln!(output, "{line}").and_then(|()| output.flush()).is_err() {
        std::process::exit(0);
    }
}
