//! NASDAQ TotalView-ITCH 5.0 in files: each message after a two-byte length, which some writers leave zero.
//!
//! <https://www.nasdaqtrader.com/content/technicalsupport/specifications/dataproducts/NQTVITCHSpecification.pdf>
//!
//! | message | becomes |
//! |---|---|
//! | `A` `F` add order | add |
//! | `E` `C` order executed | fill; without a price of its own (`E`) the price is undefined |
//! | `X` order cancelled in part | cancel, with the size cancelled |
//! | `D` order deleted | cancel, without a size |
//! | `U` order replaced | modify: the new order; the original one's id in `extra` |
//! | `P` trade, `Q` cross trade | trade |
//! | everything else | other |
//!
//! Every message is an event of its own. True and zero length prefixes may be mixed.
//!
//! A message of another type behind a true prefix is passed over: the prefix says where the next one begins. If no
//! message begins there, nothing does, and the input ends in an error where the unknown type stands.
//!
//! The venue's files (BinaryFILE) end with a payload of no bytes: a zero length with nothing after it. Both that and
//! the end of the input between two messages end the session. So an input with zero prefixes that was cut after one of
//! them passes as complete. Behind the end of a session another one may begin, or zero bytes may fill up a block.
//!
//! Read as [records](crate::records), every message of every type is one, byte for byte, without its prefix.

pub(crate) mod fields;
mod message;
mod shown;
mod wire;

use std::io::BufRead;

pub use self::shown::shown;

use self::message::{Symbols, message};
use super::error::{Position, Reason, SourceError, read_failed};
use super::foreign;
use super::notes::{Notes, Strange, What};
use super::padding;
use super::peek::Peek;
use super::stream::{Captured, Source};
use crate::board::Symbol;
use crate::message::Message;
use crate::record::{self, Record};

/// The length of a length prefix in bytes.
const PREFIX: usize = 2;

/// The longest message of a type that is not in ITCH 5.0. A larger prefix is more likely no prefix.
const LONGEST_UNKNOWN: usize = 1024;

/// Times count from midnight: they are less than a day in ns.
const DAY: u64 = 24 * 60 * 60 * 1_000_000_000;

/// True if an input that begins with these bytes may be ITCH: a length, zero or right, before a known message type.
pub(crate) fn begins_like_itch(first: &[u8]) -> bool {
    let [high, low, kind, ..] = *first else { return false };
    let prefix = usize::from(u16::from_be_bytes([high, low]));
    wire::length(kind).is_some_and(|length| prefix == 0 || prefix == length)
}

/// Decodes decompressed ITCH.
pub struct ItchSource {
    file: String,
    reader: Peek<Box<dyn BufRead + Send>>,
    number: u64,
    byte: u64,
    symbols: Symbols,
    notes: Notes,
    /// The first of the messages passed over that no message of a known type has followed yet, and its reason.
    unproven: Option<(Position, String)>,
    /// The last message that was read as a record.
    record: Vec<u8>,
    ended: bool,
}

/// What stands at the present place.
enum Frame {
    /// A message of a known type, and its length.
    Known(usize),
    /// A message of an unknown type behind a true prefix, and its length.
    Unknown(usize),
    End,
}

impl ItchSource {
    /// Makes a source; reads nothing yet.
    pub fn new(file: &str, reader: Box<dyn BufRead + Send>) -> Self {
        ItchSource {
            file: file.to_owned(),
            reader: Peek::new(reader),
            number: 0,
            byte: 0,
            symbols: Symbols::new(),
            notes: Notes::default(),
            unproven: None,
            record: Vec::new(),
            ended: false,
        }
    }

    fn position(&self) -> Position {
        Position::Record { number: self.number, byte: self.byte }
    }

