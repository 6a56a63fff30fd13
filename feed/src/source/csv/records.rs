//! The records of a file: one line each, or more where a quoted field holds line breaks.

use std::io::BufRead;

use super::super::error::Reason;
use super::super::notes::{Strange, What};
use super::lines::{self, Line};
use super::split::{Fields, Split, split};

/// So far behind the beginning of a line a record with line breaks may end. The only column that can hold one is the
/// symbol, which is shorter. It bounds what one stray quotation mark costs.
const JOINED_LIMIT: usize = 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What was found.
#[derive(Debug)]
pub(super) enum Found {
    /// A record: see [`Records::fields`].
    Record,
    /// A line that is no record.
    Strange(Strange),
    /// So many zero bytes, behind which the input ends.
    Padding(u64),
    /// The end of the input.
    End,
}

/// Reads records.
pub(super) struct Records {
    reader: Box<dyn BufRead + Send>,
    /// Lines that were read, of which everything before `at` is done with.
    text: Vec<u8>,
    at: usize,
    /// What the reading found behind `text`, if it read on for the end of a quoted field.
    behind: Option<Result<Line, Reason>>,
    fields: Fields,
    /// The number of the line at `at`, and of the line where the last record began.
    next_line: u64,
    line: u64,
    /// Where the first line of the last record ends.
    first_line: usize,
}

impl Records {
    pub(super) fn new(reader: Box<dyn BufRead + Send>) -> Self {
        Records {
            reader,
            text: Vec::new(),
            at: 0,
            behind: None,
            fields: Fields::default(),
            next_line: 1,
            line: 1,
            first_line: 0,
        }
    }

    /// The fields of the last record.
    pub(super) fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The number of the line where what was last found begins, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Goes on behind the first line of the last record, which turned out to be none: a quotation mark that should not be
    /// there would hide the lines behind it.
    pub(super) fn only_first_line(&mut self) {
        if self.first_line < self.at {
            self.next_line = self.line + 1;
            self.at = self.first_line;
        }
    }

    /// The next record, or the next line that is none. Blank lines are passed over.
    pub(super) fn next(&mut self) -> Result<Found, Reason> {
        loop {
            self.line = self.next_line;
            match self.text[self.at..] {
                [b'\n', ..] => self.next_line += 1,
                [b'\r', ..] => {}
                [_, ..] => return self.record(),
                [] => {
                    self.text.clear();
                    self.at = 0;
                    self.first_line = 0;
                    match self.read_line()? {
                        Line::Whole => continue,
                        Line::TooLong => {
                            self.next_line += 1;
                            let what = What::Text("CSV row that is longer than 65536 bytes");
                            return Ok(Found::Strange(Strange::of(what, |_| {
                                Reason::Malformed("is longer than 65536 bytes: is this CSV?".to_owned())
                            })));
                        }
                        Line::Padding(count) => return Ok(Found::Padding(count)),
                        Line::End => return Ok(Found::End),
                    }
                }
            }
            self.at += 1;
        }
    }

    fn read_line(&mut self) -> Result<Line, Reason> {
        self.behind.take().unwrap_or_else(|| lines::read(&mut self.reader, &mut self.text))
    }

    fn record(&mut self) -> Result<Found, Reason> {
        if self.text[self.at..].starts_with(BYTE_ORDER_MARK) {
            self.at += BYTE_ORDER_MARK.len();
        }
        let begin = self.at;
        let wrong = loop {
            match split(&self.text[begin..], &mut self.fields) {
                Split::Record(taken) => {
                    self.at = begin + taken;
                    let lines = newlines(&self.text[begin..self.at]);
                    self.first_line = if lines > 1 { self.line_end(begin) } else { self.at };
                    self.next_line = self.line + lines;
                    return Ok(Found::Record);
                }
                Split::Misquoted => break What::Text("CSV row with a quotation mark within a field"),
                Split::Open => self.first_line = self.line_end(begin),
            }
            // The end of the quoted field may be in a line behind.
            if self.behind.is_none() && self.text.len() - self.first_line < JOINED_LIMIT {
                match lines::read(&mut self.reader, &mut self.text) {
                    Ok(Line::Whole) => continue,
                    other => self.behind = Some(other),
                }
            }
            break What::Text("CSV row with a quoted field that does not end");
        };
        self.at = self.line_end(begin);
        self.first_line = self.at;
        self.next_line = self.line + newlines(&self.text[begin..self.at]);
        Ok(Found::Strange(Strange::of(wrong, |what| Reason::Malformed(format!("is a {what}: see RFC 4180")))))
    }

    /// Where the line that holds this place ends.
    fn line_end(&self, place: usize) -> usize {
        let line_feed = self.text[place..].iter().position(|&byte| byte == b'\n');
        line_feed.map_or(self.text.len(), |at| place + at + 1)
    }
}

fn newlines(text: &[u8]) -> u64 {
    text.iter().filter(|&&byte| byte == b'\n').count() as u64
}
