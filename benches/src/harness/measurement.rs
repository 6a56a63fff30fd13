//! One measurement to one contender: how long each round lasts, and what the rounds found.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::clock::Ticks;

/// What a measurement does and for how long.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// Messages whose every word is checked, one by one and again in a burst, before anything is timed.
    pub checked: u64,
    /// Each calibration.
    pub calibration: Duration,
    /// Ping-pong timed in batches: the latency.
    pub ping: Duration,
    /// Ping-pong timed one by one: its percentiles.
    pub single: Duration,
    /// Intervals of the paced rounds.
    pub paced: Vec<Duration>,
    /// Each paced round.
    pub paced_for: Duration,
    /// The saturated stream.
    pub stream: Duration,
    /// Publishing without a reader.
    pub alone: Duration,
}

impl Plan {
    /// Rounds for a full report.
    pub fn full() -> Self {
        Self {
            checked: 1_000,
            calibration: Duration::from_micros(1_500),
            ping: Duration::from_millis(15),
            single: Duration::from_millis(20),
            // The last is long enough for a blocking subscriber to sleep in between.
            paced: [1, 10, 100].map(Duration::from_micros).to_vec(),
            paced_for: Duration::from_millis(15),
            stream: Duration::from_millis(20),
            alone: Duration::from_millis(10),
        }
    }

    /// Shorter rounds, for a report within a minute.
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

    /// Just enough to see that everything works; the times mean nothing.
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

/// What one round found, between its two calibrations.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Round<T> {
    /// c2c before it, in ns.
    pub before: f64,
    /// c2c after it, in ns.
    pub after: f64,
    /// Whether the kernel took the core away from either side.
    pub preempted: bool,
    /// What it found.
    pub value: T,
}

impl<T> Round<T> {
    /// Whether the machine was the same before and after, at most so much apart, and ours all the time.
    pub fn is_steady(&self, tolerance: f64) -> bool {
        !self.preempted && (self.before - self.after).abs() <= tolerance * self.before.min(self.after)
    }

    /// c2c during the round, in ns.
    pub fn c2c(&self) -> f64 {
        (self.before + self.after) / 2.0
    }
}

/// Everything one measurement found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measurement {
    /// One way by ping-pong in ns: half the round trip, the median over batches.
    pub ping: Round<f64>,
    /// One way by ping-pong, each round trip for itself.
    pub single: Round<Samples>,
    /// From stamp to receipt at a steady pace.
    pub paced: Vec<Round<Paced>>,
    /// The saturated stream.
    pub stream: Round<Stream>,
    /// Publishing without a reader, ns per message; none where the publisher waits for readers.
    pub alone: Option<Round<f64>>,
}

impl Measurement {
    /// Whether each round was preempted, in order.
    pub fn preempted(&mut self) -> Vec<&mut bool> {
        let mut flags = vec![&mut self.ping.preempted, &mut self.single.preempted];
        flags.extend(self.paced.iter_mut().map(|round| &mut round.preempted));
        flags.push(&mut self.stream.preempted);
        flags.extend(self.alone.as_mut().map(|round| &mut round.preempted));
        flags
    }
}

/// A paced round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Paced {
    /// Between two messages, in ns.
    pub interval: f64,
    /// Whether the publisher kept the pace; if not, the latencies contain the backlog.
    pub kept_pace: bool,
    /// From the time a message should have left to its receipt.
    pub samples: Samples,
}

/// A saturated stream.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Stream {
    /// ns per message for the publisher.
    pub publish: f64,
    /// Messages sent.
    pub sent: u64,
    /// Messages received.
    pub received: u64,
    /// Received per second, from the first to the last.
    pub per_second: f64,
}

/// What the subscriber found out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SubscriberResults {
    /// The samples of each paced round.
    pub paced: Vec<Samples>,
    /// Received in the stream.
    pub received: u64,
    /// Received per second in the stream.
    pub per_second: f64,
    /// Whether the subscriber was preempted, for each round in order.
    pub preempted: Vec<bool>,
}

/// Times in picoseconds with how often they came, to three digits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Samples(Vec<(u64, u64)>);

impl Samples {
    /// Of raw ticks, each divided by `parts`.
    pub fn of(raw: &[u64], parts: f64, ticks: Ticks) -> Self {
        let mut histogram = empty();
        for &sample in raw {
            histogram.saturating_record((ticks.ns(sample as f64) / parts * 1000.0) as u64);
        }
        Self(histogram.iter_recorded().map(|at| (at.value_iterated_to(), at.count_at_value())).collect())
    }

    /// Adds them to a histogram of picoseconds.
    pub fn add_to(&self, histogram: &mut Histogram<u64>) {
        for &(value, count) in &self.0 {
            histogram.saturating_record_n(value, count);
        }
    }

    /// As a histogram of picoseconds.
    pub fn histogram(&self) -> Histogram<u64> {
        let mut histogram = empty();
        self.add_to(&mut histogram);
        histogram
    }
}

/// A histogram of picoseconds up to ten seconds, to three digits.
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
