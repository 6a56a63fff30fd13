//! When each message is published: at once, at the pace of the capture, or at a constant rate.
//!
//! The pace is that of the capture times, where a format has them: event times stand still or jump in snapshots, whose
//! orders carry the time at which they were entered. A gap can be cut to a limit, so that a night without events, or a
//! wrong time, does not silence the feed.
//!
//! A paced message carries the time at which it was due, not the time at which a late publisher sent it. Latency from
//! the due time includes the wait behind earlier messages. Without that, a stalled publisher would hide latency
//! (coordinated omission).

mod timeline;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub use self::timeline::Cuts;
use self::timeline::Timeline;
use crate::clock::realtime_ns;

/// A pace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As fast as possible.
    Max,
    /// At this multiple of the speed of the capture times; greater than 0.
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

/// A wait that is at least this long is told of.
const LONG: Duration = Duration::from_secs(1);

/// Waits until each message is due.
#[derive(Debug)]
pub struct Pacer {
    pace: Pace,
    timeline: Timeline,
    /// When the first message was due.
    start: Option<Instant>,
    /// The due time of the last message, counted from the start.
    due: Duration,
    messages: u64,
}

impl Pacer {
    /// A pacer whose schedule starts with the first message. Paced by the capture, it waits at most `max_gap` for one
    /// message.
    pub fn new(pace: Pace, max_gap: Option<Duration>) -> Self {
        let factor = if let Pace::Realtime(factor) = pace { factor } else { 1.0 };
        Pacer { pace, timeline: Timeline::new(factor, max_gap), start: None, due: Duration::ZERO, messages: 0 }
    }

    /// Schedules the next message by its capture time; `None` if it has none that can be. Returns the gap before it, if it
    /// was cut.
    ///
    /// A message is due together with the one before it if its capture time is earlier or not known.
    #[inline]
    pub fn schedule(&mut self, captured: Option<u64>) -> Option<Duration> {
        let cut = match self.pace {
            Pace::Max => None,
            Pace::Realtime(_) => {
                let (due, cut) = self.timeline.due(captured);
                self.due = self.due.max(due);
                cut
            }
            Pace::Rate(per_second) => {
                self.due =
                    Duration::try_from_secs_f64(self.messages as f64 / per_second).unwrap_or(LONGEST).min(LONGEST);
                None
            }
        };
        self.messages += 1;
        cut
    }

    /// The gaps that were cut so far.
    pub fn cuts(&self) -> Cuts {
        self.timeline.cuts()
    }

    /// Waits until the scheduled message is due. Returns `None` if `stop` was set while it waited. Calls `waiting` again
    /// and again with what is left of a wait of a second or more.
    pub fn wait(&mut self, stop: &AtomicBool, waiting: impl FnMut(Duration)) -> Option<Moment> {
        if self.pace == Pace::Max {
            let now = realtime_ns();
            return Some(Moment { ts_publish: now, now });
        }
        let start = *self.start.get_or_insert_with(Instant::now);
        let late = wait_until(start + self.due, stop, waiting)?;
        // The schedule follows the monotonic clock. The wall clock may be set at any time, so the due time is derived
        // from now.
        let now = realtime_ns();
        Some(Moment { ts_publish: now.saturating_sub(u64::try_from(late.as_nanos()).unwrap_or(u64::MAX)), now })
    }
}

/// Three centuries: the longest duration that can still be added to an `Instant`.
const LONGEST: Duration = Duration::from_secs(10_000_000_000);

