//! A line on standard error that a program redraws in place, if standard error is a terminal.
//!
//! It is not drawn while the program runs in the background of its terminal, where a shell or another program has the
//! screen, nor while the terminal takes no output (Ctrl-S). It is not drawn at all if logs are on, whose lines would stand
//! in it.

use std::fmt::Display;
use std::io;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::getpgrp;
use rustix::termios::{tcgetpgrp, tcgetwinsize};
use tracing_subscriber::filter::LevelFilter;

use crate::say::say;

/// The time between two drawings in ns.
const INTERVAL: u64 = 100_000_000;

/// The time between two drawings.
pub const REDRAWN_EVERY: Duration = Duration::from_nanos(INTERVAL);

/// A bar narrower than this says nothing.
const NARROWEST_BAR: usize = 10;

/// The widest bar.
const WIDEST_BAR: usize = 40;

/// The line. Hidden if standard error is no terminal.
#[derive(Debug)]
pub struct StatusLine {
    is_on: bool,
    /// The end towards which a bar is drawn.
    length: Option<u64>,
    /// What is on the screen now.
    shown: Option<ProgressBar>,
    /// When it was drawn, in ns.
    drawn: u64,
}

impl StatusLine {
    /// A line that begins with a bar, if there is an end to draw it towards. Nothing is drawn yet.
    pub fn new(length: Option<u64>) -> Self {
        let is_on = !ProgressDrawTarget::stderr().is_hidden() && LevelFilter::current() == LevelFilter::OFF;
        StatusLine { is_on, length, shown: None, drawn: 0 }
    }

    /// True if it is ever drawn.
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// True if it is to be drawn at `now`, in ns. A clock that was set back delays nothing.
    #[inline]
    pub fn is_due(&self, now: u64) -> bool {
        self.is_on && now.wrapping_sub(self.drawn) >= INTERVAL
    }

    /// Draws it, with as many of the fields as fit, the first ones first. `position` is how far the bar is. `now` is in ns.
    pub fn draw(&mut self, now: u64, position: u64, fields: &[String]) {
        if !self.is_on {
            return;
        }
        self.drawn = now;
        if !is_in_foreground() || !takes_output() {
            return;
        }
        let columns = columns();
        let text = fitting(fields, columns);
        let room = columns.saturating_sub(text.chars().count() + 1);
        let text = match self.length {
            Some(length) if room >= NARROWEST_BAR => format!("{} {text}", bar(position, length, room.min(WIDEST_BAR))),
            _ => text,
        };
        match &self.shown {
            Some(shown) => shown.set_message(text),
            None => {
                let style = ProgressStyle::with_template("{msg}").expect("the template is right");
                let shown = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(style);
                shown.set_message(text);
                self.shown = Some(shown);
            }
        }
    }

    /// Takes it off the screen until it is drawn again.
    pub fn erase(&mut self) {
        let Some(bar) = self.shown.take() else { return };
        if !is_in_foreground() || !takes_output() {
            // Erasing would wait for the terminal, or erase what another program has drawn there since.
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        bar.finish_and_clear();
    }

    /// Writes a line to standard error, above this one.
    pub fn say(&self, what: impl Display) {
        match &self.shown {
            Some(bar) => bar.suspend(|| say(what)),
            None => say(what),
        }
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        self.erase();
    }
}

/// True if standard output is the terminal that standard error is.
pub fn shares_terminal_with_stdout() -> bool {
    let device = |fd: &dyn std::os::fd::AsFd| rustix::fs::fstat(fd).map(|stat| stat.st_rdev);
    let (stdout, stderr) = (io::stdout(), io::stderr());
    io::IsTerminal::is_terminal(&stdout) && device(&stdout).is_ok_and(|stdout| device(&stderr) == Ok(stdout))
}

/// True if this program may draw on its terminal. A terminal that does not control this process has no foreground.
fn is_in_foreground() -> bool {
    tcgetpgrp(io::stderr()).map_or(true, |group| group == getpgrp())
}

/// True if a write to the terminal would not wait.
fn takes_output() -> bool {
    let stderr = io::stderr();
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(&stderr, PollFlags::OUT)], Some(&now)).is_ok_and(|ready| ready > 0)
}

/// The columns of the terminal; 80 if it does not know.
fn columns() -> usize {
    tcgetwinsize(io::stderr()).map(|size| usize::from(size.ws_col)).ok().filter(|&columns| columns > 0).unwrap_or(80)
}

/// A bar of so many columns.
fn bar(position: u64, length: u64, columns: usize) -> String {
    let part = if length == 0 { 1.0 } else { position.min(length) as f64 / length as f64 };
    let full = (part * columns as f64) as usize;
    "█".repeat(full) + &"░".repeat(columns - full)
}

/// As many of the fields as fit into so many columns, in their order. Of a first field that does not fit, its beginning.
fn fitting(fields: &[String], columns: usize) -> String {
    let mut text = String::new();
    for field in fields {
        let between = if text.is_empty() { "" } else { "  " };
        if text.chars().count() + between.len() + field.chars().count() > columns {
            break;
        }
        text = text + between + field;
    }
    match (fields.first(), text.is_empty()) {
        (Some(first), true) => first.chars().take(columns).collect(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_left_out_from_the_end() {
        let fields = ["50.0 k/s", "lag 12", "lost 0"].map(str::to_owned);
        assert_eq!(fitting(&fields, 80), "50.0 k/s  lag 12  lost 0");
        assert_eq!(fitting(&fields, 24), "50.0 k/s  lag 12  lost 0");
        assert_eq!(fitting(&fields, 23), "50.0 k/s  lag 12");
        assert_eq!(fitting(&fields, 15), "50.0 k/s");
        assert_eq!(fitting(&fields, 7), "50.0 k/");
        assert_eq!(fitting(&[], 7), "");
    }

    #[test]
    fn a_bar_is_as_full_as_the_way_is_far() {
        assert_eq!([bar(0, 8, 4), bar(4, 8, 4), bar(7, 8, 4)], ["░░░░", "██░░", "███░"]);
        assert_eq!([bar(8, 8, 4), bar(9, 8, 4), bar(0, 0, 4)], ["████"; 3]);
    }

    #[test]
    fn without_a_terminal_nothing_is_drawn() {
        // Or with one, if these tests run on it: then nothing follows from them.
        let mut line = StatusLine::new(Some(5));
        if !line.is_on() {
            line.draw(u64::MAX, 1, &["text".to_owned()]);
            assert!(line.shown.is_none() && !line.is_due(u64::MAX));
        }
    }
}
