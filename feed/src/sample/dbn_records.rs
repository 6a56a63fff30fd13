//! The DBN records that samples are made of, and their metadata.

use std::ffi::c_char;

use ::dbn::{
    BidAskPair, FlagSet, MappingInterval, MboMsg, Mbp1Msg, Metadata, RecordHeader, SType, Schema, SymbolMapping,
    TradeMsg, rtype,
};

use crate::source::synthetic::OPENING;

/// Metadata of this version and schema, with two symbols and their mappings.
pub(super) fn metadata(version: u8, schema: Option<Schema>) -> Metadata {
    let mut metadata = Metadata::builder()
        .version(version)
        .dataset("SYNTHETIC".to_owned())
        .schema(schema)
        .start(OPENING)
        .stype_in(Some(SType::RawSymbol))
        .stype_out(SType::InstrumentId)
        .symbols(vec!["ONE".to_owned(), "TWO".to_owned()])
        .build();
    let (start_date, end_date) =
        (metadata.start().date(), metadata.start().date().next_day().expect("a day behind it"));
    let mapping = |(raw_symbol, id): (&String, u32)| SymbolMapping {
        raw_symbol: raw_symbol.clone(),
        intervals: vec![MappingInterval { start_date, end_date, symbol: id.to_string() }],
    };
    metadata.mappings = metadata.symbols.iter().zip(1..).map(mapping).collect();
    metadata
}

pub(super) fn header<R: ::dbn::HasRType>(rtype: u8, n: u64) -> RecordHeader {
    RecordHeader::new::<R>(rtype, 1, 1 + n as u32 % 2, OPENING + n * 10_000)
}

pub(super) fn price(n: u64) -> i64 {
    4_700_000_000_000 + (n % 40) as i64 * 250_000_000
}

pub(super) fn mbo(n: u64) -> MboMsg {
    let action = b"ACMRTFN"[n as usize % 7];
    MboMsg {
        hd: header::<MboMsg>(rtype::MBO, n),
        order_id: 6_000_000_000 + n,
        price: if action == b'R' { crate::message::UNDEFINED_PRICE } else { price(n) },
        size: 1 + n as u32 % 50,
        flags: FlagSet::new(if n % 3 == 2 { ::dbn::flags::LAST } else { 0 }),
        channel_id: 0,
        action: action as c_char,
        side: b"BAN"[n as usize % 3] as c_char,
        ts_recv: OPENING + n * 10_000 + 700,
        ts_in_delta: 20,
        sequence: n as u32,
    }
}

pub(super) fn trade(n: u64) -> TradeMsg {
    TradeMsg {
        hd: header::<TradeMsg>(rtype::MBP_0, n),
        price: price(n),
        size: 1 + n as u32 % 50,
        action: b'T' as c_char,
        side: b"BAN"[n as usize % 3] as c_char,
        flags: FlagSet::new(::dbn::flags::LAST),
        depth: 0,
        ts_recv: OPENING + n * 10_000 + 700,
        ts_in_delta: 20,
        sequence: n as u32,
    }
}

pub(super) fn mbp1(n: u64, action: u8) -> Mbp1Msg {
    let level = BidAskPair {
        bid_px: price(n) - 250_000_000,
        ask_px: price(n) + 250_000_000,
        bid_sz: 10 + n as u32 % 9,
        ask_sz: 20 + n as u32 % 9,
        bid_ct: 2,
        ask_ct: 3,
    };
    let TradeMsg { mut hd, price, size, side, flags, depth, ts_recv, ts_in_delta, sequence, .. } = trade(n);
    hd = RecordHeader::new::<Mbp1Msg>(rtype::MBP_1, hd.publisher_id, hd.instrument_id, hd.ts_event);
    let action = action as c_char;
    Mbp1Msg { hd, price, size, action, side, flags, depth, ts_recv, ts_in_delta, sequence, levels: [level] }
}
