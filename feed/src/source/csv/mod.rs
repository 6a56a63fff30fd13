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
//! pipe is yielded only when the next row is there. Fields are not quoted.
//!
//! Every line ends with a line feed (or CR LF), the last one too. A last line without one is an error after the rows
//! before it: it may be cut within its last field, and the rest would pass as a number.

use std::collections::HashMap;
use std::io::{self, BufRead, Read};

use ::csv::{ByteRecord, Reader, ReaderBuilder};

use super::error::{Position, Reason, SourceError, read_failed};
use super::stream::Source;
use crate::decimal::{DecimalError, parse_price, parse_size};
use crate::message::{Flags, Kind, Message, Side, UNDEFINED_PRICE, UNDEFINED_SIZE};

/// The columns, in the order in which this project writes them.
pub const COLUMNS: [&str; 12] =
    ["recv_ts_ns", "exch_ts_ms", "kind", "symbol", "px", "qty", "bid_px", "bid_qty", "ask_px", "ask_qty", "side", "id"];

/// The indices of the columns in [`COLUMNS`].
mod column {
    pub(super) const RECV_TS_NS: usize = 0;
    pub(super) const EXCH_TS_MS: usize = 1;
    pub(super) const KIND: usize = 2;
    pub(super) const SYMBOL: usize = 3;
    pub(super) const PX: usize = 4;
    pub(super) const QTY: usize = 5;
    pub(super) const BID_PX: usize = 6;
    pub(super) const BID_QTY: usize = 7;
    pub(super) const ASK_PX: usize = 8;
    pub(super) const ASK_QTY: usize = 9;
    pub(super) const SIDE: usize = 10;
    pub(super) const ID: usize = 11;
}

/// The longest line in bytes. It bounds memory for an input without line feeds.
const LINE_LIMIT: usize = 64 * 1024;

/// The largest number of symbols. It bounds memory (about 150 MB) for an input with a new symbol in each row.
const SYMBOL_LIMIT: usize = 1 << 20;

/// The longest symbol in bytes. It bounds the memory of all symbols together.
const SYMBOL_LENGTH: usize = 64;

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
    reader: Reader<LineLimited>,
    /// The position in this file of each of [`COLUMNS`].
    indices: [usize; COLUMNS.len()],
    row: ByteRecord,
    line: u64,
    symbols: HashMap<Box<[u8]>, u32>,
    /// The message of the row before: the next row shows whether it ends its event.
    held: Option<Held>,
    /// The error that ended the reading. It is returned after the held message.
    failed: Option<SourceError>,
    ended: bool,
}

/// A message, and the event that it belongs to.
struct Held {
    message: Message,
    event: Event,
}

#[derive(PartialEq, Eq)]
struct Event {
    kind: u8,
    instrument: u32,
    time: u64,
    id: u64,
}

impl CsvSource {
    /// Reads the header.
    ///
    /// # Errors
    /// A header with a missing, duplicate or unknown column.
    pub fn new(file: &str, reader: Box<dyn BufRead + Send>) -> Result<Self, SourceError> {
        let mut reader =
            ReaderBuilder::new().has_headers(false).flexible(true).quoting(false).from_reader(LineLimited::new(reader));
        let mut header = ByteRecord::new();
        reader.read_byte_record(&mut header).map_err(|error| failed(error).at(file, Position::Line(1)))?;
        let indices = indices(&header).map_err(|reason| reason.at(file, Position::Line(1)))?;
        Ok(CsvSource {
            file: file.to_owned(),
            reader,
            indices,
            row: ByteRecord::new(),
            line: 1,
            symbols: HashMap::new(),
            held: None,
            failed: None,
            ended: false,
        })
    }

    fn read_row(&mut self) -> Result<Option<Held>, Reason> {
        let more = self.reader.read_byte_record(&mut self.row);
        self.line = match &more {
            Ok(_) => self.row.position().map_or(self.line, ::csv::Position::line),
            // The reader failed before it had a row. Its position is the beginning of the row.
            Err(_) => self.reader.position().line(),
        };
        if !more.map_err(failed)? {
            return Ok(None);
        }
        if self.row.len() != COLUMNS.len() {
            return Err(Reason::Malformed(format!("has {} fields: expected {}", self.row.len(), COLUMNS.len())));
        }
        self.message().map(Some)
    }

