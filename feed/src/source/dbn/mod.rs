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
//!
//! Read as [records](crate::records), every record of every type is one, byte for byte, and so is the metadata of each file.

mod frames;
mod metadata;
mod record;
mod shown;
mod symbols;

use std::io::BufRead;

use ::dbn::{Record as _, RecordRef, Schema, rtype};

use self::frames::{Frame, Frames};
pub(crate) use self::record::{has_ts_out, is_of_a_length};
pub use self::shown::shown;
use self::symbols::Symbols;
use super::error::{Position, Reason, SourceError};
use super::notes::Notes;
use super::padding;
use super::stream::{Captured, Source};
use super::times::{self, Unit};
use crate::board::Symbol;
use crate::message::UNDEFINED_TIME;
use crate::record::{METADATA, Record};

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
    /// The last record that was read as one: its kind and its bytes. First it is the metadata.
    record: (u8, Vec<u8>),
    /// No record was read as one yet.
    is_new: bool,
    ended: bool,
}

/// What a frame that is not padding holds.
enum Content {
    Record,
    Metadata,
}

impl DbnSource {
    /// Reads the metadata of an input of messages.
    ///
    /// # Errors
    /// An input that does not begin with DBN metadata of versions 1 to 3, or has an unsupported schema.
    pub fn new(file: &str, reader: Box<dyn BufRead + Send>) -> Result<Self, SourceError> {
        Self::begin(file, reader, |schema| match schema {
            None | Some(Schema::Mbo | Schema::Mbp1 | Schema::Tbbo | Schema::Trades) => Ok(()),
            Some(schema) => Err(Reason::Unsupported(format!("holds DBN schema {schema}: {}", record::SUPPORTED))),
        })
    }

    /// Reads the metadata of an input of records, of whatever schema.
    ///
    /// # Errors
    /// An input that does not begin with DBN metadata of versions 1 to 3.
    pub fn of_records(file: &str, reader: Box<dyn BufRead + Send>) -> Result<Self, SourceError> {
        Self::begin(file, reader, |_| Ok(()))
    }

    fn begin(
        file: &str,
        reader: Box<dyn BufRead + Send>,
        check: impl FnOnce(Option<Schema>) -> Result<(), Reason>,
    ) -> Result<Self, SourceError> {
        // Errors in the metadata are reported at the start of the input.
        let fail = |reason: Reason| reason.at(file, Position::Byte(0));
        let mut frames = Frames::new(reader).map_err(fail)?;
        let (metadata, bytes) = frames.metadata().map_err(fail)?;
        check(metadata.schema).map_err(fail)?;
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
            record: (METADATA, bytes),
            is_new: true,
            ended: false,
        })
    }

    fn next(&mut self) -> Result<Option<Captured>, Reason> {
        loop {
            match self.frame()? {
                None => return Ok(None),
                Some(Content::Metadata) => {
                    // Its schema may be another one: each record says what it is.
                    self.symbols.learn(&self.frames.metadata()?.0);
                    self.unproven = None;
                }
                Some(Content::Record) => {
                    if let Some(captured) = self.convert()? {
                        return Ok(Some(captured));
                    }
                }
            }
        }
    }

    /// Finds the next frame, and passes padding over. `None` at the end.
    fn frame(&mut self) -> Result<Option<Content>, Reason> {
        loop {
            self.position = Position::Record { number: self.number + 1, byte: self.frames.byte() };
            match self.frames.next()? {
                Frame::End => return Ok(None),
                Frame::Padding(count) => {
                    self.unproven = None;
                    padding::pass_over(&mut self.notes, count, self.position)?;
                }
                Frame::Metadata => return Ok(Some(Content::Metadata)),
                Frame::Record => return Ok(Some(Content::Record)),
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
                    Some(received) => pace(message.ts_event, received, self.position, &mut self.notes),
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

    /// Moves on to the next record, whatever it is. Returns whether there is one, and its capture time.
    fn advance(&mut self) -> Result<Option<Option<u64>>, Reason> {
        if std::mem::take(&mut self.is_new) {
            return Ok(Some(None));
        }
        match self.frame()? {
            None => Ok(None),
            Some(Content::Metadata) => {
                self.unproven = None;
                self.record = (METADATA, self.frames.metadata()?.1);
                Ok(Some(None))
            }
            Some(Content::Record) => {
                self.number += 1;
                self.carry().map(Some)
            }
        }
    }

    /// Takes the record that was found. Returns its capture time.
    fn carry(&mut self) -> Result<Option<u64>, Reason> {
        let record = self.frames.record();
        let header = record.header();
        record::check_length(&record)?;
        self.record.0 = header.rtype;
        self.record.1.clear();
        self.record.1.extend_from_slice(record.as_ref());
        if !record::is_of_a_length(header) {
            self.unproven.get_or_insert_with(|| (self.position, unproven(&record)));
            return Ok(None);
        }
        self.unproven = None;
        // Their own times are those of the capture's clock: see `record::decode`.
        if matches!(header.rtype, rtype::SYMBOL_MAPPING | rtype::SYSTEM | rtype::ERROR) {
            return Ok(None);
        }
        Ok(pace(header.ts_event, record.raw_index_ts(), self.position, &mut self.notes))
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

    fn next_record(&mut self) -> Result<Option<Record<'_>>, SourceError> {
        if self.ended {
            return Ok(None);
        }
        let next = self.advance();
        self.ended = !matches!(next, Ok(Some(_)));
        let found = next.map_err(|reason| reason.after(self.unproven.take(), "record", &self.file, self.position))?;
        Ok(found.map(|captured| Record { kind: self.record.0, bytes: &self.record.1, captured }))
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

/// The time that paces a record: the capture's, or else the event's. Warns of times that cannot be.
fn pace(ts_event: u64, received: u64, position: Position, notes: &mut Notes) -> Option<u64> {
    for (field, time) in [("ts_event", ts_event), ("ts_recv", received)] {
        if !times::is_plausible(time) && time != UNDEFINED_TIME {
            notes.warn(|| format!("{position}{}", times::implausible(field, time, Unit::Nanoseconds)));
        }
    }
    [received, ts_event].into_iter().find(|&time| times::is_plausible(time))
}
