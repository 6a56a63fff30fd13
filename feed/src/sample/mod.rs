//! Small synthetic files of every format, for tests and trials without market data.
//!
//! Each function returns the bytes of a file, which depend on its arguments only. Every record type that a decoder
//! distinguishes occurs, in turn.

mod dbn_records;
mod every_schema;
mod exhaust;

use std::io::Write;

use ::dbn::Schema;
use ::dbn::encode::{DbnEncoder, EncodeRecord};

use self::dbn_records::{mbo, mbp1, metadata, trade};
pub use self::every_schema::{RECORD_SCHEMAS, dbn_records, with_ts_out};
pub use self::exhaust::exhaust;
use crate::message::{Kind, Side};
use crate::source::csv::COLUMNS;
use crate::source::synthetic::Synthetic;

/// The DBN schemas that [`dbn`] writes records of.
pub const DBN_SCHEMAS: [&str; 4] = ["mbo", "mbp-1", "tbbo", "trades"];

/// A DBN file of this version (1 to 3) and schema name. A schema that is not in [`DBN_SCHEMAS`] yields metadata without
/// records.
///
/// # Panics
/// If DBN has no such version or schema.
pub fn dbn(version: u8, schema: &str, count: u64) -> Vec<u8> {
    let schema: Schema = schema.parse().expect("the name of a DBN schema");
    let mut encoder = DbnEncoder::new(Vec::new(), &metadata(version, Some(schema))).expect("writing into memory");
    for n in 0..count {
        match schema {
            Schema::Mbo => encoder.encode_record(&mbo(n)),
            Schema::Trades => encoder.encode_record(&trade(n)),
            Schema::Tbbo => encoder.encode_record(&mbp1(n, b'T')),
            Schema::Mbp1 => encoder.encode_record(&mbp1(n, b"ACMTR"[n as usize % 5])),
            _ => break,
        }
        .expect("writing into memory");
    }
    encoder.get_ref().clone()
}

/// The length prefix of each message of an ITCH file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// The length of the message, as in the venue's files.
    True,
    /// Zero, as some writers have it.
    Zero,
}

/// An ITCH 5.0 file whose messages have the types of [`ITCH_TYPES`] in turn.
pub fn itch(prefix: Prefix, count: u64) -> Vec<u8> {
    let mut file = Vec::new();
    for n in 0..count {
        let body = itch_message(ITCH_TYPES[n as usize % ITCH_TYPES.len()], n);
        let length = if prefix == Prefix::True { body.len() as u16 } else { 0 };
        file.extend_from_slice(&length.to_be_bytes());
        file.extend_from_slice(&body);
    }
    file
}

/// The message types of an ITCH sample.
pub const ITCH_TYPES: &[u8; 23] = b"SRHYLVWKJhAFECXDUPQBINO";

/// One ITCH message of this type, without its prefix. `n` determines its ids, shares and prices.
pub fn itch_message(kind: u8, n: u64) -> Vec<u8> {
    let mut body = vec![kind];
    body.extend_from_slice(&(1 + n as u16 % 3).to_be_bytes());
    body.extend_from_slice(&0u16.to_be_bytes());
    body.extend_from_slice(&(34_200_000_000_000 + n * 1_000).to_be_bytes()[2..]);
    let order = (1_000 + n).to_be_bytes();
    let shares = (100 + n as u32 % 900).to_be_bytes();
    let price = (1_500_000 + n as u32 % 5_000).to_be_bytes();
    let matched = (7_000 + n).to_be_bytes();
    let side = [b"BS"[n as usize % 2]];
    let parts: &[&[u8]] = match kind {
        b'A' => &[&order, &side, &shares, b"SAMPLE  ", &price],
        b'F' => &[&order, &side, &shares, b"SAMPLE  ", &price, b"MPID"],
        b'E' => &[&order, &shares, &matched],
        b'C' => &[&order, &shares, &matched, b"Y", &price],
        b'X' => &[&order, &shares],
        b'D' => &[&order],
        b'U' => &[&(500 + n).to_be_bytes(), &order, &shares, &price],
        b'P' => &[&[0; 8], &side, &shares, b"SAMPLE  ", &price, &matched],
        b'Q' => &[&[0; 4], &shares, b"SAMPLE  ", &price, &matched, b"O"],
        b'B' => &[&matched],
        b'S' => &[b"O"],
        b'R' => &[b"SAMPLE  ", &[b' '; 20]],
        b'H' => &[b"SAMPLE  ", b"T     "],
        b'Y' => &[b"SAMPLE  ", b"0"],
        b'L' => &[b"MPIDSAMPLE  ", b"YNA"],
        b'V' => &[&[0; 24]],
        b'W' => &[b"1"],
        b'K' => &[b"SAMPLE  ", &[0; 9]],
        b'J' => &[b"SAMPLE  ", &[0; 16]],
        b'h' => &[b"SAMPLE  ", b"QT"],
        b'I' => &[&[0; 39]],
        b'N' => &[b"SAMPLE  ", b"N"],
        _ => &[b"SAMPLE  ", &[0; 29]],
    };
    parts.iter().for_each(|part| body.extend_from_slice(part));
    body
}

/// A CSV file with the quotes and trades of a synthetic market. A level row precedes each trade.
pub fn csv(count: u64) -> Vec<u8> {
    let mut market = Synthetic::new(1);
    let mut file = format!("{}\n", COLUMNS.join(",")).into_bytes();
    let mut rows = 0;
    while rows < count {
        let message = market.advance();
        let (milliseconds, instrument) = (message.ts_event / 1_000_000, message.instrument);
        let price = crate::decimal::Price(message.price);
        let size = crate::decimal::Size(message.size);
        let mut row = |letter: char, fields: String| {
            if rows < count {
                let received = message.ts_event + 300;
                writeln!(file, "{received},{milliseconds},{letter},SYN{instrument},{fields}")
                    .expect("writing into memory");
                rows += 1;
            }
        };
        if message.kind() == Kind::Quote {
            let ask = crate::decimal::Price(message.ask_price().expect("a synthetic quote has both sides"));
            let ask_size = crate::decimal::Size(message.extra);
            row('Q', format!(",,{price},{size},{ask},{ask_size},,{}", message.ts_event));
        } else {
            let side = if message.side() == Side::Bid { 'B' } else { 'S' };
            row('D', format!("{price},0.000,,,,,{side},{}", message.ts_event));
            row('T', format!("{price},{size},,,,,{side},{}", message.order_id));
        }
    }
    file
}

/// The bytes compressed with gzip.
pub fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).and_then(|()| encoder.finish()).expect("compressing into memory")
}

/// The bytes compressed with zstd.
pub fn zstd(plain: &[u8]) -> Vec<u8> {
    ::zstd::encode_all(plain, 1).expect("compressing into memory")
}
