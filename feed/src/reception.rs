//! Measurements of a subscriber: latency, backlog, lag, and how many messages it received live.

use hdrhistogram::Histogram;
use serde::Serialize;

/// The longest latency that the histogram can hold. A longer one counts as this; the maximum is kept apart and stays
/// exact.
const LONGEST_NS: u64 = u64::MAX >> 1;

/// Significant decimal digits of the percentiles.
const DIGITS: u8 = 3;

/// Percentiles of a latency in ns, to three digits; the maximum is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// Half of the messages took at most this.
    pub p50: u64,
    /// 90 % of the messages took at most this.
    pub p90: u64,
    /// 99 % of the messages took at most this.
    pub p99: u64,
    /// 99.9 % of the messages took at most this.
    #[serde(rename = "p99.9")]
    pub p99_9: u64,
    /// No message took longer.
    pub max: u64,
}

/// A histogram of latencies in ns.
#[derive(Clone, Debug)]
pub struct Latencies {
    histogram: Histogram<u64>,
    max: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        let histogram =
            Histogram::new_with_max(LONGEST_NS, DIGITS).expect("bounds and digits are in the allowed range");
        Latencies { histogram, max: 0 }
    }
}

impl Latencies {
    /// A histogram of two digits. Clearing it and asking it for percentiles takes microseconds, not tens of them.
    pub fn coarse() -> Self {
        let histogram = Histogram::new_with_max(LONGEST_NS, 2).expect("bounds and digits are in the allowed range");
        Latencies { histogram, max: 0 }
    }

    /// Adds one.
    pub fn add(&mut self, latency: u64) {
        self.max = self.max.max(latency);
        self.histogram.saturating_record(latency);
    }

    /// The percentiles; `None` if there is no latency.
    pub fn percentiles(&self) -> Option<Latency> {
        let quantile = |quantile| self.histogram.value_at_quantile(quantile).min(self.max);
        (!self.histogram.is_empty()).then(|| Latency {
            p50: quantile(0.5),
            p90: quantile(0.9),
            p99: quantile(0.99),
            p99_9: quantile(0.999),
            max: self.max,
        })
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.histogram.reset();
        self.max = 0;
    }
}

/// Measures latency, backlog, lag and live reception while a subscriber receives.
///
/// **Latency** is the time from a message's publish time to its receipt, by the wall clock; 0 if that was set back in
/// between. Only messages published after the subscriber joined have one.
///
/// **Backlog** are the messages that were published before the subscriber joined. They have an age, which says nothing
/// about delivery.
///
/// **Received live** is the number of messages received before the last one was published. It cannot be known while
/// receiving, because any message may be the last. So the published count `P` is observed after `r` received messages:
/// when `P` has risen, the `r` of the observation before was reached before the last message. The result is a lower
/// bound. It is exact if every receipt is observed, and otherwise too low by less than the distance of two
/// observations. A subscriber that finds nothing new knows `P` for free: it is the next sequence. One that is behind
/// reads it from the ring's header, which costs the publisher, and so only every 64 messages.
#[derive(Clone, Debug, Default)]
pub struct Reception {
    live: Latencies,
    backlog: u64,
    /// The greatest age of a message of the backlog.
    backlog_age: Option<u64>,
    lag_max: u64,
    /// The published count and the received count at the last observation.
    observed: (u64, u64),
    received_live: u64,
}

impl Reception {
    /// Counts a message published at `ts_publish`, after the subscriber joined, and received at `now`, ns since 1970.
    pub fn add(&mut self, ts_publish: u64, now: u64) {
        self.live.add(now.saturating_sub(ts_publish));
    }

    /// Counts a message of the backlog: published at `ts_publish`, before the subscriber joined at `joined`, ns since
    /// 1970.
    pub fn add_backlog(&mut self, ts_publish: u64, joined: u64) {
        self.backlog += 1;
        self.backlog_age = self.backlog_age.max(Some(joined.saturating_sub(ts_publish)));
    }

    /// Counts a record of the backlog, which has no publish time.
    pub fn add_undated_backlog(&mut self) {
        self.backlog += 1;
    }

    /// Notes that `published` messages were published when `received` were received and `lag` were left to receive.
    pub fn observe(&mut self, published: u64, received: u64, lag: u64) {
        self.lag_max = self.lag_max.max(lag);
        if published > self.observed.0 {
            self.received_live = self.observed.1;
        }
        self.observed = (published.max(self.observed.0), received);
    }

