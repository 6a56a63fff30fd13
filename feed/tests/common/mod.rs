//! What the tests of sources share.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::io::{Cursor, Read};

use feed::Message;
use feed::source::{Format, PassedOver, Source, SourceError, input};

/// Everything that a source yields, and the error that ended it, if there was one.
pub fn drain(source: &mut dyn Source) -> (Vec<Message>, Option<SourceError>) {
    let mut messages = Vec::new();
    loop {
        match source.next_message() {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => return (messages, None),
            Err(error) => {
                assert!(matches!(source.next_message(), Ok(None)), "a source that failed has ended");
                return (messages, Some(error));
            }
        }
    }
}

/// Reads bytes as the file `sample`; the format is recognised by content.
pub fn read(bytes: impl Into<Vec<u8>>) -> (Vec<Message>, Option<SourceError>) {
    read_as(bytes, None)
}

/// Reads bytes as the file `sample`, one or two bytes at a time: results may not depend on the size of reads.
pub fn read_in_drops(bytes: impl Into<Vec<u8>>) -> (Vec<Message>, Option<SourceError>) {
    read_from(Drops(Cursor::new(bytes.into()), 0), None, false).0
}

/// Reads bytes as the file `sample` in this format.
pub fn read_as(bytes: impl Into<Vec<u8>>, format: Option<Format>) -> (Vec<Message>, Option<SourceError>) {
    read_from(Cursor::new(bytes.into()), format, false).0
}

type Found = (Vec<Message>, Option<SourceError>);

fn read_from(reader: impl Read + Send + 'static, format: Option<Format>, strict: bool) -> (Found, PassedOver) {
    match input::from_reader("sample", reader, None, format) {
        Ok(input) => {
            let mut input = input.strict(strict);
            let found = drain(&mut input);
            (found, input.passed_over())
        }
        Err(error) => ((Vec::new(), Some(error)), PassedOver::default()),
    }
}

/// The messages of an input without errors that has records that are passed over, and how many of each kind.
#[track_caller]
pub fn read_passing(bytes: impl Into<Vec<u8>>) -> (Vec<Message>, Vec<(String, u64)>) {
    let bytes = bytes.into();
    let ((messages, error), passed) = read_from(Cursor::new(bytes.clone()), None, false);
    assert!(error.is_none(), "{}", error.unwrap());
    let ((in_drops, error), _) = read_from(Drops(Cursor::new(bytes), 0), None, false);
    assert!(error.is_none(), "in drops: {}", error.unwrap());
    assert_same(&in_drops, &messages, "in drops");
    (messages, passed.counts().into_iter().collect())
}

/// Reads bytes that must fail if the source is strict; returns the number of messages before the error, and the error's
/// line.
#[track_caller]
pub fn strict_failure(bytes: impl Into<Vec<u8>>) -> (usize, String) {
    let ((messages, error), passed) = read_from(Cursor::new(bytes.into()), None, true);
    assert_eq!(passed.total(), 0);
    (messages.len(), error.expect("an error").to_string())
}

/// The capture time of each message of an input without errors, and the warning.
#[track_caller]
pub fn read_times(bytes: impl Into<Vec<u8>>) -> (Vec<Option<u64>>, Option<String>) {
    let mut input = input::from_reader("sample", Cursor::new(bytes.into()), None, None).unwrap();
    let mut times = Vec::new();
    while let Some(next) = input.next_captured().unwrap() {
        times.push(next.captured);
    }
    (times, input.notes().take_warning())
}

/// The messages of an input that has no errors.
pub fn read_all(bytes: impl Into<Vec<u8>>) -> Vec<Message> {
    let (messages, error) = read(bytes);
    assert!(error.is_none(), "{}", error.unwrap());
    messages
}

/// Fails at the first message that differs.
#[track_caller]
pub fn assert_same(found: &[Message], expected: &[Message], what: &str) {
    if let Some(at) = found.iter().zip(expected).position(|(found, expected)| found != expected) {
        panic!("{what}: message {at}: {:?}, expected {:?}", found[at], expected[at]);
    }
    assert_eq!(found.len(), expected.len(), "{what}: messages");
}

/// Reads bytes that must fail, strict or not; returns the number of messages before the error, and the error's line.
#[track_caller]
pub fn failure(bytes: impl Into<Vec<u8>>) -> (usize, String) {
    let bytes = bytes.into();
    let (messages, error) = read(&bytes[..]);
    let failed = (messages.len(), error.expect("an error").to_string());
    assert_eq!(strict_failure(bytes), failed, "strict");
    failed
}

struct Drops<R>(R, usize);

impl<R: Read> Read for Drops<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.1 += 1;
        if self.1.is_multiple_of(5) {
            return Err(std::io::ErrorKind::Interrupted.into());
        }
        let size = buffer.len().min(1 + self.1 % 2);
        self.0.read(&mut buffer[..size])
    }
}
