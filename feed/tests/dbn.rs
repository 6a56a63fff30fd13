//! Tests of DBN: every record type, every version, and inputs that are broken at every place.

mod common;

use std::ffi::c_char;

use common::{assert_same, failure, read, read_all, read_in_drops};
use dbn::encode::{DbnEncoder, DbnRecordEncoder, EncodeRecord};
use dbn::{
    BidAskPair, FlagSet, MboMsg, Mbp1Msg, Mbp10Msg, Metadata, RecordHeader, SType, SymbolMappingMsg, TradeMsg,
    UNDEF_ORDER_SIZE, WithTsOut, rtype,
};
use feed::{Flags, Kind, Message, Side, UNDEFINED_PRICE, UNDEFINED_SIZE, sample};

fn metadata(version: u8) -> Metadata {
    Metadata::builder()
        .version(version)
        .dataset("TEST".to_owned())
        .schema(None)
        .start(0)
        .stype_in(None)
        .stype_out(SType::InstrumentId)
        .build()
}

/// Encodes the metadata of a stream of several record types, and what `encode` adds.
fn stream(encode: impl FnOnce(&mut DbnEncoder<Vec<u8>>)) -> Vec<u8> {
    let mut encoder = DbnEncoder::new(Vec::new(), &metadata(3)).unwrap();
    encode(&mut encoder);
    encoder.get_ref().clone()
}

fn mbo() -> MboMsg {
    MboMsg {
        hd: RecordHeader::new::<MboMsg>(rtype::MBO, 1, 77, 1_000),
        order_id: u64::MAX,
        price: -5,
        size: u32::MAX - 1,
        flags: FlagSet::new(0xff),
        channel_id: 9,
        action: b'A' as c_char,
        side: b'A' as c_char,
        ts_recv: 2_000,
        ts_in_delta: 3,
        sequence: 4,
    }
}

fn trade() -> TradeMsg {
    TradeMsg {
        hd: RecordHeader::new::<TradeMsg>(rtype::MBP_0, 1, 78, 1_001),
        price: 6,
        size: 7,
        action: b'T' as c_char,
        side: b'B' as c_char,
        ts_recv: 2_001,
        ..TradeMsg::default()
    }
}

fn mbp1(action: u8) -> Mbp1Msg {
    Mbp1Msg {
        hd: RecordHeader::new::<Mbp1Msg>(rtype::MBP_1, 1, 79, 1_002),
        price: 8,
        size: 9,
        action: action as c_char,
        side: b'N' as c_char,
        flags: FlagSet::new(0x80),
        ts_recv: 2_002,
        levels: [BidAskPair { bid_px: 10, ask_px: 11, bid_sz: 12, ask_sz: UNDEF_ORDER_SIZE, ..BidAskPair::default() }],
        ..Mbp1Msg::default()
    }
}

#[test]
fn an_order_keeps_every_field_that_fits() {
    let messages = read_all(stream(|encoder| encoder.encode_record(&mbo()).unwrap()));
    let expected = Message {
        ts_event: 1_000,
        ts_publish: 0,
        instrument: 77,
        kind: b'A',
        side: b'A',
        flags: 0xff,
        reserved: 0,
        price: -5,
        size: 4_294_967_294_000_000_000,
        order_id: u64::MAX,
        extra: 2_000,
    };
    assert_eq!(messages, [expected]);
}

#[test]
fn the_send_time_of_a_live_capture_is_left_out() {
    let metadata = Metadata { ts_out: true, ..metadata(3) };
    let mut encoder = DbnEncoder::new(Vec::new(), &metadata).unwrap();
    (0..2).for_each(|_| encoder.encode_record(&WithTsOut::new(mbo(), 3_000)).unwrap());
    let expected = read_all(stream(|encoder| (0..2).for_each(|_| encoder.encode_record(&mbo()).unwrap())));
    assert_same(&read_all(encoder.get_ref().clone()), &expected, "with ts_out");
}