    /// The latency's percentiles; `None` if no message but those of the backlog was received.
    pub fn latency(&self) -> Option<Latency> {
        self.live.percentiles()
    }

    /// The number of messages received of the backlog.
    pub fn backlog(&self) -> u64 {
        self.backlog
    }

    /// The age in ns that the oldest of them had when the subscriber joined; `None` if there was none.
    pub fn backlog_age(&self) -> Option<u64> {
        self.backlog_age
    }

    /// The largest lag observed, in messages.
    pub fn lag_max(&self) -> u64 {
        self.lag_max
    }

    /// The number of messages received before the last one was published: a lower bound.
    pub fn received_live(&self) -> u64 {
        self.received_live
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_what_was_added() {
        let mut reception = Reception::default();
        assert_eq!(reception.latency(), None);
        (1..=1_000).for_each(|latency| reception.add(500, 500 + latency));
        let latency = reception.latency().unwrap();
        assert_eq!((latency.p50, latency.p90, latency.p99, latency.p99_9), (500, 900, 990, 999));
        assert_eq!(latency.max, 1_000);
        reception.add(10, 5);
        reception.add(0, u64::MAX);
        assert_eq!(reception.latency().unwrap().max, u64::MAX);
    }

    #[test]
    fn a_coarse_histogram_has_two_digits() {
        let mut latencies = Latencies::coarse();
        (1..=1_000).for_each(|latency| latencies.add(1_000 * latency));
        let latency = latencies.percentiles().unwrap();
        assert!(latency.p50.abs_diff(500_000) <= 5_000 && latency.p99.abs_diff(990_000) <= 9_900, "{latency:?}");
        assert_eq!(latency.max, 1_000_000);
    }

    #[test]
    fn latencies_can_be_forgotten() {
        let mut latencies = Latencies::default();
        latencies.add(7);
        latencies.clear();
        assert_eq!(latencies.percentiles(), None);
        latencies.add(3);
        assert_eq!(latencies.percentiles().unwrap(), Latency { p50: 3, p90: 3, p99: 3, p99_9: 3, max: 3 });
    }

    #[test]
    fn a_backlog_has_an_age_and_no_latency() {
        let mut reception = Reception::default();
        assert_eq!((reception.backlog(), reception.backlog_age()), (0, None));
        [400, 100, 999].iter().for_each(|&ts_publish| reception.add_backlog(ts_publish, 1_000));
        assert_eq!((reception.backlog(), reception.backlog_age(), reception.latency()), (3, Some(900), None));
        reception.add(1_000, 1_002);
        assert_eq!(reception.latency().unwrap().max, 2);
    }

    #[test]
    fn a_subscriber_that_keeps_up_received_all_but_the_last_live() {
        let mut reception = Reception::default();
        for n in 0..10 {
            // At n there is nothing new; then message n arrives.
            reception.observe(n, n, 0);
        }
        // Message 9, then nothing more, then the close.
        reception.observe(10, 10, 0);
        reception.observe(10, 10, 0);
        assert_eq!(reception.received_live(), 9);
    }

    #[test]
    fn messages_received_after_the_last_publish_are_not_live() {
        let mut reception = Reception::default();
        reception.observe(50, 1, 49);
        reception.observe(100, 40, 60);
        // All 100 were published when 40 had been received. The first is certainly live; those after the 40th are
        // certainly not.
        reception.observe(100, 80, 20);
        reception.observe(100, 100, 0);
        assert_eq!((reception.received_live(), reception.lag_max()), (1, 60));
    }

    #[test]
    fn a_subscriber_that_came_late_received_nothing_live() {
        let mut reception = Reception::default();
        for received in 0..=100 {
            reception.observe(100, received, 100 - received);
        }
        assert_eq!(reception.received_live(), 0);
    }

    #[test]
    fn a_count_that_is_read_late_does_not_go_back() {
        let mut reception = Reception::default();
        reception.observe(10, 10, 0);
        reception.observe(8, 12, 0);
        reception.observe(10, 13, 0);
        assert_eq!(reception.received_live(), 0);
        reception.observe(11, 14, 0);
        assert_eq!(reception.received_live(), 13);
    }
}
