//! One measurement of one contender: the length of its rounds, and their results.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::clock::Ticks;

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
            ..Self::full()
        }
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
    /// The result.
    pub value: T,
}

impl<T> Round<T> {
    /// Whether the round counts: c2c changed by at most the fraction `tolerance`, and neither side lost its core.
    pub fn is_steady(&self, tolerance: f64) -> bool {
        !self.preempted && (self.before - self.after).abs() <= tolerance * self.before.min(self.after)
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

impl Measurement {
    /// The `preempted` flags of all rounds, in the order of the rounds.
    pub fn preempted(&mut self) -> Vec<&mut bool> {
        let mut flags = vec![&mut self.ping.preempted, &mut self.single.preempted];
        flags.extend(self.paced.iter_mut().map(|round| &mut round.preempted));
        flags.push(&mut self.stream.preempted);
        flags.extend(self.alone.as_mut().map(|round| &mut round.preempted));
        flags
    }
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
    /// Whether the subscriber lost its core, for each round in the order of the rounds.
    pub preempted: Vec<bool>,
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
    fn a_round_is_steady_within_the_tolerance() {
        let round = |before, after| Round { before, after, preempted: false, value: () };
        assert!(round(100.0, 115.0).is_steady(0.15));
        assert!(!round(100.0, 116.0).is_steady(0.15));
        assert!(!round(116.0, 100.0).is_steady(0.15));
    }

    #[test]
    fn samples_keep_three_digits() {
        let samples = Samples::of(&[200, 200, 400], 2.0, Ticks::from_per_ns(2.0));
        let histogram = samples.histogram();
        assert_eq!(histogram.len(), 3);
        assert!((histogram.value_at_quantile(0.5) as f64 - 50_000.0).abs() < 50.0);
    }
}
