//! The counts of rings or tables over time: at what rate they grow, and since when they have not.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::survey::{Counted, Rates};

/// Name and nonce, which no two have in common.
type Key = (String, String);

/// The counts of all rings, or of all tables.
#[derive(Debug)]
pub(super) struct Series {
    rates: Rates,
    /// The count, and when it was first seen.
    seen: HashMap<Key, (u64, Instant)>,
}

impl Series {
    /// `window` is the shortest time over which a rate is measured: two scrapes may follow each other faster.
    pub(super) fn with_window(window: Duration) -> Self {
        Series { rates: Rates::with_window(window), seen: HashMap::new() }
    }

    /// Adds a survey, and sets the rates in it. Calls `appeared` for what is new, and `vanished` with name and last count for
    /// what is no longer there. If the survey is not of everything, what is not in it may still be there.
    pub(super) fn add<T: Counted>(
        &mut self,
        found: &mut [T],
        is_whole: bool,
        appeared: impl Fn(&T),
        vanished: impl Fn(&str, u64),
    ) {
        self.rates.apply(found);
        let (now, mut seen) = (Instant::now(), HashMap::new());
        for each in found {
            let (key, count) = (each.key(), each.count());
            let before = self.seen.remove(&key);
            if before.is_none() {
                appeared(each);
            }
            seen.insert(key, before.filter(|before| before.0 == count).unwrap_or((count, now)));
        }
        match is_whole {
            true => self.seen.iter().for_each(|((name, _), (count, _))| vanished(name, *count)),
            false => seen.extend(self.seen.drain()),
        }
        self.seen = seen;
    }

    /// How long the count of one of the last survey has been what it is.
    pub(super) fn age<T: Counted>(&self, of: &T) -> Option<Duration> {
        self.seen.get(&of.key()).map(|(_, since)| since.elapsed())
    }
}