#[test]
fn every_action_has_its_kind() {
    let actions = b"ACMRTFN";
    let messages = read_all(stream(|encoder| {
        for &action in actions {
            encoder.encode_record(&MboMsg { action: action as c_char, ..mbo() }).unwrap();
        }
    }));
    let kinds: Vec<Kind> = messages.iter().map(Message::kind).collect();
    use Kind::{Add, Cancel, Clear, Fill, Modify, Other, Trade};
    assert_eq!(kinds, [Add, Cancel, Modify, Clear, Trade, Fill, Other]);
}

#[test]
fn undefined_prices_and_sizes_stay_undefined() {
    let messages = read_all(stream(|encoder| {
        encoder.encode_record(&MboMsg { price: dbn::UNDEF_PRICE, size: UNDEF_ORDER_SIZE, ..mbo() }).unwrap();
    }));
    assert_eq!((messages[0].price, messages[0].size), (UNDEFINED_PRICE, UNDEFINED_SIZE));
}

#[test]
fn trades_and_best_bid_and_offer() {
    let messages = read_all(stream(|encoder| {
        encoder.encode_record(&trade()).unwrap();
        encoder.encode_record(&mbp1(b'T')).unwrap();
        encoder.encode_record(&mbp1(b'A')).unwrap();
        encoder.encode_record(&mbp1(b'R')).unwrap();
    }));
    let [trade, with_quote, quote, clear] = messages[..] else { panic!("{messages:?}") };
    assert_eq!((trade.kind(), trade.side(), trade.price, trade.size), (Kind::Trade, Side::Bid, 6, 7_000_000_000));
    assert_eq!((trade.instrument, trade.order_id, trade.extra), (78, 0, 2_001));
    assert_eq!((with_quote.kind(), with_quote.price, with_quote.size), (Kind::Trade, 8, 9_000_000_000));
    assert_eq!((with_quote.order_id, with_quote.extra), (0, 2_002));
    assert_eq!((quote.kind(), quote.price(), quote.size()), (Kind::Quote, Some(10), Some(12_000_000_000)));
    assert_eq!((quote.ask_price(), quote.ask_size(), quote.order_id()), (Some(11), None, None));
    assert!(quote.flags().contains(Flags::END_OF_EVENT));
    assert_eq!((clear.kind(), clear.price, clear.ask_price()), (Kind::Clear, 8, None));
}

#[test]
fn a_live_captures_own_messages_are_other() {
    let mapping = SymbolMappingMsg::new(5, 6, dbn::SType::RawSymbol, "A", dbn::SType::RawSymbol, "B", 0, 0).unwrap();
    let messages = read_all(stream(|encoder| encoder.encode_record(&mapping).unwrap()));
    assert_eq!((messages[0].kind(), messages[0].instrument, messages[0].ts_event), (Kind::Other, 5, 6));
}

#[test]
fn every_version_schema_and_compression_reads_the_same() {
    for schema in sample::DBN_SCHEMAS {
        let expected = read_all(sample::dbn(3, schema, 500));
        assert_eq!(expected.len(), 500, "{schema}");
        for version in 1..=3 {
            let plain = sample::dbn(version, schema, 500);
            for file in [plain.clone(), sample::zstd(&plain), sample::gzip(&plain)] {
                assert_same(&read_all(&file[..]), &expected, &format!("{schema} v{version}"));
                assert_same(&read_in_drops(file).0, &expected, &format!("{schema} v{version} in drops"));
            }
        }
    }
}

#[test]
fn other_schemas_versions_and_records_are_refused_by_name() {
    let supported = "mbo, mbp-1, tbbo and trades are supported";
    assert_eq!(failure(sample::dbn(3, "mbp-10", 0)).1, format!("sample: byte 0: holds DBN schema mbp-10: {supported}"));
    assert_eq!(
        failure(sample::dbn(3, "ohlcv-1s", 0)).1,
        format!("sample: byte 0: holds DBN schema ohlcv-1s: {supported}")
    );
    let mut newer = sample::dbn(3, "mbo", 1);
    newer[3] = 4;
    assert_eq!(failure(newer), (0, "sample: byte 0: is DBN version 4: versions 1 to 3 are supported".to_owned()));
    let mixed = stream(|encoder| {
        encoder.encode_record(&mbo()).unwrap();
        encoder.encode_record(&Mbp10Msg::default()).unwrap();
        encoder.encode_record(&mbo()).unwrap();
    });
    let start = mixed.len() - 2 * size_of::<MboMsg>() - size_of::<Mbp10Msg>();
    let at = start + size_of::<MboMsg>();
    let line = format!("sample: record 2 (byte {at}): is a DBN record of type Mbp10: {supported}");
    assert_eq!(failure(mixed), (1, line));
}

