//! How far the publisher is, as a line on standard error, if that is a terminal.

use std::fmt::Display;
use std::time::Duration;

use feed::clock::realtime_ns;
use feed_program::rate::Rate;
use feed_program::readable;
use feed_program::status_line::StatusLine;

/// What the run counts towards its end.
#[derive(Clone, Copy)]
enum Goal {
    Messages(u64),
    Bytes(u64),
    Unknown,
}

/// A line with the messages published and their rate. It begins with a bar towards `--count`, or towards the size of the
/// input.
pub(crate) struct Progress {
    line: StatusLine,
    goal: Goal,
    rate: Rate,
    /// Messages or bytes a second, as the bar counts.
    pace: Rate,
    /// Bytes of input that were read when it was drawn last.
    bytes: u64,
}

impl Progress {
    /// A bar towards `count` messages or else towards `bytes` of input. Hidden unless standard error is a terminal.
    pub(crate) fn new(count: Option<u64>, bytes: Option<u64>) -> Self {
        let goal = match (count, bytes) {
            (Some(count), _) => Goal::Messages(count),
            (None, Some(bytes)) => Goal::Bytes(bytes),
            (None, None) => Goal::Unknown,
        };
        let length = match goal {
            Goal::Messages(length) | Goal::Bytes(length) => Some(length),
            Goal::Unknown => None,
        };
        Progress { line: StatusLine::new(length), goal, rate: Rate::default(), pace: Rate::default(), bytes: 0 }
    }

    /// Redraws if it is due. `now` is in ns, `messages` were published, and `bytes` returns how much input was read.
    #[inline]
    pub(crate) fn update(&mut self, now: u64, messages: u64, bytes: impl FnOnce() -> u64) {
        if self.line.is_due(now) {
            self.bytes = bytes();
            self.draw(now, messages, None);
        }
    }

    /// Redraws while the next message is waited for, if it is due.
    #[cold]
    pub(crate) fn waiting(&mut self, messages: u64, left: Duration) {
        let now = realtime_ns();
        if self.line.is_due(now) {
            self.draw(now, messages, Some(left));
        }
    }

    #[cold]
    fn draw(&mut self, now: u64, messages: u64, next_event: Option<Duration>) {
        let (position, length) = match self.goal {
            Goal::Messages(count) => (messages, Some(count)),
            Goal::Bytes(bytes) => (self.bytes, Some(bytes)),
            Goal::Unknown => (0, None),
        };
        let rate = self.rate.update(now, messages).map(readable::rate);
        // At the first drawing there is no pace yet.
        let pace = self.pace.update(now, position);
        let left = || Duration::try_from_secs_f64(length?.saturating_sub(position) as f64 / pace?).ok();
        let end = match next_event {
            Some(left) => Some(format!("next event in {}", readable::duration(left))),
            None => left().map(|left| format!("{} left", readable::duration(left))),
        };
        let messages = Some(format!("{} messages", readable::count(messages)));
        let share = length.map(|length| format!("{:>3} %", percent(position, length)));
        // What the publisher waits for matters more than a rate of 0.
        let fields = if next_event.is_some() { [share, messages, end, rate] } else { [share, messages, rate, end] };
        self.line.draw(now, position, &fields.into_iter().flatten().collect::<Vec<_>>());
    }

    /// Writes a line to standard error, above the bar.
    #[cold]
    pub(crate) fn say(&self, what: impl Display) {
        self.line.say(what);
    }

    /// Takes the line off the screen.
    pub(crate) fn finish(&mut self) {
        self.line.erase();
    }
}

/// How much of the whole a part is, in percent. The whole of nothing is 100 %.
fn percent(part: u64, whole: u64) -> u64 {
    if whole == 0 { 100 } else { (u128::from(part.min(whole)) * 100 / u128::from(whole)) as u64 }
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn a_share_is_whole_percents_and_never_more_than_all() {
        assert_eq!([percent(0, 3), percent(1, 3), percent(2, 3), percent(3, 3)], [0, 33, 66, 100]);
        assert_eq!([percent(4, 3), percent(0, 0), percent(u64::MAX, u64::MAX)], [100; 3]);
    }
}
