//! A progress bar on standard error, if that is a terminal.

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

    /// Clears the bar.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
