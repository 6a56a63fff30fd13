//! Capture times as the time of a replay: gaps that are cut, and times that run backwards.

use std::time::Duration;

/// Gaps that were cut.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cuts {
    /// How many.
    pub count: u64,
    /// The capture time that was not waited for, in ns.
    pub nanoseconds: u64,
}

/// Adds up how long a replay lasts.
///
/// A time that is earlier than the one before is due with it, and nothing that was waited for is waited for again: a
/// clock that jumps to and fro, or one wrong time among right ones, costs one gap.
#[derive(Debug)]
pub(super) struct Timeline {
    /// Capture time passes this much faster than the replay.
    factor: f64,
    /// The longest wait for one message.
    limit: Option<Duration>,
    /// The time from which the next gap counts, and the latest time so far.
    heads: Option<(u64, u64)>,
    /// Capture time in ns that was not cut.
    played: u64,
    /// What is waited for in place of what was cut.
    instead: Duration,
    cuts: Cuts,
}

/// Three centuries: the longest duration that can still be added to an `Instant`.
const LONGEST: Duration = Duration::from_secs(10_000_000_000);

impl Timeline {
    pub(super) fn new(factor: f64, limit: Option<Duration>) -> Self {
        Timeline { factor, limit, heads: None, played: 0, instead: Duration::ZERO, cuts: Cuts::default() }
    }

    pub(super) fn cuts(&self) -> Cuts {
        self.cuts
    }

    /// The time since the first message at which one with this capture time is due; and the gap before it, if it was cut.
    pub(super) fn due(&mut self, time: Option<u64>) -> (Duration, Option<Duration>) {
        let cut = time.and_then(|time| self.advance(time));
        (self.replayed(self.played).saturating_add(self.instead).min(LONGEST), cut)
    }

    /// Moves on to this time. Returns the gap before it, if it was cut.
    fn advance(&mut self, time: u64) -> Option<Duration> {
        let (present, latest) = *self.heads.get_or_insert((time, time));
        if time <= present {
            // A little earlier, as where several clocks are merged: the gaps go on from the later one. Far earlier: another
            // session, or back from one wrong time.
            let far = self.limit.is_some_and(|limit| self.replayed(present - time) > limit);
            self.heads = Some((if far { time } else { present }, latest));
            return None;
        }
        self.heads = Some((time, latest.max(time)));
        let gap = time - present;
        match self.limit {
            Some(limit) if self.replayed(gap) > limit => {
                let waited = self.replayed(time.saturating_sub(latest)).min(limit);
                self.instead = self.instead.saturating_add(waited);
                self.cuts.count += 1;
                let played = (waited.as_nanos() as f64 * self.factor) as u64;
                self.cuts.nanoseconds = self.cuts.nanoseconds.saturating_add(gap.saturating_sub(played));
                Some(Duration::from_nanos(gap))
            }
            _ => {
                self.played = self.played.saturating_add(gap);
                None
            }
        }
    }

    /// How long so much capture time takes to replay.
    fn replayed(&self, nanoseconds: u64) -> Duration {
        if self.factor == 1.0 {
            return Duration::from_nanos(nanoseconds);
        }
        Duration::try_from_secs_f64(nanoseconds as f64 / 1e9 / self.factor).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const S: u64 = 1_000_000_000;
    const DAY: u64 = 24 * 3_600 * S;

    /// When messages with these times, in s, are due, in s; the number of gaps cut, and their seconds.
    fn due(factor: f64, limit: u64, times: &[u64]) -> (Vec<f64>, u64, u64) {
        let limit = (limit > 0).then_some(Duration::from_secs(limit));
        let mut timeline = Timeline::new(factor, limit);
        let due = times.iter().map(|&time| timeline.due((time != u64::MAX).then(|| time * S)).0.as_secs_f64());
        let due = due.collect();
        (due, timeline.cuts().count, timeline.cuts().nanoseconds / S)
    }

    #[test]
    fn gaps_up_to_the_limit_are_waited_for_and_longer_ones_cut() {
        assert_eq!(due(1.0, 5, &[100, 101, 106, 112, 113]), (vec![0.0, 1.0, 6.0, 11.0, 12.0], 1, 1));
        assert_eq!(due(1.0, 0, &[100, 101, 100_101]), (vec![0.0, 1.0, 100_001.0], 0, 0));
        // The limit is of the wait, so a factor moves it.
        assert_eq!(due(10.0, 5, &[0, 50, 110]), (vec![0.0, 5.0, 10.0], 1, 10));
        assert_eq!(due(0.5, 5, &[0, 2, 5]), (vec![0.0, 4.0, 9.0], 1, 0));
        assert_eq!(due(1e-300, 5, &[0, 1, 2]).0, [0.0, 5.0, 10.0]);
    }

    #[test]
    fn times_without_a_value_and_earlier_times_are_due_with_the_one_before() {
        assert_eq!(due(1.0, 5, &[u64::MAX, 100, u64::MAX, 101, 99, 100, 102]).0, [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 2.0]);
        assert_eq!(due(1.0, 0, &[100, 101, 50, 51, 102]).0, [0.0, 1.0, 1.0, 1.0, 2.0]);
    }

    #[test]
    fn one_wrong_time_costs_one_gap_and_the_pace_goes_on() {
        assert_eq!(due(1.0, 5, &[100, 1_000_000, 101, 102]).0, [0.0, 5.0, 5.0, 6.0]);
        assert_eq!(due(1.0, 5, &[100, 2, 101, 102]).0, [0.0, 0.0, 1.0, 2.0]);
    }

    #[test]
    fn another_session_is_paced_by_its_own_times() {
        assert_eq!(due(1.0, 5, &[100, 101, 40, 41, 44]).0, [0.0, 1.0, 1.0, 2.0, 5.0]);
    }

    #[test]
    fn two_clocks_that_take_turns_are_waited_for_once() {
        let times: Vec<u64> = (0..1_000).map(|n| if n % 2 == 0 { 100 } else { 500_000 }).collect();
        assert_eq!(due(1.0, 5, &times).0.last(), Some(&5.0));
    }

    proptest! {
        #[test]
        fn no_message_waits_longer_than_the_limit_and_none_is_due_before_another(
            times in prop::collection::vec(
                prop_oneof![any::<u64>(), 0..20 * S, 40 * DAY..41 * DAY].prop_map(Some).boxed(), 1..60,
            ),
            factor in prop_oneof![Just(1.0), Just(10.0), Just(0.01), Just(1e-300), Just(1e300)],
        ) {
            let limit = Duration::from_secs(5);
            let mut timeline = Timeline::new(factor, Some(limit));
            let mut before = Duration::ZERO;
            for time in times {
                let (due, _) = timeline.due(time);
                prop_assert!(due >= before && due - before <= limit + Duration::from_micros(1), "{due:?} after {before:?}");
                before = due;
            }
        }
    }
}