    fn field(&self, column: usize) -> &[u8] {
        &self.row[self.indices[column]]
    }

    fn message(&mut self) -> Result<Held, Reason> {
        use column::{ASK_PX, ASK_QTY, BID_PX, BID_QTY, EXCH_TS_MS, ID, KIND, PX, QTY, RECV_TS_NS, SIDE};
        let received = self.number(RECV_TS_NS)?;
        let milliseconds = self.number(EXCH_TS_MS)?;
        let time = milliseconds.checked_mul(1_000_000).ok_or_else(|| Reason::DoesNotFit {
            field: COLUMNS[EXCH_TS_MS],
            value: milliseconds.to_string(),
            limit: (u64::MAX / 1_000_000).to_string(),
        })?;
        let id = self.number(ID)?;
        let message = match self.field(KIND) {
            b"Q" => {
                self.must_be_empty(&[PX, QTY, SIDE])?;
                let (bid, ask) = (self.quote_side(BID_PX, BID_QTY)?, self.quote_side(ASK_PX, ASK_QTY)?);
                Message::new(Kind::Quote, time).with_quote(bid, ask)
            }
            letter @ (b"T" | b"D") => {
                let kind = if letter == b"T" { Kind::Trade } else { Kind::Level };
                self.must_be_empty(&[BID_PX, BID_QTY, ASK_PX, ASK_QTY])?;
                Message {
                    side: self.side()? as u8,
                    price: self.decimal(PX, parse_price)?,
                    size: self.decimal(QTY, parse_size)?,
                    order_id: id,
                    extra: received,
                    ..Message::new(kind, time)
                }
            }
            _ => return Err(self.wrong(KIND, "expected T, Q or D")),
        };
        let instrument = self.instrument()?;
        let event = Event { kind: message.kind, instrument, time, id };
        Ok(Held { message: Message { instrument, ..message }, event })
    }

    fn instrument(&mut self) -> Result<u32, Reason> {
        let symbol = &self.row[self.indices[column::SYMBOL]];
        if let Some(&number) = self.symbols.get(symbol) {
            return Ok(number);
        }
        if symbol.is_empty() {
            return Err(self.wrong(column::SYMBOL, "expected a symbol"));
        }
        if symbol.len() > SYMBOL_LENGTH {
            let why = format!("… is {} bytes long: expected a symbol of at most {SYMBOL_LENGTH}", symbol.len());
            return Err(self.wrong_because(column::SYMBOL, &why));
        }
        if self.symbols.len() == SYMBOL_LIMIT {
            return Err(Reason::Malformed(format!("has more than {SYMBOL_LIMIT} symbols")));
        }
        let number = self.symbols.len() as u32 + 1;
        self.symbols.insert(symbol.into(), number);
        Ok(number)
    }

    fn number(&self, column: usize) -> Result<u64, Reason> {
        let text = self.field(column);
        // `parse` would accept a sign.
        let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
        let number = if digits { str::from_utf8(text).ok().and_then(|text| text.parse().ok()) } else { None };
        number.ok_or_else(|| self.wrong(column, "expected a whole number from 0 to 18446744073709551615"))
    }

    fn decimal<T>(&self, column: usize, parse: fn(&[u8]) -> Result<T, DecimalError>) -> Result<T, Reason> {
        parse(self.field(column)).map_err(|error| self.wrong_because(column, &error.to_string()))
    }

    /// One side of a quote: both of its columns, or neither.
    fn quote_side(&self, px: usize, qty: usize) -> Result<(i64, u64), Reason> {
        if self.field(px).is_empty() && self.field(qty).is_empty() {
            Ok((UNDEFINED_PRICE, UNDEFINED_SIZE))
        } else {
            Ok((self.decimal(px, parse_price)?, self.decimal(qty, parse_size)?))
        }
    }

