//! Tests of the symbols that sources tell.

use std::ffi::c_char;
use std::io::Cursor;

use dbn::encode::{DbnEncoder, EncodeRecord};
use dbn::{Metadata, RecordHeader, SType, rtype, v1, v3};
use feed::sample::{self, Prefix};
use feed::source::{Input, Source, input};

fn open(bytes: impl Into<Vec<u8>>) -> Input {
    input::from_reader("sample", Cursor::new(bytes.into()), None, None).unwrap()
}

/// The symbol of an instrument, as text.
fn symbol(source: &dyn Source, instrument: u32) -> Option<String> {
    source.symbol(instrument).map(|symbol| symbol.to_string())
}

/// The next message's instrument, and the symbol that it has then.
fn next(source: &mut Input) -> Option<(u32, Option<String>)> {
    let instrument = source.next_message().unwrap()?.instrument;
    Some((instrument, symbol(source, instrument)))
}

#[test]
fn dbn_metadata_maps_symbols_to_ids() {
    for version in 1..=3 {
        for bytes in [sample::dbn(version, "mbo", 3), sample::zstd(&sample::dbn(version, "mbo", 3))] {
            let mut source = open(bytes);
            assert_eq!(next(&mut source), Some((1, Some("ONE".to_owned()))), "version {version}");
            assert_eq!(next(&mut source), Some((2, Some("TWO".to_owned()))), "version {version}");
            assert_eq!(symbol(&source, 3), None);
        }
    }
}

fn text<const N: usize>(text: &str) -> [c_char; N] {
    std::array::from_fn(|at| text.as_bytes().get(at).map_or(0, |byte| byte.cast_signed()))
}

/// A stream of this version without mappings in its metadata.
fn stream(version: u8, encode: impl FnOnce(&mut DbnEncoder<Vec<u8>>)) -> Vec<u8> {
    let metadata = Metadata::builder()
        .version(version)
        .dataset("SYNTHETIC".to_owned())
        .schema(None)
        .start(0)
        .stype_in(None)
        .stype_out(SType::InstrumentId)
        .build();
    let mut encoder = DbnEncoder::new(Vec::new(), &metadata).unwrap();
    encode(&mut encoder);
    encoder.get_ref().clone()
}

#[test]
fn dbn_symbol_mapping_records_of_every_version_tell_symbols() {
    let header =
        |id| RecordHeader::new::<v3::SymbolMappingMsg>(rtype::SYMBOL_MAPPING, 1, id, 1_700_000_000_000_000_000);
    let newer = |id, symbol: &str| v3::SymbolMappingMsg {
        hd: header(id),
        stype_in: 1,
        stype_in_symbol: text("ES.c.0"),
        stype_out: 1,
        stype_out_symbol: text(symbol),
        start_ts: 0,
        end_ts: 0,
    };
    let bytes = stream(3, |encoder| {
        for (id, symbol) in [(7, "ESH4"), (8, "ESM4"), (7, "ESU4")] {
            encoder.encode_record(&newer(id, symbol)).unwrap();
        }
    });
    let mut source = open(bytes);
    assert_eq!(symbol(&source, 7), None, "not before its record");
    for expected in [(7, "ESH4"), (8, "ESM4"), (7, "ESU4")] {
        assert_eq!(next(&mut source), Some((expected.0, Some(expected.1.to_owned()))));
    }
    let older = v1::SymbolMappingMsg {
        hd: RecordHeader::new::<v1::SymbolMappingMsg>(rtype::SYMBOL_MAPPING, 1, 9, 1_700_000_000_000_000_000),
        stype_in_symbol: text("ES.c.0"),
        stype_out_symbol: text("ESZ4"),
        _dummy: Default::default(),
        start_ts: 0,
        end_ts: 0,
    };
    let mut source = open(stream(1, |encoder| encoder.encode_record(&older).unwrap()));
    assert_eq!(next(&mut source), Some((9, Some("ESZ4".to_owned()))));
}

#[test]
fn the_itch_stock_directory_tells_symbols() {
    let mut source = open(sample::itch(Prefix::True, 100));
    let mut told = 0;
    let mut directory = [false; 4];
    for n in 0..100 {
        let (instrument, symbol) = next(&mut source).unwrap();
        if sample::ITCH_TYPES[n % sample::ITCH_TYPES.len()] == b'R' {
            directory[instrument as usize] = true;
        }
        let expected = directory[instrument as usize].then(|| "SAMPLE".to_owned());
        told += u64::from(symbol.is_some());
        assert_eq!(symbol, expected, "message {n} of {instrument}");
    }
    assert!(told > 50, "{told}");
    assert_eq!(symbol(&source, 1 << 16), None);
}

#[test]
fn the_symbols_of_a_csv_are_its_column() {
    let header = feed::source::csv::COLUMNS.join(",");
    let row = |symbol: &str| format!("1,1723161600000,T,{symbol},1,1,,,,,B,1\n");
    let file = format!("{header}\n{}{}{}", row("B"), row("\"A,1\""), row("B"));
    let mut source = open(file);
    for (instrument, symbol) in [(1, "B"), (2, "A,1"), (1, "B")] {
        assert_eq!(next(&mut source), Some((instrument, Some(symbol.to_owned()))));
    }
    assert_eq!([0, 3].map(|instrument| symbol(&source, instrument)), [None, None]);
}
