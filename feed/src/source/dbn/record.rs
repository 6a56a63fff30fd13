//! DBN records become the feed's messages.

use std::ffi::c_char;

use ::dbn::{
    BboMsg, CbboMsg, Cmbp1Msg, HasRType, ImbalanceMsg, InstrumentDefMsg, MboMsg, Mbp1Msg, Mbp10Msg, OhlcvMsg, RType,
    Record, RecordHeader, RecordRef, StatMsg, StatusMsg, TradeMsg, UNDEF_ORDER_SIZE, rtype, v1, v2, v3,
};

use super::super::error::Reason;
use super::super::notes::{Strange, What};
use crate::decimal::SCALE;
use crate::message::{Kind, Message, Side, UNDEFINED_SIZE};

pub(super) const SUPPORTED: &str = "mbo, mbp-1, tbbo and trades are supported";

/// The send time that a live capture may have behind each record.
pub(super) const TS_OUT: usize = size_of::<u64>();

/// A record as a message, and its capture time if it has one.
pub(super) type Decoded = Result<(Message, Option<u64>), Strange>;

/// Converts a record.
///
/// # Errors
/// A record of a type that is carried, whose length is not that of its type: nothing says which of the two is wrong, and
/// so where the next record begins.
pub(super) fn decode(record: RecordRef<'_>) -> Result<Decoded, Reason> {
    Ok(match record.header().rtype {
        rtype::MBO => {
            let record = of_length::<MboMsg>(&record, "MBO")?;
            mbo(record).map(|message| (message, Some(record.ts_recv)))
        }
        rtype::MBP_0 => {
            let record = of_length::<TradeMsg>(&record, "trades")?;
            trade(record).map(|message| (message, Some(record.ts_recv)))
        }
        rtype::MBP_1 => {
            let record = of_length::<Mbp1Msg>(&record, "MBP-1")?;
            mbp1(record).map(|message| (message, Some(record.ts_recv)))
        }
        // Their times are those of the capture's own clock, which may be days after the data's.
        rtype::SYMBOL_MAPPING | rtype::SYSTEM | rtype::ERROR if is_of_a_length(record.header()) => {
            Ok((base(Kind::Other, record.header()), None))
        }
        code => Err(match RType::try_from(code) {
            Ok(known) => Strange::of(What::Named("DBN record of type", known.as_str()), not_carried),
            Err(_) => Strange::of(What::Code("DBN record of unknown type", code), not_carried),
        }),
    })
}

fn not_carried(what: What) -> Reason {
    Reason::Unsupported(format!("is a {what}: {SUPPORTED}"))
}

/// True for a record of a type that exists, with a length that this type has in some version: where it ends, the next one
/// begins.
#[inline]
pub(super) fn is_proven(header: &RecordHeader) -> bool {
    // The lengths of the most frequent ones were checked when they were decoded.
    matches!(header.rtype, rtype::MBO | rtype::MBP_0 | rtype::MBP_1) || is_of_a_length(header)
}

/// True if the record's type exists and has this length in some version: then the crate may read all of it.
pub(crate) fn is_of_a_length(header: &RecordHeader) -> bool {
    let length = header.record_size();
    sizes(header).iter().any(|&size| length == size || length == size + TS_OUT)
}

/// True if it has the send time behind it.
pub(crate) fn has_ts_out(header: &RecordHeader) -> bool {
    sizes(header).iter().any(|&size| header.record_size() == size + TS_OUT)
}

/// The lengths of the versions of a type, without the send time. None if there is no such type.
fn sizes(header: &RecordHeader) -> &'static [usize] {
    match RType::try_from(header.rtype) {
        Ok(RType::Mbo) => &[size_of::<MboMsg>()],
        Ok(RType::Mbp0) => &[size_of::<TradeMsg>()],
        Ok(RType::Mbp1 | RType::Tbbo) => &[size_of::<Mbp1Msg>()],
        Ok(RType::Mbp10) => &[size_of::<Mbp10Msg>()],
        Ok(RType::Ohlcv1S | RType::Ohlcv1M | RType::Ohlcv1H | RType::Ohlcv1D | RType::OhlcvEod) => {
            &[size_of::<OhlcvMsg>()]
        }
        // Of any length of bar in old files.
        #[allow(deprecated)]
        Ok(RType::OhlcvDeprecated) => &[size_of::<OhlcvMsg>()],
        Ok(RType::Status) => &[size_of::<StatusMsg>()],
        Ok(RType::InstrumentDef) => {
            &[size_of::<v1::InstrumentDefMsg>(), size_of::<v2::InstrumentDefMsg>(), size_of::<InstrumentDefMsg>()]
        }
        Ok(RType::Imbalance) => &[size_of::<ImbalanceMsg>()],
        Ok(RType::Error) => &[size_of::<v1::ErrorMsg>(), size_of::<v3::ErrorMsg>()],
        Ok(RType::SymbolMapping) => &[size_of::<v1::SymbolMappingMsg>(), size_of::<v3::SymbolMappingMsg>()],
        Ok(RType::System) => &[size_of::<v1::SystemMsg>(), size_of::<v3::SystemMsg>()],
        Ok(RType::Statistics) => &[size_of::<v1::StatMsg>(), size_of::<StatMsg>()],
        Ok(RType::Cmbp1 | RType::Tcbbo) => &[size_of::<Cmbp1Msg>()],
        Ok(RType::Cbbo1S | RType::Cbbo1M) => &[size_of::<CbboMsg>()],
        Ok(RType::Bbo1S | RType::Bbo1M) => &[size_of::<BboMsg>()],
        _ => &[],
    }
}

