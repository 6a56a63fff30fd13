//! What a source went on from: records that it passed over, and times that cannot be.

use std::collections::BTreeMap;
use std::fmt;

use super::error::{Position, Reason};

/// So many kinds are told apart; a summary must not grow with a hostile input.
const KINDS: usize = 32;

/// What all further kinds are counted as.
const FURTHER: &str = "of further kinds";

/// The kind of what is passed over. It holds no value of the input but one byte, so there are few kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// The text alone.
    Text(&'static str),
    /// The text and a name.
    Named(&'static str, &'static str),
    /// The text and a letter: `'Z'`, or `0x7f` for a byte that is no letter.
    Letter(&'static str, u8),
    /// The text and a number: `0x77`.
    Code(&'static str, u8),
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            What::Text(text) => f.write_str(text),
            What::Named(text, name) => write!(f, "{text} {name}"),
            What::Letter(text, letter) if letter.is_ascii_graphic() => write!(f, "{text} '{}'", char::from(letter)),
            What::Letter(text, code) | What::Code(text, code) => write!(f, "{text} {code:#04x}"),
        }
    }
}

/// A record that cannot become a message, though it is known where the next one begins.
#[derive(Debug)]
pub(super) struct Strange {
    pub(super) what: What,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Is(Reason),
    /// Made from the kind, when somebody asks: a capture may hold millions of records that are passed over.
    Of(fn(What) -> Reason),
}

impl Strange {
    /// A strange record and the reason that is reported for it.
    pub(super) fn new(what: What, reason: Reason) -> Self {
        Strange { what, why: Why::Is(reason) }
    }

    /// The same with a reason that only its kind decides.
    pub(super) fn of(what: What, reason: fn(What) -> Reason) -> Self {
        Strange { what, why: Why::Of(reason) }
    }

    pub(super) fn reason(self) -> Reason {
        match self.why {
            Why::Is(reason) => reason,
            Why::Of(reason) => reason(self.what),
        }
    }
}

/// What was passed over, counted by kind.
#[derive(Clone, Debug, Default)]
pub struct PassedOver {
    kinds: BTreeMap<What, u64>,
    further: u64,
    /// The first one's position and reason.
    first: Option<(Position, String)>,
}

impl PassedOver {
    /// The sum of all counts.
    pub fn total(&self) -> u64 {
        self.kinds.values().sum::<u64>() + self.further
    }

    /// The count of each kind, by a text that names it. At most 33 kinds.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        let mut counts: BTreeMap<String, u64> =
            self.kinds.iter().map(|(what, &count)| (what.to_string(), count)).collect();
        if self.further > 0 {
            counts.insert(FURTHER.to_owned(), self.further);
        }
        counts
    }

    pub(super) fn add(&mut self, what: What, count: u64) {
        if count == 0 {
            return;
        }
        if self.kinds.len() < KINDS || self.kinds.contains_key(&what) {
            *self.kinds.entry(what).or_default() += count;
        } else {
            self.further += count;
        }
    }
}

/// Everything in one line: `3: 2 of unknown ITCH type 'Z', 1 of …; the first is record 7 (byte 90): …`.
impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.total())?;
        for (number, (what, count)) in self.counts().iter().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            write!(f, "{comma}{count} × {what}")?;
        }
        match &self.first {
            Some((position, reason)) => write!(f, "; the first: {position}{reason}"),
            None => Ok(()),
        }
    }
}

/// What a source notes while it reads.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    strict: bool,
    passed: PassedOver,
    warning: Option<String>,
    warned: bool,
}

impl Notes {
    /// Whether the first strange record ends the input.
    pub fn set_strict(&mut self, strict: bool) {
        self.strict = strict;
    }

    /// What was passed over so far.
    pub fn passed_over(&self) -> &PassedOver {
        &self.passed
    }

    /// The warning of the first time that cannot be; once.
    #[inline]
    pub fn take_warning(&mut self) -> Option<String> {
        if self.warning.is_some() { self.warning.take() } else { None }
    }

    /// Counts a strange record, or fails with its reason if the source is strict.
    pub(super) fn pass_over(&mut self, strange: Strange, position: Position) -> Result<(), Reason> {
        self.pass_over_all(strange, 1, position)
    }

    /// The same for several at once: bytes of padding.
    pub(super) fn pass_over_all(&mut self, strange: Strange, count: u64, position: Position) -> Result<(), Reason> {
        if self.strict {
            return Err(strange.reason());
        }
        self.passed.add(strange.what, count);
        if self.passed.first.is_none() {
            self.passed.first = Some((position, strange.reason().to_string()));
        }
        Ok(())
    }

    /// Notes a warning, unless there was one before.
    #[cold]
    pub(super) fn warn(&mut self, warning: impl FnOnce() -> String) {
        if !self.warned {
            self.warned = true;
            self.warning = Some(warning());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_counted_and_no_more_of_them_than_a_summary_can_show() {
        let mut notes = Notes::default();
        for letter in 0..=u8::MAX {
            for _ in 0..2 {
                let what = What::Letter("unknown ITCH type", letter);
                let strange = Strange::of(what, |what| Reason::Malformed(format!("is of {what}")));
                notes.pass_over(strange, Position::Line(u64::from(letter) + 1)).unwrap();
            }
        }
        let passed = notes.passed_over();
        let counts = passed.counts();
        assert_eq!((passed.total(), counts.len()), (512, KINDS + 1));
        assert_eq!((counts["unknown ITCH type 0x00"], counts[FURTHER]), (2, 512 - 2 * KINDS as u64));
        assert!(passed.to_string().ends_with("; the first: line 1: is of unknown ITCH type 0x00"), "{passed}");
    }

    #[test]
    fn a_strict_source_ends_at_the_first() {
        let mut notes = Notes::default();
        notes.set_strict(true);
        let strange = Strange::new(What::Text("row"), Reason::Malformed("is wrong".to_owned()));
        assert_eq!(notes.pass_over(strange, Position::Line(2)).unwrap_err().to_string(), "is wrong");
        assert_eq!(notes.passed_over().total(), 0);
    }

    #[test]
    fn only_the_first_warning_is_kept() {
        let mut notes = Notes::default();
        assert_eq!(notes.take_warning(), None);
        notes.warn(|| "first".to_owned());
        notes.warn(|| unreachable!("it would be made for nothing"));
        assert_eq!(notes.take_warning(), Some("first".to_owned()));
        notes.warn(|| unreachable!("it was told"));
        assert_eq!(notes.take_warning(), None);
    }
}
