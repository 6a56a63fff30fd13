//! Tests of DBN: every record type, every version, and inputs that are broken at every place.

mod common;

use std::ffi::c_char;

use common::{assert_same, failure, read, read_all, read_in_drops, read_passing, read_times, strict_failure};
use dbn::encode::{DbnEncoder, DbnRecordEncoder, EncodeRecord};
use dbn::{
    BidAskPair, FlagSet, MboMsg, Mbp1Msg, Mbp10Msg, Metadata, OhlcvMsg, RecordHeader, SType, StatMsg, SymbolMappingMsg,
    TradeMsg, UNDEF_ORDER_SIZE, WithTsOut, rtype,
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
}

#[test]
fn records_that_are_not_carried_are_passed_over_by_their_length() {
    let unknown = |length: u8| {
        let mut record = vec![0; usize::from(length) * 4];
        record[..2].copy_from_slice(&[length, 0x77]);
        record
    };
    let begin = stream(|encoder| encoder.encode_record(&mbo()).unwrap());
    let others = stream(|encoder| {
        encoder.encode_record(&Mbp10Msg::default()).unwrap();
        encoder.encode_record(&OhlcvMsg::default_for_schema(dbn::Schema::Ohlcv1S)).unwrap();
        encoder.encode_record(&StatMsg::default()).unwrap();
        encoder.encode_record(&Mbp10Msg::default()).unwrap();
    });
    let others = &others[stream(|_| ()).len()..];
    let end = &begin[stream(|_| ()).len()..];
    let bytes = [&begin[..], others, &unknown(4), &unknown(6), end].concat();
    let (messages, passed) = read_passing(&*bytes);
    assert_same(&messages, &[read_all(&*begin)[0]; 2], "passed over");
    let expected = [
        ("DBN record of type mbp-10", 2),
        ("DBN record of type ohlcv-1s", 1),
        ("DBN record of type statistics", 1),
        ("DBN record of unknown type 0x77", 2),
    ];
    assert_eq!(passed, expected.map(|(kind, count)| (kind.to_owned(), count)));
    let place = format!("sample: record 2 (byte {}): ", begin.len());
    let line = format!("{place}is a DBN record of type mbp-10: mbo, mbp-1, tbbo and trades are supported");
    assert_eq!(strict_failure(bytes), (1, line));
    // As the last record of the input, too.
    assert_eq!(read_passing([&begin[..], &unknown(4)].concat()).0.len(), 1);
    // Where none follows, nothing says that it was a record: the error stands where it does.
    let lost = format!("{place}is of type 0x77 and 24 bytes long, which no known record is, and no record follows");
    for garbage in [&[1; 16][..], &[0x77, 0x77], &[0, 0, 0, 0, 9]] {
        let (before, line) = failure_though_passing([&begin[..], &unknown(6), garbage].concat());
        assert!(before == 1 && line.starts_with(&lost), "{line}");
    }
}

/// The error of an input that ends in one behind something that was passed over.
fn failure_though_passing(bytes: Vec<u8>) -> (usize, String) {
    let (messages, error) = read(bytes);
    (messages.len(), error.expect("an error").to_string())
}

#[test]
fn files_that_were_joined_are_read_on() {
    let (mbo, trades, depth) = (sample::dbn(3, "mbo", 5), sample::dbn(1, "trades", 4), sample::dbn(2, "mbp-10", 0));
    let expected = [read_all(&*mbo), read_all(&*trades), read_all(&*mbo)].concat();
    for padding in [0, 1, 8, 511, 70_000] {
        let zeros = vec![0; padding];
        let bytes = [&mbo[..], &zeros, &depth, &trades, &zeros, &mbo, &zeros].concat();
        let (messages, passed) = read_passing(&*bytes);
        assert_same(&messages, &expected, "joined");
        let counts: Vec<u64> = passed.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts.iter().sum::<u64>(), 3 * padding as u64, "{passed:?}");
        if padding > 0 {
            let (before, line) = strict_failure(bytes);
            let says = format!("sample: record 6 (byte {}): the input ends in {padding} zero bytes", mbo.len());
            assert!(before == 5 && line.starts_with(&says), "{line}");
        }
    }
    // What cannot be read on is named.
    for (next, says) in [
        (sample::zstd(&mbo), "data compressed with zstd: files of different kinds were joined"),
        (sample::gzip(&mbo), "data compressed with gzip: files of different kinds were joined"),
    ] {
        let (before, line) = failure([&mbo[..], &next].concat());
        assert!(before == 5 && line.contains(says), "{line}");
    }
    let mut newer = mbo.clone();
    newer[3] = 4;
    let place = format!("sample: record 6 (byte {}): ", mbo.len());
    let says = "is DBN version 4: versions 1 to 3 are supported";
    assert_eq!(failure([&mbo[..], &newer].concat()), (5, format!("{place}{says}")));
    let cut = &mbo[..50];
    assert_eq!(failure([&mbo[..], cut].concat()), (5, format!("{place}ends within its DBN metadata")));
    // Zeros that neither end the input nor lead to another file.
    let (before, line) = failure([&mbo[..], &[0; 9], b"x"].concat());
    assert!(before == 5 && line.ends_with("9 zero bytes are followed by something else"), "{line}");
}

