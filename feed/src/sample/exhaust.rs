//! Reads arbitrary bytes to their end and checks what must hold however damaged they are.

use std::io::{Cursor, Read};

use crate::message::Message;
use crate::source::{Format, Position, Source, SourceError, input};

/// After this many reads at the end of an input, the reader is stuck in a loop.
const READS_AT_END: u32 = 1_000;

/// No supported compression yields more bytes from one byte than this.
const RATIO: u64 = 40_000;

/// Reads an input to its end or its first error. `each` is called with every message. Returns the number of messages.
///
/// # Panics
/// If the source does not end, if an error has no position or more than one line, if a message follows an error, or if
/// the position does not fit the number of messages before it.
pub fn exhaust(bytes: Vec<u8>, format: Option<Format>, mut each: impl FnMut(Message)) -> Result<u64, SourceError> {
    let length = bytes.len() as u64;
    let reader = LoopDetector { bytes: Cursor::new(bytes), reads_at_end: 0 };
    let mut input = input::from_reader("sample", reader, None, format).inspect_err(|error| check(error, 0, length))?;
    let mut messages = 0;
    loop {
        match input.next_message() {
            Ok(Some(message)) => {
                messages += 1;
                assert!(messages <= length * RATIO, "{messages} messages out of {length} bytes");
                each(message);
            }
            Ok(None) => return Ok(messages),
            Err(error) => {
                check(&error, messages, length);
                assert!(matches!(input.next_message(), Ok(None)), "a source that failed has ended: {error}");
                return Err(error);
            }
        }
    }
}

fn check(error: &SourceError, messages: u64, length: u64) {
    let text = error.to_string();
    assert!(text.starts_with("sample: ") && text.lines().count() == 1, "{text}");
    let follows = match error.position {
        Position::Whole => length == 0 || text.contains("is empty"),
        Position::Byte(byte) => messages == 0 && byte <= length * RATIO,
        Position::Record { number, byte } => number == messages + 1 && byte <= length * RATIO,
        Position::Line(1) => messages == 0,
        // A lone carriage return ends a row but is not counted as a line.
        Position::Line(line) => line <= length * RATIO,
    };
    assert!(follows, "after {messages} messages: {text}");
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