    fn side(&self) -> Result<Side, Reason> {
        match self.field(column::SIDE) {
            b"B" => Ok(Side::Bid),
            b"S" => Ok(Side::Ask),
            _ => Err(self.wrong(column::SIDE, "expected B or S")),
        }
    }

    fn must_be_empty(&self, columns: &[usize]) -> Result<(), Reason> {
        match columns.iter().find(|&&column| !self.field(column).is_empty()) {
            Some(&column) => Err(self.wrong(column, "expected nothing in a row of this kind")),
            None => Ok(()),
        }
    }

    fn wrong(&self, column: usize, expected: &str) -> Reason {
        self.wrong_because(column, &format!("is wrong: {expected}"))
    }

    fn wrong_because(&self, column: usize, why: &str) -> Reason {
        let shown = String::from_utf8_lossy(self.field(column));
        let shown: String = shown.chars().take(40).collect();
        Reason::Malformed(format!("{} {shown:?} {why}", COLUMNS[column]))
    }
}

impl Source for CsvSource {
    fn next_message(&mut self) -> Result<Option<Message>, SourceError> {
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
                    self.failed = Some(reason.at(&self.file, Position::Line(self.line)));
                    false
                }
            };
            if let Some(Held { message, .. }) = held {
                let flags = if ends { message.flags | Flags::END_OF_EVENT.0 } else { message.flags };
                return Ok(Some(Message { flags, ..message }));
            }
        }
    }
}

/// The position of each column, by the header.
fn indices(header: &ByteRecord) -> Result<[usize; COLUMNS.len()], Reason> {
    let expected = || format!("expected the columns {}", COLUMNS.join(","));
    let name = |place: usize| {
        let name = &header[place];
        if place == 0 { name.strip_prefix(BYTE_ORDER_MARK).unwrap_or(name) } else { name }
    };
    let mut indices = [usize::MAX; COLUMNS.len()];
    for place in 0..header.len() {
        let shown = String::from_utf8_lossy(name(place));
        match COLUMNS.iter().position(|column| column.as_bytes() == name(place)) {
            Some(column) if indices[column] == usize::MAX => indices[column] = place,
            Some(_) => return Err(Reason::Malformed(format!("column {shown:?} stands there twice"))),
            None => return Err(Reason::Malformed(format!("column {shown:?} is unknown: {}", expected()))),
        }
    }
    match indices.iter().position(|&place| place == usize::MAX) {
        Some(missing) => Err(Reason::Malformed(format!("column {:?} is missing: {}", COLUMNS[missing], expected()))),
        None => Ok(indices),
    }
}

fn failed(error: ::csv::Error) -> Reason {
    match error.into_kind() {
        ::csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            Reason::Malformed(error.to_string())
        }
        ::csv::ErrorKind::Io(error) => read_failed(error),
        other => Reason::Malformed(format!("{other:?}")),
    }
}

/// A reader that fails at a line longer than [`LINE_LIMIT`] and at an input that ends within a line. Everything before
/// is read.
struct LineLimited {
    reader: Box<dyn BufRead + Send>,
    /// Bytes since the last line feed.
    line: usize,
    /// The last byte. A carriage return, too, ends a row.
    last: u8,
}

impl LineLimited {
    fn new(reader: Box<dyn BufRead + Send>) -> Self {
        LineLimited { reader, line: 0, last: b'\n' }
    }
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Read for LineLimited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.line > LINE_LIMIT {
            return Err(invalid(format!("is longer than {LINE_LIMIT} bytes: is this CSV?")));
        }
        // The CSV reader would report an interrupted read as an error.
        let count = loop {
            match self.reader.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        for byte in &buffer[..count] {
            self.line = if *byte == b'\n' { 0 } else { self.line + 1 };
        }
        match buffer[..count].last() {
            Some(&last) => self.last = last,
            None if !buffer.is_empty() && !matches!(self.last, b'\n' | b'\r') => {
                let what =
                    "the input ends within this line, which may be cut short: end it with a line feed if it is whole";
                return Err(invalid(what.to_owned()));
            }
            None => {}
        }
        Ok(count)
    }
}
