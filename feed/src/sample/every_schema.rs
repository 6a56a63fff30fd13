//! DBN files of every schema and version.

use ::dbn::encode::{DbnEncodable, DbnEncoder, EncodeRecord};
use ::dbn::{
    BboMsg, CbboMsg, Cmbp1Msg, ErrorMsg, ImbalanceMsg, InstrumentDefMsg, Mbp10Msg, OhlcvMsg, RecordHeader, RecordMut,
    Schema, StatMsg, StatusMsg, SymbolMappingMsg, SystemMsg, WithTsOut, v1, v2,
};

use super::dbn_records::{mbo, mbp1, metadata, trade};
use crate::source::synthetic::OPENING;

/// What [`dbn_records`] writes records of: the schemas of DBN, and `mixed`, in which a live capture's own records are.
pub const RECORD_SCHEMAS: [&str; 18] = [
    "mbo",
    "mbp-1",
    "mbp-10",
    "tbbo",
    "trades",
    "bbo-1s",
    "bbo-1m",
    "cmbp-1",
    "cbbo-1s",
    "tcbbo",
    "ohlcv-1s",
    "ohlcv-1d",
    "definition",
    "statistics",
    "status",
    "imbalance",
    "ohlcv-1m",
    "mixed",
];

/// A DBN file of this version (1 to 3) and one of [`RECORD_SCHEMAS`].
///
/// # Panics
/// If there is no such version or schema.
pub fn dbn_records(version: u8, name: &str, count: u64) -> Vec<u8> {
    let schema = (name != "mixed").then(|| name.parse::<Schema>().expect("the name of a DBN schema"));
    let mut file = File(DbnEncoder::new(Vec::new(), &metadata(version, schema)).expect("writing into memory"));
    for n in 0..count {
        match name {
            "mbo" => file.add(n, mbo(n)),
            "mbp-1" | "tbbo" => file.add(n, mbp1(n, b'T')),
            "trades" => file.add(n, trade(n)),
            "mbp-10" => file.add(n, Mbp10Msg { price: n as i64, ..Mbp10Msg::default() }),
            "bbo-1s" | "bbo-1m" => file.add(n, BboMsg::default_for_schema(schema.expect("it has one"))),
            "cmbp-1" | "tcbbo" => file.add(n, Cmbp1Msg::default_for_schema(schema.expect("it has one"))),
            "cbbo-1s" => file.add(n, CbboMsg::default_for_schema(schema.expect("it has one"))),
            "definition" => match version {
                1 => file.add(n, v1::InstrumentDefMsg::default()),
                2 => file.add(n, v2::InstrumentDefMsg::default()),
                _ => file.add(n, InstrumentDefMsg::default()),
            },
            "statistics" if version < 3 => file.add(n, v1::StatMsg::default()),
            "statistics" => file.add(n, StatMsg::default()),
            "status" => file.add(n, StatusMsg::default()),
            "imbalance" => file.add(n, ImbalanceMsg::default()),
            "mixed" => file.add_mixed(version, n),
            _ => file.add(n, OhlcvMsg { open: n as i64, ..OhlcvMsg::default_for_schema(schema.expect("it has one")) }),
        }
    }
    file.0.get_ref().clone()
}

/// A DBN file of orders with the send time behind each.
pub fn with_ts_out(count: u64) -> Vec<u8> {
    let metadata = ::dbn::Metadata { ts_out: true, ..metadata(3, Some(Schema::Mbo)) };
    let mut encoder = DbnEncoder::new(Vec::new(), &metadata).expect("writing into memory");
    for n in 0..count {
        encoder.encode_record(&WithTsOut::new(mbo(n), OPENING + n)).expect("writing into memory");
    }
    encoder.get_ref().clone()
}

struct File(DbnEncoder<Vec<u8>>);

impl File {
    fn add(&mut self, n: u64, mut record: impl DbnEncodable + RecordMut<Header = RecordHeader>) {
        let header = record.header_mut();
        header.instrument_id = 1 + n as u32 % 2;
        header.ts_event = OPENING + n * 10_000;
        self.0.encode_record(&record).expect("writing into memory");
    }

    /// What a live capture begins with, then orders and trades.
    fn add_mixed(&mut self, version: u8, n: u64) {
        match (n % 6, version) {
            (0, 1) => self.add(n, v1::SymbolMappingMsg::default()),
            (0, _) => self.add(n, SymbolMappingMsg::default()),
            (1, 1) => self.add(n, v1::SystemMsg::default()),
            (1, _) => self.add(n, SystemMsg::default()),
            (2, 1) => self.add(n, v1::ErrorMsg::default()),
            (2, _) => self.add(n, ErrorMsg::default()),
            (3, _) => self.add(n, trade(n)),
            _ => self.add(n, mbo(n)),
        }
    }
}