#[test]
fn the_pace_is_that_of_the_capture() {
    const OPENING: u64 = 1_700_000_000_000_000_000;
    let at = |event: u64, received: u64| {
        let hd = RecordHeader::new::<MboMsg>(rtype::MBO, 1, 77, event);
        MboMsg { hd, ts_recv: received, flags: FlagSet::new(0x28), ..mbo() }
    };
    let snapshot = stream(|encoder| {
        encoder.encode_record(&at(OPENING - 200_000_000_000_000, OPENING)).unwrap();
        encoder.encode_record(&at(OPENING, u64::MAX)).unwrap();
        encoder.encode_record(&at(u64::MAX, u64::MAX)).unwrap();
        let mapping =
            SymbolMappingMsg::new(5, 6, dbn::SType::RawSymbol, "A", dbn::SType::RawSymbol, "B", 0, 0).unwrap();
        encoder.encode_record(&mapping).unwrap();
        // The quote's capture time is not in the message.
        let hd = RecordHeader::new::<Mbp1Msg>(rtype::MBP_1, 1, 77, OPENING);
        encoder.encode_record(&Mbp1Msg { hd, ts_recv: OPENING + 9, ..mbp1(b'A') }).unwrap();
    });
    let expected = vec![Some(OPENING), Some(OPENING), None, None, Some(OPENING + 9)];
    assert_eq!(read_times(snapshot), (expected, None));
    let wrong = stream(|encoder| {
        encoder.encode_record(&at(OPENING, OPENING / 1_000)).unwrap();
        encoder.encode_record(&at(9, 8)).unwrap();
    });
    let at = wrong.len() - 2 * size_of::<MboMsg>();
    let (times, warning) = read_times(wrong);
    assert_eq!(times, [Some(OPENING), None]);
    let says = format!(
        "record 1 (byte {at}): ts_recv 1700000000000000 is 1970-01-20T16:13:20Z, in nanoseconds since 1970 as this field \
         has it: expected 1990 to 2100; in microseconds it would be 2023-11-14T22:13:20Z"
    );
    assert_eq!(warning.unwrap(), says);
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
    // What is wrong with their values is no reason to end.
    for (record, says, kind) in [
        (
            MboMsg { action: b'x' as c_char, ..mbo() },
            "action is 0x78: expected one of A C M R T F N",
            "DBN record with unknown action 'x'",
        ),
        (
            MboMsg { side: b'S' as c_char, ..mbo() },
            "0x53 is no side: expected one of B A N",
            "DBN record with unknown side 'S'",
        ),
    ] {
        let (broken, place) = file(&encoded(record));
        let (messages, passed) = read_passing([&broken[..], &encoded(mbo())].concat());
        assert_eq!((messages.len(), passed), (2, vec![(kind.to_owned(), 1)]));
        assert_eq!(strict_failure(broken), (1, format!("{place}{says}")));
    }
    // Their length is: shorter than its type, or longer; shorter than a header; not whole words. Nothing of the library's
    // own words, and no address.
    for (length, says) in [
        (10, "is 40 bytes long: expected 56, the length of a record of type MBO, or 64 with its send time"),
        (12, "is 48 bytes long: expected 56, "),
        (18, "is 72 bytes long: expected 56, "),
        (142, "is 568 bytes long: expected 56, "),
        (15, "is 60 bytes long: expected a multiple of 8"),
        (0, "claims to be 0 bytes long: "),
        (1, "claims to be 4 bytes long: expected at least the 16 of a record's header"),
    ] {
        let mut record = encoded(mbo());
        record[0] = length;
        let (broken, place) = file(&[&record[..], &encoded(mbo()).repeat(20)].concat());
        let (before, line) = failure(broken);
        assert_eq!(before, 1, "{line}");
        assert!(line.starts_with(&(place + says)), "{line}");
        assert!(!line.contains("0x") && !line.contains("Ref"), "{line}");
    }
}

#[test]
fn metadata_that_cannot_be_is_said_in_words() {
    // The schema, the dataset, and the length.
    for (at, bytes, says) in [
        (24, &[0xee, 0xee][..], "it has the value [238, 238], which no version knows"),
        (8, &[0xff], "it has text that is not UTF-8"),
        (4, &[9, 0, 0, 0], "Metadata length shorter than fixed length"),
    ] {
        let mut file = sample::dbn(3, "mbo", 1);
        file[at..at + bytes.len()].copy_from_slice(bytes);
        let (before, line) = failure(file);
        assert!(before == 0 && line.starts_with("sample: byte 0: DBN metadata cannot be read: "), "{line}");
        assert!(line.contains(says) && line.ends_with(": get it again from where it came"), "{line}");
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
