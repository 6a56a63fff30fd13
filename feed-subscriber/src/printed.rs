//! What --output prints: messages, records, or a DBN file.

use std::io::{self, Write};

use feed::Message;
use feed::records::Encoding;
use feed::records::dbn_file::{DbnFile, Failed};
use feed::records::print::{Format, Printer};
use feed_ring::records::Record;

use crate::options::OutputFormat;
use crate::output::{Extra, Output};

/// Standard output, or another writer.
pub(crate) enum Printed<W> {
    Nothing,
    Messages(Output<W>),
    Records(Printer<W>),
    File(Box<DbnFile<W>>),
}

impl<W: Write> Printed<W> {
    /// Begins to print what a ring carries: records of this encoding, or messages.
    pub(crate) fn new(
        format: OutputFormat,
        encoding: Option<Encoding>,
        with_table: bool,
        writer: W,
    ) -> io::Result<Self> {
        let Some(encoding) = encoding else {
            return Ok(Printed::Messages(Output::new(format, with_table, writer)?));
        };
        let format = match format {
            OutputFormat::None => return Ok(Printed::Nothing),
            OutputFormat::Dbn => return Ok(Printed::File(Box::new(DbnFile::new(writer)))),
            OutputFormat::Text => Format::Text,
            OutputFormat::Csv => Format::Csv,
            OutputFormat::Json => Format::Json,
        };
        Ok(Printed::Records(Printer::new(encoding, format, writer)?))
    }

    /// Prints a message.
    #[inline]
    pub(crate) fn message(&mut self, sequence: u64, message: &Message, table: Option<Extra<'_>>) -> io::Result<()> {
        match self {
            Printed::Messages(output) => output.write(sequence, message, table),
            Printed::Nothing | Printed::Records(_) | Printed::File(_) => Ok(()),
        }
    }

    /// Prints a record. Returns what there is to say of it.
    #[inline]
    pub(crate) fn record(&mut self, record: Record<'_>) -> Result<Option<String>, Failed> {
        let Record { number, kind, bytes } = record;
        match self {
            Printed::Records(printer) => Ok(printer.write(number, kind, bytes).map(|()| None)?),
            Printed::File(file) => file.write(kind, bytes),
            Printed::Nothing | Printed::Messages(_) => Ok(None),
        }
    }

    /// Writes buffered output.
    pub(crate) fn flush(&mut self) -> Result<(), Failed> {
        match self {
            Printed::Nothing => Ok(()),
            Printed::Messages(output) => Ok(output.flush()?),
            Printed::Records(printer) => Ok(printer.flush()?),
            Printed::File(file) => file.flush(),
        }
    }

    /// Writes what belongs to the end, and buffered output.
    pub(crate) fn finish(&mut self) -> Result<(), Failed> {
        match self {
            Printed::File(file) => file.finish(),
            _ => self.flush(),
        }
    }
}
