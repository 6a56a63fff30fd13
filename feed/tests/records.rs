//! Inputs as records: every byte of every record, and what the vendor's own encoders make of them.

mod common;

use std::io::Cursor;
use std::sync::Arc;

use dbn::decode::{DbnMetadata, DecodeRecordRef, dbn::Decoder};
use dbn::encode::{CsvEncoder, EncodeRecordRef, JsonEncoder};
use dbn::{Metadata, VersionUpgradePolicy};
use feed::records::print::{Format, Printer};
use feed::records::{Encoding, METADATA};
use feed::sample::{self, Prefix};
use feed::source::{As, Input, Source, SourceError, input};
use feed_testing::market_data;
use proptest::prelude::*;

fn open(bytes: &[u8]) -> Result<Input, SourceError> {
    input::from_reader_as(As::Records, "input", Cursor::new(bytes.to_vec()), None, None)
}

type Kept = (u8, Vec<u8>, Option<u64>);

/// Every record, and the error behind the last one.
fn all(input: &mut Input) -> (Vec<Kept>, Option<SourceError>) {
    let mut records = Vec::new();
    loop {
        match input.next_record() {
            Ok(Some(record)) => records.push((record.kind, record.bytes.to_vec(), record.captured)),
            Ok(None) => return (records, None),
            Err(error) => return (records, Some(error)),
        }
    }
}

fn records(bytes: &[u8]) -> Vec<Kept> {
    let (records, error) = all(&mut open(bytes).unwrap());
    assert!(error.is_none(), "{}", error.unwrap());
    records
}

fn decoder(file: &[u8]) -> Decoder<&[u8]> {
    Decoder::with_upgrade_policy(file, VersionUpgradePolicy::AsIs).unwrap()
}

fn printed(format: Format, records: &[Kept]) -> String {
    let mut text = Vec::new();
    let mut printer = Printer::new(Encoding::Dbn, format, &mut text).unwrap();
    for (sequence, (kind, bytes, _)) in (0..).zip(records) {
        printer.write(sequence, *kind, bytes).unwrap();
    }
    drop(printer);
    String::from_utf8(text).unwrap()
}

#[test]
fn dbn_of_every_schema_is_carried_byte_for_byte() {
    for version in 1..=3 {
        for schema in sample::RECORD_SCHEMAS {
            let file = sample::dbn_records(version, schema, 30);
            let records = records(&file);
            assert_eq!((records.len(), records[0].0), (31, METADATA), "{schema}");
            let bytes: Vec<u8> = records.iter().flat_map(|(_, bytes, _)| bytes.clone()).collect();
            assert_eq!(bytes, file, "{schema} of version {version}");
            assert!(records[1..].iter().all(|(kind, bytes, _)| bytes[1] == *kind), "{schema}");
            // All but what a live capture itself has to say has a time that paces it.
            let paced = records.iter().filter(|(_, _, captured)| captured.is_some()).count();
            assert_eq!(paced, if schema == "mixed" { 15 } else { 30 }, "{schema}");
        }
    }
    for file in [sample::gzip(&sample::dbn_records(3, "mbp-10", 9)), sample::zstd(&sample::with_ts_out(9))] {
        assert_eq!(records(&file).len(), 10, "compressed");
    }
}

#[test]
fn joined_files_each_begin_with_their_metadata() {
    let (one, two) = (sample::dbn_records(3, "mbo", 2), sample::dbn_records(1, "definition", 2));
    let kinds: Vec<u8> = records(&[&one[..], &[0; 64], &two].concat()).iter().map(|(kind, ..)| *kind).collect();
    assert_eq!(kinds, [METADATA, dbn::rtype::MBO, dbn::rtype::MBO, METADATA, 0x13, 0x13]);
}

#[test]
fn a_type_that_nobody_knows_is_carried_and_a_broken_length_is_an_error() {
    let file = sample::dbn_records(3, "mbo", 4);
    let begin = file.len() - 4 * 56;
    let mut unknown = file.clone();
    unknown[begin + 57] = 0x77;
    let found = records(&unknown);
    assert_eq!((found.len(), found[2].0, &found[2].1[..]), (5, 0x77, &unknown[begin + 56..begin + 112]));
    let mut short = file.clone();
    short[begin + 56] = 12;
    let (found, error) = all(&mut open(&short).unwrap());
    assert!(found.len() == 2 && error.unwrap().to_string().contains("record 2"), "after the metadata and one order");
    // A length of an unknown type that leads nowhere: the error stands where the unknown type stands.
    unknown[begin + 56] = 12;
    let (found, error) = all(&mut open(&unknown).unwrap());
    let error = error.unwrap().to_string();
    assert!(found.len() == 3 && error.contains("record 2") && error.contains("type 0x77"), "{error}");
    let (found, error) = all(&mut open(&file[..file.len() - 1]).unwrap());
    assert!(found.len() == 4 && error.unwrap().to_string().contains("55 bytes into this record"));
    let error = open(&file[..40]).unwrap_err().to_string();
    assert!(error.contains("ends within its DBN metadata"), "{error}");
}

