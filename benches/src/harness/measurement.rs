//! One measurement of one contender: the length of its rounds, and their results.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::clock::Ticks;

/// The largest difference between the calibrations before and after a round, as a fraction. A round beyond it does not
/// count.
pub const TOLERANCE: f64 = 0.15;

/// The length of each part of a measurement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// Messages whose every word is checked before any round: first one by one, then as many in a burst.
    pub checked: u64,
    /// The length of each calibration.
    pub calibration: Duration,
    /// The length of the ping-pong round timed in batches. It gives the latency.
    pub ping: Duration,
    /// The length of the ping-pong round timed one by one. It gives the percentiles of the latency.
    pub single: Duration,
    /// The intervals of the paced rounds, one round for each.
    pub paced: Vec<Duration>,
    /// The length of each paced round.
    pub paced_for: Duration,
    /// The length of the round that saturates the subscriber.
    pub stream: Duration,
    /// The length of the round that publishes without a reader.
    pub alone: Duration,
    /// Rounds that do not count and are repeated at once, in the whole measurement. This bounds its time.
    pub repeats: u32,
}

impl Plan {
    /// The rounds of a full report.
    pub fn full() -> Self {
        Self {
            checked: 1_000,
            calibration: Duration::from_micros(1_500),
            ping: Duration::from_millis(15),
            single: Duration::from_millis(20),
            // In the last interval a blocking subscriber has time to fall asleep.
            paced: [1, 10, 100].map(Duration::from_micros).to_vec(),
            paced_for: Duration::from_millis(15),
            stream: Duration::from_millis(20),
            alone: Duration::from_millis(10),
            repeats: 12,
        }
    }

    /// The shorter rounds of a report within a minute.
    pub fn quick() -> Self {
        Self {
            checked: 200,
            calibration: Duration::from_micros(1_000),
            ping: Duration::from_millis(10),
            single: Duration::from_millis(10),
            paced_for: Duration::from_millis(10),
            stream: Duration::from_millis(10),
            ..Self::full()
        }
    }

    /// The rounds of a report within a minute without real-time priority. The shorter a round, the more often neither
    /// side loses its core.
    pub fn quick_among_others() -> Self {
        let length = Duration::from_millis(5);
        Self { ping: length, single: length, paced_for: length, stream: length, alone: length, ..Self::quick() }
    }

    /// The shortest rounds that still use everything. The times mean nothing.
    pub fn smoke() -> Self {
        Self {
            checked: 100,
            calibration: Duration::from_micros(50),
            ping: Duration::from_micros(200),
            single: Duration::from_micros(200),
            paced_for: Duration::from_micros(500),
            stream: Duration::from_micros(500),
            alone: Duration::from_micros(200),
            repeats: 2,
            ..Self::full()
        }
    }
}

/// Why a round does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The kernel took the core away from a side.
    Preempted,
    /// c2c changed during the round.
    Unsteady,
}

/// The number of rounds that did not count, by their flaw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// The kernel took the core away from a side.
    pub preempted: usize,
    /// c2c changed during the round.
    pub unsteady: usize,
}

impl Dropped {
    /// Counts one more round.
    pub fn count(&mut self, flaw: Flaw) {
        match flaw {
            Flaw::Preempted => self.preempted += 1,
            Flaw::Unsteady => self.unsteady += 1,
        }
    }

    /// The number of rounds with any flaw.
    pub fn all(self) -> usize {
        self.preempted + self.unsteady
    }
}

impl std::ops::AddAssign for Dropped {
    fn add_assign(&mut self, other: Self) {
        self.preempted += other.preempted;
        self.unsteady += other.unsteady;
    }
}

/// The result of one round, with the calibrations before and after it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Round<T> {
    /// c2c before the round, in ns.
    pub before: f64,
    /// c2c after the round, in ns.
    pub after: f64,
    /// Whether the kernel took the core away from either side.
    pub preempted: bool,
    /// The tries before this one, which did not count.
    pub dropped: Dropped,
    /// The result.
    pub value: T,
}

