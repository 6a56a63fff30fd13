//! Messages per second, from two surveys of a ring.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::snapshot::Snapshot;

/// The published counts of rings at the last survey, from which rates follow.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    known: HashMap<(String, String), Known>,
    /// The shortest time over which a rate is measured: surveys may follow each other faster.
    window: Duration,
}

/// A ring's published count when its rate was last measured, and that rate.
#[derive(Clone, Copy, Debug)]
struct Known {
    published: u64,
    at: Instant,
    rate: Option<f64>,
}

impl Rates {
    pub(crate) fn with_window(window: Duration) -> Self {
        Rates { known: HashMap::new(), window }
    }

    /// Sets the rate of each ring that was there before, and forgets rings that are gone.
    pub(crate) fn apply(&mut self, rings: &mut [Snapshot]) {
        self.apply_at(Instant::now(), rings);
    }

    fn apply_at(&mut self, now: Instant, rings: &mut [Snapshot]) {
        let mut before = std::mem::take(&mut self.known);
        for ring in rings {
            let key = (ring.name.clone(), ring.nonce.clone());
            let known = match before.remove(&key) {
                None => Known { published: ring.published, at: now, rate: None },
                Some(known) if now > known.at && now - known.at >= self.window => {
                    let messages = ring.published.saturating_sub(known.published) as f64;
                    let rate = Some(messages / (now - known.at).as_secs_f64());
                    Known { published: ring.published, at: now, rate }
                }
                Some(known) => known,
            };
            ring.rate = known.rate;
            self.known.insert(key, known);
        }
    }
}
