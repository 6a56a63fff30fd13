//! Messages per second, from two snapshots of a ring.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::snapshot::Snapshot;

/// Where rings were when they were last looked at: tells their rates.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    known: HashMap<(String, String), Known>,
    /// The rate is that of at least so long: looks may come closer upon each other.
    window: Duration,
}

/// Where a ring was when its rate was last told, and the rate.
#[derive(Clone, Copy, Debug)]
struct Known {
    published: u64,
    then: Instant,
    rate: Option<f64>,
}

impl Rates {
    pub(crate) fn over(window: Duration) -> Self {
        Rates { known: HashMap::new(), window }
    }

    /// Fills in the rate of each ring that was there before, and forgets those that are gone.
    pub(crate) fn apply(&mut self, rings: &mut [Snapshot]) {
        self.apply_at(Instant::now(), rings);
    }

    fn apply_at(&mut self, now: Instant, rings: &mut [Snapshot]) {
        let mut before = std::mem::take(&mut self.known);
        for ring in rings {
            let key = (ring.name.clone(), ring.nonce.clone());
            let known = match before.remove(&key) {
                None => Known { published: ring.published, then: now, rate: None },
                Some(known) if now > known.then && now - known.then >= self.window => {
                    let messages = ring.published.saturating_sub(known.published) as f64;
                    let rate = Some(messages / (now - known.then).as_secs_f64());
                    Known { published: ring.published, then: now, rate }
                }
                Some(known) => known,
            };
            ring.rate = known.rate;
            self.known.insert(key, known);
        }
    }
}
