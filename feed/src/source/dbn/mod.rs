//! Databento DBN, versions 1 to 3: market by order, best bid and offer (MBP-1), trades with it (TBBO), trades.
//!
//! The crate `dbn` decodes. Records become messages:
//!
//! | record | message |
//! |---|---|
//! | MBO | its action: add, cancel, modify, clear, trade, fill; `N` (none) is other |
//! | trades, TBBO, and MBP-1 with action trade | trade |
//! | MBP-1 with action clear | clear |
//! | MBP-1 otherwise | quote: the level after the change |
//! | symbol mapping, system and error messages in a live capture | other |
//!
//! A record of another type is passed over: its length says where the next one begins. If no record begins there, nothing
//! does, and the input ends in an error where the first of them stands. Behind the last record another file may begin,
//! joined with `cat`, or zero bytes may fill up a block.

mod frames;
mod metadata;
mod record;
mod symbols;

use std::io::BufRead;

use ::dbn::{RecordRef, Schema, rtype};

use self::frames::{Frame, Frames};
use self::symbols::Symbols;
use super::error::{Position, Reason, SourceError};
use super::notes::Notes;
use super::padding;
use super::stream::{Captured, Source};
use super::times::{self, Unit};
use crate::board::Symbol;
use crate::message::{Message, UNDEFINED_TIME};

/// Decodes decompressed DBN.
pub struct DbnSource {
    file: String,
    frames: Frames,
    /// Records so far.
    number: u64,
    position: Position,
    symbols: Symbols,
    notes: Notes,
    /// The first of the records passed over that no record of a known type and length has followed yet, and what it is.
    unproven: Option<(Position, String)>,
    ended: bool,
}

impl DbnSource {
    /// Reads the metadata.
    ///
    /// # Errors
    /// An input that does not begin with DBN metadata of versions 1 to 3, or has an unsupported schema.
    pub fn new(file: &str, reader: Box<dyn BufRead + Send>) -> Result<Self, SourceError> {
        // Errors in the metadata are reported at the start of the input.
        let fail = |reason: Reason| reason.at(file, Position::Byte(0));
        let mut frames = Frames::new(reader).map_err(fail)?;
        let metadata = frames.metadata().map_err(fail)?;
        match metadata.schema {
            None | Some(Schema::Mbo | Schema::Mbp1 | Schema::Tbbo | Schema::Trades) => {}
            Some(schema) => {
                return Err(fail(Reason::Unsupported(format!("holds DBN schema {schema}: {}", record::SUPPORTED))));
            }
        }
        let mut symbols = Symbols::default();
        symbols.learn(&metadata);
        Ok(DbnSource {
            file: file.to_owned(),
            frames,
            number: 0,
            position: Position::Byte(0),
            symbols,
            notes: Notes::default(),
            unproven: None,
            ended: false,
        })
    }

    fn next(&mut self) -> Result<Option<Captured>, Reason> {
        loop {
            self.position = Position::Record { number: self.number + 1, byte: self.frames.byte() };
            match self.frames.next()? {
                Frame::End => return Ok(None),
                Frame::Padding(count) => {
                    self.unproven = None;
                    padding::pass_over(&mut self.notes, count, self.position)?;
                }
                Frame::Metadata => {
                    // Its schema may be another one: each record says what it is.
                    self.symbols.learn(&self.frames.metadata()?);
                    self.unproven = None;
                }
                Frame::Record => {
                    if let Some(captured) = self.convert()? {
                        return Ok(Some(captured));
                    }
                }
            }
        }
    }

    /// Converts the record that was found, or passes it over.
    fn convert(&mut self) -> Result<Option<Captured>, Reason> {
        self.number += 1;
        let record = self.frames.record();
        let decoded = record::decode(record)?;
        let captured = match decoded {
            Ok((message, received)) => {
                let captured = match received {
                    Some(received) => pace(&message, received, self.position, &mut self.notes),
                    None => {
                        if record.header().rtype == rtype::SYMBOL_MAPPING {
                            self.symbols.note(record);
                        }
                        None
                    }
                };
                Some(Captured { message, captured })
            }
            Err(strange) => {
                self.notes.pass_over(strange, self.position)?;
                None
            }
        };
        if record::is_proven(record.header()) {
            self.unproven = None;
        } else if self.unproven.is_none() {
            self.unproven = Some((self.position, unproven(&record)));
        }
        Ok(captured)
    }
}

impl Source for DbnSource {
    fn next_captured(&mut self) -> Result<Option<Captured>, SourceError> {
        if self.ended {
            return Ok(None);
        }
        let next = self.next();
        self.ended = !matches!(next, Ok(Some(_)));
        next.map_err(|reason| reason.after(self.unproven.take(), "record", &self.file, self.position))
    }

    fn notes(&mut self) -> &mut Notes {
        &mut self.notes
    }

    fn symbol(&self, instrument: u32) -> Option<Symbol> {
        self.symbols.get(instrument)
    }
}

fn unproven(record: &RecordRef<'_>) -> String {
    let header = record.header();
    format!("is of type {:#04x} and {} bytes long, which no known record is", header.rtype, header.record_size())
}

/// The time that paces this message: the capture's, or else the event's. Warns of times that cannot be.
fn pace(message: &Message, received: u64, position: Position, notes: &mut Notes) -> Option<u64> {
    for (field, time) in [("ts_event", message.ts_event), ("ts_recv", received)] {
        if !times::is_plausible(time) && time != UNDEFINED_TIME {
            notes.warn(|| format!("{position}{}", times::implausible(field, time, Unit::Nanoseconds)));
        }
    }
    [received, message.ts_event].into_iter().find(|&time| times::is_plausible(time))
}