impl<T> Round<T> {
    /// Why the round does not count. `None` if c2c changed by at most [`TOLERANCE`] and neither side lost its core.
    pub fn flaw(&self) -> Option<Flaw> {
        if self.preempted {
            Some(Flaw::Preempted)
        } else if (self.before - self.after).abs() > TOLERANCE * self.before.min(self.after) {
            Some(Flaw::Unsteady)
        } else {
            None
        }
    }

    /// c2c during the round, in ns: the mean of both calibrations.
    pub fn c2c(&self) -> f64 {
        (self.before + self.after) / 2.0
    }
}

/// The results of one measurement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measurement {
    /// One-way latency in ns: half a round trip, the median over batches.
    pub ping: Round<f64>,
    /// One-way latency of each round trip.
    pub single: Round<Samples>,
    /// Latency of messages sent at a steady pace, one round for each interval.
    pub paced: Vec<Round<Paced>>,
    /// The stream at full speed.
    pub stream: Round<Stream>,
    /// Time to publish a message without a reader, in ns; `None` if the publisher waits for readers.
    pub alone: Option<Round<f64>>,
}

/// The result of a paced round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Paced {
    /// The interval between two messages, in ns.
    pub interval: f64,
    /// Whether the publisher kept the pace. If not, the latencies include a growing backlog.
    pub kept_pace: bool,
    /// Latency, from the time at which a message was due to its receipt.
    pub samples: Samples,
}

/// The result of a stream at full speed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Stream {
    /// The publisher's time for a message, in ns.
    pub publish: f64,
    /// Messages sent.
    pub sent: u64,
    /// Messages received.
    pub received: u64,
    /// Messages received per second, from the first to the last.
    pub per_second: f64,
}

/// The results that only the subscriber knows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SubscriberResults {
    /// The samples of each paced round.
    pub paced: Vec<Samples>,
    /// Messages received in the stream.
    pub received: u64,
    /// Messages received per second in the stream.
    pub per_second: f64,
}

/// A histogram of times in picoseconds, to three digits, as pairs of value and count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Samples(Vec<(u64, u64)>);

impl Samples {
    /// From times in ticks, each divided by `parts`.
    pub fn of(raw: &[u64], parts: f64, ticks: Ticks) -> Self {
        let mut histogram = empty();
        for &sample in raw {
            histogram.saturating_record((ticks.ns(sample as f64) / parts * 1000.0) as u64);
        }
        Self(histogram.iter_recorded().map(|at| (at.value_iterated_to(), at.count_at_value())).collect())
    }

    /// The number of samples.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|&(_, count)| count).sum()
    }

    /// Adds the samples to a histogram of picoseconds.
    pub fn add_to(&self, histogram: &mut Histogram<u64>) {
        for &(value, count) in &self.0 {
            histogram.saturating_record_n(value, count);
        }
    }

    /// The samples as a histogram of picoseconds.
    pub fn histogram(&self) -> Histogram<u64> {
        let mut histogram = empty();
        self.add_to(&mut histogram);
        histogram
    }
}

/// An empty histogram of picoseconds, up to ten seconds, to three digits.
pub fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 10_000_000_000_000, 3).expect("these bounds are valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_counts_within_the_tolerance_and_on_its_core() {
        let round =
            |before, after, preempted| Round { before, after, preempted, dropped: Dropped::default(), value: () };
        assert_eq!(round(100.0, 115.0, false).flaw(), None);
        assert_eq!(round(100.0, 116.0, false).flaw(), Some(Flaw::Unsteady));
        assert_eq!(round(116.0, 100.0, false).flaw(), Some(Flaw::Unsteady));
        assert_eq!(round(100.0, 100.0, true).flaw(), Some(Flaw::Preempted));
    }

    #[test]
    fn samples_keep_three_digits() {
        let samples = Samples::of(&[200, 200, 400], 2.0, Ticks::from_per_ns(2.0));
        let histogram = samples.histogram();
        assert_eq!((histogram.len(), samples.count()), (3, 3));
        assert!((histogram.value_at_quantile(0.5) as f64 - 50_000.0).abs() < 50.0);
    }
}