/// Sleeps, then spins for the last [`SPIN`]. Returns how long ago `due` was, or `None` if stopped.
fn wait_until(due: Instant, stop: &AtomicBool, mut waiting: impl FnMut(Duration)) -> Option<Duration> {
    loop {
        let now = Instant::now();
        let Some(left) = due.checked_duration_since(now).filter(|left| !left.is_zero()) else {
            return Some(now - due);
        };
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        if left >= LONG {
            waiting(left);
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

    fn realtime() -> Pacer {
        Pacer::new(Pace::Realtime(1.0), None)
    }

    fn wait(pacer: &mut Pacer, captured: Option<u64>) -> Option<Moment> {
        pacer.schedule(captured);
        pacer.wait(&GO, |left| panic!("{left:?} is long"))
    }

    #[test]
    fn schedules_follow_the_pace() {
        for (pace, expected) in [
            (Pace::Realtime(1.0), Duration::from_millis(1_500)),
            (Pace::Realtime(10.0), Duration::from_millis(150)),
            (Pace::Rate(1_000.0), Duration::from_millis(1)),
            (Pace::Max, Duration::ZERO),
        ] {
            let mut pacer = Pacer::new(pace, None);
            pacer.schedule(Some(1_000_000_000));
            pacer.schedule(Some(2_500_000_000));
            assert_eq!(pacer.due, expected, "{pace:?}");
        }
        for pace in [Pace::Realtime(1e-300), Pace::Rate(1e-300)] {
            let mut pacer = Pacer::new(pace, None);
            pacer.schedule(Some(0));
            pacer.schedule(Some(u64::MAX));
            assert_eq!(pacer.due, LONGEST);
        }
    }

    #[test]
    fn a_rate_spaces_messages_exactly_and_none_is_early() {
        let mut pacer = Pacer::new(Pace::Rate(10_000.0), None);
        let started = Instant::now();
        for n in 0..50 {
            let Moment { ts_publish, now } = wait(&mut pacer, None).unwrap();
            assert_eq!(pacer.due, Duration::from_micros(100) * n);
            assert!(started.elapsed() >= pacer.due);
            assert!(ts_publish <= now);
        }
    }

    #[test]
    fn late_messages_keep_the_time_they_were_due() {
        let mut pacer = realtime();
        wait(&mut pacer, Some(5_000_000_000)).unwrap();
        wait(&mut pacer, Some(5_010_000_000)).unwrap();
        // 30 ms late: a message that was due 20 ms ago still says so.
        std::thread::sleep(Duration::from_millis(30));
        let held_up = wait(&mut pacer, Some(5_020_000_000)).unwrap();
        assert_eq!(pacer.due, Duration::from_millis(20));
        assert!(held_up.now - held_up.ts_publish >= 20_000_000);
        // An earlier time, and none: due with the message before.
        for captured in [Some(5_000_000_000), None] {
            let Moment { ts_publish, now } = wait(&mut pacer, captured).unwrap();
            assert_eq!(pacer.due, Duration::from_millis(20));
            assert!(now - ts_publish >= 20_000_000);
        }
    }

    #[test]
    fn a_first_message_without_a_time_does_not_spoil_the_schedule() {
        let mut pacer = realtime();
        wait(&mut pacer, None).unwrap();
        wait(&mut pacer, Some(5_000_000_000)).unwrap();
        assert_eq!(pacer.due, Duration::ZERO);
        wait(&mut pacer, Some(5_001_000_000)).unwrap();
        assert_eq!(pacer.due, Duration::from_millis(1));
    }

    #[test]
    fn a_gap_that_is_cut_is_told_of_before_the_wait() {
        let mut pacer = Pacer::new(Pace::Realtime(1.0), Some(Duration::from_millis(10)));
        assert_eq!(pacer.schedule(Some(0)), None);
        assert_eq!(pacer.schedule(Some(5_000_000)), None);
        assert_eq!(pacer.schedule(Some(3_600_005_000_000)), Some(Duration::from_secs(3_600)));
        assert_eq!(pacer.due, Duration::from_millis(15));
        assert_eq!(pacer.cuts(), Cuts { count: 1, nanoseconds: 3_599_990_000_000 });
    }

    #[test]
    fn a_stop_ends_the_waiting_and_a_long_wait_is_told_of() {
        let stop = AtomicBool::new(true);
        let mut pacer = realtime();
        pacer.schedule(Some(0));
        assert!(pacer.wait(&stop, |_| ()).is_some(), "what is due at once is not held back");
        pacer.schedule(Some(3_600_000_000_000));
        assert_eq!(pacer.wait(&stop, |_| ()), None);
        stop.store(false, Ordering::Relaxed);
        let mut told = Vec::new();
        let ended = pacer.wait(&stop, |left| {
            told.push(left);
            stop.store(told.len() == 3, Ordering::Relaxed);
        });
        assert_eq!(ended, None);
        assert!(told[0] <= Duration::from_secs(3_600) && told[2] > Duration::from_secs(3_590), "{told:?}");
        assert!(told[2] < told[0], "{told:?}");
    }
}
