//! CSV with the columns `recv_ts_ns,exch_ts_ms,kind,symbol,px,qty,bid_px,bid_qty,ask_px,ask_qty,side,id`, in any order.
//!
//! | kind | becomes | its columns |
//! |---|---|---|
//! | `T` | trade | px, qty, side `B` or `S` (the aggressor's), id |
//! | `D` | level: the size now at a price, 0 if none | px, qty, side `B` or `S`, id |
//! | `Q` | quote | bid_px, bid_qty, ask_px, ask_qty (a side may be empty), id |
//!
//! The other columns of a kind must be empty. The event time is `exch_ts_ms`. `recv_ts_ns` goes into `extra`, except
//! for a quote. Symbols become instrument numbers in the order of their first appearance, from 1. Consecutive rows with
//! the same kind, symbol, time and id are one event; its last message carries the flag for the end. So a row from a
//! pipe is yielded only when the next row is there.
//!
//! Fields may be quoted by RFC 4180; numbers may have an exponent (`1e-05`). A header in the midst of the rows begins
//! another file, joined behind the first: its columns may stand in another order, the symbols keep their numbers. A row
//! that cannot become a message is passed over: its line end says where the next one begins.
//!
//! Every line ends with a line feed (or CR LF), the last one too. A last line without one is an error after the rows
//! before it: it may be cut within its last field, and the rest would pass as a number.

mod columns;
mod lines;
mod records;
mod row;
mod split;

use std::io::BufRead;

pub use self::columns::COLUMNS;
use self::columns::{Places, places};
use self::records::{Found, Records};
use self::row::{RowMessage, Symbols};
use super::error::{Position, Reason, SourceError};
use super::notes::Notes;
use super::padding;
use super::stream::{Captured, Source};
use crate::board::Symbol;
use crate::message::{Flags, Message};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// True if an input that begins with these bytes may be CSV: a line of printable characters with a comma.
pub(crate) fn begins_like_csv(first: &[u8]) -> bool {
    let text = first.strip_prefix(BYTE_ORDER_MARK).unwrap_or(first);
    let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    line.contains(&b',') && line.iter().all(|&byte| byte == b'\r' || byte == b'\t' || (b' '..=b'~').contains(&byte))
}

/// Decodes decompressed CSV.
pub struct CsvSource {
    file: String,
    records: Records,
    places: Places,
    symbols: Symbols,
    notes: Notes,
    /// The message of the row before: the next row shows whether it ends its event.
    held: Option<RowMessage>,
    /// The error that ended the reading. It is returned after the held message.
    failed: Option<SourceError>,
    ended: bool,
}

impl CsvSource {
    /// Reads the header.
    ///
    /// # Errors
    /// A header with a missing, duplicate or unknown column.
    pub fn new(file: &str, reader: Box<dyn BufRead + Send>) -> Result<Self, SourceError> {
        let mut records = Records::new(reader);
        let places = match records.next() {
            Ok(Found::Record) => places(records.fields()),
            // Without a line there are no columns, of which the first one is missing.
            Ok(Found::End | Found::Padding(_)) => places(&Default::default()),
            Ok(Found::Strange(strange)) => Err(strange.reason()),
            Err(reason) => Err(reason),
        };
        let places = places.map_err(|reason| reason.at(file, Position::Line(records.line())))?;
        Ok(CsvSource {
            file: file.to_owned(),
            records,
            places,
            symbols: Symbols::default(),
            notes: Notes::default(),
            held: None,
            failed: None,
            ended: false,
        })
    }

    fn read_row(&mut self) -> Result<Option<RowMessage>, Reason> {
        loop {
            let found = self.records.next()?;
            let line = self.records.line();
            let strange = match found {
                Found::End => return Ok(None),
                Found::Padding(count) => {
                    padding::pass_over(&mut self.notes, count, Position::Line(line))?;
                    return Ok(None);
                }
                Found::Strange(strange) => strange,
                Found::Record => {
                    let fields = self.records.fields();
                    match row::message(fields, &self.places, &mut self.symbols, &mut self.notes, line) {
                        Ok(message) => return Ok(Some(message)),
                        Err(strange) => match places(fields) {
                            // The header of another file, joined behind.
                            Ok(places) => {
                                self.places = places;
                                continue;
                            }
                            Err(_) => strange,
                        },
                    }
                }
            };
            self.records.only_first_line();
            self.notes.pass_over(strange, Position::Line(line))?;
        }
    }
}

impl Source for CsvSource {
    fn next_captured(&mut self) -> Result<Option<Captured>, SourceError> {
        loop {
            if self.ended {
                return match self.failed.take() {
                    Some(error) => Err(error),
                    None => Ok(None),
                };
            }
            let row = self.read_row();
            let held = self.held.take();
            let ends = match row {
                Ok(Some(next)) => {
                    let ends = held.as_ref().is_some_and(|held| held.event != next.event);
                    self.held = Some(next);
                    ends
                }
                Ok(None) => {
                    self.ended = true;
                    true
                }
                Err(reason) => {
                    // It is unknown whether the event ended before the broken row, so the flag stays unset.
                    self.ended = true;
                    self.failed = Some(reason.at(&self.file, Position::Line(self.records.line())));
                    false
                }
            };
            if let Some(RowMessage { message, captured, .. }) = held {
                let flags = if ends { message.flags | Flags::END_OF_EVENT.0 } else { message.flags };
                return Ok(Some(Captured { message: Message { flags, ..message }, captured }));
            }
        }
    }

    fn notes(&mut self) -> &mut Notes {
        &mut self.notes
    }

    fn symbol(&self, instrument: u32) -> Option<Symbol> {
        self.symbols.name(instrument).map(Symbol::cut)
    }
}
