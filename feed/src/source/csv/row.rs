//! One row as a message.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::error::Reason;
use super::super::notes::{Notes, Strange, What};
use super::super::times::{self, Unit};
use super::columns::{
    ASK_PX, ASK_QTY, BID_PX, BID_QTY, COLUMNS, EXCH_TS_MS, ID, KIND, PX, Places, QTY, RECV_TS_NS, SIDE, SYMBOL,
};
use super::split::Fields;
use crate::decimal::{DecimalError, parse_price, parse_size, parse_whole};
use crate::message::{Kind, Message, Side, UNDEFINED_PRICE, UNDEFINED_SIZE};

/// The largest number of symbols. It bounds memory (about 150 MB) for an input with a new symbol in each row.
const SYMBOL_LIMIT: usize = 1 << 20;

/// The longest symbol in bytes. It bounds the memory of all symbols together.
const SYMBOL_LENGTH: usize = 64;

const NUMBER: &str = "expected a whole number from 0 to 18446744073709551615";

/// The symbols so far and their numbers, from 1.
#[derive(Default)]
pub(super) struct Symbols {
    numbers: HashMap<Arc<[u8]>, u32>,
    /// The symbol of number 1, of number 2, and so on.
    names: Vec<Arc<[u8]>>,
}

impl Symbols {
    /// The symbol of a number.
    pub(super) fn name(&self, number: u32) -> Option<&[u8]> {
        self.names.get(number.checked_sub(1)? as usize).map(|name| &**name)
    }

    fn add(&mut self, symbol: &[u8]) -> u32 {
        let name: Arc<[u8]> = symbol.into();
        self.names.push(Arc::clone(&name));
        let number = self.names.len() as u32;
        self.numbers.insert(name, number);
        number
    }
}

/// A message, its event and its capture time.
pub(super) struct RowMessage {
    pub(super) message: Message,
    pub(super) event: Event,
    pub(super) captured: Option<u64>,
}

/// What consecutive rows of one event have in common.
#[derive(PartialEq, Eq)]
pub(super) struct Event {
    kind: u8,
    instrument: u32,
    time: u64,
    id: u64,
}

/// Converts a row.
pub(super) fn message(
    fields: &Fields,
    places: &Places,
    symbols: &mut Symbols,
    notes: &mut Notes,
    line: u64,
) -> Result<RowMessage, Strange> {
    if fields.len() != COLUMNS.len() {
        let reason = Reason::Malformed(format!("has {} fields: expected {}", fields.len(), COLUMNS.len()));
        return Err(Strange::new(What::Text("CSV row with another number of fields"), reason));
    }
    let row = Row { fields, places };
    let received = row.number(RECV_TS_NS)?;
    let milliseconds = row.number(EXCH_TS_MS)?;
    let time = milliseconds.checked_mul(1_000_000).ok_or_else(|| {
        warn(notes, line, EXCH_TS_MS, milliseconds, Unit::Milliseconds);
        let reason = Reason::DoesNotFit {
            field: COLUMNS[EXCH_TS_MS],
            value: milliseconds.to_string(),
            limit: (u64::MAX / 1_000_000).to_string(),
        };
        Strange::new(What::Named(OUT_OF_RANGE, COLUMNS[EXCH_TS_MS]), reason)
    })?;
    let id = row.number(ID)?;
    let message = match row.field(KIND) {
        b"Q" => {
            row.must_be_empty(&[PX, QTY, SIDE])?;
            let (bid, ask) = (row.quote_side(BID_PX, BID_QTY)?, row.quote_side(ASK_PX, ASK_QTY)?);
            Message::new(Kind::Quote, time).with_quote(bid, ask)
        }
        letter @ (b"T" | b"D") => {
            let kind = if letter == b"T" { Kind::Trade } else { Kind::Level };
            row.must_be_empty(&[BID_PX, BID_QTY, ASK_PX, ASK_QTY])?;
            Message {
                side: row.side()? as u8,
                price: row.decimal(PX, parse_price)?,
                size: row.decimal(QTY, parse_size)?,
                order_id: id,
                extra: received,
                ..Message::new(kind, time)
            }
        }
        _ => return Err(row.wrong(KIND, "expected T, Q or D")),
    };
    let instrument = row.instrument(symbols)?;
    let event = Event { kind: message.kind, instrument, time, id };
    if !times::is_plausible(time) {
        warn(notes, line, EXCH_TS_MS, milliseconds, Unit::Milliseconds);
    } else if !times::is_plausible(received) {
        warn(notes, line, RECV_TS_NS, received, Unit::Nanoseconds);
    }
    let captured = [received, time].into_iter().find(|&time| times::is_plausible(time));
    Ok(RowMessage { message: Message { instrument, ..message }, event, captured })
}

