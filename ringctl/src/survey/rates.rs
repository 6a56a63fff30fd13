//! Messages or stores per second, from two surveys.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::snapshot::Snapshot;
use super::table::TableSnapshot;

/// What has a rate: a ring or a table.
pub(crate) trait Counted {
    /// Name and nonce, which no two have in common.
    fn key(&self) -> (String, String);
    /// The messages published, or the stores.
    fn count(&self) -> u64;
    fn set_rate(&mut self, rate: Option<f64>);
}

impl Counted for Snapshot {
    fn key(&self) -> (String, String) {
        (self.name.clone(), self.nonce.clone())
    }

    fn count(&self) -> u64 {
        self.published
    }

    fn set_rate(&mut self, rate: Option<f64>) {
        self.rate = rate;
    }
}

impl Counted for TableSnapshot {
    fn key(&self) -> (String, String) {
        (self.name.clone(), self.nonce.clone())
    }

    fn count(&self) -> u64 {
        self.stores
    }

    fn set_rate(&mut self, rate: Option<f64>) {
        self.rate = rate;
    }
}

/// The counts of rings or tables at the last survey, from which rates follow.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    known: HashMap<(String, String), Known>,
    /// The shortest time over which a rate is measured: surveys may follow each other faster.
    window: Duration,
}

/// A count when its rate was last measured, and that rate.
#[derive(Clone, Copy, Debug)]
struct Known {
    count: u64,
    at: Instant,
    rate: Option<f64>,
}

impl Rates {
    pub(crate) fn with_window(window: Duration) -> Self {
        Rates { known: HashMap::new(), window }
    }

    /// Sets the rate of each that was there before, and forgets those that are gone.
    pub(crate) fn apply<T: Counted>(&mut self, found: &mut [T]) {
        self.apply_at(Instant::now(), found);
    }

    fn apply_at<T: Counted>(&mut self, now: Instant, found: &mut [T]) {
        let mut before = std::mem::take(&mut self.known);
        for each in found {
            let (key, count) = (each.key(), each.count());
            let known = match before.remove(&key) {
                None => Known { count, at: now, rate: None },
                Some(known) if now > known.at && now - known.at >= self.window => {
                    let rate = count.saturating_sub(known.count) as f64 / (now - known.at).as_secs_f64();
                    Known { count, at: now, rate: Some(rate) }
                }
                Some(known) => known,
            };
            each.set_rate(known.rate);
            self.known.insert(key, known);
        }
    }
}
