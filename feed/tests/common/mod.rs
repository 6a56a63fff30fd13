//! What the tests of sources share.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::io::{Cursor, Read};

use feed::Message;
use feed::source::{Format, Source, SourceError, input};

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
    read_from(Drops(Cursor::new(bytes.into()), 0), None)
}

/// Reads bytes as the file `sample` in this format.
pub fn read_as(bytes: impl Into<Vec<u8>>, format: Option<Format>) -> (Vec<Message>, Option<SourceError>) {
    read_from(Cursor::new(bytes.into()), format)
}

fn read_from(reader: impl Read + Send + 'static, format: Option<Format>) -> (Vec<Message>, Option<SourceError>) {
    match input::from_reader("sample", reader, None, format) {
        Ok(mut input) => drain(&mut input),
        Err(error) => (Vec::new(), Some(error)),
    }
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

/// Reads bytes that must fail; returns the number of messages before the error, and the error's line.
pub fn failure(bytes: impl Into<Vec<u8>>) -> (usize, String) {
    let (messages, error) = read(bytes);
    (messages.len(), error.expect("an error").to_string())
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
