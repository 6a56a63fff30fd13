//! ITCH messages as text, CSV or JSON: every field by its name.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::form::{self, Format, hex};
use crate::record::{self, Encoding};
use crate::source::itch::fields::{self, HEADER, Holds};

/// The columns of CSV: of every type those that it has; the others are empty.
pub(super) fn header() -> String {
    let fixed = ["sequence", "type"].into_iter().chain(HEADER.iter().map(|(name, ..)| *name));
    fixed.chain(fields::names()).chain(["bytes"]).collect::<Vec<_>>().join(",")
}

/// Writes a message. One of an unknown type or length is written as its bytes.
pub(super) fn write(format: Format, writer: &mut impl Write, sequence: u64, kind: u8, bytes: &[u8]) -> io::Result<()> {
    let Some(fields) = values(bytes) else { return unknown(format, writer, sequence, kind, bytes) };
    let letter = char::from(kind);
    match format {
        Format::Text => {
            let (locate, time) = (&fields[0].1, record::itch_time(bytes).unwrap_or_default());
            write!(writer, "{}", form::begin(sequence, time, locate, &letter.to_string()))?;
            for (name, value, _) in fields[HEADER.len()..].iter().filter(|(_, value, _)| !value.is_empty()) {
                write!(writer, " {name}={value}")?;
            }
            writeln!(writer)
        }
        Format::Csv => {
            write!(writer, "{sequence},{letter}")?;
            for (_, value, _) in &fields[..HEADER.len()] {
                write!(writer, ",{value}")?;
            }
            for column in fields::names() {
                let value = fields.iter().find(|(name, ..)| *name == column);
                write!(writer, ",{}", value.map_or("", |(_, value, _)| value))?;
            }
            writeln!(writer, ",")
        }
        Format::Json => {
            write!(writer, "{{\"sequence\":{sequence},\"type\":\"{letter}\"")?;
            for (name, value, is_number) in &fields {
                let quote = if *is_number { "" } else { "\"" };
                write!(writer, ",\"{name}\":{quote}{value}{quote}")?;
            }
            writeln!(writer, "}}")
        }
    }
}

fn unknown(format: Format, writer: &mut impl Write, sequence: u64, kind: u8, bytes: &[u8]) -> io::Result<()> {
    if format != Format::Csv {
        return form::write_bytes(format, writer, sequence, kind, bytes);
    }
    let empty = ",".repeat(HEADER.len() + fields::names().len());
    let letter = Encoding::Itch.name(kind);
    // A comma or a quotation mark is a letter, too.
    let letter = if matches!(kind, b',' | b'"') { format!("{kind:#04x}").into() } else { letter };
    writeln!(writer, "{sequence},{letter}{empty},{}", hex(bytes))
}

/// The fields behind the type: name, value, and whether it is a whole number.
fn values(bytes: &[u8]) -> Option<Vec<(&'static str, String, bool)>> {
    let (_, fields) = fields::of(bytes)?;
    let mut rest = &bytes[1..];
    let fields = HEADER.iter().chain(fields).map(|&(name, length, holds)| {
        let (field, behind) = rest.split_at(length);
        rest = behind;
        let number = field.iter().fold(0, |number, &byte| number << 8 | u64::from(byte));
        match holds {
            Holds::Number => (name, number.to_string(), true),
            Holds::Price(places) => (name, decimal(number, places), false),
            Holds::Text => (name, text(field), false),
        }
    });
    Some(fields.collect())
}

/// The letters of a field, without the spaces behind them. What would need quoting anywhere is a question mark.
fn text(field: &[u8]) -> String {
    let letter = |&byte: &u8| match byte {
        b'"' | b'\\' | b',' => '?',
        _ if byte.is_ascii_graphic() || byte == b' ' => char::from(byte),
        _ => '?',
    };
    field.trim_ascii_end().iter().map(letter).collect()
}

/// A number with so many decimal places, without zeros at the end.
fn decimal(number: u64, places: u32) -> String {
    let unit = 10u64.pow(places);
    let mut text = (number / unit).to_string();
    let rest = number % unit;
    if rest > 0 {
        // Writing to a String cannot fail.
        let _ = write!(text, ".{rest:0width$}", width = places as usize);
        text.truncate(text.trim_end_matches('0').len());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn written(format: Format, kind: u8, bytes: &[u8]) -> String {
        let mut line = Vec::new();
        write(format, &mut line, 41, kind, bytes).unwrap();
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn every_field_is_written_by_its_name() {
        let add = sample::itch_message(b'F', 5);
        assert_eq!(
            written(Format::Json, b'F', &add),
            "{\"sequence\":41,\"type\":\"F\",\"stock_locate\":3,\"tracking_number\":0,\"timestamp\":34200000005000,\
             \"order\":1005,\"side\":\"S\",\"shares\":105,\"stock\":\"SAMPLE\",\"price\":\"150.0005\",\
             \"attribution\":\"MPID\"}\n"
        );
        assert_eq!(
            written(Format::Text, b'F', &add),
            "       41 09:30:00.000005      3 F          order=1005 side=S shares=105 stock=SAMPLE price=150.0005 \
             attribution=MPID\n"
        );
    }

    #[test]
    fn a_row_has_a_field_for_each_column() {
        let columns = header().split(',').count();
        for kind in *sample::ITCH_TYPES {
            let row = written(Format::Csv, kind, &sample::itch_message(kind, 8));
            assert_eq!(row.matches(',').count() + 1, columns, "{row}");
            let json = written(Format::Json, kind, &sample::itch_message(kind, 8));
            serde_json::from_str::<serde_json::Value>(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
        }
        let row = written(Format::Csv, b'Z', b"Z\x01");
        assert!(row.starts_with("41,Z,") && row.ends_with(",5a01\n"), "{row}");
        assert_eq!(row.matches(',').count() + 1, columns);
        assert!(written(Format::Csv, b',', b",").starts_with("41,0x2c,"));
    }

    #[test]
    fn what_is_no_message_is_written_as_bytes() {
        assert_eq!(written(Format::Json, b'Z', b"Z\x01"), "{\"sequence\":41,\"kind\":90,\"bytes\":\"5a01\"}\n");
        assert_eq!(
            written(Format::Text, b'A', b"A\x01"),
            "       41               -      - 65         2 bytes: 4101\n"
        );
    }

    #[test]
    fn prices_have_their_places_and_no_letter_needs_quoting() {
        assert_eq!(decimal(u64::MAX, 8), "184467440737.09551615");
        assert_eq!([decimal(15_000, 4), decimal(100, 4), decimal(0, 4)], ["1.5", "0.01", "0"]);
        assert_eq!(text(b"A\"\\,\n\xff "), "A?????");
    }
}
