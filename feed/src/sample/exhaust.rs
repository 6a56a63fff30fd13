//! Reads arbitrary bytes to their end and checks what must hold however damaged they are.

use std::io::{Cursor, Read};

use crate::message::Message;
use crate::source::{Format, Input, Position, Source, SourceError, input};

/// After this many reads at the end of an input, the reader is stuck in a loop.
const READS_AT_END: u32 = 1_000;

/// No supported compression yields more bytes from one byte than this.
const RATIO: u64 = 40_000;

/// Reads an input to its end or its first error, passing over what can be passed over. `each` is called with every
/// message. Returns the number of messages, and how many records and bytes were passed over.
///
/// # Panics
/// If the source does not end, if an error has no position or more than one line, if a message follows an error, if the
/// position does not fit the number of messages before it, or if what is said of the input grows with the input.
pub fn exhaust(
    bytes: Vec<u8>,
    format: Option<Format>,
    strict: bool,
    mut each: impl FnMut(Message),
) -> Result<(u64, u64), SourceError> {
    let length = bytes.len() as u64;
    let reader = LoopDetector { bytes: Cursor::new(bytes), reads_at_end: 0 };
    let opened = input::from_reader("sample", reader, None, format);
    let mut input = opened.inspect_err(|error| check(error, 0, 0, length))?.strict(strict);
    let mut messages = 0;
    loop {
        match input.next_message() {
            Ok(Some(message)) => {
                messages += 1;
                assert!(messages <= length * RATIO, "{messages} messages out of {length} bytes");
                each(message);
            }
            Ok(None) => {
                let passed = passed_over(&mut input, strict);
                return Ok((messages, passed));
            }
            Err(error) => {
                let passed = passed_over(&mut input, strict);
                check(&error, messages, passed, length);
                assert!(matches!(input.next_message(), Ok(None)), "a source that failed has ended: {error}");
                return Err(error);
            }
        }
    }
}

/// The number of what was passed over.
fn passed_over(input: &mut Input, strict: bool) -> u64 {
    let passed = input.passed_over();
    let text = passed.to_string();
    assert!(passed.counts().len() < 40 && text.lines().count() == 1 && text.len() < 8_000, "{text}");
    assert!(!strict || passed.total() == 0, "{text}");
    let warnings = [input.notes().take_warning(), input.notes().take_warning()];
    assert!(warnings[1].is_none() && warnings[0].iter().all(|line| line.lines().count() == 1), "{warnings:?}");
    passed.total()
}

fn check(error: &SourceError, messages: u64, passed: u64, length: u64) {
    let text = error.to_string();
    assert!(text.starts_with("sample: ") && text.lines().count() == 1, "{text}");
    let follows = match error.position {
        Position::Whole => length == 0 || text.contains("is empty"),
        Position::Byte(byte) => messages == 0 && byte <= length * RATIO,
        // Not behind the next record, and before it only by records that were passed over.
        Position::Record { number, byte } => {
            (messages + 1..=messages + passed + 1).contains(&number) && byte <= length * RATIO
        }
        Position::Line(1) => messages == 0,
        // A lone carriage return ends a row but is not counted as a line.
        Position::Line(line) => line <= length * RATIO,
    };
    assert!(follows, "after {messages} messages and {passed} passed over: {text}");
}

/// A reader that panics if it is read again and again at its end.
struct LoopDetector {
    bytes: Cursor<Vec<u8>>,
    reads_at_end: u32,
}

impl Read for LoopDetector {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.bytes.read(buffer)?;
        if count == 0 {
            self.reads_at_end += 1;
            assert!(self.reads_at_end < READS_AT_END, "reads on and on at the end of the input");
        }
        Ok(count)
    }
}
