//! DBN records as the file that they came from, which every decoder of DBN reads again.
//!
//! A file has one metadata, which stands first; the records of the ring follow byte for byte. If the metadata was published
//! before the first record that is written, the file begins with the least that is valid. A file has no place to say so, so it
//! is returned as a note.

use std::io::{self, Write};

use ::dbn::encode::dbn::MetadataEncoder;
use ::dbn::{Metadata, MetadataBuilder, Record, RecordRef, SType, rtype, v1, v2};

use super::dbn_text::{Reader, is_framed, read_metadata};
use crate::record::METADATA;
use crate::source::dbn::has_ts_out;

/// Writes a DBN file.
pub struct DbnFile<W> {
    writer: W,
    begun: Option<Begun>,
    reader: Reader,
    /// Bytes that are no record were left out, and that was said.
    left_out: bool,
}

/// The metadata with which the file began.
struct Begun {
    bytes: Vec<u8>,
    version: u8,
    ts_out: bool,
}

/// Why a file cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The writer's error.
    #[error(transparent)]
    Write(#[from] io::Error),
    /// What follows is read in another way than what was written.
    #[error(
        "what follows is {found}, and the DBN file that was begun is {expected}: it ends here; start again for the rest"
    )]
    AnotherFile {
        /// What follows.
        found: String,
        /// What the file is.
        expected: String,
    },
}

impl<W: Write> DbnFile<W> {
    /// A file of which nothing is written yet.
    pub fn new(writer: W) -> Self {
        DbnFile { writer, begun: None, reader: Reader::default(), left_out: false }
    }

    /// Writes a record, or the metadata. Returns what there is to say of it.
    ///
    /// # Errors
    /// [`Failed`].
    pub fn write(&mut self, kind: u8, bytes: &[u8]) -> Result<Option<String>, Failed> {
        if kind == METADATA {
            return self.metadata(bytes);
        }
        if !is_framed(bytes) || bytes.get(1) != Some(&kind) {
            let first = !std::mem::replace(&mut self.left_out, true);
            let what = format!("{} bytes of kind {kind} are no DBN record", bytes.len());
            return Ok(first.then(|| format!("{what}: left out, and so are all further ones (said once)")));
        }
        let mut note = None;
        if self.begun.is_none() {
            let metadata = least(self.reader.read(bytes));
            let encoded = encode(&metadata)?;
            note = Some(format!(
                "the metadata was published before what is received: the DBN file begins with one of version {} without \
                 dataset, schema and symbols",
                metadata.version
            ));
            self.begin(encoded, &metadata)?;
        }
        self.writer.write_all(bytes)?;
        Ok(note)
    }

    fn metadata(&mut self, bytes: &[u8]) -> Result<Option<String>, Failed> {
        let Some(metadata) = read_metadata(bytes) else {
            return Ok(Some(format!("{} bytes of metadata cannot be read: left out", bytes.len())));
        };
        let Some(begun) = &self.begun else {
            self.begin(bytes.to_owned(), &metadata)?;
            return Ok(None);
        };
        if (begun.version, begun.ts_out) != (metadata.version, metadata.ts_out) {
            let describe = |version, ts_out| {
                format!("DBN version {version} {} send times", if ts_out { "with" } else { "without" })
            };
            return Err(Failed::AnotherFile {
                found: describe(metadata.version, metadata.ts_out),
                expected: describe(begun.version, begun.ts_out),
            });
        }
        // A publisher that was started again with the same input.
        let is_same = begun.bytes == bytes;
        Ok((!is_same).then(|| "other metadata follows, which a DBN file has no place for: left out".to_owned()))
    }

    fn begin(&mut self, bytes: Vec<u8>, metadata: &Metadata) -> io::Result<()> {
        self.writer.write_all(&bytes)?;
        self.begun = Some(Begun { bytes, version: metadata.version, ts_out: metadata.ts_out });
        Ok(())
    }

    /// Writes buffered output. A file of which nothing was written yet gets its metadata, for without one it is none.
    ///
    /// # Errors
    /// The writer's.
    pub fn finish(&mut self) -> Result<(), Failed> {
        if self.begun.is_none() {
            let metadata = least(None);
            self.begin(encode(&metadata)?, &metadata)?;
        }
        self.flush()
    }

    /// Writes buffered output.
    ///
    /// # Errors
    /// The writer's.
    pub fn flush(&mut self) -> Result<(), Failed> {
        Ok(self.writer.flush()?)
    }
}

/// The least metadata with which this record is read.
fn least(first: Option<RecordRef<'_>>) -> Metadata {
    let header = first.map(|record| *record.header());
    // What no version changed is read by any.
    let version = first.map_or(::dbn::DBN_VERSION, |record| version(&record));
    MetadataBuilder::new()
        .version(version)
        .dataset(String::new())
        .schema(None)
        .start(header.map_or(0, |header| header.ts_event))
        .stype_in(None)
        .stype_out(SType::InstrumentId)
        .ts_out(header.is_some_and(|header| has_ts_out(&header)))
        .build()
}

