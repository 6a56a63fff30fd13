//! A message as a line of at most 80 columns, for people.
//!
//! The time is the time of day to the microsecond, prices and sizes are decimal. A value that is wider than its column takes
//! room from the padding behind it. What does not fit into the line is cut, and `…` says so. CSV and JSON have everything.

use std::fmt::Write as _;

use crate::decimal::{Price, Size};
use crate::message::{Message, Side, UNDEFINED_TIME};

/// The columns of a line.
const COLUMNS: usize = 80;

/// The columns in which sequence, time, instrument, kind, side, price, size, and id or ask end.
const ENDS: [usize; 8] = [9, 25, 32, 39, 44, 56, 66, COLUMNS];

/// Nanoseconds of a day.
const DAY: u64 = 86_400_000_000_000;

/// The names of the columns, as a line.
pub fn header() -> String {
    let names = ["sequence", "time", "instr", "kind  ", "side", "price", "size", "id | ask"];
    aligned(names.map(str::to_owned))
}

/// The message as a line, without the line feed.
pub fn line(sequence: u64, message: &Message) -> String {
    named(&sequence.to_string(), &message.instrument.to_string(), message)
}

/// The message as a line with other texts in the columns of the sequence and the instrument, such as a symbol.
pub fn named(sequence: &str, instrument: &str, message: &Message) -> String {
    let price = |price: Option<i64>| price.map_or_else(String::new, |price| Price(price).to_string());
    let size = |size: Option<u64>| size.map_or_else(String::new, |size| Size(size).to_string());
    let side = if message.side() == Side::None { "" } else { message.side().name() };
    let last = match message.order_id() {
        Some(0) => String::new(),
        Some(id) => id.to_string(),
        None if message.ask_price().is_none() && message.ask_size().is_none() => "-".to_owned(),
        None => format!("{} x {}", price(message.ask_price()), size(message.ask_size())),
    };
    aligned([
        ascii(sequence),
        time_of_day(message.ts_event),
        ascii(instrument),
        format!("{:<6}", message.kind()),
        format!("{side:<4}"),
        price(message.price()),
        size(message.size()),
        last,
    ])
}

/// The text, with a question mark for each character that has no column of its own for certain.
fn ascii(text: &str) -> String {
    text.chars().map(|letter| if letter.is_ascii_graphic() || letter == ' ' { letter } else { '?' }).collect()
}

/// `14:30:05.517575`: UTC, or for ITCH the venue's time. A dash if there is none.
pub fn time_of_day(time: u64) -> String {
    if time == UNDEFINED_TIME {
        return "-".to_owned();
    }
    let microseconds = time % DAY / 1_000;
    let seconds = microseconds / 1_000_000;
    format!("{:02}:{:02}:{:02}.{:06}", seconds / 3_600, seconds / 60 % 60, seconds % 60, microseconds % 1_000_000)
}

/// The values in their columns.
fn aligned(values: [String; ENDS.len()]) -> String {
    let mut line = String::new();
    for (value, end) in values.iter().zip(ENDS) {
        let between = usize::from(!line.is_empty());
        let width = end.saturating_sub(line.len() + between);
        // Writing to a String cannot fail.
        let _ = write!(line, "{:between$}{value:>width$}", "");
    }
    line.truncate(line.trim_end().len());
    if line.len() > COLUMNS {
        // Every value is of ASCII characters.
        line.truncate(COLUMNS - 1);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Kind, UNDEFINED_PRICE, UNDEFINED_SIZE};

    fn trade() -> Message {
        Message {
            instrument: 3,
            side: Side::Bid as u8,
            price: -58_710_200_000_000,
            size: 14_000_000,
            order_id: 5_123_134_735_497,
            ..Message::new(Kind::Trade, 1_704_205_805_517_575_837)
        }
    }

    #[test]
    fn messages_stand_in_columns() {
        let bid = (239_530_000_000, 46_000_000_000);
        let quote = Message { instrument: 17_077, ..Message::new(Kind::Quote, 34_200_000_001_999) };
        let lines = [
            header(),
            line(5, &trade()),
            line(117_375, &quote.with_quote(bid, (239_570_000_000, 69_000_000_000))),
            line(117_376, &quote.with_quote(bid, (UNDEFINED_PRICE, UNDEFINED_SIZE))),
            line(117_377, &Message::clear_all()),
            line(117_378, &Message { size: 1, ..Message::new(Kind::Cancel, 0) }),
        ];
        assert_eq!(
            lines,
            [
                " sequence            time  instr kind   side       price      size      id | ask",
                "        5 14:30:05.517575      3 trade  bid     -58710.2     0.014 5123134735497",
                "   117375 09:30:00.000001  17077 quote            239.53        46   239.57 x 69",
                "   117376 09:30:00.000001  17077 quote            239.53        46             -",
                "   117377               -      0 clear",
                "   117378 00:00:00.000000      0 cancel                  0.000000001",
            ]
        );
    }

    #[test]
    fn no_line_is_wider_than_80_columns() {
        let price = |message| Message { price: i64::MIN, size: u64::MAX - 1, instrument: u32::MAX, ..message };
        let widest = [price(trade()), price(Message { order_id: u64::MAX, ..trade() }), price(Message::clear_all())];
        let ask = (i64::MIN, u64::MAX - 1);
        for message in widest.into_iter().chain([price(trade()).with_quote(ask, ask)]) {
            for sequence in [0, u64::MAX] {
                let line = line(sequence, &message);
                assert!(line.chars().count() <= 80 && line.contains(" 4294967295 "), "{line}");
                assert_eq!(line.chars().count() == 80, line.ends_with('…'), "{line}");
            }
        }
    }

    #[test]
    fn a_wide_value_takes_room_from_the_padding_behind_it() {
        let usual = line(5, &trade());
        let wide = line(1_234_567_890_123, &trade());
        assert!(wide.starts_with("1234567890123 14:30:05.517575 ") && wide.len() == usual.len(), "{wide}");
        assert_eq!(wide[39..], usual[39..], "the columns behind stand where they stood");
    }
}
