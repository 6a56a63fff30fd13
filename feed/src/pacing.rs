//! When each message is published: at once, at the pace of its event times, or at a constant rate.
//!
//! A paced message carries the time at which it was due, not the time at which a late publisher sent it. Latency from
//! the due time includes the wait behind earlier messages. Without that, a stalled publisher would hide latency
//! (coordinated omission).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::clock::realtime_ns;
use crate::message::UNDEFINED_TIME;

/// A pace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As fast as possible.
    Max,
    /// At this multiple of the speed of the event times; greater than 0.
    Realtime(f64),
    /// This many messages per second; greater than 0.
    Rate(f64),
}

/// When a message is published, in ns since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The publish time of the message: when it was due, or at [`Pace::Max`] the present time.
    pub ts_publish: u64,
    /// The present time.
    pub now: u64,
}

/// A publisher spins through the last 150 µs: a sleeping thread wakes up tens of microseconds late.
const SPIN: Duration = Duration::from_micros(150);

/// The longest sleep at a time: a stop is noticed this late.
const NAP: Duration = Duration::from_millis(20);

/// Waits until each message is due.
#[derive(Debug)]
pub struct Pacer {
    pace: Pace,
    /// When the first message was due, and the first event time that is defined.
    start: Option<(Instant, Option<u64>)>,
    /// The due time of the last message, counted from the start.
    due: Duration,
    messages: u64,
}

impl Pacer {
    /// A pacer whose schedule starts with the first message.
    pub fn new(pace: Pace) -> Self {
        Pacer { pace, start: None, due: Duration::ZERO, messages: 0 }
    }

    /// Waits until a message with this event time is due. Returns `None` if `stop` was set while it waited.
    ///
    /// A message is due together with the one before it if its event time is earlier or undefined.
    pub fn wait(&mut self, ts_event: u64, stop: &AtomicBool) -> Option<Moment> {
        if self.pace == Pace::Max {
            let now = realtime_ns();
            return Some(Moment { ts_publish: now, now });
        }
        let event = (ts_event != UNDEFINED_TIME).then_some(ts_event);
        let (start, first_event) = *self.start.get_or_insert_with(|| (Instant::now(), None));
        if first_event.is_none() {
            // The schedule counts from the first event time that is defined.
            self.start = Some((start, event));
        }
        let offset = offset(self.pace, self.messages, event.zip(first_event));
        self.due = self.due.max(offset);
        self.messages += 1;
        let late = wait_until(start + self.due, stop)?;
        // The schedule follows the monotonic clock. The wall clock may be set at any time, so the due time is derived
        // from now.
        let now = realtime_ns();
        Some(Moment { ts_publish: now.saturating_sub(u64::try_from(late.as_nanos()).unwrap_or(u64::MAX)), now })
    }
}

/// The due time of a message, counted from the start.
fn offset(pace: Pace, before_it: u64, event_and_first: Option<(u64, u64)>) -> Duration {
    // Three centuries: the longest duration that can still be added to an `Instant`.
    const LONGEST: f64 = 1e10;
    let seconds = match pace {
        Pace::Max => 0.0,
        Pace::Realtime(factor) => {
            event_and_first.map_or(0.0, |(event, first)| event.saturating_sub(first) as f64 / 1e9 / factor)
        }
        Pace::Rate(per_second) => before_it as f64 / per_second,
    };
    Duration::from_secs_f64(seconds.clamp(0.0, LONGEST))
}

/// Sleeps, then spins for the last [`SPIN`]. Returns how long ago `due` was, or `None` if stopped.
fn wait_until(due: Instant, stop: &AtomicBool) -> Option<Duration> {
    loop {
        let now = Instant::now();
        let Some(left) = due.checked_duration_since(now).filter(|left| !left.is_zero()) else {
            return Some(now - due);
        };
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        match left.checked_sub(SPIN) {
            Some(far) => std::thread::sleep(far.min(NAP)),
            None => std::hint::spin_loop(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static GO: AtomicBool = AtomicBool::new(false);

    #[test]
    fn offsets_follow_the_pace() {
        let at = |nanoseconds: u64| Some((1_000_000_000 + nanoseconds, 1_000_000_000));
        assert_eq!(offset(Pace::Realtime(1.0), 7, at(1_500_000_000)), Duration::from_millis(1_500));
        assert_eq!(offset(Pace::Realtime(10.0), 7, at(1_500_000_000)), Duration::from_millis(150));
        assert_eq!(offset(Pace::Realtime(1.0), 7, Some((5, 9))), Duration::ZERO);
        assert_eq!(offset(Pace::Realtime(1.0), 7, None), Duration::ZERO);
        assert_eq!(offset(Pace::Rate(1_000.0), 2_500, None), Duration::from_millis(2_500));
        assert!(offset(Pace::Realtime(1e-300), 0, Some((u64::MAX - 1, 0))) > Duration::from_secs(1_000_000_000));
    }

    #[test]
    fn a_rate_spaces_messages_exactly_and_none_is_early() {
        let mut pacer = Pacer::new(Pace::Rate(10_000.0));
        let started = Instant::now();
        for n in 0..50 {
            let Moment { ts_publish, now } = pacer.wait(0, &GO).unwrap();
            assert_eq!(pacer.due, Duration::from_micros(100) * n);
            assert!(started.elapsed() >= pacer.due);
            assert!(ts_publish <= now);
        }
    }

    #[test]
    fn late_messages_keep_the_time_they_were_due() {
        let mut pacer = Pacer::new(Pace::Realtime(1.0));
        pacer.wait(5_000_000_000, &GO).unwrap();
        pacer.wait(5_010_000_000, &GO).unwrap();
        // 30 ms late: a message that was due 20 ms ago still says so.
        std::thread::sleep(Duration::from_millis(30));
        let held_up = pacer.wait(5_020_000_000, &GO).unwrap();
        assert_eq!(pacer.due, Duration::from_millis(20));
        assert!(held_up.now - held_up.ts_publish >= 20_000_000);
        // An earlier event time, and none: due with the message before.
        for ts_event in [5_000_000_000, UNDEFINED_TIME] {
            let Moment { ts_publish, now } = pacer.wait(ts_event, &GO).unwrap();
            assert_eq!(pacer.due, Duration::from_millis(20));
            assert!(now - ts_publish >= 20_000_000);
        }
    }

    #[test]
    fn an_undefined_first_time_does_not_spoil_the_schedule() {
        let mut pacer = Pacer::new(Pace::Realtime(1.0));
        pacer.wait(UNDEFINED_TIME, &GO).unwrap();
        pacer.wait(5_000_000_000, &GO).unwrap();
        assert_eq!(pacer.due, Duration::ZERO);
        pacer.wait(5_001_000_000, &GO).unwrap();
        assert_eq!(pacer.due, Duration::from_millis(1));
    }

    #[test]
    fn a_stop_ends_the_waiting() {
        let stop = AtomicBool::new(true);
        let mut pacer = Pacer::new(Pace::Realtime(1.0));
        assert!(pacer.wait(0, &stop).is_some(), "what is due at once is not held back");
        assert_eq!(pacer.wait(3_600_000_000_000, &stop), None);
    }
}
