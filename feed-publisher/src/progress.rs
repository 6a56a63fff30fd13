//! A progress bar on standard error, if that is a terminal.

use std::fmt::Display;
use std::time::Duration;

use feed::clock::realtime_ns;
use feed_program::say::say;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The time between two drawings in ns.
const INTERVAL: u64 = 100_000_000;

/// What the run counts towards its end.
enum Goal {
    Messages(u64),
    Bytes(u64),
    Unknown,
}

/// A bar that counts messages towards `--count`, or bytes towards the size of the input.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    goal: Goal,
    next: u64,
}

impl Progress {
    /// A bar towards `count` messages or else towards `bytes` of input. Hidden unless standard error is a terminal.
    pub(crate) fn new(count: Option<u64>, bytes: Option<u64>) -> Self {
        let goal = match (count, bytes) {
            (Some(count), _) => Goal::Messages(count),
            (None, Some(bytes)) => Goal::Bytes(bytes),
            (None, None) => Goal::Unknown,
        };
        let target = ProgressDrawTarget::stderr();
        if target.is_hidden() {
            return Progress { bar: None, goal, next: u64::MAX };
        }
        let (length, template) = match goal {
            Goal::Messages(count) => (Some(count), "{bar:40} {percent:>3}% {msg}, {eta} left"),
            Goal::Bytes(bytes) => (Some(bytes), "{bar:40} {percent:>3}% {msg}, {eta} left"),
            Goal::Unknown => (None, "{spinner} {msg}"),
        };
        let bar = ProgressBar::with_draw_target(length, target);
        bar.set_style(ProgressStyle::with_template(template).expect("the templates above are right"));
        Progress { bar: Some(bar), goal, next: 0 }
    }

    /// Redraws if it is due. `now` is in ns, `messages` were published, and `bytes` returns how much input was read.
    #[inline]
    pub(crate) fn update(&mut self, now: u64, messages: u64, bytes: impl FnOnce() -> u64) {
        if now >= self.next {
            self.draw(now, messages, bytes());
        }
    }

    #[cold]
    fn draw(&mut self, now: u64, messages: u64, bytes: u64) {
        let Some(bar) = &self.bar else { return };
        self.next = now + INTERVAL;
        bar.set_position(if matches!(self.goal, Goal::Bytes(_)) { bytes } else { messages });
        bar.set_message(format!("{messages} messages"));
    }

    /// Redraws while the next message is waited for, if it is due.
    #[cold]
    pub(crate) fn waiting(&mut self, messages: u64, left: Duration) {
        let Some(bar) = &self.bar else { return };
        let now = realtime_ns();
        if now >= self.next {
            self.next = now + INTERVAL;
            bar.set_message(format!("{messages} messages, next event in {}", readable(left)));
        }
    }

    /// Writes a line to standard error, above the bar.
    #[cold]
    pub(crate) fn say(&self, what: impl Display) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say(what)),
            None => say(what),
        }
    }

    /// Clears the bar.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A duration for people: `4 h 12 min`, `3 min 20 s`, `7 s`, `0.25 s`.
pub(crate) fn readable(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        3_600.. => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        60.. => format!("{} min {} s", seconds / 60, seconds % 60),
        10.. => format!("{seconds} s"),
        _ => format!("{} s", (duration.as_secs_f64() * 100.0).round() / 100.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_readable() {
        for (milliseconds, text) in [
            (15_120_500, "4 h 12 min"),
            (3_600_000, "1 h 0 min"),
            (3_599_999, "59 min 59 s"),
            (60_000, "1 min 0 s"),
            (59_900, "59 s"),
            (5_000, "5 s"),
            (2_500, "2.5 s"),
            (0, "0 s"),
        ] {
            assert_eq!(readable(Duration::from_millis(milliseconds)), text);
        }
    }
}
