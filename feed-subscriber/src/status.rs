//! The status line: rate, lag, losses, and the latency of the last second.

use std::fmt::Display;

use feed::reception::{Latencies, Latency};
use feed_program::rate::Rate;
use feed_program::readable::{self, count};
use feed_program::status_line::{StatusLine, shares_terminal_with_stdout};

/// The time over which a latency is measured, in ns.
const SPAN: u64 = 1_000_000_000;

/// What the line shows beside the latency.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    pub(crate) received: u64,
    pub(crate) lag: u64,
    pub(crate) lost: u64,
}

/// The line on standard error. Hidden if that is no terminal; then nothing is measured for it, either.
#[derive(Debug)]
pub(crate) struct Status {
    line: StatusLine,
    /// Messages are printed on the same terminal.
    among_messages: bool,
    rate: Rate,
    /// The latencies since `since`, in ns since 1970.
    latencies: Latencies,
    since: u64,
    /// The latency of the last whole second; `None` if nothing live was received in it.
    last: Option<Latency>,
}

impl Status {
    /// A line that is not drawn yet. `prints`: messages are printed on standard output.
    pub(crate) fn new(prints: bool) -> Self {
        Status {
            line: StatusLine::new(None),
            among_messages: prints && shares_terminal_with_stdout(),
            rate: Rate::default(),
            latencies: Latencies::coarse(),
            since: 0,
            last: None,
        }
    }

    /// True if it is ever drawn.
    pub(crate) fn is_on(&self) -> bool {
        self.line.is_on()
    }

    /// True if messages are printed on the same terminal: then all of them must be written before it is drawn.
    pub(crate) fn is_among_messages(&self) -> bool {
        self.among_messages
    }

    /// Counts the latency of a live message.
    #[inline]
    pub(crate) fn add(&mut self, latency: u64) {
        if self.line.is_on() {
            self.latencies.add(latency);
        }
    }

    /// True if it is to be drawn at `now`, in ns since 1970.
    #[inline]
    pub(crate) fn is_due(&self, now: u64) -> bool {
        self.line.is_due(now)
    }

    /// Draws it.
    #[cold]
    pub(crate) fn draw(&mut self, now: u64, figures: Figures) {
        // A clock that was set back ends the second, too.
        if now.wrapping_sub(self.since) >= SPAN {
            let is_first = self.since == 0;
            self.since = now;
            if !is_first {
                self.last = self.latencies.percentiles();
                self.latencies.clear();
            }
        }
        let rate = self.rate.update(now, figures.received);
        self.line.draw(now, 0, &fields(rate, figures, self.last));
    }

    /// Makes room for messages on the same terminal.
    #[inline]
    pub(crate) fn make_room(&mut self) {
        if self.among_messages {
            self.line.erase();
        }
    }

    /// Takes it off the screen until it is drawn again.
    pub(crate) fn erase(&mut self) {
        self.line.erase();
    }

    /// Writes a line to standard error, above this one.
    pub(crate) fn say(&self, what: impl Display) {
        self.line.say(what);
    }
}

/// The fields, the most important first: a narrow terminal shows only those.
fn fields(rate: Option<f64>, figures: Figures, latency: Option<Latency>) -> Vec<String> {
    let percentile = |name: &str, of: fn(Latency) -> u64| {
        let value = latency.map_or_else(|| "-".to_owned(), |latency| readable::latency(of(latency)));
        format!("{name} {value}")
    };
    vec![
        rate.map_or_else(|| "- /s".to_owned(), readable::rate),
        format!("lag {}", count(figures.lag)),
        format!("lost {}", count(figures.lost)),
        percentile("p50", |latency| latency.p50),
        percentile("p99", |latency| latency.p99),
        format!("{} messages", count(figures.received)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_has_its_field_and_what_is_not_known_is_a_dash() {
        let figures = Figures { received: 1_234_567, lag: 1_200, lost: 3 };
        let latency = Latency { p50: 6_149, p90: 0, p99: 34_000, p99_9: 0, max: 0 };
        assert_eq!(
            fields(Some(50_000.0), figures, Some(latency)).join("  "),
            "50.0 k/s  lag 1,200  lost 3  p50 6.1 us  p99 34 us  1,234,567 messages"
        );
        assert_eq!(fields(None, figures, None).join("  "), "- /s  lag 1,200  lost 3  p50 -  p99 -  1,234,567 messages");
    }

    #[test]
    fn the_latency_is_that_of_the_last_whole_second() {
        let figures = Figures { received: 0, lag: 0, lost: 0 };
        let mut status = Status::new(false);
        status.draw(5 * SPAN, figures);
        status.latencies.add(100);
        status.draw(5 * SPAN + SPAN / 2, figures);
        assert_eq!(status.last, None, "the second is not over");
        status.draw(6 * SPAN, figures);
        assert_eq!(status.last.map(|latency| latency.p99), Some(100));
        status.latencies.add(7);
        status.draw(7 * SPAN, figures);
        assert_eq!(status.last.map(|latency| latency.max), Some(7), "of that second alone");
        status.draw(8 * SPAN, figures);
        assert_eq!(status.last, None, "nothing came");
        status.latencies.add(9);
        status.draw(SPAN, figures);
        assert_eq!(status.last.map(|latency| latency.p50), Some(9), "the clock was set back");
    }
}