    fn next(&mut self) -> Result<Option<Captured>, Reason> {
        loop {
            self.number += 1;
            let position = self.position();
            // Nearly always a whole message of a known type is there.
            let buffered = self.reader.fill_buf().map_err(read_failed)?;
            if let Some(length) = known_frame(buffered) {
                let decoded = message(&buffered[PREFIX..PREFIX + length], &mut self.symbols);
                self.unproven = None;
                match self.pass_on(decoded, length, position)? {
                    Some(captured) => return Ok(Some(captured)),
                    None => continue,
                }
            }
            let (length, known) = match self.frame()? {
                Frame::Known(length) => (length, true),
                Frame::Unknown(length) => (length, false),
                Frame::End => return Ok(None),
            };
            let position = self.position();
            let bytes = self.reader.peek(PREFIX + length).map_err(read_failed)?;
            if bytes.len() < PREFIX + length {
                return Err(ends_within(bytes.len(), PREFIX + length));
            }
            let body = &bytes[PREFIX..PREFIX + length];
            let letter = body[0];
            let decoded = if known { message(body, &mut self.symbols) } else { Err(unknown(letter)) };
            if known {
                self.unproven = None;
            }
            let captured = self.pass_on(decoded, length, position)?;
            if !known && self.unproven.is_none() {
                self.unproven = Some((position, type_and_length(letter, length)));
            }
            if captured.is_some() {
                return Ok(captured);
            }
        }
    }

    /// Moves on to the next message, whatever it is. Returns whether there is one, and its capture time.
    fn advance(&mut self) -> Result<Option<Option<u64>>, Reason> {
        self.number += 1;
        let (length, known) = match known_frame(self.reader.fill_buf().map_err(read_failed)?) {
            Some(length) => (length, true),
            None => match self.frame()? {
                Frame::Known(length) => (length, true),
                Frame::Unknown(length) => (length, false),
                Frame::End => return Ok(None),
            },
        };
        let bytes = self.reader.peek(PREFIX + length).map_err(read_failed)?;
        if bytes.len() < PREFIX + length {
            return Err(ends_within(bytes.len(), PREFIX + length));
        }
        self.record.clear();
        self.record.extend_from_slice(&bytes[PREFIX..PREFIX + length]);
        let position = self.position();
        self.take(PREFIX + length);
        if !known {
            let what = type_and_length(self.record[0], length);
            self.unproven.get_or_insert((position, what));
            return Ok(Some(None));
        }
        self.unproven = None;
        let time = record::itch_time(&self.record);
        let captured = time.filter(|&time| time < DAY);
        if let (Some(time), None) = (time, captured) {
            self.warn(time, position);
        }
        Ok(Some(captured))
    }

    /// Goes on behind a message of this length, which is passed over if it is strange.
    #[inline]
    fn pass_on(
        &mut self,
        decoded: Result<Message, Strange>,
        length: usize,
        position: Position,
    ) -> Result<Option<Captured>, Reason> {
        match decoded {
            Ok(message) => {
                self.take(PREFIX + length);
                let captured = (message.ts_event < DAY).then_some(message.ts_event);
                if captured.is_none() {
                    self.warn(message.ts_event, position);
                }
                Ok(Some(Captured { message, captured }))
            }
            Err(strange) => {
                self.notes.pass_over(strange, position)?;
                self.take(PREFIX + length);
                Ok(None)
            }
        }
    }

    #[cold]
    fn warn(&mut self, time: u64, position: Position) {
        let hours = time / (DAY / 24);
        self.notes
            .warn(|| format!("{position}timestamp {time} is {hours} hours after midnight: expected less than 24"));
    }

    /// Finds out what comes next, behind the end of a session and padding.
    fn frame(&mut self) -> Result<Frame, Reason> {
        let begin = self.position();
        let mut zeros = 0;
        while let [0, 0, 0, ..] = self.peek(PREFIX + 1)? {
            self.take(1);
            zeros += 1;
        }
        let (first, second, letter) = match *self.peek(PREFIX + 1)? {
            [] => return Ok(Frame::End),
            [0, 0] if zeros == 0 => return self.end_of_session(0, begin),
            // One zero more than the end of a session is the first byte of a prefix; further ones are padding.
            [0, 0] if zeros > 1 => return self.end_of_session(zeros, begin),
            [0, 0] => {
                self.take(1);
                return Err(ends_within(1, PREFIX + 1));
            }
            [_] => return Err(ends_within(1, PREFIX + 1)),
            [_, _] => return Err(ends_within(2, PREFIX + 1)),
            [first, second, letter, ..] => (first, second, letter),
        };
        let prefix = usize::from(u16::from_be_bytes([first, second]));
        let Some(length) = wire::length(letter) else {
            return self.unknown_type(prefix, letter, zeros, begin);
        };
        if prefix != 0 && prefix != length {
            return Err(Reason::Malformed(format!(
                "length prefix is {prefix}, but a message of type {} has {length} bytes{}",
                char::from(letter),
                self.named()?
            )));
        }
        self.joined(zeros, begin)?;
        Ok(Frame::Known(length))
    }

