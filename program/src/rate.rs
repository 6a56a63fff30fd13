//! How many messages a second came during the last second.

use std::collections::VecDeque;

/// The time over which a rate is measured, in ns.
const SPAN: u64 = 1_000_000_000;

/// A rate over the last second, from counts that are looked at more often than that.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    /// Times in ns and counts, the oldest first.
    looks: VecDeque<(u64, u64)>,
}

impl Rate {
    /// Notes a count at a time in ns, and returns the rate per second; `None` at the first look. Starts anew if the clock
    /// was set back.
    pub fn update(&mut self, now: u64, count: u64) -> Option<f64> {
        if self.looks.back().is_some_and(|&(last, _)| now < last) {
            self.looks.clear();
        }
        // One look stays that is a second old, or older if none came in between.
        while self.looks.get(1).is_some_and(|&(second, _)| now - second >= SPAN) {
            self.looks.pop_front();
        }
        self.looks.push_back((now, count));
        let &(since, before) = self.looks.front()?;
        let elapsed = now - since;
        (elapsed > 0).then(|| count.saturating_sub(before) as f64 * 1e9 / elapsed as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_rate_of_the_last_second() {
        let mut rate = Rate::default();
        let tenth = SPAN / 10;
        assert_eq!(rate.update(5 * SPAN, 70), None, "one look tells no rate");
        assert_eq!(rate.update(5 * SPAN + tenth, 170), Some(1_000.0));
        for look in 2..=10 {
            assert_eq!(rate.update(5 * SPAN + look * tenth, 70 + look * 100), Some(1_000.0));
        }
        // Then nothing: the rate falls to 0 within a second.
        let rates: Vec<f64> = (11..=20).map(|look| rate.update(5 * SPAN + look * tenth, 1_070).unwrap()).collect();
        assert!(rates.is_sorted_by(|a, b| a > b), "{rates:?}");
        assert_eq!(rates.last(), Some(&0.0));
        // After a pause between two looks, the rate is that of the pause.
        assert_eq!(rate.update(11 * SPAN, 2_070), Some(250.0));
        assert_eq!(rate.looks.len(), 2);
    }

    #[test]
    fn a_clock_that_was_set_back_starts_it_anew() {
        let mut rate = Rate::default();
        rate.update(5 * SPAN, 10);
        assert_eq!(rate.update(SPAN, 20), None);
        assert_eq!(rate.update(2 * SPAN, 27), Some(7.0));
        assert_eq!(rate.update(2 * SPAN, 27), Some(7.0), "twice at the same time");
    }
}
