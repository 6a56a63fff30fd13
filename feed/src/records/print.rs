//! Records as text, CSV or JSON.
//!
//! DBN goes through the vendor's own encoders, ITCH by its fields, and bytes of which nothing is known as hexadecimal digits.

use std::io::{self, Write};

use super::dbn_text::DbnText;
pub use super::form::Format;
use super::form::{columns, write_bytes};
use super::itch_text;
use crate::record::Encoding;

/// Writes records in one format.
pub struct Printer<W> {
    format: Format,
    writer: W,
    of: Of,
}

/// What the records are.
enum Of {
    Dbn(Box<DbnText>),
    Itch,
    Bytes,
}

impl<W: Write> Printer<W> {
    /// Writes the header, if there is one for all records.
    ///
    /// # Errors
    /// The writer's.
    pub fn new(encoding: Encoding, format: Format, mut writer: W) -> io::Result<Self> {
        let of = match encoding {
            Encoding::Dbn => Of::Dbn(Box::new(DbnText::new(format))),
            Encoding::Itch => Of::Itch,
            Encoding::Bytes => Of::Bytes,
        };
        match (&of, format) {
            (_, Format::Text) => writeln!(writer, "{}", columns())?,
            (Of::Itch, Format::Csv) => writeln!(writer, "{}", itch_text::header())?,
            (Of::Bytes, Format::Csv) => writeln!(writer, "sequence,kind,bytes")?,
            // The vendor's columns depend on the type.
            (Of::Dbn(_), Format::Csv) | (_, Format::Json) => {}
        }
        Ok(Printer { format, writer, of })
    }

    /// Writes a record.
    ///
    /// # Errors
    /// The writer's.
    pub fn write(&mut self, sequence: u64, kind: u8, bytes: &[u8]) -> io::Result<()> {
        match &mut self.of {
            Of::Dbn(dbn) => dbn.write(&mut self.writer, sequence, kind, bytes),
            Of::Itch => itch_text::write(self.format, &mut self.writer, sequence, kind, bytes),
            Of::Bytes => write_bytes(self.format, &mut self.writer, sequence, kind, bytes),
        }
    }

    /// Writes buffered output.
    ///
    /// # Errors
    /// The writer's.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_bytes_are_hexadecimal() {
        for (format, says) in [
            (Format::Csv, "sequence,kind,bytes\n5,7,00ff1a\n6,0,\n"),
            (
                Format::Json,
                "{\"sequence\":5,\"kind\":7,\"bytes\":\"00ff1a\"}\n{\"sequence\":6,\"kind\":0,\"bytes\":\"\"}\n",
            ),
            (
                Format::Text,
                " sequence            time  instr type       fields\n\
                 \u{20}       5               -      - 7          3 bytes: 00ff1a\n\
                 \u{20}       6               -      - 0          0 bytes: \n",
            ),
        ] {
            let mut printer = Printer::new(Encoding::Bytes, format, Vec::new()).unwrap();
            printer.write(5, 7, b"\0\xff\x1a").unwrap();
            printer.write(6, 0, b"").unwrap();
            assert_eq!(String::from_utf8(printer.writer).unwrap(), says);
        }
    }
}