/// Fails for a record that [`decode`] fails for.
pub(super) fn check_length(record: &RecordRef<'_>) -> Result<(), Reason> {
    match record.header().rtype {
        rtype::MBO => of_length::<MboMsg>(record, "MBO").map(drop),
        rtype::MBP_0 => of_length::<TradeMsg>(record, "trades").map(drop),
        rtype::MBP_1 => of_length::<Mbp1Msg>(record, "MBP-1").map(drop),
        _ => Ok(()),
    }
}

/// The record as one of this type, if it has its length.
fn of_length<'a, T: HasRType<Header = RecordHeader>>(record: &RecordRef<'a>, name: &str) -> Result<&'a T, Reason> {
    let (found, expected) = (record.record_size(), size_of::<T>());
    let right = found == expected || found == expected + TS_OUT;
    right.then(|| record.try_get().ok()).flatten().ok_or_else(|| {
        Reason::Malformed(format!(
            "is {found} bytes long: expected {expected}, the length of a record of type {name}, or {} with its send time. \
             One of length and type is wrong, so where the next record begins is not known: get the file again",
            expected + TS_OUT
        ))
    })
}

fn base(kind: Kind, header: &RecordHeader) -> Message {
    Message { instrument: header.instrument_id, ..Message::new(kind, header.ts_event) }
}

fn mbo(record: &MboMsg) -> Result<Message, Strange> {
    Ok(Message {
        side: side(record.side)? as u8,
        flags: record.flags.raw(),
        price: record.price,
        size: size(record.size),
        order_id: record.order_id,
        extra: record.ts_recv,
        ..base(kind(record.action)?, &record.hd)
    })
}

fn trade(record: &TradeMsg) -> Result<Message, Strange> {
    Ok(Message {
        side: side(record.side)? as u8,
        flags: record.flags.raw(),
        price: record.price,
        size: size(record.size),
        extra: record.ts_recv,
        ..base(kind(record.action)?, &record.hd)
    })
}

fn mbp1(record: &Mbp1Msg) -> Result<Message, Strange> {
    let kind = kind(record.action)?;
    let message = Message {
        side: side(record.side)? as u8,
        flags: record.flags.raw(),
        price: record.price,
        size: size(record.size),
        extra: record.ts_recv,
        ..base(kind, &record.hd)
    };
    Ok(match kind {
        Kind::Trade | Kind::Clear => message,
        _ => {
            let level = &record.levels[0];
            let (bid, ask) = ((level.bid_px, size(level.bid_sz)), (level.ask_px, size(level.ask_sz)));
            message.with_quote(bid, ask)
        }
    })
}

/// DBN's sizes are whole numbers of 32 bits: in units of 1e-9 they always fit into 64.
fn size(size: u32) -> u64 {
    if size == UNDEF_ORDER_SIZE { UNDEFINED_SIZE } else { u64::from(size) * SCALE }
}

fn kind(action: c_char) -> Result<Kind, Strange> {
    let letter = action.cast_unsigned();
    match letter {
        b'N' => Ok(Kind::Other),
        b'A' | b'C' | b'M' | b'R' | b'T' | b'F' => Ok(Kind::try_from(letter).expect("DBN's letters are ours")),
        _ => {
            let reason = Reason::Malformed(format!("action is {letter:#04x}: expected one of A C M R T F N"));
            Err(Strange::new(What::Letter("DBN record with unknown action", letter), reason))
        }
    }
}

fn side(side: c_char) -> Result<Side, Strange> {
    let letter = side.cast_unsigned();
    Side::try_from(letter).map_err(|error| {
        let reason = Reason::Malformed(error.to_string());
        Strange::new(What::Letter("DBN record with unknown side", letter), reason)
    })
}
