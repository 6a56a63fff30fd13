//! What a table's rows look like: the board of `feed-publisher --table`, or the fields of any other table's schemas.

use std::fmt::Display;

use feed::board::Row;
use feed::decimal::{Price, Size};
use feed::line::time_of_day;
use feed::{Message, UNDEFINED_TIME};
use feed_ring::Payload;
use feed_ring::inspect::{Field, MessageType, Number, Table, Type};
use serde_json::{Value, json};

use crate::format::{count, printable};
use crate::hex::hex;
use crate::table::{ALWAYS, Column};

/// The widest cell. What is longer is cut, and `…` says so.
const WIDEST: usize = 32;

/// The columns of the board.
const BOARD: [Column<'static>; 10] = [
    Column { title: "SYMBOL", right: false, rank: ALWAYS },
    Column { title: "BID SIZE", right: true, rank: 3 },
    Column { title: "BID", right: true, rank: 8 },
    Column { title: "ASK", right: true, rank: 8 },
    Column { title: "ASK SIZE", right: true, rank: 3 },
    Column { title: "LAST", right: true, rank: ALWAYS },
    Column { title: "SIZE", right: true, rank: 5 },
    Column { title: "TRADES", right: true, rank: 4 },
    Column { title: "MESSAGES", right: true, rank: 6 },
    Column { title: "TIME", right: true, rank: 7 },
];

/// How the rows of a table are shown.
pub(super) enum Shape {
    /// The live board of instruments.
    Board,
    /// By field. `None` is of bytes: a schema that cannot be parsed, or a cell's key.
    Fields { has_key: bool, key: Option<MessageType>, value: Option<MessageType> },
}

impl Shape {
    pub(super) fn of(table: &Table) -> Self {
        let facts = table.facts();
        let key = facts.key.as_ref().map(|key| &*key.schema);
        if facts.schema == Row::SCHEMA.text::<Row>() && key == Some(&*u32::SCHEMA.text::<u32>()) {
            return Shape::Board;
        }
        let of_key = table.key_type().and_then(Result::ok);
        Shape::Fields { has_key: key.is_some(), key: of_key, value: table.message_type().ok() }
    }

    /// The columns, as many as [`cells`](Self::cells) returns.
    pub(super) fn columns(&self) -> Vec<Column<'_>> {
        let Shape::Fields { has_key, value, .. } = self else { return BOARD.to_vec() };
        let mut columns = Vec::new();
        if *has_key {
            columns.push(Column { title: "KEY", right: false, rank: ALWAYS });
        }
        columns.push(Column { title: "STORE", right: true, rank: 0 });
        match value {
            None => columns.push(Column { title: "VALUE", right: false, rank: ALWAYS }),
            // The last field is left out first.
            Some(value) => columns.extend(value.fields.iter().enumerate().map(|(index, field)| Column {
                title: &field.name,
                right: matches!(field.ty, Type::Number(_)),
                rank: if index == 0 { ALWAYS } else { (250 - index.min(249)) as u8 },
            })),
        }
        columns
    }

    /// The texts in the columns.
    pub(super) fn cells(&self, key: &[u8], value: &[u8], number: u64) -> Vec<String> {
        let Shape::Fields { has_key, value: ty, .. } = self else { return board_cells(key, &row(value)).to_vec() };
        let mut cells = Vec::new();
        if *has_key {
            cells.push(short(&self.name(key, value)));
        }
        cells.push(count(number));
        match ty {
            None => cells.push(short(&hex(value))),
            Some(ty) => cells.extend(ty.fields.iter().map(|field| short(&unquoted(field, value)))),
        }
        cells
    }

    /// What a row is called: its symbol, or its key.
    pub(super) fn name(&self, key: &[u8], value: &[u8]) -> String {
        match self {
            Shape::Board => board_name(key, &row(value)),
            Shape::Fields { key: Some(ty), .. } if ty.fields.len() == 1 => unquoted(&ty.fields[0], key),
            Shape::Fields { key: Some(ty), .. } => ty.text(key),
            Shape::Fields { key: None, .. } => hex(key),
        }
    }

    /// One row as JSON.
    pub(super) fn json(&self, index: u64, number: u64, key: &[u8], value: &[u8]) -> String {
        let (of_key, of_value) = match self {
            Shape::Board => return board_json(index, number, instrument(key), &row(value)).to_string(),
            Shape::Fields { key, value, .. } => (key, value),
        };
        let key = match of_key {
            Some(ty) if ty.fields.len() == 1 => ty.fields[0].json(key),
            Some(ty) => ty.json(key),
            None if key.is_empty() => "null".to_owned(),
            None => format!("\"{}\"", hex(key)),
        };
        let value = of_value.as_ref().map_or_else(|| format!("\"{}\"", hex(value)), |ty| ty.json(value));
        format!("{{\"row\":{index},\"store\":{number},\"key\":{key},\"value\":{value}}}")
    }
}

