//! The two parts that child processes play: the publisher, and a subscriber that checks everything it is told.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use feed_ring::{Join, Publisher, RecvError, Subscriber, TryRecvError, WaitStrategy};
use serde::{Deserialize, Serialize};

use crate::message::{Message, is_whole, message};

/// The ring of the chaos.
pub(crate) const RING: &str = "chaos";

/// Its slots.
pub(crate) const CAPACITY: usize = 1024;

/// Publishes at full rate until killed.
pub(crate) fn publish(root: &Path, number: u64) -> Result<(), Box<dyn std::error::Error>> {
    let mut publisher = Publisher::<Message>::options(RING).root(root).capacity(CAPACITY).keep(true).create()?;
    say(&format!("epoch {} {}", publisher.epoch(), publisher.published()));
    loop {
        let next = message(publisher.published(), number);
        publisher.publish(&next);
    }
}

/// A message of one cache line, made before it is needed: beside it a wake-up that is made for nobody shows.
pub(crate) type Small = [u64; 7];

/// Publishes one small message at full rate until killed.
pub(crate) fn publish_small(root: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut publisher = Publisher::<Small>::options(RING).root(root).capacity(CAPACITY).create()?;
    say("ready");
    let message = [7; 7];
    loop {
        publisher.publish(&message);
    }
}

/// Receives small messages until killed, and sleeps when there are none.
pub(crate) fn sleep(root: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let options = Subscriber::<Small>::options(RING).root(root).join(Join::Latest).wait(WaitStrategy::Block);
    let mut subscriber = options.open()?;
    say("ready");
    loop {
        match subscriber.recv() {
            Ok(_) | Err(RecvError::Lagged { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// What a subscriber has seen until now.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Messages received.
    pub(crate) messages: u64,
    /// Messages lost, as the ring said.
    pub(crate) lost: u64,
    /// Restarts told of.
    pub(crate) restarts: u64,
    /// Messages whose words did not belong together, or that were not those of their sequence number.
    pub(crate) torn: u64,
    /// Messages received twice.
    pub(crate) duplicated: u64,
    /// Messages received after a later one.
    pub(crate) out_of_order: u64,
    /// Messages that neither were received nor counted as lost, and those of a new publisher of whom nothing was said.
    pub(crate) unaccounted: u64,
}

impl Seen {
    /// Adds what another subscriber saw.
    pub(crate) fn add(&mut self, other: &Seen) {
        self.messages += other.messages;
        self.lost += other.lost;
        self.restarts += other.restarts;
        self.torn += other.torn;
        self.duplicated += other.duplicated;
        self.out_of_order += other.out_of_order;
        self.unaccounted += other.unaccounted;
    }
}

/// Receives until killed, and says every few milliseconds what it has seen.
pub(crate) fn subscribe(root: &Path, block: bool) -> Result<(), Box<dyn std::error::Error>> {
    let wait = if block { WaitStrategy::Block } else { WaitStrategy::Yield };
    let options = Subscriber::<Message>::options(RING).root(root).join(Join::Oldest).wait(wait);
    let mut subscriber = options.open_timeout(Duration::from_secs(10)).open()?;
    let mut seen = Seen::default();
    let (mut last, mut publisher, mut told) = (None, None, false);
    let mut said = Instant::now();
    loop {
        let at = subscriber.sequence();
        match subscriber.recv_timeout(Duration::from_millis(5)) {
            Ok(message) => {
                let sequence = message[0];
                seen.messages += 1;
                seen.torn += u64::from(!is_whole(&message) || sequence != at);
                seen.duplicated += u64::from(last == Some(sequence));
                seen.out_of_order += u64::from(last.is_some_and(|last| sequence < last));
                // Another publisher's messages come only after its epoch was told of.
                seen.unaccounted += u64::from(publisher.is_some_and(|publisher| publisher != message[1]) && !told);
                (last, publisher, told) = (Some(sequence), Some(message[1]), false);
            }
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Lagged { missed }) => seen.lost += missed,
            Err(TryRecvError::Restarted { sequence, .. }) => {
                seen.restarts += 1;
                seen.unaccounted += u64::from(last.is_some_and(|last| last >= sequence));
                told = true;
            }
            Err(TryRecvError::PublisherDead) => std::thread::sleep(Duration::from_micros(200)),
            Err(error) => return Err(error.into()),
        }
        let accounted = subscriber.first() + seen.messages + seen.lost;
        if accounted != subscriber.sequence() {
            seen.unaccounted += accounted.abs_diff(subscriber.sequence());
        }
        if said.elapsed() > Duration::from_millis(5) {
            said = Instant::now();
            say(&serde_json::to_string(&seen)?);
        }
    }
}

/// A line to the driver. If nobody listens any more, there is nothing left to do.
fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    if writeln!(output, "{line}").and_then(|()| output.flush()).is_err() {
        std::process::exit(0);
    }
}