/// The version of which the record has the length; the newest if several have it.
fn version(record: &RecordRef<'_>) -> u8 {
    let is = |size: usize| record.record_size() == size || record.record_size() == size + size_of::<u64>();
    match record.header().rtype {
        rtype::INSTRUMENT_DEF if is(size_of::<v1::InstrumentDefMsg>()) => 1,
        rtype::INSTRUMENT_DEF if is(size_of::<v2::InstrumentDefMsg>()) => 2,
        rtype::STATISTICS if is(size_of::<v1::StatMsg>()) => 2,
        rtype::SYMBOL_MAPPING if is(size_of::<v1::SymbolMappingMsg>()) => 1,
        rtype::SYSTEM if is(size_of::<v1::SystemMsg>()) => 1,
        rtype::ERROR if is(size_of::<v1::ErrorMsg>()) => 1,
        _ => ::dbn::DBN_VERSION,
    }
}

fn encode(metadata: &Metadata) -> io::Result<Vec<u8>> {
    let mut encoded = Vec::new();
    MetadataEncoder::new(&mut encoded).encode(metadata).map_err(io::Error::other)?;
    Ok(encoded)
}

#[cfg(test)]
mod tests {
    use ::dbn::decode::{DbnMetadata, DecodeRecordRef, dbn::Decoder};

    use super::*;
    use crate::sample;
    use crate::source::{As, Source, input};

    /// The records of a DBN file, the metadata first.
    fn records(file: &[u8]) -> Vec<(u8, Vec<u8>)> {
        let mut input =
            input::from_reader_as(As::Records, "t", std::io::Cursor::new(file.to_vec()), None, None).unwrap();
        let mut records = Vec::new();
        while let Some(record) = input.next_record().unwrap() {
            records.push((record.kind, record.bytes.to_vec()));
        }
        records
    }

    fn file(records: &[(u8, Vec<u8>)]) -> (Vec<u8>, Vec<String>) {
        let (mut written, mut notes) = (Vec::new(), Vec::new());
        let mut file = DbnFile::new(&mut written);
        for (kind, bytes) in records {
            notes.extend(file.write(*kind, bytes).unwrap());
        }
        file.finish().unwrap();
        (written, notes)
    }

    /// What the vendor's decoder finds.
    fn decoded(file: &[u8]) -> (Metadata, Vec<Vec<u8>>) {
        let mut decoder = Decoder::with_upgrade_policy(file, ::dbn::VersionUpgradePolicy::AsIs).unwrap();
        let metadata = decoder.metadata().clone();
        let mut records = Vec::new();
        while let Some(record) = decoder.decode_record_ref().unwrap() {
            records.push(record.as_ref().to_vec());
        }
        (metadata, records)
    }

    #[test]
    fn a_file_comes_back_byte_for_byte() {
        for version in 1..=3 {
            for schema in sample::RECORD_SCHEMAS {
                let original = sample::dbn_records(version, schema, 20);
                assert_eq!(file(&records(&original)), (original, vec![]), "{schema} of version {version}");
            }
        }
    }

    #[test]
    fn a_file_without_its_metadata_gets_the_least_that_is_valid() {
        for version in 1..=3 {
            for schema in sample::RECORD_SCHEMAS {
                let original = sample::dbn_records(version, schema, 20);
                let (late, notes) = file(&records(&original)[5..]);
                let (metadata, found) = decoded(&late);
                assert_eq!(found, decoded(&original).1[4..], "{schema} of version {version}");
                assert_eq!((metadata.schema, metadata.symbols.len()), (None, 0));
                assert!(notes.len() == 1 && notes[0].contains("without dataset, schema and symbols"), "{notes:?}");
            }
        }
        assert_eq!(decoded(&file(&[]).0).1, Vec::<Vec<u8>>::new(), "a file without records is one");
    }

    #[test]
    fn one_file_has_one_metadata() {
        let one = records(&sample::dbn_records(3, "mbo", 3));
        let twice = [&one[..], &one].concat();
        let (written, notes) = file(&twice);
        assert_eq!((decoded(&written).1.len(), notes), (6, vec![]), "the same again is nothing to tell of");
        let other = records(&sample::dbn_records(3, "ohlcv-1s", 3));
        let (written, notes) = file(&[&one[..], &other].concat());
        assert_eq!(decoded(&written).1.len(), 6);
        assert!(notes.len() == 1 && notes[0].contains("other metadata"), "{notes:?}");
        let mut begun = DbnFile::new(Vec::new());
        begun.write(METADATA, &one[0].1).unwrap();
        let old = records(&sample::dbn_records(1, "mbo", 1));
        let error = begun.write(METADATA, &old[0].1).unwrap_err().to_string();
        assert!(error.contains("DBN version 1 without send times") && error.contains("is DBN version 3"), "{error}");
    }

    #[test]
    fn what_is_no_record_is_left_out_and_said_once() {
        let mut records = records(&sample::dbn_records(3, "mbo", 3));
        records.insert(2, (0xa0, vec![14; 55]));
        records.insert(2, (7, records[1].1.clone()));
        let (written, notes) = file(&records);
        assert_eq!(decoded(&written).1.len(), 3);
        assert!(notes.len() == 1 && notes[0].contains("no DBN record"), "{notes:?}");
    }
}