/// The row of the board in a value. A value that is no row has nothing in it.
fn row(value: &[u8]) -> Row {
    Row::from_bytes(value.first_chunk().unwrap_or(&[0; size_of::<Row>()]))
}

fn instrument(key: &[u8]) -> u32 {
    key.first_chunk().map_or(0, |bytes| u32::from_ne_bytes(*bytes))
}

/// The symbol, or the instrument's number if it has none.
fn board_name(key: &[u8], row: &Row) -> String {
    match row.symbol.as_str() {
        "" => instrument(key).to_string(),
        symbol => symbol.to_owned(),
    }
}

/// Prices and sizes of a row: bid and ask of the last quote, price and size of the last trade.
struct Prices {
    bid: (Option<Price>, Option<Size>),
    ask: (Option<Price>, Option<Size>),
    last: (Option<Price>, Option<Size>),
}

impl Prices {
    fn of(row: &Row) -> Self {
        let of = |message: Option<&Message>, price: fn(&Message) -> Option<i64>, size: fn(&Message) -> Option<u64>| {
            (message.and_then(price).map(Price), message.and_then(size).map(Size))
        };
        Prices {
            bid: of(row.quote(), Message::price, Message::size),
            ask: of(row.quote(), Message::ask_price, Message::ask_size),
            last: of(row.trade(), Message::price, Message::size),
        }
    }
}

fn board_cells(key: &[u8], row: &Row) -> [String; BOARD.len()] {
    let Prices { bid, ask, last } = Prices::of(row);
    // To the second: a board is looked at, and other programs have JSON.
    let time = time_of_day(row.last().ts_event);
    [
        short(&board_name(key, row)),
        or_dash(bid.1),
        or_dash(bid.0),
        or_dash(ask.0),
        or_dash(ask.1),
        or_dash(last.0),
        or_dash(last.1),
        count(row.trades),
        count(row.messages),
        time.split('.').next().unwrap_or_default().to_owned(),
    ]
}

fn board_json(index: u64, number: u64, instrument: u32, row: &Row) -> Value {
    let Prices { bid, ask, last } = Prices::of(row);
    let symbol = Some(row.symbol.as_str()).filter(|symbol| !symbol.is_empty());
    let time = Some(row.last().ts_event).filter(|time| *time != UNDEFINED_TIME);
    json!({
        "row": index, "store": number, "key": instrument, "symbol": symbol, "messages": row.messages,
        "trades": row.trades, "ts_event": time,
        "bid": text(bid.0), "bid_size": text(bid.1), "ask": text(ask.0), "ask_size": text(ask.1),
        "last": text(last.0), "last_size": text(last.1),
    })
}

fn text(value: Option<impl Display>) -> Option<String> {
    value.map(|value| value.to_string())
}

fn or_dash(value: Option<impl Display>) -> String {
    text(value).unwrap_or_else(|| "-".to_owned())
}

/// The value of a field; a text without its quotation marks.
fn unquoted(field: &Field, bytes: &[u8]) -> String {
    let text = field.text(bytes);
    match &field.ty {
        Type::Array(element, _) if **element == Type::Number(Number::U8) => text.trim_matches('"').to_owned(),
        _ => text,
    }
}

/// A text for a cell.
fn short(text: &str) -> String {
    let text = printable(text);
    match text.char_indices().nth(WIDEST) {
        None => text,
        Some(_) => text.chars().take(WIDEST - 1).chain(['…']).collect(),
    }
}
