//! DBN records as text, CSV or JSON, through the vendor's own encoders.
//!
//! JSON is the vendor's, one object for each record, and one for the metadata. CSV is the vendor's, too: a header whenever the
//! columns change, for every type has its own; the metadata has no row. Prices are decimal, times are ns. A record of a type
//! or a length that the crate does not know is written as its bytes.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use ::dbn::decode::dbn::fsm::{DbnFsm, ProcessResult};
use ::dbn::encode::{CsvEncoder, EncodeRecord, EncodeRecordRef, JsonEncoder};
use ::dbn::{Metadata, Record, RecordRef, VersionUpgradePolicy};

use super::form::{self, Format};
use crate::record::{Encoding, METADATA};
use crate::shown::{Shown, Value};
use crate::source::dbn::{has_ts_out, is_of_a_length};

/// Separates the vendor's values within a line of text.
const SEPARATOR: char = '\u{1f}';

/// Writes DBN records in one format.
pub(super) struct DbnText {
    format: Format,
    reader: Reader,
    csv: Csv,
    json: JsonEncoder<Vec<u8>>,
}

impl DbnText {
    pub(super) fn new(format: Format) -> Self {
        let delimiter = if format == Format::Csv { ',' } else { SEPARATOR };
        let json = JsonEncoder::builder(Vec::new()).use_pretty_px(true).build();
        DbnText { format, reader: Reader::default(), csv: Csv::new(delimiter), json }
    }

    /// Writes a record, or the metadata.
    pub(super) fn write(&mut self, writer: &mut impl Write, sequence: u64, kind: u8, bytes: &[u8]) -> io::Result<()> {
        if kind == METADATA {
            return match read_metadata(bytes) {
                Some(metadata) => self.metadata(writer, sequence, &metadata),
                None => self.unknown(writer, sequence, kind, bytes),
            };
        }
        let Some(record) = self.reader.read(bytes).filter(|record| record.header().rtype == kind) else {
            return self.unknown(writer, sequence, kind, bytes);
        };
        if self.format == Format::Json {
            self.json.get_mut().clear();
            return match encode(&mut self.json, record) {
                Ok(()) => writer.write_all(self.json.get_ref()),
                Err(_) => form::write_bytes(self.format, writer, sequence, kind, bytes),
            };
        }
        let Some((header, row)) = self.csv.encode(record) else {
            return self.unknown(writer, sequence, kind, bytes);
        };
        if self.format == Format::Text {
            let header = header.unwrap_or_else(|| self.csv.header.clone());
            let (hd, name) = (record.header(), Encoding::Dbn.name(kind));
            let begin = form::begin(sequence, hd.ts_event, &hd.instrument_id.to_string(), &name);
            return writeln!(writer, "{begin}{}", named(&header, &row));
        }
        if let Some(header) = header {
            writeln!(writer, "{header}")?;
        }
        writeln!(writer, "{row}")
    }

    fn metadata(&mut self, writer: &mut impl Write, sequence: u64, metadata: &Metadata) -> io::Result<()> {
        match self.format {
            Format::Csv => Ok(()),
            Format::Json => {
                self.json.get_mut().clear();
                self.json.encode_metadata(metadata).map_err(io::Error::other)?;
                writer.write_all(self.json.get_ref())
            }
            Format::Text => {
                let Metadata { version, dataset, schema, symbols, mappings, .. } = metadata;
                let schema = schema.map_or("mixed", |schema| schema.as_str());
                let name = Encoding::Dbn.name(METADATA);
                let begin = form::begin(sequence, metadata.start, "-", &name);
                writeln!(
                    writer,
                    "{begin} version={version} dataset={} schema={schema} symbols={} mappings={}",
                    printable(dataset),
                    symbols.len(),
                    mappings.len()
                )
            }
        }
    }

    fn unknown(&mut self, writer: &mut impl Write, sequence: u64, kind: u8, bytes: &[u8]) -> io::Result<()> {
        const COLUMNS: &str = "sequence,rtype,bytes";
        if self.format == Format::Csv && self.csv.header != COLUMNS {
            COLUMNS.clone_into(&mut self.csv.header);
            self.csv.encoder = None;
            writeln!(writer, "{COLUMNS}")?;
        }
        form::write_bytes(self.format, writer, sequence, kind, bytes)
    }
}

/// ` name=value` of each field behind the header of a record. Empty ones are left out.
fn named(header: &str, row: &str) -> String {
    const HEADER: [&str; 4] = ["ts_event", "rtype", "publisher_id", "instrument_id"];
    let fields = header.split(SEPARATOR).zip(row.split(SEPARATOR));
    let fields = fields.filter(|(name, value)| !value.is_empty() && !HEADER.contains(name));
    fields.map(|(name, value)| format!(" {name}={}", printable(value))).collect()
}

