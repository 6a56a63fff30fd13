//! Measures how a sleeping subscriber disturbs its publisher.
//!
//! The figures are the duration of a publish, and how long the publisher loses its core between messages. The
//! subscriber falls asleep after each message. With `membarrier` it interrupts the publisher's core then. With a fence
//! it does not, but every publish pays for the fence.

use std::time::Duration;

use anyhow::Context as _;
use feed_ring::{Join, Publisher, RecvError, Subscriber, WaitStrategy, Wake};
use hdrhistogram::Histogram;
use rustix::thread::{sched_getaffinity, sched_setaffinity};
use serde::Serialize;

use crate::harness::clock::{self, Ticks};
use crate::harness::cores::{Cores, pin};
use crate::harness::fork;
use crate::harness::measurement::empty;
use crate::harness::private_dir::PrivateDir;
use crate::harness::quantiles::Quantiles;

/// The interval between two messages. A polling subscriber has time to give up and fall asleep.
const INTERVAL: Duration = Duration::from_micros(50);

/// The figures of one kind of subscriber beside one kind of publisher.
#[derive(Clone, Debug, Serialize)]
pub struct Jitter {
    /// How the subscriber waits.
    pub subscriber: &'static str,
    /// How the publisher finds out that the subscriber sleeps.
    pub wake: &'static str,
    /// Duration of one publish, including waking the subscriber.
    pub publish_ns: Quantiles,
    /// Longest gap between two readings of the clock within an interval. In it the publisher only reads the clock.
    pub gap_ns: Quantiles,
}

/// Measures a spinning and a sleeping subscriber beside either kind of publisher, with `messages` messages each.
///
/// # Errors
/// The ring's, or the subscriber's process failed.
pub fn measure(dir: &PrivateDir, cores: Cores, ticks: Ticks, messages: u64) -> anyhow::Result<Vec<Jitter>> {
    let allowed = sched_getaffinity(None).context("sched_getaffinity")?;
    let mut lines = Vec::new();
    for (wake, wake_name) in [(Wake::Membarrier, "membarrier"), (Wake::Fence, "fence")] {
        for (wait, wait_name) in [(WaitStrategy::Spin, "spin"), (WaitStrategy::Block, "block")] {
            let (publish, gap) = measure_one(dir, cores, ticks, messages, wait, wake)?;
            let (publish_ns, gap_ns) = (Quantiles::of(&publish), Quantiles::of(&gap));
            lines.push(Jitter { subscriber: wait_name, wake: wake_name, publish_ns, gap_ns });
            // `measure_one` pinned this process. The next child must not inherit that.
            sched_setaffinity(None, &allowed).context("sched_setaffinity")?;
        }
    }
    Ok(lines)
}

fn measure_one(
    dir: &PrivateDir,
    cores: Cores,
    ticks: Ticks,
    messages: u64,
    wait: WaitStrategy,
    wake: Wake,
) -> anyhow::Result<(Histogram<u64>, Histogram<u64>)> {
    let dir = dir.subdir("jitter")?;
    let mut publisher = Publisher::<[u64; 7]>::options("jitter").root(dir.path()).capacity(1024).wake(wake).create()?;
    let child = fork::child(|| {
        pin(cores.subscriber)?;
        let mut subscriber =
            Subscriber::<[u64; 7]>::options("jitter").root(dir.path()).join(Join::Oldest).wait(wait).open()?;
        loop {
            match subscriber.recv() {
                Ok(_) | Err(RecvError::Lagged { .. }) => {}
                // Returning would drop `dir` in the child, and so remove the parent's directory.
                Err(RecvError::Closed) => std::process::exit(0),
                Err(error) => return Err(error.into()),
            }
        }
    })?;
    while publisher.subscribers()? == 0 {
        std::thread::yield_now();
    }
    pin(cores.publisher)?;
    let (mut publish, mut gap) = (empty(), empty());
    let interval = ticks.ticks(INTERVAL);
    let mut last = clock::now();
    for number in 0..messages {
        let due = last + interval;
        let mut longest = 0;
        while last < due {
            let now = clock::now();
            longest = longest.max(now - last);
            last = now;
        }
        publisher.publish(&[number; 7]);
        let now = clock::now();
        publish.saturating_record(ticks.ns((now - last) as f64) as u64);
        gap.saturating_record(ticks.ns(longest as f64) as u64);
        last = now;
    }
    publisher.close()?;
    child.wait()?;
    Ok((publish, gap))
}