    /// A type that is not in ITCH 5.0, or the prefix of the message behind the end of a session.
    fn unknown_type(&mut self, prefix: usize, letter: u8, zeros: u64, begin: Position) -> Result<Frame, Reason> {
        if prefix == 0
            && let [_, _, low, kind, ..] = *self.peek(PREFIX + 2)?
            && wire::length(kind).is_some_and(|length| length == usize::from(low))
        {
            self.take(1);
            self.joined(zeros + 1, begin)?;
            return Ok(Frame::Known(usize::from(low)));
        }
        if (1..=LONGEST_UNKNOWN).contains(&prefix) && zeros == 0 {
            return Ok(Frame::Unknown(prefix));
        }
        Err(Reason::Malformed(format!(
            "message type {letter:#04x} is not in ITCH 5.0 and its length prefix is {prefix}, so the rest cannot be told \
             apart{}",
            self.named()?
        )))
    }

    /// The end of the input behind the end of a session and so many zero bytes.
    fn end_of_session(&mut self, zeros: u64, begin: Position) -> Result<Frame, Reason> {
        self.take(PREFIX);
        padding::pass_over(&mut self.notes, zeros, begin)?;
        Ok(Frame::End)
    }

    /// Zero bytes before a message: two are the end of a session, others are padding.
    fn joined(&mut self, zeros: u64, begin: Position) -> Result<(), Reason> {
        match zeros {
            0 | 2 => Ok(()),
            _ => padding::pass_over(&mut self.notes, zeros, begin),
        }
    }

    fn peek(&mut self, count: usize) -> Result<&[u8], Reason> {
        self.reader.peek(count).map_err(read_failed)
    }

    /// Goes on behind so many bytes, all of which were looked at.
    fn take(&mut self, count: usize) {
        self.reader.consume(count);
        self.byte += count as u64;
    }

    /// What stands here instead of a message, if it can be told.
    fn named(&mut self) -> Result<String, Reason> {
        Ok(foreign::joined(self.peek(16)?))
    }
}

impl Source for ItchSource {
    fn next_captured(&mut self) -> Result<Option<Captured>, SourceError> {
        if self.ended {
            return Ok(None);
        }
        let next = self.next();
        self.ended = !matches!(next, Ok(Some(_)));
        next.map_err(|reason| reason.after(self.unproven.take(), "message", &self.file, self.position()))
    }

    fn next_record(&mut self) -> Result<Option<Record<'_>>, SourceError> {
        if self.ended {
            return Ok(None);
        }
        let next = self.advance();
        self.ended = !matches!(next, Ok(Some(_)));
        let found =
            next.map_err(|reason| reason.after(self.unproven.take(), "message", &self.file, self.position()))?;
        Ok(found.map(|captured| Record { kind: self.record[0], bytes: &self.record, captured }))
    }

    fn notes(&mut self) -> &mut Notes {
        &mut self.notes
    }

    fn symbol(&self, instrument: u32) -> Option<Symbol> {
        self.symbols.get(&u16::try_from(instrument).ok()?).copied()
    }
}

/// The length of the message of a known type at the beginning of these bytes, if all of it is there.
#[inline]
fn known_frame(bytes: &[u8]) -> Option<usize> {
    let [high, low, letter, ..] = *bytes else { return None };
    let prefix = usize::from(u16::from_be_bytes([high, low]));
    let length = wire::length(letter)?;
    ((prefix == 0 || prefix == length) && bytes.len() >= PREFIX + length).then_some(length)
}

fn ends_within(got: usize, needed: usize) -> Reason {
    Reason::Malformed(format!("the input ends {got} bytes into this message of {needed} (its length included)"))
}

fn type_and_length(letter: u8, length: usize) -> String {
    format!("message type {letter:#04x} is not in ITCH 5.0 and its length prefix is {length}")
}

fn unknown(letter: u8) -> Strange {
    Strange::of(What::Letter("unknown ITCH type", letter), |what| Reason::Malformed(format!("is of {what}")))
}