/// The text without what could move a terminal's cursor.
fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

/// The metadata of a DBN file as its fields. `None` if these bytes are not that.
pub fn shown_metadata(bytes: &[u8]) -> Option<Shown> {
    let metadata = read_metadata(bytes)?;
    let mut json = JsonEncoder::builder(Vec::new()).build();
    json.encode_metadata(&metadata).ok()?;
    let json = String::from_utf8(json.get_ref().clone()).ok()?;
    let number = |number: usize| Value::Number(number.to_string());
    let schema = metadata.schema.map_or("mixed", |schema| schema.as_str());
    let fields = [
        ("version", number(metadata.version.into())),
        ("dataset", Value::Text(metadata.dataset)),
        ("schema", Value::Text(schema.to_owned())),
        ("symbols", number(metadata.symbols.len())),
        ("mappings", number(metadata.mappings.len())),
    ];
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Some(Shown::new("metadata", fields).with_json(json.trim_end().to_owned()))
}

/// The crate's metadata, if these bytes are that.
pub(super) fn read_metadata(bytes: &[u8]) -> Option<Metadata> {
    let mut fsm = DbnFsm::builder().upgrade_policy(VersionUpgradePolicy::AsIs).build().ok()?;
    fsm.write_all(bytes);
    match fsm.process() {
        ProcessResult::Metadata(metadata) if fsm.data().is_empty() => Some(metadata),
        _ => None,
    }
}

/// Reads single records. The crate's state machine aligns them.
pub(super) struct Reader(DbnFsm);

impl Default for Reader {
    fn default() -> Self {
        let fsm = DbnFsm::builder().skip_metadata(true).upgrade_policy(VersionUpgradePolicy::AsIs).build();
        Reader(fsm.expect("records are always read as they are"))
    }
}

impl Reader {
    /// The record that these bytes are. `None` unless its length says so and is one that its type has: then every field of it
    /// is there.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Option<RecordRef<'_>> {
        if !is_framed(bytes) {
            return None;
        }
        self.0.write_all(bytes);
        if !matches!(self.0.process(), ProcessResult::Record(())) {
            *self = Reader::default();
            return None;
        }
        self.0.last_record().filter(|record| is_of_a_length(record.header()))
    }
}

/// True if a DBN stream with these bytes in it goes on behind them.
pub(super) fn is_framed(bytes: &[u8]) -> bool {
    let length = bytes.first().map_or(0, |&units| usize::from(units) * 4);
    length == bytes.len() && length >= 16 && length.is_multiple_of(8)
}

/// The vendor's encoder of CSV. It is made anew where the type changes, because it writes one header.
struct Csv {
    delimiter: char,
    encoder: Option<CsvEncoder<Shared>>,
    /// The type and the length that the encoder is for.
    of: (u8, usize),
    written: Shared,
    /// The columns that were written last.
    header: String,
}

impl Csv {
    fn new(delimiter: char) -> Self {
        Csv { delimiter, encoder: None, of: (0, 0), written: Shared::default(), header: String::new() }
    }

    /// The record's row, and its header if the columns are others than before. `None` if the vendor cannot write it.
    fn encode(&mut self, record: RecordRef<'_>) -> Option<(Option<String>, String)> {
        let of = (record.header().rtype, record.record_size());
        let mut with_header = false;
        if self.encoder.is_none() || self.of != of {
            let builder = CsvEncoder::builder(self.written.clone()).delimiter(self.delimiter as u8);
            self.encoder = Some(builder.use_pretty_px(true).build().ok()?);
            (self.of, with_header) = (of, true);
        }
        let encoder = self.encoder.as_mut()?;
        let encoded = encode(encoder, record).and_then(|()| EncodeRecord::flush(encoder));
        let written = std::mem::take(&mut *self.written.0.borrow_mut());
        let text = String::from_utf8(written).ok().filter(|_| encoded.is_ok());
        let Some(text) = text else {
            self.encoder = None;
            return None;
        };
        if !with_header {
            return Some((None, text.trim_end_matches('\n').to_owned()));
        }
        let (header, row) = text.split_once('\n')?;
        let row = row.trim_end_matches('\n').to_owned();
        if self.header == header {
            return Some((None, row));
        }
        header.clone_into(&mut self.header);
        Some((Some(header.to_owned()), row))
    }
}

/// Encodes a record, with its send time if it has one.
fn encode(encoder: &mut impl EncodeRecordRef, record: RecordRef<'_>) -> ::dbn::Result<()> {
    match record.as_ref().last_chunk() {
        Some(last) if has_ts_out(record.header()) => {
            encoder.encode_record_ref_with_ts_out(record, u64::from_le_bytes(*last))
        }
        _ => encoder.encode_record_ref(record),
    }
}

/// What the vendor's encoder writes into, and what is read here.
#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
