//! What all printed records have in common: the formats, the first columns, and bytes in hexadecimal.

use std::io::{self, Write};

use crate::line;

/// A form of records for people or programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A line for people: sequence, time, instrument, type, and the fields by their names.
    Text,
    /// Rows under a header.
    Csv,
    /// One JSON object on each line.
    Json,
}

/// Writes bytes of which nothing is known.
pub(super) fn write_bytes(
    format: Format,
    writer: &mut impl Write,
    sequence: u64,
    kind: u8,
    bytes: &[u8],
) -> io::Result<()> {
    let (length, digits) = (bytes.len(), hex(bytes));
    match format {
        Format::Text => {
            let kind = kind.to_string();
            writeln!(writer, "{sequence:>9} {:>15} {:>6} {kind:<10} {length} bytes: {digits}", "-", "-")
        }
        Format::Csv => writeln!(writer, "{sequence},{kind},{digits}"),
        Format::Json => writeln!(writer, "{{\"sequence\":{sequence},\"kind\":{kind},\"bytes\":\"{digits}\"}}"),
    }
}

pub(super) fn columns() -> String {
    format!("{:>9} {:>15} {:>6} {:<10} fields", "sequence", "time", "instr", "type")
}

/// The columns with which every line of text begins. `time` is in ns.
pub(super) fn begin(sequence: u64, time: u64, instrument: &str, kind: &str) -> String {
    format!("{sequence:>9} {:>15} {instrument:>6} {kind:<10}", line::time_of_day(time))
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    bytes.iter().flat_map(|&byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
