//! When each message is to be published: at once, at the pace of its event times, or at a constant rate.
//!
//! A paced message carries the time at which it *should* have been published, not the time at which a publisher that had
//! fallen behind got round to it. Latency counted from there includes the waiting behind the messages before it: nothing
//! is hidden by coordinated omission.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::clock::realtime_ns;
use crate::message::UNDEFINED_TIME;

/// A pace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As fast as possible.
    Max,
    /// By the event times, this many times as fast as they went by; greater than 0.
    Realtime(f64),
    /// So many messages per second; greater than 0.
    Rate(f64),
}

/// The moment at which a message is published; both ns since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The message's publish time: when it was due or, at [`Pace::Max`], now.
    pub ts_publish: u64,
    /// Now.
    pub now: u64,
}

/// Nearer than this a waiting publisher spins: a sleeping thread wakes up tens of microseconds late.
const SPIN: Duration = Duration::from_micros(150);

/// A sleep's longest piece: how late a stop may be noticed.
const NAP: Duration = Duration::from_millis(20);

/// Waits for each message's moment.
#[derive(Debug)]
pub struct Pacer {
    pace: Pace,
    /// When the first message was due, and its event time.
    start: Option<(Instant, Option<u64>)>,
    /// After the start, when the last message was due.
    due: Duration,
    messages: u64,
}

impl Pacer {
    /// Starts with the first message that is waited for.
    pub fn new(pace: Pace) -> Self {
        Pacer { pace, start: None, due: Duration::ZERO, messages: 0 }
    }

    /// Waits until the message with this event time is due. `None`: it was told to stop while it waited.
    ///
    /// A message whose event time lies before its predecessor's, or is undefined, is due with its predecessor.
    pub fn wait(&mut self, ts_event: u64, stop: &AtomicBool) -> Option<Moment> {
        if self.pace == Pace::Max {
            let now = realtime_ns();
            return Some(Moment { ts_publish: now, now });
        }
        let event = (ts_event != UNDEFINED_TIME).then_some(ts_event);
        let (start, first_event) = *self.start.get_or_insert_with(|| (Instant::now(), None));
        if first_event.is_none() {
            // Event times count from the first that is defined.
            self.start = Some((start, event));
        }
        let offset = offset(self.pace, self.messages, event.zip(first_event));
        self.due = self.due.max(offset);
        self.messages += 1;
        let late = wait_until(start + self.due, stop)?;
        // The wall clock may be set while we run; the schedule is kept by the other one, and only shown in this one.
        let now = realtime_ns();
        Some(Moment { ts_publish: now.saturating_sub(u64::try_from(late.as_nanos()).unwrap_or(u64::MAX)), now })
    }
}

/// How long after the start a message is due.
fn offset(pace: Pace, before_it: u64, event_and_first: Option<(u64, u64)>) -> Duration {
    // More than centuries: a Duration that an Instant can still be moved by.
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

/// Sleeps while it is far and spins when it is near; returns how long ago the moment is now, or `None` when stopped.
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
        // Held up for 30 ms: what was due 20 ms ago still says so.
        std::thread::sleep(Duration::from_millis(30));
        let held_up = pacer.wait(5_020_000_000, &GO).unwrap();
        assert_eq!(pacer.due, Duration::from_millis(20));
        assert!(held_up.now - held_up.ts_publish >= 20_000_000);
        // Back in time, and no time at all: due with the one before.
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