#[test]
fn itch_is_carried_byte_for_byte() {
    let expected: Vec<Vec<u8>> =
        (0..100).map(|n| sample::itch_message(sample::ITCH_TYPES[n as usize % 23], n)).collect();
    for prefix in [Prefix::True, Prefix::Zero] {
        let found = records(&sample::itch(prefix, 100));
        assert!(found.iter().all(|(kind, bytes, captured)| *kind == bytes[0] && captured.is_some()));
        assert_eq!(found.into_iter().map(|(_, bytes, _)| bytes).collect::<Vec<_>>(), expected);
    }
    // One with a side that no message could have, and one of a type of which only the length is known.
    let mut strange = sample::itch_message(b'A', 1);
    strange[19] = b'?';
    let session = [&[0, 36][..], &strange, &[0, 3], b"Zxy", &sample::itch(Prefix::True, 1), &[0, 0]].concat();
    let found: Vec<Vec<u8>> = records(&session).into_iter().map(|(_, bytes, _)| bytes).collect();
    assert_eq!(found, [strange, b"Zxy".to_vec(), sample::itch_message(b'S', 0)]);
}

#[test]
fn csv_has_no_records() {
    let error = open(&sample::csv(10)).unwrap_err().to_string();
    assert!(error.contains("is CSV") && error.ends_with("(--as messages)"), "{error}");
}

#[test]
fn csv_and_json_are_the_vendors() {
    for schema in sample::RECORD_SCHEMAS.into_iter().filter(|schema| *schema != "mixed") {
        let file = sample::dbn_records(3, schema, 12);
        let kept = records(&file);
        let mut csv = CsvEncoder::builder(Vec::new()).use_pretty_px(true).build().unwrap();
        let mut json = JsonEncoder::builder(Vec::new()).use_pretty_px(true).build();
        let mut vendors = decoder(&file);
        let metadata: Metadata = vendors.metadata().clone();
        json.encode_metadata(&metadata).unwrap();
        while let Some(record) = vendors.decode_record_ref().unwrap() {
            csv.encode_record_ref(record).unwrap();
            json.encode_record_ref(record).unwrap();
        }
        assert_eq!(printed(Format::Csv, &kept), String::from_utf8(csv.into_inner().unwrap()).unwrap(), "{schema}");
        assert_eq!(printed(Format::Json, &kept), String::from_utf8(json.get_ref().clone()).unwrap(), "{schema}");
    }
}

#[test]
fn send_times_are_printed() {
    let kept = records(&sample::with_ts_out(2));
    let csv = printed(Format::Csv, &kept);
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(
        (rows.len(), rows[0].last(), rows[2].last()),
        (3, Some(&"ts_out"), Some(&"1704205800000000001")),
        "{csv}"
    );
    assert!(printed(Format::Json, &kept).contains("\"ts_out\":\"1704205800000000001\""));
}

#[test]
fn csv_has_a_header_wherever_the_columns_change() {
    let kept = records(&sample::dbn_records(3, "mixed", 12));
    let csv = printed(Format::Csv, &kept);
    let headers = csv.lines().filter(|line| line.starts_with("ts_")).count();
    assert_eq!((csv.lines().count(), headers), (12 + 10, 10), "four types and orders twice, in turn: {csv}");
    let bars =
        [records(&sample::dbn_records(3, "ohlcv-1s", 2)), records(&sample::dbn_records(3, "ohlcv-1m", 2))].concat();
    assert_eq!(printed(Format::Csv, &bars).lines().count(), 5, "bars of any length have the same columns");
}

#[test]
fn text_names_the_fields() {
    let kept = records(&sample::dbn_records(3, "trades", 1));
    assert_eq!(
        printed(Format::Text, &kept),
        " sequence            time  instr type       fields\n\
         \u{20}       0 14:30:00.000000      - metadata   version=3 dataset=SYNTHETIC schema=trades symbols=2 mappings=2\n\
         \u{20}       1 14:30:00.000000      1 mbp-0      ts_recv=1704205800000000700 action=T side=B depth=0 \
         price=4700.000000000 size=1 flags=128 ts_in_delta=20 sequence=0\n"
    );
}

#[test]
fn the_samples_are_carried_byte_for_byte() {
    for name in ["mbo", "mbp-1", "mbp-10", "tbbo", "trades"].map(|schema| format!("test_data.{schema}.v3.dbn.zst")) {
        let Some(path) = market_data(&name) else { return };
        let plain = zstd::decode_all(&std::fs::read(&path).unwrap()[..]).unwrap();
        let (records, error) = all(&mut input::open_as(As::Records, &path, None, Arc::default()).unwrap());
        assert!(error.is_none());
        let bytes: Vec<u8> = records.iter().flat_map(|(_, bytes, _)| bytes.clone()).collect();
        assert_eq!((bytes, records.len()), (plain, 3), "{name}");
    }
}

proptest! {
    /// The bytes of a ring are whatever its publisher wrote.
    #[test]
    fn no_bytes_end_the_printing(
        kind in any::<u8>(),
        mut bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..64),
            (0..18usize, 1..4u8, 0..6usize).prop_map(|(schema, version, at)| {
                records(&sample::dbn_records(version, sample::RECORD_SCHEMAS[schema], 6))[at].1.clone()
            }),
        ],
        changed in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        own in any::<bool>(),
    ) {
        for (at, byte) in changed {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        let kind = if own { bytes.get(1).copied().unwrap_or(kind) } else { kind };
        for encoding in [Encoding::Dbn, Encoding::Itch, Encoding::Bytes] {
            for format in [Format::Text, Format::Csv, Format::Json] {
                let mut text = Vec::new();
                let mut printer = Printer::new(encoding, format, &mut text).unwrap();
                let kind = if encoding == Encoding::Itch && own { bytes.first().copied().unwrap_or(kind) } else { kind };
                printer.write(3, kind, &bytes).unwrap();
                printer.write(4, METADATA, &bytes).unwrap();
                printer.flush().unwrap();
            }
        }
        let mut file = feed::records::dbn_file::DbnFile::new(Vec::new());
        let _ = (file.write(kind, &bytes), file.write(METADATA, &bytes), file.finish());
    }
}