#[test]
fn an_input_that_ends_anywhere_but_between_records_is_an_error() {
    let whole = sample::dbn(3, "mbo", 3);
    let record = size_of::<MboMsg>();
    let start = whole.len() - 3 * record;
    for end in 3..whole.len() {
        let (messages, error) = read(&whole[..end]);
        if end < start {
            let line = error.expect("an error").to_string();
            assert_eq!(line, "sample: byte 0: ends within its DBN metadata", "{end}");
            continue;
        }
        let (complete, rest) = ((end - start) / record, (end - start) % record);
        assert_eq!(messages.len(), complete, "{end}");
        match error {
            None => assert_eq!(rest, 0, "{end}"),
            Some(error) => assert_eq!(
                error.to_string(),
                format!(
                    "sample: record {} (byte {}): the input ends {rest} bytes into this record",
                    complete + 1,
                    start + complete * record
                )
            ),
        }
    }
}

#[test]
fn compressed_inputs_that_end_early_are_errors_after_what_came_before() {
    let plain = sample::dbn(3, "mbo", 40_000);
    for file in [sample::zstd(&plain), sample::gzip(&plain)] {
        let (messages, error) = read(&file[..file.len() * 3 / 4]);
        assert!(messages.len() > 1_000, "{}", messages.len());
        let line = error.expect("an error").to_string();
        assert!(line.starts_with(&format!("sample: record {} (byte ", messages.len() + 1)), "{line}");
        assert!(line.contains("the compressed input ends early"), "{line}");
    }
}

#[test]
fn broken_records_are_errors_with_their_position() {
    let file = |record: &[u8]| {
        let mut file = stream(|encoder| encoder.encode_record(&mbo()).unwrap());
        let at = file.len();
        file.extend_from_slice(record);
        (file, format!("sample: record 2 (byte {at}): "))
    };
    let encoded = |record: MboMsg| {
        let mut encoder = DbnRecordEncoder::new(Vec::new());
        encoder.encode_record(&record).unwrap();
        encoder.get_ref().clone()
    };
    let (broken, place) = file(&encoded(MboMsg { action: b'x' as c_char, ..mbo() }));
    assert_eq!(failure(broken), (1, format!("{place}action is 0x78: expected one of A C M R T F N")));
    let (broken, place) = file(&encoded(MboMsg { side: b'S' as c_char, ..mbo() }));
    assert_eq!(failure(broken), (1, format!("{place}0x53 is no side: expected one of B A N")));
    // A record shorter than its type, shorter than a header, or of no type.
    for (byte, value) in [(0, 10), (0, 0), (0, 1), (1, 0x77)] {
        let mut record = encoded(mbo());
        record[byte] = value;
        let (broken, place) = file(&record);
        let (before, line) = failure(broken);
        assert_eq!(before, 1, "{line}");
        assert!(line.starts_with(&place), "{line}");
    }
}

#[test]
fn a_record_that_would_put_the_next_one_at_an_odd_address_is_refused() {
    let mut file = stream(|encoder| (0..3).for_each(|_| encoder.encode_record(&mbo()).unwrap()));
    let second = file.len() - 2 * size_of::<MboMsg>();
    // Longer by half a word, with the third record after it.
    file[second] += 1;
    file.splice(second + size_of::<MboMsg>()..second + size_of::<MboMsg>(), [0; 4]);
    let line = format!("sample: record 2 (byte {second}): is 60 bytes long: expected a multiple of 8");
    assert_eq!(failure(file), (1, line));
}

#[test]
fn metadata_that_claims_too_much_is_refused_without_reading_it() {
    let mut file = sample::dbn(3, "mbo", 1);
    file[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    let line = "sample: byte 0: claims DBN metadata of 4294967295 bytes: expected at most 67108864";
    assert_eq!(failure(file), (0, line.to_owned()));
}