#[cold]
fn warn(notes: &mut Notes, line: u64, column: usize, value: u64, unit: Unit) {
    notes.warn(|| format!("line {line}: {}", times::implausible(COLUMNS[column], value, unit)));
}

const WRONG: &str = "CSV row with a wrong";
const OUT_OF_RANGE: &str = "CSV row that is out of the message's range in";
const TOO_FINE: &str = "CSV row with more than 9 decimal places in";

struct Row<'a> {
    fields: &'a Fields,
    places: &'a Places,
}

impl Row<'_> {
    fn field(&self, column: usize) -> &[u8] {
        self.fields.get(self.places[column])
    }

    fn instrument(&self, symbols: &mut Symbols) -> Result<u32, Strange> {
        let symbol = self.field(SYMBOL);
        if let Some(&number) = symbols.numbers.get(symbol) {
            return Ok(number);
        }
        if symbol.is_empty() {
            return Err(self.wrong(SYMBOL, "expected a symbol"));
        }
        if symbol.len() > SYMBOL_LENGTH {
            let why = format!("… is {} bytes long: expected a symbol of at most {SYMBOL_LENGTH}", symbol.len());
            return Err(self.because(WRONG, SYMBOL, &why));
        }
        if symbols.names.len() == SYMBOL_LIMIT {
            return Err(self.because(WRONG, SYMBOL, &format!("is new: expected at most {SYMBOL_LIMIT} symbols")));
        }
        Ok(symbols.add(symbol))
    }

    fn number(&self, column: usize) -> Result<u64, Strange> {
        parse_whole(self.field(column)).map_err(|_| self.wrong(column, NUMBER))
    }

    fn decimal<T>(&self, column: usize, parse: fn(&[u8]) -> Result<T, DecimalError>) -> Result<T, Strange> {
        parse(self.field(column)).map_err(|error| {
            let kind = match error {
                DecimalError::Malformed => WRONG,
                DecimalError::TooFine => TOO_FINE,
                DecimalError::TooLarge(_) => OUT_OF_RANGE,
            };
            self.because(kind, column, &error.to_string())
        })
    }

    /// One side of a quote: both of its columns, or neither.
    fn quote_side(&self, px: usize, qty: usize) -> Result<(i64, u64), Strange> {
        if self.field(px).is_empty() && self.field(qty).is_empty() {
            Ok((UNDEFINED_PRICE, UNDEFINED_SIZE))
        } else {
            Ok((self.decimal(px, parse_price)?, self.decimal(qty, parse_size)?))
        }
    }

    fn side(&self) -> Result<Side, Strange> {
        match self.field(SIDE) {
            b"B" => Ok(Side::Bid),
            b"S" => Ok(Side::Ask),
            _ => Err(self.wrong(SIDE, "expected B or S")),
        }
    }

    fn must_be_empty(&self, columns: &[usize]) -> Result<(), Strange> {
        match columns.iter().find(|&&column| !self.field(column).is_empty()) {
            Some(&column) => Err(self.wrong(column, "expected nothing in a row of this kind")),
            None => Ok(()),
        }
    }

    fn wrong(&self, column: usize, expected: &str) -> Strange {
        self.because(WRONG, column, &format!("is wrong: {expected}"))
    }

    fn because(&self, kind: &'static str, column: usize, why: &str) -> Strange {
        let shown = String::from_utf8_lossy(self.field(column));
        let shown: String = shown.chars().take(40).collect();
        let reason = Reason::Malformed(format!("{} {shown:?} {why}", COLUMNS[column]));
        Strange::new(What::Named(kind, COLUMNS[column]), reason)
    }
}
