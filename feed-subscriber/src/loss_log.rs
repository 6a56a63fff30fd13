//! LossLog for the log: at most one line a second, with the number of messages lost since the line before.

use std::time::{Duration, Instant};

/// The time between two lines.
const INTERVAL: Duration = Duration::from_secs(1);

/// The losses that are not in the log yet.
#[derive(Debug, Default)]
pub(crate) struct LossLog {
    pending: u64,
    last: Option<Instant>,
}

impl LossLog {
    /// Adds a loss of this many messages.
    pub(crate) fn add(&mut self, missed: u64) {
        self.pending = self.pending.saturating_add(missed);
    }

    /// True if there are losses that are not in the log.
    pub(crate) fn is_pending(&self) -> bool {
        self.pending > 0
    }

    /// If a line is due, the losses to log. They count as logged then.
    pub(crate) fn due(&mut self, now: Instant) -> Option<u64> {
        let too_early = self.last.is_some_and(|last| now.saturating_duration_since(last) < INTERVAL);
        if too_early || self.pending == 0 {
            return None;
        }
        self.last = Some(now);
        self.take()
    }

    /// The losses that are not in the log, whether a line is due or not. They count as logged then.
    pub(crate) fn take(&mut self) -> Option<u64> {
        Some(std::mem::take(&mut self.pending)).filter(|&missed| missed > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_second_and_nothing_is_left_out() {
        let (mut losses, begun) = (LossLog::default(), Instant::now());
        let after = |millis| begun + Duration::from_millis(millis);
        assert_eq!(losses.due(begun), None);
        losses.add(3);
        assert_eq!((losses.is_pending(), losses.due(begun), losses.is_pending()), (true, Some(3), false));
        for millis in (0..1000).step_by(10) {
            losses.add(1);
            assert_eq!(losses.due(after(millis)), None);
        }
        assert_eq!(losses.due(after(1000)), Some(100));
        losses.add(7);
        assert_eq!((losses.due(after(1001)), losses.take(), losses.take()), (None, Some(7), None));
        assert_eq!(losses.due(after(5000)), None);
    }
}
